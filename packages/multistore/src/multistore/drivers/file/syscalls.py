"""System calls that Python has no function for.

Sources: ``linux/fs.h`` (FICLONE, FS_IOC_GETVERSION, RENAME_NOREPLACE), sync_file_range(2), renameat2(2).
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Callable
from typing import Any

__all__ = ["NOT_OFFERED", "Libc", "generation", "reflink"]

#: What a kernel or file system answers that has never heard of a call.
NOT_OFFERED = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL})

_FICLONE = 0x40049409
_LONG = struct.calcsize("l")
_GETVERSION = 2 << 30 | _LONG << 16 | ord("v") << 8 | 1
_SYNC_FILE_RANGE_WRITE = 2
_RENAME_NOREPLACE = 1


def reflink(target: int, source: int) -> None:
    """Make the file ``target`` share all bytes of ``source``; OSError if their file system cannot."""
    fcntl.ioctl(target, _FICLONE, source)


def generation(file: int) -> int:
    """Give the number that tells a file from an earlier one with its inode number; 0 where there is none."""
    try:
        answer = fcntl.ioctl(file, _GETVERSION, bytes(_LONG))
    except OSError as error:
        if error.errno in NOT_OFFERED:
            return 0
        raise
    return int(struct.unpack_from("I", answer)[0])


class Libc:
    """Functions of the C library, looked up when first called."""

    def __init__(self) -> None:
        self._found: dict[str, Callable[..., int] | None] = {}

    def start_writeback(self, file: int, offset: int, length: int) -> None:
        """Begin to write a range out, without waiting, so that a later fsync has less to do; OSError."""
        self._call("sync_file_range", file, offset, length, _SYNC_FILE_RANGE_WRITE)

    def rename_new(self, directory: int, old: str, new: str) -> None:
        """Rename within a directory without replacing; OSError."""
        arguments = (directory, os.fsencode(old), directory, os.fsencode(new), _RENAME_NOREPLACE)
        self._call("renameat2", *arguments)

    def _call(self, name: str, *arguments: int | bytes) -> None:
        import ctypes

        if name not in self._found:
            self._found[name] = _function(name)
        function = self._found[name]
        if function is None:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        if function(*arguments) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))


def _function(name: str) -> Any:
    import ctypes

    function = getattr(ctypes.CDLL(None, use_errno=True), name, None)
    if function is not None:
        integer, text = ctypes.c_int, ctypes.c_char_p
        function.argtypes = {
            "sync_file_range": (integer, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint),
            "renameat2": (integer, text, integer, text, ctypes.c_uint),
        }[name]
        function.restype = integer
    return function
