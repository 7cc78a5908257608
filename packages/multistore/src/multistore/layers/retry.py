"""The retry layer: each call of a driver is repeated on its own, and a read goes on where it broke off."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from multistore.cancel import CANCELLED
from multistore.driver import Driver, PerProcess, Reader
from multistore.errors import Corrupt, InUse, NotFound, RateLimited, StoreError, TimedOut
from multistore.layers.base import LayerDriver, LayerReader, close_quietly
from multistore.model import Info

__all__ = ["Failure", "Policy", "RetryLayer"]

T = TypeVar("T")

#: Verbs that are asked once: ``check`` is to tell what is wrong now, closing has nothing to repeat.
_ONCE = frozenset({"check", "close", "item", "piece"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How often, how long, and by which clock; the names are those of ``StoreOptions``."""

    attempts: int = 5
    backoff: float = 0.5
    backoff_limit: float = 30.0
    patience: float = 300.0
    #: So many bytes are progress even if they came slowly.
    progress: float = 61440
    clock: Callable[[], float] = time.monotonic
    #: Waits for so many seconds; true if it was woken up because the store was closed.
    sleep: Callable[[float], bool] | None = None
    #: Gives a number between its two arguments.
    draw: Callable[[float, float], float] = random.uniform


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that failed and will be repeated after ``delay`` seconds."""

    verb: str
    attempt: int
    delay: float
    error: StoreError


class RetryLayer(LayerDriver):
    """Repeats calls that failed with an error that says it may pass: ``retryable``, and not ``final``.

    Pauses are drawn from 0 to a bound that doubles; what the server asks for in ``retry_after`` is waited for in any
    case, unless it is longer than ``patience``.
    No attempt begins once ``patience`` is over.
    The error that comes out is the last one, with the number of ``attempts``.
    InUse is not repeated: somebody else has to let go first, and whoever asked wants to know at once.
    Giving a transfer up ends its pauses, closing the driver those of single calls.
    """

    def __init__(
        self,
        inner: Driver,
        policy: Policy,
        on_retry: Callable[[Failure], None] | None = None,
    ) -> None:
        super().__init__(inner)
        self.policy = policy
        self.on_retry = on_retry
        self._closing = PerProcess(threading.Event)

    def around(
        self,
        verb: str,
        work: Callable[[], T],
        ref: str | None = None,
        undo: Callable[[T], None] | None = None,
    ) -> T:
        if verb in _ONCE:
            return work()
        try:
            return work()
        except StoreError as error:
            if not repeatable(error):
                raise
            attempts = Attempts(self, verb)
            attempts.failed(error)
        return attempts.again(work)

    def pause(self, seconds: float) -> bool:
        """Wait; true if the transfer was given up, or the store closed, meanwhile."""
        if self.policy.sleep is not None:
            return self.policy.sleep(seconds)
        return (CANCELLED.get() or self._closing.get()).wait(seconds)

    def delete(self, ref: str) -> None:
        lost = False

        def once() -> None:
            nonlocal lost
            try:
                self.inner.delete(ref)
            except NotFound:
                if not lost:
                    raise
            except StoreError as error:
                # Whoever asks for patience has done nothing; any other failure may have had its effect.
                lost = lost or (repeatable(error) and not isinstance(error, RateLimited))
                raise

        self.around("delete", once, ref)

    def reader(self, inner: Reader, ref: str) -> Reader:
        return RetryReader(self, inner, ref)

    def follow(self, verb: str, items: Iterator[T]) -> Iterator[T]:
        again: Callable[[], Iterator[T]] = getattr(self.inner, verb)
        return _restarting(self, verb, items, again)

    def close(self) -> None:
        closing = self._closing.drop()
        if closing is not None:
            closing.set()
        super().close()


def repeatable(error: StoreError) -> bool:
    """Say whether the same call may succeed if it is simply repeated."""
    return error.retryable and not error.final and not isinstance(error, InUse)


class Attempts:
    """The failures of one call so far."""

    def __init__(self, layer: RetryLayer, verb: str) -> None:
        self.layer = layer
        self.policy = layer.policy
        self.verb = verb
        self.reset()

    def reset(self) -> None:
        """Forget the failures: something was achieved in between."""
        self.count = 0
        self.since: float | None = None

    def failed(self, error: StoreError) -> None:
        """Wait until it is time for the next attempt, or raise ``error`` because there is none."""
        policy = self.policy
        now = policy.clock()
        if self.since is None:
            self.since = now
        self.count += 1
        error.attempts = self.count
        left = self.since + policy.patience - now
        if not repeatable(error) or self.count >= policy.attempts or left <= 0:
            raise error
        bound = min(policy.backoff * 2 ** min(self.count - 1, 60), policy.backoff_limit)
        delay = policy.draw(0.0, bound)
        if error.retry_after is not None:
            if error.retry_after > left:
                raise error
            delay += error.retry_after
        delay = min(delay, left)
        if self.layer.on_retry is not None:
            self.layer.on_retry(Failure(self.verb, self.count, delay, error))
        if self.layer.pause(delay):
            error.add_note("not tried again: it was given up")
            raise error

    def again(self, work: Callable[[], T]) -> T:
        """Repeat ``work`` until it succeeds or there is no next attempt."""
        while True:
            try:
                return work()
            except StoreError as error:
                if not repeatable(error):
                    error.attempts = self.count + 1
                    raise
                self.failed(error)


def _restarting(
    layer: RetryLayer, verb: str, items: Iterator[T], again: Callable[[], Iterator[T]]
) -> Iterator[T]:
    """Yield the items of a listing; it is asked for anew only if it broke before the first one."""
    attempts = Attempts(layer, verb)
    yielded = False
    while True:
        try:
            for item in items:
                yielded = True
                yield item
            return
        except StoreError as error:
            if yielded:
                raise  # asked anew, the first items would come twice
            attempts.failed(error)
        finally:
            close_quietly(items)
        items = attempts.again(lambda: iter(again()))


class RetryReader(LayerReader):
    """A reader whose streams go on where they broke off, as long as the object is the same."""

    layer: RetryLayer

    def __init__(self, layer: RetryLayer, inner: Reader, ref: str) -> None:
        super().__init__(layer, inner, ref)
        self.first: Info | None = None

    def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        chunks = self.request(offset, length)
        try:
            self.compare(self.info)
        except BaseException:
            close_quietly(chunks)
            raise
        return ResumedStream(self, chunks, offset, length)

    def compare(self, info: Info) -> None:
        """Corrupt if the object is another one than at first."""
        first = self.first
        if first is None:
            self.first = info
        elif info.version != first.version or (
            None not in (info.size, first.size) and info.size != first.size
        ):
            raise Corrupt("the object was changed while it was being read: read it again")


class ResumedStream:
    """The bytes of one read, over as many requests as it takes.

    After a failure the same Reader is asked for the rest; if it refuses that, the object is opened anew.
    An object without a version is not resumed in the middle: nothing would tell that it is still the same.
    The attempts count from the last progress on.
    """

    def __init__(
        self, reader: RetryReader, chunks: Iterator[bytes], offset: int, length: int | None
    ) -> None:
        self._reader = reader
        self._layer = reader.layer
        self._chunks = chunks
        self._at = offset
        self._end = None if length is None else offset + length
        self._fresh = 0
        self._own: Reader | None = None
        self._attempts: Attempts | None = None
        self._started = False

    def __iter__(self) -> ResumedStream:
        return self

    def __next__(self) -> bytes:
        while True:
            try:
                piece = next(self._chunks, None)
            except StoreError as error:
                if self._complete():
                    piece = None
                else:
                    self._resume(error)
                    continue
            if piece is None:
                self._release()
                raise StopIteration
            self._at += len(piece)
            self._fresh += len(piece)
            self._started = True
            return piece

    def _complete(self) -> bool:
        """Say whether nothing is missing but the end of the stream."""
        first = self._reader.first
        ends = (self._end, first.size if first is not None else None)
        return self._started and any(end is not None and self._at >= end for end in ends)

    def _resume(self, error: StoreError) -> None:
        attempts = self._attempts
        if attempts is None:
            attempts = self._attempts = Attempts(self._layer, "read")
        slow = isinstance(error, TimedOut) and self._fresh < self._layer.policy.progress
        if self._fresh and not slow:
            attempts.reset()
        self._fresh = 0
        close_quietly(self._chunks)
        first = self._reader.first
        if self._started and (first is None or first.version is None):
            error.add_note("not resumed: the store gives no version of the object to compare")
            raise error
        attempts.failed(error)
        try:
            self._chunks = self._request()
        except StoreError as trouble:
            if not repeatable(trouble):
                trouble.attempts = attempts.count + 1
                raise
            attempts.failed(trouble)
            self._chunks = attempts.again(self._reopen)

    def _request(self) -> Iterator[bytes]:
        reader = self._own or self._reader.inner
        length = None if self._end is None else self._end - self._at
        chunks = iter(reader.read(self._at, length))
        try:
            self._reader.compare(reader.info)
        except BaseException:
            close_quietly(chunks)
            raise
        return chunks

    def _reopen(self) -> Iterator[bytes]:
        self._drop_own()
        self._own = self._layer.inner.open(self._reader.ref)
        return self._request()

    def _release(self) -> None:
        close_quietly(self._chunks)
        self._drop_own()

    def _drop_own(self) -> None:
        own, self._own = self._own, None
        close_quietly(own)

    def close(self) -> None:
        """Release the request and whatever was opened for it."""
        self._release()
