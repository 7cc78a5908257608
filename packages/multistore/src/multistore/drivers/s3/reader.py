"""Reading one object, in ranges, all of one version."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from multistore.driver import Reader
from multistore.drivers.s3.errors import code_of
from multistore.drivers.s3.objects import Bucket, etag_of
from multistore.errors import (
    AlreadyExists,
    Corrupt,
    Misconfigured,
    NotFound,
    StoreError,
    Unavailable,
    Unsupported,
)
from multistore.model import Info

__all__ = ["S3Reader"]

#: How many bytes are asked of the connection at once.
_PIECE = 1 << 20
#: How much the first request asks for where the size is asked first: what the core reads at once.
_FIRST = 8 << 20

_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", re.ASCII)
_EMPTY = re.compile(r"bytes \*/(\d{1,18})", re.ASCII)


class S3Reader(Reader):
    """Every read is a request of its own, and insists on the version that the first one saw.

    Reads run side by side once that one is answered.
    Whoever asks for the size first gets it with the first bytes, which the next read then takes.
    """

    def __init__(self, bucket: Bucket, key: str, ref: str, name: str) -> None:
        self._bucket = bucket
        self._key = key
        self._ref = ref
        self._name = name
        self._what = f"the object {key!r}"
        self._info: Info | None = None
        self._first: _Stream | None = None
        self._streams: set[_Stream] = set()
        self._asking = (
            threading.Lock()
        )  # for the version: whoever does not know it waits for who asks
        self._lock = threading.Lock()  # of what is above; never held while a server is asked

    @property
    def info(self) -> Info:
        if self._info is None:
            with self._asking:
                if self._info is None:
                    self._ask_first()
        assert self._info is not None  # noqa: S101 - for the type checker
        return self._info

    def _ask_first(self) -> None:
        """Learn the size with the first bytes, which are kept for the next read."""
        first = self._get(0, _FIRST)
        with self._lock:
            self._first = first
        if self._info is None:  # an empty object
            bucket = self._bucket
            self._learn(bucket.ask("head_object", self._key, self._what, **bucket.own_key))

    def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        if length == 0:
            return iter(())
        if self._info is None:
            with self._asking:
                if self._info is None:
                    return self._get(offset, length) or iter(())
        known = self._info
        if known.size is not None:
            rest = max(0, known.size - offset)
            length = rest if length is None else min(length, rest)
            if length == 0:
                return iter(())
        with self._lock:
            first, self._first = self._first, None
        if first is not None:
            if offset == 0 and first.left == length:
                return first
            first.close()
        return self._get(offset, length) or iter(())

    def _get(self, offset: int, length: int | None) -> _Stream | None:
        """Ask for a range; None if the object ends before it."""
        fields: dict[str, Any] = dict(self._bucket.own_key)
        whole = offset == 0 and (length is None or self._whole(length))
        if not whole:
            fields["Range"] = f"bytes={offset}-" + (
                "" if length is None else str(offset + length - 1)
            )
        if self._info is not None and self._info.version is not None:
            fields["IfMatch"] = f'"{self._info.version}"'
        if self._bucket.settings.verify_downloads:
            fields["ChecksumMode"] = "ENABLED"
        try:
            answer = self._bucket.ask("get_object", self._key, self._what, **fields)
        except AlreadyExists as error:  # 412
            raise Corrupt(
                f"{self._what} was changed while it was being read: read it again"
            ) from error
        except Misconfigured as error:
            if code_of(error) != "NoSuchBucket":
                raise
            told = f"{self._what}: the bucket {self._bucket.name!r} is not there"
            raise NotFound(told, what="container") from error
        except StoreError as error:
            if not whole and code_of(error) in ("InvalidRange", "416"):
                return None
            raise
        stream = _Stream(
            self, answer["Body"], _span(answer, offset, length, self._what, whole=whole)
        )
        try:
            self._learn(answer)
        except BaseException:
            stream.close()
            raise
        with self._lock:
            self._streams.add(stream)
        return stream

    def _whole(self, length: int) -> bool:
        return self._info is not None and self._info.size == length

    def _learn(self, answer: Mapping[str, Any]) -> None:
        """Take in what an answer says; Corrupt if it speaks of another version than the first one did."""
        modified = answer.get("LastModified")
        found = Info(
            self._ref,
            _total(answer),
            etag_of(answer) or None,
            self._name,
            modified.timestamp() if modified is not None else None,
        )
        with self._lock:
            known = self._info
            if known is None:
                self._info = known = found
        if (known.version, known.size) != (found.version, found.size):
            raise Corrupt(f"{self._what} was changed while it was being read: read it again")

    def close(self) -> None:
        with self._lock:
            self._first = None
            streams = list(self._streams)
        for stream in streams:
            stream.close()

    def _forget(self, stream: _Stream) -> None:
        with self._lock:
            self._streams.discard(stream)


class _Stream(Iterator[bytes]):
    """The pieces of one answer, ``left`` bytes of them still to come."""

    def __init__(self, reader: S3Reader, body: Any, left: int) -> None:
        self._reader = reader
        self._body = body
        self.left = left

    def __next__(self) -> bytes:
        if self.left == 0:
            self.close()
            raise StopIteration
        bucket, what = self._reader._bucket, self._reader._what
        try:
            with bucket.client.guard(what):
                piece: bytes = self._body.read(min(_PIECE, self.left))
        except BaseException:
            self.close()
            raise
        if not piece or len(piece) > self.left:
            self.close()
            raise Unavailable(f"{what}: the answer has another length than was announced")
        self.left -= len(piece)
        if self.left == 0:
            self._end()
        return piece

    def _end(self) -> None:
        """Read the end, so that checksums are compared and the connection can be used again."""
        try:
            with self._reader._bucket.client.guard(self._reader._what):
                extra = self._body.read(1)
        finally:
            self.close()
        if extra:
            raise Unavailable(f"{self._reader._what}: the answer has more than was announced")

    def close(self) -> None:
        """Release the connection; one that is not at its end is closed."""
        self.left = 0
        self._reader._forget(self)
        self._body.close()


def _total(answer: Mapping[str, Any]) -> int:
    found = _RANGE.fullmatch(str(answer.get("ContentRange") or ""))
    return int(found[3]) if found is not None else int(answer["ContentLength"])


def _span(
    answer: Mapping[str, Any], offset: int, length: int | None, what: str, *, whole: bool
) -> int:
    """Give how many bytes come; Corrupt unless they are those that were asked for."""
    announced = answer.get("ContentLength")
    if whole:
        return int(announced or 0)
    found = _RANGE.fullmatch(str(answer.get("ContentRange") or ""))
    if found is None:
        answer["Body"].close()
        raise Unsupported(f"{what}: the server does not serve ranges")
    first, last, size = (int(number) for number in found.groups())
    end = size if length is None else min(size, offset + length)
    if (first, last + 1) != (offset, end) or announced != last + 1 - first:
        answer["Body"].close()
        raise Corrupt(f"{what}: the server sent another range than it was asked for")
    return last + 1 - first
