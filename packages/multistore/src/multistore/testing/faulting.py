"""A fault at every k-th call, before and after its effect: whole or absent, nothing left, the right error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from multistore.driver import Driver, Upload
from multistore.drivers.memory import MemoryDriver, MemorySettings
from multistore.errors import AlreadyExists, Corrupt, NotFound, StoreError, Unavailable
from multistore.fleet import Fleet
from multistore.layers.faults import Fault, FaultLayer, FaultPlan
from multistore.layers.stack import StoreOptions
from multistore.model import State, Verb
from multistore.store import Store
from multistore.testing.base import OPTIONS, Group, Work
from multistore.testing.rig import Rig
from multistore.testing.tools import content, digests_of, needs, part_size

__all__ = ["Faulting"]

#: A Store that gives up at once, so that each fault shows.
_ONCE = StoreOptions(attempts=1)

_EFFECT = pytest.mark.parametrize("effect", ["before", "after"])


class _Remembering(FaultLayer):
    """Knows the uploads below it, for the test to end those whose abort was made to fail."""

    def __init__(self, inner: Driver, plan: FaultPlan) -> None:
        super().__init__(inner, plan)
        self.uploads: list[Upload] = []

    def upload(self, inner: Upload, name: str) -> Upload:
        self.uploads.append(inner)
        return super().upload(inner, name)


class Sweep:
    """Runs without a fault, and then once for each call that was made, with that call failing."""

    def __init__(self, rig: Rig, make: Callable[[], Driver]) -> None:
        self._rig = rig
        self._make = make
        self._layers: list[_Remembering] = []

    def plans(self, effect: str, *, lasting: bool = False) -> Iterator[FaultPlan]:
        """Give one plan after the other, the first without a fault; ``lasting``: all later calls fail too."""
        clean = FaultPlan()
        yield clean
        assert clean.steps, "nothing was called"
        for step in clean.steps[: self._rig.faults]:
            if step.verb == "close":  # nothing is asked by closing
                continue
            if lasting:
                yield FaultPlan(Fault(number=step.number, forever=True, when=effect))
            else:
                yield FaultPlan(Fault(verb=step.verb, nth=step.nth, when=effect))

    def store(self, plan: FaultPlan, options: StoreOptions = _ONCE) -> Store:
        """Give a Store over a fresh driver that fails as planned."""
        layer = _Remembering(self._make(), plan)
        self._layers.append(layer)
        return Store(layer, name="judged", options=options)

    def release(self) -> None:
        """End the uploads whose abort failed: what holds a lock is InUse while this process lives."""
        for layer in self._layers:
            for upload in layer.uploads:
                upload.abort()
        self._layers.clear()


class Faulting(Group):
    """The same put, get, delete and copy, again and again, each time with another call failing."""

    @pytest.fixture
    def data(self, rig: Rig, bare: Driver) -> bytes:
        """Give an image of three parts with a hole in it, or a smaller one where parts are large."""
        part = min(part_size(bare), rig.largest // 3, 1 << 20)
        return content(part) + bytes(part // 2) + content(part + 7, "end")

    @pytest.fixture
    def kept(self, bare: Driver, work_of: Callable[[Driver], Work]) -> Work:
        """Give what the test works with, beside the failing driver."""
        return work_of(bare)

    @pytest.fixture
    def sweep(self, rig: Rig, make: Callable[[], Driver]) -> Sweep:
        """Give faults, and stores that have them."""
        return Sweep(rig, make)

    @needs(Verb.WRITE)
    @_EFFECT
    @pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
    def test_put_with_a_fault_at_every_call(
        self,
        sweep: Sweep,
        kept: Work,
        data: bytes,
        effect: str,
        lasting: bool,
    ) -> None:
        """Unavailable, and the image is absent, or whole if nobody could take it back; a retry succeeds."""
        for plan in sweep.plans(effect, lasting=lasting):
            name = kept.name()
            store = sweep.store(plan)
            try:
                kept.trust(store.put(name, data))
                assert not plan.fired
            except StoreError as error:
                _as_told(error, plan)
                if lasting:
                    kept.sweep()
                    sweep.release()
                _nothing_left(kept, plan)
                _put_again(kept, name, data, whole_is_fine=lasting)

    @needs(Verb.WRITE)
    @_EFFECT
    def test_put_gets_over_a_fault_at_any_call(
        self, sweep: Sweep, kept: Work, data: bytes, effect: str
    ) -> None:
        """With retries a single fault never shows; at most an upload that nobody heard of is left to be swept."""
        for plan in sweep.plans(effect):
            store = sweep.store(plan, OPTIONS)
            receipt = store.put(kept.name(), data)
            kept.trust(receipt)
            assert receipt.digests == digests_of(data)
            assert _whole(kept.driver, receipt.ref, data)
            _nothing_left(kept, plan)

    @_EFFECT
    def test_get_with_a_fault_at_every_call(
        self,
        sweep: Sweep,
        kept: Work,
        data: bytes,
        effect: str,
        tmp_path: Path,
    ) -> None:
        """An error and no file without retries; with them the right bytes."""
        ref, place = kept.image(data), tmp_path / "place"
        place.mkdir()
        target = place / "target"
        for plan in sweep.plans(effect):
            store = sweep.store(plan)
            try:
                store.get(ref, target, expect=digests_of(data))
                assert target.read_bytes() == data
                target.unlink()
            except StoreError as error:
                _as_told(error, plan)
            assert not list(place.iterdir())
            again = sweep.store(FaultPlan(*plan.faults), OPTIONS)
            again.get(ref, target, expect=digests_of(data))
            assert target.read_bytes() == data
            target.unlink()

    @pytest.mark.parametrize("place", ["first", "second", "middle", "last"])
    def test_a_stream_that_is_cut_is_never_taken_for_whole(
        self, sweep: Sweep, kept: Work, data: bytes, place: str
    ) -> None:
        """An error without retries; with them it goes on from there, if the store has versions."""
        ref, at = kept.image(data), _place(place, data)
        with pytest.raises(Unavailable), sweep.store(_cut(at)).open(ref) as image:
            list(image)
        with sweep.store(_cut(at), OPTIONS).open(ref, expect=digests_of(data)) as image:
            if kept.driver.stat(ref).version is not None or at == 0:
                assert b"".join(image) == data
            else:
                with pytest.raises(Unavailable):
                    list(image)

    @pytest.mark.parametrize("place", ["first", "second", "middle", "last"])
    def test_a_byte_that_changes_on_its_way_is_found(
        self, sweep: Sweep, kept: Work, data: bytes, place: str, tmp_path: Path
    ) -> None:
        """Corrupt, and no file; a fleet then takes another copy."""
        ref, target = kept.image(data), tmp_path / "target"
        plan = FaultPlan(Fault(verb="read", nth=1, flip=_place(place, data)))
        store = sweep.store(plan, OPTIONS)
        memory = Store(MemoryDriver(), name="memory")
        copies = {"judged": ref, "memory": memory.put("copy", data).ref}
        with pytest.raises(Corrupt):
            store.get(ref, target, expect=digests_of(data))
        assert not target.exists()
        fleet = Fleet([sweep.store(FaultPlan(*plan.faults), OPTIONS), memory])
        fleet.get(copies, target, expect=digests_of(data))
        assert target.read_bytes() == data

    @needs(Verb.WRITE, Verb.DELETE)
    @_EFFECT
    def test_delete_with_a_fault_at_every_call(self, sweep: Sweep, kept: Work, effect: str) -> None:
        """The image is whole or absent; a repeated delete removes it, or finds that it is gone."""
        for plan in sweep.plans(effect):
            ref = kept.put(content(1000))
            store = sweep.store(plan)
            try:
                store.delete(ref)
            except StoreError as error:
                _as_told(error, plan)
                try:
                    assert _whole(kept.driver, ref, content(1000))
                    kept.driver.delete(ref)
                except NotFound:
                    assert effect == "after"
            kept.absent(ref)
            assert not kept.left()

    @needs(Verb.WRITE, Verb.DELETE)
    @_EFFECT
    def test_delete_gets_over_a_fault_at_any_call(
        self, sweep: Sweep, kept: Work, effect: str
    ) -> None:
        """With retries a lost answer is no NotFound."""
        for plan in sweep.plans(effect):
            ref = kept.put(content(1000))
            sweep.store(plan, OPTIONS).delete(ref)
            kept.absent(ref)
            assert not kept.left()

    @needs(Verb.WRITE)
    @_EFFECT
    def test_copy_with_a_fault_at_every_call(
        self, sweep: Sweep, kept: Work, data: bytes, effect: str
    ) -> None:
        """Inside the backend or through this process: whole or absent, the source untouched."""
        source = kept.image(data)
        for plan in sweep.plans(effect):
            name = kept.name()
            store = sweep.store(plan)
            try:
                kept.trust(store.copy(source, store, name))
            except StoreError as error:
                _as_told(error, plan)
                _nothing_left(kept, plan)
                _put_again(kept, name, data, whole_is_fine=False)
        assert _whole(kept.driver, source, data)

    @needs(Verb.WRITE)
    @_EFFECT
    def test_a_fleet_survives_a_member_that_fails_at_any_call(
        self, sweep: Sweep, kept: Work, data: bytes, effect: str
    ) -> None:
        """The other copy is whole; of the failed one nothing is left."""
        for plan in sweep.plans(effect):
            memory = Store(MemoryDriver(MemorySettings(part_size=50_000)), name="memory")
            judged = sweep.store(plan)
            receipt = Fleet([memory, judged]).put(kept.name(), data, minimum=1)
            if "judged" in receipt.copies:
                kept.trust(receipt.copies["judged"])
            else:
                assert isinstance(receipt.failures["judged"], Unavailable)
            healthy = Fleet([memory, Store(kept.driver, name="judged")])
            verdicts = healthy.verify(receipt.refs, expect=receipt.digests)
            assert [each.state for each in verdicts] == [State.INTACT] * len(receipt.copies)
            _nothing_left(kept, plan)


def _as_told(error: StoreError, plan: FaultPlan) -> None:
    assert isinstance(error, Unavailable), f"{type(error).__name__} at {plan}"
    assert plan.fired


def _nothing_left(kept: Work, plan: FaultPlan) -> None:
    left = kept.left()
    assert not left, f"left behind by {plan}: {left}"


def _put_again(kept: Work, name: str, data: bytes, *, whole_is_fine: bool) -> None:
    """The name is free, and takes the image; or the whole image has it, where nobody could take it back."""
    try:
        ref = kept.put(data, name)
    except AlreadyExists:
        assert whole_is_fine, "an image that was reported as failed is there"
        if Verb.LIST in kept.can.verbs:
            (ref,) = (info.ref for info in kept.driver.list() if name in (info.name, info.ref))
            assert _whole(kept.driver, ref, data)
            kept.driver.delete(ref)
        return
    assert _whole(kept.driver, ref, data)


def _whole(driver: Driver, ref: str, data: bytes) -> bool:
    with driver.open(ref) as reader:
        return b"".join(reader.read()) == data


def _place(place: str, data: bytes) -> int:
    return {"first": 0, "second": 1, "middle": len(data) // 2, "last": len(data) - 1}[place]


def _cut(at: int) -> FaultPlan:
    return FaultPlan(Fault(verb="read", nth=1, cut=at))
