"""Further copies of an image: inside a backend where it can, the others in one pass."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from multistore.errors import Corrupt, StoreError
from multistore.fleet.receipts import FleetReceipt, fleet_receipt
from multistore.model import Receipt
from multistore.pipeline.image import Image
from multistore.pipeline.journal import Journal
from multistore.pipeline.sink import Target
from multistore.pipeline.upload import Job, upload
from multistore.store import Store

__all__ = ["Copying"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copying:
    """One image to be copied: ``copies`` are its stores, in reading order, and its references there."""

    stores: Mapping[str, Store]
    copies: Mapping[str, str]
    name: str
    digests: Sequence[str]
    expect: Mapping[str, str] | None
    size: int | None
    journal: Journal | None

    def into(self, targets: Sequence[Target], minimum: int, image: Image) -> FleetReceipt:
        """Fill at least ``minimum`` of the targets, or none; ``image`` is read only if it must be."""
        made: dict[str, Receipt] = {}
        try:
            for target in targets:
                receipt = self._inside(target)
                if receipt is not None:
                    made[target.store] = receipt
            left = [target for target in targets if target.store not in made]
            if not left:
                return fleet_receipt(self.name, None, made)
            job = Job(
                name=self.name,
                source=iter(image),
                size=image.size,
                digests=self.digests,
                expect=self.expect,
                journal=self.journal,
            )
            return fleet_receipt(self.name, upload(left, job, max(1, minimum - len(made))), made)
        except BaseException as error:
            self._withdraw(made, error)
            raise

    def _inside(self, target: Target) -> Receipt | None:
        """Try every copy as the source; a damaged one is passed over, the read from elsewhere deals with it."""
        for source, ref in self.copies.items():
            with contextlib.suppress(Corrupt):
                receipt = self.stores[source].copy_inside(
                    ref, target, self.name, expect=self.expect, size=self.size, journal=self.journal
                )
                if receipt is not None:
                    return receipt
        return None

    def _withdraw(self, made: Mapping[str, Receipt], error: BaseException) -> None:
        for name, receipt in made.items():
            try:
                self.stores[name].delete(receipt.ref)
            except StoreError as trouble:
                error.add_note(f"store {name!r}: the new copy is left ({type(trouble).__name__})")
