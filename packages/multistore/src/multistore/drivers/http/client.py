# ruff: noqa: PLR2004 -- statuses of HTTP are known by their numbers
"""Requests and answers: one exchange on one connection, and the redirects in between, followed by hand."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.errors import FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect

from multistore.drivers.http.body import Body
from multistore.drivers.http.dial import Dialler
from multistore.drivers.http.errors import guarded, hopeless
from multistore.drivers.http.refs import HttpRef, resolve
from multistore.drivers.http.settings import HttpSettings
from multistore.drivers.http.wire import Origin, Shelf, Wire
from multistore.errors import AccessDenied, InvalidRef, StoreError, Unavailable

__all__ = ["Client", "Reply"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: A line that is no field hides those after it.  Other defects are about mail.
_MALFORMED = (MissingHeaderBodySeparatorDefect, FirstHeaderLineIsContinuationDefect)
#: So much of an unwanted body is read to keep the connection.
_DRAIN = 4096


@dataclass(slots=True)
class Reply:
    """An answer whose head was read; ``finish`` must be called."""

    status: int
    headers: http.client.HTTPMessage
    body: Body
    where: str
    shelf: Shelf
    origin: Origin
    keep: bool

    def field(self, name: str) -> str | None:
        """Give a header field, without blanks around it."""
        found = self.headers.get(name)
        return None if found is None else str(found).strip()

    def read(self, most: int) -> bytes:
        """Give the next bytes of the body, as they come; every error is one of ours."""
        return guarded(self.where, lambda: self.body.read(most))

    def stream(self) -> None:
        """Let the body take its time: from here on only silence is limited."""
        self.body.wire.deadline = None

    def finish(self) -> None:
        """Give the connection back if the body was read to its end, or close it; idempotent."""
        wire, self.body.wire = self.body.wire, _CLOSED
        if wire is _CLOSED:
            return
        if self.body.ended and self.keep:
            self.shelf.give(self.origin, wire)
        else:
            wire.close()

    def drop(self) -> None:
        """Finish with a body that nobody wants: a short one is read, so that the connection can be kept."""
        try:
            length = self.body.length
            while self.keep and length is not None and length <= _DRAIN and self.read(_DRAIN):
                pass
        except StoreError:
            self.keep = False  # the status says more than a body that breaks off
        finally:
            self.finish()


class Client:
    """Sends requests as the settings and the policy want them."""

    def __init__(self, settings: HttpSettings, dialler: Dialler) -> None:
        self.settings = settings
        self.dialler = dialler
        self.shelf = Shelf()

    def fetch(
        self,
        method: str,
        ref: HttpRef,
        fields: Mapping[str, str],
        credentials: Mapping[str, str],
        *,
        trusted: bool,
    ) -> Reply:
        """Ask for ``ref`` and follow redirects; the answer may have any status but those.

        ``credentials`` are fields for the origin of ``ref`` alone.
        ``trusted`` says that this origin was named by whoever runs the store.
        """
        url, same = ref, True
        for _ in range(self.settings.max_redirects + 1):
            sent = {**fields, **credentials} if same else dict(fields)
            reply = self.exchange(method, url, sent, trusted=trusted and same)
            if reply.status not in _REDIRECTS:
                return reply
            reply.drop()
            following = self._follow(url, reply)
            same = same and following.origin == url.origin
            url = following
        limit = self.settings.max_redirects
        raise hopeless(f"{ref.redacted()}: more than {limit} redirects", "redirects")

    def _follow(self, url: HttpRef, reply: Reply) -> HttpRef:
        where = url.redacted()
        places = reply.headers.get_all("Location") or []
        if len(places) != 1:
            raise hopeless(f"{where}: a redirect without one place to go to", "answer")
        try:
            # A user and password in a redirect are the server's idea, not the caller's.
            found = replace(resolve(url, places[0]), userinfo=None)
        except InvalidRef as error:
            why = error.why
        else:
            if not (url.scheme == "https" and found.scheme == "http"):
                return found
            why = "it leads from https down to http"
        raise AccessDenied(f"{where}: the redirect is not followed: {why}")

    def exchange(
        self, method: str, url: HttpRef, fields: Mapping[str, str], *, trusted: bool
    ) -> Reply:
        """Do one request; a kept connection that turns out to be dead is replaced once."""
        where = url.redacted()
        return guarded(where, lambda: self._exchange(method, url, fields, where, trusted=trusted))

    def _exchange(
        self, method: str, url: HttpRef, fields: Mapping[str, str], where: str, *, trusted: bool
    ) -> Reply:
        origin = (*url.origin, trusted)
        head = self._head(method, url, fields)
        wire = self.shelf.take(origin)
        if wire is not None:
            try:
                return self._ask(wire, method, head, where, origin)
            except ConnectionError:  # includes RemoteDisconnected
                if wire.received:
                    raise
        wire = self.dialler.connect(url, trusted=trusted)
        return self._ask(wire, method, head, where, origin)

    def _head(self, method: str, url: HttpRef, fields: Mapping[str, str]) -> bytes:
        proxy = self.dialler.proxy_for(url)
        target, further = url.target, {}
        if proxy is not None and url.scheme == "http":
            target = f"http://{url.authority}{target}"
            further = self.dialler.proxy_headers(proxy)
        lines = {
            "Host": url.authority,
            "User-Agent": "multistore",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            **further,
            **fields,
        }
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"{method} {target} HTTP/1.1\r\n{text}\r\n".encode("latin-1")

    def _ask(self, wire: Wire, method: str, head: bytes, where: str, origin: Origin) -> Reply:
        try:
            wire.deadline = time.monotonic() + self.settings.header_timeout
            wire.send(head)
            while True:
                answer = http.client.HTTPResponse(
                    wire,  # type: ignore[arg-type]  # only makefile is asked of it
                    method=method,
                )
                answer.begin()
                if answer.status >= 200:  # what comes before is only a notice
                    break
            body = framed(wire, answer, method, where)
            keep = body.reusable and not answer.will_close
            return Reply(answer.status, answer.msg, body, where, self.shelf, origin, keep)
        except BaseException:
            wire.close()
            raise


class _Closed(Wire):
    """Stands for the connection of an answer that is finished."""

    def __init__(self) -> None:
        pass


_CLOSED = _Closed()


def framed(wire: Wire, answer: http.client.HTTPResponse, method: str, where: str) -> Body:
    """Tell where the body ends (RFC 9112, section 6.3); Unavailable if the head is ambiguous."""
    headers = answer.msg
    if any(isinstance(defect, _MALFORMED) for defect in headers.defects):
        raise Unavailable(f"{where}: the server sent a malformed header")
    lengths = {
        part.strip() for value in headers.get_all("Content-Length", []) for part in value.split(",")
    }
    if len(lengths) > 1 or not all(
        text.isascii() and text.isdigit() and len(text) < 19 for text in lengths
    ):
        raise Unavailable(f"{where}: the server sent a Content-Length that is no number")
    if method == "HEAD" or answer.status in (204, 304):
        return Body(wire, length=0, chunked=False, where=where)
    codings = ",".join(headers.get_all("Transfer-Encoding", [])).strip().lower()
    if codings not in ("", "chunked"):
        raise Unavailable(f"{where}: the server sent a Transfer-Encoding that nobody asked for")
    length = int(lengths.pop()) if lengths else None
    return Body(wire, length=length, chunked=bool(codings), where=where)
