"""References, the names of volumes, and tokens.

A reference is ``cinder://STORE/VOLUME`` or, in the older form, ``cinder://VOLUME``; the volume's number alone says where
the bytes are.
Nova and Cinder take it apart themselves: its text is a wire format.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from multistore.config import shown
from multistore.driver import Ref
from multistore.errors import InvalidRef

__all__ = [
    "CinderRef",
    "Token",
    "check_name",
    "image_named",
    "new_nonce",
    "parse_ref",
    "parse_token",
    "volume_name",
]

_PREFIX = "cinder://"
_NAME = "image-"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TOKEN = re.compile(rf"(?P<volume>{_UUID.pattern})/(?P<nonce>[0-9a-f]{{32}})")
_PLANE = 0xFFFF  # MySQL's utf8 has no characters beyond it
_LONGEST = 255  # characters of a volume's name, and of a value of its metadata


@dataclass(frozen=True, slots=True)
class CinderRef(Ref):
    """``cinder://STORE/VOLUME``; of the old form only ``volume`` is known."""

    volume: str
    store: str | None = None

    def __str__(self) -> str:
        return f"{_PREFIX}{self.volume if self.store is None else f'{self.store}/{self.volume}'}"


@dataclass(frozen=True, slots=True)
class Token:
    """An upload: its volume, and a number that no other upload has."""

    volume: str
    nonce: str

    def __str__(self) -> str:
        return f"{self.volume}/{self.nonce}"


def parse_ref(text: str) -> CinderRef:
    """Take a reference apart; InvalidRef if it is none, whatever it looks like."""
    if not text.startswith(_PREFIX):
        raise _invalid(text, "it does not begin with cinder://")
    store, slash, volume = text.removeprefix(_PREFIX).rpartition("/")
    if not _UUID.fullmatch(volume):
        raise _invalid(text, "it does not end with the number of a volume, a UUID in lower case")
    if slash and not (store.isprintable() and all(store.split("/"))):
        raise _invalid(text, "the name of its store is empty or has unprintable characters")
    return CinderRef(volume, store if slash else None)


def _invalid(text: str, why: str) -> InvalidRef:
    # What does not look like one of ours may be another store's, with a password in it.
    rest = text.removeprefix(_PREFIX)
    what = _PREFIX + shown(rest) if rest != text else shown(text)
    return InvalidRef(f"'{what}' is no reference to a volume: {why}", why=why)


def check_name(name: str) -> None:
    """Refuse, with InvalidRef, what cannot be the name of a new image."""
    why = ""
    if not name:
        why = "it is empty"
    elif not name.isprintable():
        why = "it has unprintable characters"
    elif name != name.strip():
        why = "it begins or ends with a blank, which Cinder drops"
    elif max(map(ord, name)) > _PLANE:
        why = "it has characters that not every database of Cinder takes"
    elif len(volume_name(name)) > _LONGEST:
        why = f"the name of its volume would be longer than {_LONGEST} characters"
    if why:
        raise InvalidRef(f"'{shown(name)}' cannot be the name of a volume's image: {why}", why=why)


def volume_name(name: str) -> str:
    """Give the name of the volume of an image; operators and Cinder know it by that."""
    return _NAME + name


def image_named(volume: str) -> str | None:
    """Give the name of the image of which a volume has the name; None if it has another kind of name."""
    return volume.removeprefix(_NAME) or None if volume.startswith(_NAME) else None


def new_nonce() -> str:
    """Make a number for a new upload."""
    return secrets.token_hex(16)


def parse_token(text: str) -> Token | None:
    """Take a token apart; None if nothing can have it."""
    found = _TOKEN.fullmatch(text)
    return Token(found["volume"], found["nonce"]) if found else None
