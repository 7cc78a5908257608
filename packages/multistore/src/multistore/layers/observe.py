"""The observe layer, the outermost: says where an error happened, keeps secrets in, and tells what is going on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TypeVar

from multistore.driver import Driver, Reader, Upload
from multistore.layers.base import LayerDriver, LayerReader, LayerStream, LayerUpload, unwrap
from multistore.layers.events import Events, Operation
from multistore.model import Info, Pending, Stored

__all__ = ["ObserveLayer"]

T = TypeVar("T")

#: What people call the operation, where the driver's verb is called otherwise.
_WORDS = {"set_access": "access"}


class ObserveLayer(LayerDriver):
    """Stamps every error once, and tells ``events`` of every operation.

    An operation is a single call, a listing, or a whole ``put``, ``copy`` or ``get``: from ``begin`` to ``commit`` or
    ``abort``, from ``open`` to ``close``.
    Whatever a driver lets out that is no StoreError becomes Unavailable with the name of its class; MemoryError,
    and what is no Exception, passes untouched.
    Texts of other libraries may quote a secret, so the chain of causes is cut and replaced by notes that say
    what was raised where.
    """

    def __init__(self, inner: Driver, events: Events) -> None:
        super().__init__(inner)
        self.events = events

    def around(
        self,
        verb: str,
        work: Callable[[], T],
        ref: str | None = None,
        undo: Callable[[T], None] | None = None,
    ) -> T:
        operation = self.operation(_WORDS.get(verb, verb), ref=ref)
        try:
            return operation.guard(work)
        finally:
            operation.end()

    def operation(
        self,
        verb: str,
        *,
        ref: str | None = None,
        name: str | None = None,
        total: int | None = None,
    ) -> Operation:
        """Begin an operation."""
        return Operation(
            self.events, verb, shown=self.inner.redact, ref=ref, name=name, total=total
        )

    def open(self, ref: str) -> Reader:
        operation = self.operation("get", ref=ref)
        made: list[Reader] = []
        try:
            operation.guard(lambda: made.append(self.inner.open(ref)))
            return ObservedReader(self, made[0], ref, operation)
        except BaseException:
            for reader in made:  # interrupted before anybody had it
                with contextlib.suppress(Exception):
                    reader.close()
            operation.cancel()
            raise

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        operation = self.operation("put", name=name, total=size)
        return self._begun(operation, lambda: self.inner.begin(name, size, labels))

    def begin_copy(
        self, source: Driver, ref: str, name: str, labels: Mapping[str, str]
    ) -> tuple[Upload, int]:
        operation = self.operation("copy", name=name)
        bare = unwrap(source)

        def begin() -> Upload:
            upload, operation.total = self.inner.begin_copy(bare, ref, name, labels)
            return upload

        upload = self._begun(operation, begin)
        return upload, operation.total or 0

    def _begun(self, operation: Operation, begin: Callable[[], Upload]) -> Upload:
        made: list[Upload] = []
        try:
            operation.guard(lambda: made.append(begin()))
            return ObservedUpload(self, made[0], operation)
        except BaseException:
            for upload in made:  # interrupted before anybody had it
                with contextlib.suppress(Exception):
                    upload.abort()
            operation.cancel()
            raise

    def list(self) -> Iterator[Info]:
        return self._listing("list", self.inner.list)

    def pending(self) -> Iterator[Pending]:
        return self._listing("pending", self.inner.pending)

    def _listing(self, verb: str, ask: Callable[[], Iterator[T]]) -> Iterator[T]:
        operation = self.operation(verb)
        try:
            items = operation.guard(ask)
        except BaseException:
            operation.end()
            raise
        return ObservedStream(self, operation, items, whole=True)


class ObservedUpload(LayerUpload):
    """An upload that is told of."""

    def __init__(self, layer: ObserveLayer, inner: Upload, operation: Operation) -> None:
        super().__init__(layer, inner, operation.name or "")
        self.operation = operation

    def around(self, verb: str, work: Callable[[], T]) -> T:
        return self.operation.guard(work)

    def write_part(self, index: int, offset: int, data: bytes) -> None:
        super().write_part(index, offset, data)
        self.operation.reached(offset + len(data))

    def commit(self, size: int, digests: Mapping[str, str]) -> Stored:
        operation = self.operation
        try:
            stored = super().commit(size, digests)
        except BaseException:
            # Whatever the core does now, to the caller this put has failed.
            operation.cancel()
            raise
        operation.reached(size)  # what was never sent: a hole at the end, or the whole of a copy
        operation.succeeded()
        return stored

    def abort(self) -> None:
        try:
            super().abort()
        finally:
            self.operation.cancel()


class ObservedReader(LayerReader):
    """A reader that is told of."""

    layer: ObserveLayer

    def __init__(self, layer: ObserveLayer, inner: Reader, ref: str, operation: Operation) -> None:
        super().__init__(layer, inner, ref)
        self.operation = operation

    def around(
        self, verb: str, work: Callable[[], T], undo: Callable[[T], None] | None = None
    ) -> T:
        return self.operation.guard(work)

    def pieces(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        return ObservedPieces(self, chunks)

    def close(self) -> None:
        try:
            super().close()
        finally:
            self.operation.end()


class ObservedStream(LayerStream[T]):
    """An iterator that is told of; ``whole`` if it is an operation of its own."""

    def __init__(
        self, layer: ObserveLayer, operation: Operation, items: Iterator[T], *, whole: bool = False
    ) -> None:
        super().__init__(layer, operation.verb, items)
        self.operation = operation
        self.whole = whole

    def __next__(self) -> T:
        try:
            item = self.operation.guard(self._step)
        except BaseException:
            self._end()
            raise
        if item is None:
            self._end()
            raise StopIteration
        return item

    def close(self) -> None:
        close = getattr(self.items, "close", None)
        try:
            if close is not None:
                self.operation.guard(close)
        finally:
            self._end()

    def _end(self) -> None:
        if self.whole:
            self.operation.end()


class ObservedPieces(ObservedStream[bytes]):
    """The pieces of a read, counted."""

    def __init__(self, reader: ObservedReader, chunks: Iterator[bytes]) -> None:
        super().__init__(reader.layer, reader.operation, chunks)
        self.reader = reader

    def __iter__(self) -> Iterator[bytes]:
        return self if self.operation.events.handlers else self._unheard()

    def _unheard(self) -> Iterator[bytes]:
        """Give the pieces with nothing done for each: nobody wants to be told, and small pieces are many."""
        failure: BaseException | None = None
        try:
            yield from self.items
        except GeneratorExit:
            raise
        except BaseException as error:
            failure = error
        if failure is not None:
            # Down here, so that the original is not the context of what comes out.
            self.operation.guard(partial(_raise, failure))

    def __next__(self) -> bytes:
        piece = super().__next__()
        operation = self.operation
        if operation.events.handlers:
            if operation.total is None:
                with contextlib.suppress(Exception):
                    operation.total = self.reader.inner.info.size  # known after the first read
            operation.bytes(len(piece))
        return piece


def _raise(error: BaseException) -> None:
    raise error
