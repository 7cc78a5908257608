"""An image held open for reading."""

# ruff: noqa: PT012 - what came before the error is counted in the same block
from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Iterator

import pytest
from doubles import TroubledDriver, failing
from multistore.errors import Corrupt, Unavailable
from multistore.model import Capabilities, Info, Verb
from multistore.pipeline import image as image_module
from multistore.pipeline.image import Image, ReaderStream

DATA = bytes(random.Random(7).randbytes(1000))
SHA = {"sha256": hashlib.sha256(DATA).hexdigest()}


def image(
    driver: TroubledDriver | None = None,
    *,
    parallel: int = 1,
    size: int | None = None,
    expect: object = None,
) -> Image:
    driver = driver or TroubledDriver(part_size=70)
    driver.objects["image"] = (DATA, "token", 0.0)
    stream = ReaderStream(driver.open("memory://image"), "shelf", parallel)
    return Image(stream, size=size, expect=expect, what="memory://image")  # type: ignore[arg-type]


@pytest.fixture(params=[1, 4], name="parallel")
def _parallel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(image_module, "RANGE", 100)
    return int(request.param)


def test_iterating_gives_all_bytes(parallel: int) -> None:
    assert b"".join(image(parallel=parallel, expect=SHA, size=len(DATA))) == DATA


def test_it_can_be_read_more_than_once(parallel: int) -> None:
    opened = image(parallel=parallel, expect=SHA)
    assert b"".join(opened) == b"".join(opened) == DATA


@pytest.mark.parametrize("offset", [0, 1, 99, 999, 1000, 1001, 10**30])
@pytest.mark.parametrize("length", [None, 0, 1, 500, 1000, 1001, 10**30])
def test_any_range(parallel: int, offset: int, length: int | None) -> None:
    end = None if length is None else offset + length
    assert b"".join(image(parallel=parallel).read(offset, length)) == DATA[offset:end]


@pytest.mark.parametrize(("offset", "length"), [(-1, None), (0, -1), (-1, -1)])
def test_negative_ranges_are_refused(offset: int, length: int | None) -> None:
    with pytest.raises(ValueError, match="count from 0"):
        image().read(offset, length)


def test_the_size_is_known_from_the_store() -> None:
    assert image().size == len(DATA)
    assert image().info.ref == "memory://image"
    assert image().stores == ("shelf",)


@pytest.mark.parametrize("size", [len(DATA) - 1, len(DATA) + 1, 0])
def test_another_size_than_expected_is_corrupt_and_names_the_store(size: int) -> None:
    opened = image(size=size)
    with pytest.raises(Corrupt) as caught:
        _ = opened.size
    assert (caught.value.store, caught.value.verb) == ("shelf", "get")
    with pytest.raises(Corrupt):
        list(opened)
    with pytest.raises(Corrupt):
        list(opened.read(1, 5))


def test_wrong_bytes_are_corrupt_and_name_the_store(parallel: int) -> None:
    got = 0
    with pytest.raises(Corrupt, match="sha256") as caught:
        for piece in image(parallel=parallel, expect={"sha256": "0" * 64}):
            got += len(piece)
    assert caught.value.store == "shelf"
    assert got < len(DATA)


class Unsized(TroubledDriver):
    """A store that does not know how long its objects are, and may lose the end."""

    cut = 0

    def open(self, ref: str) -> object:  # type: ignore[override]
        reader = super().open(ref)
        data = self.objects["image"][0][: len(DATA) - self.cut]

        class Stream:
            info = Info(ref)

            def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
                end = None if length is None else offset + length
                return iter([data[offset:end]] if data[offset:end] else [])

            def close(self) -> None:
                reader.close()

        return Stream()


