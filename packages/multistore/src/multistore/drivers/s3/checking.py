"""Trying out everything that an upload needs, on objects that are removed again."""

from __future__ import annotations

import contextlib

from multistore.drivers.s3.multipart import MultipartUpload
from multistore.drivers.s3.objects import Bucket, version_of
from multistore.drivers.s3.refs import HIDDEN, new_token
from multistore.errors import Misconfigured

__all__ = ["try_out"]

_WHAT = "trying the bucket"


def try_out(bucket: Bucket) -> None:
    """Write, look, write again, read, list, begin an upload in parts, remove: Misconfigured names the wrong setting."""
    key = f"{bucket.settings.prefix}{HIDDEN}check-{new_token(bucket.name, 'check').id}"
    fields = {**bucket.made_with, **bucket.own_key}
    made = bucket.with_bucket(
        lambda: bucket.ask("put_object", key, _WHAT, Body=b"multistore", **fields)
    )
    try:
        bucket.head(key, _WHAT)
        answer = bucket.ask("get_object", key, _WHAT, Range="bytes=0-3", **bucket.own_key)
        with contextlib.closing(answer["Body"]) as body:
            if body.read() != b"mult":
                raise Misconfigured(
                    "the server gives back other bytes than were written", setting="endpoint"
                )
        bucket.client.ask("list_objects_v2", _WHAT, Bucket=bucket.name, Prefix=key, MaxKeys=1)
        _learn(bucket, key)
        _begin_parts(bucket)
    finally:
        bucket.remove(key, _WHAT, version_of(made))


def _learn(bucket: Bucket, key: str) -> None:
    """Find out whether the server refuses to replace an object; Misconfigured if it was relied on and does not."""
    conditions = bucket.conditions
    if conditions.setting == "never":
        return
    bucket.learn(key, _WHAT)
    if conditions.setting == "always" and not conditions.single:
        raise Misconfigured(
            "the server replaces objects although it was told not to", setting="conditional_writes"
        )


def _begin_parts(bucket: Bucket) -> None:
    """Begin an upload in parts, send one and remove all."""
    upload = MultipartUpload(bucket, f"{bucket.settings.prefix}{HIDDEN}check", "")
    try:
        upload.start({})
        upload.write_part(0, 0, b"multistore")
    finally:
        upload.abort()
