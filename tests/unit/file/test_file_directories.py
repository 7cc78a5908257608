"""The directories: made, marked, known again, chosen, never left."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from multistore.drivers.file import FileDriver, FileSettings
from multistore.drivers.file.syscalls import Libc
from multistore.errors import (
    AccessDenied,
    AlreadyExists,
    InvalidRef,
    Misconfigured,
    NoSpace,
    NotFound,
    StoreError,
    Unavailable,
)


def put(driver: FileDriver, name: str = "image", data: bytes = b"data") -> str:
    upload = driver.begin(name, len(data), {})
    try:
        upload.write_part(0, 0, data)
        return upload.commit(len(data), {}).ref
    except BaseException:
        upload.abort()
        raise


def make(place: Path, **settings: Any) -> FileDriver:
    return FileDriver(FileSettings(path=str(place), **settings))


# -- made and marked -----------------------------------------------------------------------------


def test_a_missing_directory_is_made_and_marked_at_the_first_upload(place: Path) -> None:
    driver = make(place / "deep" / "er")
    assert list(driver.list()) == []
    assert list(driver.pending()) == []
    with pytest.raises(NotFound) as caught:
        driver.usage()
    assert caught.value.what == "store"
    assert not place.exists(), "reading makes nothing"
    ref = put(driver)
    marker = (place / "deep" / "er" / ".multistore").read_text()
    assert len(marker.strip()) == 32
    assert [info.ref for info in driver.list()] == [ref]


def test_without_create_nothing_is_made_and_an_unmarked_directory_is_not_used(place: Path) -> None:
    strict = make(place, create=False)
    with pytest.raises(NotFound):
        put(strict)
    with pytest.raises(Misconfigured) as caught:
        strict.check()
    assert caught.value.setting == "path"
    assert not place.exists()
    place.mkdir()
    for attempt in (lambda: put(strict), strict.check, lambda: strict.stat(f"file://{place}/x")):
        with pytest.raises(Unavailable, match="mounted"):
            attempt()
    assert os.listdir(place) == []
    (place / ".multistore").touch()
    assert strict.stat(put(strict)).size == 4


def test_a_store_of_another_tool_is_read_without_a_change(place: Path) -> None:
    place.mkdir()
    (place / "old").write_bytes(b"older than the marker")
    driver = make(place)
    assert driver.stat(f"file://{place}/old").size == 21
    assert [info.name for info in driver.list()] == ["old"]
    assert os.listdir(place) == ["old"]


def test_the_configured_directory_may_be_a_symbolic_link(place: Path) -> None:
    real = place.parent / "real"
    real.mkdir()
    place.symlink_to(real)
    ref = put(make(place))
    assert ref == f"file://{place}/image"
    assert (real / "image").read_bytes() == b"data"


def test_a_file_in_the_place_of_a_directory_is_misconfigured(place: Path) -> None:
    place.write_bytes(b"")
    with pytest.raises(Misconfigured) as caught:
        put(make(place))
    assert caught.value.setting == "path"


def test_a_marker_that_cannot_be_written_is_not_left(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(NoSpace):
        put(make(place))
    assert os.listdir(place) == []


# -- known again ---------------------------------------------------------------------------------


def test_a_directory_that_vanished_is_not_made_again(place: Path) -> None:
    driver = make(place)
    ref = put(driver)
    shutil.rmtree(place)
    for attempt in (lambda: put(driver, "next"), lambda: driver.stat(ref), driver.usage):
        with pytest.raises(Unavailable):
            attempt()
    assert not place.exists()


def test_another_directory_in_its_place_is_refused_and_stays_empty(place: Path) -> None:
    """What an unmounted file system leaves is an empty directory of the same path."""
    driver = make(place)
    ref = put(driver)
    place.rename(place.parent / "unmounted")
    place.mkdir()
    for attempt in (lambda: put(driver, "next"), lambda: driver.stat(ref), driver.check):
        with pytest.raises(Unavailable):
            attempt()
    assert os.listdir(place) == []
    place.rmdir()
    (place.parent / "unmounted").rename(place)
    assert driver.stat(ref).size == 4


def test_an_upload_does_not_go_on_when_its_directory_was_replaced(place: Path) -> None:
    driver = make(place)
    upload = driver.begin("image", 4, {})
    upload.write_part(0, 0, b"data")
    place.rename(place.parent / "unmounted")
    place.mkdir()
    with pytest.raises(Unavailable) as caught:
        upload.commit(4, {})
    assert caught.value.final
    upload.abort()
    assert os.listdir(place) == []
    assert os.listdir(place.parent / "unmounted") == [".multistore"]


def test_the_same_marker_elsewhere_is_the_same_store(place: Path) -> None:
    """After a remount the device has another number."""
    driver = make(place)
    ref = put(driver)
    shutil.copytree(place, place.parent / "moved")
    shutil.rmtree(place)
    (place.parent / "moved").rename(place)
    assert driver.stat(ref).size == 4
    put(driver, "next")


def test_another_stores_marker_is_refused(place: Path) -> None:
    driver = make(place)
    put(driver)
    shutil.rmtree(place)
    put(make(place), "theirs")
    with pytest.raises(Unavailable):
        put(driver, "next")


def test_a_marker_that_disappeared_stops_uploads(place: Path) -> None:
    driver = make(place)
    put(driver)
    (place / ".multistore").unlink()
    with pytest.raises(Unavailable, match="marker"):
        put(driver, "next")


# -- chosen --------------------------------------------------------------------------------------


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Free MiB by the last component of the path; every file system holds 100."""
    sizes: dict[str, int] = {}

    def status(number: int) -> Any:
        name = os.path.basename(os.readlink(f"/proc/self/fd/{number}"))
        return SimpleNamespace(f_bavail=sizes[name], f_bfree=sizes[name], f_blocks=100, f_frsize=1 << 20)  # fmt: skip

    monkeypatch.setattr(os, "fstatvfs", status)
    return sizes


