"""The images of a pool, and what is known of one of them without opening it."""

from __future__ import annotations

from collections.abc import Iterator

from multistore.drivers.rbd.pools import Pool
from multistore.drivers.rbd.refs import SNAPSHOT, RbdRef, is_hidden, parse_ref
from multistore.errors import InvalidRef
from multistore.model import Info

__all__ = ["images", "info_of"]


def info_of(pool: Pool, ref: str, name: str, image_id: str, snapshot: int) -> Info | None:
    """Describe an image at its snapshot; None if one of them is gone."""
    size = pool.size(image_id, snapshot)
    if size is None:
        return None
    # Neither number is ever used again.
    return Info(ref, size, f"{image_id}.{snapshot}", name, pool.created(image_id))


def images(pool: Pool) -> Iterator[Info]:
    """List every image that has the snapshot; what is hidden, or in the trash, is not among them."""
    rbd = pool.connection.sdk.rbd
    with pool.connection.guard(f"the pool {pool.name!r}", pool):
        found = [(each["name"], each["id"]) for each in rbd.RBD().list2(pool.io)]
    for name, image_id in found:
        ref = str(RbdRef(name, pool.name, pool.connection.fsid, SNAPSHOT))
        if is_hidden(name) or not _is_ref(ref):
            continue
        snapshot = pool.snapshot(image_id, SNAPSHOT)
        if snapshot is not None and (info := info_of(pool, ref, name, image_id, snapshot)):
            yield info


def _is_ref(ref: str) -> bool:
    try:
        parse_ref(ref)
    except InvalidRef:
        return False
    return True
