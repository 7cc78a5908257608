"""A web server that serves one file, breaks off in its middle, and answers nobody from then on."""

from __future__ import annotations

import http.server
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self

__all__ = ["BreakingServer"]


class BreakingServer(http.server.ThreadingHTTPServer):
    """Listens on the loopback interface while it is entered; ``sent`` is how far into the file it came."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.path = path
        self.size = path.stat().st_size
        self.sent = 0
        self.dead = False
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Take no connection any more once the server has broken off."""
        return not self.dead

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about clients that hang up."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: BreakingServer

    def do_HEAD(self) -> None:
        self._head()

    def do_GET(self) -> None:
        start, end = self._head()
        half = self.server.size // 2
        with self.server.path.open("rb") as file:
            file.seek(start)
            while start < min(end, half):
                piece = file.read(min(1 << 20, min(end, half) - start))
                self.wfile.write(piece)
                start += len(piece)
                self.server.sent = max(self.server.sent, start)
        if start < end:
            self.server.dead = True
            self.close_connection = True

    def _head(self) -> tuple[int, int]:
        """Send status and headers; the range that is to follow."""
        size = self.server.size
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted else 0
        end = min(int(wanted[2]) + 1, size) if wanted and wanted[2] else size
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        self.send_header("Content-Length", str(end - start))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", '"demo"')
        self.end_headers()
        return start, end

    def log_message(self, *_: object) -> None:
        """Say nothing: the demonstration tells what happens."""
