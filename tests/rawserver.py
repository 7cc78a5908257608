"""A server that says exactly what it is told to, byte by byte: for answers that no honest server gives."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

import trustme

__all__ = ["RawServer", "authority", "reply"]

#: What is sent for one request: bytes; a number waits so many seconds, or until the server is closed; None resets.
Step = bytes | float | None
Script = Sequence[Step]


def reply(
    status: str = "200 OK", *headers: str, body: bytes = b"", length: int | None = -1
) -> bytes:
    """Make a whole answer; ``length`` is what is announced: -1 the truth, None nothing."""
    lines = [f"HTTP/1.1 {status}", *headers]
    if length is not None:
        lines.append(f"Content-Length: {len(body) if length < 0 else length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def authority() -> trustme.CA:
    """Make a certificate authority of one's own."""
    return trustme.CA()


@dataclass
class Request:
    """What a client sent: the request line, and the fields with names in lower case."""

    line: str
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def method(self) -> str:
        return self.line.partition(" ")[0]

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]


class RawServer:
    """Answers each request with a script, on 127.0.0.1.

    ``answer`` maps a request to its script.  After a script the connection goes on, unless the script ends with
    ``b""`` (an orderly end; over TLS without close_notify) or None (a reset).
    """

    def __init__(
        self, answer: Callable[[Request], Script], context: ssl.SSLContext | None = None
    ) -> None:
        self.answer = answer
        self.context = context
        self.requests: list[Request] = []
        self.connections = 0
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self._workers: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._acceptor.join(5)
        for worker in self._workers:
            worker.join(5)
        self._listener.close()
        assert not any(worker.is_alive() for worker in self._workers), "a client holds the server"

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                peer, _ = self._listener.accept()
            except TimeoutError:
                continue
            self.connections += 1
            worker = threading.Thread(target=self._serve, args=(peer,))
            self._workers.append(worker)
            worker.start()

    def _serve(self, peer: socket.socket) -> None:
        peer.settimeout(0.05)
        with contextlib.suppress(OSError, EOFError), contextlib.ExitStack() as stack:
            stack.callback(peer.close)
            if self.context is not None:
                peer.settimeout(5)
                peer = self.context.wrap_socket(peer, server_side=True)
                stack.callback(peer.close)
                peer.settimeout(0.05)
            while True:
                request = self._request(peer)
                self.requests.append(request)
                for step in self.answer(request):
                    self._do(peer, step)

    def _do(self, peer: socket.socket, step: Step) -> None:
        if step is None:
            peer.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00"
            )
            raise EOFError
        if isinstance(step, bytes):
            if not step:
                raise EOFError
            peer.settimeout(5)
            peer.sendall(step)
            peer.settimeout(0.05)
        elif self._closing.wait(step):
            raise EOFError

    def _request(self, peer: socket.socket) -> Request:
        head = b""
        while b"\r\n\r\n" not in head:
            try:
                piece = peer.recv(65536)
            except TimeoutError:
                if self._closing.is_set():
                    raise EOFError from None
                continue
            if not piece:
                raise EOFError
            head += piece
        line, *fields = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        pairs = (text.partition(":") for text in fields)
        return Request(line, {name.lower(): value.strip() for name, _, value in pairs})
