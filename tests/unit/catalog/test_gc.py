"""Garbage collection: removes what is dead, touches nothing live, and never an image."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles import failing
from multistore import InUse, NotFound, Unavailable, Unsupported
from multistore.catalog import Cleaned
from multistore.catalog.operation import Operation
from unit.catalog.houses import House, died

DATA = b"some bytes" * 300
DAY = 86400.0


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.repo.close()


def found(house: House, **options: float) -> list[tuple[str, str, str, str]]:
    return [
        (each.store, each.name, each.what, each.action)
        for each in house.repo.gc(**options)  # type: ignore[arg-type] # grace and dry_run
    ]


def stray(house: House, store: str, name: str, age: float) -> None:
    upload = house.drivers[store].begin(name, None, {})
    house.drivers[store].uploads[upload.token].started = house.now - age


def foreign(house: House, operation: Operation) -> None:
    """Make an operation that of a process on another machine."""
    owner = "far m other 1 1 1 0123456789abcdef 1-1"
    with house.catalog.database.writing() as connection:
        for table in ("images", "uploads"):
            connection.execute(
                f"UPDATE {table} SET owner = ? WHERE owner = ?", (owner, operation.owner)
            )


def test_nothing_to_do_is_nothing_found(house: House) -> None:
    house.repo.put("x", DATA)
    assert found(house, grace=0) == []


def test_uploads_of_the_dead_are_rolled_back(house: House) -> None:
    house.repo.put("kept", DATA)
    died(house, "x", "a:committed", "b:began", "c:intended")
    assert found(house) == [
        ("a", "x", "upload", "removed"),
        ("b", "x", "upload", "removed"),
        ("c", "x", "upload", "removed"),
    ]
    assert house.nothing_under_way()
    assert house.objects() == {"a": ["kept"], "b": ["kept"], "c": ["kept"]}


def test_a_dry_run_removes_nothing(house: House) -> None:
    died(house, "x", "a:committed", "b:began")
    stray(house, "c", "y", 2 * DAY)
    would = [
        ("a", "x", "upload", "would remove"),
        ("b", "x", "upload", "would remove"),
        ("c", "y", "stray", "would remove"),
    ]
    assert found(house, dry_run=True) == would
    assert found(house, dry_run=True) == would
    assert [row[3] for row in found(house)] == ["removed"] * 3


@pytest.mark.parametrize("dry_run", [True, False])
def test_live_uploads_are_left_alone_whatever_the_clock_says(house: House, dry_run: bool) -> None:
    seen = []

    class Collecting:
        def update(self, data: bytes) -> None:
            for shift in (0.0, DAY, -DAY):
                house.now += shift
                seen.append(found(house, grace=0, dry_run=dry_run))
                house.now -= shift

    house.repo.put("x", DATA[:500], observers=[Collecting()])
    alive = [(store, "x", "upload", "kept") for store in "abc"]
    assert seen == [alive] * 3
    assert house.repo.stat("x").size == 500
    assert house.nothing_under_way()


def test_strays_go_by_their_age(house: House) -> None:
    stray(house, "a", "old", DAY + 500)
    stray(house, "b", "young", DAY - 500)
    assert found(house) == [("a", "old", "stray", "removed"), ("b", "young", "stray", "kept")]
    house.now -= DAY
    assert found(house) == [("b", "young", "stray", "kept")]
    assert found(house, grace=0) == [("b", "young", "stray", "removed")]


def test_a_stray_that_its_store_sees_alive_is_kept(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    stray(house, "a", "x", DAY)

    def busy(token: str) -> None:
        raise InUse("its writer lives")

    monkeypatch.setattr(house.drivers["a"], "discard", busy)
    (kept,) = house.repo.gc()
    assert (kept.what, kept.action, type(kept.error)) == ("stray", "kept", InUse)


def test_a_store_that_does_not_answer_does_not_stop_the_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent() -> Iterator[object]:
        raise Unavailable("no route")

    monkeypatch.setattr(house.drivers["a"], "pending", silent)
    stray(house, "b", "x", DAY)
    first, second = house.repo.gc()
    assert (first.store, first.action, type(first.error)) == ("a", "kept", Unavailable)
    assert (second.store, second.action) == ("b", "removed")


def test_a_process_of_another_machine_is_dead_after_the_grace(house: House) -> None:
    foreign(house, died(house, "x", "a:committed"))
    assert found(house) == [("a", "x", "upload", "kept")]
    house.now += DAY + 1
    assert found(house, dry_run=True) == [("a", "x", "upload", "would remove")]
    assert found(house) == [("a", "x", "upload", "removed")]
    assert house.objects() == {}
    assert house.nothing_under_way()


def test_an_interrupted_deletion_is_finished(house: House) -> None:
    house.repo.put("x", DATA)
    with house.catalog.operation() as operation:
        operation.hold("x")
        operation.mark(None)
    assert list(house.repo.list()) == []
    assert found(house, dry_run=True) == [(each, "x", "copy", "would remove") for each in "abc"]
    house.drivers["b"].before = failing("delete", Unavailable("no route"))
    assert [row[3] for row in found(house)] == ["removed", "kept", "removed"]
    assert found(house) == [("b", "x", "copy", "removed")]
    assert house.objects() == {}
    assert house.nothing_under_way()


def test_an_interrupted_deletion_of_one_copy_is_finished(house: House) -> None:
    house.repo.put("x", DATA)
    with house.catalog.operation() as operation:
        operation.hold("x")
        operation.mark(["b"])
    assert set(house.repo.stat("x").copies) == {"a", "c"}
    assert found(house) == [("b", "x", "copy", "removed")]
    assert house.objects() == {"a": ["x"], "c": ["x"]}
    assert house.nothing_under_way()


def test_an_object_that_an_image_counts_on_is_never_rolled_back(house: House) -> None:
    """A repair that died after it had published the new copy under the old reference."""
    house.repo.put("x", DATA, stores=["a", "b"])
    del house.drivers["a"].objects["x"]
    operation = house.catalog.operation()
    operation.hold("x")
    operation.replacing()
    upload = house.drivers["a"].begin("x", None, {})
    operation.began(operation.intend("a", "x"), upload.token)
    upload.write_part(0, 0, DATA)
    upload.commit(len(DATA), {})
    house.catalog.owners.end(operation.owner)
    assert found(house) == [("a", "x", "upload", "removed")]
    assert house.objects() == {"a": ["x"], "b": ["x"]}
    assert house.nothing_under_way()


def test_an_upload_that_is_published_late_is_still_removed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    died(house, "x", "a:committed")
    driver, calls = house.drivers["a"], []
    published = driver.published

    def late(token: str) -> object:
        calls.append(token)
        return published(token) if len(calls) > 1 else None

    monkeypatch.setattr(driver, "published", late)
    assert found(house) == [("a", "x", "upload", "removed")]
    assert house.objects() == {}


def test_leftovers_in_a_store_that_is_not_configured_are_kept(house: House) -> None:
    died(house, "x", "a:began")
    (kept,) = house.over(house.catalog, "bc").gc()
    assert (kept.action, type(kept.error).__name__) == ("kept", "Misconfigured")
    assert found(house) == [("a", "x", "upload", "removed")]


def test_two_collections_at_once_do_not_meet(house: House) -> None:
    died(house, "x", "a:began")
    other = house.over(house.open_catalog())
    first = house.repo.gc()
    assert next(first).action == "removed"
    assert [each.action for each in other.gc()] == []
    assert list(first) == []
    other.catalog.close()
    assert house.nothing_under_way()


def test_a_name_that_is_being_cleaned_up_can_be_put_a_little_later(house: House) -> None:
    died(house, "x", "a:began", "b:began")
    collection = house.repo.gc()
    assert next(collection).store == "a"
    with pytest.raises(InUse, match=r"cleaned up by process .*try again"):
        house.repo.put("x", DATA)
    assert [each.store for each in collection] == ["b"]
    house.repo.put("x", DATA)


def test_orphans_are_reported_and_never_deleted(house: House) -> None:
    house.repo.put("x", DATA)
    house.repo.fleet.stores["b"].put("lost", b"12345")
    (orphan,) = house.repo.orphans()
    assert (orphan.store, orphan.ref, orphan.name, orphan.size) == ("b", "memory://lost", "lost", 5)
    assert orphan.modified is not None
    assert abs(orphan.modified - time.time()) < DAY
    assert found(house, grace=0) == []
    assert house.objects()["b"] == ["lost", "x"]


def test_what_is_under_way_or_just_deleted_is_no_orphan(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    died(house, "x", "a:committed")
    assert list(house.repo.orphans()) == []
    house.repo.fleet.stores["b"].put("y", b"1")

    def gone(ref: str) -> None:
        raise NotFound("deleted meanwhile")

    monkeypatch.setattr(house.drivers["b"], "stat", gone)
    assert list(house.repo.orphans()) == []


def test_what_was_cleaned_says_why_it_was_not(house: House) -> None:
    error = Unsupported("no")
    assert Cleaned("a", "x", "upload", "kept", error).error is error
