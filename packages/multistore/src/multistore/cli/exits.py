"""From what went wrong to an exit code, and to the lines that say so."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator

from multistore.errors import StoreError

__all__ = [
    "CODES",
    "DIFFERENT",
    "PARTIAL",
    "SOURCE",
    "UNVERIFIABLE",
    "describe",
    "exit_code",
    "notes_of",
    "worst",
]

#: What errors call the store that reads a URL of nobody's.
SOURCE = "source"

DIFFERENT, UNVERIFIABLE, PARTIAL = 7, 8, 9

#: Every exit code and its meaning, as the manual shows them.
CODES = {
    0: "everything was done",
    2: "the command line, a reference or the configuration is wrong; nothing was done",
    3: "not found",
    4: "exists already, and was left alone",
    5: "not now: the store does not answer, is busy, or in use; the same command may succeed later",
    6: "not possible: no rights, no space, not supported, or an error of this machine",
    7: "differences: wrong bytes, a wrong size or digest, a damaged or missing copy",
    8: "some copies could not be verified, and nothing worse",
    9: "done in part: enough stores have the image, others failed",
    129: "the terminal was closed; what had begun was taken back",
    130: "interrupted; what had begun was taken back",
    141: "whoever read standard output closed it",
    143: "ended by SIGTERM; what had begun was taken back",
}
#: Of several results the first of these is the command's.
_PRECEDENCE = (143, 130, 129, 141, 7, 2, 6, 5, 3, 4, 9, 8, 0)

#: What to do about errors of the stores, those of a put first.
_PUT_HINTS = {
    "AlreadyExists": "the store has an object of this name that is no image of the catalog: choose another name",
    "Corrupt": "compare the source, and the digest, with what the publisher says",
    "NotFound": "'multistore stores --check' tells what is wrong with the store",
    "SizeMismatch": "compare the source, and --size, with what the publisher says",
}
_STORE_HINTS = {
    "AccessDenied": "'multistore stores --check' tells whether the store can be used; see the rights of its owner",
    "Corrupt": "'multistore verify --repair NAME' writes damaged copies anew",
    "InUse": "wait for whoever holds it, then repeat the command",
    "NoSpace": "make room, or choose another store with --store",
    "NotFound": "'multistore verify NAME' tells which copies are there",
    "RateLimited": "repeat the command later",
    "SizeMismatch": "'multistore verify NAME' tells which copies are whole",
    "TimedOut": "'multistore stores --check' tells which store answers; then repeat the command",
    "Unauthenticated": "see the credentials of the store in multistore.toml",
    "Unavailable": "'multistore stores --check' tells which store answers; then repeat the command",
    "Unsupported": "'multistore stores' shows what each store can do",
}
#: The same for those that no store raised.
_HINTS = {
    "AlreadyExists": "choose another name, or remove the image first: multistore rm NAME",
    "InUse": "wait for whoever holds it, then repeat the command",
    "NotFound": "'multistore ls' shows the names, 'multistore stat NAME' the copies",
    "SizeMismatch": "compare the source, and --size, with what the publisher says",
}
_SYSTEM_HINTS = {
    errno.EACCES: "become a user who may, or change the rights",
    errno.EDQUOT: "make room, or choose another place",
    errno.ENOENT: "see the spelling; a relative path begins in the current directory",
    errno.ENOSPC: "make room, or choose another place",
}


def errors_in(error: BaseException) -> Iterator[BaseException]:
    """Give the errors in a group, or the error itself."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from errors_in(each)
    else:
        yield error


def exit_code(error: BaseException) -> int:
    """Give the exit code of an error."""
    return worst(map(_code, errors_in(error)))


def _code(error: BaseException) -> int:
    if isinstance(error, StoreError):
        return error.exit_code
    if isinstance(error, FileNotFoundError):
        return 3
    return 2 if isinstance(error, ValueError) else 6


def worst(codes: Iterable[int]) -> int:
    """Give the exit code of several results together."""
    found = set(codes)
    return next((code for code in _PRECEDENCE if code in found), 0 if not found else max(found))


def describe(error: BaseException) -> list[tuple[str, str | None]]:
    """Give each error as a line, and the hint that goes with it.

    The text of an error that is none of ours may quote anything, so an OSError is told by its reason and path.
    """
    lines = []
    for each in errors_in(error):
        kind = type(each).__name__
        hint: str | None = None
        if isinstance(each, StoreError):
            text, hint = f"{kind}: {each}", _hint(each)
        elif isinstance(each, OSError):
            where = f": {os.fsdecode(each.filename)}" if each.filename else ""
            text, hint = f"{each.strerror or kind}{where}", _SYSTEM_HINTS.get(each.errno or 0)
        elif isinstance(each, ValueError):
            text, hint = str(each), "see --help"
        else:
            text, hint = f"{kind}: {each}", "run it again with --debug, and report what it shows"
        lines.append(("; ".join([text, *notes_of(each)]), hint))
    return lines


def notes_of(error: BaseException) -> list[str]:
    """Give what was noted on an error on its way: what is left behind, say."""
    return list(getattr(error, "__notes__", ()))


def _hint(error: StoreError) -> str | None:
    kind = type(error).__name__
    if error.store is None:
        return _HINTS.get(kind)
    if error.store == SOURCE:
        return None  # nothing that multistore.toml names
    if error.verb == "put" and kind in _PUT_HINTS:
        return _PUT_HINTS[kind]
    return _STORE_HINTS.get(kind)
