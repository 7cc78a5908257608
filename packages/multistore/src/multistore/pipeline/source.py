"""A source of bytes, whatever it is: a path, an object with ``read``, an iterable of bytes, or bytes.

It is read by the caller's thread only, never past its declared size (but for one read that finds
out whether there is more), and its own exceptions pass through unchanged.
"""

from __future__ import annotations

import io
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeAlias

from multistore.errors import SizeMismatch

__all__ = ["Readable", "Source", "SourceReader"]

#: The most asked of a source at once, in bytes: sources exist that refuse more.
READ_SIZE = 8 << 20
#: A file is read without joining pieces, so a larger read saves a copy.
_FILE_READ_SIZE = 64 << 20


class Readable(Protocol):
    """Anything with ``read(n)``; fewer bytes than asked are fine, none is the end."""

    def read(self, size: int, /) -> bytes: ...


Source: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | Readable | Iterable[bytes]"
)


class SourceReader:
    """Gathers a source into blocks of the sizes the pipeline asks for, guarding its size after every read."""

    def __init__(self, source: Source, size: int | None, read_size: int | None) -> None:
        if read_size is not None and read_size < 1:
            raise ValueError("read_size must be at least 1 byte")
        self.size = size
        self.total = 0
        self.ended = False
        self.seconds = 0.0
        #: What the source itself raised, if it did.
        self.error: BaseException | None = None
        self._source = source
        self._read_size = read_size
        self._left = memoryview(b"")
        self._pieces: Iterator[object] = iter(())
        self._file: io.FileIO | None = None
        self._read: Callable[[int], object] = _nothing

    def open(self) -> None:
        """Make ready to read; a path is opened, and its size known, here."""
        if self.size is not None and self.size < 0:
            raise SizeMismatch(f"a size of {self.size} bytes was declared", expected=self.size)
        source = self._source
        if isinstance(source, str | os.PathLike):
            self._file = open(source, "rb", buffering=0)  # noqa: SIM115 - close() closes it
            status = os.fstat(self._file.fileno())
            if stat.S_ISREG(status.st_mode) and self.size is None:
                self.size = status.st_size
            self._read_size = self._read_size or _FILE_READ_SIZE
            self._read = self._file.read
        elif isinstance(source, bytes | bytearray | memoryview):
            view = memoryview(source)
            self._left = view.cast("B") if view.c_contiguous else memoryview(bytes(view))
            if self.size is None:
                self.size = len(self._left)
        elif hasattr(source, "read"):
            self._read = source.read
        else:
            self._pieces = iter(source)
            self._read = self._next_piece

    def fill(self, wanted: int) -> bytes:
        """Give exactly ``wanted`` bytes, fewer only at the end; SizeMismatch if that is not where it was declared."""
        if self.size is not None:
            wanted = min(wanted, self.size - self.total)
        first = self._piece(wanted) if wanted else b""
        pieces = [first]
        got = len(first)
        while got < wanted and pieces[-1]:
            pieces.append(self._piece(wanted - got))
            got += len(pieces[-1])
        self.total += got
        self._guard(short=got < wanted)
        return first if got == len(first) else b"".join(pieces)

    def _guard(self, *, short: bool) -> None:
        """Compare with the declared size; ``short`` says that the source has ended."""
        if short:
            self.ended = True
            if self.size is not None:
                raise SizeMismatch(expected=self.size, actual=self.total)
        elif self.total == self.size and not self.ended:
            self.ended = True
            if extra := len(self._piece(1)) + len(self._left):
                raise SizeMismatch(expected=self.size, actual=self.total + extra, exceeds=True)

    def _piece(self, wanted: int) -> bytes:
        """Give up to ``wanted`` bytes; what a source gave beyond that is kept for the next call."""
        if not self._left:
            started = time.monotonic()
            try:
                piece = _as_bytes(self._read(min(wanted, self._read_size or READ_SIZE)))
            except BaseException as error:
                self.error = error
                raise
            self.seconds += time.monotonic() - started
            if len(piece) <= wanted:
                return piece
            self._left = memoryview(piece)
        piece = bytes(self._left[:wanted])
        self._left = self._left[wanted:]
        return piece

    def _next_piece(self, _: int) -> bytes:
        """Give an iterable's next piece that is not empty: only its end is the end."""
        return next(filter(None, map(_as_bytes, self._pieces)), b"")

    def close(self) -> None:
        """Close what was opened here; a source that came open stays open."""
        if self._file is not None:
            self._file.close()


def _nothing(_: int) -> bytes:
    return b""


def _as_bytes(piece: object) -> bytes:
    if isinstance(piece, bytes):
        return piece
    if isinstance(piece, bytearray | memoryview):
        return bytes(piece)
    raise TypeError(f"the source gave {type(piece).__name__} instead of bytes")
