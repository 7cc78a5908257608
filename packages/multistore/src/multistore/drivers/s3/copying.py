"""Copies that the server makes, part by part, into an upload that is published like any other."""

from __future__ import annotations

from typing import Any

from multistore.drivers.s3.client import own_key
from multistore.drivers.s3.multipart import MultipartUpload
from multistore.drivers.s3.objects import Bucket, Head
from multistore.drivers.s3.settings import PARTS
from multistore.errors import AccessDenied, AlreadyExists, Corrupt, Unsupported

__all__ = ["copy_parts"]

#: How much the server copies within one request, in bytes: so much must be done within the time limit.
_PART = 256 << 20


def copy_parts(upload: MultipartUpload, source: Bucket, key: str, head: Head) -> None:
    """Fill an upload with the bytes of another object of this server, as long as that stays as it is."""
    pinned = head.version_id not in (None, "null")  # that one is none to name here for every server
    given: dict[str, Any] = {
        "CopySource": {"Bucket": source.name, "Key": key}
        | ({"VersionId": head.version_id} if pinned else {}),
        **own_key(source.settings, source=True),
    }
    if head.etag:
        given["CopySourceIfMatch"] = f'"{head.etag}"'
    size = max(_PART, -(-head.size // PARTS))
    for index, at in enumerate(range(0, head.size, size)):
        length = min(size, head.size - at)
        reach = {} if length == head.size else {"CopySourceRange": f"bytes={at}-{at + length - 1}"}
        try:
            upload.copy_part(index, at, length, given | reach)
        except AlreadyExists as error:  # 412
            raise Corrupt(
                f"the object {key!r} was changed while it was copied: copy it again"
            ) from error
        except AccessDenied as error:
            raise Unsupported("the keys of one store may not read the other's bucket") from error
