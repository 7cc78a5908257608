"""Further copies, deletions, and what the next operation does after a death."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from doubles import failing
from multistore import (
    AlreadyExists,
    InUse,
    Misconfigured,
    NoSpace,
    NotFound,
    State,
    Stored,
    StoreError,
    Unavailable,
    Unsupported,
)
from multistore.catalog import Catalog
from multistore.catalog.operation import Operation
from multistore.drivers.memory import MemoryUpload
from unit.catalog.houses import House, died

DATA = bytes(range(256)) * 20


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.repo.close()


# -- copy ----------------------------------------------------------------------------------------


def test_a_further_copy_is_recorded(house: House) -> None:
    house.repo.put("x", DATA, stores=["a"])
    receipt = house.repo.copy("x", ["b", "c"])
    assert set(receipt.copies) == {"b", "c"}
    assert set(house.repo.stat("x").copies) == {"a", "b", "c"}
    with pytest.raises(AlreadyExists, match="copy in b already"):
        house.repo.copy("x", ["b"])
    assert house.nothing_under_way()


def test_a_copy_that_fails_leaves_the_image_as_it_was(house: House) -> None:
    house.repo.put("x", DATA, stores=["a"])
    house.drivers["c"].before = failing("write_part", NoSpace("full"), always=True)
    with pytest.raises(NoSpace):
        house.repo.copy("x", ["b", "c"])
    assert house.objects() == {"a": ["x"]}
    assert set(house.repo.stat("x").copies) == {"a"}
    assert house.nothing_under_way()


def test_a_repair_that_is_interrupted_leaves_the_image_readable(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.repo.put("x", DATA, stores=["a", "b"])
    del house.drivers["a"].objects["x"]

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Operation, "add", interrupted)
        with pytest.raises(KeyboardInterrupt):
            house.repo.repair("x")
    with house.repo.open("x") as image:
        assert b"".join(image) == DATA
    house.repo.repair("x")
    assert [each.state for each in house.repo.verify("x")] == [State.INTACT] * 2
    assert house.nothing_under_way()


def test_a_place_that_another_image_has_is_not_recorded_twice(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.repo.put("x", DATA, stores=["a"])
    commit = MemoryUpload.commit

    def same_place(self: MemoryUpload, size: int, digests: dict[str, str]) -> Stored:
        return replace(commit(self, size, digests), ref="memory://x")

    monkeypatch.setattr(MemoryUpload, "commit", same_place)
    with pytest.raises(AlreadyExists, match="the place of another image"):
        house.repo.put("y", DATA, stores=["a"])
    assert house.objects() == {"a": ["x"]}
    assert house.nothing_under_way()


@pytest.mark.parametrize("recordable", [True, False])
def test_metadata_is_kept_if_it_can_be_recorded(
    house: House, monkeypatch: pytest.MonkeyPatch, recordable: bool
) -> None:
    commit = MemoryUpload.commit
    metadata = {"pool": "fast"} if recordable else {"handle": object()}

    def with_metadata(self: MemoryUpload, size: int, digests: dict[str, str]) -> Stored:
        return replace(commit(self, size, digests), metadata=metadata)

    monkeypatch.setattr(MemoryUpload, "commit", with_metadata)
    if recordable:
        house.repo.put("x", DATA, stores=["a"])
        assert house.repo.stat("x").copies["a"].metadata == metadata
    else:
        with pytest.raises(Unsupported, match="metadata"):
            house.repo.put("x", DATA, stores=["a"])
        assert house.objects() == {}
    assert house.nothing_under_way()


def test_what_an_undo_cannot_remove_is_noted_and_collected(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.drivers["b"].before = failing("delete", Unavailable("no route"))

    def full(*_: object) -> None:
        raise NoSpace("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Operation, "publish", full)
        with pytest.raises(NoSpace) as caught:
            house.repo.put("x", DATA)
    assert any("'b'" in note and "garbage collection" in note for note in caught.value.__notes__)
    assert house.objects() == {"b": ["x"]}
    assert [(each.store, each.action) for each in house.repo.gc()] == [("b", "removed")]
    assert house.objects() == {}
    assert house.nothing_under_way()


# -- delete --------------------------------------------------------------------------------------


def test_a_deleted_image_is_gone_and_its_name_is_free(house: House) -> None:
    house.repo.put("x", DATA)
    house.repo.delete("x")
    assert house.objects() == {}
    assert house.nothing_under_way()
    house.repo.put("x", b"another")
    assert house.repo.stat("x").size == 7


def test_some_copies_are_deleted_but_never_the_last(house: House) -> None:
    house.repo.put("x", DATA)
    house.repo.delete("x", stores=["a", "b"])
    assert set(house.repo.stat("x").copies) == {"c"}
    assert house.objects() == {"c": ["x"]}
    with pytest.raises(Misconfigured, match="to delete the image, name no stores"):
        house.repo.delete("x", stores=["c"])
    with pytest.raises(NotFound, match="no copy in a"):
        house.repo.delete("x", stores=["a"])
    assert house.objects() == {"c": ["x"]}
    assert house.nothing_under_way()


def test_an_image_that_its_stores_have_lost_can_be_deleted(house: House) -> None:
    house.repo.put("x", DATA)
    for driver in house.drivers.values():
        driver.objects.clear()
    house.repo.delete("x")
    assert list(house.repo.list()) == []


def test_a_refused_deletion_shows_the_copy_again(house: House) -> None:
    house.repo.put("x", DATA)
    house.drivers["b"].before = failing("delete", InUse("a clone needs it"))
    with pytest.raises(InUse, match="a clone needs it"):
        house.repo.delete("x")
    assert set(house.repo.stat("x").copies) == {"b"}
    assert house.nothing_under_way()
    house.repo.delete("x")
    assert house.objects() == {}


def test_a_deletion_without_an_answer_is_finished_by_repeating_it(house: House) -> None:
    house.repo.put("x", DATA)
    house.drivers["b"].before = failing("delete", Unavailable("no route"))
    with pytest.raises(Unavailable) as caught:
        house.repo.delete("x")
    assert any("garbage collection" in note for note in caught.value.__notes__)
    assert house.catalog.image("x") is None
    assert house.objects() == {"b": ["x"]}
    house.repo.delete("x")
    assert house.objects() == {}
    assert house.nothing_under_way()


def test_several_errors_of_a_deletion_come_together(house: House) -> None:
    house.repo.put("x", DATA)
    for name in "ab":
        house.drivers[name].before = failing("delete", Unavailable("no route"), always=True)
    with pytest.raises(ExceptionGroup) as caught:
        house.repo.delete("x")
    assert len(caught.value.exceptions) == 2
    with pytest.raises(InUse, match="not completely deleted yet"):
        house.repo.put("x", DATA)
    for name in "ab":
        house.drivers[name].before = lambda _: None
    house.repo.put("x", DATA)
    assert house.objects() == {"a": ["x"], "b": ["x"], "c": ["x"]}


def test_a_store_that_is_gone_as_a_whole_proves_nothing(house: House) -> None:
    house.repo.put("x", DATA, stores=["a", "b"])
    house.drivers["b"].before = failing("delete", NotFound("no such directory", what="store"))
    with pytest.raises(NotFound, match="no such directory"):
        house.repo.delete("x")
    assert [each.store for each in house.repo.gc()] == ["b"]
    assert house.objects() == {}


# -- after a death -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "steps",
    [
        (),
        ("a:intended",),
        ("a:began",),
        ("a:committed",),
        ("a:committed", "b:committed", "c:began"),
    ],
)
def test_a_put_is_repeated_after_a_death(house: House, steps: tuple[str, ...]) -> None:
    died(house, "x", *steps)
    assert house.catalog.image("x") is None
    house.repo.put("x", DATA)
    assert [each.state for each in house.repo.verify("x")] == [State.INTACT] * 3
    assert not house.catalog.uploads()


def test_leftovers_in_a_silent_store_do_not_stop_the_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    died(house, "x", "b:began")

    def silent(*_: object) -> None:
        raise Unavailable("no route")

    with monkeypatch.context() as patch:
        patch.setattr(house.drivers["b"], "published", silent)
        house.repo.put("x", DATA, stores=["a"])
        (left,) = house.repo.gc()
        assert isinstance(left.error, StoreError)
        assert (left.store, left.action) == ("b", "kept")
    assert [each.action for each in house.repo.gc()] == ["removed"]
    assert house.nothing_under_way()
    assert house.objects() == {"a": ["x"]}


def test_an_owner_taken_for_dead_cannot_make_anything_visible(house: House) -> None:
    operation = died(house, "x", "a:committed")
    house.repo.put("x", DATA, stores=["b"])
    with pytest.raises(Unavailable, match="took this one for dead"):
        operation.publish(1, {}, [])
    assert house.repo.stat("x").refs == {"b": "memory://x"}


def test_two_catalogs_see_each_other(house: House) -> None:
    with Catalog(house.path, durable=False) as other:
        house.over(other).put("x", DATA)
        assert house.repo.stat("x").size == len(DATA)
        with other.operation() as operation:
            operation.hold("y", state="uploading")
            with pytest.raises(AlreadyExists):
                house.repo.put("y", DATA)
