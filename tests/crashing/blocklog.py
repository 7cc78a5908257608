"""A disk that remembers every write: ``python blocklog.py MOUNTPOINT IMAGE LOG`` (FUSE, in the foreground).

The mount point holds two files.
``disk`` is the image; each write to it is appended to the log with its offset and bytes, each sync as a flush.
``mark`` takes texts: each write is appended to the log as an acknowledgement.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["FLUSH", "MARK", "WRITE", "Entry", "read_log"]

WRITE, FLUSH, MARK = b"W", b"F", b"M"
_HEAD = struct.Struct("<cQQ")  # kind, offset, length


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log."""

    kind: bytes
    offset: int = 0
    data: bytes = b""


def read_log(path: str) -> Iterator[Entry]:
    """Read a log, but for a last entry that was cut off."""
    with open(path, "rb") as file:
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            kind, offset, length = _HEAD.unpack(head)
            yield Entry(kind, offset, file.read(length))


class Disk:
    """The operations that fusepy calls, named after those of FUSE."""

    def __init__(self, image: str, log: str) -> None:
        self._image = os.open(image, os.O_RDWR)
        self._log = open(log, "ab", buffering=0)  # noqa: SIM115 - open as long as the process

    def __call__(self, operation: str, *arguments: Any) -> Any:
        method = getattr(self, operation, None)
        if operation.startswith("_") or method is None:
            raise OSError(errno.ENOSYS, operation)
        return method(*arguments)

    def init(self, _: str) -> None:
        """Nothing to prepare."""

    destroy = init

    def access(self, path: str, mode: int) -> int:
        return 0

    def getattr(self, path: str, handle: int | None = None) -> dict[str, int]:
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2}
        sizes = {"/disk": os.fstat(self._image).st_size, "/mark": 0}
        if path not in sizes:
            raise OSError(errno.ENOENT, path)
        return {"st_mode": stat.S_IFREG | 0o644, "st_nlink": 1, "st_size": sizes[path]}

    def readdir(self, path: str, handle: int) -> list[str]:
        return [".", "..", "disk", "mark"]

    def open(self, path: str, flags: int) -> int:
        return 0

    def truncate(self, path: str, length: int, handle: int | None = None) -> int:
        return 0

    def read(self, path: str, size: int, offset: int, handle: int) -> bytes:
        return os.pread(self._image, size, offset)

    def write(self, path: str, data: bytes, offset: int, handle: int) -> int:
        if path == "/mark":
            self._append(MARK, 0, data)
        else:
            self._append(WRITE, offset, data)
            os.pwrite(self._image, data, offset)
        return len(data)

    def fsync(self, path: str, datasync: int, handle: int) -> int:
        self._append(FLUSH, 0, b"")
        return 0

    def flush(self, path: str, handle: int) -> int:
        return 0

    def release(self, path: str, handle: int) -> int:
        return 0

    def _append(self, kind: bytes, offset: int, data: bytes) -> None:
        self._log.write(_HEAD.pack(kind, offset, len(data)) + data)


def main() -> None:
    """Serve until unmounted."""
    from fuse import FUSE  # type: ignore[import-untyped] # fusepy has no types

    mountpoint, image, log = sys.argv[1:]
    FUSE(Disk(image, log), mountpoint, foreground=True, nothreads=True, allow_other=False)


if __name__ == "__main__":
    main()
