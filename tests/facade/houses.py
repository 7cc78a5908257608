"""Stores of the interface over directories and servers of one's own."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from fakes.swift_server import KEY
from glance_store import location
from glance_store._drivers import cinder, filesystem, http, rbd, s3, swift
from oslo_concurrency import opts as concurrency
from oslo_config import cfg

__all__ = [
    "add_s3",
    "at",
    "files",
    "fresh_conf",
    "group_of",
    "let_go",
    "make_cinder",
    "make_file",
    "make_http",
    "make_rbd",
    "make_s3",
    "make_swift",
]


#: The name of an image in S3.
S3_KEY = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"


def group_of(identifier: str | None) -> str:
    return identifier or "glance_store"


def _configured(store: Any, conf: Any, options: dict[str, Any], identifier: str | None) -> Any:
    for name, value in options.items():
        conf.set_override(name, value, group=group_of(identifier))
    return store


def make_file(
    conf: Any,
    place: Path | None = None,
    identifier: str | None = None,
    *,
    configure: bool = True,
    **options: Any,
) -> filesystem.Store:
    """Make a filesystem store; nothing is synced unless the options say so."""
    store = filesystem.Store(conf, backend=identifier)
    given: dict[str, Any] = {"filesystem_store_durable": False, **options}
    if place is not None:
        given["filesystem_store_datadir"] = str(place)
    _configured(store, conf, given, identifier)
    if configure:
        store.configure(re_raise_bsc=True)
    return store


def make_http(conf: Any, identifier: str | None = None, **options: Any) -> http.Store:
    """Make an http store that waits for nobody for long."""
    store = http.Store(conf, backend=identifier)
    given = {"http_store_connect_timeout": 2.0, "http_store_read_timeout": 2.0, **options}
    _configured(store, conf, given, identifier).configure(re_raise_bsc=True)
    return store


def make_rbd(
    conf: Any, identifier: str | None = None, *, configure: bool = True, **options: Any
) -> rbd.Store:
    """Make an rbd store, of whatever cluster the module's ``rados`` and ``rbd`` are clients."""
    store = rbd.Store(conf, backend=identifier)
    _configured(store, conf, {"rbd_store_user": "images", **options}, identifier)
    if configure:
        store.configure(re_raise_bsc=True)
    return store


def make_swift(conf: Any, base: str, identifier: str | None = None, **options: Any) -> swift.Store:
    """Make a swift store that logs in at a stand-in for Keystone."""
    store = swift.Store(conf, backend=identifier)
    given = {
        "swift_store_auth_address": f"{base}/v3",
        "swift_store_user": "test:tester",
        "swift_store_key": KEY,
        "swift_store_create_container_on_put": True,
        **options,
    }
    _configured(store, conf, given, identifier).configure(re_raise_bsc=True)
    return store


def make_cinder(
    conf: Any,
    place: Path,
    identifier: str | None = None,
    *,
    configure: bool = True,
    **options: Any,
) -> cinder.Store:
    """Make a cinder store with a service user, and locks in a directory of its own."""
    store = cinder.Store(conf, backend=identifier)
    for group, known in concurrency.list_opts():
        conf.register_opts(known, group=group)
    conf.set_override("lock_path", str(place / "locks"), group="oslo_concurrency")
    given = {
        "cinder_store_auth_address": "http://127.0.0.1:1/v3",
        "cinder_store_user_name": "glance",
        "cinder_store_password": "c4nary",
        "cinder_store_project_name": "service",
        "cinder_mount_point_base": str(place / "mnt"),
        "cinder_http_retries": 1,
        **options,
    }
    _configured(store, conf, given, identifier)
    if configure:
        store.configure(re_raise_bsc=True)
    return store


def make_s3(
    conf: Any, address: str, bucket: str, identifier: str | None = None, **options: Any
) -> s3.Store:
    """Make an s3 store with the smallest parts there are."""
    store = s3.Store(conf, backend=identifier)
    given: dict[str, Any] = {
        "s3_store_host": address,
        "s3_store_bucket": bucket,
        "s3_store_access_key": "tester",
        "s3_store_secret_key": "c4nary/se@cret",
        "s3_store_large_object_chunk_size": 5,
        "s3_store_read_timeout": 5.0,
        **options,
    }
    _configured(store, conf, given, identifier).configure(re_raise_bsc=True)
    return store


def add_s3(
    store: s3.Store, data: bytes = b"data", name: str = S3_KEY, size: int | None = None
) -> str:
    uri: str = store.add(name, io.BytesIO(data), len(data) if size is None else size, "sha256")[0]
    return uri


def let_go(store: http.Store | s3.Store) -> None:
    """Have the idle connections closed: a test's server waits for them to end."""
    store._made = None


def at(store: Any, uri: str) -> location.Location:
    """Make the location object of a text, as the interface does."""
    return location.Location(
        uri.partition(":")[0],
        store.get_store_location_class(),
        store.conf,
        uri=uri,
        backend=store.backend_group,
    )


def files(place: Path) -> list[str]:
    """List everything in a directory."""
    return sorted(os.listdir(place))


def fresh_conf() -> Any:
    """Make a configuration of its own, for a process of its own."""
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[])
    return conf
