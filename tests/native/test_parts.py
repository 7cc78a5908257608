"""A digest of the parts of a stream, computed beside md5 and sha512: against hashlib, for any parts and any pieces."""

from __future__ import annotations

import hashlib
import itertools
import random
import threading
from collections.abc import Iterator

import pytest
from multistore_digest import FusedDigest, PartDigest, _choice
from multistore_digest._choice import Stream, make
from multistore_digest._plain import Plain
from native.levels import found as digests
from native.levels import fused, need, right

pytestmark = pytest.mark.timeout(60)


#: The levels of kernels that there are, and what each digest of parts needs.
BESIDE = [("avx512vl", "sha256"), ("avx2", "sha256"), ("avx512vl", "md5"), ("avx2", "md5")]
NEEDED = {"sha256": "sha_ni", "md5": "avx512vl"}


@pytest.fixture(params=BESIDE, ids="-".join)
def beside(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, str]]:
    level, name = request.param
    need(level)
    need(NEEDED[name])
    monkeypatch.delenv(_choice.VARIABLE, raising=False)
    _choice.has_part.cache_clear()
    yield level, name
    _choice.has_part.cache_clear()


def begun(digest: FusedDigest, name: str) -> PartDigest:
    part = digest.part(name)
    assert part is not None
    assert part.name == name
    return part


def test_every_length_of_a_part_after_every_place_in_a_block(beside: tuple[str, str]) -> None:
    level, name = beside
    data = random.Random(5).randbytes(700)
    for first in (0, 1, 63, 64, 65, 127, 128, 129):
        for length in range(0, 560, 3):
            digest = fused(level, "sha512")
            digest.update(data[:first])
            part = begun(digest, name)
            digest.update(data[first : first + length], part)
            expected = hashlib.new(name, data[first : first + length]).hexdigest()
            assert part.hexdigest() == expected, (first, length)
            assert digests(digest, "sha512") == right(data[: first + length], "sha512")


def test_parts_in_any_pieces(beside: tuple[str, str]) -> None:
    """Each part begins anew, and the whole goes on."""
    level, name = beside
    chosen = random.Random(6)
    for _ in range(300):
        digest, whole = fused(level, "sha512"), b""
        for _ in range(chosen.randrange(4)):
            part, expected = begun(digest, name), hashlib.new(name)
            for _ in range(chosen.randrange(4)):
                piece = chosen.randbytes(chosen.choice((0, 64, 128, 1024, chosen.randrange(900))))
                digest.update(piece, part)
                expected.update(piece)
                whole += piece
            assert part.hexdigest() == expected.hexdigest()
        assert digests(digest, "sha512") == right(whole, "sha512")


def test_a_megabyte_is_hashed_while_others_run(beside: tuple[str, str]) -> None:
    level, name = beside
    data = random.Random(7).randbytes(1 << 20)
    digest = fused(level, "sha512")
    part = begun(digest, name)
    digest.update(memoryview(data), part)
    assert part.hexdigest() == hashlib.new(name, data).hexdigest()
    assert digests(digest, "sha512") == right(data, "sha512")


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize(("level", "sha"), [("sha_ni", "sha256"), ("hashlib", "sha512")])
def test_where_it_would_cost_as_much_as_hashlibs_there_is_none(
    level: str, sha: str, name: str
) -> None:
    need(level)
    digest = FusedDigest(("md5", sha), level=level)
    assert digest.part(name) is None
    digest.update(b"abc", None)
    assert digests(digest, sha) == right(b"abc", sha)


def test_there_are_no_other_digests_of_parts() -> None:
    with pytest.raises(ValueError, match="of a part sha256 or md5 is wanted, not sha1"):
        FusedDigest().part("sha1")


@pytest.mark.parametrize(("asked", "has"), [("avx2", False), ("avx512vl", True), ("sha_ni", True)])
def test_who_asks_for_a_kernel_gets_no_instructions_beyond_it(
    asked: str, has: bool, beside: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    level, name = beside
    monkeypatch.setenv(_choice.VARIABLE, asked)
    digest = fused(level, "sha512")
    assert (digest.part(name) is not None) is (has or name == "sha256")


def test_streams_of_other_digests_are_refused(beside: tuple[str, str]) -> None:
    level, _ = beside
    first = make("sha512", level)
    with pytest.raises(ValueError, match="a stream of sha512 and another"):
        first.update_both(first, b"abc")
    with pytest.raises(ValueError, match="a stream of sha512 and another"):
        make("sha256", "sha_ni").update_both(first, b"abc")
    with pytest.raises(TypeError):
        first.update_both(Plain("sha256"), b"abc")
    with pytest.raises(TypeError):
        first.update_both(make("sha256", "sha_ni"), "text")  # type: ignore[arg-type]
    assert digests(fused(level, "sha512"), "sha512") == right(b"", "sha512")


def test_two_threads_that_swap_the_whole_and_the_part_do_not_wait_for_each_other() -> None:
    need("avx512vl")
    one, other = make("sha512", "avx512vl"), make("sha512", "avx512vl")
    data = bytes(4096)

    def feed(whole: Stream, part: Stream) -> None:
        for _ in range(2000):
            whole.update_both(part, data)

    threads = [threading.Thread(target=feed, args=pair) for pair in ((one, other), (other, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert one.digest("md5") == other.digest("md5") == hashlib.md5(data * 4000).digest()


def test_a_kernel_that_differs_is_not_used(
    beside: tuple[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    level, name = beside

    class Wrong(Plain):
        def digest(self, name: str, /) -> bytes:
            return bytes(len(super().digest(name)))

    kinds = itertools.cycle([Plain, Wrong])  # of the whole, of the part
    monkeypatch.setattr(_choice, "make", lambda sha, _level: next(kinds)(sha))
    assert not _choice.has_part(name, level)
    assert f"of the {name} of parts differs from hashlib" in caplog.text
