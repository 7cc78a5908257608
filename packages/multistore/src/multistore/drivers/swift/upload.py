"""An image in segments, joined by a manifest that is written last."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from multistore.buffered import Identity
from multistore.driver import Upload
from multistore.drivers.swift.container import Container, md5_of
from multistore.drivers.swift.errors import unanswered
from multistore.drivers.swift.manifests import put_dynamic, put_static
from multistore.drivers.swift.refs import Token
from multistore.drivers.swift.removal import delete, remove_segments
from multistore.drivers.swift.transfer import Transfer
from multistore.drivers.swift.wire import Reply
from multistore.errors import (
    AlreadyExists,
    NoSpace,
    NotFound,
    SizeMismatch,
    StoreError,
    TimedOut,
    Unavailable,
)
from multistore.known import digest_of
from multistore.model import Stored

__all__ = ["Segment", "SegmentedUpload"]

#: A copy is answered when it is made.
_COPYING = 3600.0


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment that is stored: its name, its ETag and its size in bytes."""

    name: str
    etag: str
    size: int


class SegmentedUpload(Upload):
    """Segments under names that are no other upload's; before the manifest nothing shows them as an image.

    An empty object stands for the upload from the beginning, so that it is found if its writer dies.
    """

    def __init__(
        self,
        container: Container,
        token: Token,
        ref: str,
        labels: Mapping[str, str],
        *,
        static: bool,
    ) -> None:
        self.token = str(token)
        self._container = container
        self._token = token
        self._ref = ref
        self._labels = labels
        self._static = static
        self._what = f"the object {token.name!r}"
        self._segments: dict[int, Segment] = {}
        self._sent: set[str] = set()  # names of segments, whatever the answer was
        self._silent = False  # whether Swift may be about to store one of them
        self._unanswered = False  # whether the manifest may still appear
        self._stored: Stored | None = None
        self._ended = False
        self._lock = threading.Lock()
        self._transfer = Transfer(container.swift.identity)
        #: One segment is hashed at a time: all at once would leave Swift idle, and then wait for it together.
        self._hashing = threading.Lock()

    def start(self) -> None:
        """Leave the mark of an upload that has begun; it is no segment of the image."""
        self._transfer.begin()
        self._container.put(
            self._token.mark, self._what, b"", fields=self._container.made(self._token, {})
        )

    def forget(self) -> None:
        """End an upload of which Swift has taken nothing."""
        self._ended = True
        self._container.undo()
        self._transfer.end()

    def write_part(self, index: int, offset: int, data: bytes) -> None:
        """Store a segment; Swift compares the bytes with their digest before it takes them."""
        if self._ended:
            raise Unavailable(f"the upload of {self._token.name!r} is over")
        etag = digest_of(data, "md5") or self._md5_of(data)
        name = self._token.segment(index + 1)
        fields = {"Content-Type": "application/octet-stream", "ETag": etag}
        try:
            self._send(name, data, fields)
        except NoSpace as error:
            self._container.explain(len(data), error)
            raise
        self._segments[index] = Segment(name, etag, len(data))

    def _send(
        self, name: str, data: bytes, fields: Mapping[str, str], silence: float = 0.0
    ) -> Reply:
        self._sent.add(name)
        try:
            return self._container.put(name, self._what, data, fields=fields, silence=silence)
        except TimedOut as error:
            self._silent |= unanswered(error)  # a line that broke ends a request, silence does not
            raise

    def _md5_of(self, data: bytes) -> str:
        with self._hashing:
            return md5_of(data)

    def copy_part(self, index: int, source: str, size: int) -> None:
        """Let Swift copy an object of ``size`` bytes to a segment; ``source`` is its quoted path in the account."""
        name = self._token.segment(index + 1)
        fields = {"X-Copy-From": source, "X-Fresh-Metadata": "true", "Content-Length": "0"}
        reply = self._send(name, b"", fields, silence=_COPYING)
        etag = reply.fields.get("etag", "").strip('"')
        self._segments[index] = Segment(name, etag, size)

    def commit(self, size: int, digests: Mapping[str, str]) -> Stored:
        """Write the manifest, which must not replace an object."""
        with self._lock:
            if self._stored is None:
                stored = self._commit(size)
                self._confirm()
                self._stored = stored
                self._unmark()
                self._transfer.end()
            return self._stored

    def _commit(self, size: int) -> Stored:
        if self._ended:
            raise Unavailable(f"the upload of {self._token.name!r} is over")
        segments = [segment for _, segment in sorted(self._segments.items()) if segment.size]
        actual = sum(segment.size for segment in segments)
        if actual != size:
            raise SizeMismatch(expected=size, actual=actual)
        container, name = self._container, self._token.name
        found = None if container.swift.server.conditional else container.find(name, self._what)
        if found is None:
            try:
                self._publish(segments)
            except AlreadyExists:
                # Perhaps by this upload: the answer to an earlier attempt was lost.
                found = container.find(name, self._what)
                if found is None:
                    raise Unavailable(f"{self._what} came and went") from None
            else:
                return Stored(self._ref, size)
        return Identity(self._token.id, name, self._ref).settle(found, size)

    def _publish(self, segments: Sequence[Segment]) -> None:
        put = put_static if self._static else put_dynamic
        fields = self._container.made(self._token, self._labels)
        try:
            put(self._container, self._token, segments, fields)
        except StoreError as error:
            self._unanswered = unanswered(error)
            raise

    def _confirm(self) -> None:
        """Take the image back, of which nobody was told yet, if a sweep may have missed it and removes its segments."""
        container, token = self._container, self._token
        if container.lives(token, self._what):
            return
        found = container.find(token.name, self._what)
        if found is not None and found.made_by == token.id:
            delete(container, token.name, self._what, found)
        raise NotFound(f"{self._what} was taken for dead by a sweep, which removed its segments")

    def _unmark(self) -> None:
        # The image is published; a sweep finds a mark that is left.
        with contextlib.suppress(StoreError):
            self._container.delete(self._token.mark, self._what)

    def abort(self) -> None:
        """Remove the segments; of an image that is published, or may still be, nothing.

        The mark stays if a segment may still come, as its request was never answered: a sweep then finds it.
        """
        with self._lock:
            if self._ended or self._stored is not None:
                return
            found = self._container.find(self._token.name, self._what)
            if found is None and self._unanswered:
                error = Unavailable(
                    f"{self._what}: Swift has not answered for its manifest, which may still appear: sweep later"
                )
                error.final = True
                raise error
            if found is None or found.made_by != self._token.id:
                remove_segments(
                    self._container, self._token, self._sent, all_known=not self._silent
                )
                self._container.undo()
            self._ended = True
            self._transfer.end()
