"""Digests, in this thread and in threads of their own."""

from __future__ import annotations

import hashlib
import threading

import pytest
from multistore.errors import Corrupt, Unsupported
from multistore.pipeline.digests import (
    Digester,
    DigestThread,
    check_expected,
    digesters,
    normalise_expected,
)
from multistore.pipeline.window import Window

FIXED = sorted(name for name in hashlib.algorithms_guaranteed if not name.startswith("shake"))


@pytest.mark.parametrize("name", FIXED)
def test_every_guaranteed_algorithm_of_fixed_length(name: str) -> None:
    digester = Digester(name)
    digester.update(b"some ")
    digester.update(memoryview(b"bytes"))
    assert digester.hexdigest() == hashlib.new(name, b"some bytes").hexdigest()
    assert digester.name == name
    assert digester.seconds >= 0


@pytest.mark.parametrize("name", ["shake_128", "shake_256"])
def test_an_algorithm_of_no_fixed_length_is_refused(name: str) -> None:
    with pytest.raises(Unsupported, match=f"{name}.*no fixed length"):
        Digester(name)


@pytest.mark.parametrize(
    "name", ["", "nosuch", "sha-0", "a\0b", "x" * 1000, "md5;sha1", "\ud800", 7, None]
)
def test_an_unknown_algorithm_is_refused(name: object) -> None:
    with pytest.raises(Unsupported):
        Digester(name)  # type: ignore[arg-type]


def test_repeated_names_are_computed_once() -> None:
    assert [each.name for each in digesters(["md5", "sha1", "md5"])] == ["md5", "sha1"]


def test_expected_digests_are_lower_cased_and_stripped() -> None:
    value = hashlib.md5(b"").hexdigest()
    assert normalise_expected({"md5": f" {value.upper()}\n"}) == {"md5": value}
    assert normalise_expected(None) == {}


@pytest.mark.parametrize(
    "value", ["", "0" * 31, "0" * 33, "g" * 32, "0x" + "0" * 30, "é" * 32, "٣" * 32]
)
def test_what_cannot_be_such_a_digest_is_a_value_error(value: str) -> None:
    with pytest.raises(ValueError, match="md5 digest has 32"):
        normalise_expected({"md5": value})


def test_a_wrong_digest_is_corrupt_and_names_both() -> None:
    check_expected({"md5": "a"}, {"md5": "a", "sha1": "b"}, "it")
    with pytest.raises(Corrupt, match="it has the md5 b where a was expected"):
        check_expected({"md5": "a"}, {"md5": "b"}, "it")


def feed(window: Window, thread: DigestThread, *pieces: bytes) -> None:
    for piece in pieces:
        thread.feed(window.block(piece, 1))


def test_a_thread_hashes_in_order_and_gives_every_block_back() -> None:
    """R17 of the list of defects of RBD stores: hashing is beside the transfer, not in line with it."""
    window = Window(0)
    thread = DigestThread(Digester("sha256"), window.wake)
    thread.start()
    pieces = [bytes([n]) * 1000 for n in range(50)]
    feed(window, thread, *pieces)
    assert thread.finish() == {"sha256": hashlib.sha256(b"".join(pieces)).hexdigest()}
    assert thread.finish() == {"sha256": hashlib.sha256(b"".join(pieces)).hexdigest()}
    assert window._used == 0
    assert "multistore-sha256" not in [each.name for each in threading.enumerate()]


def test_without_a_thread_it_hashes_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    window = Window(0)
    thread = DigestThread(Digester("md5"), window.wake)
    thread.start()
    feed(window, thread, b"abc", b"def")
    assert window._used == 0
    assert thread.finish() == {"md5": hashlib.md5(b"abcdef").hexdigest()}


def test_a_thread_that_was_never_started_can_be_stopped() -> None:
    thread = DigestThread(Digester("md5"), lambda: None)
    thread.stop()
    thread.stop()


def test_stop_ends_the_thread_and_gives_the_blocks_back() -> None:
    window = Window(0)
    thread = DigestThread(Digester("md5"), window.wake)
    thread.start()
    feed(window, thread, *[b"x" * 100] * 20)
    thread.stop()
    thread.stop()
    assert window._used == 0
    assert "multistore-md5" not in [each.name for each in threading.enumerate()]


def test_a_failure_is_told_at_once_and_raised_at_the_end() -> None:
    class Broken(Digester):
        def update(self, data: object) -> None:
            raise MemoryError("no room")

    told = threading.Event()
    thread = DigestThread(Broken("md5"), told.set)
    thread.start()
    feed(Window(0), thread, b"abc")
    assert told.wait(10)
    assert isinstance(thread.error, MemoryError)
    with pytest.raises(MemoryError, match="no room"):
        thread.finish()
