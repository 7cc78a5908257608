"""What several handlers need: one record per operation that is under way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from multistore.driver import PerProcess
from multistore.model import Event

__all__ = ["Tally"]

R = TypeVar("R")


class Tally(Generic[R]):
    """A record for each operation, from its ``begin`` to its ``end``; a forked child starts with none."""

    def __init__(self, make: Callable[[Event], R]) -> None:
        self._make = make
        self._state: PerProcess[tuple[threading.RLock, dict[tuple[str, int], R]]] = PerProcess(
            lambda: (threading.RLock(), {})
        )

    @property
    def lock(self) -> threading.RLock:
        """Held by whoever reads or changes a record."""
        return self._state.get()[0]

    def records(self) -> list[R]:
        """Give the records of all operations under way."""
        lock, records = self._state.get()
        with lock:
            return list(records.values())

    def of(self, event: Event) -> R | None:
        """Give the record of an event's operation; ``begin`` makes it, ``end`` gives it for the last time.

        None for an operation that began before this was listening, or before a fork.
        """
        lock, records = self._state.get()
        key = (event.store, event.operation)
        with lock:
            if event.kind == "begin":
                records[key] = self._make(event)
            return records.pop(key, None) if event.kind == "end" else records.get(key)
