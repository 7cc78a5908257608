"""Detaching what a killed process of this host has left attached: its attachment, its device and its mount."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from multistore.drivers.cinder.errors import guard
from multistore.drivers.cinder.mounts import sweep_mounts
from multistore.errors import InUse, StoreError

if TYPE_CHECKING:
    from multistore.drivers.cinder.holds import Holds
    from multistore.drivers.cinder.service import Service

__all__ = ["detach_left", "forget_strays"]

LOG = logging.getLogger(__name__)

_BEGUN = ("reserved", "attaching", "error_attaching")
#: A living host completes what it has begun in less than so many seconds, as a rule.
_COMPLETION = 3.0


def detach_left(
    service: Service, holds: Holds, volume_id: str, then: Callable[[], None] | None = None
) -> bool:
    """Remove what a killed process of this host has left attached; False if a living one uses the volume.

    ``then`` is done before anybody of this host can attach it again.
    """
    key = f"volume-{volume_id}"
    with holds.guard(key):
        known = holds.known(key)
        hold = holds.hold(key)
        if not hold.alone():
            hold.drop(remove=False)
            return False
        try:
            note = hold.read()
            if note.get("attachment"):
                _disconnect_left(service, holds, str(note["attachment"]), note.get("device"))
                service.detach(str(note["attachment"]))
            elif note.get("intent"):
                forget_strays(service, volume_id, note)
            if then is not None:
                then()
        except BaseException:
            hold.drop(remove=not known)  # the file says that this host has used the volume
            raise
        hold.drop(remove=True)
        return True


def _disconnect_left(service: Service, holds: Holds, attachment_id: str, device: object) -> None:
    """Remove the device, or the mount, that a killed process has left; a handle has gone with its process."""
    found = service.attachment(attachment_id)
    protocol = str(found.info.get("driver_volume_type", "")) if found else ""
    if protocol == "nfs":
        sweep_mounts(holds, service.settings.root_helper, service.settings.mount_base)
    if found is None or protocol in ("", "nfs"):
        return
    nested = found.info.get("data")
    data = dict(nested) if isinstance(nested, dict) else dict(found.info)
    path = {"type": "block", "path": device} if device else None
    try:
        with guard(f"disconnecting what attachment {attachment_id} was for"):
            connector = service.sdk.connector(service.settings, protocol, dict(found.info))
            connector.disconnect_volume(data, path, force=True)
    except StoreError as error:
        LOG.warning("%s", error)


def forget_strays(service: Service, volume_id: str, note: Mapping[str, Any]) -> None:
    """Remove an attachment that this host has begun, and whose number is lost, for the answer with it was.

    Cinder does not say whose an attachment is. Of a volume that is written they are all its writer's, for no other host
    attaches it. Of another one it is the only one that was not there ``before``, as the note says, and that nobody
    completes. InUse if there are several: they are left alone.
    """
    before = note.get("before")
    new = _begun(service, volume_id, before or ())
    if before is not None and new:
        time.sleep(_COMPLETION)
        new &= _begun(service, volume_id, before)
        if len(new) > 1:
            raise InUse(
                f"the volume {volume_id} has attachments that were begun and are not completed, of which one may be of"
                f" this host, and others of other hosts: {', '.join(sorted(new))}; if they stay, remove them with"
                " 'cinder attachment-delete'"
            )
    for each in sorted(new):
        service.detach(each)


def _begun(service: Service, volume_id: str, before: Iterable[str]) -> set[str]:
    found = service.attachments(volume_id)
    return {each.id for each in found if each.status in _BEGUN}.difference(before)
