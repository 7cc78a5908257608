"""Cleaning up after the dead: rolls back what was never acknowledged, finishes what was being deleted.

All of it happens while the image's name is held, so no writer of that name is ever disturbed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from multistore.catalog.catalog import Catalog
from multistore.catalog.operation import GRACE, Operation
from multistore.catalog.records import Cleaned, UploadRecord
from multistore.errors import (
    AccessDenied,
    AlreadyExists,
    InUse,
    Misconfigured,
    NotFound,
    StoreError,
    Unauthenticated,
    Unsupported,
)
from multistore.model import Pending, Stored, Verb
from multistore.store import Store

__all__ = ["Collector"]

#: The store said no: the object is as it was.
REFUSALS = (InUse, AccessDenied, Unauthenticated, Unsupported)


@dataclass(frozen=True, slots=True)
class Collector:
    """Cleans up in these stores what the catalog knows of, and with ``strays`` what it does not."""

    catalog: Catalog
    stores: Mapping[str, Store]
    grace: float = GRACE
    dry_run: bool = False

    # -- garbage collection ------------------------------------------------------------------

    def collect(self) -> Iterator[Cleaned]:
        """Clean up everything that is dead."""
        for name in self.catalog.unfinished():
            yield from self._look(name) if self.dry_run else self._clean(name)
        for store in self.stores.values():
            if Verb.WRITE in store.capabilities.verbs:
                yield from self._strays(store)
        if not self.dry_run:
            self.catalog.sweep_owners()

    def _clean(self, name: str) -> Iterator[Cleaned]:
        with self.catalog.operation() as operation:
            try:
                operation.hold(name, state="cleaning", grace=self.grace)
            except (InUse, AlreadyExists):
                yield from self._look(name)
                return
            yield from self.recover(operation)

    def recover(self, operation: Operation) -> Iterator[Cleaned]:
        """Clean up what was left of the image that is held."""
        held = operation.held
        if held is None:
            return
        for upload in self.catalog.uploads(held.name):
            yield self.clean(operation, upload)
        if operation.gone() or held.state == "deleting":
            yield from self.finish_deleting(operation)

    def _look(self, name: str) -> Iterator[Cleaned]:
        """Tell what there is, and touch nothing."""
        now = self.catalog.clock()
        for upload in self.catalog.uploads(name):
            dead = upload.alive is False or (
                upload.alive is None and now - upload.started >= self.grace
            )
            action = "would remove" if dead and self.dry_run else "kept"
            yield Cleaned(upload.store, name, "upload", action)
        for store, alive in self.catalog.deleting(name):
            action = "would remove" if self.dry_run and not alive else "kept"
            yield Cleaned(store, name, "copy", action)

    # -- uploads -----------------------------------------------------------------------------

    def clean(self, operation: Operation, upload: UploadRecord) -> Cleaned:
        """Roll an upload back and strike it off; one that cannot be removed now is left to garbage collection."""
        found = (upload.store, upload.name, "upload")
        try:
            self.roll_back(upload)
            operation.forget(upload.key)
        except StoreError as error:
            operation.abandoned(upload.key)
            return Cleaned(*found, "kept", error)
        return Cleaned(*found, "removed")

    def roll_back(self, upload: UploadRecord) -> None:
        """Leave nothing of an upload, published or not, unless the catalog counts on it."""
        if upload.token is None:
            return  # at most an empty one was begun: it is a stray
        store = self._store(upload.store)
        if not self._unpublish(store, upload.token):
            store.discard(upload.token)
            self._unpublish(store, upload.token)  # a server may have been publishing still

    def _unpublish(self, store: Store, token: str) -> bool:
        stored: Stored | None = store.published(token)
        if stored is None:
            return False
        if not self.catalog.refers(store.name, stored.ref):
            _delete(store, stored.ref)
        store.discard(token)
        return True

    # -- copies ------------------------------------------------------------------------------

    def finish_deleting(self, operation: Operation) -> Iterator[Cleaned]:
        """Delete the copies that are marked; one that its store refuses to delete is shown again."""
        held = operation.held
        if held is None:
            return
        done: list[str] = []
        kept: list[str] = []
        for name, ref in operation.gone().items():
            try:
                _delete(self._store(name), ref)
            except StoreError as error:
                if isinstance(error, REFUSALS):
                    kept.append(name)
                yield Cleaned(name, held.name, "copy", "kept", error)
            else:
                done.append(name)
                yield Cleaned(name, held.name, "copy", "removed")
        operation.deleted(done, kept)

    def _store(self, name: str) -> Store:
        try:
            return self.stores[name]
        except KeyError:
            known = ", ".join(self.stores) or "none"
            raise Misconfigured(
                f"the catalog names a store {name!r} that is not configured; known: {known}",
                setting="store",
            ) from None

    # -- strays ------------------------------------------------------------------------------

    def _strays(self, store: Store) -> Iterator[Cleaned]:
        try:
            for pending in store.pending():
                if not self.catalog.knows(store.name, pending.token):
                    yield self._stray(store, pending)
        except StoreError as error:
            yield Cleaned(store.name, "", "stray", "kept", error)

    def _stray(self, store: Store, pending: Pending) -> Cleaned:
        found = (store.name, pending.name or pending.token, "stray")
        if not self._is_old(pending.started):
            return Cleaned(*found, "kept")
        if self.dry_run:
            return Cleaned(*found, "would remove")
        try:
            store.discard(pending.token)
        except StoreError as error:
            return Cleaned(*found, "kept", error)
        return Cleaned(*found, "removed")

    def _is_old(self, started: float | None) -> bool:
        if self.grace <= 0:
            return True
        return started is not None and self.catalog.clock() - started >= self.grace


def _delete(store: Store, ref: str) -> None:
    """Delete an object that may be gone; that the whole store is gone proves nothing."""
    try:
        store.delete(ref)
    except NotFound as error:
        if error.what != "object":
            raise
