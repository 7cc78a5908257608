"""What ``get`` gives out: images that are open for reading, as iterables of bytes.

The request was made, and the file opened, before any of these exists; what goes wrong later is ``RemoteServiceUnavailable``.
Whoever drops one without reading it to its end releases what it holds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

from multistore.errors import StoreError

__all__ = ["ChunkedFile", "ImageStream", "Indexable", "IndexableStream"]


class Indexable:
    """An iterator that can also be sliced from the front, for clients that index instead of iterating.

    ``another`` gives the next chunk and is left to subclasses.
    ``chunk`` is the last one, ``cursor`` the number of bytes given out so far.
    """

    def __init__(self, wrapped: Any, size: Any) -> None:
        self.wrapped = wrapped
        self.size = int(size or getattr(wrapped, "len", None) or 0)
        self.cursor = 0
        self.chunk: Any = b""

    def __iter__(self) -> Iterator[Any]:
        for chunk in self.wrapped:
            self.chunk = chunk
            self.cursor += len(chunk)
            yield chunk

    def __getitem__(self, index: int | slice) -> Any:
        """Give what follows a position: the rest of the chunk that it is in, up to the slice's end; empty at the end.

        IndexError for a position whose chunk is gone.
        """
        start, stop = (index.start or 0, index.stop) if isinstance(index, slice) else (index, None)
        begin = self.cursor - len(self.chunk)
        if start < begin:
            raise IndexError(f"the data before {begin} is gone: a position is read once")
        while start >= self.cursor:
            begin = self.cursor
            chunk = self.another()
            if not chunk:
                return chunk
            self.chunk = chunk
            self.cursor += len(chunk)
        return self.chunk[start - begin : None if stop is None else max(0, stop - begin)]

    def __len__(self) -> int:
        return self.size

    def another(self) -> Any:
        """Give the next chunk, or something empty at the end."""
        raise NotImplementedError

    def getvalue(self) -> Any:
        """Give what ``getvalue`` of the wrapped object gives."""
        return self.wrapped.getvalue()


class ImageStream:
    """The pieces of an image that is open for reading; they can be iterated over once.

    ``pieces`` is what the core gives, ``release`` closes it, ``translate`` makes the exception of an error.
    ``limit`` is the size of the largest piece given out.
    ``keep`` is held as long as this lives: the store that the image is in.
    """

    def __init__(
        self,
        pieces: Iterator[bytes],
        *,
        release: Callable[[], None],
        translate: Callable[[StoreError], Exception],
        limit: int | None = None,
        keep: object = None,
    ) -> None:
        self._pieces: Iterator[bytes] | None = pieces if limit is None else _cut(pieces, limit)
        self._release: Callable[[], None] | None = release
        self._translate = translate
        self._running: Iterator[bytes] | None = None
        self._keep = keep

    def __iter__(self) -> Iterator[bytes]:
        pieces, self._pieces = self._pieces, None
        if pieces is None:
            raise ValueError("the data of an image can be iterated over once: get it again")
        self._running = pieces
        return self._run(pieces)

    def _run(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from pieces
        except StoreError as error:
            raise self._translate(error) from error
        finally:
            self.close()

    def close(self) -> None:
        """Release what is held; idempotent. An iteration under way ends."""
        release, self._release = self._release, None
        if release is None:
            return
        pieces = self._running or self._pieces
        self._pieces = None
        try:
            with contextlib.suppress(
                ValueError
            ):  # it is just being iterated over, by another thread
                _close(pieces)
        finally:
            with contextlib.suppress(StoreError):  # everything was read already, or is not wanted
                release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_release", None) is not None:
            with contextlib.suppress(Exception):
                self.close()


class ChunkedFile(ImageStream):
    """The pieces of an image file, with the attributes that the interface gives them."""

    def __init__(
        self,
        pieces: Iterator[bytes],
        *,
        filepath: str,
        chunk_size: int,
        partial_length: int | None,
        **held: Any,
    ) -> None:
        super().__init__(pieces, **held)
        self.filepath = filepath
        self.chunk_size = chunk_size
        self.partial_length = partial_length
        self.partial = partial_length is not None

    @property
    def fp(self) -> object:
        """Whatever is open; None once it is closed."""
        return self if self._release is not None else None


class IndexableStream(Indexable):
    """An image from a server: iterated over, or sliced from the front."""

    def __init__(self, stream: ImageStream, size: int) -> None:
        super().__init__(stream, size)
        self._chunks: Iterator[bytes] | None = None

    def another(self) -> bytes:
        """Give the next chunk, ``b""`` at the end."""
        if self._chunks is None:
            self._chunks = iter(self.wrapped)
        return next(self._chunks, b"")

    def close(self) -> None:
        """Release the connection; idempotent."""
        self.wrapped.close()

    def __bool__(self) -> bool:
        return True  # an image of unknown length is an image

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _cut(pieces: Iterator[bytes], limit: int) -> Iterator[bytes]:
    """Cut pieces that are larger than ``limit``."""
    try:
        for piece in pieces:
            if len(piece) <= limit:
                yield piece
            else:
                for at in range(0, len(piece), limit):
                    yield piece[at : at + limit]
    finally:
        _close(pieces)


def _close(pieces: object) -> None:
    close = getattr(pieces, "close", None)
    if close is not None:
        close()
