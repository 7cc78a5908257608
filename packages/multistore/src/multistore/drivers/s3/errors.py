# ruff: noqa: PLR2004 -- statuses of HTTP are known by their numbers
"""From the errors of servers and of botocore to the tree of errors: two tables, and no text of a server.

Codes after the Amazon S3 API Reference, "Error responses"; servers of others add some of their own.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import Iterator
from typing import Any

from multistore.errors import (
    AccessDenied,
    AlreadyExists,
    Corrupt,
    InvalidRef,
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

__all__ = ["code_of", "translated"]

_KEYS = "look at 'access_key' and 'secret_key'"
_TOKEN = "the session token is wrong or has expired: get new keys"  # noqa: S105
_RIGHTS = "the keys lack the right to this, or, without the right to list the bucket, the object is missing"
_REGION = "set 'region' to that of the bucket"
_LOST = "other bytes arrived than were sent"
_KMS = "look at 'encryption' and 'kms_key'"

#: What each code means, with what to do, or with the setting that is wrong where that is the meaning.
_CODES: dict[str, tuple[type[StoreError], str]] = {
    "NoSuchKey": (NotFound, ""),
    "NoSuchVersion": (NotFound, ""),
    "NoSuchUpload": (NotFound, "the upload was removed by somebody, or by a rule of the bucket"),
    "PreconditionFailed": (AlreadyExists, ""),
    "AccessDenied": (AccessDenied, _RIGHTS),
    "AllAccessDisabled": (AccessDenied, _RIGHTS),
    "AccountProblem": (AccessDenied, "the account has a problem"),
    "InvalidAccessKeyId": (Unauthenticated, _KEYS),
    "SignatureDoesNotMatch": (Unauthenticated, _KEYS),
    "InvalidToken": (Unauthenticated, _TOKEN),
    "ExpiredToken": (Unauthenticated, _TOKEN),
    "TokenRefreshRequired": (Unauthenticated, _TOKEN),
    "RequestTimeTooSkewed": (
        Unauthenticated,
        "the clocks of this machine and of the server differ",
    ),
    "RequestExpired": (Unauthenticated, "the clocks of this machine and of the server differ"),
    "QuotaExceeded": (NoSpace, "the quota is used up"),
    "QuotaExceededException": (NoSpace, "the quota is used up"),
    "InsufficientStorage": (NoSpace, "the server is full"),
    "EntityTooLarge": (NoSpace, "the server takes no object, or part, of that size"),
    "XMinioStorageFull": (NoSpace, "the server is full"),
    "SlowDown": (RateLimited, "the server asks for patience"),
    "Throttling": (RateLimited, "the server asks for patience"),
    "ThrottlingException": (RateLimited, "the server asks for patience"),
    "TooManyRequests": (RateLimited, "the server asks for patience"),
    "RequestLimitExceeded": (RateLimited, "the server asks for patience"),
    "BandwidthLimitExceeded": (RateLimited, "the server asks for patience"),
    "RequestTimeout": (TimedOut, "the server waited too long for the next bytes"),
    "BadDigest": (Unavailable, _LOST),
    "InvalidDigest": (Unavailable, _LOST),
    "XAmzContentSHA256Mismatch": (Unavailable, _LOST),
    "XAmzContentChecksumMismatch": (Unavailable, _LOST),
    "IncompleteBody": (Unavailable, _LOST),
    "ConditionalRequestConflict": (Unavailable, "another request for the same object is under way"),
    "OperationAborted": (Unavailable, "another request for the same object is under way"),
    "InvalidPart": (Corrupt, "the server does not have a part as it was sent"),
    "InvalidPartOrder": (Corrupt, "the server does not have a part as it was sent"),
    "EntityTooSmall": (Corrupt, "the server wants larger parts: raise 'part_size'"),
    "InvalidObjectState": (Unsupported, "the object is archived: restore it first"),
    "NotImplemented": (Unsupported, "the server cannot do this"),
    "MethodNotAllowed": (Unsupported, "the server cannot do this, or the object was deleted"),
    "KeyTooLongError": (InvalidRef, "the name is too long"),
}

#: Codes that mean that a setting is wrong.
_SETTINGS: dict[str, tuple[str, str]] = {
    "NoSuchBucket": ("bucket", "the bucket is not there: make it, or set 'create_bucket'"),
    "InvalidBucketName": ("bucket", "the server takes no bucket of this name"),
    "PermanentRedirect": ("region", _REGION),
    "TemporaryRedirect": ("region", _REGION),
    "IllegalLocationConstraintException": ("region", _REGION),
    "InvalidLocationConstraint": ("region", "the server knows no such region"),
    "AuthorizationHeaderMalformed": ("region", _REGION),
    "InvalidStorageClass": ("storage_class", "the server has no such storage class"),
    "InvalidEncryptionAlgorithmError": ("encryption", _KMS),
    "InvalidEncryptionMethod": ("encryption", _KMS),
    "KMS.NotFoundException": ("kms_key", _KMS),
    "KMS.DisabledException": ("kms_key", _KMS),
    "KMS.InvalidStateException": ("kms_key", _KMS),
    "AccessControlListNotSupported": ("acl", "the bucket takes no ACL: unset 'acl'"),
    "UnsupportedSignature": ("endpoint", "the server takes no signatures of version 4"),
}

#: What a status means that came without a known code: every answer to HEAD is one.
_STATUSES: dict[int, tuple[type[StoreError], str]] = {
    401: (Unauthenticated, _KEYS),
    403: (AccessDenied, _RIGHTS),
    404: (NotFound, ""),
    405: (Unsupported, "the server cannot do this, or the object was deleted"),
    408: (TimedOut, "the server waited too long"),
    409: (Unavailable, "another request for the same object is under way"),
    412: (AlreadyExists, ""),
    413: (NoSpace, "the server takes no object of that size"),
    429: (RateLimited, "the server asks for patience"),
    501: (Unsupported, "the server cannot do this"),
    504: (TimedOut, "one behind the server waited too long"),
    507: (NoSpace, "the server is full"),
}


def code_of(error: BaseException) -> str:
    """Give the code by which the server refused a request: of botocore's error, or of the one made of it."""
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        response = getattr(error.__cause__, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def translated(error: Exception, what: str, seconds: float) -> StoreError:
    """Make the error of the tree; ``seconds`` is the limit on the server's silence."""
    response = getattr(error, "response", None)
    if isinstance(response, dict) and "ResponseMetadata" in response:
        return _refusal(response, what)
    return _broken(error, what, seconds)


def _refusal(response: dict[str, Any], what: str) -> StoreError:
    meta = response["ResponseMetadata"]
    status = int(meta.get("HTTPStatusCode", 0))
    code = str(response.get("Error", {}).get("Code", ""))
    code = code if code.replace(".", "").isalnum() and not code.isdigit() else ""
    told = f"{what}: the server answered {status}" + (f" {code}" if code else "")
    if code in _SETTINGS or status in (301, 307):
        setting, advice = _SETTINGS.get(code, ("region", _REGION))
        return Misconfigured(f"{told}: {advice}", setting=setting)
    # A 400 for a HEAD request has no code: a wrong region and an expired token look alike.
    known = _CODES.get(code) or _STATUSES.get(status)
    patience = _patience(meta.get("HTTPHeaders", {}).get("retry-after"))
    if known is None:
        problem = Unavailable(told, why="answer", retry_after=patience)
        problem.final = status < 500
        return problem
    kind, advice = known
    if kind is NotFound and not advice:
        return NotFound(f"{what} is not there")
    problem_of = kind(f"{told}: {advice}" if advice else told)
    problem_of.retry_after = patience if problem_of.retryable else None
    return problem_of


def _patience(text: object) -> float | None:
    """Read a Retry-After field in seconds; servers of this kind send no dates."""
    digits = str(text or "").strip()
    if not (digits.isascii() and digits.isdigit()):
        return None
    return float(digits) if len(digits) < 12 else math.inf


#: botocore's errors of what was set, by the setting that is to blame; the others are the network's.
_OF_SETTINGS: dict[str, tuple[type[StoreError], str, str]] = {
    "NoCredentialsError": (Unauthenticated, "", "there are no credentials: set 'access_key' and 'secret_key'"),
    "PartialCredentialsError": (Unauthenticated, "", "half of the credentials is missing in the environment"),
    "CredentialRetrievalError": (Unauthenticated, "", "the credentials cannot be had from where the environment says"),
    "MetadataRetrievalError": (Unauthenticated, "", "the credentials of the instance cannot be had"),
    "TokenRetrievalError": (Unauthenticated, "", "the sign-on has expired"),
    "SSOTokenLoadError": (Unauthenticated, "", "the sign-on has expired"),
    "UnauthorizedSSOTokenError": (Unauthenticated, "", "the sign-on has expired"),
    "ProfileNotFound": (Misconfigured, "profile", "there is no such profile"),
    "ConfigParseError": (Misconfigured, "profile", "the AWS configuration file cannot be read"),
    "ConfigNotFound": (Misconfigured, "profile", "the AWS configuration file is missing"),
    "InvalidConfigError": (Misconfigured, "profile", "the AWS configuration is wrong"),
    "InvalidDNSNameError": (Misconfigured, "addressing", "the bucket cannot stand in a host: set it to path"),
    "InvalidS3AddressingStyleError": (Misconfigured, "addressing", "there is no such style"),
    "InvalidRegionError": (Misconfigured, "region", "there is no such region"),
    "InvalidProxiesConfigError": (Misconfigured, "proxy", "the proxy is wrong"),
    "ParamValidationError": (InvalidRef, "", "the server would not take this bucket or name"),
}  # fmt: skip

_FILES = (FileNotFoundError, PermissionError, IsADirectoryError)
_TIMEOUTS = frozenset({"ReadTimeoutError", "ConnectTimeoutError", "TimeoutError", "timeout"})


def _broken(error: Exception, what: str, seconds: float) -> StoreError:
    """Make the error of a request that had no answer; no address is quoted, nor anything that botocore says."""
    names = [kind.__name__ for kind in type(error).__mro__]
    for name in names:
        if name in _OF_SETTINGS:
            kind, setting, advice = _OF_SETTINGS[name]
            if kind is Misconfigured:
                return Misconfigured(f"{what}: {advice}", setting=setting)
            return kind(f"{what}: {advice}")
    if _TIMEOUTS & set(names):
        return TimedOut(
            f"{what}: the server said nothing for {seconds:g} s ({names[0]})", seconds=seconds
        )
    inside = list(_inside(error))
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in inside):
        problem = Unavailable(
            f"{what}: the server's certificate is refused: set 'ca_file' if it is signed by an authority of your own"
        )
        problem.final = True
        return problem
    if any(isinstance(each, _FILES) for each in inside):
        return Misconfigured(f"{what}: 'ca_file' cannot be read", setting="ca_file")
    if "SSLError" in names:
        return Unavailable(f"{what}: TLS broke off, or the server does not speak it")
    if "ProxyConnectionError" in names:
        return Unavailable(f"{what}: the proxy cannot be reached")
    if "EndpointConnectionError" in names:
        return Unavailable(f"{what}: the server cannot be reached: look at 'endpoint'")
    return Unavailable(f"{what}: the connection broke ({names[0]})")


def _inside(error: BaseException) -> Iterator[BaseException]:
    """Give everything that an error was made of: each vendor keeps it in another place."""
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop()
        yield each
        seen.add(id(each))
        parts = (each.__cause__, each.__context__, getattr(each, "reason", None), *each.args)
        parts += tuple(getattr(each, "kwargs", {}).values())
        waiting += [
            part for part in parts if isinstance(part, BaseException) and id(part) not in seen
        ]
