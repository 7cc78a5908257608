"""An image that is sent in one request, when it is published."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Mapping
from typing import Any

from multistore.buffered import BufferedUpload, Identity
from multistore.drivers.s3.body import body_of
from multistore.drivers.s3.errors import code_of
from multistore.drivers.s3.objects import Bucket, Head, etag_of, version_of
from multistore.drivers.s3.refs import Token
from multistore.errors import Corrupt, Unsupported

__all__ = ["SingleUpload", "checked", "crc32_of"]


class SingleUpload(BufferedUpload):
    """One object, put by a request with every check that costs nothing."""

    def __init__(self, bucket: Bucket, token: Token, ref: str, labels: Mapping[str, str]) -> None:
        super().__init__(str(token), Identity(token.id, token.key, ref))
        self._bucket = bucket
        self._key = token.key
        self._fields = bucket.made(token, labels)
        self._what = f"the object {token.key!r}"
        self._versions: list[str | None] = []

    def _find(self) -> Head | None:
        return self._bucket.find(self._key, self._what)

    def _look(self) -> Head | None:
        return self._bucket.in_the_way(self._key, self._what, parts=False)

    def _refuses(self) -> bool | None:
        return self._bucket.conditions.single

    def _learned(self, *, refuses: bool) -> None:
        self._bucket.conditions.single = refuses
        if not refuses and self._bucket.settings.delete_versions and self._versions[0]:
            # Or it would come back when the second is deleted.
            self._bucket.remove(self._key, self._what, self._versions[0])

    def _send(self, data: bytes, digests: Mapping[str, str]) -> None:
        md5 = digests.get("md5")
        answer = self._bucket.with_bucket(lambda: self._put(data, md5))
        self._versions.append(version_of(answer))
        self._compare(answer, md5)

    def _put(self, data: bytes, md5: str | None) -> Any:
        bucket, conditions = self._bucket, self._bucket.conditions
        fields = {**self._fields, **checked(bucket, data, md5)}

        def put() -> Any:
            return bucket.ask(
                "put_object",
                self._key,
                self._what,
                Body=body_of(data),
                **fields,
                **conditions.fields,
            )

        try:
            return put()
        except Unsupported as error:
            if code_of(error) != "NotImplemented":
                raise
            conditions.refuse(error)
            return put()

    def _compare(self, answer: Mapping[str, Any], md5: str | None) -> None:
        """Hold the entity tag against the digest, where it is one: not with a key, and not on every server."""
        etag = etag_of(answer)
        plain = not self._bucket.encrypted
        encrypted = str(answer.get("ServerSideEncryption") or "").startswith("aws:")
        if md5 is None or not plain or encrypted or not _is_md5(etag) or etag == md5:
            return
        self._bucket.remove(self._key, self._what, version_of(answer))
        raise Corrupt(f"{self._what}: the server has other bytes than were sent; they were removed")


def checked(bucket: Bucket, data: bytes, md5: str | None = None) -> dict[str, str]:
    """Give what the server is to check a body by, beside the signature; a digest that is known costs nothing."""
    kind = bucket.settings.checksum
    if kind == "crc32":
        return {"ChecksumCRC32": crc32_of(data)}
    if md5 is not None and _is_md5(md5) and kind != "none":
        return {"ContentMD5": base64.b64encode(bytes.fromhex(md5)).decode()}
    if kind == "md5":
        digest = hashlib.md5(data, usedforsecurity=False).digest()
        return {"ContentMD5": base64.b64encode(digest).decode()}
    return {}


def crc32_of(data: bytes) -> str:
    """Give the checksum as the interface writes it."""
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def _is_md5(text: str) -> bool:
    return len(text) == 32 and all(letter in "0123456789abcdef" for letter in text)  # noqa: PLR2004
