"""What unfinished uploads and deletions leave, found by its marks."""

from __future__ import annotations

from collections.abc import Iterator

from multistore.drivers.swift.container import Container
from multistore.drivers.swift.refs import Token, marked
from multistore.drivers.swift.removal import remove_segments
from multistore.model import Pending, Stored

__all__ = ["discard", "pending", "published"]


def pending(container: Container) -> Iterator[Pending]:
    """List the uploads that are marked; images that are one object are sent at once, and are not among them."""
    for each in container.entries():
        token = marked(container.name, each.name)
        if token is not None:
            yield Pending(str(token), token.name, each.modified)


def published(container: Container, token: Token, ref: str) -> Stored | None:
    """Give the object that the upload of a token became, or None."""
    found = container.find(token.name, f"the object {token.name!r}")
    return None if found is None or found.made_by != token.id else Stored(ref, found.size)


def discard(container: Container, token: Token) -> None:
    """Remove the segments and the mark of an upload; of one that was published there is only the mark to remove.

    Its writer may live and be about to publish.  So the mark tells of the sweep before the last look for the image,
    as a writer looks for it after publishing: one of the two sees the other.
    """
    what = f"the unfinished upload of {token.name!r}"
    if _is_there(container, token, what):
        container.delete(token.mark, what)
        return
    container.sweep(token, what)
    if not _is_there(container, token, what):
        remove_segments(container, token)


def _is_there(container: Container, token: Token, what: str) -> bool:
    found = container.find(token.name, what)
    return found is not None and found.made_by == token.id
