"""Making a volume larger while it is written: attached where the backend can, or else detached for a moment."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from multistore.drivers.cinder.labels import GIB, gib_of
from multistore.errors import InUse, NoSpace, StoreError, Unsupported

if TYPE_CHECKING:
    from multistore.drivers.cinder.attaching import Attached
    from multistore.drivers.cinder.labels import Volume
    from multistore.drivers.cinder.service import Service

__all__ = ["Room", "grow_attached", "grow_detached", "next_size"]

#: Through which states a volume comes to one in which it can be extended.
_MOVING = {
    "in-use": ("extending",),
    "available": ("extending", "detaching", "in-use", "attaching", "reserved"),
}


class Room:
    """How far a volume may be written; writers pass side by side, and whoever needs more room makes it alone."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._writers = 0
        self._growing = self._closed = False

    @contextlib.contextmanager
    def up_to(self, end: int, grow: Callable[[int], int]) -> Iterator[None]:
        """Let a write up to ``end`` happen in the block; ``grow`` makes room and gives the new size."""
        while True:
            with self._lock:
                while self._closed or (self._growing and end > self.size):
                    self._changed.wait()
                if end <= self.size:
                    self._writers += 1
                    break
                self._growing = True
            try:
                size = grow(end)
                with self._lock:
                    self.size = max(self.size, size)
            finally:
                with self._lock:
                    self._growing = False
                    self._changed.notify_all()
        try:
            yield
        finally:
            with self._lock:
                self._writers -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def closed(self) -> Iterator[None]:
        """Let no write happen in the block, nor after it failed, until somebody has made room again."""
        with self._lock:
            self._closed = True
            while self._writers:
                self._changed.wait()
        try:
            yield
        except BaseException:
            with self._lock:
                self.size = 0
            raise
        finally:
            with self._lock:
                self._closed = False
                self._changed.notify_all()


def next_size(size: int, end: int, limit: int) -> int:
    """Give the next size in GiB of a volume of so many bytes: twice as much, but not more than ``limit`` bytes at once."""
    return gib_of(max(end, size + min(size, limit)))


def grow_attached(service: Service, attached: Attached, gib: int) -> int | None:
    """Extend a volume in use, and give its new size in bytes; None if Cinder, or the backend, does not do that.

    After an error it may be repeated: what is extended already is not extended again.
    """
    volume = _settled(service, attached.volume_id, "in-use")
    if volume.size < gib:
        try:
            service.extend(volume.id, gib)
        except NoSpace:
            raise
        except StoreError as error:
            if isinstance(error, InUse | Unsupported) or error.final:
                return None
            raise
        volume = _extended(service, volume.id, gib, "in-use")
    attached.connection.resized(volume.size * GIB)
    return volume.size * GIB


def grow_detached(service: Service, attached: Attached, gib: int) -> int:
    """Detach, extend, attach again, and give the new size in bytes; what was written is flushed before.

    After an error it may be repeated: it goes on from whatever state the volume is in.
    """
    if attached.is_open:
        attached.device.flush()
    attached.suspend()
    volume = _settled(service, attached.volume_id, "available")
    if volume.size < gib:
        service.extend(volume.id, gib)
        volume = _extended(service, volume.id, gib, "available")
    attached.open()
    attached.connection.grown(volume.size * GIB)
    return volume.size * GIB


def _settled(service: Service, volume_id: str, state: str) -> Volume:
    """Wait for the state in which a volume can be extended, of an attempt before this one too."""
    volume = service.settled(lambda: service.volume(volume_id), _MOVING[state])
    if volume.status in ("extending", "error_extending"):
        raise _no_space(volume)
    return service.expect(volume, _MOVING[state], (state,))


def _extended(service: Service, volume_id: str, gib: int, state: str) -> Volume:
    """See an extension end: only what the volume's state or size says is a want of room, and no look that fails."""
    volume = service.settled(lambda: service.volume(volume_id), ("extending",))
    if volume.status in ("extending", "error_extending") or volume.size < gib:
        raise _no_space(volume)
    return service.expect(volume, (), (state,))


def _no_space(volume: Volume) -> NoSpace:
    return NoSpace(
        f"the volume {volume.id} could not be extended, it is {volume.status} with {volume.size} GiB;"
        " look at Cinder's logs, and at the room of its backend"
    )
