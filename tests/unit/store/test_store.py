"""Store: what is the same for every backend."""

from __future__ import annotations

import hashlib
import io
import threading
from pathlib import Path

import pytest
from doubles import RecordingJournal, TroubledDriver
from multistore import (
    AlreadyExists,
    Corrupt,
    InvalidRef,
    Misconfigured,
    NotFound,
    Receipt,
    State,
    Store,
    Unsupported,
    Verb,
    open_store,
)
from multistore.model import Capabilities

DATA = b"some bytes " * 1000


@pytest.fixture
def driver() -> TroubledDriver:
    return TroubledDriver(part_size=1000)


@pytest.fixture
def store(driver: TroubledDriver) -> Store:
    return Store(driver, name="shelf")


@pytest.fixture
def receipt(store: Store) -> Receipt:
    return store.put("image", DATA)


def test_put_acknowledges_with_where_how_long_and_which_digests(receipt: Receipt) -> None:
    assert (receipt.store, receipt.ref, receipt.size) == ("shelf", "memory://image", len(DATA))
    assert receipt.digests == {
        "md5": hashlib.md5(DATA).hexdigest(),
        "sha512": hashlib.sha512(DATA).hexdigest(),
    }
    assert set(receipt.seconds) == {"total", "source", "hash", "store", "commit"}


