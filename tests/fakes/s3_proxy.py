"""A proxy in front of a server, of S3 unless it is told otherwise, that does to chosen requests what networks and servers do."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: The operations by method and query, as far as the driver uses them.
_QUERIES = (
    ("POST", r"[?&]uploads", "create"),
    ("POST", r"[?&]uploadId", "complete"),
    ("PUT", r"[?&]uploadId", "part"),
    ("DELETE", r"[?&]uploadId", "abort"),
    ("GET", r"[?&]uploadId", "parts"),
    ("GET", r"[?&]uploads", "uploads"),
    ("GET", r"[?&]list-type", "list"),
)


@dataclass
class Trouble:
    """What becomes of requests of one kind: those after the first ``skip``, ``times`` of them."""

    operation: str
    #: cut: closed before the server hears of it; lost: the answer never comes; half: it ends in its middle;
    #: stall: no answer until the proxy ends; still: none to half of a body, which is all that is taken;
    #: dry: nothing behind the middle of the answer; held: none until it is released; status: that status and code instead;
    #: etag: another entity tag.
    how: str
    times: int = 1
    skip: int = 0
    status: int = 503
    code: str = "SlowDown"
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """What was asked: the operation, and header fields in lower case."""

    operation: str
    path: str
    fields: dict[str, str]
    size: int


class Proxy:
    """The proxy: ``address`` is where it listens, ``requests`` what came by."""

    def __init__(self, upstream: str, name: Callable[[str, str], str] | None = None) -> None:
        self.upstream = upstream
        #: Names the operation of a method and a path with its query.
        self.name = name or _operation
        self.troubles: list[Trouble] = []
        self.requests: list[Request] = []
        self.ended = threading.Event()
        #: Set by a test to let what is held go on.
        self.released = threading.Event()
        #: Header fields that do not get through.
        self.ignored: set[str] = set()
        self._lock = threading.Lock()
        proxy = self

        class Handler(_Handler):
            @property
            def proxy(self) -> Proxy:
                return proxy

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # connections are broken on purpose

        self.server = Server(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"

    def trouble(self, operation: str, how: str, **more: object) -> None:
        """Plan what becomes of requests."""
        self.troubles.append(Trouble(operation, how, **more))  # type: ignore[arg-type]

    def seen(self, *operations: str) -> list[str]:
        """Give the operations that came by, or those of some kinds."""
        return [
            each.operation
            for each in self.requests
            if not operations or each.operation in operations
        ]

    def note(self, request: Request) -> Trouble | None:
        """Take a request down, and say what is to become of it."""
        with self._lock:
            self.requests.append(request)
            for each in self.troubles:
                if each.operation in (request.operation, "any"):
                    if each.skip:
                        each.skip -= 1
                    elif each.times:
                        each.times -= 1
                        return each
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    @property
    def proxy(self) -> Proxy:
        raise NotImplementedError

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def handle_any(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        request = Request(
            self.proxy.name(self.command, self.path),
            self.path,
            {name.lower(): value for name, value in self.headers.items()},
            size,
        )
        trouble = self.proxy.note(request)
        how = trouble.how if trouble is not None else ""
        body = self.rfile.read(size // 2 if how == "still" else size)
        if how == "still":
            self.proxy.ended.wait(60)
        if how in ("cut", "still"):
            self.drop()
        elif how == "stall":
            self.proxy.ended.wait(60)
            self.drop()
        elif trouble is not None and how == "status":
            self.refuse(trouble)
        else:
            if how == "held":
                self.proxy.released.wait(60)
            self.forward(body, how)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815 - names of the base class

    def drop(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def refuse(self, trouble: Trouble) -> None:
        text = f"<Error><Code>{trouble.code}</Code><Message>no</Message></Error>".encode()
        self.send_response(trouble.status)
        for name, value in trouble.fields.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def forward(self, body: bytes, how: str) -> None:
        upstream = http.client.HTTPConnection(
            self.proxy.upstream.removeprefix("http://"), timeout=60
        )
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in {"expect", "connection"} | self.proxy.ignored:
                    upstream.putheader(name, value)
            upstream.endheaders(body or None)
            answer = upstream.getresponse()
            data = answer.read()
        finally:
            upstream.close()
        if how == "lost":
            self.drop()
            return
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() in ("connection", "transfer-encoding", "content-length"):
                continue
            odd = how == "etag" and name.lower() == "etag"
            self.send_header(name, _other(value) if odd else value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if how in ("half", "dry") else data)
        if how == "dry":
            self.proxy.ended.wait(60)
        if how in ("half", "dry"):
            self.drop()

    def log_message(self, *_: object) -> None:
        pass


def _other(etag: str) -> str:
    """Give an entity tag of the same shape."""
    return re.sub("[0-9a-f]", lambda found: f"{int(found[0], 16) ^ 1:x}", etag, count=1)


def _operation(method: str, path: str) -> str:
    for wanted, query, operation in _QUERIES:
        if method == wanted and re.search(query, path):
            return operation
    mark = "mark-" if "/.multistore/" in path else ""
    return mark + method.lower()


@contextlib.contextmanager
def proxied(upstream: str, name: Callable[[str, str], str] | None = None) -> Iterator[Proxy]:
    """Run a proxy in front of ``http://HOST:PORT``."""
    proxy = Proxy(upstream, name)
    thread = threading.Thread(target=proxy.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.ended.set()
        proxy.released.set()
        proxy.server.shutdown()
        proxy.server.server_close()
        thread.join()
