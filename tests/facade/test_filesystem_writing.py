"""Storing files: whole or absent, under which name, where, and with which rights."""

# ruff: noqa: PLR0917 -- fixtures and parameters

from __future__ import annotations

import errno
import io
import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from facade.houses import at, files, make_file
from glance_store import _adapter, exceptions
from multistore.driver import PerProcess

MIB = 1 << 20


def failing(code: int) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise OSError(code, os.strerror(code))

    return fail


def raised(work: Callable[[], object], kind: type[BaseException]) -> Any:
    with pytest.raises(kind) as caught:
        work()
    return caught.value


@pytest.fixture(autouse=True)
def _nothing_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_adapter, "_swept", PerProcess(set))


# -- whole or absent -----------------------------------------------------------------------------


def test_f2_nobody_sees_an_image_before_it_is_whole(conf: Any, tmp_path: Path) -> None:
    store = make_file(conf, tmp_path)
    seen = []

    def data() -> Any:
        for _ in range(3):
            yield bytes(2 * MIB)
            seen.append(os.path.exists(tmp_path / "image"))

    uri = store.add("image", data(), 6 * MIB)[0]
    assert seen == [False] * 3
    assert store.get_size(at(store, uri)) == 6 * MIB


def test_f2_what_a_killed_upload_leaves_blocks_nobody_and_is_swept_later(
    conf: Any, tmp_path: Path
) -> None:
    script = f"""
        import os, signal
        from facade.houses import fresh_conf, make_file
        from pathlib import Path
        def data():
            yield bytes(5 << 20)
            os.kill(os.getpid(), signal.SIGKILL)
        make_file(fresh_conf(), Path({str(tmp_path)!r})).add("image", data(), 0)
    """
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    (left,) = files(tmp_path)
    assert left.startswith(".image.")
    store = make_file(conf, tmp_path)
    uri = store.add("image", io.BytesIO(b"again"), 5)[0]
    assert store.get_size(at(store, uri)) == 5
    assert left in files(tmp_path), "within the grace period"
    os.utime(tmp_path / left, (1, 1))
    _adapter._swept.drop()  # a new process, so to say
    store.add("other", io.BytesIO(b"x"), 1)
    assert files(tmp_path) == ["image", "other"]


def test_an_upload_that_lives_is_not_swept_however_old(conf: Any, tmp_path: Path) -> None:
    store = make_file(conf, tmp_path)

    def data() -> Any:
        yield bytes(5 * MIB)
        (left,) = files(tmp_path)
        os.utime(tmp_path / left, (1, 1))
        _adapter._swept.drop()
        store.add("other", io.BytesIO(b"x"), 1)
        assert left in files(tmp_path)

    store.add("image", data(), 0)
    assert files(tmp_path) == ["image", "other"]


