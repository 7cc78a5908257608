"""The stand-in for the module ``rbd``: images and what is done with them by name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Self

from fakes.rbd_cluster import Cluster, FakeImage, FakePool, Snap

__all__ = ["make_rbd"]


class Error(Exception):
    """The base of all errors of rbd."""


class NumberedError(Error):
    """An error with a number."""

    number = 5

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.errno = self.number


def _error(name: str, number: int) -> Any:
    return type(name, (NumberedError,), {"number": number})


ERRORS = {
    name: _error(name, number)
    for name, number in {
        "ImageNotFound": 2, "ImageExists": 17, "ImageBusy": 16, "ImageHasSnapshots": 39, "InvalidArgument": 22,
        "NoSpace": 28, "DiskQuotaExceeded": 122, "PermissionError": 1, "ReadOnlyImage": 30, "Timeout": 110,
        "ConnectionShutdown": 108,
    }.items()
}  # fmt: skip
_E = SimpleNamespace(**ERRORS)


def _holds(pool: FakePool, name: str | None, image_id: str | None) -> FakeImage:
    found = pool.images.get(image_id or pool.names.get(name or "", ""))
    if found is None:
        raise _E.ImageNotFound
    return found


def _full(pool: FakePool, more: int) -> None:
    if pool.used + more > pool.quota:
        raise _E.DiskQuotaExceeded


class Image:
    """An open image."""

    cluster: Cluster

    def __init__(
        self,
        ioctx: Any,
        name: str | None = None,
        snapshot: str | None = None,
        read_only: bool = False,
        image_id: str | None = None,
    ) -> None:
        self.cluster.step("Image.open")
        self.pool: FakePool = ioctx.fake
        self.image = _holds(self.pool, name, image_id)
        self.read_only = read_only
        self.snapshot = self.image.snap(snapshot) if snapshot else None
        if snapshot and self.snapshot is None:
            raise _E.ImageNotFound
        self.cookie = self.cluster.number()
        self.cluster.open += 1
        if not read_only:
            self.image.watchers[self.cookie] = {
                "addr": "127.0.0.1:0/1", "id": ioctx.instance, "cookie": self.cookie,
            }  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.cluster.open -= 1
        self.image.watchers.pop(self.cookie, None)

    def aio_close(self, done: Callable[[object], None]) -> None:
        self.cluster.step("Image.aio_close")
        self.close()
        done(None)

    def id(self) -> str:
        return self.image.id

    def size(self) -> int:
        return self.snapshot.size if self.snapshot else self.image.size

    def features(self) -> int:
        return self.image.features

    def stat(self) -> dict[str, Any]:
        prefix = f"rbd_data.{self.image.id}"
        return {
            "size": self.size(),
            "obj_size": self.image.object_size,
            "block_name_prefix": prefix,
        }

    def read(self, offset: int, length: int) -> bytes:
        self.cluster.step("Image.read")
        return self.image.read(offset, min(length, self.size() - offset))

    def write(self, data: bytes, offset: int) -> int:
        self.cluster.step("Image.write")
        assert isinstance(data, bytes)
        self._writable()
        if offset + len(data) > self.image.size:
            raise _E.InvalidArgument
        _full(self.pool, len(data))
        with self.cluster.lock:
            self.image.write(data, offset)
        return len(data)

    def _writable(self) -> None:
        if self.read_only:
            raise _E.ReadOnlyImage

    def resize(self, size: int) -> None:
        self.cluster.step("Image.resize")
        self._writable()
        with self.cluster.lock:
            self.image.resize(size)

    def flush(self) -> None:
        self.cluster.step("Image.flush")

    def metadata_set(self, key: str, value: str) -> None:
        self.image.metadata[key] = value

    def watchers_list(self) -> list[dict[str, Any]]:
        self.cluster.step("Image.watchers_list")
        return list(self.image.watchers.values())

    # -- snapshots ---------------------------------------------------------------------------

    def list_snaps(self) -> list[dict[str, Any]]:
        return [
            {"id": s.id, "name": s.name, "size": s.size, "namespace": s.namespace}
            for s in self.image.snaps
        ]

    def create_snap(self, name: str) -> None:
        self.cluster.step("Image.create_snap")
        self._writable()
        if self.image.snap(name):
            raise _E.ImageExists
        self.image.snaps.append(Snap(self.cluster.number(), name, self.image.size))

    def protect_snap(self, name: str) -> None:
        self.cluster.step("Image.protect_snap")
        snap = self._snap(name)
        if snap.protected:
            raise _E.ImageBusy
        snap.protected = True

    def unprotect_snap(self, name: str) -> None:
        self.cluster.step("Image.unprotect_snap")
        self._writable()
        snap = self._snap(name)
        if not snap.protected:
            raise _E.InvalidArgument
        if self.image.children and self.image.clone_format == 1:
            raise _E.ImageBusy
        snap.protected = False

    def remove_snap(self, name: str) -> None:
        self.cluster.step("Image.remove_snap")
        snap = self._snap(name)
        if snap.protected:
            raise _E.ImageBusy
        if self.image.children:
            snap.namespace, snap.name = 2, f"trashed-{snap.id}"
        else:
            self.image.snaps.remove(snap)

    def _snap(self, name: str) -> Snap:
        snap = self.image.snap(name)
        if snap is None:
            raise _E.ImageNotFound
        return snap

    def set_snap(self, name: str) -> None:
        self.snapshot = self._snap(name)

    def list_children2(self) -> list[dict[str, Any]]:
        self.cluster.step("Image.list_children2")
        return list(self.image.children)

    def copy(self, ioctx: Any, name: str, features: int, order: int, data_pool: str | None) -> None:
        self.cluster.step("Image.copy")
        made = _create(
            self.cluster, ioctx.fake, name, size=self.size(), order=order, features=features
        )
        made.write(self.image.read(0, self.size()), 0)


def _create(
    cluster: Cluster, pool: FakePool, name: str, *, size: int, order: int, features: int
) -> FakeImage:
    with cluster.lock:
        _full(pool, 1)
        if name in pool.names or name in pool.directory:
            raise _E.ImageExists
        image = FakeImage(f"{cluster.number():x}", size, order, features)
        pool.images[image.id] = image
        pool.names[name] = pool.directory[name] = image.id
        return image


def _drop(pool: FakePool, image: FakeImage) -> None:
    if image.snaps:
        raise _E.ImageHasSnapshots
    if image.watchers:
        raise _E.ImageBusy
    del pool.images[image.id]


class RBD:
    """What is done with images by name."""

    cluster: Cluster

    def create(self, ioctx: Any, name: str, size: int, *, order: int, old_format: bool, features: int,
               data_pool: str | None) -> None:  # fmt: skip
        self.cluster.step("RBD.create")
        _create(self.cluster, ioctx.fake, name, size=size, order=order, features=features)

    def list2(self, ioctx: Any) -> list[dict[str, str]]:
        self.cluster.step("RBD.list2")
        return [{"name": n, "id": i} for n, i in list(ioctx.fake.directory.items())]

    def rename(self, ioctx: Any, old: str, new: str) -> None:
        self.cluster.step("RBD.rename")
        pool = ioctx.fake
        with self.cluster.lock:
            if old not in pool.names:
                raise _E.ImageNotFound
            if new in pool.names:
                raise _E.ImageExists
            for place in (pool.names, pool.directory):
                place[new] = place.pop(old)

    def remove(self, ioctx: Any, name: str) -> None:
        self.cluster.step("RBD.remove")
        pool = ioctx.fake
        with self.cluster.lock:
            _drop(pool, _holds(pool, name, None))
            del pool.names[name]
            pool.directory.pop(name, None)

    def trash_move(self, ioctx: Any, name: str, delay: int = 0) -> None:
        self.cluster.step("RBD.trash_move")
        pool = ioctx.fake
        image = _holds(pool, name, None)
        pool.trash[image.id] = name
        del pool.names[name], pool.directory[name]

    def trash_list(self, ioctx: Any) -> list[dict[str, Any]]:
        self.cluster.step("RBD.trash_list")
        now = dt.datetime.now(tz=dt.UTC)
        return [
            {"id": i, "name": n, "deletion_time": now} for i, n in list(ioctx.fake.trash.items())
        ]

    def trash_remove(self, ioctx: Any, image_id: str, force: bool = False) -> None:
        self.cluster.step("RBD.trash_remove")
        pool = ioctx.fake
        if image_id not in pool.trash:
            raise _E.ImageNotFound
        image = pool.images[image_id]
        if not image.children:
            image.snaps = [each for each in image.snaps if each.namespace == 0]
        _drop(pool, image)
        del pool.trash[image_id]


def make_rbd(cluster: Cluster) -> SimpleNamespace:
    """Give the module, as seen by clients of this cluster."""
    image = type("Image", (Image,), {"cluster": cluster})
    rbd = type("RBD", (RBD,), {"cluster": cluster})
    return SimpleNamespace(Image=image, RBD=rbd, Error=Error, **ERRORS)
