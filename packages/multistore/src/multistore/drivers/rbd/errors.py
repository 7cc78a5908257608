"""From the errors of librados and librbd to the tree of errors: one table, by errno."""

from __future__ import annotations

import errno
import os

from multistore.errors import (
    AccessDenied,
    AlreadyExists,
    InUse,
    InvalidRef,
    NoSpace,
    NotFound,
    StoreError,
    TimedOut,
    Unavailable,
    Unsupported,
)

__all__ = ["BROKEN", "translated"]

_RIGHTS = "look at the capabilities of the Ceph user: ceph auth get client.NAME"
_FULL = "delete something, or give the pool more room or quota"
_SICK = "look at 'ceph health detail'"

#: The connection is of no use any more: shut down, or the client was put on the block list.
BROKEN = frozenset({errno.ESHUTDOWN, errno.ENOTCONN})

#: What each errno means, and what to do about it; every other one is Unavailable.
_TABLE: dict[int, tuple[type[StoreError], str]] = {
    errno.ENOENT: (NotFound, ""),
    errno.EEXIST: (AlreadyExists, ""),
    errno.EPERM: (AccessDenied, _RIGHTS),
    errno.EACCES: (AccessDenied, _RIGHTS),
    # We never write to what was opened for reading: librbd has lost the image's lock, or cannot get it.
    errno.EROFS: (Unavailable, "the lock of the image is lost"),
    errno.ENOSPC: (NoSpace, _FULL),
    errno.EDQUOT: (NoSpace, _FULL),
    errno.EBUSY: (InUse, "somebody has the image open"),
    errno.ENOTEMPTY: (InUse, "the image has snapshots"),
    errno.ETIMEDOUT: (TimedOut, _SICK),
    errno.ESHUTDOWN: (Unavailable, "the connection was shut down, or this client was blocked"),
    errno.ENOSYS: (Unsupported, "the cluster cannot do this"),
    errno.EOPNOTSUPP: (Unsupported, "the cluster cannot do this"),
    errno.ENAMETOOLONG: (InvalidRef, "the name is too long"),
}


def translated(error: Exception, what: str, seconds: float) -> StoreError:
    """Give the error of the tree that says what ``error`` says of ``what``; ``seconds`` is the limit on a request."""
    number = getattr(error, "errno", None)
    if not isinstance(number, int):
        return Unavailable(f"{what}: {type(error).__name__}; {_SICK}")
    kind, advice = _TABLE.get(abs(number), (Unavailable, _SICK))
    if kind is TimedOut:
        told = f"{what}: the cluster did not answer within {seconds:g} s; {advice}"
        return TimedOut(told, seconds=seconds)
    return kind(f"{what}: {os.strerror(abs(number))}" + (f"; {advice}" if advice else ""))
