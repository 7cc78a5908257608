"""Reaching the bytes of a volume that is attached to this host: its device, its file in an export, or Ceph's handle."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from typing import TYPE_CHECKING, Any

from multistore.drivers.cinder.devices import Device, HandleDevice, PathDevice
from multistore.drivers.cinder.errors import guard
from multistore.drivers.cinder.mounts import Mount, as_root, mount
from multistore.drivers.cinder.sdk import connect
from multistore.errors import AccessDenied, StoreError, Unavailable, Unsupported

if TYPE_CHECKING:
    from multistore.drivers.cinder.holds import Hold, Holds
    from multistore.drivers.cinder.service import Attachment, Service

__all__ = ["Connection", "protocol_of"]

LOG = logging.getLogger(__name__)

#: ScaleIO shows a size late, when a volume was attached and when it was extended.
_SIZE_PATIENCE, _SIZE_PAUSE = 20.0, 0.1


class Connection:
    """A volume's bytes on this host, from one ``open`` to the next ``close``; whose the volume is, others settle."""

    def __init__(self, service: Service, holds: Holds, what: str, *, writing: bool) -> None:
        self._service = service
        self._holds = holds
        self._what = what
        self._writing = writing
        self._connector: Any = None
        self._data: dict[str, Any] = {}
        self._found: Any = None
        self._mount: Mount | None = None
        self._device: Device | None = None

    @property
    def device(self) -> Device:
        """The bytes; Unavailable once it is detached."""
        if self._device is None:
            raise Unavailable(f"{self._what} is not attached any more")
        return self._device

    @property
    def is_open(self) -> bool:
        """Whether there are bytes to read and write."""
        return self._device is not None

    # -- opening -----------------------------------------------------------------------------

    def open(self, attachment: Attachment, hold: Hold) -> None:
        """Connect and open; what was opened before an exception goes with ``close``.

        The lock file says what a killed process leaves: a device, and the owner of a file that was made ours.
        """
        info = dict(attachment.info)
        nested = info.get("data")
        self._data = dict(nested) if isinstance(nested, dict) else info
        protocol = protocol_of(attachment)
        if not protocol:
            raise Unavailable(f"Cinder does not say how {self._what} is reached")
        if self._data.get("encrypted"):
            raise Unsupported(f"{self._what} is encrypted: choose a volume type without encryption")
        if protocol == "nfs":
            self._device = self._open_file(hold)
        else:
            self._device = self._open_device(protocol, info, hold)

    def _open_file(self, hold: Hold) -> Device:
        """Open the volume's file in its export; what is no raw image is refused, for reading and writing alike."""
        data, settings = self._data, self._service.settings
        if str(data.get("format") or "raw") != "raw":
            raise Unsupported(
                f"{self._what} is a file in the format {data['format']}, and only raw ones can be images"
            )
        name = str(data["name"])
        if os.path.basename(name) != name:
            raise Unsupported(f"Cinder names a file of {self._what} outside its export")
        self._mount = mount(self._holds, settings.root_helper, settings.mount_base, data)
        return self._open_path(os.path.join(self._mount.path, name), hold, zeroed=True)

    def _open_device(self, protocol: str, info: dict[str, Any], hold: Hold) -> Device:
        settings = self._service.settings
        with guard(f"connecting {self._what}"):
            self._connector = self._service.sdk.connector(settings, protocol, dict(info))
            self._found = connect(self._connector, self._data)
        path = self._found["path"]
        if not isinstance(path, str | bytes):
            return HandleDevice(path, self._what, settings.timeout)
        path = os.fsdecode(path)
        hold.write({**hold.read(), "device": path})
        return self._open_path(path, hold, zeroed=False)

    def _open_path(self, path: str, hold: Hold, *, zeroed: bool) -> Device:
        """Open it, made ours for as long as this host uses it if it is another user's."""
        try:
            return PathDevice(path, self._what, writing=self._writing, zeroed=zeroed)
        except AccessDenied:
            helper = self._service.settings.root_helper
            if not helper:
                raise
            status = os.stat(path)
            if status.st_uid == os.geteuid():
                raise
            hold.write({**hold.read(), "path": path, "owner": status.st_uid})
            as_root(helper, "chown", str(os.geteuid()), path)
        return PathDevice(path, self._what, writing=self._writing, zeroed=zeroed)

    # -- sizes -------------------------------------------------------------------------------

    def size(self, wanted: int) -> int:
        """Give the size in bytes; of a block device that is smaller, the size ``wanted`` is waited for."""
        device = self.device
        late = self._mount is None and not isinstance(device, HandleDevice)
        return self._size(wanted) if late else device.size()

    def _size(self, wanted: int) -> int:
        end = time.monotonic() + _SIZE_PATIENCE
        while (size := self.device.size()) < wanted and time.monotonic() < end:
            time.sleep(_SIZE_PAUSE)
        return size

    def resized(self, size: int) -> None:
        """See the new size of a volume that was extended while attached."""
        device = self.device
        if self._connector is not None and not isinstance(device, HandleDevice):
            with guard(f"seeing the new size of {self._what}"):
                self._connector.extend_volume(self._data)
        self._check(size, self._size(size))

    def grown(self, size: int) -> None:
        """See the new size of a volume that was extended while detached."""
        self._check(size, self.size(size))

    def _check(self, size: int, seen: int) -> None:
        if seen < size:
            raise Unavailable(f"{self._what} was extended, and this host does not see it")

    # -- closing -----------------------------------------------------------------------------

    def close(self, hold: Hold | None, *, last: bool) -> None:
        """Close what is open here; the connection itself goes with the last user; idempotent."""
        device, self._device = self._device, None
        handle = isinstance(device, HandleDevice)
        if device is not None:
            device.close()
        connector, self._connector = self._connector, None
        if connector is not None and (last or handle):
            try:
                with guard(f"disconnecting {self._what}"):
                    connector.disconnect_volume(self._data, self._found, force=True)
            except StoreError as error:
                # Everything was flushed before: the attachment must not stay because of it.
                LOG.warning("%s", error)
        if last:
            self._restore_owner(hold)
        share, self._mount = self._mount, None
        if share is not None:
            share.release()

    def _restore_owner(self, hold: Hold | None) -> None:
        note = hold.read() if hold else {}
        helper = self._service.settings.root_helper
        if note.get("path") and helper and os.path.exists(str(note["path"])):
            with contextlib.suppress(StoreError):
                as_root(helper, "chown", str(int(note["owner"])), str(note["path"]))


def protocol_of(attachment: Attachment) -> str:
    """Say how a volume is reached: rbd, nfs, iscsi; nothing if Cinder does not tell."""
    return str(attachment.info.get("driver_volume_type", ""))
