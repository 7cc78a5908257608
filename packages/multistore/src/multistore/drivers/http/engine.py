"""urllib3's connections, with connecting left to us; imported at the first request, because it imports urllib3.

Only its connections are used, for TLS, host names and tunnels through proxies: its pool writes paths and queries into
the debug log, and its decoder of chunks reads lines of any length.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection

__all__ = ["Dial", "Plain", "Secure"]

#: Connects to a host and a port.
Dial = Callable[[str, int], socket.socket]


class Plain(HTTPConnection):
    """A connection by HTTP."""

    def __init__(self, host: str, port: int, *, dial: Dial, **options: Any) -> None:
        super().__init__(host, port, **options)
        self._dial = dial

    def _new_conn(self) -> socket.socket:
        return self._dial(self.host, self.port)


class Secure(HTTPSConnection):
    """A connection by HTTPS."""

    def __init__(self, host: str, port: int, *, dial: Dial, **options: Any) -> None:
        super().__init__(host, port, **options)
        self._dial = dial

    def _new_conn(self) -> socket.socket:
        return self._dial(self.host, self.port)
