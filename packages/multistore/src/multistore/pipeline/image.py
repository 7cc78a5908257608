"""An image held open for reading, from one store or from whichever store of several answers."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from multistore.driver import Reader
from multistore.errors import StoreError
from multistore.model import Info
from multistore.pipeline.digests import Digester, FusedDigester, digesters, normalise_expected
from multistore.pipeline.download import counted, same_size, verified
from multistore.pipeline.prefetch import RANGE, prefetched

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from _typeshed import WriteableBuffer

__all__ = ["Image", "ReaderStream", "Stream"]


class Stream(Protocol):
    """Where an Image gets its bytes."""

    @property
    def info(self) -> Info: ...

    @property
    def stores(self) -> tuple[str, ...]:
        """The stores that bytes came from so far, in order."""

    def chunks(self, offset: int, length: int | None) -> Iterator[bytes]: ...

    def close(self) -> None: ...


class ReaderStream:
    """The bytes of one store's Reader, read ahead where the store asks for it."""

    def __init__(self, reader: Reader, store: str, parallel: int) -> None:
        self._reader = reader
        self._parallel = parallel
        self.stores = (store,)

    @property
    def info(self) -> Info:
        return self._reader.info

    def chunks(self, offset: int, length: int | None) -> Iterator[bytes]:
        if self._parallel > 1:
            size = self.info.size
            if size is not None:
                rest = max(0, size - offset)
                length = rest if length is None else min(length, rest)
            if length is not None and length > RANGE:
                return prefetched(self._reader, offset, length, self._parallel)
        return self._reader.read(offset, length)

    def close(self) -> None:
        self._reader.close()


class Image:
    """One stored image, open for reading.

    Iterating gives all bytes; with expected digests, the last piece comes only once they were found right, and wrong bytes end in
    ``Corrupt``.  ``read`` gives any range, ``file`` a seekable file object: neither can be compared with
    the digest of a whole image, so they are checked for length alone.
    """

    def __init__(
        self,
        stream: Stream,
        *,
        size: int | None,
        expect: Mapping[str, str] | None,
        what: str,
        fused: bool = True,
    ) -> None:
        self._stream = stream
        self._size = size
        self._what = what
        self._fused = fused
        self.expect = normalise_expected(expect)

    @property
    def info(self) -> Info:
        """What the store says of the image."""
        return self._stream.info

    @property
    def size(self) -> int | None:
        """The number of bytes, if the caller or the store knows it."""
        info = self._stream.info
        try:
            return same_size(info, self._size, self._what)
        except StoreError as error:
            self._stamp(error)
            raise

    @property
    def stores(self) -> tuple[str, ...]:
        """The stores that bytes came from so far, in order."""
        return self._stream.stores

    def __iter__(self) -> Iterator[bytes]:
        return self.read()

    def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from ``offset`` on, ``length`` of them or up to the end; past the end nothing."""
        if offset < 0 or (length is not None and length < 0):
            raise ValueError("offset and length count from 0")
        if offset == 0 and length is None:
            return self._whole()
        return self._range(offset, length)

    def digested(self, sums: Sequence[Digester | FusedDigester]) -> Iterator[bytes]:
        """Yield all bytes while ``sums`` see them; nothing is compared, and a wrong length is no error."""
        return verified(self._stream.chunks(0, None), sums, {}, self._what)

    def _whole(self) -> Iterator[bytes]:
        chunks = self._stream.chunks(0, None)
        # The size is asked for after the request is under way: it came with the answer.
        chunks = counted(chunks, self.size, self._what)
        if self.expect:  # otherwise no piece has to be held back
            chunks = verified(
                chunks, digesters(self.expect, fused=self._fused), self.expect, self._what
            )
        return self._named(chunks)

    def _named(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Name the stores in an error that was found here."""
        try:
            yield from chunks
        except StoreError as error:
            self._stamp(error)
            raise

    def _stamp(self, error: StoreError) -> None:
        error.stamp(store=", ".join(self.stores), verb="get", ref=self._what)

    def _range(self, offset: int, length: int | None) -> Iterator[bytes]:
        if length == 0:
            return iter(())
        chunks = self._stream.chunks(offset, length)
        expected = length
        if (size := self.size) is not None:
            rest = max(0, size - offset)
            expected = rest if length is None else min(length, rest)
        elif length is not None:
            expected = None  # it may end earlier
        return self._named(counted(chunks, expected, self._what))

    def file(self) -> io.BufferedReader:
        """Give a seekable binary file object; closing it closes the image."""
        return io.BufferedReader(_ImageFile(self), 1 << 20)

    def close(self) -> None:
        """Release the connection; idempotent."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _ImageFile(io.RawIOBase):
    """Reads on in one stream while reads follow each other, and asks anew after a seek."""

    def __init__(self, image: Image) -> None:
        self._image = image
        self._at = 0
        self._chunks: Iterator[bytes] | None = None
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            size = self._image.size
            if size is None:
                raise io.UnsupportedOperation("the store does not know where the end is")
            offset += size
        elif whence == io.SEEK_CUR:
            offset += self._at
        if offset < 0:
            raise ValueError(f"negative position {offset}")
        if offset != self._at:
            self._drop()
            self._at = offset
        return offset

    def readinto(self, buffer: WriteableBuffer) -> int:
        if not self._left:
            if self._chunks is None:
                self._chunks = self._image.read(self._at) if self._at else self._image.read(0, None)
            self._left = memoryview(next(self._chunks, b""))
        view = memoryview(buffer).cast("B")
        count = min(len(view), len(self._left))
        view[:count] = self._left[:count]
        self._left = self._left[count:]
        self._at += count
        return count

    def _drop(self) -> None:
        self._left = memoryview(b"")
        chunks, self._chunks = self._chunks, None
        close = getattr(chunks, "close", None)
        if close is not None:
            close()

    def close(self) -> None:
        if not self.closed:
            self._drop()
            self._image.close()
        super().close()
