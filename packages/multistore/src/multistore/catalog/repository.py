"""Repository: a fleet whose images are found by name."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from multistore.catalog.catalog import Catalog
from multistore.catalog.choice import (
    absent,
    check_deletable,
    chosen,
    errors_of,
    proof,
    taken,
    usable,
)
from multistore.catalog.collect import Collector
from multistore.catalog.operation import GRACE, Operation
from multistore.catalog.orphans import orphans
from multistore.catalog.records import Cleaned, ImageRecord, Orphan
from multistore.errors import AlreadyExists, Unsupported
from multistore.fleet import Fleet, FleetReceipt, Repair
from multistore.model import Fetched, Receipt, State, Verdict
from multistore.pipeline.image import Image
from multistore.pipeline.save import Target as SaveTarget
from multistore.pipeline.source import Source
from multistore.pipeline.upload import ByteObserver
from multistore.store import DIGESTS

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["Repository"]


class Repository:
    """Images by name: the bytes in the stores of a Fleet, what is where in a Catalog.

    An image is visible, to every process at once, when it is whole in its stores and recorded; until then it is absent.
    One operation at a time changes an image; a second one gets InUse, or AlreadyExists if it is a put.
    What a dead process left is cleaned up by the next change of the same image, and by ``gc``.
    """

    def __init__(self, fleet: Fleet, catalog: Catalog) -> None:
        self.fleet = fleet
        self.catalog = catalog

    def __repr__(self) -> str:
        return f"<Repository of {self.fleet!r} in {self.catalog.path!r}>"

    # -- writing -----------------------------------------------------------------------------

    def put(
        self,
        name: str,
        source: Source,
        *,
        stores: Sequence[str] | None = None,
        minimum: int | None = None,
        size: int | None = None,
        digests: Sequence[str] = DIGESTS,
        expect: Mapping[str, str] | None = None,
        observers: Sequence[ByteObserver] = (),
        labels: Mapping[str, str] | None = None,
        read_size: int | None = None,
    ) -> FleetReceipt:
        """Store an image under a new name, as ``Fleet.put`` does, and record it; or raise and leave nothing.

        AlreadyExists if the name is taken, or just being taken by another process: nothing is read then.
        """
        if self.catalog.image(name) is not None:
            raise taken(name)
        with self.catalog.operation() as operation:
            self._take_name(operation, name)
            try:
                receipt = self.fleet.put(
                    name,
                    source,
                    stores=stores,
                    minimum=minimum,
                    size=size,
                    digests=digests,
                    expect=expect,
                    observers=observers,
                    labels=labels,
                    read_size=read_size,
                    journal=operation,
                )
                self._check_refs(receipt.copies.values())
                operation.publish(receipt.size, receipt.digests, receipt.copies.values())
            except BaseException as error:
                self._undo(operation, name, error)
                raise
        return receipt

    def _take_name(self, operation: Operation, name: str) -> None:
        """Hold the name of an image that is not there, and remove what a dead process left of it."""
        operation.hold(name, state="uploading")
        for _ in self._collector().recover(operation):
            pass  # what cannot be removed now is left to gc
        held = operation.held
        if self.catalog.image(name) is not None:
            raise taken(name)
        if held is not None and held.state == "deleting":
            operation.reuse()

    def _undo(self, operation: Operation, name: str, error: BaseException) -> None:
        """Leave nothing of the uploads that are still on record as this operation's."""
        try:
            mine = [each for each in self.catalog.uploads(name) if each.owner == operation.owner]
            for upload in mine:
                cleaned = self._collector().clean(operation, upload)
                if cleaned.error is not None:
                    error.add_note(
                        f"store {upload.store!r}: something is left ({type(cleaned.error).__name__});"
                        " garbage collection removes it"
                    )
        except Exception as trouble:
            error.add_note(
                f"something of {name!r} may be left ({type(trouble).__name__}); garbage collection removes it"
            )

    def _check_refs(self, copies: Iterable[Receipt]) -> None:
        for copy in copies:
            if self.fleet.stores[copy.store].redact(copy.ref) != copy.ref:
                raise Unsupported(
                    f"references of the store {copy.store!r} hold credentials, which the catalog does not keep"
                )

    def copy(self, name: str, to: Sequence[str]) -> FleetReceipt:
        """Make further copies of an image in the stores ``to``: all of them, or none.

        AlreadyExists if one of them has a copy, NotFound if there is no such image.
        """
        with self.catalog.operation() as operation:
            record = self._hold_visible(operation, name)
            there = [store for store in to if store in record.copies]
            if there:
                raise AlreadyExists(f"{name!r} has a copy in {', '.join(there)} already")
            try:
                receipt = self.fleet.copy(
                    usable(record, None, self.fleet.stores),
                    name,
                    to,
                    digests=(),
                    expect=proof(record),
                    size=record.size,
                    journal=operation,
                )
                self._check_refs(receipt.copies.values())
                operation.add(receipt.copies.values())
            except BaseException as error:
                self._undo(operation, name, error)
                raise
        return receipt

    def repair(self, name: str) -> Repair:
        """Verify all copies of an image and write the damaged ones anew from an intact one, as ``Fleet.repair`` does.

        What was found is recorded; a copy that was written anew counts as never verified.
        """
        with self.catalog.operation() as operation:
            record = self._hold_visible(operation, name)
            operation.replacing()
            try:
                result = self.fleet.repair(
                    usable(record, None, self.fleet.stores),
                    name,
                    digests=(),
                    expect=proof(record),
                    size=record.size,
                    journal=operation,
                )
                self._check_refs(result.copies.values())
                operation.add(result.copies.values())
            except BaseException as error:
                self._undo(operation, name, error)
                raise
            left = [each for each in result.verdicts.values() if each.store not in result.copies]
            self.catalog.record(name, left)
        return result

    def _hold_visible(self, operation: Operation, name: str) -> ImageRecord:
        """Hold an image that is there, and remove what a dead process left of it."""
        self.stat(name)
        if operation.hold(name) is None:
            raise absent(name)
        for _ in self._collector().recover(operation):
            pass
        return self.stat(name)

    # -- deleting ----------------------------------------------------------------------------

    def delete(self, name: str, *, stores: Sequence[str] | None = None) -> None:
        """Remove an image, or only its copies in some stores, never the last one.

        It is invisible at once; a copy that its store refuses to delete (InUse, AccessDenied) shows it again.
        A copy whose store does not answer is deleted by repeating this call, or by ``gc``.
        NotFound if there is no such image or copy; one that its store has lost is deleted all the same.
        """
        with self.catalog.operation() as operation:
            try:
                held = operation.hold(name)
            except AlreadyExists:
                held = None
            if held is None:
                raise absent(name)
            errors = errors_of(self._collector().recover(operation))
            if held.state != "deleting":
                record = self.stat(name)
                check_deletable(record, stores, self.fleet.stores)
                operation.mark(stores)
                errors = errors_of(self._collector().finish_deleting(operation))
            if self.catalog.image(name) is None:
                for error in errors:
                    error.add_note(f"{name!r} is gone; garbage collection deletes this copy")
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise ExceptionGroup(f"some copies of {name!r} could not be deleted", errors)

    # -- reading -----------------------------------------------------------------------------

    def stat(self, name: str) -> ImageRecord:
        """Give what is on record of an image; NotFound if there is none of that name."""
        record = self.catalog.image(name)
        if record is None:
            raise absent(name)
        return record

    def list(self, prefix: str = "") -> Iterator[ImageRecord]:
        """Give what is on record of all images whose names begin with ``prefix``, by name."""
        return self.catalog.images(prefix)

    def open(self, name: str, *, stores: Sequence[str] | None = None) -> Image:
        """Open an image for reading, as ``Fleet.open`` does; its bytes are held against the recorded digest."""
        record = self.stat(name)
        return self.fleet.open(
            usable(record, stores, self.fleet.stores), expect=proof(record), size=record.size
        )

    def get(
        self,
        name: str,
        target: SaveTarget,
        *,
        stores: Sequence[str] | None = None,
        offset: int = 0,
        length: int | None = None,
    ) -> Fetched:
        """Write an image, or a range of it, to a path (atomically) or a binary file object, as ``Fleet.get`` does."""
        record = self.stat(name)
        return self.fleet.get(
            usable(record, stores, self.fleet.stores),
            target,
            offset=offset,
            length=length,
            expect=proof(record),
            size=record.size,
        )

    def verify(
        self,
        name: str,
        *,
        stores: Sequence[str] | None = None,
        expect: Mapping[str, str] | None = None,
    ) -> builtins.list[Verdict]:
        """Read every copy completely and judge it; the verdicts are recorded with their date.

        The bytes are held against the best digest on record, or against those that the caller expects instead.
        """
        record = self.stat(name)
        wanted = chosen(record, stores)
        known = {store: ref for store, ref in wanted.items() if store in self.fleet.stores}
        verdicts = self.fleet.verify(known, expect=expect or proof(record), size=record.size)
        self.catalog.record(name, verdicts)
        return verdicts + [
            Verdict(store, ref, State.UNVERIFIABLE, "the store is not configured")
            for store, ref in wanted.items()
            if store not in known
        ]

    # -- cleaning up -------------------------------------------------------------------------

    def gc(self, *, grace: float = GRACE, dry_run: bool = False) -> Iterator[Cleaned]:
        """Clean up after dead processes, and tell what was found; nothing live is touched.

        An upload of the catalog is dead when its process is; where that cannot be known (it ran on another
        machine), when it is older than ``grace`` seconds.
        An unfinished upload that is in a store, but not in the catalog, is removed when it is older than ``grace`` and its store
        does not see it alive.
        Objects that the catalog does not know are never deleted: see ``orphans``.
        """
        return self._collector(grace=grace, dry_run=dry_run).collect()

    def orphans(self) -> Iterator[Orphan]:
        """Give the published objects in the stores that the catalog does not know; stores that cannot list have none."""
        return orphans(self.catalog, self.fleet.stores)

    def _collector(self, *, grace: float = GRACE, dry_run: bool = False) -> Collector:
        return Collector(self.catalog, self.fleet.stores, grace, dry_run)

    def close(self) -> None:
        """Close the stores and the catalog; idempotent."""
        try:
            self.fleet.close()
        finally:
            self.catalog.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
