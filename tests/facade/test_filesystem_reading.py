"""Locations of files, and reading them: what is refused, and as what."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from facade.houses import at, files, make_file
from glance_store import exceptions
from glance_store._drivers import filesystem

MIB = 1 << 20


def raised(work: Callable[[], object], kind: type[BaseException]) -> Any:
    with pytest.raises(kind) as caught:
        work()
    return caught.value


def failing(code: int) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise OSError(code, os.strerror(code))

    return fail


# -- locations -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b", "/a/b"), ("filesystem:///a/b", "/a/b"), ("file:////a//b", "//a//b"),
        ("file:///a%20b", "/a%20b"), ("file:///a;b", "/a;b"), ("file:///a?b#c", "/a?b#c"), ("file:///a ", "/a "),
    ],
)  # fmt: skip
def test_f29_a_location_is_the_path_as_it_is(conf: Any, uri: str, path: str) -> None:
    place = filesystem.StoreLocation({}, conf)
    place.parse_uri(uri)
    assert place.path == path
    assert place.scheme == uri.partition(":")[0]
    assert place.get_uri() == f"file://{path}"


@pytest.mark.parametrize(
    "uri",
    [
        "file://a/b", "file://", "file://   ", "file:/a", "FILE:///a", "file://[x/a", "file:///a\nb", "file:///a\0b",
        "file:// /a", "http://h/a", "",
    ],
)  # fmt: skip
def test_f6_what_is_no_absolute_path_is_a_bad_location(conf: Any, uri: str) -> None:
    raised(lambda: filesystem.StoreLocation({}, conf).parse_uri(uri), exceptions.BadStoreUri)


def test_a_location_is_made_of_specs(conf: Any) -> None:
    place = filesystem.StoreLocation({"path": "/a"}, conf)
    assert (place.scheme, place.path, place.get_uri()) == ("file", "/a", "file:///a")
    assert filesystem.StoreLocation({}, conf).path == ""


def test_a_doubled_slash_leads_to_the_same_file(conf: Any, tmp_path: Path) -> None:
    for identifier in (None, "fast"):
        store = make_file(conf, tmp_path, identifier)
        (tmp_path / "image").write_bytes(b"data")
        assert store.get_size(at(store, f"file:///{tmp_path}//image")) == 4


# -- containment ---------------------------------------------------------------------------------


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    place = tmp_path / "outside"
    place.mkdir()
    (place / "file").write_bytes(b"outside")
    return place


def test_f6_a_location_outside_of_the_directories_is_not_found(
    conf: Any, tmp_path: Path, outside: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = make_file(conf, tmp_path / "images", "fast")
    (tmp_path / "images" / "link").symlink_to(outside)
    for path in (outside / "file", tmp_path / "images/../outside/file"):
        location = at(store, f"file://{path}")
        for work in (store.get, store.get_size, store.delete):
            error = raised(lambda: work(location), exceptions.NotFound)  # noqa: B023
            assert str(tmp_path) not in str(error)
    assert "no directory of the store fast" in caplog.text
    through = at(store, f"file://{tmp_path}/images/link/file")
    for work in (store.get, store.get_size, store.delete):
        raised(lambda: work(through), exceptions.BadStoreUri)  # noqa: B023
    assert (outside / "file").read_bytes() == b"outside"


def test_f6_further_directories_are_read_and_deleted_from_when_they_are_allowed(
    conf: Any, tmp_path: Path, outside: Path
) -> None:
    store = make_file(
        conf, tmp_path / "images", "fast", filesystem_store_allowed_dirs=[str(outside)]
    )
    uri = f"file://{outside}/file"
    assert store.owns(uri)
    location = at(store, uri)
    assert b"".join(store.get(location)[0]) == b"outside"
    store.delete(location)
    assert files(outside) == []
    assert store.add("image", io.BytesIO(b"x"), 1)[0] == f"file://{tmp_path}/images/image"


def test_f6_locations_under_another_name_of_a_directory_are_resolved(
    conf: Any, tmp_path: Path
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "image").write_bytes(b"data")
    for configured, written in (("real", "alias"), ("alias", "real")):
        store = make_file(conf, tmp_path / configured, "fast")
        location = at(store, f"file://{tmp_path}/{written}/image")
        assert store.get_size(location) == 4


def test_f6_in_single_store_mode_files_elsewhere_are_served_and_logged(
    conf: Any, tmp_path: Path, outside: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Glance's task flow deletes the files of its work directory so."""
    caplog.set_level("INFO")
    store = make_file(conf, tmp_path / "images")
    location = at(store, f"file://{outside}/file")
    assert b"".join(store.get(location)[0]) == b"outside"
    assert store.get_size(location) == 7
    store.delete(location)
    assert files(outside) == []
    assert f"delete of a file outside of the data directories: file://{outside}/file" in caplog.text
    for path in (outside / "file", tmp_path / "never" / "file"):
        for work in (store.get, store.get_size, store.delete):
            raised(lambda: work(at(store, f"file://{path}")), exceptions.NotFound)  # noqa: B023


def test_f6_a_link_is_not_followed(conf: Any, tmp_path: Path, outside: Path) -> None:
    for identifier in (None, "fast"):
        store = make_file(conf, tmp_path / "images", identifier)
        link = tmp_path / "images" / "link"
        link.unlink(missing_ok=True)
        link.symlink_to(outside / "file")
        location = at(store, f"file://{link}")
        for work in (store.get, store.get_size, store.delete):
            raised(lambda: work(location), exceptions.BadStoreUri)  # noqa: B023
    assert (outside / "file").read_bytes() == b"outside"


