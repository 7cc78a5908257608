"""Reading an image, with proof after each piece that it was still there."""

from __future__ import annotations

from collections.abc import Iterator

from multistore.driver import Reader
from multistore.drivers.rbd.images import OpenImage
from multistore.errors import NotFound, Unavailable
from multistore.model import Info

__all__ = ["RbdReader"]

#: How much is read at once: more gains nothing with several ranges at once, and costs its size in memory three times.
_SMALLEST, _LARGEST = 1 << 20, 2 << 20


class RbdReader(Reader):
    """Reads an image at its snapshot.

    A reader puts no watch on an image and so does not keep it from being deleted, and objects that are gone read as
    zeros.
    A snapshot disappears from the header before the first object does, so what was read before a look that still
    finds it is right.
    """

    def __init__(self, image: OpenImage, info: Info, image_id: str, snapshot: int | None) -> None:
        self._image = image
        self._info = info
        self._id = image_id
        self._snapshot = snapshot
        self._size = info.size or 0
        with image.connection.guard(info.ref):
            object_size = int(image.raw.stat()["obj_size"]) if self._size else _SMALLEST
        self._piece = min(max(object_size, _SMALLEST), _LARGEST)

    @property
    def info(self) -> Info:
        return self._info

    @property
    def image(self) -> OpenImage:
        """The open image."""
        return self._image

    def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        end = self._size if length is None else min(self._size, offset + length)
        return self._pieces(offset, end)

    def _pieces(self, at: int, end: int) -> Iterator[bytes]:
        while at < end:
            # Up to the next object's end, so that one request asks one object.
            wanted = min(self._piece - at % self._piece, end - at)
            with self._image.connection.guard(self._info.ref, self._image.pool):
                data = self._image.raw.read(at, wanted)
            if len(data) != wanted:
                raise Unavailable(
                    f"{self._info.ref}: {len(data)} bytes came where {wanted} were asked for"
                )
            self.verify()
            yield data
            at += wanted

    def verify(self) -> None:
        """Make sure that the image is still there: NotFound if it is not."""
        pool = self._image.pool
        if self._snapshot is None:
            there = pool.image_id(self._info.name or "") == self._id
        else:
            there = self._snapshot in (pool.snapshots(self._id) or ())
        if not there:
            raise NotFound(f"{self._info.ref} was deleted while it was read")

    def close(self) -> None:
        self._image.close()
