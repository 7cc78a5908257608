"""References, names of images and segments, and tokens of unfinished uploads.

A reference is ``SCHEME://[USER:KEY@]PLACE/CONTAINER/OBJECT``; the place is where the account's storage is, or where one
logs in to it.  ``swift+config://SECTION/CONTAINER/OBJECT`` names a section of the file with accounts instead.
User and key are percent-encoded, container and object are not: so it has been since the first driver of Glance.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from multistore.config import Secret, shown
from multistore.driver import Ref
from multistore.errors import InvalidRef

__all__ = [
    "CONFIG",
    "SCHEMES",
    "SwiftRef",
    "Token",
    "check_name",
    "is_segment",
    "made_by",
    "marked",
    "new_token",
    "parse_ref",
    "parse_token",
    "speaks",
]

SCHEMES = ("swift", "swift+https", "swift+http", "swift+config")
CONFIG = "swift+config"
_HOST = re.compile(
    r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~%:-]+)*"
)
_SECTION = re.compile(r"[^\s/?#@%\x00-\x1f]+")
_ID = re.compile(r"[0-9a-f]{16}")
#: Ours are NAME-ID-NUMBER, sub-manifests NAME-ID-mNUMBER, marks NAME-ID.begun; those of earlier drivers UUID-NUMBER.
_SEGMENT = re.compile(
    r"(?P<name>.+)-(?P<id>[0-9a-f]{16})(?:-m?[0-9]{5,}|(?P<mark>\.begun))", re.DOTALL
)
_OLD_SEGMENT = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-[0-9]{5,}")
_LONGEST = 900  # bytes of a name: an object's may have 1024, and a segment's is longer


@dataclass(frozen=True, slots=True)
class SwiftRef(Ref):
    """A reference; ``place`` is a host with port and path, or the name of a section."""

    scheme: str
    place: str
    container: str
    object: str
    user: str | None = None
    key: Secret | None = field(default=None, repr=False)

    def __str__(self) -> str:
        who = ""
        if self.user is not None and self.key is not None:
            who = f"{quote(self.user, safe='')}:{quote(self.key.reveal(), safe='')}@"
        return f"{self.scheme}://{who}{self.place}/{self.container}/{self.object}"

    @property
    def redacted(self) -> str:
        """The reference without credentials."""
        return f"{self.scheme}://{self.place}/{self.container}/{self.object}"

    @property
    def url(self) -> str:
        """The place as a URL."""
        return f"{'http' if self.scheme == 'swift+http' else 'https'}://{self.place}"


@dataclass(frozen=True, slots=True)
class Token:
    """An upload: its container, the image's name, and what tells it from others of this name."""

    container: str
    name: str
    id: str

    def __str__(self) -> str:
        return "/".join(quote(part, safe="") for part in (self.container, self.name, self.id))

    @property
    def stem(self) -> str:
        """What the names of all that is its begin with."""
        return f"{self.name}-{self.id}"

    @property
    def prefix(self) -> str:
        """What the names of its segments begin with."""
        return f"{self.stem}-"

    @property
    def mark(self) -> str:
        """The object that says that something of it may be there which is no image's."""
        return f"{self.stem}.begun"

    def segment(self, number: int) -> str:
        """Name a segment; they are counted from 1."""
        return f"{self.prefix}{number:05d}"

    def part(self, number: int) -> str:
        """Name a manifest that the manifest of the image refers to."""
        return f"{self.prefix}m{number:05d}"


def speaks(place: str, container: str) -> bool:
    """Say whether references can name such a section and container."""
    text = str(SwiftRef(CONFIG, place, container, "x"))
    try:
        return parse_ref(text) == SwiftRef(CONFIG, place, container, "x")
    except InvalidRef:
        return False


