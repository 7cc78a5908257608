"""Threads, forks and the GIL."""

from __future__ import annotations

import hashlib
import os
import threading

import pytest
from multistore_digest import FusedDigest
from native.levels import EVERY, PAIR, found, fused, need, right


@pytest.fixture(params=PAIR.items(), ids=lambda each: f"{each[0]}-{each[1]}")
def kernel(request: pytest.FixtureRequest) -> tuple[str, str]:
    level, sha = request.param
    need(level)
    return level, sha


@pytest.mark.parametrize("size", [100, 2047, 2048, 300_000])
def test_threads_on_one_object_are_taken_one_after_the_other(
    kernel: tuple[str, str], size: int
) -> None:
    """Each update is taken whole: equal pieces from many threads give what they give in a row."""
    level, sha = kernel
    digest = fused(level, sha)
    piece, per_thread = os.urandom(size), 40
    go = threading.Barrier(4)

    def work() -> None:
        go.wait()
        for _ in range(per_thread):
            digest.update(piece)
            digest.copy().hexdigest("md5")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found(digest, sha) == right(piece * per_thread * 4, sha)


@pytest.mark.parametrize(("level", "sha"), EVERY)
def test_both_digests_see_the_pieces_of_two_threads_in_the_same_order(level: str, sha: str) -> None:
    need(level)
    for _ in range(10):
        digest = fused(level, sha)
        pieces = [os.urandom(400_000), os.urandom(400_000)]
        go = threading.Barrier(2)

        def work(piece: bytes, digest: FusedDigest = digest, go: threading.Barrier = go) -> None:
            go.wait()
            digest.update(piece)

        threads = [threading.Thread(target=work, args=(each,)) for each in pieces]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        one, other = pieces
        assert found(digest, sha) in (right(one + other, sha), right(other + one, sha))


def test_others_run_while_a_large_piece_is_hashed(kernel: tuple[str, str]) -> None:
    """The piece is changed by another thread until the update is over, which needs the GIL."""
    level, sha = kernel
    digest = fused(level, sha)
    over, ran = threading.Event(), threading.Event()
    counted = 0

    def count() -> None:
        nonlocal counted
        ran.set()
        while not over.is_set():
            counted += 1

    other = threading.Thread(target=count)
    other.start()
    ran.wait()
    try:
        before = counted
        for _ in range(20):
            digest.update(bytes(8 << 20))
        assert counted > before
    finally:
        over.set()
        other.join()
    assert digest.hexdigest("md5") == hashlib.md5(bytes(160 << 20)).hexdigest()


def test_a_forked_child_goes_on_with_its_own_copy(kernel: tuple[str, str]) -> None:
    level, sha = kernel
    digest = fused(level, sha)
    digest.update(b"before ")
    child = os.fork()
    if child == 0:
        digest.update(b"child")
        os._exit(0 if found(digest, sha) == right(b"before child", sha) else 1)
    assert os.waitpid(child, 0)[1] == 0
    digest.update(b"parent")
    assert found(digest, sha) == right(b"before parent", sha)


@pytest.mark.parametrize(("level", "sha"), EVERY)
def test_a_child_forked_in_the_middle_of_an_update_gets_an_error_and_never_hangs(
    level: str, sha: str
) -> None:
    need(level)
    data = bytes(64 << 20)
    caught = (forked_while_hashing(level, sha, data) for _ in range(50))
    assert any(caught)


def forked_while_hashing(level: str, sha: str, data: bytes) -> bool:
    """Fork while a thread hashes; whether the child came in the middle of it, and was told so."""
    digest = fused(level, sha)
    inside = threading.Event()

    def work() -> None:
        inside.set()
        digest.update(data)

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait()
    child = os.fork()
    if child == 0:
        os._exit(what_a_child_finds(digest, level, sha))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    thread.join()
    assert found(digest, sha) == right(data, sha)
    assert status in (0, 1)
    return status == 1


def what_a_child_finds(digest: FusedDigest, level: str, sha: str) -> int:
    """Give 1 for the error of a fork in the middle, 0 for none, 2 for anything wrong."""
    told = 0
    try:
        digest.update(b"x" * 5000)
    except RuntimeError as error:
        told = 1 if "forked while another thread was hashing" in str(error) else 2
    own = fused(level, sha)
    own.update(b"abc")
    return told if found(own, sha) == right(b"abc", sha) else 2
