"""Who works on an upload, and whether he still lives.

Each process that writes holds a ``flock`` on a file of its own beside the database; the kernel lets go of it when the
process ends, however it ends, and sees it in every container of the machine.
The operation is written down as ``HOST MACHINE BOOT SPACE PID STARTED FILE NUMBER``: machine id, boot id, PID
namespace, and the start of the process in clock ticks (proc(5)) tell hosts, reboots and used-again PIDs apart.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from multistore.catalog.database import watch_forks
from multistore.driver import PerProcess
from multistore.errors import AccessDenied, Misconfigured, NoSpace, StoreError, Unavailable

__all__ = ["NOBODY", "Owners", "describe"]

#: The owner of what nobody works on.
NOBODY = ""
_FIELDS = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process runs, and which one it is."""

    host: str
    machine: str
    boot: str
    space: str
    pid: int
    started: str

    @classmethod
    def here(cls) -> Place:
        """Describe this process."""
        return cls(
            socket.gethostname().replace(" ", "_") or "-",
            _first_line("/etc/machine-id"),
            _first_line("/proc/sys/kernel/random/boot_id"),
            _pid_space(),
            os.getpid(),
            _start_of(os.getpid()),
        )

    def __str__(self) -> str:
        return (
            f"{self.host} {self.machine} {self.boot} {self.space} {self.pid} {self.started or '-'}"
        )


class _Self:
    """This process: its file, and the numbers of its operations that are under way."""

    def __init__(self, directory: str) -> None:
        self.place = Place.here()
        self.active: set[str] = set()
        self.count = 0
        self.file, self.descriptor = _lock_new_file(directory)

    def close(self, directory: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(directory, self.file))
        os.close(self.descriptor)


class Owners:
    """Names the operations of this process, and judges those of others; ``directory`` holds the files."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self._self: PerProcess[_Self] = PerProcess(lambda: _Self(directory))
        self._open: _Self | None = None
        watch_forks(child=self._in_child)

    def start(self) -> str:
        """Begin an operation and give its owner text."""
        me = self._open = self._self.get()
        me.count += 1  # two threads may get the same number here; the random part tells them apart
        owner = f"{me.place} {me.file} {me.count}-{secrets.token_hex(4)}"
        me.active.add(owner)
        return owner

    def end(self, owner: str) -> None:
        """End an operation: what still bears its name is left behind."""
        if self._open is not None:
            self._open.active.discard(owner)

    def alive(self, owner: str) -> bool | None:
        """Say whether an operation is under way; None where that cannot be known from here."""
        if owner == NOBODY:
            return False
        fields = owner.split(" ")
        if len(fields) != _FIELDS or not fields[4].isdecimal():
            return None
        host, machine, boot, space, pid, started, file, _ = fields
        place = Place(host, machine, boot, space, int(pid), started)
        me = self._open
        if me is not None and me.file == file:
            return owner in me.active
        return self._process_alive(place, file)

    def _process_alive(self, place: Place, file: str) -> bool | None:
        here = Place.here()
        same_host = (place.host, place.machine) == (here.host, here.machine)
        if place.boot != here.boot:
            return False if same_host else None  # rebooted since, or another machine
        known = same_host or place.boot != "-"
        if not known:
            return None
        if place.space == here.space != "-" and _is_gone(place):
            return False  # a child may have inherited its lock
        return _is_locked(os.path.join(self.directory, file))

    def sweep(self, needed: set[str]) -> None:
        """Remove the files of dead processes that no owner text in ``needed`` speaks of."""
        files = {owner.split(" ")[6] for owner in needed if owner.count(" ") == _FIELDS - 1}
        try:
            names = os.listdir(self.directory)
        except OSError:
            return
        for name in names:
            if name not in files and (self._open is None or name != self._open.file):
                path = os.path.join(self.directory, name)
                with contextlib.suppress(OSError), _locked(path):
                    os.unlink(path)

    def close(self) -> None:
        """Give up this process's file."""
        me = self._self.drop()
        self._open = None
        if me is not None:
            me.close(self.directory)

    def _in_child(self) -> None:
        """Let go of the parent's lock, so that it ends with the parent."""
        me, self._open = self._open, None
        if me is not None:
            os.close(me.descriptor)


def describe(owner: str) -> str:
    """Say for people which process that is."""
    fields = owner.split(" ")
    if len(fields) != _FIELDS:
        return owner or "nobody"
    return f"process {fields[4]} on {fields[0]}"


def _lock_new_file(directory: str) -> tuple[str, int]:
    """Make a file and lock it; a sweep may take it in between, then another is made."""
    try:
        while True:
            os.makedirs(directory, exist_ok=True)
            name = secrets.token_hex(8)
            path = os.path.join(directory, name)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.exists(path):
                    return name, descriptor
            except BlockingIOError:
                pass
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
    except OSError as error:
        raise _translated(error, directory) from error


def _translated(error: OSError, directory: str) -> StoreError:
    what = f"the directory {directory} beside the catalog cannot be used: {error.strerror}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace(f"{what}; make room and try again")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return AccessDenied(f"{what}; it must be writable")
    if error.errno in (errno.ENOTDIR, errno.ENOENT):
        return Misconfigured(f"{what}; name another place for the catalog", setting="catalog")
    return Unavailable(what)


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    """Hold the lock of a file; BlockingIOError if somebody else does."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _is_locked(path: str) -> bool | None:
    """Say whether somebody holds the file; None if there is none."""
    try:
        with _locked(path):
            return False
    except BlockingIOError:
        return True
    except OSError:
        return None


def _is_gone(place: Place) -> bool:
    """Say whether the process has surely ended, for one of this PID namespace."""
    try:
        os.kill(place.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass  # it is another user's
    started = _start_of(place.pid)
    return "-" not in (started, place.started) and started != place.started


def _start_of(pid: int) -> str:
    """Give the start of a process in clock ticks since boot: field 22 of /proc/PID/stat, after the name in brackets."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "-"


def _pid_space() -> str:
    try:
        return str(os.stat("/proc/self/ns/pid").st_ino)
    except OSError:
        return "-"


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.readline().strip().replace(" ", "_") or "-"
    except OSError:
        return "-"
