"""Stand-ins for Ceph's modules ``rados`` and ``rbd``, over a cluster in memory: as much of them as the driver uses.

How they fail is taken from the real ones; the tests on a real cluster judge both by the same suite.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Self

from fakes.rbd_cluster import Cluster, FakePool
from fakes.rbd_image import make_rbd
from multistore.drivers.rbd import RbdDriver, Sdk

__all__ = ["Make", "make_sdk"]

#: Makes a driver with these settings.
Make = Callable[..., RbdDriver]


class Error(Exception):
    """The base of all errors of rados."""


class NumberedError(Error):
    """An error with a number."""

    def __init__(self, message: str = "", errno: int | None = None) -> None:
        super().__init__(message)
        self.errno = errno


def _error(name: str, number: int) -> Any:
    def init(self: Any, message: str = name) -> None:
        NumberedError.__init__(self, message, number)

    return type(name, (NumberedError,), {"__init__": init})


ObjectNotFound = _error("ObjectNotFound", 2)
ObjectExists = _error("ObjectExists", 17)
Forbidden = _error("PermissionError", 1)
TimedOut = _error("TimedOut", 110)
Stale = _error("OSError", 116)
Shutdown = _error("ConnectionShutdown", 108)


class Ioctx:
    """An I/O context; what it knows of objects are names, the directory, headers and data."""

    def __init__(self, cluster: Cluster, pool: FakePool) -> None:
        self.cluster = cluster
        self.fake = pool
        self.instance = 0
        cluster.open += 1

    def close(self) -> None:
        self.cluster.open -= 1

    def set_osdmap_full_try(self) -> None:
        pass

    def aio_stat(self, key: str, done: Callable[[object, None, None], None]) -> None:
        self.cluster.step("Ioctx.aio_stat")
        self.cluster.later(lambda: done(key, None, None))

    def read(self, key: str, length: int = 8192, offset: int = 0) -> bytes:
        self.cluster.step("Ioctx.read")
        kind, _, rest = key.partition(".")
        if kind == "rbd_id" and rest in self.fake.names:
            found = self.fake.names[rest]
            return found.encode() if found.startswith("\0") else _text(found)
        if key.removesuffix(".rbd") in self.fake.old_format:
            return b"<<< Rados Block Device Image >>>"
        if kind == "rbd_data":
            number, _, place = rest.partition(".")
            return bytes(self.fake.images[number].objects[int(place, 16)][offset : offset + length])
        raise ObjectNotFound

    def write(self, key: str, data: bytes, offset: int = 0) -> None:
        number, _, place = key.removeprefix("rbd_data.").partition(".")
        self.fake.images[number].objects[int(place, 16)][offset : offset + len(data)] = data

    def remove_object(self, key: str) -> None:
        self.cluster.step("Ioctx.remove_object")
        if self.fake.names.pop(key.removeprefix("rbd_id."), None) is None:
            raise ObjectNotFound

    def operate_write_op(self, operation: WriteOp, key: str) -> None:
        self.cluster.step("Ioctx.operate_write_op")
        with self.cluster.lock:
            name = key.removeprefix("rbd_id.")
            if name in self.fake.names:
                raise ObjectExists
            self.fake.names[name] = operation.data[4:].decode()

    def list_objects(self) -> list[Any]:
        names = [f"rbd_id.{name}" for name in self.fake.names]
        return [
            SimpleNamespace(key=key)
            for key in names + [f"rbd_header.{i}" for i in self.fake.images]
        ]

    def execute(self, key: str, cls: str, method: str, data: bytes) -> tuple[int, bytes]:
        self.cluster.step(f"Ioctx.{method}")
        with self.cluster.lock:
            if key == "rbd_directory":
                return 0, self._directory(method, _texts(data))
            image = self.fake.images.get(key.removeprefix("rbd_header."))
            if image is None:
                raise ObjectNotFound
            if method == "get_snapcontext":
                ids = [each.id for each in reversed(image.snaps)]
                return 0, struct.pack(f"<QI{len(ids)}Q", max(ids, default=0), len(ids), *ids)
            if method == "get_create_timestamp":
                return 0, struct.pack("<II", int(image.created), 0)
            (wanted,) = struct.unpack("<Q", data)
            found = next((each for each in image.snaps if each.id == wanted), None)
            if found is None:
                raise ObjectNotFound
            if method == "get_size":
                return 0, struct.pack("<BQ", image.order, found.size)
            return 0, _text(found.name)

    def _directory(self, method: str, texts: list[str]) -> bytes:
        entries = self.fake.directory
        if method == "dir_get_id":
            return _text(entries[texts[0]])
        if method == "dir_get_name":
            found = [name for name, image_id in entries.items() if image_id == texts[0]]
            if not found:
                raise ObjectNotFound
            return _text(found[0])
        if method == "dir_remove_image":
            if entries.get(texts[0]) != texts[1]:
                raise ObjectNotFound
            del entries[texts[0]]
            return b""
        old, new, image_id = texts
        if entries.get(old) != image_id:
            raise Stale
        if new in entries:
            raise ObjectExists
        entries[new] = entries.pop(old)
        return b""


class WriteOp:
    """A write in one step: only the exclusive making of a name."""

    def __init__(self) -> None:
        self.data = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def new(self, exclusive: int) -> None:
        assert exclusive == 1

    def write_full(self, data: bytes) -> None:
        self.data = data


def _text(text: str) -> bytes:
    return struct.pack("<I", len(text.encode())) + text.encode()


def _texts(data: bytes) -> list[str]:
    found = []
    while data:
        (length,) = struct.unpack_from("<I", data)
        found.append(data[4 : 4 + length].decode())
        data = data[4 + length :]
    return found


def _rados_of(cluster: Cluster) -> Any:
    class Rados:
        def __init__(self, conffile: str, rados_id: str | None, conf: dict[str, str]) -> None:
            if conffile and not os.path.exists(conffile):
                raise ObjectNotFound("error calling conf_read_file")
            self.user = rados_id or "admin"
            self.conf = cluster.conf | conf
            self.number = cluster.number()

        def conf_get(self, key: str) -> str | None:
            return self.conf.get(key)

        def connect(self) -> None:
            cluster.step("Rados.connect")
            if self.user not in cluster.keys:
                raise ObjectNotFound("error connecting to the cluster")
            cluster.connections += 1
            cluster.open += 1
            self.connected = True

        def shutdown(self) -> None:
            if getattr(self, "connected", False):
                self.connected = False
                cluster.open -= 1

        def get_fsid(self) -> str:
            return cluster.fsid

        def get_instance_id(self) -> int:
            return self.number

        def pool_lookup(self, name: str) -> int | None:
            cluster.step("Rados.pool_lookup")
            pool = cluster.pools.get(name)
            return pool.number if pool else None

        def open_ioctx(self, name: str) -> Ioctx:
            made = Ioctx(cluster, cluster.pools[name])
            made.instance = self.number
            return made

        def mon_command(self, command: str, data: bytes) -> tuple[int, bytes, str]:
            cluster.step("Rados.mon_command")
            pools = [
                {"id": p.number, "stats": {"stored": p.used, "max_avail": p.quota - p.used}}
                for p in cluster.pools.values()
                if p.counted
            ]
            return 0, json.dumps({"pools": pools}).encode(), ""

    return Rados


class _Module:
    """A namespace that can be a key, as a module can."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


def make_sdk(cluster: Cluster) -> Sdk:
    """Give the two modules, as seen by clients of this cluster."""
    rados = _Module(
        Rados=_rados_of(cluster),
        Error=Error,
        ObjectNotFound=ObjectNotFound,
        ObjectExists=ObjectExists,
        WriteOpCtx=WriteOp,
        LIBRADOS_CREATE_EXCLUSIVE=1,
    )
    return Sdk(rados, _Module(**vars(make_rbd(cluster))))
