"""Servers seen through a slower network: relays that hold every byte back, each way.

For kernels without ``netem``, which would delay packets.
Where the client takes its server's address from us, a relay on another port is enough.
A cluster tells its addresses itself: its relays are in a network namespace, whose loopback is another one, so that they
can listen there on the very ports of the daemons.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import queue
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence

__all__ = ["delayed", "relayed"]

_CLONE_NEWNET = 0x40000000
_PIECE = 1 << 20


@contextlib.contextmanager
def relayed(server: str, seconds: float) -> Iterator[str]:
    """Give the URL, ``http://HOST:PORT``, under which the server with such a URL is ``seconds`` away, each way."""
    host, _, port = server.removeprefix("http://").rpartition(":")
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    with listener:
        _start(listener, (host, int(port)), seconds)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def delayed(ports: Sequence[int], seconds: float) -> Iterator[list[str]]:
    """Give the beginning of commands that see these local ports ``seconds`` away, each way.  Needs root."""
    name = f"multistore-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        inside = ["ip", "netns", "exec", name]
        subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
        listeners = _listen(f"/run/netns/{name}", ports)
        for listener, port in zip(listeners, ports, strict=True):
            _start(listener, ("127.0.0.1", port), seconds)
        try:
            yield inside
        finally:
            for listener in listeners:
                listener.close()
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def _listen(place: str, ports: Sequence[int]) -> list[socket.socket]:
    """Open listening sockets in the namespace; a socket stays where it was made."""
    libc = ctypes.CDLL(None, use_errno=True)
    made: list[socket.socket] = []

    def work() -> None:
        with open(place, "rb") as file:
            if libc.setns(file.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "cannot enter the network namespace")
        made.extend(socket.create_server(("127.0.0.1", port), backlog=64) for port in ports)

    thread = threading.Thread(target=work)  # the namespace is the thread's own
    thread.start()
    thread.join()
    if len(made) != len(ports):
        raise OSError("the relays cannot listen in the network namespace")
    return made


def _start(listener: socket.socket, server: tuple[str, int], seconds: float) -> None:
    threading.Thread(target=_serve, args=(listener, server, seconds), daemon=True).start()


def _serve(listener: socket.socket, server: tuple[str, int], seconds: float) -> None:
    while True:
        try:
            near, _ = listener.accept()
        except OSError:  # closed
            return
        try:
            far = socket.create_connection(server)
        except OSError:  # whoever is behind this hears of it, and does not wait
            near.close()
            continue
        for one, other in ((near, far), (far, near)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _relay(one, other, seconds)


def _relay(source: socket.socket, sink: socket.socket, seconds: float) -> None:
    """Pass bytes on, each piece when it has waited long enough; as many may be under way as the link holds."""
    waiting: queue.Queue[tuple[float, bytes]] = queue.Queue(128)

    def take() -> None:
        data = b"x"
        while data:
            try:
                data = source.recv(_PIECE)
            except OSError:
                data = b""
            waiting.put((time.monotonic() + seconds, data))

    def give() -> None:
        while True:
            due, data = waiting.get()
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)
            except OSError:
                return

    for work in (take, give):
        threading.Thread(target=work, daemon=True).start()
