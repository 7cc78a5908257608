"""An image that is sent in parts: an upload of the server's, with a mark beside it that says that it is ours."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Mapping
from typing import Any

from multistore.driver import Upload
from multistore.drivers.s3.body import body_of
from multistore.drivers.s3.errors import code_of
from multistore.drivers.s3.marks import drop_unmarked, mark_of, remove_mark, remove_upload
from multistore.drivers.s3.objects import Bucket, Head, etag_of
from multistore.drivers.s3.refs import Token, new_token
from multistore.drivers.s3.single import checked
from multistore.errors import (
    AccessDenied,
    AlreadyExists,
    Corrupt,
    NotFound,
    SizeMismatch,
    StoreError,
    TimedOut,
    Unavailable,
    Unsupported,
)
from multistore.known import digest_of
from multistore.model import Stored

__all__ = ["MultipartUpload"]

_CRC32 = "ChecksumCRC32"


class MultipartUpload(Upload):
    """Parts that the server joins at the commit.

    Neither the list of its uploads nor an upload says who began it, so an object of no bytes does: it is made right
    after the upload and removed right after it.
    """

    def __init__(self, bucket: Bucket, key: str, ref: str) -> None:
        self.token = ""
        self._bucket = bucket
        self._ref = ref
        self._what = f"the object {key!r}"
        self._token = new_token(bucket.name, key)
        self._parts: dict[int, dict[str, Any]] = {}
        self._sizes: dict[int, tuple[int, int]] = {}
        self._stored: Stored | None = None
        self._begun = False
        self._lost = False  # whether the server may have begun an upload whose number is not known
        self._ended = False
        self._lock = threading.Lock()  # a call that was given up may still run when it is repeated

    # -- begin -------------------------------------------------------------------------------

    def start(self, labels: Mapping[str, str]) -> None:
        """Begin the server's upload and mark it; after an exception only ``abort`` is allowed."""
        bucket, token = self._bucket, self._token
        fields = bucket.made(token, labels)
        if bucket.settings.checksum == "crc32":
            fields["ChecksumAlgorithm"] = "CRC32"
        try:
            answer = bucket.with_bucket(
                lambda: bucket.ask("create_multipart_upload", token.key, self._what, **fields)
            )
        except (Unavailable, TimedOut):
            self._lost = True
            with contextlib.suppress(StoreError):
                self._drop_lost()
            raise
        self._token = Token(token.bucket, token.key, str(answer["UploadId"]), token.id)
        self.token = str(self._token)
        self._begun = True
        bucket.ask("put_object", mark_of(bucket, self._token), self._what, Body=b"")

    def _drop_lost(self) -> None:
        drop_unmarked(self._bucket, self._token.key)
        self._lost = False

    # -- parts -------------------------------------------------------------------------------

    def write_part(self, index: int, offset: int, data: bytes) -> None:
        """Send one part, several of them side by side."""
        check = checked(self._bucket, data)
        body = body_of(data, digest_of(data, "sha256"))
        answer = self._send("upload_part", index, Body=body, **check, **self._bucket.own_key)
        self._keep(index, offset, len(data), etag_of(answer), check.get(_CRC32))

    def copy_part(self, index: int, offset: int, size: int, source: Mapping[str, Any]) -> None:
        """Have the server copy one part from another object."""
        answer = self._send("upload_part_copy", index, **source, **self._bucket.own_key)
        result = answer["CopyPartResult"]
        self._keep(index, offset, size, etag_of(result), result.get(_CRC32))

    def _send(self, operation: str, index: int, **parameters: Any) -> Any:
        if self._ended:
            raise Unavailable(f"the upload of {self._token.key!r} is over")
        return self._bucket.ask(
            operation,
            self._token.key,
            self._what,
            UploadId=self._token.upload,
            PartNumber=index + 1,
            **parameters,
        )

    def _keep(self, index: int, offset: int, size: int, etag: str, crc32: str | None) -> None:
        part = {"PartNumber": index + 1, "ETag": f'"{etag}"'}
        if crc32 is not None:
            part[_CRC32] = crc32
        with self._lock:
            self._parts[index] = part
            self._sizes[index] = (offset, size)

    # -- commit ------------------------------------------------------------------------------

    def commit(self, size: int, digests: Mapping[str, str]) -> Stored:
        """Have the parts joined by a request that must not replace an object."""
        with self._lock:
            if self._stored is None:
                self._stored = self._commit(size)
                with contextlib.suppress(StoreError):
                    self._unmark()  # published is published: what stays of the mark is swept
            return self._stored

    def _commit(self, size: int) -> Stored:
        if self._ended:
            raise Unavailable(f"the upload of {self._token.key!r} is over")
        if not self._parts:  # an empty image, whose size nobody knew
            answer = self._send("upload_part", 0, Body=b"", **self._bucket.own_key)
            self._parts[0] = {"PartNumber": 1, "ETag": f'"{etag_of(answer)}"'}
        self._refuse_holes(size)
        bucket, key = self._bucket, self._token.key
        if bucket.conditions.setting != "always":
            # Of a server that takes the condition it is not known that it heeds it here.
            found = bucket.in_the_way(key, self._what, parts=True)
            if found is not None:
                return self._proved(found, size)
        try:
            self._complete()
        except (AlreadyExists, NotFound) as error:
            # Perhaps by this upload: the reply to an earlier attempt was lost.
            found = bucket.find(key, self._what)
            if found is not None:
                return self._proved(found, size)
            if isinstance(error, NotFound):
                raise
            raise Unavailable(f"{self._what} came and went") from None
        try:
            found = bucket.head(key, self._what)
        except AccessDenied:
            # Keys that may write and not read: the server has checked each part, and says that it has joined them.
            return Stored(self._ref, size)
        return self._proved(found, size)

    def _refuse_holes(self, size: int) -> None:
        at = 0
        for _, (offset, length) in sorted(self._sizes.items()):
            if offset != at:
                raise SizeMismatch(f"a part is missing at {at}", expected=size, actual=at)
            at += length
        if at != size:
            raise SizeMismatch(expected=size, actual=at)

    def _complete(self) -> None:
        bucket, conditions = self._bucket, self._bucket.conditions
        parts = [part for _, part in sorted(self._parts.items())]

        def complete() -> None:
            bucket.ask(
                "complete_multipart_upload",
                self._token.key,
                self._what,
                UploadId=self._token.upload,
                MultipartUpload={"Parts": parts},
                **conditions.fields,
                **bucket.own_key,
            )

        try:
            complete()
        except Unsupported as error:
            if code_of(error) != "NotImplemented":
                raise
            conditions.refuse(error)
            complete()

    def _proved(self, found: Head, size: int) -> Stored:
        """See that the object is ours, and made of these very parts; it is removed if it is made of others."""
        if found.made_by != self._token.id:
            raise AlreadyExists(f"{self._what} is there already")
        wanted = self._expected_etag()
        # Some servers make them in a way of their own, and with a key any may.
        encrypted = self._bucket.encrypted or found.encrypted
        odd = encrypted or _shape(found.etag) != _shape(wanted)
        if found.size == size and (odd or found.etag == wanted):
            return Stored(self._ref, size)
        self._bucket.remove(self._token.key, self._what, found.version_id)
        raise Corrupt(
            f"{self._what}: the server joined other parts than were sent; they were removed"
        )

    def _expected_etag(self) -> str:
        """Give the tag of the whole: the digest of the parts' digests, and how many there are."""
        tags = [part["ETag"].strip('"') for _, part in sorted(self._parts.items())]
        try:
            joined = b"".join(map(bytes.fromhex, tags))
        except ValueError:
            return ""
        return f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(tags)}"

    # -- the end -----------------------------------------------------------------------------

    def abort(self) -> None:
        """Remove the parts, and nothing that was published."""
        with self._lock:
            if self._ended or self._stored is not None:
                return
            if self._lost:
                self._drop_lost()
            if self._begun:
                remove_upload(self._bucket, self._token)
            self._ended = True

    def _unmark(self) -> None:
        remove_mark(self._bucket, self._token, self._what)


def _shape(etag: str) -> tuple[int, str]:
    digest, _, count = etag.partition("-")
    return len(digest), count
