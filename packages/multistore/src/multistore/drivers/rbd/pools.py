"""One pool: its I/O context, and looks into it that cost one request.

Opening an image takes ten requests, so what is asked often is asked as librbd itself does: the object ``rbd_id.NAME``
holds the image's number, and the methods of its header tell of its snapshots.
"""

from __future__ import annotations

import contextlib
import errno
import json
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from multistore.errors import Unavailable

if TYPE_CHECKING:
    from multistore.drivers.rbd.cluster import Connection

__all__ = ["Pool"]

_ID = "rbd_id."
_DIRECTORY = "rbd_directory"
_HEAD = 4  # bytes of the length that stands before a text


class Pool:
    """The I/O context of a pool, shared by all threads."""

    def __init__(self, connection: Connection, name: str, number: int) -> None:
        self.connection = connection
        self.name = name
        self.number = number
        self.io: Any = connection.rados.open_ioctx(name)
        # Without this, requests to a full pool wait until there is room again.
        self.io.set_osdmap_full_try()

    def close(self) -> None:
        """Close the I/O context."""
        self.io.close()

    def after_callbacks(self, done: Callable[[], None]) -> None:
        """Call ``done`` once the library's callbacks that run now have returned; it makes them one after the other."""
        try:
            self.io.aio_stat(_DIRECTORY, lambda *_: done())  # whatever the answer is
        except self.connection.sdk.rados.Error:
            done()

    def exists(self) -> bool:
        """Say whether this very pool is still there."""
        with contextlib.suppress(self.connection.sdk.rados.Error):
            return bool(self.connection.rados.pool_lookup(self.name) == self.number)
        return True

    # -- looks ---------------------------------------------------------------------------------

    def image_id(self, name: str) -> str | None:
        """Give the number of the image that has this name; None if there is none."""
        data = self._object(_ID + name)
        if data is None:
            return None
        if data[:_HEAD] != _text(data[_HEAD:].decode(errors="replace"))[:_HEAD]:
            raise Unavailable(f"the pool {self.name!r} has a damaged entry for the image {name!r}")
        return data[_HEAD:].decode(errors="replace")

    def taken(self, name: str) -> bool:
        """Say whether there is an image of this name, of the old format too."""
        return self.image_id(name) is not None or self._object(f"{name}.rbd") is not None

    def _object(self, name: str) -> bytes | None:
        with self.connection.guard(f"the pool {self.name!r}", self):
            try:
                return bytes(self.io.read(name, 4096))
            except self.connection.sdk.rados.ObjectNotFound:
                if not self.exists():
                    raise
                return None

    def snapshots(self, image_id: str) -> tuple[int, ...] | None:
        """Give the numbers of an image's snapshots, the newest first; None if the image is gone."""
        data = self._ask(image_id, "get_snapcontext", b"")
        if data is None:
            return None
        _, count = struct.unpack_from("<QI", data)
        return struct.unpack_from(f"<{count}Q", data, 12)

    def snapshot(self, image_id: str, name: str) -> int | None:
        """Give the number of a snapshot; None if it, or the image, is gone."""
        for number in self.snapshots(image_id) or ():
            data = self._ask(image_id, "get_snapshot_name", struct.pack("<Q", number))
            if data is not None and data[_HEAD:] == name.encode():
                return number
        return None

    def size(self, image_id: str, snapshot: int) -> int | None:
        """Give the size of an image at a snapshot, in bytes; None if one of them is gone."""
        data = self._ask(image_id, "get_size", struct.pack("<Q", snapshot))
        return None if data is None else int(struct.unpack_from("<BQ", data)[1])

    def created(self, image_id: str) -> float | None:
        """Give the time when an image was begun, in seconds since the epoch; None if it is gone."""
        data = self._ask(image_id, "get_create_timestamp", b"")
        return None if data is None else float(struct.unpack_from("<I", data)[0])

    def _ask(self, image_id: str, method: str, arguments: bytes) -> bytes | None:
        """Ask the header of an image; None if there is no such image or snapshot."""
        with self.connection.guard(f"the pool {self.name!r}", self):
            try:
                _, data = self.io.execute(f"rbd_header.{image_id}", "rbd", method, arguments)
            except self.connection.sdk.rados.ObjectNotFound:
                if not self.exists():
                    raise
                return None
        return bytes(data)

    # -- names ---------------------------------------------------------------------------------
    #
    # A name stands in two places: the object rbd_id.NAME, by which images are opened, and the directory, by which they
    # are listed.  librbd's own rename looks whether a name is free and then takes it, so that two may win.

    def take_name(self, name: str, image_id: str) -> bool:
        """Let a name lead to an image, in one step; False if it is taken."""
        rados = self.connection.sdk.rados
        with self.connection.guard(f"the image {name!r}", self):
            try:
                with rados.WriteOpCtx() as operation:
                    operation.new(rados.LIBRADOS_CREATE_EXCLUSIVE)
                    operation.write_full(_text(image_id))
                    self.io.operate_write_op(operation, _ID + name)
            except rados.ObjectExists:
                return False
        return True

    def drop_name(self, name: str) -> None:
        """Let a name lead nowhere."""
        with (
            self.connection.guard(f"the image {name!r}", self),
            contextlib.suppress(self.connection.sdk.rados.ObjectNotFound),
        ):
            self.io.remove_object(_ID + name)

    def list_as(self, old: str, new: str, image_id: str) -> bool:
        """Rename an image in the directory; False if it does not stand there under its old name."""
        arguments = b"".join(_text(each) for each in (old, new, image_id))
        with self.connection.guard(f"the image {new!r}", self):
            try:
                self.io.execute(_DIRECTORY, "rbd", "dir_rename_image", arguments)
            except self.connection.sdk.rados.Error as error:
                number = abs(getattr(error, "errno", 0) or 0)
                if number in (errno.ENOENT, errno.ESTALE):
                    return False
                if number != errno.EEXIST or not self._drop_dangling(new, image_id):
                    raise
                self.io.execute(_DIRECTORY, "rbd", "dir_rename_image", arguments)
        return True

    def listed_as(self, image_id: str) -> str | None:
        """Give the name of an image in the directory; None if it does not stand there."""
        with self.connection.guard(f"the pool {self.name!r}", self):
            try:
                _, data = self.io.execute(_DIRECTORY, "rbd", "dir_get_name", _text(image_id))
            except self.connection.sdk.rados.ObjectNotFound:
                return None
        return bytes(data)[_HEAD:].decode(errors="replace")

    def _drop_dangling(self, name: str, image_id: str) -> bool:
        """Remove the entry of a name that led nowhere until it was given to this image."""
        _, data = self.io.execute(_DIRECTORY, "rbd", "dir_get_id", _text(name))
        other = bytes(data)[_HEAD:].decode(errors="replace")
        if other == image_id or self.image_id(name) != image_id:
            return False
        self.drop_entry(name, other)
        return True

    def drop_entry(self, name: str, image_id: str) -> None:
        """Remove an image from the directory; nothing happens if it does not stand there under this name."""
        with self.connection.guard(f"the image {name!r}", self):
            try:
                arguments = _text(name) + _text(image_id)
                self.io.execute(_DIRECTORY, "rbd", "dir_remove_image", arguments)
            except self.connection.sdk.rados.Error as error:
                if abs(getattr(error, "errno", 0) or 0) not in (errno.ENOENT, errno.ESTALE):
                    raise

    # -- the whole -----------------------------------------------------------------------------

    def room(self) -> tuple[int, int] | None:
        """Give the bytes that are stored and those that still fit, by the cluster's last count.

        None for the seconds until a new pool is counted for the first time.
        """
        command = json.dumps({"prefix": "df", "detail": "detail", "format": "json"})
        with self.connection.guard(f"asking how full the pool {self.name!r} is", self):
            code, told, _ = self.connection.rados.mon_command(command, b"")
        if code:
            raise Unavailable(f"the cluster does not tell how full it is (error {-code})")
        for pool in json.loads(told)["pools"]:
            if pool["id"] == self.number:
                stats = pool["stats"]
                used, free = int(stats["stored"]), int(stats["max_avail"])
                quota = int(stats.get("quota_bytes", 0))
                return used, max(0, min(free, quota - used)) if quota else free
        return None


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<I", len(data)) + data
