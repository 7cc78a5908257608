"""The driver as a member of a Fleet, beside a memory store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from multistore.driver import Driver
from multistore.drivers.memory import MemoryDriver, MemorySettings
from multistore.errors import AlreadyExists, Corrupt
from multistore.fleet import Fleet
from multistore.model import State, Verb
from multistore.store import Store
from multistore.testing.base import OPTIONS, Group, Work
from multistore.testing.rig import Rig
from multistore.testing.tools import SIZES, content, digests_of, needs, size_of

__all__ = ["Membership"]

#: How a fleet reads: the judged store first.
_FIRST = {"judged": 100.0}


class Membership(Group):
    """One of two copies."""

    @pytest.fixture
    def fleet(self, bare: Driver) -> Fleet:
        """Give the driver's store and a memory store with parts of another size."""
        memory = MemoryDriver(MemorySettings(part_size=50_000))
        members = [
            Store(memory, name="memory", options=OPTIONS),
            Store(bare, name="judged", options=OPTIONS),
        ]
        return Fleet(members, weights=_FIRST)

    @pytest.fixture
    def kept(self, bare: Driver, work_of: Callable[[Driver], Work]) -> Work:
        """Give what the test works with, beside the Fleet."""
        return work_of(bare)

    @needs(Verb.WRITE)
    @pytest.mark.parametrize("words", SIZES)
    def test_fleet_writes_both_copies_in_one_pass(
        self, rig: Rig, fleet: Fleet, kept: Work, words: str
    ) -> None:
        """Whatever the part sizes of the two are."""
        data = content(size_of(words, fleet.stores["judged"].driver, rig.largest))
        receipt = fleet.put(kept.name(), data)
        kept.trust(receipt.copies["judged"])
        assert set(receipt.copies) == {"memory", "judged"}
        assert receipt.digests == digests_of(data)
        verdicts = fleet.verify(receipt.refs, expect=receipt.digests, size=len(data))
        assert [verdict.state for verdict in verdicts] == [State.INTACT] * 2
        assert verdicts[0].store == "judged"
        with fleet.open(receipt.refs, expect=receipt.digests) as image:
            assert b"".join(image) == data
            assert image.stores == ("judged",) or not data

    @needs(Verb.WRITE)
    def test_fleet_leaves_nothing_when_the_other_store_fails(
        self, rig: Rig, fleet: Fleet, kept: Work
    ) -> None:
        """A name that is taken in one store ends up in none."""
        name = kept.name()
        fleet.stores["memory"].put(name, b"taken")
        with pytest.raises(AlreadyExists):
            fleet.put(name, content(size_of("3 parts+7", kept.driver, rig.largest)))
        assert not kept.left()
        receipt = fleet.put(name, b"alone", minimum=1)
        kept.trust(receipt.copies["judged"])
        assert set(receipt.failures) == {"memory"}

    def test_fleet_reads_on_where_a_copy_is_missing(self, fleet: Fleet, kept: Work) -> None:
        """From this store if the other has nothing, and the other way round."""
        data = content(100_000)
        ref = kept.image(data)
        there = fleet.stores["memory"].put(kept.name(), data).ref
        missing = kept.missing()
        for copies in (
            {"judged": ref, "memory": "memory://nothing"},
            {"judged": missing, "memory": there},
        ):
            with fleet.open(copies, expect=digests_of(data)) as image:
                assert b"".join(image) == data
            with fleet.open(copies) as image:
                assert b"".join(image.read(77_777, 10)) == data[77_777:77_787]

    def test_fleet_finds_the_right_copy_when_this_one_is_damaged(
        self, rig: Rig, fleet: Fleet, kept: Work, tmp_path: Path
    ) -> None:
        """A path gets the good bytes; a stream ends in Corrupt."""
        if rig.corrupt is None:
            pytest.skip("the rig has no `corrupt`")
        data = content(100_000)
        ref = kept.image(data)
        copies = {"judged": ref, "memory": fleet.stores["memory"].put(kept.name(), data).ref}
        rig.corrupt(ref)
        target = tmp_path / "target"
        fleet.get(copies, target, expect=digests_of(data))
        assert target.read_bytes() == data
        with pytest.raises(Corrupt), fleet.open(copies, expect=digests_of(data)) as image:
            list(image)

    @needs(Verb.WRITE, Verb.DELETE)
    def test_fleet_repairs_a_damaged_or_missing_copy(
        self, rig: Rig, fleet: Fleet, kept: Work
    ) -> None:
        """From the good one; afterwards both are intact."""
        data = content(100_000)
        name = kept.name()
        receipt = fleet.put(name, data)
        damages: list[Callable[[str], object]] = [fleet.stores["judged"].delete]
        if rig.corrupt is not None:
            damages.append(rig.corrupt)
        copies = receipt.refs
        for damage in damages:
            damage(copies["judged"])
            repair = fleet.repair(copies, name, expect=receipt.digests, size=len(data))
            assert not repair.failures
            copies |= {store: made.ref for store, made in repair.copies.items()}
            verdicts = fleet.verify(copies, expect=receipt.digests, size=len(data))
            assert [verdict.state for verdict in verdicts] == [State.INTACT] * 2
        fleet.delete(copies)
        kept.absent(copies["judged"])

    @needs(Verb.WRITE, Verb.DELETE)
    def test_fleet_deletes_both_copies(self, fleet: Fleet, kept: Work) -> None:
        """One that is gone already does not matter."""
        receipt = fleet.put(kept.name(), b"x")
        fleet.stores["memory"].delete(receipt.refs["memory"])
        fleet.delete(receipt.refs)
        kept.absent(receipt.refs["judged"])
