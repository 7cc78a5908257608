"""A web server on the loopback that gives images, and odd answers, to both implementations alike."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["IMAGE", "places"]

IMAGE = bytes(range(256)) * 400

Headers = list[tuple[str, str]]


class Answers(BaseHTTPRequestHandler):
    """Answers by the first part of the path; every connection serves one request."""

    server_version = "differential"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def give(self, status: int, headers: Headers, body: bytes = b"") -> None:
        """Send one answer; for HEAD without the body."""
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            # a client may go before it has read everything
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.wfile.write(body)

    def whole(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.give(status, [("Content-Length", str(len(body))), *headers], body)

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        kind, *rest = path.strip("/").split("/")
        known = getattr(self, "on_" + kind, None)
        if known is None:
            self.whole(404, b"nothing")
        else:
            known(rest, query)

    do_HEAD = do_GET  # noqa: N815 - the name that the base class looks for

    def on_image(self, rest: list[str], query: str) -> None:
        """Give the image; ``Range`` is understood."""
        wanted = self.headers.get("Range", "")
        if not wanted.startswith("bytes="):
            self.whole(200, IMAGE, ("Accept-Ranges", "bytes"))
            return
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last or len(IMAGE) - 1), len(IMAGE) - 1)
        self.whole(206, IMAGE[start : end + 1], ("Content-Range", f"bytes {start}-{end}/{len(IMAGE)}"))  # fmt: skip

    def on_empty(self, rest: list[str], query: str) -> None:
        self.whole(200, b"")

    def on_query(self, rest: list[str], query: str) -> None:
        """Give back what was asked for."""
        self.whole(200, self.path.encode())

    def on_nolength(self, rest: list[str], query: str) -> None:
        self.give(200, [], IMAGE)

    def on_badlength(self, rest: list[str], query: str) -> None:
        self.give(200, [("Content-Length", "many")], IMAGE)

    def on_cut(self, rest: list[str], query: str) -> None:
        """Announce more than is sent."""
        self.give(200, [("Content-Length", str(len(IMAGE) + 5))], IMAGE)

    def on_gzip(self, rest: list[str], query: str) -> None:
        self.whole(200, b"not really compressed", ("Content-Encoding", "gzip"))

    def on_status(self, rest: list[str], query: str) -> None:
        """Answer with a status; without any ``Location``."""
        self.whole(int(rest[0]), b"" if rest[0] in ("204", "304") else b"the body s3cr3t")

    def on_part(self, rest: list[str], query: str) -> None:
        """Give a part although nobody asked for one."""
        self.whole(206, IMAGE[:10], ("Content-Range", f"bytes 0-9/{len(IMAGE)}"))

    def on_redirect(self, rest: list[str], query: str) -> None:
        """Redirect by a status, so many times, to the image."""
        status, left = rest
        target = f"/redirect/{status}/{int(left) - 1}" if int(left) > 1 else "/image"
        self.whole(int(status), b"", ("Location", f"http://{self.headers['Host']}{target}"))

    def on_to(self, rest: list[str], query: str) -> None:
        """Redirect to what the query says."""
        host = self.headers["Host"]
        self.whole(302, b"", ("Location", query.replace("HOST", host)))

    def on_auth(self, rest: list[str], query: str) -> None:
        """Want ``user`` and ``s3cr3t``."""
        wanted = "Basic " + base64.b64encode(b"user:s3cr3t").decode()
        if self.headers.get("Authorization") == wanted:
            self.whole(200, IMAGE)
        else:
            self.whole(401, b"who?", ("WWW-Authenticate", 'Basic realm="x"'))

    def on_nohead(self, rest: list[str], query: str) -> None:
        if self.command == "HEAD":
            self.whole(405, b"")
        else:
            self.on_image(rest, query)

    def on_cookie(self, rest: list[str], query: str) -> None:
        """Say which cookie came, and set one."""
        seen = self.headers.get("Cookie", "none").encode()
        self.whole(200, seen, ("Set-Cookie", "mark=1; Path=/"))


class Server(ThreadingHTTPServer):
    """One whose threads end with it."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@contextlib.contextmanager
def places() -> Iterator[dict[str, str]]:
    """Run the server; gives ``http``, its URL, and ``refused``, one where nobody listens."""
    with Server(("127.0.0.1", 0), Answers) as server, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, never listening: connections are refused
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield {
                "http": f"127.0.0.1:{server.server_address[1]}",
                "refused": f"127.0.0.1:{closed.getsockname()[1]}",
            }
        finally:
            server.shutdown()
            thread.join()
