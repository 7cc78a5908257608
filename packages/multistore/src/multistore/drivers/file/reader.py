"""Reading an image file."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator

from multistore.driver import Reader
from multistore.drivers.file.descriptor import Descriptor
from multistore.drivers.file.errors import translating
from multistore.errors import InvalidRef, Unavailable
from multistore.model import Info

__all__ = ["PIECE", "FileReader", "info_of", "open_file"]

#: How many bytes are read at once unless the settings say otherwise.
PIECE = 1 << 20

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def info_of(ref: str, name: str, status: os.stat_result) -> Info:
    """Describe a file; its version changes with its inode, its length and its change time."""
    version = f"{status.st_ino}-{status.st_ctime_ns}-{status.st_size}"
    return Info(ref, status.st_size, version, name, status.st_mtime)


def open_file(folder: int, name: str, ref: str) -> tuple[int, os.stat_result]:
    """Open a regular file for reading, following nothing and waiting for nobody."""
    number = os.open(name, _READ, dir_fd=folder)
    try:
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode):
            raise InvalidRef(f"{ref} is no regular file", why="no regular file")
        return number, status
    except BaseException:
        os.close(number)
        raise


class FileReader(Reader):
    """Holds the file open: it stays readable, and itself, when its name is removed or used again."""

    def __init__(
        self, file: Descriptor, info: Info, size: int, *, sparse: bool, piece: int = PIECE
    ) -> None:
        self._file = file
        self._info = info
        self._size = size
        self._sparse = sparse
        self._piece = piece

    @property
    def info(self) -> Info:
        return self._info

    @property
    def number(self) -> int:
        """The open descriptor."""
        return self._file.number

    def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        end = self._size if length is None else min(self._size, offset + length)
        if end - offset > self._piece:
            with translating(self._info.ref):
                os.posix_fadvise(self._file.number, offset, end - offset, os.POSIX_FADV_SEQUENTIAL)
        return self._with_holes(offset, end) if self._sparse else self._data(offset, end)

    def _data(self, at: int, end: int) -> Iterator[bytes]:
        file, piece = self._file, self._piece
        with translating(self._info.ref):  # around the loop: small pieces are many
            while at < end:
                left = end - at
                data = os.pread(file.number, min(left, piece), at)
                if not data:
                    raise Unavailable(
                        f"{self._info.ref} was cut short while it was read: it ends at byte {at},"
                        f" and had {self._size}"
                    )
                yield data
                at += len(data)

    def _with_holes(self, at: int, end: int) -> Iterator[bytes]:
        """Yield zeros for holes without reading them."""
        zeros = bytes(min(self._piece, end - at) if at < end else 0)
        while at < end:
            with translating(self._info.ref):
                start, stop = _next_data(self._file.number, at, end)
            while at < start:
                hole = min(len(zeros), start - at)
                yield zeros if hole == len(zeros) else zeros[:hole]
                at += hole
            yield from self._data(at, stop)
            at = stop

    def close(self) -> None:
        with translating(self._info.ref):
            self._file.close()


def _next_data(file: int, at: int, end: int) -> tuple[int, int]:
    """Find the next run of data before ``end``, all of it where that cannot be told; ``(end, end)`` if only a hole is left."""
    try:
        start = os.lseek(file, at, os.SEEK_DATA)
        return min(start, end), min(os.lseek(file, start, os.SEEK_HOLE), end)
    except OSError as error:
        if error.errno == errno.ENXIO and os.fstat(file).st_size >= end:
            return end, end
        if error.errno in (errno.ENXIO, errno.EINVAL):  # cut short, or no such question
            return at, end
        raise
