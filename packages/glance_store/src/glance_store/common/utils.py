"""Small helpers of the interface: ids, chunks, hashers, locks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from glance_store._redact import redact

__all__ = ["chunkiter", "chunkreadable", "get_hasher", "is_uuid_like", "redact", "synchronized"]


class Readable(Protocol):
    """What a file-like source has to offer."""

    def read(self, size: int, /) -> bytes:
        """Give up to ``size`` bytes."""


def is_uuid_like(val: object) -> bool:
    """Say whether ``val`` is the canonical text of a UUID: lower case, with dashes."""
    from uuid import UUID

    try:
        return str(UUID(val)) == val  # type: ignore[arg-type]
    except (TypeError, ValueError, AttributeError):
        return False


def chunkreadable(iter: Readable | Iterable[bytes], chunk_size: int = 65536) -> Iterable[bytes]:
    """Give the chunks of a source: of an object with ``read``, ``chunk_size`` bytes each; of another, its own."""
    read = getattr(iter, "read", None)
    return iter if read is None else chunkiter(iter, chunk_size)  # type: ignore[arg-type,return-value]


def chunkiter(fp: Readable, chunk_size: int = 65536) -> Iterator[bytes]:
    """Yield what ``fp.read(chunk_size)`` gives until it gives nothing."""
    while chunk := fp.read(chunk_size):
        yield chunk


def get_hasher(hash_algo: str, usedforsecurity: bool = True) -> hashlib._Hash:
    """Make a hash object; ValueError for a name that nobody knows.

    ``usedforsecurity`` is told to md5 only: hosts in FIPS mode refuse it otherwise.
    """
    if str(hash_algo) == "md5":
        return hashlib.md5(usedforsecurity=usedforsecurity)  # noqa: S324  # the interface's checksum
    return hashlib.new(str(hash_algo))


def synchronized(*args: Any, **kwargs: Any) -> Any:
    """Give oslo.concurrency's decorator ``synchronized``, its locks named ``glance_store-...``."""
    from oslo_concurrency import lockutils  # 80 ms, and few need it

    return lockutils.synchronized_with_prefix("glance_store-")(*args, **kwargs)
