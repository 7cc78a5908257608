"""The judge of a crash: what must be in a file store, and what must not."""

from __future__ import annotations

import io
import os

from crashing.work import digest, image
from multistore import NotFound, Store, open_store

__all__ = ["leftovers", "open_files", "present", "swept"]


def open_files(directory: str) -> Store:
    """Open the store as the next process would."""
    return open_store({"driver": "file", "path": directory}, name="judge")


def present(store: Store, name: str, size: int) -> bool:
    """Say whether an image is there; one that is there and not whole is an AssertionError."""
    (prefix, *_) = store.driver.prefixes()
    ref = f"{prefix.removesuffix('/')}/{name}"
    target = io.BytesIO()
    try:
        store.get(ref, target)
    except NotFound:
        return False
    found = target.getvalue()
    whole = digest(found) == digest(image(name, size))
    assert whole, f"{name}: {len(found)} bytes are visible, and they are not the image"
    return True


def swept(store: Store) -> None:
    """Remove what dead writers left."""
    for pending in list(store.pending()):
        store.discard(pending.token)


def leftovers(directory: str, names: set[str]) -> list[str]:
    """List what is in a store's directory besides its images and the store's marker."""
    return [
        entry
        for entry in sorted(os.listdir(directory))
        if entry not in names and entry not in ("lost+found", ".multistore")
    ]
