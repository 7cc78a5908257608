"""From the errors of Cinder, Keystone, os-brick and the kernel to the tree of errors."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from multistore.errors import (
    AccessDenied,
    InUse,
    Misconfigured,
    NoSpace,
    NotFound,
    RateLimited,
    StoreError,
    TimedOut,
    Unauthenticated,
    Unavailable,
    Unsupported,
)

__all__ = ["guard", "translated"]

_RIGHTS = "look at the roles of the store's user, and at Cinder's policy"
_QUOTA = "delete something, or raise the project's quota in Cinder"
_TYPE = "choose another volume type, or raise provisioning:max_vol_size of this one"
_SICK = "look at Cinder's logs"
_ROOT = "os-brick cannot become root on this host: look at root_helper, and at what sudo and rootwrap allow"

#: By the status of the answer; 5xx and whatever is not here is Unavailable.
_STATUS: dict[int, tuple[type[StoreError], str]] = {
    401: (Unauthenticated, "look at the store's user and password"),
    403: (AccessDenied, _RIGHTS),
    404: (NotFound, ""),
    409: (InUse, ""),
    413: (NoSpace, _QUOTA),
    429: (RateLimited, ""),
    501: (Unsupported, ""),
}
#: keystoneauth's errors without a status, by the names of their classes.
_NAMED: dict[str, tuple[type[StoreError], str]] = {
    "EndpointNotFound": (Misconfigured, "endpoint"),
    "EmptyCatalog": (Misconfigured, "endpoint"),
    "CatalogException": (Misconfigured, "endpoint"),
    "DiscoveryFailure": (Unavailable, ""),
    "VersionNotAvailable": (Unsupported, ""),
    "UnsupportedVersion": (Unsupported, ""),
    "VersionNotFoundForAPIMethod": (Unsupported, ""),
    "SSLError": (Misconfigured, "ca_file"),
    "ConnectTimeout": (TimedOut, ""),
    "InvalidConnectorProtocol": (Unsupported, ""),
}
_ERRNO: dict[int, type[StoreError]] = {
    errno.ENOSPC: NoSpace,
    errno.EDQUOT: NoSpace,
    errno.EFBIG: NoSpace,
    errno.EACCES: AccessDenied,
    errno.EPERM: AccessDenied,
    errno.EROFS: AccessDenied,
    errno.ETIMEDOUT: TimedOut,
}
_LONGEST = 300  # characters of what a server says
#: The libraries whose errors are ours to translate; all others are bugs, and come out as they are.
_OURS = (
    "cinderclient",
    "keystoneauth1",
    "os_brick",
    "oslo_concurrency",
    "oslo_privsep",
    "rados",
    "rbd",
    "requests",
    "urllib3",
)


@contextlib.contextmanager
def guard(what: str) -> Iterator[None]:
    """Let none of the libraries' errors out of the block."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        made = translated(error, what)
        if made is None:
            raise
        raise made from error


def translated(error: Exception, what: str) -> StoreError | None:
    """Give the error of the tree that says what ``error`` says of ``what``; None for what is none of the libraries'."""
    if isinstance(error, OSError) and not _from_a_library(error):
        return _of_errno(error.errno, what)
    if not _from_a_library(error):
        return None
    for kind in type(error).__mro__:
        if kind.__name__ == "FailedToDropPrivileges":
            return Misconfigured(f"{what}: {_ROOT}", setting="root_helper")
        if kind.__name__ in _NAMED:
            made, setting = _NAMED[kind.__name__]
            told = f"{what}: {_quoted(error)}"
            return Misconfigured(told, setting=setting) if made is Misconfigured else made(told)
    number = getattr(error, "errno", None)
    if isinstance(number, int):  # Ceph's
        return _of_errno(abs(number), what)
    return _of_status(error, what)


def _refused_state(error: BaseException) -> bool:
    """Say whether Cinder refused because of the state that a volume is in."""
    text = str(getattr(error, "message", "")).lower()
    return getattr(error, "code", 0) == 400 and ("status" in text or "attach" in text)  # noqa: PLR2004


def _refused_size(error: BaseException) -> bool:
    """Say whether Cinder refused because the volume's type allows none of that size."""
    text = str(getattr(error, "message", ""))
    return getattr(error, "code", 0) == 400 and "maximum allowable size" in text  # noqa: PLR2004


def _of_status(error: Exception, what: str) -> StoreError:
    status = getattr(error, "code", None) or getattr(error, "http_status", None) or 0
    if _refused_size(error):
        return NoSpace(f"{what}: {_quoted(error)}; {_TYPE}")
    if _refused_state(error):
        return InUse(f"{what}: {_quoted(error)}")
    kind, advice = _STATUS.get(int(status), (Unavailable, _SICK if status else ""))
    wait = float(getattr(error, "retry_after", 0) or 0)
    if kind is NoSpace and wait:  # the older form of asking for patience
        kind, advice = RateLimited, ""
    told = f"{what}: {_quoted(error)}" + (f"; {advice}" if advice else "")
    if kind is RateLimited:
        return RateLimited(told, retry_after=wait or None)
    made = kind(told)
    if kind is Unavailable and 400 <= int(status) < 500:  # noqa: PLR2004  # the same request would be refused again
        made.final = True
    return made


def _of_errno(number: int | None, what: str) -> StoreError:
    kind = _ERRNO.get(number or 0, Unavailable)
    return kind(f"{what}: {os.strerror(number) if number else 'input/output error'}")


def _from_a_library(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] in _OURS


def _quoted(error: BaseException) -> str:
    """Give what a server or a library says, on one line."""
    status = getattr(error, "code", None) or getattr(error, "http_status", None)
    text = str(getattr(error, "message", None) or getattr(error, "msg", None) or "")
    if type(error).__module__.startswith(("os_brick", "oslo_concurrency", "oslo_privsep")):
        # Command lines and connection data of storage may hold its passwords.
        text = ""
    text = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    told = text[:_LONGEST] or type(error).__name__
    return f"{told} (HTTP {status})" if status else told
