"""moto as a program: prints its port, serves until its input ends.

By a server of our own around moto's application for S3: moto's would find out anew for each request which of a hundred
services is meant, and werkzeug's closes the connection after each, which no real server does.
"""

from __future__ import annotations

import io
import os
import socketserver
import sys
import threading
from collections.abc import Callable
from typing import Any

#: Parts may be small, so that tests need little of them; objects are kept in memory, and not each in a file.
_SETTINGS = {
    "S3_UPLOAD_PART_MIN_SIZE": "1",
    "MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": str(64 << 20),
    "MOTO_S3_CUSTOM_ENDPOINTS": "",
    "MOTO_DISABLE_GLOBAL_CORS": "true",
}


def main() -> None:
    """Serve until the input ends."""
    os.environ.update(_SETTINGS)
    from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app

    app = create_backend_app("s3")
    lock = threading.Lock()  # its tables are not safe for threads, and it answers 500

    class Handler(MotoRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def run_wsgi(self) -> None:
            if self.headers.get("Expect", "").lower() == "100-continue":
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                self.wfile.flush()
            environ = self.make_environ()
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
            told: list[Any] = []

            def start(
                status: str, fields: list[tuple[str, str]], _: Any = None
            ) -> Callable[[bytes], object]:
                told.extend((status, fields))
                return told.append

            with lock:
                answer = b"".join(app(environ, start))
            status, fields = told
            code, _, reason = status.partition(" ")
            self.send_response(int(code), reason)
            length = None
            for name, value in fields:
                if name.lower() == "content-length":
                    length = value
                else:
                    self.send_header(name, value)
            if code not in ("204", "304"):
                self.send_header(
                    "Content-Length", length or "0" if self.command == "HEAD" else str(len(answer))
                )
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else answer)
            self.wfile.flush()

        def log_request(self, *_: object) -> None:
            pass

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 128
        ssl_context, multithread, multiprocess, passthrough_errors = None, True, False, True
        _server_version = "moto"

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
