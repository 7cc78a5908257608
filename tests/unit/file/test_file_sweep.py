"""Unfinished files: seen, proved, removed, whoever left them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from multistore.drivers.file import FileDriver, FileSettings
from multistore.errors import AlreadyExists, InUse

DATA = b"d" * 5000


def make(place: Path) -> FileDriver:
    return FileDriver(FileSettings(path=str(place)))


def entries(place: Path) -> list[str]:
    return sorted(entry for entry in os.listdir(place) if entry != ".multistore")


@contextmanager
def child(job: Callable[[], object]) -> Iterator[int]:
    """Run a job in another process, which then waits to be killed."""
    ready, done = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            job()
            os.write(done, b"ready")
            signal.pause()
        finally:
            os._exit(1)
    os.close(done)
    try:
        assert os.read(ready, 5) == b"ready"
        yield pid
    finally:
        os.close(ready)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_living_writer_is_in_use_and_a_killed_one_is_swept(place: Path) -> None:
    driver = make(place)
    driver.check()

    uploads = []  # one that nobody refers to any more is as good as dead

    def write() -> None:
        uploads.append(driver.begin("image", None, {}))
        uploads[0].write_part(0, 0, DATA)

    with child(write):
        (found,) = driver.pending()
        assert found.name == "image"
        assert found.started is not None
        with pytest.raises(InUse, match="image"):
            driver.discard(found.token)
        assert len(entries(place)) == 1
    assert driver.published(found.token) is None
    driver.discard(found.token)
    driver.discard(found.token)
    assert entries(place) == []


def test_an_upload_that_was_forgotten_is_swept(place: Path) -> None:
    driver = make(place)
    upload = driver.begin("image", None, {})
    token = upload.token
    del upload
    driver.discard(token)
    assert entries(place) == []


@pytest.mark.parametrize("name", ["image", "n" * 255, "é" * 127], ids=["short", "long", "wide"])
def test_a_crash_between_link_and_unlink_is_proved_and_swept(name: str, place: Path) -> None:
    driver = make(place)
    upload = driver.begin(name, len(DATA), {})
    upload.write_part(0, 0, DATA)
    (temporary,) = place.glob(".*.part")
    stored = upload.commit(len(DATA), {})
    os.link(place / name, temporary)
    other = make(place)
    (found,) = other.pending()
    assert found.token == upload.token
    assert other.published(found.token) == stored
    other.discard(found.token)
    assert entries(place) == [name]
    assert other.published(found.token) == stored
    other.delete(stored.ref)
    assert other.published(found.token) is None


def test_a_token_never_means_another_file(place: Path) -> None:
    driver = make(place)
    upload = driver.begin("image", 1, {})
    upload.abort()
    path, _, _ = upload.token.rpartition(":")
    path = path.rpartition(":")[0]
    Path(path).write_bytes(b"another file of the same name")
    driver.discard(upload.token)
    assert Path(path).exists()
    (found,) = driver.pending()
    driver.discard(found.token)
    assert entries(place) == []


def test_a_number_that_is_used_again_proves_nothing(place: Path) -> None:
    """Some file systems give the inode number of a deleted file to the next one."""
    driver = make(place)
    for _ in range(5):
        upload = driver.begin("image", 1, {})
        stored = upload.commit(1, {})
        driver.delete(stored.ref)
        successor = driver.begin("image", 1, {})
        ref = successor.commit(1, {}).ref
        assert driver.published(upload.token) is None
        assert driver.published(successor.token) is not None
        driver.delete(ref)


@pytest.mark.parametrize("kind", ["link", "fifo", "directory"])
def test_what_is_no_file_under_a_hidden_name_is_left_alone(kind: str, place: Path) -> None:
    driver = make(place)
    driver.check()
    at = place / ".image.0123456789abcdef.part"
    if kind == "link":
        at.symlink_to("/etc/passwd")
    elif kind == "fifo":
        os.mkfifo(at)
    else:
        at.mkdir()
    assert list(driver.pending()) == []
    driver.discard(f"{at}:{at.lstat().st_ino}:0")
    assert driver.published(f"{at}:{at.lstat().st_ino}:0") is None
    assert entries(place) == [at.name]


@pytest.mark.parametrize(
    "token",
    ["/etc/.x.0123456789abcdef.part:1:0", "../.x.0123456789abcdef.part:1:0", "{}/../.x.0123456789abcdef.part:1:0",
     "{}/image:1:0", "{}/.multistore:1:0", "{}/.x.0123456789abcdef.part:1:0", "{}/sub/.x.0123456789abcdef.part:1:0"],
)  # fmt: skip
def test_a_hostile_token_touches_nothing(token: str, place: Path) -> None:
    driver = make(place)
    driver.check()
    (place / "image").write_bytes(b"data")
    (place.parent / ".x.0123456789abcdef.part").write_bytes(b"outside")
    driver.discard(token.format(place))
    assert driver.published(token.format(place)) is None
    assert entries(place) == ["image"]
    assert (place.parent / ".x.0123456789abcdef.part").exists()


def test_pending_is_empty_where_no_store_is(place: Path) -> None:
    driver = make(place)
    assert list(driver.pending()) == []
    driver.discard(f"{place}/.x.0123456789abcdef.part:1:0")
    assert driver.published(f"{place}/.x.0123456789abcdef.part:1:0") is None
    assert not place.exists()


def test_a_sweep_that_is_quicker_than_the_lock_costs_one_attempt(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    driver = make(place)
    real, calls = fcntl.flock, 0

    def swept(file: int, how: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise BlockingIOError
        if calls == 2:
            for entry in entries(place):
                (place / entry).unlink()
        real(file, how)

    monkeypatch.setattr(fcntl, "flock", swept)
    upload = driver.begin("image", 1, {})
    assert calls == 3
    assert len(entries(place)) == 1
    upload.abort()


def test_of_racing_processes_one_wins_and_its_bytes_are_intact(place: Path) -> None:
    make(place).check()
    start, go = os.pipe()
    pids = []
    for mark in b"abcd":
        pid = os.fork()
        if pid == 0:
            code = 2
            try:
                os.close(go)
                os.read(start, 1)
                code = _race(make(place), bytes([mark]) * 50_000)
            finally:
                os._exit(code)
        pids.append((pid, mark))
    os.close(start)
    os.close(go)
    codes = {mark: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid, mark in pids}
    (winner,) = [mark for mark, code in codes.items() if code == 0]
    assert sorted(codes.values()) == [0, 1, 1, 1]
    assert (place / "image").read_bytes() == bytes([winner]) * 50_000
    assert entries(place) == ["image"]


def _race(driver: FileDriver, data: bytes) -> int:
    try:
        upload = driver.begin("image", len(data), {})
    except AlreadyExists:
        return 1
    try:
        upload.write_part(0, 0, data)
        upload.commit(len(data), {})
    except AlreadyExists:
        upload.abort()
        return 1
    return 0
