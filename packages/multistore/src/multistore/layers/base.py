"""What all layers share: every verb of Driver, Reader and Upload, forwarded by name through one hook."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from multistore.driver import Driver, Reader, Ref, Upload
from multistore.model import Access, Caller, Info, Pending, Stored, Usage

__all__ = [
    "LayerDriver",
    "LayerReader",
    "LayerStream",
    "LayerUpload",
    "abort_quietly",
    "close_quietly",
    "unwrap",
]

T = TypeVar("T")
R = TypeVar("R", Reader, Upload, "tuple[Upload, int]")


def unwrap(driver: Driver) -> Driver:
    """Give the driver below all layers."""
    while isinstance(driver, LayerDriver):
        driver = driver.inner
    return driver


def close_quietly(thing: object) -> None:
    """Release a Reader or an iterator, if it can be; what goes wrong in there changes nothing any more."""
    close = getattr(thing, "close", None)
    if close is not None:
        with contextlib.suppress(Exception):
            close()


def abort_quietly(upload: Upload) -> None:
    """Abort an upload that nobody else has any more; what goes wrong is left to garbage collection."""
    with contextlib.suppress(Exception):
        upload.abort()


def _abort_copy_quietly(begun: tuple[Upload, int]) -> None:
    abort_quietly(begun[0])


class LayerDriver(Driver):
    """A driver around a driver; a layer overrides ``around`` and, where it needs to, what wraps readers and uploads.

    It shows the capabilities and schemes of what it wraps.
    Methods that do no I/O are forwarded as they are.
    """

    def __init__(self, inner: Driver) -> None:
        self._wrap(inner)

    def _wrap(self, inner: Driver) -> None:
        self.inner = inner
        self.capabilities = inner.capabilities
        # Class variables of a driver are those of the wrapped instance here.
        vars(self).update(schemes=inner.schemes)
        if hasattr(inner, "settings_type"):
            vars(self).update(settings_type=inner.settings_type)

    # -- the hooks ---------------------------------------------------------------------------

    def around(
        self,
        verb: str,
        work: Callable[[], T],
        ref: str | None = None,
        undo: Callable[[T], None] | None = None,
    ) -> T:
        """Do ``work``, which is one call of the driver; ``ref`` is the reference or name that it is about.

        ``undo`` takes back a result that nobody waits for any more.
        The items of an iterator come one by one, under the verbs ``piece`` (of a read) and ``item`` (of a list).
        """
        return work()

    def reader(self, inner: Reader, ref: str) -> Reader:
        """Wrap an opened Reader."""
        return LayerReader(self, inner, ref)

    def upload(self, inner: Upload, name: str) -> Upload:
        """Wrap an Upload that has begun."""
        return LayerUpload(self, inner, name)

    def follow(self, verb: str, items: Iterator[T]) -> Iterator[T]:
        """Wrap the iterator of ``list`` or ``pending``."""
        return LayerStream(self, "item", items, None)

    # -- without I/O -------------------------------------------------------------------------

    def settings_from_url(self, url: str) -> Mapping[str, object]:  # type: ignore[override] # of the instance below
        return self.inner.settings_from_url(url)

    def parse(self, text: str) -> Ref:  # type: ignore[override] # of the instance below
        return self.inner.parse(text)

    def prefixes(self) -> tuple[str, ...]:
        return self.inner.prefixes()

    def owns(self, ref: str) -> bool:
        return self.inner.owns(ref)

    def redact(self, ref: str) -> str:
        return self.inner.redact(ref)

    def parts(self, size: int | None) -> Iterator[int]:
        return self.inner.parts(size)

    def for_context(self, caller: Caller) -> Driver:
        inner = self.inner.for_context(caller)
        if inner is self.inner:
            return self
        twin = copy.copy(self)  # permits, threads and handlers are shared
        twin._wrap(inner)
        return twin

    # -- single calls ------------------------------------------------------------------------

    def stat(self, ref: str) -> Info:
        return self.around("stat", lambda: self.inner.stat(ref), ref)

    def check(self) -> None:
        self.around("check", self.inner.check)

    def close(self) -> None:
        self.around("close", self.inner.close)

    def discard(self, token: str) -> None:
        self.around("discard", lambda: self.inner.discard(token))

    def published(self, token: str) -> Stored | None:
        return self.around("published", lambda: self.inner.published(token))

    def delete(self, ref: str) -> None:
        self.around("delete", lambda: self.inner.delete(ref), ref)

    def usage(self) -> Usage:
        return self.around("usage", self.inner.usage)

    def set_access(self, ref: str, access: Access) -> None:
        self.around("set_access", lambda: self.inner.set_access(ref, access), ref)

    # -- calls that give something to be held ------------------------------------------------

    def open(self, ref: str) -> Reader:
        return self._held(
            "open",
            lambda: self.inner.open(ref),
            ref,
            lambda inner: self.reader(inner, ref),
            close_quietly,
        )

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        return self._held(
            "begin",
            lambda: self.inner.begin(name, size, labels),
            name,
            lambda inner: self.upload(inner, name),
            abort_quietly,
        )

    def begin_copy(
        self, source: Driver, ref: str, name: str, labels: Mapping[str, str]
    ) -> tuple[Upload, int]:
        bare = unwrap(source)
        return self._held(
            "begin_copy",
            lambda: self.inner.begin_copy(bare, ref, name, labels),
            name,
            lambda begun: (self.upload(begun[0], name), begun[1]),
            _abort_copy_quietly,
        )

    def _held(
        self,
        verb: str,
        make: Callable[[], R],
        ref: str,
        wrap: Callable[[R], R],
        undo: Callable[[R], None],
    ) -> R:
        """Make and wrap something that must not be lost, whatever strikes between the one and the other."""
        made: list[R] = []

        def work() -> R:
            made.append(make())
            return made[-1]

        try:
            return wrap(self.around(verb, work, ref, undo))
        except BaseException:
            for each in made:
                undo(each)
            raise

    # -- iterators ---------------------------------------------------------------------------

    def list(self) -> Iterator[Info]:
        return self.follow(
            "list", self.around("list", lambda: iter(self.inner.list()), None, close_quietly)
        )

    def pending(self) -> Iterator[Pending]:
        return self.follow(
            "pending",
            self.around("pending", lambda: iter(self.inner.pending()), None, close_quietly),
        )


class LayerUpload(Upload):
    """An upload under a layer."""

    def __init__(self, layer: LayerDriver, inner: Upload, name: str) -> None:
        self.layer = layer
        self.inner = inner
        self.name = name
        self.token = inner.token

    def around(self, verb: str, work: Callable[[], T]) -> T:
        """Do one call of this upload."""
        return self.layer.around(verb, work, self.name)

    def write_part(self, index: int, offset: int, data: bytes) -> None:
        self.around("write_part", lambda: self.inner.write_part(index, offset, data))

    def commit(self, size: int, digests: Mapping[str, str]) -> Stored:
        return self.around("commit", lambda: self.inner.commit(size, digests))

    def abort(self) -> None:
        self.around("abort", self.inner.abort)


class LayerReader(Reader):
    """A reader under a layer."""

    def __init__(self, layer: LayerDriver, inner: Reader, ref: str) -> None:
        self.layer = layer
        self.inner = inner
        self.ref = ref

    def around(
        self, verb: str, work: Callable[[], T], undo: Callable[[T], None] | None = None
    ) -> T:
        """Do one call of this reader."""
        return self.layer.around(verb, work, self.ref, undo)

    @property
    def info(self) -> Info:
        return self.around("info", lambda: self.inner.info)

    def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        return self.pieces(self.request(offset, length))

    def request(self, offset: int, length: int | None) -> Iterator[bytes]:
        """Make the request of a read."""
        return self.around("read", lambda: iter(self.inner.read(offset, length)), close_quietly)

    def pieces(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Wrap the stream of a read."""
        return LayerStream(self.layer, "piece", chunks, self.ref)

    def close(self) -> None:
        self.around("close", self.inner.close)


class LayerStream(Generic[T]):
    """An iterator under a layer: each step is a call of its own."""

    def __init__(
        self, layer: LayerDriver, verb: str, items: Iterator[T], ref: str | None = None
    ) -> None:
        self.layer = layer
        self.verb = verb
        self.items = items
        self.ref = ref

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        item = self.layer.around(self.verb, self._step, self.ref)
        if item is None:
            raise StopIteration
        return item

    def _step(self) -> T | None:
        return next(self.items, None)

    def close(self) -> None:
        """Release what the iterator holds."""
        close: Any = getattr(self.items, "close", None)
        if close is not None:
            self.layer.around("close", close, self.ref)
