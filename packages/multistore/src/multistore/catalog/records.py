"""What the catalog knows, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from multistore.errors import StoreError
from multistore.model import State

__all__ = ["Cleaned", "CopyRecord", "ImageRecord", "Orphan", "UploadRecord"]


@dataclass(frozen=True, slots=True)
class CopyRecord:
    """One copy of an image: where it is, and what its last verification found, how, and when.

    ``proved`` is when it was last found intact.
    Times are seconds since the epoch; None means never.
    """

    store: str
    ref: str
    metadata: Mapping[str, object]
    state: State | None
    proof: str | None
    verified: float | None
    proved: float | None


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One visible image: size in bytes, hexadecimal digests by algorithm, when it was put, copies by store."""

    name: str
    size: int
    digests: Mapping[str, str]
    created: float
    copies: Mapping[str, CopyRecord]

    @property
    def refs(self) -> dict[str, str]:
        """Where the copies are: what the verbs of a Fleet take."""
        return {store: copy.ref for store, copy in self.copies.items()}


@dataclass(frozen=True, slots=True)
class UploadRecord:
    """An upload in flight, or left behind: ``alive`` says which, None where that cannot be known.

    ``state`` is ``intended``, ``began``, ``committing``, ``committed`` or ``abandoned``; ``owner`` names the process.
    """

    key: int
    name: str
    store: str
    token: str | None
    state: str
    started: float
    owner: str
    alive: bool | None


@dataclass(frozen=True, slots=True)
class Cleaned:
    """One thing that garbage collection came across.

    ``what``: ``upload`` (one of the catalog's), ``copy`` (of a deleted image) or ``stray`` (an unfinished upload that the
    catalog does not know); ``action``: ``removed``, ``kept`` or ``would remove``.
    ``error`` is why it could not be removed; something kept without an error is alive, or too young.
    """

    store: str
    name: str
    what: str
    action: str
    error: StoreError | None = None


@dataclass(frozen=True, slots=True)
class Orphan:
    """An object in a store that the catalog does not know; ``ref`` is redacted."""

    store: str
    ref: str
    name: str | None
    size: int | None
    modified: float | None
