"""Marks: an object without bytes beside each of our uploads in parts, and what can be told by it.

Neither the server's list of uploads nor an upload itself says who began it; a bucket may be shared, and nobody else's
upload must ever be aborted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from multistore.drivers.s3.objects import Bucket, version_of
from multistore.drivers.s3.refs import HIDDEN, Token, parse_token
from multistore.errors import NotFound, Unavailable

__all__ = ["drop_unmarked", "listed", "mark_of", "marks", "remove_mark", "remove_upload"]

#: How often an abort is repeated while parts that were under way still arrive.
_ABORTS = 5
#: How many uploads a list has at the most, everywhere.
_PAGE = 1000


def mark_of(bucket: Bucket, token: Token) -> str:
    """Give the key of the mark of an upload."""
    return bucket.settings.prefix + HIDDEN + token.mark


def marks(bucket: Bucket, key: str | None = None) -> Iterator[tuple[Token, float | None]]:
    """List what is marked, all of it or for one key, with the time of the mark."""
    place = bucket.settings.prefix + HIDDEN
    wanted = (
        place if key is None else mark_of(bucket, Token(bucket.name, key, "", "")).rstrip("/") + "/"
    )
    for each in listed(bucket, wanted):
        token = parse_token(f"{bucket.name}/{str(each['Key']).removeprefix(place)}")
        if token is not None and token.upload:
            modified = each.get("LastModified")
            yield token, modified.timestamp() if modified is not None else None


def listed(bucket: Bucket, prefix: str, delimiter: str = "") -> Iterator[dict[str, Any]]:
    """List objects whose keys begin with a prefix."""
    what = f"the bucket {bucket.name!r}"
    more: dict[str, str] = {"Delimiter": delimiter} if delimiter else {}
    while True:
        answer = bucket.client.ask(
            "list_objects_v2", what, Bucket=bucket.name, Prefix=prefix, **more
        )
        yield from answer.get("Contents", ())
        if not answer.get("IsTruncated"):
            return
        more["ContinuationToken"] = answer["NextContinuationToken"]


def remove_mark(bucket: Bucket, token: Token, what: str) -> None:
    """Remove the mark of an upload, whether or not it is there."""
    key, version = mark_of(bucket, token), None
    if bucket.settings.delete_versions:
        try:
            version = version_of(bucket.ask("head_object", key, what))
        except NotFound:
            return
    bucket.remove(key, what, version)


def remove_upload(bucket: Bucket, token: Token) -> None:
    """Abort an upload until it has no part left, then remove its mark; what is gone already is no error."""
    what = f"the unfinished upload of {token.key!r}"
    for _ in range(_ABORTS):
        try:
            bucket.ask("abort_multipart_upload", token.key, what, UploadId=token.upload)
            # A part that was under way may have come in meanwhile.
            bucket.ask("list_parts", token.key, what, UploadId=token.upload, MaxParts=1)
        except NotFound:
            break
    else:
        raise Unavailable(f"{what}: parts still arrive after its abort")
    remove_mark(bucket, token, what)


def drop_unmarked(bucket: Bucket, key: str) -> None:
    """Abort the uploads of a key that have neither mark nor part: the reply to their beginning was lost.

    One of somebody else's that is just being begun may be among them: it then fails and may be begun again.
    """
    what = f"the uploads of {key!r}"
    begun = list(_uploads(bucket, key, what))
    known = {token.upload for token, _ in marks(bucket, key)}
    for upload in begun:
        if upload in known:
            continue
        parts = bucket.ask("list_parts", key, what, UploadId=upload, MaxParts=1)
        if not parts.get("Parts"):
            bucket.ask("abort_multipart_upload", key, what, UploadId=upload)


def _uploads(bucket: Bucket, key: str, what: str) -> Iterator[str]:
    """List the server's uploads of a key; in Ceph's gateway those of longer ones may come before them."""
    more: dict[str, Any] = {}
    while True:
        answer = bucket.client.ask(
            "list_multipart_uploads", what, Bucket=bucket.name, Prefix=key, MaxUploads=_PAGE, **more
        )
        for each in answer.get("Uploads", ()):
            if each["Key"] == key:
                yield str(each["UploadId"])
        if not answer.get("IsTruncated"):
            return
        more = {
            "KeyMarker": answer["NextKeyMarker"],
            "UploadIdMarker": answer["NextUploadIdMarker"],
        }
