"""What an upload tells, step by step, to whoever has to clean up after a crash."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from multistore.model import Stored

__all__ = ["Journal"]


class Journal(Protocol):
    """Is told of each step *before* it happens, so that a crash leaves nothing unaccounted.

    The Catalog implements it; ``key`` is whatever ``intend`` gave back.
    A journal that raises stops the upload.
    """

    def intend(self, store: str, name: str) -> int:
        """Hear that an upload into ``store`` is about to begin; nothing exists yet."""

    def began(self, key: int, token: str) -> None:
        """Hear the token; no byte has gone out yet."""

    def committing(self, key: int, size: int, digests: Mapping[str, str]) -> None:
        """Hear that all bytes are there and publishing is next."""

    def committed(self, key: int, stored: Stored) -> None:
        """Hear that the object is published; nobody has been told yet."""

    def aborted(self, key: int) -> None:
        """Hear that nothing is left of the upload."""

    def abandoned(self, key: int) -> None:
        """Hear that something may be left, and that nobody works on it any more."""
