"""Commit: durable, exclusive, and nothing is left of what failed."""

from __future__ import annotations

import errno
import os
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
    InUse,
    NoSpace,
    StoreError,
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


@pytest.mark.parametrize(
    ("name", "wanted", "error"),
    [
        ("fsync", errno.EIO, Unavailable),
        ("fsync", errno.ENOSPC, NoSpace),
        ("fsync", errno.EDQUOT, NoSpace),
        ("ftruncate", errno.EFBIG, NoSpace),
        ("pwrite", errno.ENOSPC, NoSpace),
        ("pwrite", errno.EIO, Unavailable),
        ("rename_new", errno.EROFS, AccessDenied),
        ("rename_new", errno.ENOSPC, NoSpace),
        ("rename_new", errno.ESTALE, Unavailable),
    ],
)
def test_a_failing_call_is_an_error_of_the_tree_and_abort_leaves_nothing(
    name: str, wanted: int, error: type[StoreError], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = make(place)
    upload = driver.begin("image", None, {})  # grows part by part
    with monkeypatch.context() as patch:
        patch.setattr(Libc if name == "rename_new" else os, name, failing(wanted))
        with pytest.raises(error) as caught:
            write_and_commit(upload)
        assert isinstance(caught.value.__cause__, OSError)
    upload.abort()
    upload.abort()
    assert entries(place) == []
    written(driver).commit(len(DATA), {})


def test_a_failed_sync_of_the_data_is_final_and_never_repeated(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = written(make(place))
    synced: list[int] = []

    def fail(number: int) -> None:
        synced.append(number)
        raise OSError(errno.EIO, "gone")

    monkeypatch.setattr(os, "fsync", fail)
    for _ in range(3):
        with pytest.raises(Unavailable) as caught:
            upload.commit(len(DATA), {})
        assert caught.value.final
    assert len(synced) == 1
    upload.abort()
    assert entries(place) == []


def test_a_failed_sync_of_the_directory_takes_the_name_back(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = written(make(place))
    real = os.fsync

    def fail(number: int) -> None:
        if stat.S_ISDIR(os.fstat(number).st_mode):
            assert "image" in entries(place)
            raise OSError(errno.EIO, "gone")
        real(number)

    monkeypatch.setattr(os, "fsync", fail)
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            upload.commit(len(DATA), {})
        assert caught.value.final
        assert entries(place) == []
    upload.abort()


def test_a_name_that_cannot_be_taken_back_is_no_final_error(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = written(make(place))
    real_sync, real_unlink = os.fsync, os.unlink

    def sync(number: int) -> None:
        if stat.S_ISDIR(os.fstat(number).st_mode):
            raise OSError(errno.EIO, "gone")
        real_sync(number)

    def unlink(path: str, *, dir_fd: int | None = None) -> None:
        if path == "image":
            raise OSError(errno.EIO, "gone")
        real_unlink(path, dir_fd=dir_fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", sync)
        patch.setattr(os, "unlink", unlink)
        with pytest.raises(Unavailable) as caught:
            upload.commit(len(DATA), {})
        assert not caught.value.final
        assert any("may be left" in note for note in caught.value.__notes__)
    with pytest.raises(Unavailable) as caught:
        upload.commit(len(DATA), {})
    assert caught.value.final
    upload.abort()
    assert entries(place) == []


def test_an_interrupted_sync_is_in_doubt_and_never_acknowledged(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = written(make(place))

    def interrupted(number: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            upload.commit(len(DATA), {})
    with pytest.raises(Unavailable) as caught:
        upload.commit(len(DATA), {})
    assert caught.value.final
    upload.abort()
    assert entries(place) == []


def test_a_directory_that_cannot_be_synced_says_what_to_do(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = written(make(place))
    monkeypatch.setattr(os, "fsync", failing(errno.EINVAL))
    with pytest.raises(Unsupported, match="durable=false"):
        upload.commit(len(DATA), {})
    upload.abort()
    assert entries(place) == []


@pytest.mark.parametrize("call", ["rename_new", "link"])
def test_a_lost_reply_of_publishing_is_settled_by_repeating_the_commit(
    call: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = written(make(place))
    module: Any = os if call == "link" else Libc
    if call == "link":
        monkeypatch.setattr(Libc, "rename_new", failing(errno.EINVAL))
    real = getattr(module, call)

    def lost(*arguments: Any, **options: Any) -> None:
        real(*arguments, **options)
        raise OSError(errno.EIO, "no answer")

    with monkeypatch.context() as patch:
        patch.setattr(module, call, lost)
        with pytest.raises(Unavailable) as caught:
            upload.commit(len(DATA), {})
        assert not caught.value.final
    assert upload.commit(len(DATA), {}).ref == f"file://{place}/image"
    assert entries(place) == ["image"]


def test_what_a_descriptor_tells_when_it_is_closed_counts_where_nothing_is_synced(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = written(make(place, durable=False))
    real = os.close

    def close(number: int) -> None:
        real(number)
        raise OSError(errno.EDQUOT, "late")

    with monkeypatch.context() as patch:
        patch.setattr(os, "close", close)
        with pytest.raises(NoSpace):
            upload.commit(len(DATA), {})
    upload.abort()
    assert entries(place) == []


@pytest.mark.parametrize(
    "refused",
    [None, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS],
    ids=["links", "EPERM", "EOPNOTSUPP", "EMLINK", "ENOSYS"],
)
@pytest.mark.parametrize("unheard", [errno.EINVAL, errno.ENOSYS], ids=["EINVAL", "ENOSYS"])
def test_where_no_rename_leaves_others_alone_the_promise_is_the_same(
    refused: int | None, unheard: int, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Libc, "rename_new", failing(unheard))
    if refused is not None:
        monkeypatch.setattr(os, "link", failing(refused))
    driver = make(place)
    winner, loser = written(driver), written(driver, data=b"loser")
    stored = winner.commit(len(DATA), {})
    assert winner.commit(len(DATA), {}) == stored
    for _ in range(2):
        with pytest.raises(AlreadyExists):
            loser.commit(5, {})
    loser.abort()
    proof = driver.published(winner.token)
    assert proof is not None
    assert proof.ref == stored.ref
    assert entries(place) == ["image"]
    assert (place / "image").read_bytes() == DATA


def test_a_claim_excludes_while_it_is_held_and_not_when_it_was_left_behind(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    from multistore.drivers.file.refs import claim_name

    monkeypatch.setattr(os, "link", failing(errno.EPERM))
    monkeypatch.setattr(Libc, "rename_new", failing(errno.ENOSYS))
    driver = make(place)
    upload = written(driver)
    with open(place / claim_name("image"), "wb") as claim:
        fcntl.flock(claim, fcntl.LOCK_EX)
        with pytest.raises(InUse):
            upload.commit(len(DATA), {})
        tokens = [each.token for each in driver.pending()]
        assert len(tokens) == 2
        for token in tokens:
            with pytest.raises(InUse):
                driver.discard(token)
    upload.commit(len(DATA), {})
    assert entries(place) == ["image"]
