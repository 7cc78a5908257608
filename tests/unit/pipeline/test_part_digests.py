"""A digest of each part, which the core has for little where a kernel computes md5 and sha512, and gives to who wants it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import multistore_digest
import pytest
from multistore import Fleet, Store, StoreOptions
from multistore.driver import Upload
from multistore.drivers.memory import MemoryDriver, MemorySettings, MemoryUpload
from multistore.known import digest_of, knowing
from multistore.pipeline import digests
from multistore.pipeline.digests import DigestThread, FusedDigester
from multistore.pipeline.window import Block, Known, Window
from multistore.testing.tools import content
from multistore_digest import PartDigest
from multistore_digest._plain import Plain

MIB = 1 << 20
#: The SHA of the stream that has the digest of a part.
STREAMS = {"sha256": "sha256", "md5": "sha512"}
DATA = content(5 * MIB)
PAIR = ("md5", "sha512")


@pytest.fixture(autouse=True)
def _kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A kernel that has them, on whatever machine: hashlib plays it."""
    made = multistore_digest.FusedDigest
    digests._kernel.cache_clear()
    monkeypatch.setattr(
        multistore_digest, "status", lambda _names: multistore_digest.Status("played")
    )

    def fused(names: Sequence[str]) -> multistore_digest.FusedDigest:
        return made(names, level="hashlib")

    monkeypatch.setattr(multistore_digest, "FusedDigest", fused)
    monkeypatch.setattr(FusedDigester, "part", played)
    yield
    digests._kernel.cache_clear()


def played(_: FusedDigester, name: str) -> PartDigest:
    return PartDigest(name, Plain(STREAMS[name]))


class Asking(MemoryDriver):
    """Notes what is known of each part that it is given."""

    capabilities = replace(MemoryDriver.capabilities, part_digest="sha256", sparse=False)
    known: ClassVar[dict[bytes, str | None]]

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        super().begin(name, size, labels)
        (upload,) = self.uploads.values()
        write = upload.write_part

        def write_part(index: int, offset: int, data: bytes) -> None:
            self.known[data] = digest_of(data, self.capabilities.part_digest)
            write(index, offset, data)

        upload.write_part = write_part  # type: ignore[method-assign]
        assert isinstance(upload, MemoryUpload)
        return upload


def asked(source: object, **options: object) -> dict[bytes, str | None]:
    driver = Asking(MemorySettings(part_size=2 * MIB))
    driver.known = {}  # type: ignore[misc]
    with Store(driver, name="asking", options=StoreOptions(**options)) as store:  # type: ignore[arg-type]
        receipt = store.put("image", source, digests=PAIR)  # type: ignore[arg-type]
    assert receipt.digests == {name: hashlib.new(name, DATA).hexdigest() for name in PAIR}
    assert sum(map(len, driver.known)) == len(DATA)
    return driver.known


@pytest.mark.parametrize("name", STREAMS)
def test_each_part_comes_with_its_digest(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Asking, "capabilities", replace(Asking.capabilities, part_digest=name))
    found = asked(DATA)
    assert len(found) == 3
    assert found == {data: hashlib.new(name, data).hexdigest() for data in found}


def test_of_two_that_want_different_ones_the_first_has_its() -> None:
    class Other(Asking):
        capabilities = replace(Asking.capabilities, part_digest="md5")

    drivers = [kind(MemorySettings(part_size=2 * MIB)) for kind in (Asking, Other)]
    for driver in drivers:
        driver.known = {}  # type: ignore[misc]
    stores = {name: Store(driver, name=name) for name, driver in zip("ab", drivers, strict=True)}
    with Fleet(stores) as fleet:
        fleet.put("image", DATA, digests=PAIR)
    first, second = (driver.known for driver in drivers)
    assert first == {data: hashlib.sha256(data).hexdigest() for data in first}
    assert set(second.values()) == {None}
    assert len(first) == len(second) == 3


def test_without_the_kernel_nothing_is_known() -> None:
    assert set(asked(DATA, fused_digests=False).values()) == {None}


def test_only_who_wants_them_has_them_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Asking, "capabilities", replace(Asking.capabilities, part_digest=""))
    assert set(asked(DATA).values()) == {None}


def test_it_is_known_of_these_very_bytes_alone() -> None:
    """Whoever changes or cuts a part has other bytes."""
    data, other = bytes(1000), bytes(1000)
    assert digest_of(data, "md5") is None
    with knowing(data, "md5", "digest"):
        assert digest_of(data, "md5") == "digest"
        assert digest_of(data, "sha256") is None
        assert digest_of(bytes(memoryview(data)[:999]), "md5") is None
        assert digest_of(bytearray(other), "md5") is None  # type: ignore[arg-type]
    assert digest_of(data, "md5") is None


def block(window: Window, thread: DigestThread, data: bytes) -> Block:
    made = window.block(data, 1)
    thread.feed(made)
    return made


def test_nobody_waits_for_a_thread_that_was_stopped_or_failed() -> None:
    window = Window(0)
    thread = DigestThread(FusedDigester(PAIR), window.wake, parts=("sha256",))
    thread.start()
    right = block(window, thread, b"abc").digest
    assert right is not None
    assert right.get() == hashlib.sha256(b"abc").hexdigest()
    thread._stopped = True
    late = block(window, thread, b"abc").digest
    assert late is not None
    assert late.get() is None
    thread.stop()
    gone = block(window, thread, b"abc").digest
    assert gone is not None
    assert gone.get() is None


def test_without_a_thread_it_is_known_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    window = Window(0)
    thread = DigestThread(FusedDigester(PAIR), window.wake, parts=("sha256",))
    thread.start()
    known = block(window, thread, b"abc").digest
    assert isinstance(known, Known)
    assert known.get() == hashlib.sha256(b"abc").hexdigest()
