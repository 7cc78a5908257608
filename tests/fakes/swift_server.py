"""A stand-in for Swift and Keystone in this process: objects, static and dynamic manifests, lists, copies, v1 and v3 logins.

It keeps to what was seen of the real servers in tests/real, and fails on what it does not know.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from fakes.swift_logins import KEY, USER, Logins

__all__ = ["KEY", "USER", "SwiftState", "Thing", "swift_server"]


@dataclass
class Thing:
    """A stored object."""

    data: bytes
    fields: dict[str, str]
    made: float = field(default_factory=time.time)
    slo: list[dict[str, Any]] | None = None

    @property
    def etag(self) -> str:
        return hashlib.md5(self.data, usedforsecurity=False).hexdigest()


class SwiftState:
    """What the server holds, and how it is to behave."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.containers: dict[str, dict[str, Thing]] = {}
        self.rights: dict[str, dict[str, str]] = {}
        self.tokens: set[str] = set()
        self.logins = 0
        self.trusts: dict[str, dict[str, Any]] = {}
        self.life = 3600
        self.requests: list[tuple[str, str]] = []
        #: Fields of every request, to see where credentials go.
        self.heard: list[dict[str, str]] = []
        self.conditional = True
        self.cookie = ""
        self.shows_manifests = True
        #: Whether there are static large objects; a server without them takes a manifest for an object.
        self.slo = True
        self.page = 10_000
        self.most_segments = 1000
        self.quota: int | None = None
        #: Statuses to answer with instead, by method and the end of the path.
        self.refuse: dict[tuple[str, str], list[tuple[int, dict[str, str]]]] = {}
        #: Requests that are done, and whose answer is then lost, likewise.
        self.lose: list[tuple[str, str]] = []
        #: Requests whose answer ends in the middle of its body, likewise.
        self.cut: list[tuple[str, str]] = []
        #: Requests that are never answered; with ``half`` the answer stops in its middle.
        self.stall: list[tuple[str, str]] = []
        self.half = False
        self.ended = threading.Event()
        #: Names that no list has yet, and whether the size of a dynamic manifest is told: not of the largest.
        self.hidden: set[str] = set()
        self.tells_size = True
        #: What Keystone was asked at each login, and which of Swift's endpoints it knows.
        self.asked: list[Any] = []
        self.interface = "public"
        self.base = ""


