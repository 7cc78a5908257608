"""Connections to clusters, shared by all drivers of a process, made anew in a forked child.

A connection costs a dozen threads and several round trips; it is made at first use and kept while anybody uses it.
"""

from __future__ import annotations

import contextlib
import copy
import threading
from collections.abc import Iterator

from multistore.driver import PerProcess
from multistore.drivers.rbd.cluster import Connection, Profile
from multistore.errors import StoreError

__all__ = ["Connections", "Leases", "instances"]


class _Cell:
    """The connection of one profile; whoever finds it being made waits for that one attempt."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connection: Connection | None = None
        self.attempts = 0
        self.failure: StoreError | None = None


class Connections:
    """All connections of a process."""

    def __init__(self) -> None:
        self._cells: dict[Profile, _Cell] = {}

    def take(self, profile: Profile) -> Connection:
        """Give a connection that works with the keys as they are now; the caller drops it."""
        cell = self._cells.setdefault(profile, _Cell())  # atomic
        seen = cell.attempts
        with cell.lock:
            if cell.connection is not None and cell.connection.hold():
                return cell.connection
            if cell.attempts != seen and cell.failure is not None:
                # Each of many waiting threads would wait for the whole limit, one after the other.
                raise copy.copy(cell.failure)
            cell.failure = None
            try:
                made = Connection(profile)
                made.connect()
            except StoreError as error:
                cell.failure = copy.copy(error)
                raise
            finally:
                cell.attempts += 1
            made.hold()
            cell.connection = made
            return made

    def all(self) -> list[Connection]:
        """Give the newest connection of each profile."""
        return [cell.connection for cell in list(self._cells.values()) if cell.connection]


_CONNECTIONS: PerProcess[Connections] = PerProcess(Connections)


def instances() -> frozenset[int]:
    """Give the numbers by which clusters know this process."""
    return frozenset(each.instance for each in _CONNECTIONS.get().all())


class _Held:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connection: Connection | None = None
        self.closed = False


class Leases:
    """One driver's hold on its connection: kept between its calls until it is closed."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._held: PerProcess[_Held] = PerProcess(_Held)

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """Give the connection for one call."""
        connection = self._take()
        if connection.closing:
            connection.settle()
        try:
            yield connection
        finally:
            connection.drop()

    def _take(self) -> Connection:
        held = self._held.get()
        current = held.connection
        if current is not None and current.hold():
            return current
        made = _CONNECTIONS.get().take(self._profile)
        with held.lock:
            current = held.connection
            if current is made or held.closed or not made.hold():
                return made
            held.connection = made
        if current is not None:
            current.drop()
        return made

    def close(self) -> None:
        """Let go of the connection of this process; idempotent."""
        held = self._held.drop()
        if held is None:
            return
        with held.lock:
            held.closed = True
            current, held.connection = held.connection, None
        if current is not None:
            current.settle()
            current.drop()
