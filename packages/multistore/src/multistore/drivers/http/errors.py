# ruff: noqa: PLR2004 -- statuses of HTTP are known by their numbers
"""From statuses and exceptions to the errors of multistore: two tables, no text of a server, no URL with secrets."""

from __future__ import annotations

import errno
import http.client
import math
import os
import socket
import ssl
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import TypeVar

from multistore.errors import (
    AccessDenied,
    NotFound,
    RateLimited,
    StoreError,
    TimedOut,
    Unauthenticated,
    Unavailable,
    Unsupported,
)

__all__ = ["Flood", "guarded", "hopeless", "refusal", "retry_after", "translated"]

T = TypeVar("T")


class Flood(OSError):
    """The peer sent more framing than any honest one needs."""


def hopeless(message: str, why: str) -> Unavailable:
    """Make the error of an answer that will be no better next time."""
    error = Unavailable(message, why=why)
    error.final = True
    return error


def refusal(status: int, where: str, patience: str | None) -> StoreError:
    """Make the error of a status that is no success; ``patience`` is the Retry-After field.

    Meanings after RFC 9110, section 15, and RFC 6585.
    """
    after = retry_after(patience)
    told = f"{where}: the server answered {status}"
    if status == 401:
        return Unauthenticated(f"{told}: set 'username' and 'password', or 'token'")
    if status in (402, 403, 451):
        return AccessDenied(f"{told}: it does not let us read this")
    if status == 407:
        return Unauthenticated(f"{where}: the proxy wants a user name and password in 'proxy'")
    if status in (404, 410):
        return NotFound(f"{where} is not there (status {status})")
    if status in (408, 504):
        return TimedOut(f"{told}: it, or one behind it, waited too long", retry_after=after)
    if status == 429:
        return RateLimited(f"{told}: it asks for patience", retry_after=after)
    if status in (405, 406, 501, 505):
        return Unsupported(f"{told}: it does not serve this to be read")
    if status >= 500 or status in (421, 423, 425):
        return Unavailable(told, retry_after=after)
    # 400 and the like: the same request gets the same answer
    return hopeless(f"{told}, which is no image: check the reference", "answer")


def retry_after(text: str | None, now: Callable[[], float] = time.time) -> float | None:
    """Read a Retry-After field, seconds or a date, as seconds from now; None if it cannot be read."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text) if len(text) < 12 else math.inf
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now())
    except (ValueError, OverflowError, TypeError):
        return None


def guarded(where: str, work: Callable[[], T]) -> T:
    """Do ``work``; what it raises comes out translated, and without the original, which may quote a URL."""
    try:
        return work()
    except StoreError:
        raise
    except Exception as error:
        problem = translated(error, where)
    raise problem  # outside of the handler, so that the original is not its context


def translated(error: Exception, where: str) -> StoreError:
    """Make a multistore error of what sockets, TLS and the parsing of heads raise."""
    kind = type(error).__name__
    if isinstance(error, ssl.SSLCertVerificationError):
        # The reason is OpenSSL's own text and quotes nothing but host names.
        problem: StoreError = Unavailable(
            f"{where}: the server's certificate is refused ({error.verify_message or error.reason}): "
            "set 'ca_file' if it is signed by an authority of your own"
        )
        problem.final = True
        return problem
    if isinstance(error, Flood):
        return Unavailable(f"{where}: {error.strerror}")
    if isinstance(error, TimeoutError):
        return TimedOut(f"{where}: the server did not answer in time ({kind})")
    if isinstance(error, socket.gaierror):
        return Unavailable(f"{where}: the host cannot be resolved ({error.strerror})")
    if isinstance(error, ssl.SSLError):
        return Unavailable(f"{where}: TLS broke off ({error.reason or kind})")
    if isinstance(error, ConnectionRefusedError):
        return Unavailable(f"{where}: the connection is refused: is the server up?")
    if isinstance(error, http.client.HTTPException):
        return Unavailable(f"{where}: the answer is not proper HTTP ({kind})")
    if isinstance(error, OSError) and error.errno is not None:
        hint = ": too many open files" if error.errno in (errno.EMFILE, errno.ENFILE) else ""
        return Unavailable(f"{where}: {os.strerror(error.errno)}{hint}")
    return Unavailable(f"{where}: the connection failed ({kind})")
