# ruff: noqa: PLR2004 -- statuses of HTTP are known by their numbers
"""Requests to one account: each on a kept connection of its own, with a token that is renewed once if it is refused."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from multistore.driver import PerProcess, Pool
from multistore.drivers.swift.errors import guarded, refusal
from multistore.drivers.swift.identity import Identity, end_wire, new_wire
from multistore.drivers.swift.settings import SwiftSettings
from multistore.errors import Unavailable

__all__ = ["Reply", "Server", "Swift", "pieces"]

#: So much of a body that nobody wants is read, to keep the connection.
_DRAIN = 65536
_PIECE = 1 << 20
#: Bodies that are read as a whole: listings and manifests have some megabytes.
_LARGEST = 64 << 20


@dataclass(slots=True)
class Reply:
    """An answer: its status, its fields with names in lower case, and its body unless that is streamed."""

    status: int
    fields: Mapping[str, str]
    body: bytes = b""

    def number(self, name: str) -> int | None:
        """Give a field that is a number."""
        text = self.fields.get(name, "")
        return int(text) if text.isascii() and text.isdigit() else None


class Server:
    """What is known of a server, and kept connections to it: nobody's in particular, as each request has its own token."""

    def __init__(self, settings: SwiftSettings) -> None:
        self._settings = settings
        #: Whether the server refuses to replace an object if it is asked to; None: not yet known.
        self.conditional: bool | None = None
        #: What it says of itself at /info.
        self.info: Mapping[str, Any] | None = None
        self._pools: PerProcess[dict[str, Pool[Any]]] = PerProcess(dict)

    def pool(self, base: str) -> Pool[Any]:
        """Give the connections to a host; there is one, unless the catalog changes its mind."""
        pools = self._pools.get()
        found = pools.get(base)
        if found is None:  # of two threads that make one, one is used by both
            made = Pool(lambda: new_wire(base, self._settings), end_wire, keep=16)
            found = pools.setdefault(base, made)
        return found

    def close(self) -> None:
        """Close the idle connections."""
        for pool in (self._pools.drop() or {}).values():
            pool.close()


