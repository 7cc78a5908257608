# ruff: noqa: ARG001, ARG005 -- the makers of one table: each takes what it needs
"""From the errors of multistore to the exceptions of the interface: one table.

A row is (driver, verb, error class, fact): the exception to raise.
The most specific row decides, read from left to right: a row of the driver comes before one of all drivers (``*``), and so on;
a row of ``StoreError`` is for every class that has none.

The verbs are ``get size delete``, for which ``*`` stands, and apart from them ``add``, ``configure`` and ``read``, the iteration
over what ``get`` gave.
No text tells a path of this machine: texts reach users.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from multistore import errors

from glance_store import exceptions
from glance_store.i18n import _

__all__ = ["Facts", "translated"]

LOG = logging.getLogger(__name__)

Made = Callable[["Facts", Any], Exception]


class Facts(NamedTuple):
    """What an exception is made of, beside the error: the driver, the verb, and what users call the image."""

    driver: str
    verb: str
    image: object
    #: The limit of the interface that the error is about: seconds, or redirects.
    limit: float = 0


def _not_found(facts: Facts, error: errors.StoreError) -> Exception:
    return exceptions.NotFound(image=facts.image)


def _duplicate(facts: Facts, error: errors.StoreError) -> Exception:
    return exceptions.Duplicate(image=facts.image)


def _mismatch(facts: Facts, error: errors.SizeMismatch) -> Exception:
    kind = "exceeds" if error.exceeds else "mismatch"
    return exceptions.Invalid(f"Size {kind}: expected {error.expected} bytes, got {error.actual}")


def _bad_name(facts: Facts, error: errors.InvalidRef) -> Exception:
    why = _("it leads elsewhere") if error.why == error.message else error.why
    return exceptions.Invalid(_("This cannot be the id of an image: %s") % why)


def _bad_location(facts: Facts, error: errors.StoreError) -> Exception:
    why = error.why if isinstance(error, errors.InvalidRef) else error.message
    text = _("Image %(image)s: %(why)s")
    return exceptions.BadStoreUri(text % {"image": facts.image, "why": why})


def _bad_file(facts: Facts, error: errors.InvalidRef) -> Exception:
    # What the system says of a path comes with the path.
    why = _("this leads to no regular file") if error.why == error.message else error.why
    text = _("Image %(image)s: %(why)s")
    return exceptions.BadStoreUri(text % {"image": facts.image, "why": why})


def _forbidden(facts: Facts, error: errors.StoreError) -> Exception:
    words = {"delete": _("delete"), "add": _("store")}
    doing = words.get(facts.verb, _("read"))
    return exceptions.Forbidden(
        _("The service has no permission to %(doing)s image %(image)s")
        % {"doing": doing, "image": facts.image}
    )


def _timed_out(facts: Facts, error: errors.TimedOut) -> Exception:
    return exceptions.TimeoutError(timeout=facts.limit or error.seconds)


def _redirects(facts: Facts, error: errors.StoreError) -> Exception:
    return exceptions.MaxRedirectsExceeded(redirects=int(facts.limit))


def _unavailable(facts: Facts, error: errors.StoreError) -> Exception:
    return exceptions.RemoteServiceUnavailable(
        _("The storage does not serve image %(image)s: %(why)s")
        % {"image": facts.image, "why": _WHY.get(type(error), _("it failed"))}
    )


def _failed(facts: Facts, error: errors.StoreError) -> Exception:
    """Say that an image could not be stored, with what the operator has to do where that is a setting."""
    why = error.message if isinstance(error, errors.Misconfigured) else _WHY.get(type(error), "")
    return exceptions.BackendException(
        _("The storage did not take image %(image)s: %(why)s")
        % {"image": facts.image, "why": why or _("it failed")}
    )


def _misconfigured(facts: Facts, error: errors.StoreError) -> Exception:
    return exceptions.BadStoreConfiguration(store_name=facts.image, reason=error.message)


def _no_pool(facts: Facts, error: errors.StoreError) -> Exception:
    text = _("Image %(image)s not found: %(why)s")
    return exceptions.NotFound(text % {"image": facts.image, "why": error.message})


def _plain(kind: type[Exception]) -> Made:
    """Raise an exception whose own text says enough."""
    return lambda facts, error: kind()


_WHY: dict[type[errors.StoreError], str] = {
    errors.Unavailable: _("it cannot be reached, or broke off"),
    errors.TimedOut: _("it gave no answer in time"),
    errors.RateLimited: _("it asks for patience"),
    errors.Corrupt: _("its data is not what it announced"),
    errors.Unsupported: _("it cannot do what is needed"),
    errors.Unauthenticated: _("it does not accept the credentials"),
    errors.AccessDenied: _("it does not permit this"),
    errors.NotFound: _("a part of it is missing"),
    errors.InUse: _("it is in use"),
    errors.Cancelled: _("it was given up"),
}

_TABLE: dict[tuple[str, str, type[errors.StoreError], str], Made] = {
    # -- storing
    ("*", "add", errors.AlreadyExists, ""): _duplicate,
    ("*", "add", errors.SizeMismatch, ""): _mismatch,
    ("*", "add", errors.NoSpace, ""): _plain(exceptions.StorageFull),
    ("*", "add", errors.AccessDenied, ""): _plain(exceptions.StorageWriteDenied),
    ("*", "add", errors.InvalidRef, ""): _bad_name,
    ("*", "add", errors.InUse, ""): _plain(exceptions.InUseByStore),
    ("*", "add", errors.StoreError, ""): _unavailable,
    ("file", "add", errors.InvalidRef, "no regular file"): _duplicate,
    ("file", "add", errors.TimedOut, ""): _timed_out,
    # -- finding
    ("*", "*", errors.NotFound, "object"): _not_found,
    ("*", "*", errors.InvalidRef, ""): _bad_location,
    ("*", "*", errors.AccessDenied, ""): _forbidden,
    ("*", "*", errors.StoreError, ""): _unavailable,
    ("file", "*", errors.InvalidRef, "outside the store"): _not_found,
    ("file", "*", errors.InvalidRef, ""): _bad_file,
    ("file", "*", errors.NotFound, "store"): _not_found,
    ("file", "*", errors.TimedOut, ""): _timed_out,
    # -- deleting
    ("*", "delete", errors.InUse, ""): _plain(exceptions.InUseByStore),
    # -- http: what is wrong with a location is told the user, an outage is not the location's fault
    ("http", "get", errors.AccessDenied, ""): _bad_location,
    ("http", "get", errors.Unauthenticated, ""): _bad_location,
    ("http", "get", errors.Unsupported, ""): _bad_location,
    ("http", "get", errors.Unavailable, "answer"): _bad_location,
    ("http", "get", errors.Unavailable, "redirects"): _redirects,
    ("http", "size", errors.Unavailable, "redirects"): _redirects,
    ("http", "size", errors.NotFound, "object"): _not_found,
    ("http", "size", errors.StoreError, ""): _bad_location,
    # -- s3: never NotFound from add, which would mean that the image was deleted meanwhile
    **{
        ("s3", "add", kind, ""): _failed
        for kind in (
            errors.Unavailable,
            errors.TimedOut,
            errors.RateLimited,
            errors.Unauthenticated,
            errors.Unsupported,
            errors.Corrupt,
            errors.NotFound,
            errors.Misconfigured,
            errors.Cancelled,
        )
    },
    ("s3", "*", errors.NotFound, "container"): _not_found,
    # -- rbd: whoever hears NotFound while storing or deleting takes the image for gone, and a pool may come back
    ("rbd", "add", errors.Misconfigured, ""): _misconfigured,
    ("rbd", "get", errors.NotFound, "container"): _no_pool,
    ("rbd", "size", errors.NotFound, "container"): _no_pool,
    ("rbd", "delete", errors.Misconfigured, ""): _misconfigured,
    ("rbd", "delete", errors.InUse, "snapshots"): _plain(exceptions.HasSnapshot),
    # -- iterating: too late for anything else
    ("*", "read", errors.StoreError, ""): _unavailable,
    # -- what the operator has to correct
    ("*", "configure", errors.StoreError, ""): _misconfigured,
}

#: What ``*`` stands for.
_ANY_VERB = frozenset({"get", "size", "delete"})


def translated(facts: Facts, error: errors.StoreError) -> Exception:
    """Make the exception of the interface that an error is to callers; the error itself goes into the debug log."""
    LOG.debug("%s store, %s of image %s: %s", facts.driver, facts.verb, facts.image, error)
    made = next(_TABLE[key] for key in _keys(facts, type(error), _fact_of(error)) if key in _TABLE)
    return made(facts, error)


def _fact_of(error: errors.StoreError) -> str:
    return str(getattr(error, "what", "") or getattr(error, "why", ""))


def _keys(
    facts: Facts, kind: type[errors.StoreError], fact: str
) -> list[tuple[str, str, type[errors.StoreError], str]]:
    """List the keys that fit, the most specific one first."""
    verbs = (facts.verb, "*") if facts.verb in _ANY_VERB else (facts.verb,)
    return [
        (driver, verb, cls, told)
        for driver in (facts.driver, "*")
        for verb in verbs
        for cls in (kind, errors.StoreError)
        for told in dict.fromkeys((fact, ""))
    ]
