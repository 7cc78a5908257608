"""How values travel between the test and a worker: encoded arguments, and normalised results.

Standard library only: it runs in the environment of the peer as well.
"""

from __future__ import annotations

import errno
import hashlib
import pickle
import random
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

__all__ = ["Source", "Verifier", "data_of", "error_facts", "plain", "short", "source_of"]

PIECE = 64 << 10

#: Parts of messages that consumers and tests are known to look for, and the exception that has them.
FRAGMENTS = {
    "not found": (" not found", "NotFound"),
    "size exceeds": ("Size exceeds: expected", "Invalid"),
    "size mismatch": ("Size mismatch: expected", "Invalid"),
}
#: Parts of messages that no text should have: the server's path of an image, and a secret.
LEAKS = {"path": "{root}/", "secret": "s3cr3t"}


def data_of(runs: list[list[Any]]) -> bytes:
    """Make bytes of runs: ``["random", seed, size]``, ``["zero", size]`` or ``["text", text]``."""
    made = bytearray()
    for kind, *rest in runs:
        if kind == "zero":
            made += bytes(rest[0])
        elif kind == "text":
            made += rest[0].encode()
        else:
            made += random.Random(rest[0]).randbytes(rest[1])
    return bytes(made)


class Source:
    """What an image is made of: with ``read``, or only to be iterated; it may fail at a position."""

    def __init__(self, runs: list[list[Any]], fail_at: int | None, error: str) -> None:
        self.left = memoryview(data_of(runs))
        self.consumed = 0
        self.fail_at = fail_at
        self.error = error

    def take(self, size: int) -> bytes:
        if self.fail_at is not None and self.consumed >= self.fail_at:
            raise made_error(self.error)
        piece, self.left = bytes(self.left[:size]), self.left[size:]
        self.consumed += len(piece)
        return piece


class Readable(Source):
    """One that gives at most ``most`` bytes a read, if that is set, and is never read without a size."""

    most: int | None = None

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            raise AssertionError("a source is never read without a size")
        return self.take(size if self.most is None else min(size, self.most))

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read(PIECE):
            yield piece


class Iterable(Source):
    """One that can only be iterated, in pieces of the given sizes, over and over."""

    pieces: tuple[int, ...] = (PIECE,)

    def __iter__(self) -> Iterator[bytes]:
        while self.left or self.fail_at is not None:
            for size in self.pieces:
                yield self.take(size)


def made_error(text: str) -> Exception:
    """Make an exception of ``NAME`` or ``OSError:ENOSPC``."""
    name, _, code = text.partition(":")
    if code:
        return OSError(getattr(errno, code), "of the source")
    kinds: dict[str, type[Exception]] = {"KeyError": KeyError, "RuntimeError": RuntimeError}
    return kinds[name]("of the source")


class Verifier:
    """What Glance hands in to check a signature: it is fed all bytes."""

    def __init__(self, error: str = "") -> None:
        self.digest = hashlib.sha1(usedforsecurity=False)
        self.count = 0
        self.error = error

    def update(self, piece: bytes) -> None:
        if self.error:
            raise made_error(self.error)
        self.digest.update(piece)
        self.count += len(piece)


def source_of(value: Mapping[str, Any]) -> Source:
    """Make the source that ``value`` describes."""
    fail_at, error = value.get("fail_at"), value.get("error", "")
    if value["form"] == "iter":
        iterable = Iterable(value["runs"], fail_at, error)
        iterable.pieces = tuple(value.get("pieces") or (PIECE,))
        return iterable
    readable = Readable(value["runs"], fail_at, error)
    readable.most = value.get("most")
    return readable


def plain(value: Any, hide: Callable[[str], str]) -> Any:
    """Give a result as JSON that two implementations have in common; ``hide`` puts placeholders for places."""
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, (bytes, bytearray)):
        if len(value) <= 32:
            return {"bytes": bytes(value).decode("latin-1")}
        return {"size": len(value), "sha1": short(value)}
    if isinstance(value, tuple):
        return {"tuple": [plain(each, hide) for each in value]}
    if isinstance(value, list):
        return [plain(each, hide) for each in value]
    if isinstance(value, Mapping):
        return {"dict": {str(key): plain(each, hide) for key, each in sorted(value.items())}}
    if isinstance(value, type):
        return {"class": value.__name__}
    if isinstance(value, Verifier):
        return {"verified": value.count, "sha1": value.digest.hexdigest()[:12]}
    if isinstance(value, Collection):
        return {"set": sorted(plain(each, hide) for each in value)}
    return described(value, hide)


def described(value: Any, hide: Callable[[str], str]) -> Any:
    """Give what the interface says of a location or a store; of anything else only its kind."""
    kind = type(value)
    if hasattr(kind, "get_store_uri"):
        uri = value.get_store_uri()
        return {"Location": [value.store_name, value.backend_group, value.image_id, hide(str(uri))]}
    if hasattr(kind, "get_schemes"):
        try:
            return {"Store": [list(value.get_schemes()), value.backend_group]}
        except NotImplementedError:
            return {"Store": [None, value.backend_group]}
    if callable(value):
        return {"callable": getattr(value, "__name__", "?")}
    return {"object": True}


def short(data: bytes | bytearray) -> str:
    """Give a digest that is long enough to tell two images apart."""
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()[:12]


def error_facts(
    error: BaseException, interface: Any, hide: Callable[[str], str], look: list[str]
) -> dict[str, Any]:
    """Give what consumers can see of an exception: class, bases, attributes, and which fragments its text has."""
    text = hide(str(error))
    own = getattr(interface, type(error).__name__, None) is type(error)
    bases = [
        each.__name__
        for each in type(error).__mro__[1:]
        if getattr(interface, each.__name__, None) is each or each.__module__ == "builtins"
    ]
    facts: dict[str, Any] = {
        "raised": type(error).__name__,
        "bases": [each for each in bases if each not in ("object", "BaseException")],
        "has": [
            name
            for name, (fragment, kind) in FRAGMENTS.items()
            if kind == type(error).__name__ and fragment in text
        ],
    }
    facts["has"] += [name for name, leak in LEAKS.items() if leak in text]
    facts["has"] += [fragment for fragment in look if fragment in text]
    if isinstance(error, OSError) and error.errno is not None:
        facts["errno"] = errno.errorcode.get(error.errno, error.errno)
    if own and hasattr(error, "msg"):
        facts["odd"] = odd(error)
    elif not own and type(error).__module__ != "builtins":
        facts["foreign"] = type(error).__module__.partition(".")[0]
    return {key: each for key, each in facts.items() if each != []}


def odd(error: Any) -> list[str]:
    """Give in what an exception of the interface differs from the rule: msg, str, args, message and pickling agree."""
    found = []
    if error.msg != str(error):
        found.append("msg")
    if error.args != (error.msg,):
        found.append("args")
    if error.message != type(error).message:
        found.append("message")
    try:
        if str(pickle.loads(pickle.dumps(error))) != str(error):
            found.append("pickle")
    except Exception:
        found.append("pickle")
    return found
