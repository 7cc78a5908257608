"""Fleet: many stores as one. Written in one pass, read from whichever answers, repaired from each other."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from multistore.errors import Corrupt, Misconfigured, NotFound, StoreError
from multistore.fleet.copying import Copying
from multistore.fleet.receipts import FleetReceipt, Repair, fleet_receipt
from multistore.model import Fetched, Receipt, State, Verdict
from multistore.pipeline.failover import Copy, FailoverStream
from multistore.pipeline.image import Image
from multistore.pipeline.journal import Journal
from multistore.pipeline.save import Target as SaveTarget
from multistore.pipeline.sink import Target
from multistore.pipeline.source import Source
from multistore.pipeline.upload import ByteObserver, Job, upload
from multistore.store import DIGESTS, Store, fetch

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["Fleet"]


class Fleet:
    """Several stores as one: ``copies`` maps the name of a store to the reference of the image there.

    ``weights`` decide the order of reading, the heaviest first; equal ones keep the order of ``stores``.
    Stores belong to their maker, but ``close`` closes them all.
    """

    def __init__(
        self,
        stores: Iterable[Store] | Mapping[str, Store],
        *,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        members = list(stores.values() if isinstance(stores, Mapping) else stores)
        self.stores: Mapping[str, Store] = MappingProxyType({each.name: each for each in members})
        if len(self.stores) != len(members):
            raise Misconfigured("two stores of a fleet have the same name", setting="name")
        self.weights = dict(weights or {})
        self._check_names(self.weights)

    def __repr__(self) -> str:
        return f"<Fleet of {', '.join(self.stores)}>"

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
        journal: Journal | None = None,
    ) -> FleetReceipt:
        """Store an image in all of the stores, or in at least ``minimum`` of them, reading and hashing it once.

        A store that fails is cleaned up, and reported in the receipt, as long as enough are left; otherwise nothing stays
        anywhere and its error is raised, an ExceptionGroup if several failed.
        Everything else is as in ``Store.put``.
        """
        names = list(self.stores if stores is None else dict.fromkeys(stores))
        self._check_names(names)
        wanted = len(names) if minimum is None else minimum
        if not 1 <= wanted <= len(names):
            raise ValueError(f"minimum={wanted} of {len(names)} stores makes no sense")
        job = Job(
            name=name,
            source=source,
            size=size,
            digests=digests,
            expect=expect,
            observers=observers,
            read_size=read_size,
            journal=journal,
            fused=all(self.stores[each].options.fused_digests for each in names),
        )
        targets = [self._target(each, labels) for each in names]
        return fleet_receipt(name, upload(targets, job, wanted), {})

    def delete(self, copies: Mapping[str, str]) -> None:
        """Remove all copies; a copy that is gone already is fine unless all are: NotFound.

        Every store is tried before the errors are raised, several as an ExceptionGroup.
        """
        self._check_names(copies)
        gone: list[NotFound] = []
        errors: list[StoreError] = []
        for name, ref in copies.items():
            try:
                self.stores[name].delete(ref)
            except NotFound as error:
                gone.append(error)
            except StoreError as error:
                errors.append(error)
        if not errors and gone and len(gone) == len(copies):
            raise gone[0]
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise ExceptionGroup("some copies could not be deleted", errors)

    # -- reading -----------------------------------------------------------------------------

    def order(self, copies: Mapping[str, str]) -> list[str]:
        """Give the stores of these copies in their reading order."""
        self._check_names(copies)
        rank = {name: place for place, name in enumerate(self.stores)}
        return sorted(copies, key=lambda name: (-self.weights.get(name, 0), rank[name]))

    def open(
        self,
        copies: Mapping[str, str],
        *,
        expect: Mapping[str, str] | None = None,
        size: int | None = None,
    ) -> Image:
        """Open an image for reading from the first store that answers.

        A read that breaks goes on at the same offset from the next store.
        Only when no store is left the first error is raised, with notes on the others.
        """
        if not copies:
            raise NotFound("the image has no copy")
        order = [Copy(name, copies[name], self.stores[name].driver) for name in self.order(copies)]
        stream = FailoverStream(order, size)
        fused = all(self.stores[name].options.fused_digests for name in copies)
        return Image(stream, size=size, expect=expect, what=stream.what, fused=fused)

    def get(
        self,
        copies: Mapping[str, str],
        target: SaveTarget,
        *,
        offset: int = 0,
        length: int | None = None,
        expect: Mapping[str, str] | None = None,
        size: int | None = None,
    ) -> Fetched:
        """Write an image, or a range of it, to a path (atomically) or a binary file object.

        When the bytes turn out wrong, a path is written again from one store after the other; into a file object the wrong
        bytes have gone already, so Corrupt is raised.
        """
        attempts = [copies, *({name: copies[name]} for name in self.order(copies))]
        blamed: list[tuple[str, ...]] = []
        failed: StoreError | None = None
        for attempt in attempts:
            if tuple(attempt) in blamed:
                continue
            with self.open(attempt, expect=expect, size=size) as image:
                try:
                    return fetch(image, target, offset, length)
                except StoreError as error:
                    again = failed is not None or isinstance(error, Corrupt)
                    if hasattr(target, "write") or not again:
                        raise
                    blamed.append(image.stores)
                    failed = _noted(failed, error)
        raise failed or NotFound("the image has no copy")

    # -- certainty ---------------------------------------------------------------------------

    def verify(
        self,
        copies: Mapping[str, str],
        *,
        expect: Mapping[str, str] | None = None,
        size: int | None = None,
    ) -> list[Verdict]:
        """Read every copy completely and judge it; a store that does not answer makes its copy UNVERIFIABLE."""
        return [self._verify(name, copies[name], expect, size) for name in self.order(copies)]

    def _verify(
        self, name: str, ref: str, expect: Mapping[str, str] | None, size: int | None
    ) -> Verdict:
        try:
            return self.stores[name].verify(ref, expect=expect, size=size)
        except StoreError as error:
            shown = self.stores[name].redact(ref)
            return Verdict(
                name, shown, State.UNVERIFIABLE, f"{type(error).__name__}: {error.message}"
            )

    def copy(
        self,
        copies: Mapping[str, str],
        name: str,
        to: Sequence[str],
        *,
        minimum: int | None = None,
        digests: Sequence[str] = DIGESTS,
        expect: Mapping[str, str] | None = None,
        size: int | None = None,
        labels: Mapping[str, str] | None = None,
        journal: Journal | None = None,
    ) -> FleetReceipt:
        """Make further copies, under ``name``, in the stores ``to``: inside a backend where it can, the others in one pass.

        All of them, or at least ``minimum``; otherwise none stays.
        """
        targets = [self._target(each, labels) for each in dict.fromkeys(to)]
        copying = Copying(
            stores=self.stores,
            copies={each: copies[each] for each in self.order(copies)},
            name=name,
            digests=digests,
            expect=expect,
            size=size,
            journal=journal,
        )
        wanted = len(targets) if minimum is None else minimum
        with self.open(copies, expect=expect, size=size) as image:
            return copying.into(targets, wanted, image)

    def repair(
        self,
        copies: Mapping[str, str],
        name: str,
        *,
        expect: Mapping[str, str] | None = None,
        size: int | None = None,
        digests: Sequence[str] = DIGESTS,
        labels: Mapping[str, str] | None = None,
        journal: Journal | None = None,
    ) -> Repair:
        """Verify all copies and write those that are missing, short or corrupt anew from an intact one.

        A damaged copy makes room for the new one of the same ``name`` only when an intact one has just been
        read; a copy that could not be judged is left alone.
        Without ``expect`` a copy that could be read to its end counts as intact if no other has another length.
        """
        verdicts = {each.store: each for each in self.verify(copies, expect=expect, size=size)}
        sources = {each: copies[each] for each in _intact(verdicts, expect)}
        made: dict[str, Receipt] = {}
        failures: dict[str, StoreError] = {}
        for each in [store for store, found in verdicts.items() if found.state in _DAMAGED]:
            if not sources:
                break
            try:
                with contextlib.suppress(NotFound):
                    self.stores[each].delete(copies[each])
                copied = self.copy(
                    sources,
                    name,
                    [each],
                    digests=digests,
                    expect=expect,
                    size=size,
                    labels=labels,
                    journal=journal,
                )
                made.update(copied.copies)
            except StoreError as error:
                failures[each] = error
        return Repair(verdicts, next(iter(sources), None), made, failures)

    # -- the fleet itself --------------------------------------------------------------------

    def _target(self, name: str, labels: Mapping[str, str] | None) -> Target:
        self._check_names([name])
        return Target(name, self.stores[name].driver, labels or {})

    def _check_names(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.stores:
                known = ", ".join(self.stores) or "none"
                raise Misconfigured(f"no store is called {name!r}; known: {known}", setting="store")

    def close(self) -> None:
        """Close all stores; idempotent."""
        for store in self.stores.values():
            store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


_DAMAGED = frozenset({State.MISSING, State.SHORT, State.CORRUPT})


def _intact(verdicts: Mapping[str, Verdict], expect: Mapping[str, str] | None) -> list[str]:
    """Give the stores that a repair may read from."""
    if expect:
        return [store for store, found in verdicts.items() if found.state is State.INTACT]
    read = {
        store: found.size
        for store, found in verdicts.items()
        if found.state is State.UNVERIFIABLE and found.size is not None
    }
    return list(read) if len(set(read.values())) == 1 else []


def _noted(first: StoreError | None, error: StoreError) -> StoreError:
    """Keep the first error, with a note on the later one."""
    if first is None:
        return error
    first.add_note(f"and {type(error).__name__}: {error}")
    return first
