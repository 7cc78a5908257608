"""What the conformance tests of the interface work with: a store and its backend, sources, a child process."""

from __future__ import annotations

import hashlib
import io
import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Noting", "OnlyRead", "Rig", "Uneven", "Verifier", "in_child", "pattern", "read"]


@dataclass(kw_only=True)
class Rig:
    """A store of the interface, and what is seen of its backend from outside."""

    #: The configured store.
    store: Any
    #: Makes the location object of a text.
    at: Callable[[str], Any]
    #: Puts bytes under a new name behind the store's back, and gives their location.
    plant: Callable[[str, bytes], str]
    #: The location that an image of that name would have, for one that is not there.
    missing: Callable[[str], str]
    #: Whatever is in the backend and is no image.
    leftovers: Callable[[], list[str]] = list
    #: Makes another store over the same backend, as another process would have it.
    another: Callable[[], Any] | None = None
    #: Texts that must not show in any exception or log line.
    secrets: tuple[str, ...] = ()
    #: The identifier in multi-store mode.
    identifier: str | None = None
    #: Of two writers of one name exactly one succeeds.
    exclusive: bool = True
    #: A size in bytes beyond what the backend takes at once.
    large: int = 3 << 20


def pattern(size: int, seed: int = 1) -> bytes:
    """Make bytes in which every block is different, with some zeros."""
    block = hashlib.sha512(str(seed).encode()).digest() * 64
    data = b"".join(at.to_bytes(8, "big") + block for at in range(size // len(block) + 1))
    return (
        data[: size // 2]
        + bytes(min(size, 200_000) // 4)
        + data[size // 2 + min(size, 200_000) // 4 : size]
    )


def read(stream: Any) -> bytes:
    return b"".join(stream)


class Noting(io.BytesIO):
    """Data that notes how much of it was asked for at once."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.sizes: list[int] = []

    def read(self, size: int | None = -1) -> bytes:
        assert size is not None
        self.sizes.append(size)
        return super().read(size)


class OnlyRead:
    """A source with ``read`` and nothing else, that fails at one of its reads."""

    def __init__(
        self, data: bytes, *, fail_at: int = 0, error: BaseException | None = None
    ) -> None:
        self.data = io.BytesIO(data)
        self.reads = 0
        self.fail_at = fail_at
        self.error = error

    def read(self, size: int) -> bytes:
        self.reads += 1
        if self.reads == self.fail_at and self.error is not None:
            raise self.error
        return self.data.read(size)


class Uneven:
    """A source that gives more than was asked for, or less, as it pleases."""

    def __init__(self, data: bytes) -> None:
        self.data = io.BytesIO(data)
        self.turn = 0

    def read(self, size: int) -> bytes:
        self.turn += 1
        return self.data.read(size + 1000 if self.turn % 2 else max(1, size // 3))


class Verifier:
    """Sees bytes; may refuse them."""

    def __init__(self, error: Exception | None = None) -> None:
        self.seen = b""
        self.error = error

    def update(self, data: bytes) -> None:
        if self.error is not None:
            raise self.error
        self.seen += data


def in_child(work: Callable[[], bool]) -> bool:
    """Do something in a forked child, and say whether it was true there."""
    child = os.fork()
    if child == 0:
        try:
            good = work()
        except BaseException:
            traceback.print_exc()
            good = False
        os._exit(0 if good else 1)
    _pid, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0
