"""Images by name: what is visible when, who is refused, what is recorded."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles import failing
from faults.killing import ended, forked
from faults.repositories import bytes_of, images_in, repository
from multistore import (
    AlreadyExists,
    Corrupt,
    InUse,
    InvalidRef,
    Misconfigured,
    NoSpace,
    NotFound,
    SizeMismatch,
    State,
    Unavailable,
    Unsupported,
)
from multistore.catalog import CopyRecord
from multistore.drivers.memory import MemoryDriver
from unit.catalog.houses import House

DATA = bytes(range(256)) * 20


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.repo.close()


class Unread:
    """A source that must not be read."""

    def read(self, size: int = -1) -> bytes:
        raise AssertionError("the source was read")


# -- put -----------------------------------------------------------------------------------------


def test_an_image_is_recorded_with_its_copies(house: House) -> None:
    receipt = house.repo.put("x", DATA, stores=["a", "b"])
    record = house.repo.stat("x")
    assert (record.name, record.size, record.created) == ("x", len(DATA), house.now)
    assert record.digests == receipt.digests
    assert record.digests["sha512"] == hashlib.sha512(DATA).hexdigest()
    assert record.refs == receipt.refs == {"a": "memory://x", "b": "memory://x"}
    assert record.copies["a"] == CopyRecord("a", "memory://x", {}, None, None, None, None)
    assert house.nothing_under_way()


def test_a_name_that_is_taken_is_refused_before_the_source_is_read(house: House) -> None:
    house.repo.put("x", DATA)
    with pytest.raises(AlreadyExists, match="'x' is there already"):
        house.repo.put("x", Unread())
    assert house.repo.stat("x").size == len(DATA)


def test_a_name_that_is_just_being_put_is_refused(house: House) -> None:
    with house.catalog.operation() as operation:
        operation.hold("x", state="uploading")
        with pytest.raises(AlreadyExists, match=f"being put by process {os.getpid()} on"):
            house.repo.put("x", Unread())
        assert house.catalog.image("x") is None
    house.repo.put("x", DATA)


def test_an_image_is_invisible_while_it_is_put(house: House) -> None:
    seen: list[object] = []

    class Looking:
        def update(self, data: bytes) -> None:
            seen.append(house.catalog.image("x"))
            seen.append([each.state for each in house.catalog.uploads("x")])
            seen.append(list(house.repo.list()))

    house.repo.put("x", DATA, stores=["a"], observers=[Looking()])
    assert seen[:3] == [None, ["began"], []]


@pytest.mark.parametrize("name", ["", "a\0b", "half \ud800"])
def test_names_that_cannot_be_kept_are_refused(house: House, name: str) -> None:
    with pytest.raises(InvalidRef):
        house.repo.put(name, Unread())
    with pytest.raises((InvalidRef, NotFound)):
        house.repo.delete(name)
    assert house.catalog.image(name) is None
    assert house.nothing_under_way()


def test_a_put_that_fails_leaves_nothing(house: House) -> None:
    with pytest.raises(SizeMismatch):
        house.repo.put("x", DATA, size=3)
    assert house.objects() == {}
    assert house.nothing_under_way()
    house.repo.put("x", DATA)


def test_a_partial_success_records_the_copies_that_exist(house: House) -> None:
    house.drivers["b"].before = failing("write_part", NoSpace("full"), always=True)
    receipt = house.repo.put("x", DATA, minimum=2)
    assert set(receipt.failures) == {"b"}
    assert set(house.repo.stat("x").copies) == {"a", "c"}
    assert house.nothing_under_way()


def test_what_cannot_be_removed_now_is_left_to_garbage_collection(house: House) -> None:
    house.drivers["b"].before = failing("write_part", NoSpace("full"), always=True)
    house.drivers["b"].after = failing("abort", Unavailable("gone"), always=True)
    abort, house.drivers["b"].uploads = house.drivers["b"].uploads, {}
    assert abort == {}
    house.repo.put("x", DATA, minimum=2)
    (left,) = house.catalog.uploads()
    assert (left.store, left.state, left.alive) == ("b", "abandoned", False)
    (cleaned,) = house.repo.gc()
    assert (cleaned.store, cleaned.name, cleaned.what, cleaned.action) == (
        *("b", "x", "upload", "removed"),
    )
    assert house.nothing_under_way()
    assert set(house.repo.stat("x").copies) == {"a", "c"}


@pytest.mark.parametrize("error", [NoSpace("the disk is full"), KeyboardInterrupt()])
def test_copies_that_cannot_be_recorded_are_deleted_again(
    house: House, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    from multistore.catalog.operation import Operation

    def publish(*_: object) -> None:
        assert house.objects() == {"a": ["x"], "b": ["x"], "c": ["x"]}
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Operation, "publish", publish)
        with pytest.raises(type(error)):
            house.repo.put("x", DATA)
    assert house.objects() == {}
    assert house.nothing_under_way()
    house.repo.put("x", DATA)


def test_an_interruption_after_the_image_was_recorded_leaves_it_whole(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from multistore.catalog.operation import Operation

    publish = Operation.publish

    def interrupted(self: Operation, *args: object) -> None:
        held = self.held
        publish(self, *args)  # type: ignore[arg-type] # passed through
        self.held = held
        raise KeyboardInterrupt

    monkeypatch.setattr(Operation, "publish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        house.repo.put("x", DATA)
    assert [each.state for each in house.repo.verify("x")] == [State.INTACT] * 3
    assert house.nothing_under_way()


def test_a_reference_with_a_secret_is_not_kept(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryDriver, "redact", lambda self, ref: ref.replace("x", "***"))
    with pytest.raises(Unsupported, match="hold credentials"):
        house.repo.put("x", DATA, stores=["a"])
    assert house.objects() == {}
    assert house.nothing_under_way()


def test_of_two_processes_that_put_one_name_exactly_one_wins(tmp_path: Path) -> None:
    for store in ("one", "two"):
        (tmp_path / store).mkdir()
    start, go = os.pipe()

    def child() -> bytes:
        os.close(go)
        os.read(start, 1)  # ends when the parent closes its end: all start at once
        with repository(tmp_path) as repo:
            try:
                repo.put("small", io.BytesIO(bytes_of("small")))
            except AlreadyExists:
                return b"lost"
        return b"won"

    children = [forked(child) for _ in range(4)]
    os.close(start)
    os.close(go)
    assert sorted(ended(*each)[0] for each in children) == [b"lost", b"lost", b"lost", b"won"]
    with repository(tmp_path) as repo:
        assert images_in(repo) == {"small": ("one", "two")}
        assert list(repo.gc(grace=0)) == []


# -- reading -------------------------------------------------------------------------------------


def test_images_are_listed_by_name_and_prefix(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multistore.catalog.catalog.PAGE", 2)
    names = ["b/1", "a", "b/2", "b", "c", "b0", "ä", "b/3", "b/\U0010ffff"]
    for name in names:
        house.repo.put(name, b"", stores=["a"])
    assert [each.name for each in house.repo.list()] == sorted(names)
    assert [each.name for each in house.repo.list("b/")] == ["b/1", "b/2", "b/3", "b/\U0010ffff"]
    assert list(house.repo.list("nothing")) == []
    assert list(house.repo.list("\ud800")) == []


def test_an_image_is_read_and_held_against_its_digest(house: House, tmp_path: Path) -> None:
    house.repo.put("x", DATA)
    with house.repo.open("x") as image:
        assert b"".join(image) == DATA
    fetched = house.repo.get("x", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == DATA
    assert set(fetched.digests) == {"sha512"}
    part = io.BytesIO()
    house.repo.get("x", part, offset=10, length=5, stores=["c"])
    assert part.getvalue() == DATA[10:15]
    house.drivers["a"].objects["x"] = (DATA[:-1] + b"!", "other", 0.0)
    with pytest.raises(Corrupt), house.repo.open("x", stores=["a"]) as image:
        list(image)


def test_what_is_not_there_is_not_found(house: House) -> None:
    for call in (house.repo.stat, house.repo.open, house.repo.verify, house.repo.repair):
        with pytest.raises(NotFound, match="no image called 'x'"):
            call("x")
    with pytest.raises(NotFound):
        house.repo.delete("x")
    with pytest.raises(NotFound):
        house.repo.copy("x", ["b"])
    house.repo.put("x", DATA, stores=["a"])
    with pytest.raises(NotFound, match="no copy in b"):
        house.repo.open("x", stores=["b"])


def test_a_store_that_is_no_longer_configured_is_passed_over(house: House) -> None:
    house.repo.put("x", DATA, stores=["a", "b"])
    house.repo.put("y", DATA, stores=["a"])
    less = house.over(house.catalog, "bc")
    with less.open("x") as image:
        assert b"".join(image) == DATA
    states = {each.store: each.state for each in less.verify("x")}
    assert states == {"a": State.UNVERIFIABLE, "b": State.INTACT}
    with pytest.raises(Misconfigured, match="in a, which is not configured"):
        less.open("y")
    with pytest.raises(Misconfigured, match="not configured"):
        less.delete("x")
    assert house.repo.stat("x").refs == {"a": "memory://x", "b": "memory://x"}


# -- certainty -----------------------------------------------------------------------------------


def test_a_verification_is_recorded_with_its_date(house: House) -> None:
    house.repo.put("x", DATA, stores=["a", "b"])
    house.repo.verify("x")
    proved = house.now
    house.now += 5000
    del house.drivers["a"].objects["x"]
    house.repo.verify("x", stores=["a"])
    copies = house.repo.stat("x").copies
    assert (copies["a"].state, copies["a"].verified) == (State.MISSING, house.now)
    assert copies["a"].proved == proved, "when it was last found intact stays known"
    assert (copies["b"].state, copies["b"].verified) == (State.INTACT, proved)
    assert copies["b"].proof == f"sha512 of all {len(DATA)} bytes"


def test_a_repair_replaces_the_damaged_copy(house: House) -> None:
    house.repo.put("x", DATA, stores=["a", "b"])
    house.drivers["a"].objects["x"] = (DATA[:100], "other", 0.0)
    result = house.repo.repair("x")
    assert set(result.copies) == {"a"}
    copies = house.repo.stat("x").copies
    assert (copies["a"].state, copies["b"].state) == (None, State.INTACT)
    assert [each.state for each in house.repo.verify("x")] == [State.INTACT] * 2
    assert house.nothing_under_way()


def test_one_operation_at_a_time_changes_an_image(house: House) -> None:
    house.repo.put("x", DATA, stores=["a", "b"])
    with house.catalog.operation() as operation:
        operation.hold("x")
        for change in (
            lambda: house.repo.repair("x"),
            lambda: house.repo.delete("x"),
            lambda: house.repo.copy("x", ["c"]),
        ):
            with pytest.raises(InUse, match="being changed by process"):
                change()
        house.repo.verify("x")
        with house.repo.open("x") as image:
            assert b"".join(image) == DATA
    house.repo.delete("x")
