"""The bytes of an attached volume: a device or file with a path, or Ceph's handle, which has neither."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import Any, Protocol

from multistore.drivers.cinder.errors import guard
from multistore.errors import Unavailable

__all__ = ["Device", "HandleDevice", "PathDevice"]

#: Every handle that is open, so that none is ever closed by the garbage collector, least of all in a forked child, where
#: the library's threads are missing and closing hangs.
_OPEN: set[Any] = set()


class Device(Protocol):
    """An attached volume, for several threads at once."""

    #: A volume that was just made reads as zeros.
    zeroed: bool

    def size(self) -> int:
        """Give its size in bytes, as it is now."""

    def read(self, offset: int, length: int) -> bytes:
        """Read so many bytes; Unavailable if there are fewer."""

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Write all of it."""

    def flush(self) -> None:
        """Make what was written durable; an error may be told once only."""

    def close(self) -> None:
        """Close it; idempotent."""


class PathDevice:
    """A block device, or a file on a mounted share; never truncated."""

    def __init__(self, path: str, what: str, *, writing: bool, zeroed: bool = False) -> None:
        self.zeroed = zeroed
        self._what = what
        with guard(what):
            flags = os.O_RDWR if writing else os.O_RDONLY
            self._fd = os.open(path, flags | os.O_CLOEXEC)

    def size(self) -> int:
        with guard(self._what):
            return os.lseek(self._fd, 0, os.SEEK_END)  # a block device has no size in stat

    def read(self, offset: int, length: int) -> bytes:
        found = b""
        with guard(self._what):
            while len(found) < length:
                piece = os.pread(self._fd, length - len(found), offset + len(found))
                if not piece:
                    raise Unavailable(
                        f"{self._what} ends at {offset + len(found)} bytes, before its image"
                    )
                found = found + piece if found else piece
        return found

    def write(self, offset: int, data: bytes | memoryview) -> None:
        view = memoryview(data)
        with guard(self._what):
            while view:
                written = os.pwrite(self._fd, view, offset)
                offset += written
                view = view[written:]

    def flush(self) -> None:
        try:
            os.fsync(self._fd)
        except OSError as error:
            if error.errno != errno.EROFS:
                raise _final(self._what, error) from error

    def close(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)


class HandleDevice:
    """os-brick's handle of an RBD image, used by offsets and not by its one position."""

    zeroed = True

    def __init__(self, handle: Any, what: str, seconds: float) -> None:
        self._handle = handle
        self._what = what
        self._image = handle.rbd_image
        _OPEN.add(handle)
        with contextlib.suppress(Exception):
            # Without it librbd waits for ever for an OSD that does not answer.
            self._image.client.client.conf_set("rados_osd_op_timeout", str(round(seconds)))

    def size(self) -> int:
        with guard(self._what):
            return int(self._image.size())

    def read(self, offset: int, length: int) -> bytes:
        with guard(self._what):
            found: bytes = self._image.read(offset, length)
        if len(found) != length:
            raise Unavailable(
                f"{self._what}: {len(found)} bytes came where {length} were asked for"
            )
        return found

    def write(self, offset: int, data: bytes | memoryview) -> None:
        with guard(self._what):
            self._image.write(bytes(data), offset)

    def flush(self) -> None:
        with guard(self._what):
            self._image.flush()

    def close(self) -> None:
        _OPEN.discard(self._handle)  # os-brick closes it


def _final(what: str, error: OSError) -> Unavailable:
    """Make the error of a failed sync: the kernel has dropped the pages, and the next sync would succeed without them."""
    made = Unavailable(f"{what}: what was written could not be made durable: {error.strerror}")
    made.final = True
    return made
