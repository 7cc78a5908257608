"""What is delivered is right, or ends in Corrupt."""

# ruff: noqa: PT012 - what came before the error is counted in the same block
from __future__ import annotations

import hashlib
import threading
from collections.abc import Generator, Iterator

import pytest
from multistore.errors import Corrupt, Unavailable
from multistore.model import Info
from multistore.pipeline import download as download_module
from multistore.pipeline.digests import Digester, digesters
from multistore.pipeline.download import closable, counted, same_size, verified

PIECES = [b"abc", b"defg", b"h", b"ij" * 20]
DATA = b"".join(PIECES)
RIGHT = {"md5": hashlib.md5(DATA).hexdigest(), "sha256": hashlib.sha256(DATA).hexdigest()}


@pytest.fixture(params=["here", "threads"], autouse=True)
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if request.param == "threads":
        monkeypatch.setattr(download_module, "SMALL", 3)
        monkeypatch.setattr(download_module, "_BEHIND", 5)
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


def check(pieces: list[bytes], expect: dict[str, str]) -> Iterator[bytes]:
    return verified(iter(pieces), digesters(expect), expect, "it")


def test_right_bytes_come_through_as_they_are() -> None:
    assert list(check(PIECES, RIGHT)) == PIECES


@pytest.mark.parametrize("place", range(len(PIECES)))
@pytest.mark.parametrize("name", list(RIGHT))
def test_wrong_bytes_are_corrupt_and_never_delivered_in_full(place: int, name: str) -> None:
    pieces = list(PIECES)
    pieces[place] = bytes([pieces[place][0] ^ 1]) + pieces[place][1:]
    got = 0
    with pytest.raises(Corrupt, match=f"it has the {name}"):
        for piece in check(pieces, {name: RIGHT[name]}):
            got += len(piece)
    assert got < len(DATA)


@pytest.mark.parametrize("pieces", [[], PIECES[:-1], [*PIECES, b"x"], PIECES[1:], [b"", DATA]])
def test_every_other_image_is_corrupt(pieces: list[bytes]) -> None:
    if b"".join(pieces) == DATA:
        assert b"".join(check(pieces, RIGHT)) == DATA
        return
    with pytest.raises(Corrupt):
        list(check(pieces, RIGHT))


def test_an_image_of_one_piece_is_held_back_whole() -> None:
    stream = check([DATA[:-1] + b"?"], RIGHT)
    with pytest.raises(Corrupt):
        next(stream)


def test_an_empty_image_is_compared_too() -> None:
    assert list(check([], {"md5": hashlib.md5(b"").hexdigest()})) == []
    with pytest.raises(Corrupt):
        list(check([], RIGHT))


def test_digesters_without_an_expectation_only_compute() -> None:
    sums = digesters(["md5"])
    assert list(verified(iter(PIECES), sums, {}, "it")) == PIECES
    assert sums[0].hexdigests() == {"md5": RIGHT["md5"]}


def test_no_digest_at_all_still_delivers() -> None:
    assert list(verified(iter(PIECES), [], {}, "it")) == PIECES


def test_an_error_of_the_store_comes_through() -> None:
    error = Unavailable("cut off")

    def pieces() -> Iterator[bytes]:
        yield from PIECES
        raise error

    with pytest.raises(Unavailable) as caught:
        list(verified(pieces(), digesters(RIGHT), RIGHT, "it"))
    assert caught.value is error


def test_a_failing_digest_is_no_silent_success() -> None:
    class Broken(Digester):
        def update(self, data: object) -> None:
            raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        list(verified(iter(PIECES), [Broken("md5")], {"md5": RIGHT["md5"]}, "it"))


def test_closing_early_closes_the_store_and_the_threads() -> None:
    closed = []

    def pieces() -> Iterator[bytes]:
        try:
            yield from PIECES
        finally:
            closed.append(True)

    stream = verified(counted(pieces(), None, "it"), digesters(RIGHT), RIGHT, "it")
    assert isinstance(stream, Generator)
    next(stream)
    next(stream)
    stream.close()
    assert closed == [True]


@pytest.mark.parametrize("expected", [len(DATA), None])
def test_the_right_count_passes(expected: int | None) -> None:
    assert list(counted(iter(PIECES), expected, "it")) == PIECES


def test_too_few_bytes_are_corrupt() -> None:
    with pytest.raises(Corrupt, match=f"it ends after {len(DATA)} of {len(DATA) + 1} bytes"):
        list(counted(iter(PIECES), len(DATA) + 1, "it"))


def test_too_many_bytes_are_corrupt_before_they_are_delivered() -> None:
    got = 0
    with pytest.raises(Corrupt, match="it goes on after the 5 bytes"):
        for piece in counted(iter(PIECES), 5, "it"):
            got += len(piece)
    assert got <= 5


@pytest.mark.parametrize(
    ("stored", "said", "known"), [(5, 5, 5), (5, None, 5), (None, 5, 5), (None, None, None)]
)
def test_the_size_is_whoever_knows_it(
    stored: int | None, said: int | None, known: int | None
) -> None:
    assert same_size(Info("ref", stored), said, "it") == known


def test_two_sizes_are_corrupt() -> None:
    with pytest.raises(Corrupt, match="it has 5 bytes in the store where 6 were expected"):
        same_size(Info("ref", 5), 6, "it")


def test_a_plain_iterator_can_be_closed_too() -> None:
    with closable(iter([1])):
        pass