@pytest.mark.parametrize("parallel", [1, 4])
def test_a_store_that_knows_no_size_is_read_all_the_same(parallel: int) -> None:
    driver = Unsized()
    assert b"".join(image(driver, parallel=parallel)) == DATA
    assert b"".join(image(driver, parallel=parallel).read(990, 100)) == DATA[990:]
    assert image(driver).size is None
    with pytest.raises(io.UnsupportedOperation):
        image(driver).file().seek(0, io.SEEK_END)


def test_a_lost_end_is_corrupt_when_the_size_is_expected() -> None:
    driver = Unsized()
    driver.cut = 1
    with pytest.raises(Corrupt, match="ends after 999 of 1000"):
        list(image(driver, size=len(DATA)))
    with pytest.raises(Corrupt, match="ends after 9 of 10"):
        list(image(driver, size=len(DATA)).read(990))


def test_a_break_in_the_middle_comes_through() -> None:
    error = Unavailable("cut off")
    opened = image(TroubledDriver(part_size=70, before=failing("piece", error, at=3)))
    got = b""
    with pytest.raises(Unavailable) as caught:
        for piece in opened:
            got += piece
    assert caught.value is error
    # The piece before the error may be held back.
    assert got in (DATA[:70], DATA[:140])


def test_closing_closes_the_reader() -> None:
    driver = TroubledDriver()
    driver.objects["image"] = (DATA, "token", 0.0)
    reader = driver.open("memory://image")
    with Image(ReaderStream(reader, "shelf", 1), size=None, expect=None, what="x") as opened:
        list(opened)
    assert reader.closed  # type: ignore[attr-defined]


def test_an_impossible_expectation_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="64 hexadecimal"):
        image(expect={"sha256": "0"})


class TestFile:
    def test_reads_like_a_file(self) -> None:
        with image(expect=SHA).file() as file:
            assert file.readable()
            assert file.seekable()
            assert not file.writable()
            assert file.read() == DATA
            assert file.read() == b""
            assert file.tell() == len(DATA)

    @pytest.mark.parametrize("seed", range(10))
    def test_behaves_like_bytes_in_memory(self, seed: int) -> None:
        chance = random.Random(seed)
        model = io.BytesIO(DATA)
        with image().file() as file:
            for _ in range(40):
                if chance.random() < 0.5:
                    count = chance.choice([0, 1, 7, 100, 2000])
                    assert file.read(count) == model.read(count)
                else:
                    whence = chance.choice([io.SEEK_SET, io.SEEK_CUR, io.SEEK_END])
                    offset = (
                        chance.randint(0, 1100)
                        if whence == io.SEEK_SET
                        else chance.randint(-50, 50)
                    )
                    try:
                        place = (
                            model.seek(offset, whence) if whence == io.SEEK_SET else model.tell()
                        )
                        if whence != io.SEEK_SET:
                            base = model.tell() if whence == io.SEEK_CUR else len(DATA)
                            place = model.seek(max(0, base + offset))
                            offset = place - base
                        assert file.seek(offset, whence) == place
                    except ValueError:
                        raise AssertionError("no such seek was asked for") from None
                assert file.tell() == model.tell()

    def test_refuses_a_negative_place(self) -> None:
        with image().file() as file, pytest.raises(ValueError, match="negative"):
            file.seek(-1)

    def test_raises_corrupt_at_the_end_of_wrong_bytes(self) -> None:
        with image(expect={"sha256": "0" * 64}).file() as file, pytest.raises(Corrupt):
            file.read()

    def test_closing_closes_the_image(self) -> None:
        driver = TroubledDriver()
        opened = image(driver)
        file = opened.file()
        file.read(1)
        file.close()
        file.close()
        assert opened._stream._reader.closed  # type: ignore[attr-defined]


def test_one_stream_at_a_time_is_not_read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_module, "RANGE", 100)
    single = Capabilities(verbs=Verb.WRITE, parallel_reads=1)
    driver = TroubledDriver(part_size=70, capabilities=single)
    list(image(driver, parallel=1))
    assert driver.calls.count("read") == 1
