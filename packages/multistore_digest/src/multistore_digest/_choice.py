"""Which kernel does the work: the fastest here of those that agree with hashlib, or hashlib itself."""

from __future__ import annotations

import importlib
import logging
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from multistore_digest._plain import Plain, plain_digest

if TYPE_CHECKING:
    from typing import Self

    from _typeshed import ReadableBuffer

__all__ = ["PAIRS", "PARTS", "VARIABLE", "Status", "has_part", "make", "status"]

#: The environment variable that asks for a kernel by its level, or with ``hashlib`` for none; read once.
VARIABLE = "MULTISTORE_DIGEST"
#: The pairs that there may be kernels for, and the SHA of each.
PAIRS = {frozenset({"md5", sha}): sha for sha in ("sha512", "sha256")}
LEVELS = ("avx512vl", "avx2", "sha_ni", "hashlib")
#: The digests of parts that there may be kernels for, and the stream that takes each along: its SHA and its level.
PARTS = {"sha256": ("sha256", "sha_ni"), "md5": ("sha512", "avx512vl")}
_KERNEL_FIPS = "/proc/sys/crypto/fips_enabled"
#: Lengths around every border of both paddings, in bytes.
_CHECKED = (
    0,
    1,
    55,
    56,
    63,
    64,
    65,
    111,
    112,
    119,
    120,
    127,
    128,
    129,
    183,
    184,
    192,
    239,
    240,
    255,
    256,
    1000,
    4133,
)

#: How much each kernel hashes in a round of the race, in bytes.
_RACE = 32 << 10

_log = logging.getLogger("multistore_digest")


class Stream(Protocol):
    """What a kernel and hashlib's stand-in have in common."""

    def update(self, data: ReadableBuffer, /) -> None: ...
    def update_both(self, part: Self, data: ReadableBuffer, /) -> None: ...
    def digest(self, name: str, /) -> bytes: ...
    def copy(self) -> Self: ...


@dataclass(frozen=True, slots=True)
class Status:
    """The kernel in use for a pair of digests; with ``hashlib``, ``reason`` says why there is no better one."""

    level: str
    reason: str = ""

    @property
    def fused(self) -> bool:
        """Whether a kernel does the work."""
        return self.level != "hashlib"


def status(names: Iterable[str] = ("md5", "sha512")) -> Status:
    """Say which kernel computes a pair of digests here; found out once, and checked against hashlib then."""
    sha = PAIRS.get(frozenset(names))
    return _status(sha) if sha else Status("hashlib", "there is no kernel for these digests")


def make(sha: str, level: str) -> Stream:
    """Make a stream of the wanted level; ValueError if it cannot run here."""
    if level == "hashlib":
        return Plain(sha)
    kernels, reason = _extension()
    if kernels is None:
        raise ValueError(f"there is no kernel {level} here: {reason}")
    stream: Stream = kernels.Stream(sha, level)
    return stream


@cache
def _status(sha: str) -> Status:
    wanted = _wanted()
    if wanted == "hashlib":
        return Status("hashlib", f"{VARIABLE} asks for it")
    if wanted and wanted not in LEVELS:
        _log.warning("%s=%s is none of %s: ignored", VARIABLE, wanted, ", ".join(LEVELS))
        wanted = ""
    if _fips():
        return Status("hashlib", "FIPS mode is on")
    kernels, reason = _extension()
    if kernels is None:
        return Status("hashlib", reason)
    able = kernels.levels(sha)
    if not able:
        return Status("hashlib", f"the processor lacks the instructions for md5 and {sha}")
    # A level of the other pair does not rule this pair's out.
    right = _right(sha, [wanted] if wanted in able else able)
    if not right:
        return Status("hashlib", "the kernels differ from hashlib on this machine")
    return Status(right[0] if len(right) == 1 else _fastest(sha, right))


def _wanted() -> str:
    return os.environ.get(VARIABLE, "").strip().lower()


def _right(sha: str, levels: Iterable[str]) -> list[str]:
    """Give the kernels that agree with hashlib; one warning names the others."""
    found = {level: _agrees(sha, level) for level in levels}
    wrong = [level for level, right in found.items() if not right]
    if wrong:
        _log.warning(
            "for md5 and %s, what the kernel %s computes differs from hashlib on this machine; it is not used: please report this",
            sha,
            " and ".join(wrong),
        )
    return [level for level, right in found.items() if right]


def _fastest(sha: str, levels: Iterable[str]) -> str:
    """Let the kernels race for a millisecond: which one wins depends on the maker of the processor, not on what it can do."""
    data = bytes(_RACE)
    streams = {level: make(sha, level) for level in levels}
    best = dict.fromkeys(streams, float("inf"))
    for _ in range(8):
        for level, stream in streams.items():
            started = time.perf_counter()
            stream.update(data)
            best[level] = min(best[level], time.perf_counter() - started)
    return min(best, key=best.__getitem__)


def _agrees(sha: str, level: str, part: str = "") -> bool:
    """Compare a kernel with hashlib, and with ``part`` that digest of parts, too."""
    data = bytes(at * 167 % 251 for at in range(max(_CHECKED)))
    for length in _CHECKED:
        plain, fused = Plain(sha), make(sha, level)
        beside = make(*PARTS[part]) if part else None
        for piece in (data[: length // 3], memoryview(data)[length // 3 : length]):
            plain.update(piece)
            if beside is None:
                fused.update(piece)
            else:
                fused.update_both(beside, piece)
        if any(plain.digest(name) != fused.digest(name) for name in ("md5", sha)):
            return False
        if beside is not None and beside.digest(part) != plain_digest(part, data[:length]):
            return False
    return True


@cache
def has_part(name: str, level: str) -> bool:
    """Whether a digest of parts costs little beside md5 and sha512 by this kernel; checked against hashlib, once."""
    kernels, _ = _extension()
    if kernels is None or level not in kernels.levels("sha512"):
        return False
    sha, needed = PARTS[name]
    # Who asked for a kernel that is not this may have a reason to avoid the instructions of this.
    wanted = _wanted()
    if needed not in kernels.levels(sha) or (wanted != needed and wanted in kernels.levels(sha)):
        return False
    if _agrees("sha512", level, name):
        return True
    _log.warning(
        "what the kernel %s computes of the %s of parts differs from hashlib on this machine; it is not used: please report this",
        level,
        name,
    )
    return False


@cache
def _extension() -> tuple[Any, str]:
    """Give the extension module, or None and why it cannot be loaded."""
    try:
        return importlib.import_module("multistore_digest._kernels"), ""
    except ImportError as error:
        return None, f"the extension cannot be loaded ({error})"


def _fips() -> bool:
    """Whether only approved digests may be computed, by OpenSSL's flag or the operating system's."""
    try:
        from _hashlib import get_fips_mode
    except ImportError:
        pass  # a Python without OpenSSL has no such mode
    else:
        if get_fips_mode():
            return True
    try:
        with open(_KERNEL_FIPS, encoding="ascii") as file:
            return file.read().strip() == "1"
    except OSError:
        return False
