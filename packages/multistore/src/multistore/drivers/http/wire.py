"""A connection whose every wait has an end, and whose framing is counted; and the idle ones."""

from __future__ import annotations

import io
import select
import socket
import ssl
import threading
import time
from collections import deque
from typing import cast

from multistore.driver import PerProcess
from multistore.drivers.http.errors import Flood

__all__ = ["Origin", "Shelf", "Wire"]

#: What connections are kept by: scheme, host, port, and whether it was trusted.
Origin = tuple[str, str, int, bool]

#: Heads, chunk lines and trailers together may be so long, and a small multiple of the body beyond.
_FRAMING = 256 * 1024
_PER_BYTE = 8
_BUFFER = 16 * 1024


class Wire:
    """A connected socket.

    Each wait takes at most ``idle`` seconds, and all of them together end at ``deadline`` while one is set.
    Whoever reads says in ``body`` how many bytes were of use: a peer that sends endless heads, chunk extensions or
    trailers ends in ``Flood``.
    """

    def __init__(self, sock: socket.socket, idle: float) -> None:
        if isinstance(sock, ssl.SSLSocket):
            # An end without close_notify is an error: anybody on the way can cut a connection.
            sock.suppress_ragged_eofs = False  # type: ignore[attr-defined]  # missing in typeshed
        self.sock = sock
        self.idle = idle
        self.deadline: float | None = None
        self.received = 0
        self.body = 0
        self.used = False
        self.file = io.BufferedReader(_Raw(self), _BUFFER)

    def makefile(self, mode: str = "rb") -> io.BufferedReader:
        """Give the one buffered reader; ``http.client`` asks for it."""
        return cast("io.BufferedReader", _Borrowed(self.file))  # all that http.client uses of it

    def send(self, data: bytes) -> None:
        """Send a request head."""
        self.limit()
        self.sock.sendall(data)

    def limit(self) -> None:
        """Set the time limit of the next wait; TimeoutError if there is no time left."""
        seconds = self.idle
        if self.deadline is not None:
            seconds = min(seconds, self.deadline - time.monotonic())
            if seconds <= 0:
                raise TimeoutError("the answer came too slowly")
        self.sock.settimeout(seconds)

    def stale(self) -> bool:
        """Say whether an idle connection was closed by the peer, or holds bytes nobody asked for."""
        pending = self.sock.pending() if isinstance(self.sock, ssl.SSLSocket) else 0
        if pending:
            return True
        poll = select.poll()  # select() knows no descriptor above 1023
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Close it; idempotent."""
        self.sock.close()


class _Raw(io.RawIOBase):
    """The receiving side of a Wire."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self.wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # BufferedReader passes this
        wire = self.wire
        if wire.received > _FRAMING + wire.body * _PER_BYTE + _BUFFER:
            raise Flood(0, "the server sends endless framing instead of data")
        wire.limit()
        count = wire.sock.recv_into(buffer)
        wire.received += count
        return count


class _Borrowed:
    """A file that survives ``close``: the head's parser closes it, and the connection goes on."""

    def __init__(self, file: io.BufferedReader[_Raw]) -> None:
        self.readline = file.readline
        self.closed = False

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


class Shelf:
    """Idle connections of one process, at most ``keep``; the longest idle one goes first."""

    def __init__(self, keep: int = 16) -> None:
        self._keep = keep
        self._mine: PerProcess[_Idle] = PerProcess(_Idle)

    def take(self, origin: Origin) -> Wire | None:
        """Give an idle connection that still stands."""
        idle = self._mine.get()
        while True:
            with idle.lock:
                found = next((item for item in reversed(idle.items) if item[0] == origin), None)
                if found is None:
                    return None
                idle.items.remove(found)
            if not found[1].stale():
                return found[1]
            found[1].close()

    def give(self, origin: Origin, wire: Wire) -> None:
        """Keep a connection whose answer was read to its end."""
        wire.deadline = None
        wire.received = wire.body = 0
        wire.used = True
        idle = self._mine.get()
        with idle.lock:
            idle.items.append((origin, wire))
            spare = idle.items.popleft()[1] if len(idle.items) > self._keep else None
        if spare is not None:
            spare.close()

    def close(self) -> None:
        """Close the idle connections of this process."""
        idle = self._mine.drop()
        for _, wire in idle.items if idle is not None else ():
            wire.close()


class _Idle:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.items: deque[tuple[Origin, Wire]] = deque()
