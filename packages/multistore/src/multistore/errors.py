"""Every error that multistore raises by itself.

::

    StoreError
     ├─ NotFound           the object, its container or the whole store is not there     (LookupError)
     ├─ AlreadyExists      an object of that name is there already and was left alone
     ├─ AccessDenied       the credentials are known, the right is missing               (PermissionError)
     ├─ Unauthenticated    the credentials are missing, wrong or expired
     ├─ NoSpace            the disk, pool or quota is full
     ├─ InvalidRef         the text is not a reference, or points outside the store      (ValueError)
     ├─ Unsupported        the store, or this build of it, cannot do that
     ├─ Corrupt            the bytes are not the ones that were stored
     ├─ SizeMismatch       more or fewer bytes than declared
     ├─ InUse              somebody holds the object open                                (retryable)
     ├─ Unavailable        the store cannot be reached, or broke off                     (retryable)
     ├─ RateLimited        the store asks for patience                                   (retryable)
     ├─ TimedOut           a time limit ran out                     (retryable)          (TimeoutError)
     ├─ Cancelled          the caller gave up
     └─ Misconfigured      a setting is wrong; the error names it

The tree is flat and closed: a driver raises one of these and nothing else.
A message says what happened, where, and what to do next; it never holds a secret.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "AccessDenied",
    "AlreadyExists",
    "Cancelled",
    "Corrupt",
    "InUse",
    "InvalidRef",
    "Misconfigured",
    "NoSpace",
    "NotFound",
    "RateLimited",
    "SizeMismatch",
    "StoreError",
    "TimedOut",
    "Unauthenticated",
    "Unavailable",
    "Unsupported",
]


class StoreError(Exception):
    """Something that a store was asked to do did not happen.

    ``retryable`` says whether the same call may succeed later unchanged, ``exit_code`` is the
    command line's answer.
    The core fills in ``store``, ``verb``, ``ref`` (redacted) and ``attempts`` once, on the way out;
    an error that a *source* of bytes raised is never touched, so a filled ``store`` proves
    whose error it is.
    ``retry_after`` is what the server asked for, in seconds.
    ``final`` is set by a driver on an error of a retryable class that repeating *this* call cannot cure, and
    that left nothing behind: a failed fsync, say.
    """

    retryable: ClassVar[bool] = False
    exit_code: ClassVar[int] = 6

    def __init__(self, message: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(message or type(self).__name__)
        self.message = message or type(self).__name__
        self.retry_after = retry_after
        self.store: str | None = None
        self.verb: str | None = None
        self.ref: str | None = None
        self.attempts: int = 1
        self.final: bool = False

    def stamp(self, *, store: str, verb: str, ref: str | None = None) -> None:
        """Say where the error happened; the first stamp stays."""
        if self.store is None:
            self.store, self.verb, self.ref = store, verb, ref

    def __str__(self) -> str:
        where = []
        if self.store is not None:
            where.append(f"store {self.store!r}, {self.verb}")
        if self.ref is not None and self.ref not in self.message:
            where.append(self.ref)
        if self.attempts > 1:
            where.append(f"after {self.attempts} attempts")
        return f"{self.message} ({', '.join(where)})" if where else self.message


class NotFound(StoreError, LookupError):
    """What was asked for is not there; ``what`` is ``object``, ``container`` or ``store``."""

    exit_code = 3

    def __init__(
        self, message: str = "", *, what: str = "object", retry_after: float | None = None
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.what = what


class AlreadyExists(StoreError):
    """An object of that name exists; it was not touched."""

    exit_code = 4


class AccessDenied(StoreError, PermissionError):
    """The caller is known but may not do this."""


class Unauthenticated(StoreError):
    """The credentials are missing, wrong or expired."""


class NoSpace(StoreError):
    """The disk, pool, container or quota has no room left."""


class InvalidRef(StoreError, ValueError):
    """The text is no reference of this store; ``why`` says what is wrong with it."""

    exit_code = 2

    def __init__(self, message: str = "", *, why: str = "") -> None:
        super().__init__(message or why)
        self.why = why or message


class Unsupported(StoreError):
    """The store does not offer this verb or option; nothing was sent anywhere."""


class Corrupt(StoreError):
    """The bytes read are not the bytes that were stored; do not use what was read so far."""

    exit_code = 7


class SizeMismatch(StoreError):
    """The data had ``actual`` bytes where ``expected`` were declared.

    ``exceeds`` is true when the data ran over: ``actual`` then counts what was read until that was clear.
    """

    exit_code = 7

    def __init__(
        self, message: str = "", *, expected: int = 0, actual: int = 0, exceeds: bool = False
    ) -> None:
        if not message:
            relation = "more than" if exceeds else f"{actual} bytes instead of"
            message = f"the data has {relation} the declared {expected} bytes"
        super().__init__(message)
        self.expected = expected
        self.actual = actual
        self.exceeds = exceeds


class InUse(StoreError):
    """Somebody holds the object: a clone, a watcher, a live upload; the message names them.

    ``why`` is ``snapshots`` where the object has snapshots of others, and otherwise empty.
    """

    retryable = True
    exit_code = 5

    def __init__(
        self, message: str = "", *, why: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.why = why


class Unavailable(StoreError):
    """The store cannot be reached, answers nonsense, or broke off in the middle.

    ``why`` is ``answer`` where it did answer, with what is no object of its kind, ``redirects`` where it only sends
    from one place to the next, ``connection`` where it broke off and may yet do what it was asked, and otherwise empty.
    """

    retryable = True
    exit_code = 5

    def __init__(
        self, message: str = "", *, why: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.why = why


class RateLimited(StoreError):
    """The store asks to be called less often; ``retry_after`` says when, if it told."""

    retryable = True
    exit_code = 5


class TimedOut(StoreError, TimeoutError):
    """No answer, or not enough bytes, within ``seconds``."""

    retryable = True
    exit_code = 5

    def __init__(
        self, message: str = "", *, seconds: float = 0.0, retry_after: float | None = None
    ) -> None:
        super().__init__(message or f"no progress within {seconds:g} s", retry_after=retry_after)
        self.seconds = seconds


class Cancelled(StoreError):
    """The caller gave the operation up; nothing of it is visible."""

    exit_code = 130


class Misconfigured(StoreError):
    """A setting is missing or wrong; ``setting`` is its name."""

    exit_code = 2

    def __init__(self, message: str = "", *, setting: str = "") -> None:
        super().__init__(message or f"setting {setting!r} is wrong")
        self.setting = setting
