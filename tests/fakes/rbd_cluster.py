"""What a cluster holds, for the stand-ins of Ceph's modules: pools, names, the directory, images, snapshots, watches."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from multistore.driver import PerProcess

__all__ = ["Cluster", "FakeImage", "FakePool", "Snap"]


@dataclass
class Snap:
    """A snapshot; namespace 0 is that of users, 2 that of the trash."""

    id: int
    name: str
    size: int
    protected: bool = False
    namespace: int = 0


@dataclass
class FakeImage:
    """An image, whatever its name."""

    id: str
    size: int
    order: int
    features: int
    snaps: list[Snap] = field(default_factory=list)
    objects: dict[int, bytearray] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    watchers: dict[int, dict[str, Any]] = field(default_factory=dict)
    children: list[dict[str, Any]] = field(default_factory=list)
    #: Clones of the second format let their parent's snapshot go, clones of the first do not.
    clone_format: int = 1
    created: float = field(default_factory=time.time)

    @property
    def object_size(self) -> int:
        return 1 << self.order

    def write(self, data: bytes, offset: int) -> None:
        while data:
            number, at = divmod(offset, self.object_size)
            piece = data[: self.object_size - at]
            thing = self.objects.setdefault(number, bytearray())
            thing.extend(bytes(max(0, at + len(piece) - len(thing))))
            thing[at : at + len(piece)] = piece
            data, offset = data[len(piece) :], offset + len(piece)

    def read(self, offset: int, length: int) -> bytes:
        found = bytearray()
        while length > 0:
            number, at = divmod(offset, self.object_size)
            count = min(length, self.object_size - at)
            piece = bytes(self.objects.get(number, b"")[at : at + count])
            found += piece + bytes(count - len(piece))
            offset, length = offset + count, length - count
        return bytes(found)

    def resize(self, size: int) -> None:
        self.size = size
        last, rest = divmod(size, self.object_size)
        for number in [each for each in self.objects if each > last]:
            del self.objects[number]
        if last in self.objects:
            del self.objects[last][rest:]

    def snap(self, name: str) -> Snap | None:
        return next((s for s in self.snaps if s.name == name and s.namespace == 0), None)


@dataclass
class FakePool:
    """A pool: the names by which images open, the directory by which they are listed, and the images."""

    name: str
    number: int
    quota: int = 1 << 40
    counted: bool = True
    names: dict[str, str] = field(default_factory=dict)
    directory: dict[str, str] = field(default_factory=dict)
    images: dict[str, FakeImage] = field(default_factory=dict)
    trash: dict[str, str] = field(default_factory=dict)
    old_format: set[str] = field(default_factory=set)

    @property
    def used(self) -> int:
        return sum(
            len(o) for image in list(self.images.values()) for o in list(image.objects.values())
        )


class Cluster:
    """One cluster in memory; ``fail`` maps a method such as ``Image.write`` to what it raises instead, once or always."""

    def __init__(self, *pools: str) -> None:
        self.fsid = str(uuid.uuid4())
        self.pools: dict[str, FakePool] = {}
        self.conf = {"keyring": "", "rbd_default_features": "61"}
        self.keys = {"images", "admin"}
        self.fail: dict[str, Any] = {}
        self.calls: list[str] = []
        self.connections = 0
        self.open = 0
        #: Makes the callbacks of the library's own threads.
        self.later: Callable[[Callable[[], None]], None] = lambda callback: callback()
        self._numbers = itertools.count(1)
        self._lock: PerProcess[threading.RLock] = PerProcess(threading.RLock)
        for pool in pools or ("images",):
            self.add_pool(pool)

    @property
    def lock(self) -> Any:
        """A lock that no thread of a parent process can hold."""
        return self._lock.get()

    def number(self) -> int:
        return next(self._numbers)

    def add_pool(self, name: str) -> FakePool:
        self.pools[name] = pool = FakePool(name, self.number())
        return pool

    def step(self, method: str) -> None:
        """Note a call, and fail if that is planned: by an exception, or by a function that may raise."""
        self.calls.append(method)
        planned = self.fail.get(method)
        if isinstance(planned, BaseException):
            raise planned
        if planned is not None:
            planned()
