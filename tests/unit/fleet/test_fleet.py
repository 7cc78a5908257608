"""Fleet: many stores as one."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles import RecordingJournal, TroubledDriver, failing
from multistore import (
    Corrupt,
    Fleet,
    FleetReceipt,
    Misconfigured,
    NoSpace,
    NotFound,
    State,
    Store,
    StoreOptions,
    Unavailable,
)

DATA = b"0123456789" * 10
ONCE = StoreOptions(attempts=1)


@pytest.fixture
def drivers() -> dict[str, TroubledDriver]:
    return {name: TroubledDriver(part_size=10) for name in ("near", "far", "cold")}


@pytest.fixture
def fleet(drivers: dict[str, TroubledDriver]) -> Fleet:
    return Fleet([Store(driver, name=name, options=ONCE) for name, driver in drivers.items()])


@pytest.fixture
def receipt(fleet: Fleet) -> FleetReceipt:
    return fleet.put("image", DATA)


def damage(driver: TroubledDriver, content: bytes) -> None:
    _, token, modified = driver.objects["image"]
    driver.objects["image"] = (content, token, modified)


class TestPut:
    def test_goes_everywhere_in_one_read(
        self, fleet: Fleet, drivers: dict[str, TroubledDriver]
    ) -> None:
        reads = 0

        def source() -> Iterator[bytes]:
            nonlocal reads
            reads += 1
            yield DATA

        receipt = fleet.put("image", source())
        assert reads == 1
        assert list(receipt.copies) == ["near", "far", "cold"]
        assert receipt.refs == dict.fromkeys(drivers, "memory://image")
        assert all(driver.objects["image"][0] == DATA for driver in drivers.values())
        assert receipt.failures == {}

    def test_goes_into_the_named_stores_only(
        self, fleet: Fleet, drivers: dict[str, TroubledDriver]
    ) -> None:
        assert set(fleet.put("image", DATA, stores=["far", "far"]).copies) == {"far"}
        assert drivers["near"].objects == {}

    def test_reports_the_stores_that_failed(
        self, fleet: Fleet, drivers: dict[str, TroubledDriver]
    ) -> None:
        drivers["far"].before = failing("write_part", NoSpace("full"))
        receipt = fleet.put("image", DATA, minimum=2)
        assert set(receipt.copies) == {"near", "cold"}
        assert isinstance(receipt.failures["far"], NoSpace)
        assert receipt.failures["far"].store == "far"
        assert drivers["far"].uploads == {}

    def test_refuses_what_makes_no_sense(self, fleet: Fleet) -> None:
        with pytest.raises(Misconfigured, match="known: near, far, cold"):
            fleet.put("image", DATA, stores=["else"])
        for minimum in (0, 4):
            with pytest.raises(ValueError, match="makes no sense"):
                fleet.put("image", DATA, minimum=minimum)


class TestReading:
    def test_weights_decide_the_order(
        self, fleet: Fleet, receipt: FleetReceipt, drivers: dict[str, TroubledDriver]
    ) -> None:
        heavy = Fleet(fleet.stores, weights={"cold": 10, "far": 5})
        assert heavy.order(receipt.refs) == ["cold", "far", "near"]
        with heavy.open(receipt.refs) as image:
            assert b"".join(image) == DATA
            assert image.stores == ("cold",)

    def test_a_read_that_breaks_goes_on_at_the_same_offset(
        self, fleet: Fleet, receipt: FleetReceipt, drivers: dict[str, TroubledDriver]
    ) -> None:
        drivers["near"].before = failing("piece", Unavailable("cut"), at=4, always=True)
        drivers["far"].before = failing("piece", Unavailable("cut"), at=3, always=True)
        with fleet.open(receipt.refs, expect=receipt.digests) as image:
            pieces = list(image)
            assert image.stores == ("near", "far", "cold")
        assert b"".join(pieces) == DATA
        assert drivers["cold"].calls.count("piece") == 10 - 3 - 2

    def test_a_range_goes_on_too(
        self, fleet: Fleet, receipt: FleetReceipt, drivers: dict[str, TroubledDriver]
    ) -> None:
        drivers["near"].before = failing("piece", Unavailable("cut"), at=2, always=True)
        with fleet.open(receipt.refs) as image:
            assert b"".join(image.read(5, 52)) == DATA[5:57]

    def test_a_copy_of_another_length_is_passed_over(
        self, fleet: Fleet, receipt: FleetReceipt, drivers: dict[str, TroubledDriver]
    ) -> None:
        damage(drivers["near"], DATA[:50])
        with fleet.open(receipt.refs, size=len(DATA)) as image:
            assert b"".join(image) == DATA
            assert image.stores == ("far",)

    def test_wrong_bytes_are_replaced_when_the_target_is_a_path(
        self,
        fleet: Fleet,
        receipt: FleetReceipt,
        drivers: dict[str, TroubledDriver],
        tmp_path: Path,
    ) -> None:
        damage(drivers["near"], b"?" + DATA[1:])
        target = tmp_path / "image"
        fetched = fleet.get(receipt.refs, target, expect=receipt.digests)
        assert target.read_bytes() == DATA
        assert fetched.stores == ("far",)

    def test_a_mixture_with_wrong_bytes_is_told_apart(
        self,
        fleet: Fleet,
        receipt: FleetReceipt,
        drivers: dict[str, TroubledDriver],
        tmp_path: Path,
    ) -> None:
        damage(drivers["near"], b"?" + DATA[1:])
        drivers["near"].before = failing("piece", Unavailable("cut"), at=5, always=True)
        fetched = fleet.get(receipt.refs, tmp_path / "image", expect=receipt.digests)
        assert (tmp_path / "image").read_bytes() == DATA
        assert fetched.stores == ("far",)

    def test_wrong_bytes_into_a_file_object_are_an_error(
        self, fleet: Fleet, receipt: FleetReceipt, drivers: dict[str, TroubledDriver]
    ) -> None:
        damage(drivers["near"], b"?" + DATA[1:])
        target = io.BytesIO()
        with pytest.raises(Corrupt) as caught:
            fleet.get(receipt.refs, target, expect=receipt.digests)
        assert caught.value.store == "near"
        assert len(target.getvalue()) < len(DATA)

    def test_wrong_bytes_everywhere_are_an_error(
        self,
        fleet: Fleet,
        receipt: FleetReceipt,
        drivers: dict[str, TroubledDriver],
        tmp_path: Path,
    ) -> None:
        for driver in drivers.values():
            damage(driver, b"?" + DATA[1:])
        with pytest.raises(Corrupt) as caught:
            fleet.get(receipt.refs, tmp_path / "image", expect=receipt.digests)
        assert len(caught.value.__notes__) == 2
        assert list(tmp_path.iterdir()) == []

    def test_no_store_left_raises_what_went_wrong_first(
        self, fleet: Fleet, receipt: FleetReceipt, drivers: dict[str, TroubledDriver]
    ) -> None:
        drivers["near"].objects.clear()
        drivers["far"].before = failing("open", Unavailable("down"))
        drivers["cold"].objects.clear()
        with fleet.open(receipt.refs) as image, pytest.raises(Unavailable, match="down") as caught:
            list(image)
        assert caught.value.store == "far"
        assert len(caught.value.__notes__) == 2

    def test_missing_everywhere_is_not_found(self, fleet: Fleet) -> None:
        with fleet.open({"near": "memory://x"}) as image, pytest.raises(NotFound):
            list(image)
        with pytest.raises(NotFound):
            fleet.open({})


class TestDelete:
    def test_removes_every_copy(
        self, fleet: Fleet, receipt: FleetReceipt, drivers: dict[str, TroubledDriver]
    ) -> None:
        drivers["far"].objects.clear()
        fleet.delete(receipt.refs)
        assert all(not driver.objects for driver in drivers.values())
        with pytest.raises(NotFound):
            fleet.delete(receipt.refs)

    def test_tries_every_store_before_it_complains(
        self, fleet: Fleet, receipt: FleetReceipt, drivers: dict[str, TroubledDriver]
    ) -> None:
        drivers["near"].before = failing("delete", Unavailable("down"))
        with pytest.raises(Unavailable):
            fleet.delete(receipt.refs)
        assert drivers["cold"].objects == {}
        drivers["near"].before = failing("delete", Unavailable("down"))
        drivers["far"].before = failing("delete", Unavailable("down"))
        with pytest.raises(ExceptionGroup):
            fleet.delete(receipt.refs)


class TestRepair:
    def test_damaged_and_missing_copies_are_written_anew(
        self, fleet: Fleet, receipt: FleetReceipt, drivers: dict[str, TroubledDriver]
    ) -> None:
        damage(drivers["near"], b"?" + DATA[1:])
        drivers["cold"].objects.clear()
        verdicts = fleet.verify(receipt.refs, expect=receipt.digests, size=receipt.size)
        assert [each.state for each in verdicts] == [State.CORRUPT, State.INTACT, State.MISSING]
        repair = fleet.repair(receipt.refs, "image", expect=receipt.digests, size=receipt.size)
        assert repair.source == "far"
        assert set(repair.copies) == {"near", "cold"}
        assert repair.failures == {}
        verdicts = fleet.verify(receipt.refs, expect=receipt.digests, size=receipt.size)
        assert {each.state for each in verdicts} == {State.INTACT}

    def test_without_an_intact_copy_nothing_is_touched(
        self, fleet: Fleet, receipt: FleetReceipt, drivers: dict[str, TroubledDriver]
    ) -> None:
        for driver in drivers.values():
            damage(driver, b"?" + DATA[1:])
        repair = fleet.repair(receipt.refs, "image", expect=receipt.digests)
        assert (repair.source, repair.copies) == (None, {})
        assert all(driver.objects for driver in drivers.values())

    def test_a_store_that_does_not_answer_is_left_alone(
        self, fleet: Fleet, receipt: FleetReceipt, drivers: dict[str, TroubledDriver]
    ) -> None:
        drivers["near"].before = failing("open", Unavailable("down"), always=True)
        repair = fleet.repair(receipt.refs, "image", expect=receipt.digests)
        assert repair.verdicts["near"].state is State.UNVERIFIABLE
        assert "Unavailable" in repair.verdicts["near"].proof
        assert drivers["near"].objects["image"][0] == DATA

    def test_a_copy_that_cannot_be_written_is_reported(
        self, fleet: Fleet, receipt: FleetReceipt, drivers: dict[str, TroubledDriver]
    ) -> None:
        drivers["near"].objects.clear()
        drivers["near"].before = failing("begin", NoSpace("full"))
        repair = fleet.repair(receipt.refs, "image", expect=receipt.digests)
        assert isinstance(repair.failures["near"], NoSpace)

    def test_without_digests_lengths_must_agree(
        self, fleet: Fleet, receipt: FleetReceipt, drivers: dict[str, TroubledDriver]
    ) -> None:
        drivers["near"].objects.clear()
        assert fleet.repair(receipt.refs, "image").source == "far"
        drivers["near"].objects.clear()
        damage(drivers["far"], DATA[1:])
        assert fleet.repair(receipt.refs, "image").source is None


class TestCopy:
    def test_reads_once_and_writes_everywhere(
        self, fleet: Fleet, drivers: dict[str, TroubledDriver]
    ) -> None:
        receipt = fleet.put("image", DATA, stores=["near"])
        journal = RecordingJournal()
        copied = fleet.copy(
            receipt.refs, "image", ["far", "cold"], expect=receipt.digests, journal=journal
        )
        assert set(copied.copies) == {"far", "cold"}
        assert drivers["near"].calls.count("open") == 1
        assert len(journal.records) == 2

    def test_all_or_nothing_unless_told_otherwise(
        self, fleet: Fleet, drivers: dict[str, TroubledDriver]
    ) -> None:
        receipt = fleet.put("image", DATA, stores=["near"])
        drivers["far"].before = failing("commit", NoSpace("full"), always=True)
        with pytest.raises(NoSpace):
            fleet.copy(receipt.refs, "image", ["far", "cold"])
        assert drivers["cold"].objects == {}
        copied = fleet.copy(receipt.refs, "image", ["far", "cold"], minimum=1)
        assert set(copied.copies) == {"cold"}


def test_names_are_checked(fleet: Fleet) -> None:
    store = fleet.stores["near"]
    with pytest.raises(Misconfigured, match="same name"):
        Fleet([store, store])
    with pytest.raises(Misconfigured, match="no store is called"):
        Fleet([store], weights={"else": 1})
    assert repr(fleet) == "<Fleet of near, far, cold>"
    with Fleet([store]) as small:
        assert set(small.stores) == {"near"}
