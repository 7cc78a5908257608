# ruff: noqa: PLR2004 -- statuses of HTTP are known by their numbers
"""Reading an object, whole or in ranges, each of which must be of the same object."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

from multistore.driver import Reader
from multistore.drivers.swift.container import Container, Head, head_of
from multistore.drivers.swift.errors import guarded, refusal
from multistore.drivers.swift.transfer import LONG, Transfer
from multistore.drivers.swift.wire import Reply
from multistore.errors import Corrupt, Unavailable
from multistore.model import Info

__all__ = ["SwiftReader"]

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
#: How much is read at once.
_PIECE = 1 << 20
#: How much the first request asks for where the size is asked first: what the core reads at once.
_FIRST = 8 << 20


class SwiftReader(Reader):
    """One object of a container.

    Whoever asks for the size first gets it with the first bytes, which the next read then takes.
    """

    def __init__(self, container: Container, name: str, ref: str, head: Head | None = None) -> None:
        self._container = container
        self._name = name
        self._ref = ref
        self._what = f"the object {name!r}"
        self._head = head
        self._first: _Stream | None = None
        self._streams: set[_Stream] = set()
        self._lock = threading.RLock()
        self._read = False
        self._transfer = Transfer(container.swift.identity)

    @property
    def info(self) -> Info:
        with self._lock:
            if self._head is None:
                first = self._request(0, _FIRST)
                self._first = first if isinstance(first, _Stream) else None
        return self._known().info(self._ref, self._name)

    def _known(self) -> Head:
        head = self._head
        if head is None:
            head = self._container.head(self._name, self._what)
            self._learn(head)
        return head

    def _learn(self, head: Head) -> None:
        """Take in what an answer says; Corrupt if it speaks of another object than the first one did."""
        with self._lock:
            known = self._head
            if known is None:
                self._head = head
            elif (known.version, known.size) != (head.version, head.size):
                raise Corrupt("the image was changed while it was being read: read it again")

    def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        if length == 0:
            return iter(())
        with self._lock:
            first, self._first = self._first, None
            again, self._read = self._read, True
        if first is not None:
            if offset == 0:
                return self._continued(first, length)
            first.close()
        if again or (length or 0) >= LONG:
            self._transfer.begin()
        stream = self._request(offset, length)
        if isinstance(stream, _Stream) and stream.wanted >= LONG:
            self._transfer.begin()
        return stream

    def _continued(self, first: _Stream, length: int | None) -> Iterator[bytes]:
        """Begin with what came with the size, and ask for the rest."""
        if length is not None:
            first.limit(length)
        end, total = first.wanted, self._known().size
        rest = (total if length is None else min(length, total)) - end
        if rest > 0 or total > end >= LONG:
            self._transfer.begin()
        return first if rest <= 0 else self._both(first, end, rest)

    def _both(self, first: _Stream, end: int, rest: int) -> Iterator[bytes]:
        yield from first
        yield from self._request(end, rest)

    def _request(self, offset: int, length: int | None) -> Iterator[bytes]:
        whole = offset == 0 and length is None
        last = "" if length is None else str(offset + length - 1)
        fields = {} if whole else {"Range": f"bytes={offset}-{last}"}
        path = (self._container.name, self._name)
        reply, raw, finish = self._container.swift.start("GET", path, self._what, fields=fields)
        try:
            return self._stream(reply, raw, finish, offset, length)
        except BaseException:
            finish()
            raise

    def _stream(
        self, reply: Reply, raw: Any, finish: Callable[[], None], offset: int, length: int | None
    ) -> Iterator[bytes]:
        if reply.status == 416:
            finish()
            if offset < self._known().size:
                raise Unavailable(f"{self._what}: Swift refuses the range from {offset} on")
            return iter(())
        if reply.status == 409:
            raise Corrupt(
                f"{self._what}: a segment of it is missing, or is not the one that was stored"
            )
        if reply.status not in (200, 206):
            raise refusal(reply.status, self._what, reply.fields.get("retry-after"))
        start, end, total = self._span(reply)
        self._learn(head_of(reply, self._what, total))
        wanted = (total if length is None else min(total, offset + length)) - offset
        if wanted <= 0:
            finish()
            return iter(())
        if start > offset or end < offset + wanted:
            raise Corrupt(f"{self._what}: Swift sent another range than it was asked for")
        stream = _Stream(self, raw, finish, offset - start, wanted)
        self._streams.add(stream)
        return stream

    def _span(self, reply: Reply) -> tuple[int, int, int]:
        """Say which bytes come, and how many there are in all."""
        if reply.status == 200:
            size = reply.number("content-length")
            total = self._known().size if size is None else size
            return 0, total, total
        match = _RANGE.fullmatch(reply.fields.get("content-range", ""))
        if match is None:
            raise Corrupt(f"{self._what}: Swift sent a range without saying which")
        total = int(match[3])
        if "x-object-manifest" in reply.fields:
            # Of more segments than a list has, this is what the first page of it adds up to.
            total = max(total, self._known().size)
        return int(match[1]), int(match[2]) + 1, total

    def close(self) -> None:
        for stream in list(self._streams):
            stream.close()
        self._transfer.end()


class _Stream(Iterator[bytes]):
    """The pieces of one answer: ``skip`` bytes are dropped first, ``wanted`` come out."""

    def __init__(
        self, reader: SwiftReader, raw: Any, finish: Callable[[], None], skip: int, wanted: int
    ) -> None:
        self._reader = reader
        self._raw = raw
        self._finish = finish
        self._skip = skip
        self.wanted = wanted
        self._over = False

    def limit(self, length: int) -> None:
        """Give no more than so many bytes."""
        self.wanted = min(self.wanted, length)

    def __next__(self) -> bytes:
        what, seconds = self._reader._what, self._reader._container.swift.settings.timeout
        while not self._over and self.wanted:
            try:
                with guarded(what, seconds):
                    piece = self._raw.read(min(_PIECE, self._skip + self.wanted))
                if not piece:
                    raise Unavailable(f"{what}: Swift broke off {self.wanted} bytes before the end")
            except BaseException:
                self.close()
                raise
            if self._skip:
                dropped = min(self._skip, len(piece))
                self._skip -= dropped
                piece = piece[dropped:]
            if piece:
                self.wanted -= len(piece)
                if not self.wanted:
                    self.close()
                return bytes(piece)
        self.close()
        raise StopIteration

    def close(self) -> None:
        if not self._over:
            self._over = True
            self._reader._streams.discard(self)
            self._finish()
