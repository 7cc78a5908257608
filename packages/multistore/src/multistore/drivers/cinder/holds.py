"""Who uses a volume, or a mount, on this host: file locks, which a killed process cannot keep.

A volume is attached to a host once, however many processes read it, and whoever lets go last detaches it.
``flock`` belongs to an open file, not to a process: a child that inherited one has to see it unlocked, so locks are
given up explicitly and not by closing.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from multistore.errors import Misconfigured, TimedOut

__all__ = ["Hold", "Holds"]

#: So many locks serve all volumes: one each would never be removed.
_GUARDS = 64
_PLACE = "multistore-cinder"
_PAUSE = 0.01


class Hold:
    """One user's share of a volume or mount on this host; the file says what all of them need to know."""

    def __init__(self, path: str) -> None:
        self._path = path
        while True:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                if os.fstat(self._fd).st_ino == os.stat(path).st_ino:
                    return
            except FileNotFoundError:
                pass
            os.close(self._fd)

    def alone(self) -> bool:
        """Lock out all others; False if there are any."""
        return self._lock(fcntl.LOCK_EX)

    def share(self) -> bool:
        """Let others in that share as well; False if somebody has locked all others out."""
        return self._lock(fcntl.LOCK_SH)

    def _lock(self, kind: int) -> bool:
        try:
            fcntl.flock(self._fd, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def read(self) -> Mapping[str, Any]:
        """Give what was written last; nothing if it was cut short."""
        text = os.pread(self._fd, 1 << 16, 0)
        try:
            found = json.loads(text or b"{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def write(self, note: Mapping[str, Any]) -> None:
        """Write what the others have to know."""
        text = json.dumps(note).encode()
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, text, 0)

    def quiet(self) -> float:
        """Give the seconds since somebody wrote to the file."""
        return time.time() - os.fstat(self._fd).st_mtime

    def __del__(self) -> None:
        # Given up by a core that could not settle it; in a forked child the parent keeps its lock.
        if getattr(self, "_fd", -1) >= 0:
            os.close(self._fd)

    def drop(self, *, remove: bool) -> None:
        """Let go; ``remove`` the file if nobody else is there."""
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        if remove:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
        with contextlib.suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_UN)
        os.close(fd)


class Holds:
    """The lock files of this host, below the directory of the setting ``lock_path``."""

    def __init__(self, lock_path: str, patience: float) -> None:
        self._lock_path = lock_path
        self._place = os.path.join(lock_path, _PLACE)
        self._patience = patience

    def check(self) -> None:
        """Make sure that lock files can be made: Misconfigured otherwise, before anything is attached."""
        try:
            os.makedirs(self._place, mode=0o700, exist_ok=True)
            probe = os.path.join(self._place, f"check-{os.getpid()}-{threading.get_ident()}")
            os.close(os.open(probe, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            os.unlink(probe)
        except OSError as error:
            raise Misconfigured(
                f"no lock files can be made in {self._lock_path}: {error.strerror}; it must be a directory"
                " that this user may write to",
                setting="lock_path",
            ) from error

    def hold(self, name: str) -> Hold:
        """Open the file of a volume or mount, unlocked."""
        try:
            return Hold(os.path.join(self._place, name))
        except FileNotFoundError:
            self.check()
            return Hold(os.path.join(self._place, name))

    def known(self, name: str) -> bool:
        """Say whether somebody of this host uses a volume or mount, or died while using it."""
        return os.path.exists(os.path.join(self._place, name))

    def names(self) -> list[str]:
        """List the volumes and mounts that somebody uses, or a killed process has used."""
        try:
            return sorted(os.listdir(self._place))
        except FileNotFoundError:
            return []

    @contextlib.contextmanager
    def guard(self, name: str) -> Iterator[None]:
        """Let one process of this host at a time attach or detach what has this name."""
        number = int(hashlib.sha256(name.encode()).hexdigest(), 16) % _GUARDS
        hold = self.hold(f"guard-{name.partition('-')[0]}-{number:02d}")
        end = time.monotonic() + self._patience
        try:
            while not hold.alone():
                if time.monotonic() > end:
                    raise TimedOut(
                        f"another process of this host has been attaching or detaching for {self._patience:g} s",
                        seconds=self._patience,
                    )
                time.sleep(_PAUSE)
            yield
        finally:
            hold.drop(remove=False)
