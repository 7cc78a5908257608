# ruff: noqa: PLR2004 -- statuses of HTTP are known by their numbers
"""From statuses and exceptions to the errors of multistore: no text of a server, no URL with secrets."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

from multistore.drivers.swift.sdk import load
from multistore.errors import (
    AccessDenied,
    AlreadyExists,
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

__all__ = ["asking_refused", "guarded", "guarding_login", "refusal", "unanswered"]

_CERTIFICATE = "the server's certificate cannot be verified: see 'ca_file'"


def refusal(status: int, what: str, patience: str | None, *, who: str = "Swift") -> StoreError:
    """Make the error of a status that is no success; ``patience`` is the Retry-After field, ``who`` has answered."""
    after = float(patience) if patience and patience.isascii() and patience.isdigit() else None
    told = f"{what}: {who} answered {status}"
    if status == 401:
        return Unauthenticated(f"{told}: the token, or who it was given to, is not accepted")
    if status == 403:
        return AccessDenied(f"{told}: look at the user's roles, and at the container's rights")
    if status == 404:
        return NotFound(f"{what} is not there")
    if status in (409, 412):
        return AlreadyExists(f"{what} is there already (status {status})")
    if status in (413, 507):
        return NoSpace(f"{told}: a quota is used up, or a disk is full")
    if status == 422:
        return Unavailable(f"{told}: the bytes that came are not those that were sent")
    if status in (408, 499, 504):
        return TimedOut(f"{told}: it waited too long", retry_after=after)
    if status in (429, 498):
        return RateLimited(f"{told}: it asks for patience", retry_after=after)
    if status in (405, 501):
        return Unsupported(f"{told}: it cannot do this")
    if status >= 500:
        return Unavailable(told, retry_after=after)
    if 300 <= status < 400:
        error = Unavailable(
            f"{told}: it leads elsewhere, where our token is not sent", why="redirects"
        )
    else:
        error = Unavailable(told, why="answer")
    error.final = True
    return error


@contextlib.contextmanager
def guarded(what: str, seconds: float) -> Iterator[None]:
    """Let no error of the libraries out of the block."""
    requests, urllib3 = load().requests.exceptions, load().urllib3.exceptions
    try:
        yield
    except (requests.Timeout, urllib3.TimeoutError, TimeoutError) as error:
        limit = seconds if math.isfinite(seconds) else 0
        raise TimedOut(f"{what}: Swift was silent for {limit:g} s", seconds=limit) from _bare(error)
    except (requests.SSLError, urllib3.SSLError) as error:
        raise Unavailable(f"{what}: {_CERTIFICATE}") from _bare(error)
    except (requests.RequestException, urllib3.HTTPError, OSError) as error:
        if _silent(error):
            raise TimedOut(
                f"{what}: Swift was silent for {seconds:g} s", seconds=seconds
            ) from _bare(error)
        told = f"{what}: the connection to Swift failed ({type(error).__name__})"
        raise Unavailable(told, why="connection") from _bare(error)
    except (ValueError, load().client.ClientException) as error:
        raise Unavailable(
            f"{what}: Swift's answer makes no sense ({type(error).__name__})"
        ) from _bare(error)


def unanswered(error: StoreError) -> bool:
    """Say whether nobody knows if what ended with this error was done, or is about to be."""
    if isinstance(error, TimedOut):
        return error.seconds > 0
    return isinstance(error, Unavailable) and error.why == "connection"


def _silent(error: BaseException) -> bool:
    """Say whether a time limit is behind an error: a body that stops is a ConnectionError to requests."""
    return any(
        isinstance(part, TimeoutError | load().urllib3.exceptions.TimeoutError)
        for part in error.args
    )


def _bare(error: BaseException) -> BaseException | None:
    """Give a cause that can be shown: those of the libraries quote URLs and headers."""
    return error if isinstance(error, OSError) and isinstance(error.errno, int) else None


@contextlib.contextmanager
def guarding_login(where: str, seconds: float, *, application: bool) -> Iterator[None]:
    """Turn what keystoneauth raises into our errors; ``application`` says that an application credential logs in."""
    errors = load().errors
    try:
        yield
    except (errors.EndpointNotFound, errors.EmptyCatalog) as error:
        raise Misconfigured(
            "Keystone's catalog has no such Swift: look at 'region', 'interface' and 'service_type'",
            setting="region",
        ) from _bare(error)
    except (
        errors.MissingAuthPlugin,
        errors.AuthorizationFailure,
        errors.UnsupportedParameters,
    ) as error:
        raise Unauthenticated(f"logging in at {where} failed ({type(error).__name__})") from _bare(
            error
        )
    except errors.ConnectTimeout as error:
        raise TimedOut(f"{where} did not answer within {seconds:g} s", seconds=seconds) from _bare(
            error
        )
    except errors.SSLError as error:
        raise Unavailable(f"{where}: {_CERTIFICATE}") from _bare(error)
    except errors.HttpError as error:
        status = int(error.http_status or 500)
        # Keystone's answer for an application credential that it does not know, or no more.
        status = 401 if status == 404 and application else status
        raise _login_refused(where, status) from _bare(error)
    except errors.ClientException as error:
        raise Unavailable(f"logging in at {where} failed ({type(error).__name__})") from _bare(
            error
        )


def _login_refused(where: str, status: int) -> StoreError:
    told = f"{where} answered {status}"
    if status == 401:
        return Unauthenticated(
            f"{told}: user, password, project or a domain is wrong, or a credential has expired"
        )
    if status == 404:
        return Misconfigured(f"{told}: it is no login of the API's version", setting="auth_url")
    if status == 400:
        return Misconfigured(f"{told}: look at user, project and domains", setting="user")
    return refusal(status, "logging in", None, who=where)


def asking_refused(where: str, status: int) -> StoreError:
    """Make the error of a status that is no success, where Keystone was asked for something with a token."""
    told = f"{where} answered {status}"
    if status == 401:
        return Unauthenticated(f"{told}: the token has ended")
    if status == 403:
        return AccessDenied(
            f"{told}: the token does not allow this; one that came of an application credential or a trust cannot give a trust"
        )
    if status == 404:
        return NotFound(f"{told}: there is no such thing")
    return Unavailable(told)
