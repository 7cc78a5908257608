"""Open images, closed within a limit and never by the garbage collector."""

from __future__ import annotations

import os
import threading
from typing import Any

from multistore.drivers.rbd.pools import Pool
from multistore.errors import TimedOut, Unavailable

__all__ = ["OpenImage", "open_image"]

#: The most that closing may take, in seconds: what hangs any longer goes on hanging beside us.
_PATIENCE = 10.0


class OpenImage:
    """An image that is open; it keeps its connection until it is closed.

    When librbd's open returns, the thread that ended it may still be about to take the image's lock once more.
    Closing an image that is open for reading does not wait for that thread, and frees the lock: the process would die of it.
    So it is closed after a callback that the library makes in that very thread, or after it.
    """

    def __init__(self, pool: Pool, what: str, raw: Any, *, writing: bool) -> None:
        self.pool = pool
        self.connection = pool.connection
        self.what = what
        self._raw = raw
        self._pid = os.getpid()
        self._lock = threading.RLock()  # the garbage collector may abandon it at any point
        self._opening = not writing  # removing the watch of a writer waits for that thread
        self._closing = False
        self._ended = False
        self._done = threading.Event()
        self.connection.keep()
        self.connection.open.add(self)
        if self._opening:
            pool.after_callbacks(self._opened)

    def _opened(self) -> None:
        with self._lock:
            self._opening = False
            if not self._closing:
                return
        self._close_raw()

    @property
    def raw(self) -> Any:
        """Librbd's own image; Unavailable in a forked child, which has none of the library's threads."""
        if self._pid != os.getpid():
            raise Unavailable(f"{self.what} was opened by another process: open it anew")
        if self._closing:
            raise Unavailable(f"{self.what} is closed")
        return self._raw

    def close(self) -> None:
        """Close it; TimedOut if the cluster does not let go of it, which then goes on by itself; idempotent."""
        if self._pid != os.getpid():
            return
        self._begin_to_close()
        patience = min(_PATIENCE, self.connection.profile.timeout)
        if not self._done.wait(patience):
            raise TimedOut(
                f"{self.what}: the cluster did not let it be closed within {patience:g} s",
                seconds=patience,
            )
        self.settle()

    def abandon(self) -> None:
        """Close it without waiting: nobody has it any more."""
        if self._pid == os.getpid():
            self._begin_to_close()

    def _begin_to_close(self) -> None:
        with self._lock:
            if self._closing:
                return
            self._closing = True
            self.connection.closing.add(self)
            if self._opening:
                return
        self._close_raw()

    def _close_raw(self) -> None:
        self._raw.aio_close(lambda _: self._done.set())

    def settle(self) -> None:
        """Let go of the connection if closing has ended."""
        if not self._done.is_set():
            return
        with self._lock:
            if self._ended:
                return
            self._ended = True
        self.connection.closing.discard(self)
        self.connection.open.discard(self)
        self.connection.drop()


def open_image(
    pool: Pool,
    what: str,
    *,
    name: str | None = None,
    image_id: str | None = None,
    snapshot: str | None = None,
    writing: bool = False,
) -> OpenImage:
    """Open an image by its name or number; NotFound if it, or its snapshot, is not there.

    Only an image that is open for writing has a watch on it, by which others see that it is in use.
    """
    connection = pool.connection
    with connection.guard(what, pool):
        raw = connection.sdk.rbd.Image(
            pool.io, name=name, image_id=image_id, snapshot=snapshot, read_only=not writing
        )
    return OpenImage(pool, what, raw, writing=writing)
