"""From ``OSError`` to the tree of errors: one table."""

from __future__ import annotations

import errno
import os
from types import TracebackType

from multistore.errors import (
    AccessDenied,
    AlreadyExists,
    InUse,
    InvalidRef,
    NoSpace,
    NotFound,
    StoreError,
    Unavailable,
    Unsupported,
)

__all__ = ["translated", "translating"]

_FULL = "delete something, or give the store more room"
_RIGHTS = "look at the owner, the permissions and the mount options of the directory"
_DISK = "look at the disk, its mount and the kernel's log"

#: What each errno means, and what to do about it; every other one is Unavailable.
_TABLE: dict[int, tuple[type[StoreError], str]] = {
    errno.ENOENT: (NotFound, ""),
    errno.ENOTDIR: (NotFound, ""),
    errno.EEXIST: (AlreadyExists, ""),
    errno.EACCES: (AccessDenied, _RIGHTS),
    errno.EPERM: (AccessDenied, _RIGHTS),
    errno.EROFS: (AccessDenied, _RIGHTS),
    errno.ENOSPC: (NoSpace, _FULL),
    errno.EDQUOT: (NoSpace, _FULL),
    errno.EFBIG: (NoSpace, "the file system, or a limit of this process, allows no larger file"),
    errno.ENAMETOOLONG: (InvalidRef, "the name is too long"),
    errno.ELOOP: (InvalidRef, "symbolic links are not followed"),
    errno.EISDIR: (InvalidRef, "it is a directory"),
    errno.ENXIO: (InvalidRef, "it is no regular file"),
    errno.EBUSY: (InUse, "try again later"),
    errno.ETXTBSY: (InUse, "try again later"),
    errno.ENOSYS: (Unsupported, "the file system cannot do this"),
    errno.EOPNOTSUPP: (Unsupported, "the file system cannot do this"),
    errno.EMFILE: (Unavailable, "this process has too many files open"),
    errno.ENFILE: (Unavailable, "this machine has too many files open"),
}


def translated(error: OSError, what: str) -> StoreError:
    """Give the error of the tree that says what ``error`` says of ``what``."""
    kind, advice = _TABLE.get(error.errno or 0, (Unavailable, _DISK))
    said = os.strerror(error.errno) if error.errno else str(error)
    return kind(f"{what}: {said}" + (f"; {advice}" if advice else ""))


class translating:  # noqa: N801  # reads as a statement: with translating("reading x")
    """Let no ``OSError`` out of the block; errors of the tree, some of which are OSErrors too, pass unchanged."""

    __slots__ = ("_what",)

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, OSError) and not isinstance(error, StoreError):
            raise translated(error, self._what) from error
