"""The same two digests by hashlib: where no kernel can run, and what every kernel is compared with."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

    from _typeshed import ReadableBuffer

__all__ = ["Plain", "plain_digest"]


def plain_digest(name: str, data: ReadableBuffer) -> bytes:
    """Give one digest of some bytes."""
    return hashlib.new(name, data, usedforsecurity=False).digest()


class Plain:
    """md5 and a SHA by hashlib, with the methods of ``_kernels.Stream``."""

    def __init__(self, sha: str) -> None:
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in ("md5", sha)}
        self._lock = threading.Lock()
        self._holder = os.getpid()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other threads out, so that both digests see the same bytes in the same order."""
        if not self._lock.acquire(blocking=False):
            if self._holder != os.getpid():
                raise RuntimeError("this process was forked while another thread was hashing")
            self._lock.acquire()
        try:
            self._holder = os.getpid()
            yield
        finally:
            self._lock.release()

    def update(self, data: ReadableBuffer, /) -> None:
        with self._alone():
            for each in self._hashes.values():
                each.update(data)

    def update_both(self, part: Self, data: ReadableBuffer, /) -> None:
        self.update(data)
        part.update(data)

    def digest(self, name: str, /) -> bytes:
        if name not in self._hashes:
            raise ValueError(f"{name!r} is not one of the digests {' and '.join(self._hashes)}")
        with self._alone():
            return self._hashes[name].digest()

    def copy(self) -> Self:
        other = type(self).__new__(type(self))
        with self._alone():
            other._hashes = {name: each.copy() for name, each in self._hashes.items()}
        other._lock, other._holder = threading.Lock(), os.getpid()
        return other
