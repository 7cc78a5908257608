"""A volume that becomes an image: written, detached, made read-only, and labelled last."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from multistore.driver import Upload
from multistore.drivers.cinder import growth
from multistore.drivers.cinder.attaching import Attached
from multistore.drivers.cinder.labels import GIB, Volume, final, gib_of, gone, nonce_of
from multistore.drivers.cinder.refs import CinderRef, Token, new_nonce
from multistore.drivers.cinder.removal import QUIET, remove_unfinished
from multistore.errors import AlreadyExists, NotFound, Unavailable
from multistore.model import Stored

if TYPE_CHECKING:
    from multistore.drivers.cinder.holds import Holds
    from multistore.drivers.cinder.service import Service

__all__ = ["CinderUpload"]

#: The finest run of zeros that is left out of a volume that reads as zeros anyway, in bytes.
_GRAIN = 256 << 10
_ZEROS = bytes(_GRAIN)
#: Protocols whose volumes are known to grow while they are attached; what cannot, ends in an error that is final.
_GROWS = ("rbd",)
#: Those whose volumes never do: Cinder takes the request, and the volume ends as an error.
_STAYS = ("nfs",)


class CinderUpload(Upload):
    """Written to a volume with the label of an unfinished upload; the lock on it says that its writer lives.

    The commit replaces all labels at once, which makes the volume an image.
    """

    def __init__(
        self, service: Service, holds: Holds, name: str, labels: Mapping[str, str]
    ) -> None:
        self.token = ""
        self._service = service
        self._holds = holds
        self._name = name
        self._labels = dict(labels)
        self._nonce = new_nonce()
        self._volume_id = ""
        self._attached: Attached | None = None
        self._room = growth.Room(0)
        self._lock = threading.Lock()  # a call that was given up may still run when it is repeated
        self._grows_attached: bool | None = None
        self._flushed = False
        self._last_sign = 0.0  # Cinder has changed the volume's state for this writer after that
        self._stored: Stored | None = None
        self._ended = False

    # -- begin -------------------------------------------------------------------------------

    def start(self, size: int | None) -> None:
        """Make the volume, unless there is an image of the name, and attach it; then only ``abort`` after an exception."""
        volume = self._service.create(self._name, gib_of(size or 0), self._nonce)
        self._volume_id = volume.id
        self.token = str(Token(volume.id, self._nonce))
        self._attached = Attached(self._service, self._holds, volume.id, writing=True)
        self._attached.claim()  # whoever sweeps sees from now on that its writer lives
        self._service.making(volume)
        volume = self._service.wait(self._look, ("creating", "downloading"), ("available",))
        self._attached.open()
        size = volume.size * GIB
        self._room = growth.Room(min(size, self._attached.connection.size(size)))

    def copy(self, source: Volume) -> None:
        """Make the volume as a copy of another, inside Cinder; it is never attached."""
        self._last_sign = time.monotonic()
        volume = self._service.create(self._name, source.size, self._nonce, source.id)
        self._volume_id = volume.id
        self.token = str(Token(volume.id, self._nonce))
        self._attached = Attached(self._service, self._holds, volume.id, writing=True)
        self._attached.claim()
        self._service.wait(self._look, ("creating",), ("available",))
        self._flushed = True

    def _look(self) -> Volume:
        """Look at the own volume, and at all others of the name in the same request."""
        mine = None
        for each in self._service.named(self._name, self._volume_id):
            if each.id == self._volume_id:
                mine = each
            elif each.image == self._name and self._service.owns(each):
                raise AlreadyExists(f"the image {self._name!r} is there already, as {each.id}")
        if mine is None or gone(mine):
            raise NotFound(f"the upload of {self._name!r} was removed by somebody")
        return mine

    # -- parts -------------------------------------------------------------------------------

    def write_part(self, index: int, offset: int, data: bytes) -> None:
        """Write a part, several of them side by side; the volume grows as it must."""
        with self._room.up_to(offset + len(data), self._grow):
            device = self._opened().device
            if not device.zeroed:
                device.write(offset, data)
                return
            for start, end in _runs(data):
                whole = end - start == len(data)
                device.write(offset + start, data if whole else memoryview(data)[start:end])

    def _grow(self, end: int) -> int:
        attached, service = self._opened(), self._service
        gib = growth.next_size(self._room.size, end, service.settings.growth_limit)
        if self._grows_attached is None:
            how = service.settings.extend
            able = attached.protocol in _GROWS if how == "auto" else how == "attached"
            self._grows_attached = able and attached.protocol not in _STAYS
        if self._grows_attached:
            size = growth.grow_attached(service, attached, gib)
            if size is not None:
                return size
            if service.settings.extend == "attached":
                raise Unavailable(
                    f"the volume {self._volume_id} cannot be extended while it is attached: see the setting 'extend'"
                )
            self._grows_attached = False
        with self._room.closed():
            return growth.grow_detached(service, attached, gib)

    def _opened(self) -> Attached:
        if self._attached is None:
            raise Unavailable(f"the upload of {self._name!r} is over")
        return self._attached

    # -- commit ------------------------------------------------------------------------------

    def commit(self, size: int, digests: Mapping[str, str]) -> Stored:
        """Flush, detach, protect, label: each step may be repeated, and finds what was done before."""
        with self._lock:
            if self._stored is None:
                if self._ended or not self._volume_id:
                    raise Unavailable(f"the upload of {self._name!r} is over")
                self._stored = self._commit(size)
            attached, self._attached = self._attached, None
            if attached is not None:
                attached.close()  # the claim alone is left
            return self._stored

    def _commit(self, size: int) -> Stored:
        service = self._service
        stored = Stored(str(CinderRef(self._volume_id, service.settings.store)), size)
        attached = self._opened()
        if not self._flushed:
            attached.device.flush()
            self._flushed = True
            self._last_sign = time.monotonic()
        attached.suspend()
        # One writer of this host at a time: of two that commit the same name, the second one finds the first.
        with self._holds.guard(f"name-{self._name}"):
            self._publish(size)
        return stored

    def _publish(self, size: int) -> None:
        service = self._service
        volume = service.wait(self._look, ("detaching", "in-use"), ("available",))
        if volume.image is not None:
            if nonce_of(volume) != self._nonce:
                raise NotFound(f"the volume {volume.id} is another image now")
            return
        if time.monotonic() - self._last_sign > QUIET / 2:
            # Another host takes a volume that nobody touches for an abandoned one.
            self._last_sign = time.monotonic()
            service.touch(volume)
            volume = service.wait(self._look, (), ("available",))
        if volume.size * GIB < size:
            raise Unavailable(f"the volume {volume.id} has shrunk to {volume.size} GiB")
        service.protect(volume.id)
        labels = final(volume, self._name, size, service.owner(), self._labels)
        service.label(volume.id, labels)

    # -- the end -----------------------------------------------------------------------------

    def abort(self) -> None:
        """Detach and remove the volume, unless it is published."""
        with self._lock:
            if self._ended or self._stored is not None:
                return
            # The claim goes last: by the file of it, whoever sweeps this host knows what a killed process has left.
            if self._attached is not None:
                self._attached.suspend()
            remove_unfinished(self._service, self._name, self._volume_id, self._nonce)
            self._ended = True
            attached, self._attached = self._attached, None
            if attached is not None:
                attached.close()

    def leave(self) -> None:
        """Leave what could not be aborted to whoever sweeps this host: from now on it has no living writer."""
        attached, self._attached = self._attached, None
        self._ended = True
        if attached is not None:
            attached.leave()


def _runs(data: bytes) -> list[tuple[int, int]]:
    """Give the stretches that hold something."""
    found: list[tuple[int, int]] = []
    for at in range(0, len(data), _GRAIN):
        end = min(at + _GRAIN, len(data))
        whole = end - at == _GRAIN
        if data.startswith(_ZEROS, at) if whole else data.endswith(_ZEROS[: end - at]):
            continue
        if found and found[-1][1] == at:
            found[-1] = (found[-1][0], end)
        else:
            found.append((at, end))
    return found
