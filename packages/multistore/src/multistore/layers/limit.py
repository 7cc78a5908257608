"""The limit layer: at most so many calls of a backend at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from multistore.driver import Driver, PerProcess
from multistore.errors import TimedOut
from multistore.layers.base import LayerDriver
from multistore.layers.workers import abandoned

__all__ = ["LimitLayer"]

T = TypeVar("T")


class LimitLayer(LayerDriver):
    """Lets ``calls`` calls into the driver at once; the others wait their turn.

    A stream takes a permit for each piece, not for as long as it is open: a slow consumer keeps nobody out, and as no
    call waits for another while it holds a permit, nothing can lock up.
    Closing needs no permit: it must never wait.
    Each process counts for itself.
    """

    def __init__(self, inner: Driver, *, calls: int) -> None:
        super().__init__(inner)
        if calls < 1:
            raise ValueError("max_calls counts from 1")
        self._permits = PerProcess(lambda: threading.BoundedSemaphore(calls))

    def around(
        self,
        verb: str,
        work: Callable[[], T],
        ref: str | None = None,
        undo: Callable[[T], None] | None = None,
    ) -> T:
        if verb == "close":
            return work()
        with self._permits.get():
            if abandoned():
                # It waited for its permit until nobody waited for it: it must not start now.
                raise TimedOut("given up while waiting for a permit")
            return work()
