"""Where consumers find the images: the metadata of new locations, from one JSON file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from glance_store import exceptions
from glance_store._drivers._directories import bad
from glance_store._metadata import check_location_metadata
from glance_store.i18n import _

__all__ = ["MULTI_FILESYSTEM_METADATA_SCHEMA", "entry_for", "read"]

#: What the file holds after a single object was put into an array, as a JSON schema; ``read`` checks this and more.
MULTI_FILESYSTEM_METADATA_SCHEMA: dict[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"id": {"type": "string"}, "mountpoint": {"type": "string"}},
        "required": ["id", "mountpoint"],
    },
}

_KEYS = ("id", "mountpoint")


def read(path: str) -> list[dict[str, Any]] | None:
    """Read the file; None if it has no entry, BadStoreConfiguration if it is not as it should be."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise bad(
            _("the metadata file %(path)s cannot be read: %(why)s") % {"path": path, "why": why}
        ) from error
    entries = found if isinstance(found, list) else [found]
    for entry in entries:
        if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) for key in _KEYS):
            raise bad(
                _(
                    "the metadata file %s must hold an object, or an array of objects, with the texts 'id' and 'mountpoint'"
                )
                % path
            )
        try:
            check_location_metadata(entry)
        except exceptions.BackendException as error:
            raise bad(
                _("the metadata file %(path)s: %(why)s") % {"path": path, "why": error}
            ) from error
    return entries or None


def entry_for(path: str, entries: Sequence[Mapping[str, Any]] | None) -> dict[str, Any] | None:
    """Give the entry with the longest mount point that holds ``path``; None if none does."""
    fitting = [entry for entry in entries or () if _holds(str(entry["mountpoint"]), path)]
    return dict(max(fitting, key=lambda entry: len(entry["mountpoint"]))) if fitting else None


def _holds(mountpoint: str, path: str) -> bool:
    """Say whether a path lies below a mount point; an empty one is that of every path."""
    if not mountpoint:
        return True
    place = os.path.normpath(mountpoint).rstrip("/") + "/"
    return os.path.normpath(path).startswith(place)
