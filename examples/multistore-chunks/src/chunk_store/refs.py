"""References, names and tokens: texts that lead to a directory, and to no other."""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from multistore.driver import Ref
from multistore.errors import InvalidRef

__all__ = ["SCHEME", "ChunkRef", "encode", "is_token", "name_of", "parse"]

SCHEME = "chunks://"
#: Bytes of an encoded name: 255 for a file's name, less the longest prefix of a token.
_LONGEST = 233
_TOKEN = re.compile(rf"(gone-)?[0-9a-f]{{16}}\.[^/\0]{{1,{_LONGEST}}}")


@dataclass(frozen=True, slots=True)
class ChunkRef(Ref):
    """``chunks:///ROOT/NAME``, both percent-encoded."""

    root: str
    name: str

    def __str__(self) -> str:
        return f"{SCHEME}{quote(self.root)}/{encode(self.name)}"


def parse(text: str) -> ChunkRef:
    """Take a reference apart; InvalidRef if it is none."""
    root, _, name = text.removeprefix(SCHEME).rpartition("/")
    try:
        ref = ChunkRef(unquote(root, errors="strict"), unquote(name, errors="strict"))
        well_formed = text.startswith(SCHEME) and ref.root.startswith("/") and encode(ref.name)
        quote(ref.root)
    except UnicodeError:
        well_formed = ""
    if not well_formed:
        why = "not chunks:///ROOT/NAME"
        raise InvalidRef(f"{text!r} is not of the form chunks:///ROOT/NAME", why=why)
    return ref


def encode(name: str) -> str:
    """Make a name safe as one component of a path: no slash, no dots, nothing unprintable."""
    try:
        encoded = quote(name, safe="").replace(".", "%2E").replace("~", "%7E")
    except UnicodeError:
        raise InvalidRef("a name is text that UTF-8 can hold", why="not UTF-8") from None
    if not 0 < len(encoded) <= _LONGEST:
        why = f"a name has 1 to {_LONGEST} encoded characters"
        raise InvalidRef(f"{why}, this one {len(encoded)}", why=why)
    return encoded


def is_token(text: str) -> bool:
    """Say whether a text can be the token of an upload: whatever else comes is unknown, not dangerous."""
    return _TOKEN.fullmatch(text) is not None


def name_of(token: str) -> str:
    """Give the encoded name in a token, ``HEX.NAME``."""
    return token.partition(".")[2]
