"""References, and the names of images and of everything else in a directory.

A reference is ``file://`` and the absolute path, as it is: nothing is escaped, so that ``%20`` is three characters of the
name, as in the locations that the glance_store interface has always written.
Everything whose name begins with a dot is no image.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from dataclasses import dataclass

from multistore.config import shown
from multistore.driver import Ref
from multistore.errors import InvalidRef

__all__ = [
    "MARKER",
    "FileRef",
    "Token",
    "check_name",
    "claim_name",
    "image_name",
    "is_unfinished",
    "parse_ref",
    "parse_token",
    "temporary_name",
]

#: The file that marks a directory as one of a store.
MARKER = ".multistore"

_PREFIXES = ("file://", "filesystem://")
_LONGEST = 255  # bytes of a name, NAME_MAX of every file system that matters
_TEMPORARY = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{16}\.part", re.DOTALL)
_CLAIM = re.compile(r"\.[0-9a-f]{32}\.claim")
_AFFIXES = 1 + 1 + 16 + 5  # bytes that a temporary name has more than the image's
_WHOLE = _LONGEST - _AFFIXES - 4  # the longest name that is kept whole in a temporary one
_TOKEN = re.compile(
    r"(?P<path>/.*)/(?P<entry>[^/]+):(?P<inode>[0-9]{1,20}):(?P<generation>[0-9]{1,20})"
)


@dataclass(frozen=True, slots=True)
class FileRef(Ref):
    """``file:///DIRECTORY/NAME``; ``path`` is absolute, without ``.``, ``..`` and doubled slashes."""

    path: str

    def __str__(self) -> str:
        return "file://" + self.path

    @property
    def name(self) -> str:
        """The last component of the path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Token:
    """An unfinished upload: its directory, its temporary file and what tells that file from every other.

    Inode numbers are used again; the generation, where the file system has one, is not.
    """

    directory: str
    entry: str
    inode: int
    generation: int

    def __str__(self) -> str:
        return f"{self.directory.rstrip('/')}/{self.entry}:{self.inode}:{self.generation}"


def parse_ref(text: str) -> FileRef:
    """Take a reference apart; InvalidRef if it is none, whatever it looks like."""
    for prefix in _PREFIXES:
        if text.startswith(prefix):
            path = text.removeprefix(prefix)
            break
    else:
        raise _invalid(text, "it does not begin with file:///")
    if not path.startswith("/"):
        raise _invalid(text, "the path is not absolute")
    if not path.isprintable():
        raise _invalid(text, "it has unprintable characters")
    names = [name for name in path.split("/") if name]
    if not names or path.endswith("/"):
        raise _invalid(text, "it names no file")
    if {".", ".."} & set(names):
        raise _invalid(text, "the path has the component '.' or '..'")
    if any(_too_long(name) for name in names):
        raise _invalid(text, f"a component is longer than {_LONGEST} bytes")
    if names[-1].startswith("."):
        raise _invalid(text, "names of images do not begin with a dot")
    return FileRef("/" + "/".join(names))


def _invalid(text: str, why: str) -> InvalidRef:
    # What does not look like one of ours may be another store's, with a password in it.
    scheme, _, path = text.partition(":///")
    what = f"{scheme}:///{shown(path)}" if f"{scheme}://" in _PREFIXES else shown(text)
    return InvalidRef(f"'{what}' is no reference to an image file: {why}", why=why)


def check_name(name: str) -> None:
    """Refuse, with InvalidRef, what cannot be the name of an image."""
    why = ""
    if not name:
        why = "it is empty"
    elif "/" in name:
        why = "it has a separator"
    elif not name.isprintable():
        why = "it has unprintable characters"
    elif name.startswith("."):
        why = "it begins with a dot"
    elif _too_long(name):
        why = f"it is longer than {_LONGEST} bytes"
    if why:
        raise InvalidRef(f"'{shown(name)}' cannot be the name of an image file: {why}", why=why)


def _too_long(name: str) -> bool:
    return len(os.fsencode(name)) > _LONGEST


def temporary_name(name: str) -> str:
    """Make a name for the temporary file of an image, never used before.

    Where the image's name would make it too long it is cut, and filled up to exactly the longest name there can be.
    """
    encoded = os.fsencode(name)
    if len(encoded) > _WHOLE:
        name = encoded[:_WHOLE].decode(errors="ignore")
        name += "~" * (_LONGEST - _AFFIXES - len(os.fsencode(name)))
    return f".{name}.{secrets.token_hex(8)}.part"


def claim_name(name: str) -> str:
    """Give the name of the file that is locked while an image gets its name where nothing else is exclusive."""
    return f".{hashlib.sha256(os.fsencode(name)).hexdigest()[:32]}.claim"


def is_unfinished(entry: str) -> bool:
    """Say whether a directory entry belongs to an unfinished upload."""
    return bool(_TEMPORARY.fullmatch(entry) or _CLAIM.fullmatch(entry))


def image_name(entry: str) -> str | None:
    """Give the name that an unfinished upload's image will have; None where its entry does not tell."""
    found = _TEMPORARY.fullmatch(entry)
    return found["name"] if found and len(os.fsencode(entry)) < _LONGEST else None


def parse_token(text: str) -> Token | None:
    """Take a token apart; None if no upload can have it."""
    found = _TOKEN.fullmatch(text)
    if found is None or not is_unfinished(found["entry"]) or not text.isprintable():
        return None
    token = Token(found["path"], found["entry"], int(found["inode"]), int(found["generation"]))
    return token if str(token) == text else None
