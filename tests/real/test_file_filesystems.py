"""The file driver on real file systems: full, read-only, unmounted, immutable, without inodes, with reflinks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loopfs import KINDS, extents, mounted, remount, run
from multistore.driver import Upload
from multistore.drivers.file import FileDriver, FileSettings
from multistore.errors import AccessDenied, NoSpace, NotFound, Unavailable, Unsupported

pytestmark = [pytest.mark.real, pytest.mark.timeout(60)]

PART = os.urandom(1 << 20)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def mount(kind: str, tmp_path: Path) -> Iterator[str]:
    with mounted(kind, str(tmp_path / "mnt")) as at:
        yield at


@pytest.fixture(params=["ext4", "tmpfs"])
def small(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """One that fills quickly."""
    with mounted(request.param, str(tmp_path / "mnt"), size=16) as at:
        yield at


def make(at: str, **settings: Any) -> FileDriver:
    return FileDriver(FileSettings(path=f"{at}/images", **settings))


def put(driver: FileDriver, name: str, parts: int = 1, size: int | None = None) -> str:
    """Upload so many MiB; aborts when anything fails."""
    upload = driver.begin(name, size, {})
    try:
        for index in range(parts):
            upload.write_part(index, index << 20, PART)
        return upload.commit(size or parts << 20, {}).ref
    except BaseException:
        upload.abort()
        raise


def write_and_commit(upload: Upload, parts: int) -> None:
    for index in range(parts):
        upload.write_part(index, index << 20, PART)
    upload.commit(parts << 20, {})


def entries(at: str) -> list[str]:
    return sorted(entry for entry in os.listdir(f"{at}/images") if entry != ".multistore")


def fill(at: str) -> str:
    """Leave no block free, and give the file that took them."""
    path = f"{at}/ballast"
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 20, 1 << 16, 1 << 12):
            while True:
                try:
                    file.write(bytes(range(256)) * (size // 256))
                    os.fsync(file.fileno())
                except OSError:
                    break
    return path


def test_every_file_system_takes_and_gives_images(mount: str) -> None:
    driver = make(mount)
    driver.check()
    ref = put(driver, "image", 3)
    with driver.open(ref) as reader:
        assert b"".join(reader.read()) == PART * 3
    assert [info.ref for info in driver.list()] == [ref]
    usage = driver.usage()
    assert usage.used is not None
    assert usage.used >= 0
    driver.delete(ref)
    assert entries(mount) == []


def test_a_full_disk_is_no_space_and_the_store_works_after_freeing(mount: str, kind: str) -> None:
    driver = make(mount)
    kept = put(driver, "kept")
    free = driver.usage().free
    assert free is not None
    too_much = (free >> 20) + 64
    with pytest.raises(NoSpace):
        put(driver, "large", too_much)
    assert entries(mount) == ["kept"]
    with driver.open(kept) as reader:
        assert b"".join(reader.read()) == PART
    put(driver, "next", 2)
    assert entries(mount) == ["kept", "next"]


def test_a_size_that_cannot_fit_is_refused_before_a_byte_is_written(mount: str) -> None:
    thin, thick = make(mount), make(mount, thin=False)
    thin.check()
    free = thin.usage().free
    assert free is not None
    for driver, size in ((thick, free + (1 << 20)), (thin, 1 << 40)):
        with pytest.raises(NoSpace):
            driver.begin("image", size, {})
        assert entries(mount) == []


def test_space_that_is_reserved_is_not_taken_by_others(small: str) -> None:
    driver = make(small, thin=False, part_size=1 << 20)
    upload = driver.begin("reserved", 4 << 20, {})
    ballast = fill(small)
    write_and_commit(upload, 4)
    os.unlink(ballast)
    assert entries(small) == ["reserved"]


def test_an_upload_that_runs_into_a_disk_that_was_just_filled_is_no_space(small: str) -> None:
    driver = make(small)
    upload = driver.begin("image", 4 << 20, {})
    ballast = fill(small)
    with pytest.raises(NoSpace):
        write_and_commit(upload, 4)
    upload.abort()
    with pytest.raises(NoSpace):
        put(driver, "other")
    os.unlink(ballast)
    put(driver, "image")
    assert entries(small) == ["image"]


def test_a_write_that_the_disk_cuts_short_is_no_space(small: str) -> None:
    """There is room for a little of the last part, so the kernel takes that, and only then says no."""
    driver = make(small)
    upload = driver.begin("image", 1 << 20, {})
    ballast = fill(small)
    os.truncate(ballast, os.path.getsize(ballast) - (64 << 10))
    with pytest.raises(NoSpace):
        write_and_commit(upload, 1)
    upload.abort()
    os.unlink(ballast)
    put(driver, "image")
    assert entries(small) == ["image"]


def test_no_inode_left_is_no_space(tmp_path: Path) -> None:
    with mounted("tmpfs", str(tmp_path / "mnt"), options="nr_inodes=6") as at:
        driver = make(at)
        # six: the root, the directory, the marker and three images
        refs = [put(driver, f"image-{number}") for number in range(3)]
        with pytest.raises(NoSpace):
            put(driver, "one too many")
        assert len(entries(at)) == len(refs)
        driver.delete(refs[0])
        put(driver, "again")


def test_a_sparse_image_is_small_on_the_disk(mount: str) -> None:
    driver = make(mount)
    upload = driver.begin("sparse", 12 << 20, {})
    upload.write_part(2, 8 << 20, PART)
    path = upload.commit(12 << 20, {}).ref.removeprefix("file://")
    os.sync()
    assert os.stat(path).st_size == 12 << 20
    assert os.stat(path).st_blocks * 512 <= 1 << 20 | 1 << 16
    with driver.open(f"file://{path}") as reader:
        assert b"".join(reader.read()) == bytes(8 << 20) + PART + bytes(3 << 20)


@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_a_reflinked_copy_shares_its_bytes(mount: str) -> None:
    driver = make(mount)
    source = put(driver, "source", 4)
    target = FileDriver(FileSettings(path=f"{mount}/elsewhere"))
    upload, size = target.begin_copy(driver, source, "copy", {})
    assert size == 4 << 20
    copy = upload.commit(size, {}).ref
    assert "shared" in extents(copy.removeprefix("file://"))
    driver.delete(source)
    with target.open(copy) as reader:
        assert b"".join(reader.read()) == PART * 4


def test_a_reflink_across_file_systems_is_given_up_and_leaves_nothing(tmp_path: Path) -> None:
    with (
        mounted("xfs", str(tmp_path / "one")) as one,
        mounted("btrfs", str(tmp_path / "two")) as two,
    ):
        source = make(one)
        ref = put(source, "image")
        with pytest.raises(Unsupported):
            make(two).begin_copy(source, ref, "copy", {})
        assert entries(two) == []


def test_a_read_only_file_system_is_access_denied(mount: str) -> None:
    driver = make(mount)
    ref = put(driver, "image")
    with remount(mount, "ro", "rw"):
        for attempt in (lambda: put(driver, "next"), lambda: driver.delete(ref), driver.check):
            with pytest.raises(AccessDenied):
                attempt()
        with driver.open(ref) as reader:
            assert b"".join(reader.read()) == PART
    assert entries(mount) == ["image"]


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs"])
def test_an_immutable_directory_is_access_denied(mount: str) -> None:
    driver = make(mount)
    ref = put(driver, "image")
    upload = driver.begin("late", 1, {})
    run("chattr", "+i", f"{mount}/images")
    try:
        with pytest.raises(AccessDenied):
            driver.begin("next", 1, {})
        with pytest.raises(AccessDenied):
            upload.commit(1, {})
        with pytest.raises(AccessDenied):
            upload.abort()
        with pytest.raises(AccessDenied):
            driver.delete(ref)
    finally:
        run("chattr", "-i", f"{mount}/images")
    upload.abort()
    assert entries(mount) == ["image"]


def test_what_was_unmounted_is_refused_and_its_mount_point_stays_empty(
    kind: str, tmp_path: Path
) -> None:
    place = str(tmp_path / "mnt")
    with mounted(kind, place):
        driver = FileDriver(FileSettings(path=place))
        ref = put(driver, "image")
        upload = driver.begin("late", 1, {})
        run("umount", "--lazy", place)
        with pytest.raises(Unavailable) as caught:
            upload.commit(1, {})
        assert caught.value.final
        upload.abort()
        for attempt in (lambda: put(driver, "next"), lambda: driver.stat(ref), driver.check):
            with pytest.raises(Unavailable):
                attempt()
        strict = FileDriver(FileSettings(path=place, create=False))
        with pytest.raises((Unavailable, NotFound)):
            put(strict, "next")
        assert os.listdir(place) == []


@pytest.mark.parametrize("kind", ["ext4"])
def test_a_remounted_disk_is_known_again(kind: str, tmp_path: Path) -> None:
    place = str(tmp_path / "mnt")
    with mounted(kind, place):
        driver = FileDriver(FileSettings(path=place))
        ref = put(driver, "image")
        run("umount", place)
        with pytest.raises(Unavailable):
            driver.stat(ref)
        run("mount", "-o", "loop", f"{place}.img", place)
        assert driver.stat(ref).size == len(PART)
        put(driver, "next")