def several(place: Path, *entries: str, **settings: Any) -> FileDriver:
    return FileDriver(
        FileSettings(paths=tuple(f"{place}/{entry}" for entry in entries), **settings)
    )


@pytest.mark.parametrize(
    ("size", "chosen"), [(1 << 20, "b"), (25 << 20, "c"), (None, "b"), (45 << 20, "d")]
)
def test_the_fullest_free_of_the_highest_priority_that_fits_is_chosen(
    size: int | None,
    chosen: str,
    place: Path,
    free: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    free.update(a=10, b=20, c=40, d=50)
    monkeypatch.setattr(os, "posix_fallocate", lambda file, offset, length: None)
    upload = several(place, "a:7", "b:7", "c:3", "d", thin=False).begin("image", size, {})
    assert f"/{chosen}/.image." in upload.token
    upload.abort()


def test_what_fits_nowhere_is_no_space(place: Path, free: dict[str, int]) -> None:
    free.update(a=10, b=20)
    thick = several(place, "a", "b", thin=False)
    with pytest.raises(NoSpace):
        thick.begin("image", 21 << 20, {})
    thin = several(place, "a", "b")
    thin.begin("sparse", 90 << 20, {}).abort()
    with pytest.raises(NoSpace):
        thin.begin("sparse", 101 << 20, {})


def test_a_directory_without_a_free_byte_is_the_last_to_be_chosen(
    place: Path, free: dict[str, int]
) -> None:
    free.update(a=0, b=1)
    upload = several(place, "a:9", "b").begin("image", None, {})
    assert f"{place}/b/" in upload.token
    upload.abort()


def test_a_name_is_taken_whichever_directory_has_it(place: Path) -> None:
    put(several(place, "a"))
    with pytest.raises(AlreadyExists):
        several(place, "b:1", "a").begin("image", 1, {})


def test_a_directory_that_does_not_answer_is_passed_over(place: Path) -> None:
    driver = several(place, "a:1", "b")
    put(driver, "first")
    shutil.rmtree(place / "a")
    assert put(driver, "second") == f"file://{place}/b/second"
    shutil.rmtree(place / "b")
    with pytest.raises(Unavailable) as caught:
        put(driver, "third")
    assert len(caught.value.__notes__) == 1


def test_usage_counts_a_file_system_once(place: Path) -> None:
    driver = several(place, "a", "b")
    driver.check()
    usage, status = driver.usage(), os.statvfs(place)
    assert usage.total == status.f_blocks * status.f_frsize


# -- never left ----------------------------------------------------------------------------------


def test_files_below_are_read_listed_and_deleted(place: Path) -> None:
    (place / "2024" / "01").mkdir(parents=True)
    (place / "2024" / "01" / "image").write_bytes(b"nested")
    (place / ".hidden").mkdir()
    (place / ".hidden" / "image").write_bytes(b"hidden")
    (place / "lost+found").mkdir(mode=0)
    driver = make(place)
    (info,) = driver.list()
    assert info == driver.stat(info.ref)
    assert (info.ref, info.size) == (f"file://{place}/2024/01/image", 6)
    driver.delete(info.ref)
    with pytest.raises(NotFound):
        driver.stat(info.ref)


def test_no_symbolic_link_below_the_directory_is_followed(place: Path) -> None:
    outside = place.parent / "outside"
    outside.mkdir()
    (outside / "image").write_bytes(b"secret")
    driver = make(place)
    driver.check()
    (place / "out").symlink_to(outside)
    (place / "file").symlink_to(outside / "image")
    for ref in (f"file://{place}/out/image", f"file://{place}/file"):
        for verb in (driver.stat, driver.open, driver.delete):
            with pytest.raises(InvalidRef):
                verb(ref)
    assert list(driver.list()) == []
    assert (outside / "image").read_bytes() == b"secret"


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "{}2/image", "{}/../outside", "{}", "{}/.multistore"]
)
def test_nothing_outside_is_touched(path: str, place: Path) -> None:
    driver = make(place)
    driver.check()
    ref = "file://" + path.format(place)
    for verb in (driver.stat, driver.open, driver.delete):
        with pytest.raises(InvalidRef):
            verb(ref)


def test_what_is_no_file_on_the_way_is_not_found(place: Path) -> None:
    driver = make(place)
    ref = put(driver)
    for missing in (f"{ref}/below", f"file://{place}/no/such"):
        with pytest.raises(NotFound):
            driver.stat(missing)


def test_check_leaves_nothing_and_tells_of_a_directory_that_cannot_be_written(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = make(place)
    driver.check()
    assert os.listdir(place) == [".multistore"]

    def refuse(*arguments: Any, **options: Any) -> None:
        raise OSError(errno.EROFS, "read only")

    for module, call, error in (
        (Libc, "rename_new", AccessDenied), (os, "fsync", AccessDenied), (os, "pwrite", AccessDenied),
    ):  # fmt: skip
        with monkeypatch.context() as patch:
            patch.setattr(module, call, refuse)
            with pytest.raises(StoreError) as caught:
                driver.check()
        assert isinstance(caught.value, error)
        assert os.listdir(place) == [".multistore"]
