"""Where multistore-digest is installed, md5 and a SHA are one digester; everything else stays as it is."""

from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import multistore_digest
import pytest
from multistore import Fleet, Store, StoreOptions
from multistore.drivers.memory import MemoryDriver
from multistore.pipeline import digests
from multistore.pipeline.digests import Digester, FusedDigester, digesters, hexdigests, kernel

DATA = bytes(range(256)) * 20_000  # large enough for threads


@pytest.fixture(autouse=True)
def _afresh() -> Iterator[None]:
    digests._kernel.cache_clear()
    yield
    digests._kernel.cache_clear()


@pytest.fixture
def _kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel for every pair, on whatever machine: hashlib plays it."""
    made = multistore_digest.FusedDigest

    def status(names: Sequence[str]) -> multistore_digest.Status:
        return multistore_digest.Status("played")

    def fused(names: Sequence[str]) -> multistore_digest.FusedDigest:
        return made(names, level="hashlib")

    monkeypatch.setattr(multistore_digest, "status", status)
    monkeypatch.setattr(multistore_digest, "FusedDigest", fused)


def kinds(*names: str, fused: bool = True) -> list[str]:
    return [f"{type(each).__name__} {each.name}" for each in digesters(names, fused=fused)]


def right(*names: str) -> dict[str, str]:
    return {name: hashlib.new(name, DATA).hexdigest() for name in names}


@pytest.mark.usefixtures("_kernels")
def test_a_pair_is_one_digester() -> None:
    assert kinds("md5", "sha512") == ["FusedDigester md5+sha512"]
    assert kinds("sha256", "md5", "md5") == ["FusedDigester sha256+md5"]
    assert kinds("md5", "sha512", "sha256") == ["FusedDigester md5+sha512", "Digester sha256"]
    assert kinds("sha512") == ["Digester sha512"]
    assert kinds("md5", "sha1") == ["Digester md5", "Digester sha1"]
    assert kinds("md5", "sha512", fused=False) == ["Digester md5", "Digester sha512"]


def test_without_the_package_hashlib_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "multistore_digest", None)
    assert kernel(("md5", "sha512")) is None
    assert kinds("md5", "sha512") == ["Digester md5", "Digester sha512"]


def test_a_broken_package_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "multistore_digest.py").write_text("import what_is_not_there")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "multistore_digest")
    assert kinds("md5", "sha512") == ["Digester md5", "Digester sha512"]
    assert "No module named 'what_is_not_there'" in caplog.text
    assert len(caplog.records) == 1


def test_with_hashlib_behind_it_two_threads_are_better_than_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = multistore_digest.Status("hashlib", "a reason")
    monkeypatch.setattr(multistore_digest, "status", lambda _names: plain)
    assert kinds("md5", "sha512") == ["Digester md5", "Digester sha512"]


@pytest.mark.usefixtures("_kernels")
@pytest.mark.parametrize("names", [("md5", "sha512"), ("sha512", "md5"), ("sha256", "sha1", "md5")])
@pytest.mark.parametrize("size", [0, 1000, len(DATA)])
def test_a_put_gives_the_same_digests_in_the_same_order(names: Sequence[str], size: int) -> None:
    data = DATA[:size]
    expected = [(name, hashlib.new(name, data).hexdigest()) for name in names]
    for fused in (True, False):
        options = StoreOptions(fused_digests=fused)
        with Store(MemoryDriver(), name="memory", options=options) as store:
            receipt = store.put("image", data, digests=names, expect=dict(expected))
            assert list(receipt.digests.items()) == expected
            verdict = store.verify(receipt.ref, expect=receipt.digests)
            assert dict(verdict.digests) == dict(expected)
            with store.open(receipt.ref, expect=receipt.digests) as image:
                assert b"".join(image) == data


@pytest.mark.usefixtures("_kernels")
@pytest.mark.parametrize(("off", "threads"), [((), {"md5+sha512"}), (("b",), {"md5", "sha512"})])
def test_a_pair_takes_one_thread_unless_a_store_switches_it_off(
    off: Sequence[str], threads: set[str]
) -> None:
    seen: set[str] = set()

    class Watch:
        def update(self, _data: bytes) -> None:
            seen.update(each.name for each in threading.enumerate())

    stores = {
        name: Store(MemoryDriver(), name=name, options=StoreOptions(fused_digests=name not in off))
        for name in ("a", "b")
    }
    with Fleet(stores) as fleet:
        receipt = fleet.put("image", iter([DATA, DATA, DATA]), observers=[Watch()])
    assert receipt.size == 3 * len(DATA)
    wanted = {"md5", "sha512", "md5+sha512"}
    assert {name.removeprefix("multistore-") for name in seen} & wanted == threads


def test_both_kinds_add_up() -> None:
    sums: list[Digester | FusedDigester] = [Digester("sha1"), FusedDigester(("md5", "sha512"))]
    for each in sums:
        each.update(DATA[:100])
        each.update(memoryview(DATA)[100:])
        assert each.seconds > 0
    assert hexdigests(sums) == right("sha1", "md5", "sha512")
