"""Reading files: whole, in ranges, with holes, and while they change."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from multistore.drivers.file import FileDriver, FileSettings
from multistore.drivers.file.reader import PIECE
from multistore.errors import NotFound, Unavailable


@pytest.fixture
def driver(place: Path) -> FileDriver:
    place.mkdir()
    return FileDriver(FileSettings(path=str(place)))


def plant(place: Path, data: bytes) -> str:
    (place / "image").write_bytes(data)
    return f"file://{place}/image"


def holes(place: Path, size: int, *runs: tuple[int, bytes]) -> str:
    with open(place / "image", "wb") as file:
        for at, data in runs:
            file.seek(at)
            file.write(data)
        file.truncate(size)
    return f"file://{place}/image"


def read(driver: FileDriver, ref: str, offset: int = 0, length: int | None = None) -> bytes:
    with driver.open(ref) as reader:
        return b"".join(reader.read(offset, length))


@pytest.mark.parametrize("question", [True, False], ids=["holes told", "holes not told"])
def test_holes_read_as_zeros(
    question: bool, driver: FileDriver, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 5 * PIECE + 123
    runs = ((PIECE + 70_000, b"x" * 100_000), (4 * PIECE, b"y" * 5))
    ref = holes(place, size, *runs)
    expected = bytearray(size)
    for at, data in runs:
        expected[at : at + len(data)] = data
    if not question:

        def refuse(file: int, offset: int, whence: int) -> int:
            raise OSError(errno.EINVAL, "unknown")

        monkeypatch.setattr(os, "lseek", refuse)
    for offset, length in ((0, None), (1, None), (PIECE, PIECE), (size - 1, None), (size, None), (PIECE + 69_999, 2)):  # fmt: skip
        end = size if length is None else offset + length
        assert read(driver, ref, offset, length) == expected[offset:end]


def test_a_file_of_one_hole_is_zeros(driver: FileDriver, place: Path) -> None:
    ref = holes(place, 3 * PIECE + 1)
    assert read(driver, ref) == bytes(3 * PIECE + 1)


@pytest.mark.parametrize("sparse", [True, False])
def test_a_file_cut_short_under_the_reader_is_unavailable(
    sparse: bool, driver: FileDriver, place: Path
) -> None:
    size = 4 * PIECE
    ends = ((0, b"x"), (size - 1, b"x"))
    ref = holes(place, size, *ends) if sparse else plant(place, b"x" * size)
    with driver.open(ref) as reader:
        chunks = reader.read()
        next(chunks)
        os.truncate(place / "image", PIECE + 10)
        with pytest.raises(Unavailable, match="cut short"):
            list(chunks)


def test_a_file_that_grows_ends_where_it_ended(driver: FileDriver, place: Path) -> None:
    ref = plant(place, b"first")
    with driver.open(ref) as reader:
        with open(place / "image", "ab") as file:
            file.write(b"more")
        assert b"".join(reader.read()) == b"first"


def test_a_deleted_file_stays_readable_and_itself(driver: FileDriver, place: Path) -> None:
    ref = plant(place, b"first")
    with driver.open(ref) as reader:
        driver.delete(ref)
        plant(place, b"other")
        assert b"".join(reader.read()) == b"first"


def test_a_closed_reader_never_reads_another_file(driver: FileDriver, place: Path) -> None:
    ref = plant(place, b"x" * (2 * PIECE))
    reader = driver.open(ref)
    chunks = reader.read()
    next(chunks)
    reader.close()
    with open("/etc/hostname", "rb"), pytest.raises(NotFound, match="closed"):
        next(chunks)


def test_a_disk_error_is_unavailable(
    driver: FileDriver, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = plant(place, b"data")

    def broken(file: int, length: int, at: int) -> bytes:
        raise OSError(errno.EIO, "bad sector")

    with driver.open(ref) as reader, monkeypatch.context() as patch:
        patch.setattr(os, "pread", broken)
        with pytest.raises(Unavailable):
            list(reader.read())


def test_the_version_tells_a_rewritten_file(driver: FileDriver, place: Path) -> None:
    ref = plant(place, b"first")
    before = driver.stat(ref)
    assert before == driver.stat(ref)
    plant(place, b"other")
    os.utime(place / "image", (1, 1))
    assert driver.stat(ref).version != before.version


def test_a_failed_sync_of_a_deletion_is_an_error(
    driver: FileDriver, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = plant(place, b"data")

    def broken(file: int) -> None:
        raise OSError(errno.EIO, "bad sector")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(Unavailable):
        driver.delete(ref)
