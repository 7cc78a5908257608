"""Reading ahead: several ranges of one Reader at once, handed out in order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

from multistore.cancel import Cancellation
from multistore.driver import Reader
from multistore.errors import Corrupt
from multistore.pipeline.memory import keep_freed_memory

__all__ = ["RANGE", "prefetched"]

#: How much one request reads, in bytes.
RANGE = 8 << 20


def prefetched(
    reader: Reader, offset: int, length: int, parallel: int, size: int = RANGE
) -> Iterator[bytes]:
    """Yield ``length`` bytes from ``offset`` on, with up to ``parallel`` ranges of ``size`` bytes under way.

    Memory: at most ``parallel + 1`` ranges.
    An error comes out at the place in the stream where it happened; what lies before it is delivered.
    Closing the iterator waits for the requests under way.
    """
    keep_freed_memory()
    ranges = ((at, min(size, offset + length - at)) for at in range(offset, offset + length, size))
    waiting: deque[_Range] = deque()
    try:
        for at, count in ranges:
            waiting.append(_Range(reader, at, count))
            waiting[-1].start()
            if len(waiting) >= parallel:
                yield from waiting[0].take()
                waiting.popleft()
        while waiting:
            yield from waiting[0].take()
            waiting.popleft()
    finally:  # whatever struck, and wherever: each range that may have a thread is still among these
        for left in waiting:
            left.cancel()


class _Range:
    """One range on its way; where no thread can be started it is read when it is taken."""

    def __init__(self, reader: Reader, offset: int, length: int) -> None:
        self._request = (offset, length)
        self._reader = reader
        self._chunks: list[bytes] = []
        self._error: BaseException | None = None
        self._cancelled = False
        self._cancellation = Cancellation()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Read in a thread from now on."""
        run = self._cancellation.context().run
        self._thread = threading.Thread(
            target=run, args=(self._read,), name="multistore-prefetch", daemon=True
        )
        try:
            self._thread.start()
        except RuntimeError:
            self._thread = None

    def _read(self) -> None:
        try:
            for chunk in self._reader.read(*self._request):
                self._chunks.append(chunk)
                if self._cancelled:
                    return
        except BaseException as error:
            self._error = error

    def take(self) -> Iterator[bytes]:
        """Yield what came, then raise what went wrong."""
        if self._thread is None:
            self._read()
        else:
            self._thread.join()
        wanted = self._request[1]
        came = sum(map(len, self._chunks))
        if came <= wanted:
            yield from self._chunks
        if self._error is not None:
            raise self._error
        if came != wanted:
            # Whatever became of the thread: going on would splice two places together.
            raise Corrupt(f"a range of {wanted} bytes came with {came}")

    def cancel(self) -> None:
        """Stop after the piece that is being received."""
        self._cancelled = True
        self._cancellation.cancel()
        if self._thread is not None and self._thread.ident is not None:
            self._thread.join()
