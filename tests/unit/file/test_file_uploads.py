"""Writing files: published whole and once, or nothing is left."""

from __future__ import annotations

import errno
import os
import resource
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from multistore.driver import Upload
from multistore.drivers.file import FileDriver, FileSettings
from multistore.drivers.file.syscalls import Libc
from multistore.errors import (
    AccessDenied,
    AlreadyExists,
    InvalidRef,
    NoSpace,
    NotFound,
    Unavailable,
    Unsupported,
)

DATA = bytes(range(1, 256)) * 40


def make(place: Path, **settings: Any) -> FileDriver:
    return FileDriver(FileSettings(path=str(place), **settings))


def written(driver: FileDriver, name: str = "image", data: bytes = DATA) -> Upload:
    upload = driver.begin(name, len(data), {})
    upload.write_part(0, 0, data)
    return upload


def entries(place: Path) -> list[str]:
    return sorted(entry for entry in os.listdir(place) if entry != ".multistore")


def failing(number: int, times: int = 1 << 30) -> Callable[..., Any]:
    """Stand in for a function of ``os``: fails that often."""
    count = 0

    def fail(*arguments: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        if count <= times:
            raise OSError(number, os.strerror(number))
        return None

    return fail


def write_and_commit(upload: Upload) -> None:
    upload.write_part(0, 0, DATA)
    upload.commit(len(DATA), {})


def test_an_upload_is_hidden_until_it_is_published(place: Path) -> None:
    driver = make(place)
    upload = written(driver)
    (hidden,) = entries(place)
    assert hidden.startswith(".image.")
    assert list(driver.list()) == []
    stored = upload.commit(len(DATA), {})
    assert entries(place) == ["image"]
    assert (stored.ref, stored.size) == (f"file://{place}/image", len(DATA))
    assert (place / "image").read_bytes() == DATA
    assert (place / "image").stat().st_nlink == 1


def test_a_file_size_limit_is_no_space_and_leaves_nothing(place: Path) -> None:
    """The kernel writes less than asked, then refuses: a real short write."""
    import signal

    driver = make(place)
    driver.check()

    def child() -> int:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
        upload = driver.begin("image", None, {})
        try:
            upload.write_part(0, 0, DATA)
        except NoSpace:
            upload.abort()
            return 0
        return 1

    assert forked(child) == 0
    assert entries(place) == []


def forked(job: Callable[[], int]) -> int:
    """Run a job in a child process, and give its exit status."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            code = job()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_short_writes_are_completed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = make(place).begin("image", len(DATA), {})
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, at: real(file, data[:777], at))
    upload.write_part(0, 0, DATA)
    monkeypatch.undo()
    upload.commit(len(DATA), {})
    assert (place / "image").read_bytes() == DATA


def test_a_write_that_takes_nothing_is_an_error(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = make(place).begin("image", len(DATA), {})
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda file, data, at: 0)
        with pytest.raises(Unavailable):
            upload.write_part(0, 0, DATA)
    upload.abort()


@pytest.mark.parametrize("answer", [errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP])
def test_a_kernel_that_cannot_write_back_early_is_no_trouble(
    answer: int, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Libc, "start_writeback", failing(answer))
    upload = make(place).begin("image", None, {})
    upload.write_part(0, 0, DATA)
    upload.write_part(1, len(DATA), DATA)
    upload.commit(2 * len(DATA), {})
    assert (place / "image").read_bytes() == 2 * DATA


def test_early_writeback_that_fails_is_an_error(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Libc, "start_writeback", failing(errno.ENOSPC))
    upload = make(place).begin("image", None, {})
    with pytest.raises(NoSpace):
        upload.write_part(1, 0, DATA)
    upload.abort()
    assert entries(place) == []


def test_holes_take_no_space_and_thick_images_take_all(place: Path) -> None:
    size = 8 << 20
    make(place).begin("thin", size, {}).commit(size, {})
    make(place, thin=False).begin("thick", size, {}).commit(size, {})
    assert (place / "thin").stat().st_blocks == 0
    assert (place / "thick").stat().st_blocks * 512 >= size
    assert (place / "thin").stat().st_size == (place / "thick").stat().st_size == size


@pytest.mark.parametrize(("mode", "wanted"), [("0640", 0o640), ("440", 0o440), (None, 0o604)])
def test_the_mode_is_the_set_one_or_what_the_umask_leaves(
    mode: str | None, wanted: int, place: Path
) -> None:
    before = os.umask(0o062)
    try:
        upload = written(make(place, file_mode=mode))
        (hidden,) = place.glob(".image.*")
        assert stat.S_IMODE(hidden.stat().st_mode) == wanted, "never wider on the way"
        upload.commit(len(DATA), {})
    finally:
        os.umask(before)
    assert stat.S_IMODE((place / "image").stat().st_mode) == wanted


@pytest.mark.parametrize("kind", ["link", "dangling", "fifo", "directory"])
def test_what_is_no_file_at_the_name_is_refused_and_left_alone(kind: str, place: Path) -> None:
    driver = make(place)
    driver.check()
    target, at = place.parent / "target", place / "image"
    target.write_bytes(b"outside")
    if kind == "link":
        at.symlink_to(target)
    elif kind == "dangling":
        at.symlink_to(place.parent / "nowhere")
    elif kind == "fifo":
        os.mkfifo(at)
    else:
        at.mkdir()
    with pytest.raises(InvalidRef):
        driver.begin("image", 1, {})
    for verb in (driver.stat, driver.open, driver.delete):
        with pytest.raises(InvalidRef):
            verb(f"file://{at}")
    assert list(driver.list()) == []
    assert target.read_bytes() == b"outside"
    assert entries(place) == ["image"]


@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_a_name_taken_by_something_else_before_the_commit_is_not_touched(
    kind: str, place: Path
) -> None:
    upload = written(make(place))
    if kind == "link":
        (place / "image").symlink_to("/etc/passwd")
    else:
        os.mkfifo(place / "image")
    with pytest.raises(AlreadyExists):
        upload.commit(len(DATA), {})
    upload.abort()
    assert entries(place) == ["image"]


def test_an_aborted_upload_takes_and_publishes_nothing(place: Path) -> None:
    upload = written(make(place))
    upload.abort()
    with pytest.raises(NotFound):
        upload.write_part(0, 0, b"x")
    with pytest.raises(NotFound):
        upload.commit(1, {})
    assert entries(place) == []


def test_an_abort_that_fails_may_be_repeated(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = written(make(place))
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", failing(errno.EIO))
        with pytest.raises(Unavailable):
            upload.abort()
    assert len(entries(place)) == 1
    upload.abort()
    assert entries(place) == []


def test_exhausted_descriptors_are_unavailable_and_leave_nothing(place: Path) -> None:
    driver = make(place)
    driver.check()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    refused = 0
    for spare in range(4):
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + spare, hard))
        try:
            driver.begin("image", 1, {}).abort()
        except Unavailable as error:
            refused += "too many files" in error.message
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert entries(place) == []
    assert refused >= 2


def test_a_directory_without_the_right_to_write_is_access_denied(place: Path) -> None:
    make(place).check()

    def child() -> int:
        if os.getuid() == 0:
            os.chmod(place.parent, 0o755)
            os.setgid(65534)
            os.setuid(65534)
        try:
            make(place).begin("image", 1, {})
        except AccessDenied:
            return 0
        return 1

    place.chmod(0o555)
    try:
        assert forked(child) == 0
    finally:
        place.chmod(0o755)
    assert entries(place) == []


def test_a_file_system_without_locks_is_refused_and_nothing_is_left(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    driver = make(place)
    for number, error in ((errno.ENOLCK, Unavailable), (errno.EOPNOTSUPP, Unsupported)):
        monkeypatch.setattr(fcntl, "flock", failing(number))
        with pytest.raises(error):
            driver.begin("image", 1, {})
        assert entries(place) == []


def test_a_copy_that_the_file_system_cannot_share_is_unsupported_and_leaves_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import multistore.drivers.file.upload as module

    monkeypatch.setattr(module, "reflink", failing(errno.EOPNOTSUPP))
    driver = make(place)
    ref = written(driver).commit(len(DATA), {}).ref
    with pytest.raises(Unsupported):
        driver.begin_copy(driver, ref, "copy", {})
    assert entries(place) == ["image"]


def test_a_shared_copy_is_an_upload_like_any_other(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in for the reflink, which needs xfs or btrfs."""
    import multistore.drivers.file.upload as module

    def share(target: int, source: int) -> None:
        os.pwrite(target, os.pread(source, len(DATA), 0), 0)

    monkeypatch.setattr(module, "reflink", share)
    driver = make(place)
    ref = written(driver).commit(len(DATA), {}).ref
    upload, size = driver.begin_copy(driver, ref, "copy", {})
    assert size == len(DATA)
    assert driver.published(upload.token) is None
    stored = upload.commit(size, {})
    assert (place / "copy").read_bytes() == DATA
    assert driver.published(upload.token) == stored
    with pytest.raises(AlreadyExists):
        driver.begin_copy(driver, ref, "copy", {})
    with pytest.raises(NotFound):
        driver.begin_copy(driver, f"file://{place}/missing", "other", {})
    assert entries(place) == ["copy", "image"]


def test_a_copy_that_fails_for_another_reason_says_so_and_leaves_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import multistore.drivers.file.upload as module

    monkeypatch.setattr(module, "reflink", failing(errno.ENOSPC))
    driver = make(place)
    ref = written(driver).commit(len(DATA), {}).ref
    with pytest.raises(NoSpace):
        driver.begin_copy(driver, ref, "copy", {})
    assert entries(place) == ["image"]


def test_a_clean_up_that_fails_is_added_to_the_error_as_a_note(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = make(place, thin=False)
    driver.check()
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", failing(errno.EDQUOT))
        patch.setattr(os, "unlink", failing(errno.EIO))
        with pytest.raises(NoSpace) as caught:
            driver.begin("image", 1 << 30, {})
    assert any("may be left" in note for note in caught.value.__notes__)
    (found,) = driver.pending()
    driver.discard(found.token)
    assert entries(place) == []
