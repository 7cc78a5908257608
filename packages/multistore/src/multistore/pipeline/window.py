"""The bound on memory: one budget of bytes for all blocks that somebody still holds."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Block", "Known", "Window"]

#: Seconds between two looks at whether a thread that is waited for has died.
_LOOK = 0.5


class Window:
    """Counts the bytes of live blocks; making one more waits until it fits."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        #: Entered instead of the condition, which is entered in Python code, where a signal could leave the lock taken.
        self.lock = threading.RLock()
        self._changed = threading.Condition(self.lock)
        self._used = 0
        self._alarm = False

    def block(self, data: bytes, holders: int) -> Block:
        """Make a block that ``holders`` parties have to drop."""
        with self.lock:
            self._used += len(data)
        return Block(self, data, holders)

    def wait_for_room(self, size: int) -> None:
        """Wait until ``size`` more bytes fit, or until somebody wakes this; two blocks of that size always fit."""
        with self.lock:
            while not self._alarm and self._used + size > max(self.limit, 2 * size):
                self._changed.wait()
            self._alarm = False

    def wake(self) -> None:
        """Let the waiting party look at what has gone wrong."""
        with self.lock:
            self._alarm = True
            self._changed.notify_all()


class Block:
    """Immutable bytes with a count of those who still need them."""

    __slots__ = ("_holders", "_window", "data", "digest")

    def __init__(self, window: Window, data: bytes, holders: int) -> None:
        self.data = data
        #: A digest of the block itself, if somebody computes one.
        self.digest: Known | None = None
        self._window = window
        self._holders = holders

    def drop(self) -> None:
        """Say that one holder is done with it."""
        with self._window.lock:
            self._holders -= 1
            if self._holders == 0:
                self._window._used -= len(self.data)
                self._window._changed.notify_all()


class Known:
    """The digest ``name`` of a block, which one thread finds out and others wait for; None if it was not found out.

    ``alive`` says whether somebody is still at it.
    """

    __slots__ = ("_alive", "_told", "_value", "name")

    def __init__(self, name: str, alive: Callable[[], bool]) -> None:
        self.name = name
        self._alive = alive
        self._told = threading.Event()
        self._value: str | None = None

    def tell(self, value: str | None) -> None:
        """Say what it is, or that nobody will know."""
        self._value = value
        self._told.set()

    def get(self) -> str | None:
        """Wait for it."""
        while not self._told.wait(_LOOK) and self._alive():
            pass
        return self._value
