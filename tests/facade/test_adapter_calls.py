"""The calls of the interface as Glance makes them, over real directories."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any
from unittest import mock

import glance_store
import pytest
from facade.houses import at, files, make_file
from glance_store import backend, exceptions, location, multi_backend
from glance_store._drivers import filesystem, http
from oslo_config import cfg

STAGING = "os_glance_staging_store"
TASKS = "os_glance_tasks_store"


@pytest.fixture
def house(conf: Any, tmp_path: Path) -> Path:
    """Two stores, a web store and the reserved ones, as Glance has them."""
    reserved = {STAGING: "file", TASKS: "file"}
    conf.set_override("enabled_backends", {"fast": "file", "slow": "file", "web": "http"})
    multi_backend.register_store_opts(conf, reserved)
    for name in ("fast", "slow", STAGING, TASKS):
        conf.set_override("filesystem_store_datadir", f"{tmp_path}/{name}", group=name)
    conf.set_override("default_backend", "fast", group="glance_store")
    multi_backend.create_multi_stores(conf, reserved)
    return tmp_path


def test_an_image_goes_the_whole_way(conf: Any, house: Path) -> None:
    uri, size, checksum, multihash, metadata = glance_store.add_with_multihash(
        conf, "image", io.BytesIO(b"data"), 4, "slow", "sha512"
    )
    assert uri == f"file://{house}/slow/image"
    assert (size, len(checksum), len(multihash), metadata) == (4, 32, 128, {"store": "slow"})
    assert glance_store.get_size_from_uri_and_backend(uri, "slow") == 4
    data, size = glance_store.get(uri, "slow")
    assert (b"".join(data), size) == (b"data", 4)
    data, size = glance_store.get(uri, "slow", offset=1, chunk_size=2)
    assert (b"".join(data), size) == (b"at", 2)
    with pytest.raises(exceptions.NotFound):
        glance_store.get(uri, "fast")
    with pytest.raises(exceptions.NotFound):
        glance_store.delete(uri, "fast")
    assert glance_store.delete(uri, "slow") is None
    assert files(house / "slow") == []


def test_staged_files_are_deleted_without_a_store(conf: Any, house: Path) -> None:
    store = glance_store.get_store_from_store_identifier(STAGING)
    assert store.datadir == f"{house}/{STAGING}"
    uri, _size, _checksum, metadata = store.add("image", io.BytesIO(b"staged"), 0)
    assert metadata == {"store": STAGING}
    assert files(house / STAGING) == ["image"], "nothing that a cleaner would stumble over"
    data, size = glance_store.get(uri, None)
    assert (b"".join(data), size) == (b"staged", 6)
    glance_store.delete(uri, None)
    assert files(house / STAGING) == []
    with pytest.raises(exceptions.NotFound):
        glance_store.delete(uri, None)


def test_only_the_store_that_owns_a_file_deletes_it(conf: Any, house: Path, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"x")
    with pytest.raises(exceptions.NotFound):
        glance_store.delete(f"file://{tmp_path}/other", None)
    assert (tmp_path / "other").exists()


def test_a_private_store_stages_in_single_store_mode(tmp_path: Path) -> None:
    """As Glance does per request, with a configuration of its own."""
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[])
    backend.register_opts(conf)
    conf.set_override("filesystem_store_datadir", f"{tmp_path}/staging", "glance_store")
    store = backend._load_store(conf, "file")
    store.configure()
    url, size, _checksum, metadata = store.add("image", io.BytesIO(b"data"), 0, context=None)
    assert (url, size, metadata) == (f"file://{tmp_path}/staging/image", 4, {})
    assert store.add("two", io.BytesIO(b"data"), 0)[0:2] == (f"file://{tmp_path}/staging/two", 4)
    assert files(tmp_path / "staging") == ["image", "two"]
    store.delete(at(store, url))


def test_trap_11_the_capability_check_comes_before_everything(conf: Any, tmp_path: Path) -> None:
    for cls in (filesystem.Store, http.Store):
        store = cls(None)
        store.unset_capabilities(8)
        with pytest.raises(exceptions.StoreAddDisabled):
            store.add(None, None, None, None)
        with pytest.raises(exceptions.StoreDeleteNotSupported):
            store.delete(None)
    store = make_file(conf, tmp_path)
    contexts: list[Any] = [None, {}, mock.MagicMock()]
    for context in contexts:
        url = store.add("image", io.BytesIO(b"x"), 1, context=context)[0]
        store.delete(at(store, url), context=context)


def test_glance_s_tests_can_replace_add(conf: Any, tmp_path: Path) -> None:
    with mock.patch.object(filesystem.Store, "add") as add:
        make_file(conf, tmp_path).add("image", None, 0)
    add.assert_called_once()
    assert make_file(conf, tmp_path).add("image", io.BytesIO(b"x"), 1)[1] == 1


def test_a_file_written_by_release_5_7_0_is_read(conf: Any, tmp_path: Path) -> None:
    """Its location is the configured text of the directory, a slash and the id; so are ours."""
    (tmp_path / "1f3e").write_bytes(b"old")
    for text in (
        f"file://{tmp_path}/1f3e",
        f"file://{tmp_path}//1f3e",
        f"filesystem://{tmp_path}/1f3e",
    ):
        for identifier in (None, "fast"):
            store = make_file(conf, tmp_path, identifier)
            assert b"".join(store.get(at(store, text))[0]) == b"old"


def test_the_names_of_the_interface_are_there() -> None:
    assert filesystem.MULTI_FILESYSTEM_METADATA_SCHEMA["items"]["required"] == ["id", "mountpoint"]
    for module in (filesystem, http):
        assert module.Store.OPTIONS
        assert issubclass(module.StoreLocation, location.StoreLocation)
    assert filesystem.Store._CAPABILITIES == 79
    assert http.Store._CAPABILITIES == 71
    assert {filesystem.Store.add.__name__, filesystem.Store.get.__name__} == {"op_checker"}


def test_no_descriptor_is_left_by_a_day_s_work(conf: Any, house: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for number in range(20):
        uri = glance_store.add_with_multihash(
            conf, str(number), io.BytesIO(b"data"), 4, "slow", "sha512"
        )[0]
        glance_store.get(uri, "slow")
        glance_store.delete(uri, "slow")
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_core_s_driver_is_given_to_others_as_it_is_configured(
    conf: Any, tmp_path: Path
) -> None:
    store = make_file(
        conf,
        tmp_path / "images",
        "fast",
        configure=False,
        filesystem_store_file_perm=640,
        filesystem_thin_provisioning=True,
        filesystem_store_chunk_size=8192,
    )
    settings = store.core_driver().settings
    assert (settings.path, settings.file_mode) == (f"{tmp_path}/images", "0640")
    assert (settings.thin, settings.durable, settings.read_size) == (True, False, 8192)
    assert not (tmp_path / "images").exists(), "making one touches nothing"
    assert http.Store(conf).core_driver().settings.max_redirects == 4
