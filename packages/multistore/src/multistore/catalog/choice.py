"""Which copies and which digest an operation works with, and what it says when there are none."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from multistore.catalog.records import Cleaned, ImageRecord
from multistore.errors import AlreadyExists, Misconfigured, NotFound, StoreError

__all__ = ["absent", "check_deletable", "chosen", "errors_of", "proof", "taken", "usable"]

#: Which digest proves an image when several are known, the best first.
_STRONGEST = (
    *("sha512", "sha3_512", "blake2b", "sha384", "sha3_384"),
    *("sha256", "sha3_256", "blake2s"),
)


def taken(name: str) -> AlreadyExists:
    """Say that the name is in use."""
    return AlreadyExists(f"an image called {name!r} is there already")


def absent(name: str) -> NotFound:
    """Say that there is no such image."""
    return NotFound(f"there is no image called {name!r}")


def proof(record: ImageRecord) -> dict[str, str]:
    """Choose the one digest that an image is held against: the strongest on record."""
    for algorithm in (*_STRONGEST, *record.digests):
        if algorithm in record.digests:
            return {algorithm: record.digests[algorithm]}
    return {}


def chosen(record: ImageRecord, stores: Sequence[str] | None) -> dict[str, str]:
    """Give the references in these stores, or all; NotFound if one of them has none."""
    if stores is None:
        return record.refs
    without = [store for store in stores if store not in record.copies]
    if without:
        raise NotFound(f"{record.name!r} has no copy in {', '.join(without)}")
    return {store: record.copies[store].ref for store in stores}


def usable(
    record: ImageRecord, stores: Sequence[str] | None, configured: Collection[str]
) -> dict[str, str]:
    """Give the references that can be used now: those in stores that are configured."""
    wanted = chosen(record, stores)
    known = {store: ref for store, ref in wanted.items() if store in configured}
    if wanted and not known:
        raise Misconfigured(
            f"{record.name!r} is in {', '.join(wanted)}, which is not configured", setting="store"
        )
    return known


def check_deletable(
    record: ImageRecord, stores: Sequence[str] | None, configured: Collection[str]
) -> None:
    """Refuse to delete the last copy by naming its store, or a copy whose store is not configured."""
    wanted = chosen(record, stores)
    if stores is not None and set(wanted) == set(record.copies):
        raise Misconfigured(
            f"these are all copies of {record.name!r}: to delete the image, name no stores",
            setting="stores",
        )
    unknown = [store for store in wanted if store not in configured]
    if unknown:
        raise Misconfigured(
            f"{record.name!r} has a copy in {', '.join(unknown)}, which is not configured",
            setting="store",
        )


def errors_of(found: Iterable[Cleaned]) -> Sequence[StoreError]:
    """Give what went wrong with copies that were to be deleted."""
    return [each.error for each in found if each.error is not None and each.what == "copy"]
