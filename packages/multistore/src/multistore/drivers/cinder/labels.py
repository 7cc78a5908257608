"""What is written beside a volume, and what that says of it.

A volume is an image when it has the key ``glance_image_id`` and not the key of an unfinished upload.
Cinder itself makes a volume an image as well: it names the volume, gives it ``image_owner``, tells Glance of it, and gives it
``glance_image_id`` last.
``glance_image_id``, ``image_size`` and ``image_owner`` are the interface's, for Cinder and operators; the rest is ours.
"""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from multistore.drivers.cinder.refs import CinderRef, Token, image_named
from multistore.model import Info

__all__ = ["GIB", "Volume", "final", "gone", "gib_of", "info_of", "is_of", "nonce_of", "unfinished"]

GIB = 1 << 30
_IMAGE, _SIZE, _OWNER = "glance_image_id", "image_size", "image_owner"
#: The upload that made an image, and the one that is still at it; the value is its nonce.
_DONE, _UNFINISHED = "multistore_upload", "multistore_unfinished"
_WANTED = "multistore_image"
#: The name of the store, where several are in one project.
_STORE = "multistore_store"
_LABEL = "label."
_KEY = re.compile(r"[a-zA-Z0-9\-_:. ]{1,200}")  # what Cinder's schema lets through
_LONGEST = 255
#: Databases keep characters up to this one.
_HIGHEST = "\uffff"
_GONE = ("deleting", "error_deleting")


@dataclass(frozen=True, slots=True)
class Volume:
    """What Cinder says of a volume; ``size`` is in GiB."""

    id: str
    name: str
    status: str
    size: int
    metadata: Mapping[str, str]
    type: str | None = None
    created: str | None = None
    attached: bool = False
    updated: str | None = None

    @property
    def image(self) -> str | None:
        """The name of the image that this volume is; None if it is none, or not yet, or not any more."""
        if _UNFINISHED in self.metadata or self.status in _GONE:
            return None
        if _IMAGE not in self.metadata and _OWNER in self.metadata:
            return image_named(self.name)
        return self.metadata.get(_IMAGE)

    @property
    def image_size(self) -> int:
        """The size of the image in bytes; what is not recorded is the volume's."""
        text = self.metadata.get(_SIZE, "")
        return int(text) if text.isdecimal() else self.size * GIB

    @property
    def token(self) -> Token | None:
        """The token of an upload that is unfinished, or of an image whose deletion failed."""
        nonce = self.metadata.get(_UNFINISHED)
        if nonce is None and self.status == "error_deleting":
            nonce = self.metadata.get(_DONE)
        return Token(self.id, nonce) if nonce and self.status != "deleting" else None

    @property
    def wanted(self) -> str | None:
        """The name that an unfinished upload is to have."""
        return self.metadata.get(_WANTED) or self.metadata.get(_IMAGE)

    @property
    def started(self) -> float | None:
        """When it was made, in seconds since the epoch, by Cinder's clock."""
        return _seconds(self.created)

    @property
    def changed(self) -> float | None:
        """When it changed its state for the last time, by the same clock."""
        return _seconds(self.updated or self.created)


def _seconds(stamp: str | None) -> float | None:
    try:
        text = (stamp or "").partition(".")[0]
        return float(calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%S")))
    except ValueError:
        return None


def unfinished(name: str, nonce: str, store: str | None) -> dict[str, str]:
    """Give the labels of a volume that is being written."""
    return {_UNFINISHED: nonce, _WANTED: name, **_store(store)}


def _store(store: str | None) -> dict[str, str]:
    return {} if store is None else {_STORE: store}


def is_of(volume: Volume, store: str | None, volume_type: str | None) -> bool:
    """Say whether a volume is a store's: of its type, if it has one, and of its name, if both say one."""
    whose = volume.metadata.get(_STORE)
    named = store is None or whose is None or whose == store
    return named and volume_type in (None, volume.type)


def final(
    volume: Volume, name: str, size: int, owner: str, labels: Mapping[str, str]
) -> dict[str, str]:
    """Give the labels of an image in the place of those of its upload; of the caller's, those that Cinder can keep."""
    kept = {
        _LABEL + key: value
        for key, value in labels.items()
        if _KEY.fullmatch(key) and len(value) <= _LONGEST and max(value, default="") <= _HIGHEST
    }
    ours = {_IMAGE: name, _SIZE: str(size), _OWNER: owner, _DONE: nonce_of(volume) or ""}
    return {**kept, **ours, **_store(volume.metadata.get(_STORE))}


def nonce_of(volume: Volume) -> str | None:
    """Give the number of the upload that made, or makes, a volume."""
    return volume.metadata.get(_UNFINISHED) or volume.metadata.get(_DONE)


def gone(volume: Volume) -> bool:
    """Say whether a volume is being deleted."""
    return volume.status in _GONE


def gib_of(size: int) -> int:
    """Give the GiB that hold so many bytes; a volume has at least one."""
    return max(1, -(-size // GIB))


def info_of(volume: Volume, ref: str | None = None, store: str | None = None) -> Info:
    """Describe an image; a volume's number is never used again, so it is the version too."""
    text = ref or str(CinderRef(volume.id, store))
    return Info(text, volume.image_size, volume.id, volume.image, volume.started)
