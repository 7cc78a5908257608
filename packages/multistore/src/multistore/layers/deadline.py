"""The deadline layer: calls that hang are left alone, and reads that only drip are given up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from multistore.driver import Driver, PerProcess, Reader, Upload
from multistore.errors import TimedOut, Unavailable
from multistore.layers.base import (
    LayerDriver,
    LayerReader,
    LayerStream,
    LayerUpload,
    abort_quietly,
    close_quietly,
)
from multistore.layers.workers import Workers

__all__ = ["DeadlineLayer"]

T = TypeVar("T")

#: How many calls of one store may hang before others are refused.
STUCK = 16


class DeadlineLayer(LayerDriver):
    """Ends every wait.

    With ``seconds``, each call runs in a thread and is left alone after that time: TimedOut.
    Whatever such a call gives in the end, its own thread takes back: an upload is aborted, a reader closed.
    An upload or reader that hangs gets no other call meanwhile, for a driver that is left in the middle of one must
    not have its handles closed under it.
    With ``rate``, in bytes per second, a read that brings less than that over ``window`` seconds of waiting for the
    driver is TimedOut; the time that the consumer takes does not count.
    """

    def __init__(
        self,
        inner: Driver,
        *,
        seconds: float | None,
        rate: float = 0,
        window: float = 60.0,
        stuck: int = STUCK,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(inner)
        self.seconds = seconds
        self.rate = rate
        self.window = window
        self.clock = clock
        self.workers = PerProcess(lambda: Workers(stuck=stuck))

    def around(
        self,
        verb: str,
        work: Callable[[], T],
        ref: str | None = None,
        undo: Callable[[T], None] | None = None,
    ) -> T:
        return self.bounded(verb, work, undo)

    def bounded(
        self,
        verb: str,
        work: Callable[[], T],
        undo: Callable[[T], None] | None = None,
        held: Held | None = None,
    ) -> T:
        """Do one call, of one reader or upload perhaps, within the time limit."""
        if self.seconds is None:
            return work()
        return self.workers.get().run(
            work,
            self.seconds,
            what=f"the call {verb!r}",
            undo=undo,
            on_stuck=held.stuck if held else None,
            on_late=held.late if held else None,
        )

    def upload(self, inner: Upload, name: str) -> Upload:
        return inner if self.seconds is None else DeadlineUpload(self, inner, name)

    def reader(self, inner: Reader, ref: str) -> Reader:
        return DeadlineReader(self, inner, ref)

    def follow(self, verb: str, items: Iterator[T]) -> Iterator[T]:
        return items if self.seconds is None else DeadlineStream(self, "item", items)

    def close(self) -> None:
        try:
            super().close()
        finally:
            workers = self.workers.drop()
            if workers is not None:
                workers.close()


class Held:
    """One upload, reader or iterator, and how many of its calls were left alone.

    What hangs in the stream of a reader hangs in the reader, its ``owner``, too.
    """

    def __init__(self, owner: Held | None = None) -> None:
        self._owner = owner
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._stuck = 0
        self._afterwards: list[Callable[[], None]] = []

    def stuck(self) -> None:
        """One more call hangs."""
        with self._lock:
            self._stuck += 1
        if self._owner is not None:
            self._owner.stuck()

    def late(self) -> None:
        """A call that hung has ended; the last one does what was put off."""
        with self._lock:
            self._stuck -= 1
            ready = [] if self._stuck else self._afterwards
            if ready:
                self._afterwards = []
            self._changed.notify_all()
        for each in ready:
            each()
        if self._owner is not None:
            self._owner.late()

    def wait(self, seconds: float) -> None:
        """Wait until no call hangs; TimedOut if that takes longer."""
        with self._lock:
            if not self._changed.wait_for(lambda: not self._stuck, seconds):
                raise TimedOut("an earlier call of the same transfer still hangs", seconds=seconds)

    def put_off(self, work: Callable[[], None]) -> bool:
        """Have ``work`` done by the last call that hangs; False if none does."""
        with self._lock:
            if self._stuck:
                self._afterwards.append(work)
            return bool(self._stuck)


class DeadlineUpload(LayerUpload):
    """An upload whose calls may hang."""

    layer: DeadlineLayer

    def __init__(self, layer: DeadlineLayer, inner: Upload, name: str) -> None:
        super().__init__(layer, inner, name)
        self.held = Held()

    def around(self, verb: str, work: Callable[[], T]) -> T:
        self.held.wait(self.layer.seconds or 0)
        return self.layer.bounded(verb, work, held=self.held)

    def abort(self) -> None:
        """Abort now, or, while a part hangs, as soon as it does not: its handles must not go away under it."""
        if self.held.put_off(lambda: abort_quietly(self.inner)):
            error = Unavailable("a part hangs: the upload is removed once it has come back")
            error.final = True
            raise error
        self.layer.bounded("abort", self.inner.abort, held=self.held)


class DeadlineReader(LayerReader):
    """A reader whose calls may hang, or drip."""

    layer: DeadlineLayer

    def __init__(self, layer: DeadlineLayer, inner: Reader, ref: str) -> None:
        super().__init__(layer, inner, ref)
        self.held = Held()

    def around(
        self, verb: str, work: Callable[[], T], undo: Callable[[T], None] | None = None
    ) -> T:
        self.held.wait(0)
        return self.layer.bounded(verb, work, undo, self.held)

    def pieces(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        layer = self.layer
        if layer.seconds is not None:
            chunks = DeadlineStream(layer, "piece", chunks, self.held)
        return RatedStream(layer, chunks) if layer.rate > 0 else chunks

    def close(self) -> None:
        if not self.held.put_off(lambda: close_quietly(self.inner)):
            self.layer.bounded("close", self.inner.close, held=self.held)


class DeadlineStream(LayerStream[T]):
    """An iterator whose steps may hang."""

    layer: DeadlineLayer

    def __init__(
        self, layer: DeadlineLayer, verb: str, items: Iterator[T], owner: Held | None = None
    ) -> None:
        super().__init__(layer, verb, items)
        self.held = Held(owner)

    def __next__(self) -> T:
        self.held.wait(0)
        item = self.layer.bounded(self.verb, self._step, held=self.held)
        if item is None:
            raise StopIteration
        return item

    def close(self) -> None:
        """Close the iterator now, or once the step that hangs has come back."""
        if not self.held.put_off(lambda: close_quietly(self.items)):
            self.layer.bounded("close", lambda: close_quietly(self.items), held=self.held)


class RatedStream:
    """Pieces of a read, as long as they come fast enough."""

    def __init__(self, layer: DeadlineLayer, chunks: Iterator[bytes]) -> None:
        self._layer = layer
        self._chunks = chunks
        self._waited = 0.0
        self._got = 0

    def __iter__(self) -> RatedStream:
        return self

    def __next__(self) -> bytes:
        layer = self._layer
        started = layer.clock()
        piece = next(self._chunks)
        self._waited += layer.clock() - started
        self._got += len(piece)
        if self._waited >= layer.window:
            if self._got < layer.rate * self._waited:
                raise TimedOut(
                    f"only {self._got} bytes came in {self._waited:.0f} s: less than {layer.rate:g} a second",
                    seconds=self._waited,
                )
            self._waited, self._got = 0.0, 0
        return piece

    def close(self) -> None:
        """Close the stream below."""
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()
