"""Locations without their secrets, for logs and messages."""

from __future__ import annotations

import re

__all__ = ["redact", "redact_text"]

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>]+")


def redact(uri: object) -> str:
    """Give a location without user, password and query; pure, and robust against any text.

    Secrets of the field contain ``/``, ``?`` and ``@`` unquoted, so whatever may be one goes, at the price of a host now and then.

    >>> redact("https://me:s3cret@host/path?sig=abc")
    'https://***@host/path?***'
    """
    text = uri if isinstance(uri, str) else str(uri)
    scheme, mark, rest = text.partition("://")
    if not mark:
        # nothing that could be told apart: a bare path, or rubbish
        kept = text[text.rindex("@") :] if "@" in text else text
        head, query, _tail = kept.partition("?")
        return ("***" if "@" in text else "") + head + ("?***" if query else "")
    if "@" in scheme or "?" in scheme:
        return "***"
    match = re.search(r"[?#]", rest)
    head, tail = (rest[: match.start()], rest[match.start() :]) if match else (rest, "")
    if "@" in tail:
        return f"{scheme}://***"
    if not head.startswith("/") and "@" in head:
        head = "***" + head[head.rindex("@") :]
    return f"{scheme}://{head}" + (f"{tail[0]}***" if tail else "")


def redact_text(text: object) -> str:
    """Give a text in which every location is redacted.

    >>> redact_text("cannot reach http://me:pw@host/x: refused")
    'cannot reach http://***@host/x: refused'
    """
    return _URI.sub(lambda match: redact(match[0]), str(text))
