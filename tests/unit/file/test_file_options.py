"""Settings for stores that share their directories with others: no marker, small pieces, directories made at once."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from multistore.drivers.file import FileDriver, FileSettings
from multistore.errors import (
    AccessDenied,
    InvalidRef,
    Misconfigured,
    NoSpace,
    StoreError,
    Unavailable,
)


def make(place: Path, **settings: Any) -> FileDriver:
    return FileDriver(FileSettings(path=str(place), **settings))


def put(driver: FileDriver, name: str = "image", data: bytes = b"data") -> str:
    upload = driver.begin(name, len(data), {})
    upload.write_part(0, 0, data)
    return upload.commit(len(data), {}).ref


# -- mark ----------------------------------------------------------------------------------------


def test_without_mark_a_directory_holds_images_and_nothing_else(place: Path) -> None:
    driver = make(place, mark=False)
    put(driver)
    assert os.listdir(place) == ["image"]
    shutil.rmtree(place)
    place.mkdir()
    put(driver)
    assert os.listdir(place) == ["image"], "without a marker another directory is as good"


def test_without_mark_a_marker_that_is_there_counts(place: Path) -> None:
    put(make(place))
    driver = make(place, mark=False)
    put(driver, "second")
    place.rename(place.parent / "unmounted")
    place.mkdir()
    with pytest.raises(Unavailable):
        put(driver, "third")
    assert os.listdir(place) == []


# -- read_size -----------------------------------------------------------------------------------


@pytest.mark.parametrize("holes", [False, True])
def test_a_read_comes_in_pieces_of_the_size_that_is_set(place: Path, holes: bool) -> None:
    driver = make(place, read_size=8192)
    data = os.urandom(20_000) + bytes(100_000) + b"end"
    if holes:
        place.mkdir()
        with open(place / "image", "wb") as file:
            file.write(data[:20_000])
            file.seek(120_000)
            file.write(b"end")
        ref = f"file://{place}/image"
    else:
        ref = put(driver, data=data)
    for offset, length in (
        (0, None),
        (5, None),
        (19_990, 50),
        (110_000, None),
        (0, 0),
        (200_000, None),
    ):
        with driver.open(ref) as reader:
            pieces = list(reader.read(offset, length))
        end = None if length is None else offset + length
        assert b"".join(pieces) == data[offset:end]
        assert all(0 < len(piece) <= 8192 for piece in pieces)


# -- prepare -------------------------------------------------------------------------------------


def test_prepare_makes_the_directories_and_marks_them_if_that_is_wanted(place: Path) -> None:
    several = FileDriver(FileSettings(paths=(f"{place}/a", f"{place}/b:1"), mark=False))
    assert several.prepare() == ()
    assert sorted(os.listdir(place)) == ["a", "b"]
    assert os.listdir(place / "a") == []
    make(place / "c").prepare()
    assert os.listdir(place / "c") == [".multistore"]


def test_prepare_needs_no_space(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place.mkdir()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "write", full)
    monkeypatch.setattr(os, "pwrite", full)
    assert make(place, mark=False).prepare() == ()


def test_prepare_refuses_what_is_no_directory_or_may_not_be_written_to(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.mkdir()
    (place / "file").write_bytes(b"")
    for path in (place / "file", place / "file" / "below"):
        with pytest.raises(Misconfigured):
            make(path, mark=False).prepare()
    asked = []

    def access(path: str, mode: int, **options: Any) -> bool:
        asked.append((path, mode, options["effective_ids"]))
        return False

    monkeypatch.setattr(os, "access", access)
    with pytest.raises(Misconfigured) as caught:
        make(place, mark=False).prepare()
    assert caught.value.setting == "path"
    assert asked == [(".", os.W_OK | os.X_OK, True)]


def test_prepare_says_what_the_file_system_says(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EACCES, "no")

    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(AccessDenied):
        make(place, mark=False).prepare()


@pytest.mark.parametrize(
    ("mode", "before", "after"),
    [("0640", 0o700, 0o710), ("0644", 0o700, 0o711), ("0604", 0o700, 0o701), ("0600", 0o700, 0o700), (None, 0o700, 0o700)],
)  # fmt: skip
def test_prepare_lets_through_whoever_may_read_the_images(
    place: Path, mode: str | None, before: int, after: int
) -> None:
    place.mkdir()
    place.chmod(before)
    assert make(place, mark=False, file_mode=mode).prepare() == ()
    assert stat.S_IMODE(place.stat().st_mode) == after


def test_prepare_tells_of_a_mode_that_cannot_be_set(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.mkdir()
    place.chmod(0o700)

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no")

    monkeypatch.setattr(os, "fchmod", refuse)
    (problem,) = make(place, mark=False, file_mode="0644").prepare()
    assert "keeps its mode 700" in problem


# -- taken, and where room is --------------------------------------------------------------------


def test_taken_looks_into_every_directory(place: Path) -> None:
    driver = FileDriver(FileSettings(paths=(f"{place}/a", f"{place}/b:1")))
    assert not driver.taken("image")
    driver.prepare()
    (place / "a" / "image").symlink_to("nowhere")
    assert driver.taken("image")
    assert not driver.taken("other")
    with pytest.raises(InvalidRef):
        driver.taken("../image")


def test_a_directory_that_does_not_tell_its_room_is_left_out(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = FileDriver(FileSettings(paths=(f"{place}/a:9", f"{place}/b")))
    driver.prepare()

    def fstatvfs(number: int) -> Any:
        if os.readlink(f"/proc/self/fd/{number}").endswith("/a"):
            raise OSError(errno.ESTALE, "stale")
        return SimpleNamespace(f_bavail=100, f_frsize=1, f_blocks=1000)

    monkeypatch.setattr(os, "fstatvfs", fstatvfs)
    assert put(driver) == f"file://{place}/b/image"
    with pytest.raises(NoSpace):
        FileDriver(FileSettings(path=f"{place}/b", thin=False)).begin("large", 500, {})
    with pytest.raises(StoreError) as caught:
        make(place / "a").begin("other", 1, {})
    assert not isinstance(caught.value, NoSpace)


@pytest.mark.parametrize(("size", "reserved"), [(5000, []), (70_000, [70_000])])
def test_space_is_reserved_for_more_than_one_part(
    place: Path, monkeypatch: pytest.MonkeyPatch, size: int, reserved: list[int]
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(os, "posix_fallocate", lambda _file, _offset, length: asked.append(length))
    make(place, thin=False, part_size=65536).begin("image", size, {}).abort()
    assert asked == reserved
