"""What unfinished uploads leave, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from multistore.drivers.s3.marks import marks, remove_upload
from multistore.drivers.s3.objects import Bucket
from multistore.drivers.s3.refs import Token
from multistore.model import Pending, Stored

__all__ = ["discard", "pending", "published"]


def pending(bucket: Bucket) -> Iterator[Pending]:
    """List the uploads that are marked as ours, those of images that are sent in one request not among them."""
    prefix = bucket.settings.prefix
    for token, marked in marks(bucket):
        yield Pending(str(token), token.key.removeprefix(prefix), marked)


def published(bucket: Bucket, token: Token, ref: Callable[[str], str]) -> Stored | None:
    """Give the object that the upload of a token became, or None."""
    found = bucket.find(token.key, f"the object {token.key!r}")
    if found is None or found.made_by != token.id:
        return None
    return Stored(ref(token.key), found.size)


def discard(bucket: Bucket, token: Token) -> None:
    """Remove the parts and the mark of an upload; of one that was published there is only the mark to remove."""
    if token.upload:
        # An upload that was completed is none any more: aborting it is refused, and its object stays.
        remove_upload(bucket, token)