def test_put_takes_a_path(store: Store, tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(DATA)
    assert store.put("image", tmp_path / "image").size == len(DATA)


def test_get_to_a_path_is_atomic_and_verified(
    store: Store, receipt: Receipt, tmp_path: Path
) -> None:
    target = tmp_path / "copy"
    target.write_bytes(b"old")
    fetched = store.get(receipt.ref, target, expect=receipt.digests)
    assert target.read_bytes() == DATA
    assert (fetched.size, fetched.digests, fetched.stores) == (
        len(DATA),
        receipt.digests,
        ("shelf",),
    )
    with pytest.raises(Corrupt):
        store.get(receipt.ref, target, expect={"md5": "0" * 32})
    assert target.read_bytes() == DATA
    assert list(tmp_path.iterdir()) == [target]


def test_get_of_a_range_compares_no_digest(store: Store, receipt: Receipt) -> None:
    target = io.BytesIO()
    fetched = store.get(receipt.ref, target, offset=5, length=20, expect=receipt.digests)
    assert target.getvalue() == DATA[5:25]
    assert fetched.digests == {}


def test_open_gives_ranges_an_iterator_and_a_file(store: Store, receipt: Receipt) -> None:
    with store.open(receipt.ref, expect=receipt.digests) as image:
        assert b"".join(image) == DATA
        assert b"".join(image.read(3, 4)) == DATA[3:7]
        assert image.info.name == "image"
        with image.file() as file:
            file.seek(-5, io.SEEK_END)
            assert file.read() == DATA[-5:]


def test_a_size_on_record_that_differs_is_corrupt(store: Store, receipt: Receipt) -> None:
    with store.open(receipt.ref, size=len(DATA) + 1) as image, pytest.raises(Corrupt) as caught:
        b"".join(image)
    assert caught.value.store == "shelf"


def test_stat_list_and_delete(store: Store, receipt: Receipt) -> None:
    assert store.stat(receipt.ref).size == len(DATA)
    assert [info.ref for info in store.list()] == [receipt.ref]
    store.delete(receipt.ref)
    with pytest.raises(NotFound) as caught:
        store.stat(receipt.ref)
    assert (caught.value.store, caught.value.verb) == ("shelf", "stat")
    assert list(store.list()) == []


class TestVerify:
    def test_intact(self, store: Store, receipt: Receipt) -> None:
        verdict = store.verify(receipt.ref, expect=receipt.digests, size=receipt.size)
        assert (verdict.state, verdict.size) == (State.INTACT, len(DATA))
        assert verdict.proof == f"md5 and sha512 of all {len(DATA)} bytes"

    def test_flipped(self, store: Store, receipt: Receipt, driver: TroubledDriver) -> None:
        _, token, modified = driver.objects["image"]
        driver.objects["image"] = (DATA[:-1] + b"?", token, modified)
        verdict = store.verify(receipt.ref, expect=receipt.digests, size=receipt.size)
        assert verdict.state is State.CORRUPT
        assert "md5" in verdict.proof

    @pytest.mark.parametrize(
        ("content", "state"), [(DATA[:-1], State.SHORT), (DATA + b"!", State.CORRUPT)]
    )
    def test_of_another_length(
        self,
        store: Store,
        receipt: Receipt,
        driver: TroubledDriver,
        content: bytes,
        state: State,
    ) -> None:
        _, token, modified = driver.objects["image"]
        driver.objects["image"] = (content, token, modified)
        verdict = store.verify(receipt.ref, expect=receipt.digests, size=receipt.size)
        assert verdict.state is state
        assert verdict.size == len(content)

    def test_missing(self, store: Store) -> None:
        verdict = store.verify("memory://nothing", size=1)
        assert verdict.state is State.MISSING

    def test_nothing_to_compare_with(self, store: Store, receipt: Receipt) -> None:
        assert store.verify(receipt.ref).state is State.UNVERIFIABLE


class TestCopy:
    def test_between_two_stores(self, store: Store, receipt: Receipt) -> None:
        with open_store("memory:", name="other") as other:
            copied = store.copy(receipt.ref, other, "copy", expect=receipt.digests)
            assert (copied.store, copied.ref) == ("other", "memory://copy")
            assert copied.digests == receipt.digests

    def test_wrong_bytes_are_not_copied(self, store: Store, receipt: Receipt) -> None:
        with open_store("memory:", name="other") as other:
            with pytest.raises(Corrupt) as caught:
                store.copy(receipt.ref, other, "copy", expect={"sha512": "0" * 128})
            assert caught.value.store == "shelf"
            assert list(other.list()) == []


class Cloning(TroubledDriver):
    """Copies within itself, as a backend with reflinks or clones does."""

    capabilities = Capabilities(
        verbs=TroubledDriver.capabilities.verbs | Verb.COPY, ranged_read=True, sparse=True
    )

    def begin_copy(self, source, ref, name, labels):  # type: ignore[no-untyped-def]
        if not isinstance(source, Cloning):
            raise Unsupported("only from a store of this kind")
        upload = self.begin(name, None, labels)
        data = source.objects[self.parse(ref).name][0]
        upload.inner.write_part(0, 0, data)  # type: ignore[attr-defined]
        return upload, len(data)


class TestCopyInsideABackend:
    @pytest.fixture
    def driver(self) -> Cloning:
        return Cloning(part_size=1000)

    def test_passes_no_byte_through_here(
        self, store: Store, receipt: Receipt, driver: Cloning
    ) -> None:
        journal = RecordingJournal()
        driver.calls.clear()
        copied = store.copy(receipt.ref, store, "copy", journal=journal)
        assert driver.objects["copy"][0] == DATA
        assert copied.digests == {}
        assert driver.calls == ["begin", "commit"]
        assert journal.records[1].stored is not None

    def test_compares_what_is_expected_first(
        self, store: Store, receipt: Receipt, driver: Cloning
    ) -> None:
        good = store.copy(receipt.ref, store, "copy", expect=receipt.digests, size=receipt.size)
        assert good.digests == receipt.digests
        for expect, size in (({"md5": "0" * 32}, None), (None, 3)):
            with pytest.raises(Corrupt):
                store.copy(receipt.ref, store, "bad", expect=expect, size=size)
        assert set(driver.objects) == {"image", "copy"}
        assert driver.uploads == {}

    def test_falls_back_to_reading_and_writing(self, receipt: Receipt, store: Store) -> None:
        other = Store(TroubledDriver(), name="other")
        back = other.put("elsewhere", DATA)
        copied = other.copy(back.ref, store, "copy", expect=back.digests)
        assert copied.digests == back.digests


def test_errors_name_the_store_and_the_verb(store: Store, receipt: Receipt) -> None:
    with pytest.raises(AlreadyExists) as caught:
        store.put("image", DATA)
    assert caught.value.store == "shelf"
    assert "store 'shelf'" in str(caught.value)
    with pytest.raises(InvalidRef) as wrong:
        store.stat("nonsense")
    assert wrong.value.store == "shelf"


def test_about_the_store(store: Store, receipt: Receipt) -> None:
    store.check()
    assert store.usage().used == len(DATA)
    assert list(store.pending()) == []
    assert store.published("nothing") is None
    store.discard("nothing")
    assert str(store.parse(receipt.ref)) == receipt.ref
    assert store.redact(receipt.ref) == receipt.ref
    assert store.owns(receipt.ref)
    assert not store.owns("file:///x")
    assert repr(store) == "<Store 'shelf' (memory)>"


def test_an_unknown_scheme_is_refused_by_name() -> None:
    with pytest.raises(Misconfigured, match="known: "):
        open_store("gopher://x")


def test_many_threads_share_a_store(store: Store) -> None:
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            receipt = store.put(f"image-{number}", DATA + bytes([number]))
            target = io.BytesIO()
            store.get(receipt.ref, target, expect=receipt.digests)
            assert target.getvalue() == DATA + bytes([number])
            store.delete(receipt.ref)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert list(store.list()) == []
