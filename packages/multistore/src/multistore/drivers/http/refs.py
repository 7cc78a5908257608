"""References of an HTTP store: URLs, taken apart strictly.

Grammar and normal form after RFC 3986, sections 3 and 6.2; hosts that end in a number after the WHATWG URL standard,
section 3.5.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field, replace
from urllib.parse import quote, unquote, urljoin

from multistore.driver import Ref
from multistore.errors import InvalidRef

__all__ = ["PORTS", "HttpRef", "parse", "redacted", "resolve"]

#: The default port of each scheme.
PORTS = {"http": 80, "https": 443}

_LIMIT = 16 * 1024
_LAST_PORT = 65535
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<authority>[^/?#]*)(?P<path>/[^?#]*)?(?P<query>\?[^#]*)?(?:#.*)?",
    re.IGNORECASE,
)
_AUTHORITY = re.compile(
    r"(?:(?P<userinfo>[^@]*)@)?(?P<host>\[[^\[\]]*\]|[^:\[\]@]*)(?::(?P<port>[0-9]{0,5}))?"
)
_NAME = re.compile(r"(?=.{1,254}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x80-\x9f\ud800-\udfff\u2028\u2029]")
#: The user of a URL that stands in the path, as mirrors have it.
_INNER_USER = re.compile(r"//[^/@]*@")
#: A piece of a query.  Only a plain name with a value after it is shown as a name: ``=`` also fills base64 up, and the
#: rest may be anything, from a bare token to another URL.
_PIECE = re.compile(r"(?P<name>[?&](?:[A-Za-z][A-Za-z0-9._-]*=(?=[^&=]))?)[^&]+")
#: Left as they are: what RFC 3986 allows in a path or query, and escapes.
_SAFE = "%/:@!$&'()*+,;=-._~?"


@dataclass(frozen=True, slots=True)
class HttpRef(Ref):
    """``http[s]://[USERINFO@]HOST[:PORT]/PATH[?QUERY]``; the fragment is no part of it.

    ``host`` is in lower case, without brackets; ``path`` begins with a slash, ``query`` with a question mark or is empty.
    ``userinfo`` and ``query`` are secrets: they are not in the repr.
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str = field(default="", repr=False)
    userinfo: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        user = "" if self.userinfo is None else f"{self.userinfo}@"
        return f"{self.scheme}://{user}{self.authority}{self.target}"

    @property
    def authority(self) -> str:
        """What stands in the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def target(self) -> str:
        """What stands in the request line."""
        return self.path + self.query

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: what credentials are bound to."""
        return self.scheme, self.host, self.port

    def credentials(self) -> tuple[str, str] | None:
        """Give the user name and password of the reference itself."""
        if self.userinfo is None:
            return None
        user, _, password = self.userinfo.partition(":")
        return unquote(user), unquote(password)

    def redacted(self) -> str:
        """Give the text without users, passwords and query; of that remain the names of its parameters."""
        user = "" if self.userinfo is None else "***@"
        path = _INNER_USER.sub("//***@", self.path)
        query = _PIECE.sub(r"\g<name>***", self.query)
        return f"{self.scheme}://{user}{self.authority}{path}{query}"


def parse(text: str) -> HttpRef:
    """Take a URL apart; InvalidRef, without quoting it, if it is none of http or https."""
    if len(text) > _LIMIT:
        raise _refusal(f"longer than {_LIMIT} characters")
    if _CONTROL.search(text):
        raise _refusal("it holds control characters")
    if text != text.strip() or "\\" in text:
        raise _refusal("it holds blanks around it, or a backslash")
    match = _URL.fullmatch(text)
    if match is None:
        raise _refusal("not of the form http://HOST/PATH or https://HOST/PATH")
    scheme = match["scheme"].lower()
    parts = _AUTHORITY.fullmatch(match["authority"])
    if parts is None:
        raise _refusal("host or port cannot be read")
    port = int(parts["port"] or PORTS[scheme])
    if not 0 < port <= _LAST_PORT:
        raise _refusal("the port is not within 1 and 65535")
    userinfo = (
        None if parts["userinfo"] is None else quote(parts["userinfo"], safe="%!$&'()*+,;=:-._~")
    )
    path = _escaped(match["path"] or "/")
    if any(step in (".", "..") for step in re.split(r"[/\\]", unquote(path))):
        raise _refusal("its path holds '.' or '..'")
    query = match["query"] or ""
    return HttpRef(scheme, _host(parts["host"]), port, path, _escaped(query), userinfo)


def resolve(base: HttpRef, location: str) -> HttpRef:
    """Give where a redirect from ``base`` leads; InvalidRef if to nowhere."""
    if _CONTROL.search(location) or len(location) > _LIMIT:
        raise _refusal("the redirect holds control characters, or is too long")
    plain = str(replace(base, userinfo=None))
    try:
        found = urljoin(plain, location.strip(" "))
    except ValueError:
        raise _refusal("the redirect leads to no URL") from None
    return parse(found)


def redacted(text: str) -> str:
    """Give a reference without its secrets, whatever the text is."""
    try:
        return parse(text).redacted()
    except InvalidRef:
        scheme = text.partition(":")[0].lower()
        return f"{scheme}://..." if scheme in PORTS else "(no http reference)"


def _host(text: str) -> str:
    text = text.lower()
    if text.startswith("["):
        try:
            address = ipaddress.IPv6Address(text[1:-1])
        except ValueError:
            raise _refusal("its IPv6 address cannot be read") from None
        if address.scope_id is not None:
            raise _refusal("its IPv6 address names an interface")
        return address.compressed
    if not _NAME.fullmatch(text):
        raise _refusal("its host is missing or malformed; write international names as xn--...")
    if _NUMERIC.fullmatch(text.rstrip(".").rpartition(".")[2]):
        try:
            return str(ipaddress.IPv4Address(text))
        except ValueError:
            raise _refusal("its host is a number, but no plain IPv4 address") from None
    return text


def _escaped(text: str) -> str:
    """Escape what may not stand in a URL; existing escapes stay as they are."""
    text = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", text)
    return quote(text, safe=_SAFE)


def _refusal(why: str) -> InvalidRef:
    return InvalidRef(f"this is no http reference: {why}", why=why)
