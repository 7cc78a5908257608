"""Records as facts for programs, and verdicts as words for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from multistore.model import State

if TYPE_CHECKING:
    from multistore.catalog import ImageRecord

__all__ = ["MARKS", "facts_of"]

#: The marks that rclone's check made known.
MARKS = {
    State.INTACT: "=",
    State.CORRUPT: "*",
    State.SHORT: "*",
    State.MISSING: "-",
    State.UNVERIFIABLE: "?",
}


def facts_of(record: ImageRecord) -> dict[str, object]:
    """Give all that is on record of an image."""
    return {
        "name": record.name,
        "size": record.size,
        "digests": dict(record.digests),
        "created": record.created,
        "copies": {
            store: {
                "ref": copy.ref,
                "state": copy.state.value if copy.state else None,
                "proof": copy.proof,
                "verified": copy.verified,
                "proved": copy.proved,
            }
            for store, copy in record.copies.items()
        },
    }
