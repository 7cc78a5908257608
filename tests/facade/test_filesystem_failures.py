"""Storing and deleting files when something fails: what is left, and what it is called."""

# ruff: noqa: PLR0917 -- fixtures and parameters

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from facade.houses import at, files, make_file
from glance_store import exceptions
from multistore.drivers.file.syscalls import Libc

MIB = 1 << 20


def failing(code: int) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise OSError(code, os.strerror(code))

    return fail


def raised(work: Callable[[], object], kind: type[BaseException]) -> Any:
    with pytest.raises(kind) as caught:
        work()
    return caught.value


@pytest.mark.parametrize(
    ("code", "kind"),
    [(errno.ENOSPC, exceptions.StorageFull), (errno.EDQUOT, exceptions.StorageFull), (errno.EIO, exceptions.RemoteServiceUnavailable)],
)  # fmt: skip
def test_f4_a_sync_that_fails_stores_nothing(
    conf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception]
) -> None:
    store = make_file(conf, tmp_path, filesystem_store_durable=True)
    monkeypatch.setattr(os, "fsync", failing(code))
    raised(lambda: store.add("image", io.BytesIO(b"data"), 4), kind)
    assert files(tmp_path) == []


@pytest.mark.parametrize("call", ["open", "pwrite", "rename_new", "fstat", "ftruncate"])
def test_f14_every_failing_call_is_an_exception_of_the_interface_and_leaves_no_image(
    conf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    store = make_file(conf, tmp_path, filesystem_thin_provisioning=True)
    source = io.BytesIO(bytes(range(256)) * (36 << 10))  # in several parts: the file grows
    with monkeypatch.context() as patch:
        patch.setattr(Libc if call == "rename_new" else os, call, failing(errno.EIO))
        error = raised(lambda: store.add("image", source, 9 * MIB), exceptions.GlanceStoreException)
    assert str(tmp_path) not in str(error)
    assert "image" not in files(tmp_path)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ENOSPC, exceptions.StorageFull), (errno.EFBIG, exceptions.StorageFull), (errno.EDQUOT, exceptions.StorageFull),
        (errno.EACCES, exceptions.StorageWriteDenied), (errno.EPERM, exceptions.StorageWriteDenied),
        (errno.EROFS, exceptions.StorageWriteDenied), (errno.EIO, exceptions.RemoteServiceUnavailable),
        (errno.ESTALE, exceptions.RemoteServiceUnavailable), (errno.ENOENT, exceptions.RemoteServiceUnavailable),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [4, 5 * MIB])
def test_f14_errors_of_the_storage_have_their_exceptions(
    conf: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    kind: type[Exception],
    size: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = make_file(conf, tmp_path)
    monkeypatch.setattr(os, "pwrite", failing(code))
    error = raised(lambda: store.add("image", io.BytesIO(bytes(size)), size), kind)
    assert error.__cause__ is not None
    assert str(tmp_path) not in str(error)
    assert files(tmp_path) == []
    assert "was not stored" in caplog.text, "the operator is told where"


@pytest.mark.parametrize("code", [errno.EACCES, errno.ENOSPC, errno.EDQUOT, errno.ETIMEDOUT])
def test_f13_an_error_of_the_source_is_not_the_storage_s(
    conf: Any, tmp_path: Path, code: int
) -> None:
    store = make_file(conf, tmp_path)
    source = SimpleNamespace(read=failing(code))
    error = raised(lambda: store.add("image", source, 4), OSError)
    assert error.errno == code
    assert files(tmp_path) == []


def test_f13_an_error_of_multistore_from_the_source_stays_what_it_is(
    conf: Any, tmp_path: Path
) -> None:
    import multistore

    other = multistore.open_store("memory:", name="file")
    ref = other.put("x", b"data").ref

    def data() -> Any:
        yield b"some"
        other.delete(ref)
        yield from other.open(ref)

    raised(lambda: make_file(conf, tmp_path).add("image", data(), 0), multistore.NotFound)
    assert files(tmp_path) == []


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_f12_every_exit_cleans_up(conf: Any, tmp_path: Path, kind: type[BaseException]) -> None:
    store = make_file(conf, tmp_path)

    def data() -> Any:
        yield bytes(5 * MIB)
        raise kind

    raised(lambda: store.add("image", data(), 0), kind)
    assert files(tmp_path) == []


def test_f15_an_upload_that_cannot_begin_removes_nothing(
    conf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = make_file(conf, tmp_path)
    removed: list[object] = []
    real = os.open

    def refuse(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if flags & os.O_CREAT:
            (tmp_path / "image").write_bytes(b"another's")
            raise PermissionError(errno.EACCES, "no")
        return real(path, flags, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        patch.setattr(os, "unlink", lambda *args, **_: removed.append(args))
        raised(lambda: store.add("image", io.BytesIO(b"x"), 1), exceptions.StorageWriteDenied)
    assert removed == []
    assert (tmp_path / "image").read_bytes() == b"another's"
    assert "left" not in caplog.text


def test_f11_nothing_after_the_write_leaves_a_file_behind(
    conf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_file(conf, tmp_path)
    raised(
        lambda: store.add("image", io.BytesIO(b"x"), 1, hashing_algo="shake_128"),
        exceptions.UnknownHashingAlgo,
    )
    raised(lambda: store.add("image", io.BytesIO(b"x"), 1, hashing_algo="nothing"), ValueError)
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.EACCES, exceptions.Forbidden), (errno.EPERM, exceptions.Forbidden), (errno.EROFS, exceptions.Forbidden),
        (errno.ENOENT, exceptions.NotFound), (errno.ENOTDIR, exceptions.NotFound),
        (errno.EIO, exceptions.RemoteServiceUnavailable), (errno.ESTALE, exceptions.RemoteServiceUnavailable),
        (errno.EBUSY, exceptions.InUseByStore),
    ],
)  # fmt: skip
def test_f19_only_missing_rights_are_forbidden(
    conf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception]
) -> None:
    store = make_file(conf, tmp_path, "fast")
    location = at(store, store.add("image", io.BytesIO(b"x"), 1)[0])
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", failing(code))
        error = raised(lambda: store.delete(location), kind)
    assert str(tmp_path) not in str(error)
    assert files(tmp_path) == ["image"]


def test_f19_a_file_in_the_path_means_that_nothing_is_there(conf: Any, tmp_path: Path) -> None:
    store = make_file(conf, tmp_path, "fast")
    store.add("image", io.BytesIO(b"x"), 1)
    below = at(store, f"file://{tmp_path}/image/below")
    for work in (store.delete, store.get, store.get_size):
        raised(lambda: work(below), exceptions.NotFound)  # noqa: B023


def test_f33_texts_tell_the_image_and_not_where_it_is(conf: Any, tmp_path: Path) -> None:
    store = make_file(conf, tmp_path)
    store.add("image", io.BytesIO(b"x"), 1)
    missing = at(store, f"file://{tmp_path}/nothing")
    texts = [
        raised(lambda: store.add("image", io.BytesIO(b"x"), 1), exceptions.Duplicate),
        raised(lambda: store.get(missing), exceptions.NotFound),
        raised(lambda: store.delete(missing), exceptions.NotFound),
    ]
    for error, name in zip(texts, ("image", "nothing", "nothing"), strict=True):
        assert str(tmp_path) not in str(error)
        assert name in str(error)
