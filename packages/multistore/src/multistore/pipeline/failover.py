"""One image read from several stores: when one breaks, the next goes on at the same offset."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from multistore.driver import Driver
from multistore.errors import Corrupt, NotFound, StoreError, Unavailable
from multistore.model import Info
from multistore.pipeline.download import closable
from multistore.pipeline.image import ReaderStream

__all__ = ["Copy", "FailoverStream"]


@dataclass(frozen=True, slots=True)
class Copy:
    """Where one copy of an image is."""

    store: str
    ref: str
    driver: Driver


class FailoverStream:
    """The bytes of whichever copy answers, in the given order.

    A copy that failed once, or whose size is not that of the others, is not asked again.
    """

    def __init__(self, copies: Sequence[Copy], size: int | None) -> None:
        self.what = copies[0].driver.redact(copies[0].ref)
        self.stores: tuple[str, ...] = ()
        self._size = size
        self._left = deque(copies)
        self._open: ReaderStream | None = None
        self._failures: list[StoreError] = []

    @property
    def info(self) -> Info:
        while True:
            stream = self._current()
            try:
                return self._checked(stream)
            except StoreError as error:
                self._give_up(error)

    def chunks(self, offset: int, length: int | None) -> Iterator[bytes]:
        """Start reading now; the pieces may come from more than one store."""
        return self._follow(self._start(offset, length), offset, length)

    def _follow(
        self, chunks: Iterator[bytes], offset: int, length: int | None
    ) -> Generator[bytes, None, None]:
        end = None if length is None else offset + length
        if self._size is not None:
            end = self._size if end is None else min(end, self._size)
        while True:
            try:
                with closable(chunks):
                    for chunk in chunks:
                        self._came_from_here()
                        offset += len(chunk)
                        yield chunk
                if self._size is not None and end is not None and offset < end:
                    raise Unavailable(f"{self.what} broke off after {offset} of {self._size} bytes")
                self._came_from_here()
                return
            except StoreError as error:
                self._give_up(error)
            if offset == end:
                return
            chunks = self._start(offset, None if end is None else end - offset)

    def _start(self, offset: int, length: int | None) -> Iterator[bytes]:
        """Make the request to the first copy that takes it."""
        while True:
            stream = self._current()
            try:
                chunks = stream.chunks(offset, length)
                self._checked(stream)
            except StoreError as error:
                self._give_up(error)
            else:
                return chunks

    def _checked(self, stream: ReaderStream) -> Info:
        info = stream.info
        if info.size is not None:
            if self._size is None:
                self._size = info.size
            elif self._size != info.size:
                raise Corrupt(f"{self.what} has {info.size} bytes where {self._size} were expected")
        return info

    def _current(self) -> ReaderStream:
        while self._open is None:
            if not self._left:
                raise self._error()
            copy = self._left[0]
            try:
                reader = copy.driver.open(copy.ref)
            except StoreError as error:
                self._give_up(error)
            else:
                parallel = copy.driver.capabilities.parallel_reads
                self._open = ReaderStream(reader, copy.store, parallel)
                self.what = copy.driver.redact(copy.ref)
        return self._open

    def _give_up(self, error: StoreError) -> None:
        """Leave the current copy for good; with no other left, that is the end."""
        copy = self._left.popleft()
        error.stamp(store=copy.store, verb="get", ref=copy.driver.redact(copy.ref))
        self._failures.append(error)
        self.close()
        if not self._left:
            raise self._error()

    def _error(self) -> StoreError:
        """Give what went wrong first, but for a copy that is simply not there, with notes on the rest."""
        telling = [each for each in self._failures if not isinstance(each, NotFound)]
        error = (telling or self._failures)[0]
        for other in self._failures:
            if other is not error:
                error.add_note(f"and {type(other).__name__}: {other}")
        return error

    def _came_from_here(self) -> None:
        store = self._left[0].store
        if store not in self.stores:
            self.stores = (*self.stores, store)

    def close(self) -> None:
        """Release the copy that is open; idempotent."""
        stream, self._open = self._open, None
        if stream is not None:
            stream.close()
