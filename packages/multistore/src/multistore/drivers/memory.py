"""Images in this process's memory: for tests, examples, and as the smallest complete driver."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from multistore.config import option
from multistore.driver import Driver, PerProcess, Reader, Ref, Upload
from multistore.errors import AlreadyExists, InvalidRef, NoSpace, NotFound
from multistore.model import Capabilities, Info, Pending, Stored, Usage, Verb

__all__ = ["MemoryDriver", "MemoryRef", "MemorySettings"]

_PREFIX = "memory://"
_UNBOUNDED = 1 << 62


@dataclass(frozen=True, slots=True)
class MemorySettings:
    """The settings of a memory store."""

    capacity: int = option(
        _UNBOUNDED, help="how many bytes the store takes", unit="bytes", minimum=0
    )
    part_size: int = option(8 << 20, help="the size of a part", unit="bytes", minimum=1)


@dataclass(frozen=True, slots=True)
class MemoryRef(Ref):
    """``memory://NAME``; any text but the empty one is a name."""

    name: str

    def __str__(self) -> str:
        return _PREFIX + self.name


class MemoryDriver(Driver):
    """A dictionary of names and bytes."""

    schemes: ClassVar[tuple[str, ...]] = ("memory",)
    settings_type = MemorySettings
    capabilities = Capabilities(
        verbs=Verb.WRITE | Verb.DELETE | Verb.LIST | Verb.USAGE,
        ranged_read=True,
        parallel_reads=4,
        parallel_parts=4,
        sparse=True,
        exclusive_create=True,
    )

    def __init__(self, settings: MemorySettings | None = None) -> None:
        self.settings = settings or MemorySettings()
        self.objects: dict[str, tuple[bytes, str, float]] = {}  # name: bytes, token, modified
        self.uploads: dict[str, MemoryUpload] = {}
        # A lock of the parent's may be held by a thread that a forked child does not have.
        self.lock = PerProcess(threading.Lock)

    @classmethod
    def settings_from_url(cls, url: str) -> Mapping[str, object]:
        """``memory:`` stands for a store of its own."""
        return {}

    @classmethod
    def parse(cls, text: str) -> MemoryRef:
        name = text.removeprefix(_PREFIX)
        if name == text or not name:
            # Whose reference it is, nobody knows: another store's may hold a password.
            raise InvalidRef(
                "the reference is not of the form memory://NAME", why="not memory://NAME"
            )
        return MemoryRef(name)

    def prefixes(self) -> tuple[str, ...]:
        return (_PREFIX,)

    def stat(self, ref: str) -> Info:
        name = self.parse(ref).name
        data, token, modified = self._find(name)
        return Info(ref, len(data), token, name, modified)

    def open(self, ref: str) -> Reader:
        return MemoryReader(self.stat(ref), self._find(self.parse(ref).name)[0])

    def parts(self, size: int | None) -> Iterator[int]:
        while True:
            yield self.settings.part_size

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        if not name:
            raise InvalidRef("an image needs a name", why="empty name")
        with self.lock.get():
            if name in self.objects:
                raise AlreadyExists(f"{name!r} is there already")
            self._reserve(size or 0)
            upload = MemoryUpload(self, name)
            self.uploads[upload.token] = upload
        return upload

    def pending(self) -> Iterator[Pending]:
        for upload in list(self.uploads.values()):
            yield Pending(upload.token, upload.name, upload.started)

    def discard(self, token: str) -> None:
        self.uploads.pop(token, None)

    def published(self, token: str) -> Stored | None:
        for name, (data, winner, _) in list(self.objects.items()):
            if winner == token:
                return Stored(str(MemoryRef(name)), len(data))
        return None

    def delete(self, ref: str) -> None:
        if self.objects.pop(self.parse(ref).name, None) is None:
            raise NotFound(f"{ref} is not there")

    def list(self) -> Iterator[Info]:
        for name, (data, token, modified) in list(self.objects.items()):
            yield Info(str(MemoryRef(name)), len(data), token, name, modified)

    def usage(self) -> Usage:
        used = self._used()
        return Usage(self.settings.capacity, used, self.settings.capacity - used)

    def _used(self) -> int:
        return sum(len(data) for data, _, _ in list(self.objects.values()))

    def _reserve(self, size: int) -> None:
        bounded = self.settings.capacity < _UNBOUNDED  # adding up all images takes its time
        if bounded and self._used() + size > self.settings.capacity:
            raise NoSpace(f"no room for {size} bytes: delete something, or raise 'capacity'")

    def _find(self, name: str) -> tuple[bytes, str, float]:
        try:
            return self.objects[name]
        except KeyError:
            raise NotFound(f"memory://{name} is not there") from None


class MemoryUpload(Upload):
    """Parts by offset, joined at commit."""

    def __init__(self, driver: MemoryDriver, name: str) -> None:
        self.driver = driver
        self.name = name
        self.token = secrets.token_hex(8)
        self.started = time.time()
        self.runs: dict[int, bytes] = {}

    def write_part(self, index: int, offset: int, data: bytes) -> None:
        self.runs[offset] = data

    def commit(self, size: int, digests: Mapping[str, str]) -> Stored:
        driver = self.driver
        whole = bytearray(size)
        for offset, data in self.runs.items():
            whole[offset : offset + len(data)] = data
        with driver.lock.get():
            _, winner, _ = driver.objects.get(self.name, (b"", self.token, 0.0))
            if winner != self.token:
                raise AlreadyExists(f"{self.name!r} is there already")
            if self.name not in driver.objects:
                driver._reserve(size)
                driver.objects[self.name] = (bytes(whole), self.token, time.time())
            driver.uploads.pop(self.token, None)
        return Stored(str(MemoryRef(self.name)), size)

    def abort(self) -> None:
        self.driver.discard(self.token)


class MemoryReader(Reader):
    """A slice of what was found at opening."""

    def __init__(self, info: Info, data: bytes) -> None:
        self._info = info
        self._data = data

    @property
    def info(self) -> Info:
        return self._info

    def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        end = len(self._data) if length is None else min(len(self._data), offset + length)
        return (self._data[at : min(at + (1 << 20), end)] for at in range(offset, end, 1 << 20))

    def close(self) -> None:
        pass