class Swift:
    """One account at a server, which may be shared with other accounts and is then closed by others."""

    def __init__(
        self, identity: Identity, settings: SwiftSettings, shared: Server | None = None
    ) -> None:
        self.identity = identity
        self.settings = settings
        self.server = shared or Server(settings)
        self._shared = shared is not None

    def ask(
        self,
        method: str,
        path: tuple[str, ...],
        what: str,
        *,
        fields: Mapping[str, str] | None = None,
        body: bytes = b"",
        query: Mapping[str, str] | None = None,
        fine: tuple[int, ...] = (),
        silence: float = 0.0,
    ) -> Reply:
        """Do one request; an error unless the status is a success, or one of ``fine``.

        ``path`` is of the account, a container or an object; ``what`` is what messages call it.
        ``silence`` is how long the server may think, if longer than others.
        """
        with self.send(
            method, path, what, fields=fields, body=body, query=query, silence=silence
        ) as (reply, raw):
            with guarded(what, self.settings.timeout):
                reply.body = raw.read(_LARGEST)
            if reply.status < 300 or reply.status in fine:
                return reply
            raise refusal(reply.status, what, reply.fields.get("retry-after"))

    @contextlib.contextmanager
    def send(
        self, method: str, path: tuple[str, ...], what: str, **more: Any
    ) -> Iterator[tuple[Reply, Any]]:
        """Give an answer whose body is yet to be read; the connection is kept if it was read to its end."""
        pool, wire, reply = self._sent(method, path, what, **more)
        try:
            yield reply, wire.resp.raw
        finally:
            self._finish(pool, wire)

    def start(
        self, method: str, path: tuple[str, ...], what: str, **more: Any
    ) -> tuple[Reply, Any, Any]:
        """Give an answer whose body is yet to be read, its stream, and what ends it, however often it is called."""
        pool, wire, reply = self._sent(method, path, what, **more)
        ends = [wire]

        def finish() -> None:
            with contextlib.suppress(IndexError):  # pop is atomic: of two threads one gives it back
                self._finish(pool, ends.pop())

        return reply, wire.resp.raw, finish

    def _sent(
        self, method: str, path: tuple[str, ...], what: str, **more: Any
    ) -> tuple[Pool[Any], Any, Reply]:
        for again in (False, True):
            token = self.identity.token()
            pool, wire, reply = self._once(method, path, what, token, **more)
            if reply.status == 401 and not again and self.identity.renew(token):
                self._finish(pool, wire)
                continue
            return pool, wire, reply
        raise AssertionError

    def _once(
        self,
        method: str,
        path: tuple[str, ...],
        what: str,
        token: str,
        *,
        fields: Mapping[str, str] | None = None,
        body: bytes = b"",
        query: Mapping[str, str] | None = None,
        silence: float = 0.0,
    ) -> tuple[Pool[Any], Any, Reply]:
        parts = urlsplit(self.identity.endpoint())
        pool = self.server.pool(f"{parts.scheme}://{parts.netloc}")
        target = "/".join((parts.path.rstrip("/"), *(quote(part, safe="") for part in path)))
        if query:
            target += "?" + urlencode(query)
        limit = max(silence, self.settings.timeout)
        wire = pool.take()
        wire.requests_args["timeout"] = (self.settings.connect_timeout, limit)
        sent = {"Accept-Encoding": "identity", **(fields or {}), "X-Auth-Token": token}
        try:
            with guarded(what, limit):
                wire.request(method, target, body if method in ("PUT", "POST") else None, sent)
        except BaseException:
            end_wire(wire)
            raise
        answer = wire.resp
        found = {name.lower(): _decoded(value) for name, value in answer.headers.items()}
        return pool, wire, Reply(int(answer.status_code), found)

    def _finish(self, pool: Pool[Any], wire: Any) -> None:
        """Keep the connection if little is left to be read."""
        raw = wire.resp.raw
        try:
            left = raw.length_remaining
            # Of a body without a length the end is known only once it was read.
            kept = raw.closed if left is None else left <= _DRAIN and len(raw.read(_DRAIN)) == left
            if kept or wire.resp.request.method == "HEAD":
                raw.read()
                raw.release_conn()
                wire.resp = None
                pool.give(wire)
                return
        except Exception:  # noqa: S110 - a connection that cannot be kept is closed
            pass
        end_wire(wire)

    def info(self) -> Mapping[str, Any]:
        """Give what the server says of itself at /info; nothing if it does not."""
        if self.server.info is None:
            self.server.info = self._ask_info()
        return self.server.info or {}

    def _ask_info(self) -> Mapping[str, Any] | None:
        """Give what it says, nothing if it says nothing, and None if it could not be asked: then it is asked again."""
        parts = urlsplit(self.identity.endpoint())
        base = f"{parts.scheme}://{parts.netloc}"
        # In Ceph's gateway it is beside the version, below /swift.
        before = parts.path.partition("/v1")[0]
        wire = new_wire(base, self.settings)
        try:
            for path in dict.fromkeys((f"{before}/info", "/info")):
                with guarded("/info", self.settings.timeout):
                    wire.request("GET", path, None, {})
                    text = wire.resp.raw.read(_LARGEST)
                    status = wire.resp.status_code
                    if status == 200:
                        found = json.loads(text)
                        return found if isinstance(found, dict) else {}
                    if status in (429, 498) or status >= 500:
                        return None
        except Unavailable:
            return None
        finally:
            end_wire(wire)
        return {}

    def limit(self, section: str, name: str, default: int) -> int:
        """Give a limit of the server by what it says of itself."""
        found = self.info().get(section)
        value = found.get(name) if isinstance(found, Mapping) else None
        return value if isinstance(value, int) and value > 0 else default

    def close(self) -> None:
        """Close the idle connections unless they are shared, and forget the session."""
        if not self._shared:
            self.server.close()
        self.identity.close()


def _decoded(value: str) -> str:
    """Read a field as UTF-8, as Swift sends it, where it is."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


def pieces(raw: Any, what: str, seconds: float) -> Iterator[bytes]:
    """Yield a body as it arrives; StoreError if it breaks off."""
    while True:
        with guarded(what, seconds):
            piece = raw.read(_PIECE)
        if not piece:
            return
        yield piece
