"""Reading an image: attached at the first read, and never past its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from multistore.driver import Reader
from multistore.drivers.cinder.attaching import Attached, attach
from multistore.errors import Corrupt, StoreError, Unavailable

if TYPE_CHECKING:
    from multistore.drivers.cinder.holds import Holds
    from multistore.drivers.cinder.labels import Volume
    from multistore.drivers.cinder.service import Service
    from multistore.model import Info

__all__ = ["CinderReader"]

_PIECE = 4 << 20
#: What Cinder said of the volume is believed for so many seconds.
_FRESH = 5.0


class CinderReader(Reader):
    """One attachment for all streams of a reader; a volume in use cannot be deleted, so what is read is the image."""

    def __init__(self, service: Service, holds: Holds, volume: Volume, info: Info) -> None:
        self._service = service
        self._holds = holds
        self._volume = volume
        self._seen = time.monotonic()
        self._info = info
        self._size = info.size or 0
        self._attached: Attached | None = None
        self._left: list[Attached] = []  # what is to be closed, and not to be read
        self._lock = threading.Lock()
        self._quiet = threading.Condition(self._lock)
        self._reading = 0
        self._closed = False

    @property
    def info(self) -> Info:
        return self._info

    def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        end = self._size if length is None else min(self._size, offset + length)
        if offset < end:
            self._attach()
        return self._pieces(offset, end)

    def _attach(self) -> None:
        with self._lock:
            if self._closed:
                raise Unavailable(f"{self._info.ref} was closed")
            if self._attached is not None:
                return
            fresh = time.monotonic() - self._seen < _FRESH
            free = fresh and self._volume.status == "available"
            attached = attach(self._service, self._holds, self._volume.id, free=free)
            try:
                size = attached.connection.size(self._size)
                if size < self._size:
                    raise Corrupt(
                        f"{self._info.ref}: its volume has {size} bytes, and the image {self._size}"
                    )
            except BaseException as error:
                try:
                    attached.close()
                except StoreError as trouble:
                    error.add_note(f"an attachment may be left: {trouble}")
                    self._left.append(attached)
                raise
            self._attached = attached

    def _pieces(self, at: int, end: int) -> Iterator[bytes]:
        while at < end:
            # Up to the next border, so that one request asks one object of the storage.
            wanted = min(_PIECE - at % _PIECE, end - at)
            yield self._piece(at, wanted)
            at += wanted

    def _piece(self, at: int, wanted: int) -> bytes:
        with self._lock:
            attached = self._attached
            if attached is None:
                raise Unavailable(f"{self._info.ref} was closed")
            self._reading += 1
        try:
            return attached.device.read(at, wanted)
        finally:
            with self._lock:
                self._reading -= 1
                self._quiet.notify_all()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._attached is not None:
                self._left.append(self._attached)
                self._attached = None
            while self._reading:
                self._quiet.wait()
        while True:
            with self._lock:
                if not self._left:
                    return
                attached = self._left.pop()
            try:
                attached.close()
            except BaseException:
                with self._lock:
                    self._left.append(attached)  # to be tried again
                raise