def parse_ref(text: str) -> SwiftRef:
    """Take a reference apart, with credentials in every form that was ever written; InvalidRef if it is none."""
    scheme, mark, rest = text.partition("://")
    if not mark or scheme not in SCHEMES:
        raise _invalid(
            "it does not begin with swift://, swift+http://, swift+https:// or swift+config://"
        )
    if "://" in rest:
        raise _invalid("it has a second ://")
    if not rest.isprintable():
        raise _invalid("it has unprintable characters")
    rest = re.split("[?#]", rest, maxsplit=1)[0].removeprefix("/")
    who, at, tail = rest.rpartition("@")
    user = key = None
    if at and tail.count("/") >= 2:  # noqa: PLR2004 - host, container, object
        user, key = _credentials(who)
        rest = tail
    place, _, name = rest.rpartition("/")
    host, _, container = place.rpartition("/")
    if not (host and container and name):
        raise _invalid("it does not name a place, a container and an object")
    if {container, name} & {".", ".."}:
        raise _invalid("its container or object is . or ..")
    if scheme == CONFIG:
        if at or _SECTION.fullmatch(host.partition("/")[0]) is None:
            raise _invalid("it does not name a section of the file with accounts")
    elif _HOST.fullmatch(host) is None or {".", ".."} & set(host.split("/")):
        raise _invalid("what it names first is no server")
    return SwiftRef(scheme, host, container, name, user, key)


def _credentials(text: str) -> tuple[str, Secret]:
    """Split at the last colon, before decoding; a slash that an earlier driver left as it is may be in either."""
    user, colon, key = text.rpartition(":")
    if not colon or not user or "@" in text:
        raise _invalid("its credentials are not USER:KEY")
    return unquote(user), Secret(unquote(key))


def _invalid(why: str) -> InvalidRef:
    return InvalidRef(f"this is no reference to a Swift object: {why}", why=why)


def check_name(name: str) -> None:
    """Refuse, with InvalidRef, what cannot be the name of a new image."""
    why = ""
    if not name:
        why = "it is empty"
    elif not name.isprintable():
        why = "it has unprintable characters"
    elif set(name) & set("/?#@"):
        why = "it has a /, ?, # or @, which a reference cannot hold"
    elif "://" in name:
        why = "it has ://"
    elif name in (".", ".."):
        why = "it is . or .., which servers take for a path"
    elif len(name.encode()) > _LONGEST:
        why = f"it is longer than {_LONGEST} bytes"
    elif name != name.strip():
        why = "it begins or ends with a space"
    elif is_segment(name):
        why = "it looks like the name of a segment"
    if why:
        raise InvalidRef(f"'{shown(name)}' cannot be the name of a Swift object: {why}", why=why)


def is_segment(name: str) -> bool:
    """Say whether an object of this name is a part of an image, and no image."""
    return bool(_SEGMENT.fullmatch(name) or _OLD_SEGMENT.fullmatch(name))


def marked(container: str, name: str) -> Token | None:
    """Say which upload a mark belongs to; None if the name is no mark's."""
    match = _SEGMENT.fullmatch(name)
    return Token(container, match["name"], match["id"]) if match and match["mark"] else None


def made_by(container: str, name: str, number: str | None) -> Token | None:
    """Give the upload that an object says it was made by; None if it does not say so."""
    return Token(container, name, number) if number and _ID.fullmatch(number) else None


def new_token(container: str, name: str) -> Token:
    """Make the token of a new upload."""
    return Token(container, name, secrets.token_hex(8))


def parse_token(text: str) -> Token | None:
    """Take a token apart; None if nothing can have it."""
    parts = [unquote(part) for part in text.split("/")]
    if len(parts) != 3:  # noqa: PLR2004 - the fields of a token
        return None
    token = Token(*parts)
    if not (token.container and _ID.fullmatch(token.id) and str(token) == text):
        return None
    try:
        check_name(token.name)
    except InvalidRef:
        return None
    return token if all(map(str.isprintable, parts)) and "/" not in token.container else None
