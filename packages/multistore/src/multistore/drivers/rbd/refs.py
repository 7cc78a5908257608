"""References, the names of images and of everything else in a pool, and tokens.

A reference is ``rbd://FSID/POOL/IMAGE/SNAPSHOT``, each part percent-encoded, or ``rbd://IMAGE``, which is as old as
the driver of Glance and is taken as it is.
Nova and Cinder take it apart themselves: its text is a wire format.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from urllib.parse import quote, unquote

from multistore.config import shown
from multistore.driver import Ref
from multistore.errors import InvalidRef

__all__ = [
    "SNAPSHOT",
    "RbdRef",
    "Token",
    "check_name",
    "hidden_name",
    "image_name",
    "is_hidden",
    "parse_ref",
    "parse_token",
]

#: The snapshot that publishes an image; Nova knows it by this name.
SNAPSHOT = "snap"

_PREFIX = "rbd://"
_HIDDEN = ".multistore-"
_NAME = re.compile(r"\.multistore-(?:new|gone)-[0-9a-f]{16}\.(?P<name>.+)", re.DOTALL)
_ID = re.compile(r"[0-9a-zA-Z]{1,128}")
_LONGEST = 255  # bytes of a name; RADOS takes more, other tools may not


@dataclass(frozen=True, slots=True)
class RbdRef(Ref):
    """``rbd://FSID/POOL/IMAGE/SNAPSHOT``; of the old form only ``image`` is known."""

    image: str
    pool: str | None = None
    fsid: str | None = None
    snapshot: str | None = None

    def __str__(self) -> str:
        if self.fsid is None or self.pool is None or self.snapshot is None:
            return _PREFIX + self.image
        parts = (self.fsid, self.pool, self.image, self.snapshot)
        return _PREFIX + "/".join(quote(part, safe="") for part in parts)


@dataclass(frozen=True, slots=True)
class Token:
    """Something hidden: its pool, its hidden name, and the number that Ceph gave to the image, never used again."""

    pool: str
    hidden: str
    id: str

    @property
    def gone(self) -> bool:
        """Whether it is a deleted image, and no upload."""
        return self.hidden.startswith(f"{_HIDDEN}gone-")

    @property
    def name(self) -> str:
        """The name that the image will have, or had."""
        return image_name(self.hidden)

    def __str__(self) -> str:
        return "/".join(quote(part, safe="") for part in (self.pool, self.hidden, self.id))


def parse_ref(text: str) -> RbdRef:
    """Take a reference apart; InvalidRef if it is none, whatever it looks like."""
    if not text.startswith(_PREFIX):
        raise _invalid(text, "it does not begin with rbd://")
    parts = text.removeprefix(_PREFIX).split("/")
    if len(parts) not in (1, 4):
        raise _invalid(text, "it has neither one part nor four")
    if not all(parts):
        raise _invalid(text, "a part of it is empty")
    if len(parts) == 1:
        ref = RbdRef(parts[0])
    else:
        try:
            fsid, pool, image, snapshot = (unquote(part, errors="strict") for part in parts)
        except UnicodeDecodeError:
            raise _invalid(text, "a part of it is not UTF-8") from None
        ref = RbdRef(image, pool, fsid, snapshot)
    for part in (ref.image, ref.pool, ref.fsid, ref.snapshot):
        # A NUL would cut the name short on its way into the library, which then finds another image.
        if part is not None and not part.isprintable():
            raise _invalid(text, "it has unprintable characters")
    if ref.image.startswith(_HIDDEN):
        raise _invalid(text, f"names with {_HIDDEN} are those of unfinished images")
    return ref


def _invalid(text: str, why: str) -> InvalidRef:
    # What does not look like one of ours may be another store's, with a password in it.
    rest = text.removeprefix(_PREFIX)
    what = _PREFIX + shown(rest) if rest != text else shown(text)
    return InvalidRef(f"'{what}' is no reference to an RBD image: {why}", why=why)


def check_name(name: str) -> None:
    """Refuse, with InvalidRef, what cannot be the name of a new image."""
    why = ""
    if not name:
        why = "it is empty"
    elif not name.isprintable():
        why = "it has unprintable characters"
    elif "/" in name or "@" in name:
        why = "it has a / or @, which separate pools, images and snapshots for Ceph's tools"
    elif name.startswith(_HIDDEN):
        why = f"it begins with {_HIDDEN}"
    elif len(name.encode()) > _LONGEST:
        why = f"it is longer than {_LONGEST} bytes"
    if why:
        raise InvalidRef(f"'{shown(name)}' cannot be the name of an RBD image: {why}", why=why)


def hidden_name(name: str, *, gone: bool = False) -> str:
    """Make a name, never used before, for an image that is not published yet, or ``gone``: not any more."""
    return f"{_HIDDEN}{'gone' if gone else 'new'}-{secrets.token_hex(8)}.{name}"


def is_hidden(name: str) -> bool:
    """Say whether this is a name of our own making."""
    return _NAME.fullmatch(name) is not None


def image_name(hidden: str) -> str:
    """Give the name that a hidden image will have, or had."""
    found = _NAME.fullmatch(hidden)
    return found["name"] if found else hidden


def parse_token(text: str) -> Token | None:
    """Take a token apart; None if nothing can have it."""
    try:
        pool, hidden, image_id = (unquote(part) for part in text.split("/"))
    except ValueError:
        return None
    token = Token(pool, hidden, image_id)
    plain = all(part.isprintable() for part in (token.pool, token.hidden))
    good = plain and token.pool and is_hidden(token.hidden) and _ID.fullmatch(token.id)
    return token if good and str(token) == text else None
