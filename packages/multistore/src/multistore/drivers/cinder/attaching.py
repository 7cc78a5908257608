"""Attaching a volume to this host, and detaching it again.

All processes of a host share one attachment of a volume: the first one makes it, others join by its number, which a lock
file tells, and the last one removes it.
So several can read a volume that Cinder would attach only once, and a killed process leaves nothing that the next one
does not find; ``abandoned`` removes it where there is no next one.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from multistore.drivers.cinder.abandoned import forget_strays
from multistore.drivers.cinder.connecting import Connection, protocol_of
from multistore.drivers.cinder.holds import Hold, Holds
from multistore.errors import (
    AccessDenied,
    InUse,
    NoSpace,
    NotFound,
    RateLimited,
    StoreError,
    Unauthenticated,
    Unavailable,
    Unsupported,
)

if TYPE_CHECKING:
    from multistore.drivers.cinder.devices import Device
    from multistore.drivers.cinder.service import Attachment, Service

__all__ = ["Attached", "attach"]

LOG = logging.getLogger(__name__)

#: Pauses between attempts to attach what somebody else holds, those of the OpenStack interface; the last one again and again.
_PAUSES = (2.0, 4.0, 8.0, 10.0)
#: After these there is surely no attachment of ours.
_REFUSED = (InUse, AccessDenied, NotFound, NoSpace, RateLimited, Unauthenticated, Unsupported)


class Attached:
    """A volume that is attached to this host, and open; ``free`` says that just now it had no attachment."""

    def __init__(
        self, service: Service, holds: Holds, volume_id: str, *, writing: bool, free: bool = False
    ) -> None:
        self.volume_id = volume_id
        self.writing = writing
        self._free = free
        self._service = service
        self._holds = holds
        self._what = f"the volume {volume_id}"
        self._key = f"volume-{volume_id}"
        self._hold: Hold | None = None
        self._attachment: Attachment | None = None
        self._asked = False  # for an attachment, and there is no answer yet
        self.connection = Connection(service, holds, self._what, writing=writing)

    @property
    def device(self) -> Device:
        """The bytes; Unavailable once it is detached."""
        return self.connection.device

    @property
    def is_open(self) -> bool:
        """Whether there are bytes to read and write."""
        return self.connection.is_open

    @property
    def protocol(self) -> str:
        """How the volume is reached: rbd, nfs, iscsi."""
        return protocol_of(self._attachment) if self._attachment else ""

    # -- attaching ---------------------------------------------------------------------------

    def claim(self) -> None:
        """Lock all others of this host out, before there is an attachment."""
        # In the guard, or whoever sweeps may remove the file before it is locked.
        with self._holds.guard(self._key):
            hold = self._holds.hold(self._key)
            if not hold.alone():
                hold.drop(remove=False)
                raise InUse(f"{self._what} is in use by another process of this host")
            self._hold = hold

    def open(self) -> None:
        """Attach, connect and open; whatever it raises, it leaves nothing behind but the claim.

        What Cinder refuses because of somebody else is tried again after pauses, in which the guard is free: it serves
        other volumes as well, and another process of this host may be the one that succeeds.
        """
        attempts = self._service.settings.attach_attempts
        for number in range(attempts - 1):
            try:
                return self._open()
            except InUse:
                if not self._asked:
                    raise
            time.sleep(_PAUSES[min(number, len(_PAUSES) - 1)])
        return self._open()

    def _open(self) -> None:
        with self._holds.guard(self._key):
            claimed = self._hold
            hold = claimed or self._holds.hold(self._key)
            alone = claimed is not None or hold.alone()
            if not alone and not hold.share():
                hold.drop(remove=False)
                raise InUse(f"{self._what} is being written by another process of this host")
            self._hold, self._asked = hold, False
            try:
                fresh = self._make_or_join(hold, alone)
                self.connection.open(self._attached, hold)
                if fresh:
                    self._service.complete(self._attached.id)
                if claimed is None:
                    hold.share()
            except BaseException as error:
                self._give_back(error, alone, keep=claimed is not None)
                raise

    def _make_or_join(self, hold: Hold, alone: bool) -> bool:
        """Find the attachment of this host, or make one; True if it is still to be completed."""
        note = hold.read()
        known = note.get("attachment")
        if known:
            found = self._service.attachment(str(known))
            if found is not None and found.info and not self.writing:
                self._attachment = found
                return found.status != "attached"
            if found is not None:
                self._service.detach(found.id)
        if not alone:
            raise Unavailable(f"{self._what} was detached from this host by somebody else")
        if note.get("intent"):
            try:
                forget_strays(self._service, self.volume_id, note)
            except InUse as error:
                LOG.warning("%s", error)
        # From now on a killed process leaves a sign that there may be an attachment of it.
        hold.write({"intent": True, "before": self._others()})
        self._asked = True
        mode = "rw" if self.writing else "ro"
        self._attachment = self._service.attach(self.volume_id, mode)
        self._asked = False
        hold.write({"attachment": self._attachment.id})
        return True

    def _others(self) -> list[str] | None:
        """Give the attachments that are there before one is made; None if nobody else may make any."""
        if self.writing:
            return None
        free, self._free = self._free, False
        return [] if free else [each.id for each in self._service.attachments(self.volume_id)]

    @property
    def _attached(self) -> Attachment:
        if self._attachment is None:
            raise Unavailable(f"{self._what} is not attached")
        return self._attachment

    # -- detaching ---------------------------------------------------------------------------

    def suspend(self) -> None:
        """Close, disconnect and detach, and keep the claim; idempotent."""
        with self._holds.guard(self._key):
            self._detach(last=True)

    def close(self) -> None:
        """Close, disconnect and detach, unless another process of this host uses the volume; idempotent."""
        if self._hold is None:
            return
        with self._holds.guard(self._key):
            hold = self._hold
            last = hold.alone()
            self._detach(last=last)
            self._hold = None
            hold.drop(remove=last)

    def leave(self) -> None:
        """Give up the claim as a killed process does: its file, and what it says, stay for whoever sweeps."""
        hold, self._hold = self._hold, None
        if hold is not None:
            hold.drop(remove=False)

    def _detach(self, *, last: bool) -> None:
        hold, made = self._hold, self._attachment
        self.connection.close(hold, last=last)
        # The note goes last: an attachment that cannot be removed now is found by it.
        if last and made is not None:
            self._service.detach(made.id)
            if hold is not None:
                hold.write({})
        elif last and hold is not None and (note := hold.read()).get("intent"):
            forget_strays(self._service, self.volume_id, note)
            hold.write({})
        self._attachment = None

    def _give_back(self, error: BaseException, alone: bool, *, keep: bool) -> None:
        """Undo an attachment that could not be completed; ``error`` is why."""
        hold = self._hold
        try:
            # Unless it was refused it may have been made, and its number lost: the note says so until that is settled.
            if self._asked and hold is not None and isinstance(error, _REFUSED):
                hold.write({})
            last = alone or (hold is not None and hold.alone())
            self._detach(last=last)
        except StoreError as trouble:
            error.add_note(f"an attachment of {self._what} may be left: {trouble}")
            last = False
        if not keep and hold is not None:
            self._hold = None
            hold.drop(remove=last and not hold.read())


def attach(service: Service, holds: Holds, volume_id: str, *, free: bool = False) -> Attached:
    """Attach a volume to this host for reading, and open it; ``free`` says that just now it had no attachment."""
    made = Attached(service, holds, volume_id, writing=False, free=free)
    made.open()
    return made
