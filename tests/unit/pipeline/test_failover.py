"""One image from several stores."""

# ruff: noqa: PT012 - what came before the error is counted in the same block
from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from doubles import TroubledDriver, failing
from multistore.errors import Corrupt, NotFound, StoreError, TimedOut, Unavailable
from multistore.model import Info
from multistore.pipeline import image as image_module
from multistore.pipeline.failover import Copy, FailoverStream
from multistore.pipeline.image import Image

DATA = bytes(range(256)) * 4
SHA = {"sha256": hashlib.sha256(DATA).hexdigest()}
REF = "memory://image"


def store(data: bytes | None = DATA, **trouble: object) -> TroubledDriver:
    driver = TroubledDriver(part_size=100, **trouble)  # type: ignore[arg-type]
    if data is not None:
        driver.objects["image"] = (data, "token", 0.0)
    return driver


def stream(*drivers: TroubledDriver, size: int | None = None) -> FailoverStream:
    copies = [Copy(f"s{place}", REF, driver) for place, driver in enumerate(drivers)]
    return FailoverStream(copies, size)


@pytest.fixture(params=["one stream", "read ahead"], autouse=True)
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "read ahead":
        monkeypatch.setattr(image_module, "RANGE", 300)


def all_of(chunks: Iterator[bytes]) -> bytes:
    return b"".join(chunks)


def test_the_first_store_that_answers_is_enough() -> None:
    first, second = store(), store()
    source = stream(first, second)
    assert all_of(source.chunks(0, None)) == DATA
    assert source.stores == ("s0",)
    assert second.calls == []


@pytest.mark.parametrize("step", ["open", "read", "stat", "piece"])
@pytest.mark.parametrize("error", [Unavailable("down"), NotFound("gone"), TimedOut("slow")])
def test_any_failing_step_hands_over(step: str, error: StoreError) -> None:
    source = stream(store(before=failing(step, error)), store())
    assert all_of(source.chunks(0, None)) == DATA
    assert source.stores[-1] in ("s0", "s1")


@pytest.mark.parametrize("at", range(1, 11))
@pytest.mark.parametrize(
    ("offset", "length"), [(0, None), (0, 1024), (3, 900), (3, 5000), (500, None)]
)
def test_a_break_anywhere_goes_on_at_the_same_place(
    at: int, offset: int, length: int | None
) -> None:
    end = None if length is None else offset + length
    source = stream(store(before=failing("piece", Unavailable("cut"), at=at)), store())
    assert all_of(source.chunks(offset, length)) == DATA[offset:end]


def test_each_store_may_break_once() -> None:
    drivers = [store(before=failing("piece", Unavailable("cut"), at=at)) for at in (3, 2, 4)]
    source = stream(*drivers, store())
    assert all_of(source.chunks(0, None)) == DATA
    assert source.stores == ("s0", "s1", "s2", "s3")


def test_a_store_that_failed_is_not_asked_again() -> None:
    first = store(before=failing("piece", Unavailable("cut"), at=2))
    source = stream(first, store())
    all_of(source.chunks(0, None))
    calls = list(first.calls)
    all_of(source.chunks(0, None))
    assert first.calls == calls


@pytest.mark.parametrize("other", [DATA[:-1], DATA + b"x", b""])
def test_a_copy_of_another_length_is_passed_over(other: bytes) -> None:
    source = stream(store(other), store(), size=len(DATA))
    assert all_of(source.chunks(0, None)) == DATA
    assert source.stores == ("s1",)


def test_a_later_copy_of_another_length_is_never_spliced_in() -> None:
    broken = store(before=failing("piece", Unavailable("cut"), at=3))
    source = stream(broken, store(DATA + b"more"), store())
    assert all_of(source.chunks(0, None)) == DATA
    assert source.stores == ("s0", "s2")


def test_with_no_store_left_the_first_telling_error_comes_with_notes() -> None:
    cut = Unavailable("cut off")
    source = stream(store(None), store(before=failing("read", cut, always=True)), store(None))
    with pytest.raises(Unavailable) as caught:
        all_of(source.chunks(0, None))
    assert caught.value is cut
    assert (cut.store, cut.verb) == ("s1", "get")
    assert len(cut.__notes__) == 2
    assert all("NotFound" in note for note in cut.__notes__)


def test_nowhere_is_not_found() -> None:
    with pytest.raises(NotFound):
        all_of(stream(store(None), store(None)).chunks(0, None))


def test_the_info_comes_from_the_first_that_answers() -> None:
    assert stream(store(None), store()).info == Info(REF, len(DATA), "token", "image", 0.0)
    with pytest.raises(NotFound):
        _ = stream(store(None)).info


def test_wrong_bytes_of_the_right_length_end_in_corrupt() -> None:
    wrong = b"?" + DATA[1:]
    source = stream(store(wrong, before=failing("piece", Unavailable("cut"), at=5)), store())
    image = Image(source, size=None, expect=SHA, what=source.what)
    got = 0
    with pytest.raises(Corrupt) as caught:
        for piece in image:
            got += len(piece)
    assert got < len(DATA)
    assert caught.value.store == "s0, s1"


def test_an_exception_that_is_no_store_error_comes_through() -> None:
    error = OSError("a bug in a driver")
    source = stream(store(before=failing("piece", error, at=2)), store())
    with pytest.raises(OSError, match="a bug") as caught:
        all_of(source.chunks(0, None))
    assert caught.value is error


def test_reading_past_the_end_gives_nothing() -> None:
    assert all_of(stream(store(), store()).chunks(5000, 10)) == b""
    assert all_of(stream(store(), store()).chunks(5000, None)) == b""
    assert all_of(stream(store(), store()).chunks(0, 0)) == b""


def test_close_can_be_called_twice_and_before_anything() -> None:
    source = stream(store())
    source.close()
    all_of(source.chunks(0, None))
    source.close()
    source.close()
