"""Transfers that may outlive a token, for identities that can do something about it."""

from __future__ import annotations

import threading

from multistore.drivers.swift.identity import Identity

__all__ = ["LONG", "Transfer"]

#: A transfer of so many bytes may outlive a token.
LONG = 8 << 20


class Transfer:
    """Tells an identity once that a transfer has begun, and once that it is over."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._lock = threading.Lock()
        self._running = False

    def begin(self) -> None:
        """Return once the identity is ready, whichever thread has told it."""
        with self._lock:
            if not self._running:
                self._running = True
                self._identity.hold()

    def end(self) -> None:
        with self._lock:
            if self._running:
                self._running = False
                self._identity.release()
