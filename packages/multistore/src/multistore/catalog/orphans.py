"""Objects that no image refers to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from multistore.catalog.catalog import Catalog
from multistore.catalog.records import Orphan
from multistore.errors import NotFound
from multistore.model import Info, Verb
from multistore.store import Store

__all__ = ["orphans"]


def orphans(catalog: Catalog, stores: Mapping[str, Store]) -> Iterator[Orphan]:
    """Give the published objects that the catalog does not know.

    Each is looked up after it was listed, so what a running upload or deletion is about to settle is not among them.
    """
    for name, store in stores.items():
        if Verb.LIST not in store.capabilities.verbs:
            continue
        for info in store.list():
            if not _is_known(catalog, name, info) and _is_there(store, info.ref):
                yield Orphan(name, store.redact(info.ref), info.name, info.size, info.modified)


def _is_known(catalog: Catalog, store: str, info: Info) -> bool:
    # Uploads first: a finished one leaves the uploads when it joins the copies.
    under_way = any(each.store == store for each in catalog.uploads(info.name))
    return under_way or catalog.refers(store, info.ref)


def _is_there(store: Store, ref: str) -> bool:
    try:
        store.stat(ref)
    except NotFound:
        return False
    return True