class _Handler(Logins, BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hangs = False
    disable_nagle_algorithm = True
    state: SwiftState

    def log_message(self, format: str, *args: object) -> None:
        pass

    def answer(self, status: int, body: bytes = b"", fields: dict[str, str] | None = None) -> None:
        method, path = self.command, urlsplit(self.path).path
        if self.meant(self.state.lose, path):
            self.close_connection = True
            return
        self.send_response(status)
        named = dict(fields or {})
        if named.pop("No-Length", None):
            named["Connection"] = "close"
        else:
            named.setdefault("Content-Length", str(len(body)))
        if self.state.cookie:
            named["Set-Cookie"] = self.state.cookie
        for name, value in named.items():
            self.send_header(name, value)
        self.end_headers()
        if method == "HEAD":
            return
        if self.hangs or (body and self.meant(self.state.cut, path)):
            body = body[: len(body) // 2]
            self.close_connection = True
        self.body = body

    def meant(self, waiting: list[tuple[str, str]], path: str) -> bool:
        """Say whether a list has this request, and take it out."""
        for place, (verb, end) in enumerate(waiting):
            if verb == self.command and path.endswith(end):
                del waiting[place]
                return True
        return False

    def serve(self) -> None:
        """Answer, or hang: outside the lock, for others go on."""
        self.hangs = self.meant(self.state.stall, urlsplit(self.path).path)
        self.body = b""
        if not self.hangs or self.state.half:
            self.handle_any()
        self.wfile.write(self.body)  # outside the lock: whoever is slow to read holds up no other
        if self.hangs:
            self.wfile.flush()
            self.state.ended.wait(30)
            self.close_connection = True

    def handle_any(self) -> None:
        state, parts = self.state, urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = {key: values[0] for key, values in parse_qs(parts.query, True).items()}
        path = parts.path
        with state.lock:
            state.requests.append((self.command, path))
            state.heard.append(dict(self.headers.items()))
            for (verb, end), answers in state.refuse.items():
                if verb == self.command and path.endswith(end) and answers:
                    status, fields = answers.pop(0)
                    return self.answer(status, b"", fields)
            if path == "/info":
                limits = {
                    "swift": {"max_file_size": 5 << 30},
                    "slo": {"max_manifest_segments": state.most_segments},
                }
                return self.answer(200, json.dumps(limits).encode())
            if path == "/auth/v1.0":
                return self.log_in()
            if path == "/v3/auth/tokens":
                return self.log_in_v3(json.loads(body)) if body else self.tell_token()
            if self.headers.get("X-Auth-Token") not in state.tokens:
                return self.answer(401)
            if path.startswith("/v3/OS-TRUST/trusts"):
                return self.on_trust(path.rpartition("/")[2], body)
            names = [unquote(part) for part in path.split("/")[3:]]
            if len(names) == 0:
                return self.list_names(sorted(state.containers), query)
            if len(names) == 1:
                return self.on_container(names[0], query)
            return self.on_object(names[0], "/".join(names[1:]), query, body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = serve  # noqa: N815 - the names of the standard library

    # -- containers --------------------------------------------------------------------------

    def list_names(self, names: list[str], query: dict[str, str]) -> None:
        if int(query.get("limit", 0)) > self.state.page:
            return self.answer(412)
        names = [
            name
            for name in names
            if name.startswith(query.get("prefix", "")) and name > query.get("marker", "")
        ]
        return self.answer(
            200, json.dumps([{"name": name} for name in names[: self.state.page]]).encode()
        )

    def on_container(self, name: str, query: dict[str, str]) -> None:
        found = self.state.containers.get(name)
        if self.command == "PUT":
            self.state.containers.setdefault(name, {})
            return self.answer(201 if found is None else 202)
        if found is None:
            return self.answer(404)
        if self.command == "POST":
            named = {key.title(): value for key, value in self.headers.items()}
            self.state.rights[name] = {
                key: named[key] for key in named if key.startswith("X-Container")
            }
            return self.answer(204)
        if self.command == "DELETE":
            if found:
                return self.answer(409)
            del self.state.containers[name]
            return self.answer(204)
        if self.command == "HEAD":
            used = {"X-Container-Bytes-Used": str(sum(len(each.data) for each in found.values()))}
            if self.state.quota is not None:
                used["X-Container-Meta-Quota-Bytes"] = str(self.state.quota)
            return self.answer(204, b"", used)
        if int(query.get("limit", 0)) > self.state.page:
            return self.answer(412)
        names = sorted(each for each in found if each.startswith(query.get("prefix", "")))
        names = [each for each in names if each not in self.state.hidden]
        names = [each for each in names if each > query.get("marker", "")][: self.state.page]
        return self.answer(
            200, json.dumps([self.listed(each, found[each]) for each in names]).encode()
        )

    def listed(self, name: str, thing: Thing) -> dict[str, Any]:
        modified = time.strftime("%Y-%m-%dT%H:%M:%S.000000", time.gmtime(thing.made))
        size = len(thing.data) if thing.slo is None else len(self.content(thing))
        told = {"name": name, "bytes": size, "hash": thing.etag, "last_modified": modified}
        return told if thing.slo is None else told | {"slo_etag": self.etag(thing)}

    # -- objects -----------------------------------------------------------------------------

    def content(self, thing: Thing) -> bytes:
        if thing.slo is not None:
            return b"".join(self.content(self.at(each["name"])) for each in thing.slo)
        if "X-Object-Manifest" in thing.fields:
            return b"".join(each.data for each in self.prefixed(thing))
        return thing.data

    def prefixed(self, thing: Thing) -> list[Thing]:
        container, _, prefix = unquote(thing.fields["X-Object-Manifest"]).partition("/")
        things = self.state.containers.get(container, {})
        return [things[name] for name in sorted(things) if name.startswith(prefix)]

    def at(self, path: str) -> Thing:
        container, _, name = path.lstrip("/").partition("/")
        return self.state.containers[container][name]

    def etag(self, thing: Thing) -> str:
        if thing.slo is not None:
            text = "".join(each["hash"] for each in thing.slo)
        elif "X-Object-Manifest" in thing.fields:
            text = "".join(each.etag for each in self.prefixed(thing))
        else:
            return thing.etag
        return f'"{hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()}"'

    def on_object(self, container: str, name: str, query: dict[str, str], body: bytes) -> None:
        things = self.state.containers.get(container)
        if things is None:
            return self.answer(404)
        if self.command == "PUT":
            return self.put(things, name, query, body)
        thing = things.get(name)
        if thing is None:
            return self.answer(404)
        if self.command == "DELETE":
            if query.get("multipart-manifest") == "delete" and thing.slo:
                for each in thing.slo:
                    place, _, inner = each["name"].lstrip("/").partition("/")
                    self.state.containers[place].pop(inner, None)
            del things[name]
            return self.answer(204)
        if self.command == "POST":
            thing.fields = self.kept()
            return self.answer(202)
        return self.show(thing, query)

    def show(self, thing: Thing, query: dict[str, str]) -> None:
        if query.get("multipart-manifest") == "get" and thing.slo is not None:
            return self.answer(
                200, json.dumps(thing.slo).encode() if self.state.shows_manifests else b""
            )
        fields = {
            "ETag": self.etag(thing),
            "Last-Modified": formatdate(thing.made, usegmt=True),
            **thing.fields,
        }
        if thing.slo is not None:
            fields["X-Static-Large-Object"] = "True"
        if self.command == "HEAD" and thing.slo is not None:
            size = sum(each["bytes"] for each in thing.slo)  # nobody looks at the segments
            return self.answer(200, b"", fields | {"Content-Length": str(size)})
        try:
            data = self.content(thing)
        except KeyError:
            return self.answer(409)
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if "X-Object-Manifest" in thing.fields and not self.state.tells_size:
            # Of more segments than a list has Swift knows those of the first page.
            known = sum(len(each.data) for each in self.prefixed(thing)[: self.state.page])
            if asked is None or not asked[2] or int(asked[2]) >= known:
                return self.answer(200, data, fields | {"No-Length": "1"})
            data = data[:known]
        if asked is None:
            return self.answer(200, data, fields)
        first, last = int(asked[1]), min(int(asked[2] or len(data)), len(data) - 1)
        if first >= len(data):
            return self.answer(416, b"", fields | {"Content-Range": f"bytes */{len(data)}"})
        told = {"Content-Range": f"bytes {first}-{last}/{len(data)}"}
        return self.answer(206, data[first : last + 1], fields | told)

    def kept(self) -> dict[str, str]:
        """Give the fields of a request that an object keeps."""
        named = {key.title(): value for key, value in self.headers.items()}
        return {key: named[key] for key in named if key.startswith(("X-Object-M", "Content-Type"))}

    def put(self, things: dict[str, Thing], name: str, query: dict[str, str], body: bytes) -> None:
        if self.headers.get("If-None-Match") == "*" and name in things and self.state.conditional:
            return self.answer(412)
        if (
            self.state.quota is not None
            and sum(len(each.data) for each in things.values()) + len(body) > self.state.quota
        ):
            return self.answer(413)
        if "X-Copy-From" in self.headers:
            body = self.content(self.at(unquote(self.headers["X-Copy-From"])))
        thing = Thing(body, self.kept())
        if query.get("multipart-manifest") == "put" and self.state.slo:
            entries = json.loads(body)
            if len(entries) > self.state.most_segments:
                return self.answer(413)
            thing.slo = []
            for each in entries:
                try:
                    part = self.at(each["path"])
                except KeyError:
                    return self.answer(400)
                etag = self.etag(part).strip('"')
                if each.get("etag") not in (None, etag) or each["size_bytes"] != len(
                    self.content(part)
                ):
                    return self.answer(400)
                more = {"sub_slo": True} if part.slo is not None else {}
                thing.slo.append(
                    {"name": each["path"], "hash": etag, "bytes": each["size_bytes"], **more}
                )
        elif self.headers.get("ETag") not in (None, thing.etag):
            return self.answer(422)
        things[name] = thing
        return self.answer(201, b"", {"ETag": self.etag(thing)})


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # clients that give up are meant to
            super().handle_error(request, client_address)


@contextlib.contextmanager
def swift_server(context: ssl.SSLContext | None = None) -> Iterator[SwiftState]:
    """Run the stand-in on a port of this machine, with TLS if there is a context; ``base`` of what is given says where."""
    state = SwiftState()
    handler = type("Handler", (_Handler,), {"state": state})
    server = _Server(("127.0.0.1", 0), handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    state.base = f"{'https' if context else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=lambda: server.serve_forever(0.05), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.ended.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