@pytest.mark.parametrize("kind", ["directory", "fifo"])
def test_f18_only_regular_files_are_images(conf: Any, tmp_path: Path, kind: str) -> None:
    store = make_file(conf, tmp_path, "fast")
    if kind == "directory":
        (tmp_path / "thing").mkdir()
    else:
        os.mkfifo(tmp_path / "thing")
    location = at(store, f"file://{tmp_path}/thing")
    for work in (store.get, store.get_size, store.delete):
        error = raised(lambda: work(location), exceptions.BadStoreUri)  # noqa: B023
        assert str(tmp_path) not in str(error)
    assert files(tmp_path) == ["thing"]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ENOENT, exceptions.NotFound), (errno.ENOTDIR, exceptions.NotFound), (errno.EACCES, exceptions.Forbidden),
        (errno.EIO, exceptions.RemoteServiceUnavailable), (errno.EMFILE, exceptions.RemoteServiceUnavailable),
        (errno.ELOOP, exceptions.BadStoreUri),
    ],
)  # fmt: skip
def test_f17_errors_of_opening_have_their_exceptions(
    conf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception]
) -> None:
    store = make_file(conf, tmp_path, "fast")
    location = at(store, store.add("image", io.BytesIO(b"x"), 1)[0])
    real = os.open

    def refuse(path: Any, *args: Any, **kwargs: Any) -> int:
        if path == "image":
            raise OSError(code, os.strerror(code))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    error = raised(lambda: store.get(location), kind)
    assert str(tmp_path) not in str(error)


def test_f17_a_name_that_is_too_long_is_a_bad_location(conf: Any, tmp_path: Path) -> None:
    store = make_file(conf, tmp_path)
    location = at(store, f"file://{tmp_path}/{'n' * 300}")
    raised(lambda: store.get(location), exceptions.BadStoreUri)


def test_f17_a_file_that_is_replaced_between_size_and_open_has_the_size_of_what_is_read(
    conf: Any, tmp_path: Path
) -> None:
    store = make_file(conf, tmp_path)
    location = at(store, store.add("image", io.BytesIO(b"first"), 5)[0])
    stream, size = store.get(location)
    (tmp_path / "image").unlink()
    (tmp_path / "image").write_bytes(b"a longer second one")
    assert (b"".join(stream), size) == (b"first", 5)


# -- streams -------------------------------------------------------------------------------------


def test_f16_the_size_of_a_range_is_what_will_be_read(conf: Any, tmp_path: Path) -> None:
    store = make_file(conf, tmp_path)
    location = at(store, store.add("image", io.BytesIO(b"0123456789"), 10)[0])
    for offset, length, wanted in ((3, None, 7), (8, 5, 2), (20, 5, 0), (0, 0, 0), (4, 3, 3)):
        stream, size = store.get(location, offset=offset, chunk_size=length)
        assert size == len(b"".join(stream)) == wanted
    for offset, length in ((-1, None), (0, -1)):
        raised(
            lambda: store.get(location, offset=offset, chunk_size=length),  # noqa: B023
            exceptions.StoreRandomGetNotSupported,
        )


def test_trap_10_a_length_of_zero_is_nothing_and_not_everything(conf: Any, tmp_path: Path) -> None:
    store = make_file(conf, tmp_path)
    location = at(store, store.add("image", io.BytesIO(b"0123456789"), 10)[0])
    stream, size = store.get(location, chunk_size=0)
    assert (list(stream), size) == ([], 0)


def test_f36_a_stream_has_its_attributes_and_its_end(conf: Any, tmp_path: Path) -> None:
    store = make_file(conf, tmp_path)
    uri = store.add("image", io.BytesIO(b"0123456789"), 10)[0]
    stream, _size = store.get(at(store, uri), offset=2, chunk_size=5)
    assert isinstance(stream, filesystem.ChunkedFile)
    assert stream.filepath == f"{tmp_path}/image"
    assert (stream.chunk_size, stream.partial_length, stream.partial) == (65536, 5, True)
    assert stream.fp is not None
    assert not hasattr(stream, "read")
    assert not hasattr(stream, "__len__")
    assert bool(stream)
    assert b"".join(stream) == b"23456"
    assert stream.fp is None
    stream.close()


def test_f36_a_file_that_was_cut_short_is_an_error_and_not_an_end(
    conf: Any, tmp_path: Path
) -> None:
    store = make_file(conf, tmp_path)
    data = os.urandom(3 * MIB)
    location = at(store, store.add("image", io.BytesIO(data), len(data))[0])
    pieces = iter(store.get(location)[0])
    assert next(pieces) == data[:65536]
    os.truncate(tmp_path / "image", MIB)
    error = raised(lambda: list(pieces), exceptions.RemoteServiceUnavailable)
    assert str(tmp_path) not in str(error)


def test_trap_14_every_error_while_reading_is_an_unavailable_service(
    conf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_file(conf, tmp_path)
    location = at(store, store.add("image", io.BytesIO(bytes(MIB)), MIB)[0])
    for code in (errno.EIO, errno.EACCES, errno.ENOENT, errno.ESTALE):
        with monkeypatch.context() as patch:
            pieces = iter(store.get(location)[0])
            next(pieces)
            patch.setattr(os, "pread", failing(code))
            raised(lambda: list(pieces), exceptions.RemoteServiceUnavailable)  # noqa: B023
