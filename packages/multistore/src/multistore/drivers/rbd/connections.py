"""Connections to clusters, shared by all drivers of a process, made anew in a forked child.

A connection costs a dozen threads and several round trips; it is made at first use and kept while anybody uses it.
When the process ends it is shut down: a callback of the library that comes to an interpreter which is ending, or that has
not returned from it, aborts the process.
"""

from __future__ import annotations

import atexit
import contextlib
import copy
import logging
import threading
import time
from collections.abc import Iterator

from multistore.driver import PerProcess
from multistore.drivers.rbd.cluster import Connection, Profile
from multistore.errors import StoreError

__all__ = ["Connections", "Leases", "instances"]

LOG = logging.getLogger(__name__)

#: The most that the end of a process waits for its clusters, in seconds.
_PATIENCE = 10.0


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
        self._made: set[Connection] = set()
        #: What drivers keep.
        self.held: set[_Held] = set()

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
            self._made.add(made)
            cell.connection = made
            return made

    def alive(self) -> list[Connection]:
        """Give all that are not shut down, those with old keys too."""
        self._made -= {each for each in list(self._made) if each.ended}
        return list(self._made)

    def leave(self) -> None:
        """Close what is open and shut down what nobody uses, within a limit: the process ends."""
        until = time.monotonic() + _PATIENCE
        for held in list(self.held):
            held.close()
        for connection in self.alive():
            if not connection.leave(until):
                LOG.warning(
                    "cluster %s did not let go of all that was open within %g s",
                    connection.fsid,
                    _PATIENCE,
                )


_CONNECTIONS: PerProcess[Connections] = PerProcess(Connections)


def instances() -> frozenset[int]:
    """Give the numbers by which clusters know this process."""
    return frozenset(each.instance for each in _CONNECTIONS.get().alive())


@atexit.register
def leave() -> None:
    """Shut down all connections of this process, at its end."""
    connections = _CONNECTIONS.drop()
    if connections is not None:
        connections.leave()


class _Held:
    """What one driver keeps of a connection."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connection: Connection | None = None
        self.closed = False

    def close(self) -> None:
        """Let go of it for good."""
        with self.lock:
            self.closed = True
            current, self.connection = self.connection, None
        if current is not None:
            current.settle()
            current.drop()


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
        connections = _CONNECTIONS.get()
        made = connections.take(self._profile)
        with held.lock:
            current = held.connection
            if current is made or held.closed or not made.hold():
                return made
            held.connection = made
            connections.held.add(held)
        if current is not None:
            current.drop()
        return made

    def close(self) -> None:
        """Let go of the connection of this process; idempotent."""
        held = self._held.drop()
        if held is not None:
            held.close()
            _CONNECTIONS.get().held.discard(held)
