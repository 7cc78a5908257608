# ruff: noqa: PLR2004 -- statuses of HTTP are known by their numbers
"""Reading one image: ranges, what an answer says of it, and that no two versions are ever joined."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from email.utils import parsedate_to_datetime

from multistore.driver import Reader
from multistore.drivers.http.client import Reply
from multistore.drivers.http.errors import refusal
from multistore.errors import Corrupt, Unavailable, Unsupported
from multistore.model import Info

__all__ = ["HttpReader", "described", "failed", "total"]

#: How much is asked of the connection at once, in bytes.
PIECE = 256 * 1024

_RANGE = re.compile(r"bytes\s+(?:([0-9]{1,18})-([0-9]{1,18})|\*)/([0-9]{1,18}|\*)", re.ASCII)


class HttpReader(Reader):
    """One image on a web server; every read is a request of its own."""

    def __init__(
        self,
        ref: str,
        ask: Callable[[Mapping[str, str]], Reply],
        stat: Callable[[], Info],
    ) -> None:
        self.ref = ref
        self._ask = ask
        self._stat = stat
        self._info: Info | None = None
        self._streams: set[_Stream] = set()

    @property
    def info(self) -> Info:
        if self._info is None:
            self._info = self._stat()
        return self._info

    def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        known = self._info
        if length == 0 or (
            known is not None and known.size is not None and offset >= known.size > 0
        ):
            return iter(())
        fields = {}
        if offset or length is not None:
            end = "" if length is None else offset + length - 1
            fields["Range"] = f"bytes={offset}-{end}"
            if known is not None and known.version is not None and known.version.startswith('"'):
                fields["If-Range"] = known.version
        reply = self._ask(fields)
        try:
            return self._begin(reply, offset, length, ranged=bool(fields))
        except BaseException:
            reply.finish()
            raise

    def _begin(
        self, reply: Reply, offset: int, length: int | None, *, ranged: bool
    ) -> Iterator[bytes]:
        if reply.status == 416 and ranged:
            reply.drop()
            return self._beyond(reply, offset)
        if reply.status not in (200, 203, 206) or (reply.status == 206 and not ranged):
            raise failed(reply)
        _refuse_coding(reply)
        if reply.status == 206:
            first, last, size = _span(reply, offset, length)
            skip, span = 0, last - first + 1
        else:
            size, skip, span = reply.body.length, offset, None
        self.learn(described(self.ref, reply, size))
        wanted = length
        if size is not None:
            rest = max(0, size - offset)
            wanted = rest if length is None else min(length, rest)
        reply.stream()
        stream = _Stream(self, reply, skip, wanted, span)
        self._streams.add(stream)
        return stream

    def _beyond(self, reply: Reply, offset: int) -> Iterator[bytes]:
        """Nothing to read, if the server refused the range because the image ends before it."""
        size = total(reply)
        if size is None:
            size = self.info.size
        if size is None or offset < size:
            raise Unavailable(f"{reply.where}: the server refuses the range from {offset} on")
        return iter(())

    def learn(self, found: Info) -> None:
        """Take in what an answer says; Corrupt if it speaks of other bytes than the first one did."""
        known = self._info
        if known is None:
            self._info = found
            return
        for one, other in ((known.version, found.version), (known.size, found.size)):
            if one is not None and other is not None and one != other:
                raise Corrupt("the image was changed while it was being read: read it again")
        if known.size is None and found.size is not None:
            self._info = replace(known, size=found.size)

    def close(self) -> None:
        for stream in list(self._streams):
            stream.close()


class _Stream(Iterator[bytes]):
    """The pieces of one answer.

    ``skip`` bytes are dropped first, ``wanted`` (None: all) come out; ``span`` is how many a range must have.
    """

    def __init__(
        self, reader: HttpReader, reply: Reply, skip: int, wanted: int | None, span: int | None
    ) -> None:
        self._reader = reader
        self._reply = reply
        self._skip = skip
        self._wanted = wanted
        self._span = span
        self._over = False

    def __next__(self) -> bytes:
        while not self._over:
            if self._wanted == 0:
                self._settle()
                break
            try:
                piece = self._reply.read(PIECE)
                if not piece:
                    self._end()
                    break
            except BaseException:
                self.close()
                raise
            dropped = min(self._skip, len(piece))
            self._skip -= dropped
            piece = piece[dropped:] if dropped else piece
            if self._wanted is not None:
                piece = piece[: self._wanted]
                self._wanted -= len(piece)
                if self._wanted == 0:
                    self._settle()
            if piece:
                return piece
        raise StopIteration

    def _settle(self) -> None:
        """End a stream that has all it wanted."""
        self.close()

    def _end(self) -> None:
        """End a stream whose body ended; it must not have been short."""
        body = self._reply.body
        if self._span is not None and body.got != self._span:
            raise Corrupt(f"{self._reply.where}: the range has {body.got} bytes, not {self._span}")
        if self._span is not None and self._wanted:
            raise Unavailable(f"{self._reply.where}: the server sent less than the range asked for")
        if self._span is None and body.proven:
            known = self._reader._info
            if known is not None:
                self._reader.learn(replace(known, size=body.got))
        self.close()

    def close(self) -> None:
        self._over = True
        self._reader._streams.discard(self)
        self._reply.finish()


def described(ref: str, reply: Reply, size: int | None) -> Info:
    """Give what the head of an answer says of the image.

    The version is a strong entity tag, or else the date of the last change; a weak tag says nothing about bytes.
    """
    tag, date = reply.field("ETag"), reply.field("Last-Modified")
    modified = None
    if date is not None:
        try:
            modified = parsedate_to_datetime(date).timestamp()
        except (ValueError, OverflowError, TypeError):
            date = None
    version = None
    if tag is not None and len(tag) >= 2 and tag[0] == tag[-1] == '"' and tag.isprintable():
        version = tag
    elif date is not None:
        version = f"modified {date}"
    return Info(ref, size, version, None, modified)


def failed(reply: Reply) -> Exception:
    """Finish with an answer that brings no image, and make its error."""
    reply.drop()
    return refusal(reply.status, reply.where, reply.field("Retry-After"))


def total(reply: Reply) -> int | None:
    """Give the size of the whole image by the Content-Range of an answer."""
    match = _RANGE.fullmatch(reply.field("Content-Range") or "")
    return None if match is None or match[3] == "*" else int(match[3])


def _span(reply: Reply, offset: int, length: int | None) -> tuple[int, int, int | None]:
    """Read the Content-Range of a 206; Corrupt unless it begins where it was asked to, and lies within."""
    match = _RANGE.fullmatch(reply.field("Content-Range") or "")
    if match is None or match[1] is None:
        raise Corrupt(f"{reply.where}: the server sent a range without saying which")
    first, last, size = int(match[1]), int(match[2]), total(reply)
    if (
        first != offset
        or last < first
        or (length is not None and last >= offset + length)
        or (size is not None and last >= size)
        or reply.body.length not in (None, last - first + 1)
    ):
        raise Corrupt(f"{reply.where}: the server sent another range than it was asked for")
    return first, last, size


def _refuse_coding(reply: Reply) -> None:
    codings = {
        part.strip().lower()
        for value in reply.headers.get_all("Content-Encoding", [])
        for part in str(value).split(",")
    }
    if codings - {"", "identity"}:
        raise Unsupported(
            f"{reply.where}: the server compresses although it was asked not to; "
            "these are not the bytes of the image"
        )
