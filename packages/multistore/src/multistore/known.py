"""Telling a driver what the core knows of the part that it is given to write."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator

__all__ = ["digest_of", "knowing"]

_PART: contextvars.ContextVar[tuple[bytes, str, str | None] | None] = contextvars.ContextVar(
    "multistore_part", default=None
)


@contextlib.contextmanager
def knowing(data: bytes, name: str, value: str | None) -> Iterator[None]:
    """Write a part in this block, of which one digest in hexadecimal digits is this, or not known."""
    token = _PART.set((data, name, value))
    try:
        yield
    finally:
        _PART.reset(token)


def digest_of(data: bytes, name: str) -> str | None:
    """Give a digest of a part, in hexadecimal digits, if the core has computed it; None for all that is not its very bytes.

    ``name`` is the driver's ``part_digest``.
    """
    part = _PART.get()
    return part[2] if part is not None and part[0] is data and part[1] == name else None