def test_a_sweep_that_fails_fails_nobody(
    conf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = make_file(conf, tmp_path)
    monkeypatch.setattr(os, "listdir", failing(errno.EIO))
    store.add("image", io.BytesIO(b"x"), 1)
    assert "could not be removed" in caplog.text


def test_a_directory_is_swept_once_per_process(
    conf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[object] = []
    real = os.listdir

    def listing(*args: Any) -> list[str]:
        listed.append(args)
        return real(*args)

    monkeypatch.setattr(os, "listdir", listing)
    for name in "abc":
        make_file(conf, tmp_path).add(name, io.BytesIO(b"x"), 1)
    assert len(listed) == 1


def test_f3_a_failed_upload_never_removes_what_another_has_stored(
    conf: Any, tmp_path: Path
) -> None:
    store = make_file(conf, tmp_path)

    def slow() -> Any:
        yield bytes(5 * MIB)
        store.add("image", io.BytesIO(b"quick"), 5)
        yield b"x"

    error = raised(lambda: store.add("image", slow(), 0), exceptions.Duplicate)
    assert "image" in str(error)
    assert (tmp_path / "image").read_bytes() == b"quick"
    assert files(tmp_path) == ["image"]


@pytest.mark.parametrize("durable", [True, False])
def test_f4_what_is_reported_as_stored_was_synced(
    conf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    store = make_file(conf, tmp_path, filesystem_store_durable=durable)
    synced = []
    real = os.fsync

    def fsync(number: int) -> None:
        mode = os.fstat(number).st_mode
        synced.append(
            ("directory" if stat.S_ISDIR(mode) else "file", os.path.exists(tmp_path / "image"))
        )
        real(number)

    monkeypatch.setattr(os, "fsync", fsync)
    uri = store.add("image", io.BytesIO(b"data"), 4)[0]
    assert synced == ([("file", False), ("directory", True)] if durable else [])
    synced.clear()
    store.delete(at(store, uri))
    assert synced == ([("directory", False)] if durable else [])


# -- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["../x", "/etc/x", "a/b", "..", ".", "", "a\0b", "a\nb", ".hidden", "n" * 256, "a/"]
)
def test_f5_an_id_that_is_no_plain_name_is_invalid(conf: Any, tmp_path: Path, name: str) -> None:
    store = make_file(conf, tmp_path / "images")
    source = io.BytesIO(b"x")
    raised(lambda: store.add(name, source, 1), exceptions.Invalid)
    assert source.tell() == 0
    assert files(tmp_path / "images") == []
    assert files(tmp_path) == ["images"]


@pytest.mark.parametrize("name", ["a b", "a?b#c;d", "a%20b", "näme", 'quo"te', "a:b"])
def test_f29_every_id_that_was_stored_can_be_read_and_deleted(
    conf: Any, tmp_path: Path, name: str
) -> None:
    place = tmp_path / "dir with #? %41 "
    store = make_file(conf, place, "fast")
    uri = store.add(name, io.BytesIO(b"data"), 4)[0]
    assert uri == f"file://{place}/{name}"
    location = at(store, uri)
    assert location.get_store_uri() == uri
    assert store.get_size(location) == 4
    store.delete(location)
    assert files(place) == []


def test_f6_a_link_at_the_name_is_a_duplicate_and_is_not_written_through(
    conf: Any, tmp_path: Path
) -> None:
    store = make_file(conf, tmp_path / "images")
    (tmp_path / "images" / "image").symlink_to(tmp_path / "outside")
    raised(lambda: store.add("image", io.BytesIO(b"x"), 1), exceptions.Duplicate)
    assert files(tmp_path) == ["images"]


def test_f30_an_id_is_taken_when_any_directory_has_it(conf: Any, tmp_path: Path) -> None:
    store = make_file(conf, None, filesystem_store_datadirs=[f"{tmp_path}/a:1", f"{tmp_path}/b:2"])
    (tmp_path / "a" / "image").write_bytes(b"old")
    source = io.BytesIO(b"x")
    error = raised(lambda: store.add("image", source, 1), exceptions.Duplicate)
    assert source.tell() == 0, "no data is read"
    assert str(tmp_path) not in str(error)
    assert files(tmp_path / "b") == []


# -- several directories -------------------------------------------------------------------------


def free(monkeypatch: pytest.MonkeyPatch, amounts: dict[str, int]) -> None:
    def fstatvfs(number: int) -> Any:
        path = os.readlink(f"/proc/self/fd/{number}")
        amount = amounts[os.path.basename(path)]
        if amount < 0:
            raise OSError(errno.ESTALE, "stale")
        return SimpleNamespace(
            f_bavail=amount, f_frsize=1, f_bsize=1000, f_blocks=10**9, f_bfree=amount
        )

    monkeypatch.setattr(os, "fstatvfs", fstatvfs)


@pytest.mark.parametrize(
    ("amounts", "size", "chosen"),
    [
        ({"a": 100, "b": 200, "c": 900}, 50, "b"), ({"a": 100, "b": 200, "c": 900}, 150, "b"),
        ({"a": 100, "b": 200, "c": 900}, 500, "c"), ({"a": 200, "b": 200, "c": 900}, 0, "a"),
        ({"a": 0, "b": 0, "c": 900}, 0, "c"), ({"a": -1, "b": 60, "c": 900}, 50, "b"),
    ],
)  # fmt: skip
def test_f31_the_directory_with_most_room_of_the_highest_priority_is_chosen(
    conf: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    amounts: dict[str, int],
    size: int,
    chosen: str,
) -> None:
    store = make_file(
        conf,
        None,
        filesystem_store_datadirs=[f"{tmp_path}/a:5", f"{tmp_path}/b:5", f"{tmp_path}/c:1"],
    )
    free(monkeypatch, amounts)
    uri = store.add("image", io.BytesIO(bytes(size)), size)[0]
    assert uri == f"file://{tmp_path}/{chosen}/image"


def test_f31_no_room_anywhere_is_a_full_storage(
    conf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_file(conf, None, filesystem_store_datadirs=[f"{tmp_path}/a", f"{tmp_path}/b"])
    free(monkeypatch, {"a": 10, "b": 20})
    raised(lambda: store.add("image", io.BytesIO(bytes(50)), 50), exceptions.StorageFull)
    assert files(tmp_path / "a") == files(tmp_path / "b") == []


# -- modes, holes, sizes -------------------------------------------------------------------------


@pytest.mark.parametrize("permissions", [640, 600, 444])
def test_f34_a_file_never_has_wider_rights_than_its_final_ones(
    conf: Any, tmp_path: Path, permissions: int
) -> None:
    store = make_file(conf, tmp_path, filesystem_store_file_perm=permissions)
    wanted = int(str(permissions), 8)
    seen = []

    def data() -> Any:
        yield bytes(5 * MIB)
        (left,) = files(tmp_path)
        seen.append(stat.S_IMODE((tmp_path / left).stat().st_mode))

    before = os.umask(0)
    try:
        store.add("image", data(), 0)
    finally:
        os.umask(before)
    assert not seen[0] & ~wanted
    assert stat.S_IMODE((tmp_path / "image").stat().st_mode) == wanted


def test_without_a_mode_the_umask_decides(conf: Any, tmp_path: Path) -> None:
    store = make_file(conf, tmp_path)
    before = os.umask(0o027)
    try:
        store.add("image", io.BytesIO(b"x"), 1)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "image").stat().st_mode) == 0o640


@pytest.mark.parametrize("known", [True, False])
def test_f37_thin_images_have_holes_and_the_same_bytes(
    conf: Any, tmp_path: Path, known: bool
) -> None:
    data = bytes(3 * MIB) + b"x" * 70_000 + bytes(9 * MIB) + b"y" + bytes(2 * MIB)
    found = {}
    for thin in (True, False):
        store = make_file(conf, tmp_path / str(thin), filesystem_thin_provisioning=thin)
        assert store.thin_provisioning is thin
        uri, size, *_ = store.add("image", io.BytesIO(data), len(data) if known else 0)
        assert size == len(data)
        assert (tmp_path / str(thin) / "image").read_bytes() == data
        assert b"".join(store.get(at(store, uri))[0]) == data
        found[thin] = (tmp_path / str(thin) / "image").stat().st_blocks * 512
    assert found[True] < MIB
    assert found[False] >= len(data)


def test_f39_an_impossible_size_is_refused_up_front(conf: Any, tmp_path: Path) -> None:
    store = make_file(conf, tmp_path)
    source = io.BytesIO(b"x")
    raised(lambda: store.add("image", source, -1), exceptions.Invalid)
    assert source.tell() == 0
    assert store.add("image", source, None)[1] == 1


# -- deleting ------------------------------------------------------------------------------------


def test_a_store_is_made_for_a_single_request_and_costs_little(conf: Any, tmp_path: Path) -> None:
    """Trap 12: as Glance does for staging, without ever closing it."""
    before = len(os.listdir("/proc/self/fd"))
    started = time.process_time()
    for number in range(50):
        store = make_file(conf, tmp_path)
        store.add(f"image{number}", io.BytesIO(b"x"), 1, context=None)
    assert time.process_time() - started < 5
    assert len(os.listdir("/proc/self/fd")) == before
