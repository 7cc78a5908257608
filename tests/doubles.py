"""Stand-ins for what a test has to control: a driver that fails where it is told, a journal that remembers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from multistore.driver import Reader, Upload
from multistore.drivers.memory import MemoryDriver, MemoryReader, MemorySettings
from multistore.model import Capabilities, Info, Stored

Trouble = Callable[[str], None]


class TroubledDriver(MemoryDriver):
    """A memory driver that calls ``before`` and ``after`` with the name of each step; they may raise, or wait."""

    part_size = 4

    def __init__(
        self,
        *,
        part_size: int | None = None,
        before: Trouble | None = None,
        after: Trouble | None = None,
        capabilities: Capabilities | None = None,
        limit: int | None = None,
    ) -> None:
        super().__init__(MemorySettings(part_size=part_size or self.part_size))
        self.before = before or _nothing
        self.after = after or _nothing
        self.limit = limit
        self.calls: list[str] = []
        if capabilities is not None:
            self.capabilities = capabilities  # an instance may differ

    def step(self, name: str) -> _Step:
        return _Step(self, name)

    def parts(self, size: int | None) -> Iterator[int]:
        for count, part in enumerate(super().parts(size)):
            if self.limit is not None and count >= self.limit:
                return
            yield part

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        with self.step("begin"):
            return TroubledUpload(self, super().begin(name, size, labels))

    def open(self, ref: str) -> Reader:
        with self.step("open"):
            reader = super().open(ref)
            assert isinstance(reader, MemoryReader)
            return TroubledReader(self, reader)

    def stat(self, ref: str) -> Info:
        with self.step("stat"):
            return super().stat(ref)

    def delete(self, ref: str) -> None:
        with self.step("delete"):
            super().delete(ref)


class TroubledUpload(Upload):
    def __init__(self, driver: TroubledDriver, inner: Upload) -> None:
        self.driver = driver
        self.inner = inner
        self.token = inner.token

    def write_part(self, index: int, offset: int, data: bytes) -> None:
        with self.driver.step("write_part"):
            self.inner.write_part(index, offset, data)

    def commit(self, size: int, digests: Mapping[str, str]) -> Stored:
        with self.driver.step("commit"):
            return self.inner.commit(size, digests)

    def abort(self) -> None:
        with self.driver.step("abort"):
            self.inner.abort()


class TroubledReader(Reader):
    """Gives pieces of ``driver.settings.part_size`` bytes, each a step called ``piece``."""

    def __init__(self, driver: TroubledDriver, inner: MemoryReader) -> None:
        self.driver = driver
        self.inner = inner
        self.closed = False

    @property
    def info(self) -> Info:
        return self.inner.info

    def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        with self.driver.step("read"):
            data = b"".join(self.inner.read(offset, length))
        return self._pieces(data)

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        size = self.driver.settings.part_size
        for at in range(0, len(data), size):
            with self.driver.step("piece"):
                piece = data[at : at + size]
            yield piece

    def close(self) -> None:
        self.closed = True


class _Step:
    def __init__(self, driver: TroubledDriver, name: str) -> None:
        self.driver = driver
        self.name = name

    def __enter__(self) -> None:
        self.driver.calls.append(self.name)
        self.driver.before(self.name)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self.driver.after(self.name)


def _nothing(_: str) -> None:
    pass


def failing(step: str, error: BaseException, *, at: int = 1, always: bool = False) -> Trouble:
    """Raise ``error`` at the ``at``-th ``step``, and, with ``always``, at every later one."""
    lock = threading.Lock()
    seen = 0

    def trouble(name: str) -> None:
        nonlocal seen
        if name == step:
            with lock:
                seen += 1
                hit = seen == at or (always and seen > at)
            if hit:
                raise error

    return trouble


@dataclass
class Record:
    """What a RecordingJournal knows of one upload."""

    store: str
    name: str
    token: str | None = None
    size: int | None = None
    stored: Stored | None = None
    end: str | None = None


class RecordingJournal:
    """Remembers every step; ``trouble`` may raise at one."""

    def __init__(self, trouble: Trouble | None = None) -> None:
        self.records: dict[int, Record] = {}
        self.trouble = trouble or _nothing

    def intend(self, store: str, name: str) -> int:
        self.trouble("intend")
        key = len(self.records) + 1
        self.records[key] = Record(store, name)
        return key

    def began(self, key: int, token: str) -> None:
        self.trouble("began")
        self.records[key] = replace(self.records[key], token=token)

    def committing(self, key: int, size: int, digests: Mapping[str, str]) -> None:
        self.trouble("committing")
        self.records[key] = replace(self.records[key], size=size)

    def committed(self, key: int, stored: Stored) -> None:
        self.trouble("committed")
        self.records[key] = replace(self.records[key], stored=stored)

    def aborted(self, key: int) -> None:
        self.trouble("aborted")
        self.records[key] = replace(self.records[key], end="aborted")

    def abandoned(self, key: int) -> None:
        self.trouble("abandoned")
        self.records[key] = replace(self.records[key], end="abandoned")


__all__ = ["Record", "RecordingJournal", "TroubledDriver", "TroubledReader", "failing"]
