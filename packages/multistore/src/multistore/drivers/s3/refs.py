"""References, names of images, and tokens of unfinished uploads.

A reference is ``s3+https://HOST[:PORT][/PATH]/BUCKET/KEY``, with ``s3`` for http: nothing in it is percent-encoded.
It is as old as the driver of Glance, which once wrote credentials in front of the host: those are read, and forgotten.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from urllib.parse import quote, unquote

from multistore.config import shown
from multistore.driver import Ref
from multistore.errors import InvalidRef

__all__ = ["HIDDEN", "S3Ref", "Token", "check_name", "new_token", "parse_ref", "parse_token"]

#: Where the marks of unfinished uploads stand; no image's key has a slash.
HIDDEN = ".multistore/"

SCHEMES = ("s3", "s3+http", "s3+https")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,254}")
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~-]+)*")
_LONGEST = 512  # bytes of a name; a key may have 1024, and a mark's key holds more than the name
_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class S3Ref(Ref):
    """``SCHEME://HOST/BUCKET/KEY``; ``host`` may have a port and a path."""

    scheme: str
    host: str
    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}/{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class Token:
    """An upload: bucket, key, the number that the server gave to it, and our own, which its object keeps.

    ``upload`` is empty where all is sent at once.
    """

    bucket: str
    key: str
    upload: str
    id: str

    def __str__(self) -> str:
        return "/".join(
            quote(part, safe="") for part in (self.bucket, self.key, self.upload, self.id)
        )

    @property
    def mark(self) -> str:
        """The end of the key that says that this upload is ours; it needs no bucket."""
        return str(self).partition("/")[2]


def parse_ref(text: str) -> S3Ref:
    """Take a reference apart; InvalidRef if it is none.

    What cannot be taken apart is never shown: older ones begin with credentials.
    """
    scheme, sign, rest = text.partition("://")
    if not sign or scheme not in SCHEMES:
        raise _invalid("it does not begin with s3://, s3+http:// or s3+https://")
    if "://" in rest:
        raise _invalid("it has a second ://")
    rest = re.split("[?#]", rest, maxsplit=1)[0].rstrip("/")
    tail = rest.rpartition("@")[2]
    if tail != rest and len(tail.split("/")) > 2:  # noqa: PLR2004 - host, bucket, key
        rest = tail
    place, _, key = rest.rpartition("/")
    host, _, bucket = place.rpartition("/")
    if not (host and bucket and key):
        raise _invalid("it does not name a server, a bucket and a key")
    if not rest.isprintable():
        raise _invalid("it has unprintable characters")
    if _HOST.fullmatch(host) is None:
        raise _invalid("what it names first is no server")
    if _BUCKET.fullmatch(bucket) is None:
        raise _invalid("what it names as a bucket cannot be one")
    if key in (".", ".."):
        raise _invalid("its key is . or ..")
    return S3Ref(scheme, host, bucket, key)


def _invalid(why: str) -> InvalidRef:
    return InvalidRef(f"this is no reference to an S3 object: {why}", why=why)


def check_name(name: str, prefix: str) -> None:
    """Refuse, with InvalidRef, what cannot be the name of a new image."""
    why = ""
    if not name:
        why = "it is empty"
    elif not name.isprintable():
        why = "it has unprintable characters"
    elif set(name) & set("/?#"):
        why = "it has a /, ? or #, which would end it in a reference"
    elif "://" in name:
        why = "it has ://"
    elif prefix + name in (".", ".."):
        why = "it is . or .., which servers take for a path"
    elif len((prefix + name).encode()) > _LONGEST:
        why = f"it is longer than {_LONGEST} bytes"
    elif name != name.strip():
        why = "it begins or ends with a space"
    if why:
        raise InvalidRef(f"'{shown(name)}' cannot be the name of an S3 object: {why}", why=why)


def new_token(bucket: str, key: str, upload: str = "") -> Token:
    """Make the token of a new upload."""
    return Token(bucket, key, upload, secrets.token_hex(8))


def parse_token(text: str) -> Token | None:
    """Take a token apart; None if nothing can have it."""
    parts = [unquote(part) for part in text.split("/")]
    if len(parts) != 4:  # noqa: PLR2004 - the fields of a token
        return None
    token = Token(*parts)
    good = token.bucket and token.key and _ID.fullmatch(token.id)
    return token if good and str(token) == text and all(map(str.isprintable, parts)) else None
