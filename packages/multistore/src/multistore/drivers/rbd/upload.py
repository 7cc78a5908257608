"""A hidden image that becomes an image of the store."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from multistore.driver import Upload
from multistore.drivers.rbd.connections import Leases
from multistore.drivers.rbd.images import OpenImage, open_image
from multistore.drivers.rbd.naming import publish
from multistore.drivers.rbd.pools import Pool
from multistore.drivers.rbd.refs import SNAPSHOT, RbdRef, Token, hidden_name
from multistore.drivers.rbd.removal import remove_hidden
from multistore.errors import NotFound, Unavailable
from multistore.model import Stored

__all__ = ["Layout", "RbdUpload"]

#: How images of unknown size grow: to this, then to the double, but by no more than the second at once.
_FIRST, _LARGEST_STEP = 64 << 20, 64 << 30
#: What labels are kept under; keys that begin with conf_ would be settings of the image.
_LABEL = "label."


@dataclass(frozen=True, slots=True)
class Layout:
    """How new images are made: object size as a power of two, features as bits, the pool of the data."""

    order: int
    features: int
    data_pool: str | None


class RbdUpload(Upload):
    """Written under a hidden name; the watch on it says that its writer lives.

    The commit makes the snapshot, protects it and gives the image its name, unless that is taken.
    """

    def __init__(self, leases: Leases, pool: str, name: str, layout: Layout) -> None:
        self.token = ""
        self._leases = leases
        self._pool = pool
        self._name = name
        self._layout = layout
        self._what = f"the image {name!r}"
        self._hidden = hidden_name(name)
        self._id = ""
        self._image: OpenImage | None = None
        self._size = 0
        self._growing = threading.Lock()
        self._lock = threading.Lock()  # a call that was given up may still run when it is repeated
        self._stored: Stored | None = None
        self._ended = False  # aborted for good

    # -- begin -------------------------------------------------------------------------------

    def start(self, pool: Pool, size: int) -> None:
        """Make the hidden image and open it; after an exception only ``abort`` is allowed."""
        connection, layout = pool.connection, self._layout
        with connection.guard(self._what, pool):
            connection.sdk.rbd.RBD().create(
                pool.io,
                self._hidden,
                size,
                order=layout.order,
                old_format=False,
                features=layout.features,
                data_pool=layout.data_pool,
            )
        self.adopt(pool)
        self._size = size

    def copy(self, pool: Pool, source: OpenImage) -> int:
        """Copy all of an open image, without its snapshots, to the hidden one, and give its size in bytes."""
        layout = self._layout
        with pool.connection.guard(self._what, pool), source.connection.guard(source.what):
            source.raw.copy(
                pool.io,
                self._hidden,
                features=layout.features,
                order=layout.order,
                data_pool=layout.data_pool,
            )
        self.adopt(pool)
        with pool.connection.guard(self._what, pool):
            self._size = int(self._opened().raw.size())
        return self._size

    def adopt(self, pool: Pool) -> None:
        """Open the hidden image for writing."""
        try:
            self._image = open_image(pool, self._what, name=self._hidden, writing=True)
        except NotFound as error:
            raise Unavailable(f"{self._what} was swept away as it was begun: try again") from error
        with pool.connection.guard(self._what, pool):
            self._id = str(self._image.raw.id())
        self.token = str(Token(self._pool, self._hidden, self._id))

    def label(self, labels: Mapping[str, str]) -> None:
        """Keep small texts beside the image."""
        image = self._opened()
        with image.connection.guard(self._what, image.pool):
            for key, value in labels.items():
                image.raw.metadata_set(_LABEL + key, value)

    # -- parts -------------------------------------------------------------------------------

    def write_part(self, index: int, offset: int, data: bytes) -> None:
        """Write a part, several of them side by side; the image grows as it must."""
        image = self._opened()
        with image.connection.guard(self._what, image.pool):
            end = offset + len(data)
            if end > self._size:
                self._grow(image, end)
            image.raw.write(data, offset)

    def _grow(self, image: OpenImage, end: int) -> None:
        with self._growing:
            if end > self._size:
                step = min(max(self._size, _FIRST), _LARGEST_STEP)
                size = max(end, self._size + step)
                image.raw.resize(size)
                self._size = size

    def _opened(self) -> OpenImage:
        if self._image is None:
            raise Unavailable(f"the upload of {self._name!r} is over")
        return self._image

    # -- commit ------------------------------------------------------------------------------

    def commit(self, size: int, digests: Mapping[str, str]) -> Stored:
        """Exact size, snapshot, protection, name: each step may be repeated, and finds what was done before."""
        with self._lock:
            if self._stored is None:
                self._stored = self._commit(size)
            # It is published: that it could not be closed in time is no failure of the put.
            with contextlib.suppress(Exception):
                self._close()
            return self._stored

    def _commit(self, size: int) -> Stored:
        image = self._opened()
        pool, raw, rbd = image.pool, image.raw, image.connection.sdk.rbd
        if pool.snapshots(self._id) is None:
            raise NotFound(f"the upload of {self._name!r} was removed by somebody")
        with image.connection.guard(self._what, pool):
            if self._size != size:
                raw.resize(size)
                self._size = size
            raw.flush()
            with contextlib.suppress(rbd.ImageExists):
                raw.create_snap(SNAPSHOT)
            with contextlib.suppress(rbd.ImageBusy):  # it is protected already
                raw.protect_snap(SNAPSHOT)
            # It stays open meanwhile, so that nobody takes it for left behind.
            self._publish(pool, self._name)
        return Stored(str(RbdRef(self._name, pool.name, image.connection.fsid, SNAPSHOT)), size)

    def _publish(self, pool: Pool, name: str) -> None:
        features = self._layout.features
        publish(pool, self._hidden, name, self._id, features=features, what=self._what)

    def rehearse(self) -> None:
        """Do all that a commit does, with a name that is no image's."""
        image = self._opened()
        with image.connection.guard("trying the pool", image.pool):
            image.raw.resize(4096)
            image.raw.write(b"multistore", 0)
            image.raw.create_snap(SNAPSHOT)
            image.raw.protect_snap(SNAPSHOT)
            other = hidden_name("check")
            self._publish(image.pool, other)
            self._hidden = other

    # -- the end -----------------------------------------------------------------------------

    def abort(self) -> None:
        """Remove the hidden image, and nothing that has its final name."""
        with self._lock:
            if self._ended or self._stored is not None:
                return
            self._close()
            # The connection of the upload may be broken: that may be why it is aborted.
            with self._leases.connection() as connection:
                pool = connection.pool(self._pool)
                self._id = self._id or pool.image_id(self._hidden) or ""
                if self._id and pool.image_id(self._name) != self._id:
                    remove_hidden(pool, self._hidden, self._id, self._what)
            self._ended = True

    def __del__(self) -> None:
        # Given up by a core that could not settle it: an image that stays open could never be swept.
        if self._image is not None:
            self._image.abandon()

    def _close(self) -> None:
        image = self._image
        if image is not None:
            image.close()
            self._image = None
