"""NFS exports, mounted once on this host for all processes, and unmounted by the last one that uses them."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

from multistore.drivers.cinder.holds import Hold, Holds
from multistore.errors import InUse, Misconfigured, StoreError, Unavailable, Unsupported

__all__ = ["Mount", "as_root", "mount", "sweep_mounts"]

LOG = logging.getLogger(__name__)

_LIMIT = 120.0  # seconds for a command
_ATTEMPTS = 3
#: Options that come last, and so count: an export holds the bytes of volumes, and nothing that can be run.
_TAME = "nosuid,nodev,noexec"


class Mount:
    """One user's share of a mounted export."""

    def __init__(self, holds: Holds, helper: str | None, key: str, path: str, hold: Hold) -> None:
        self._holds = holds
        self._helper = helper
        self._key = key
        self.path = path
        self._hold = hold

    def release(self) -> None:
        """Let go; the last one unmounts, and what cannot be unmounted is used again next time."""
        with self._holds.guard(self._key):
            last = self._hold.alone()
            if last:
                last = _unmount(self._helper, self.path)
            self._hold.drop(remove=last)


def mount(holds: Holds, helper: str | None, base: str, data: Mapping[str, Any]) -> Mount:
    """Mount the export that connection data name, unless it is mounted already."""
    export = str(data["export"])
    digest = hashlib.sha256(export.encode()).hexdigest()
    key, path = f"mount-{digest}", os.path.join(base, digest)
    with holds.guard(key):
        hold = holds.hold(key)
        try:
            hold.alone()  # whether others are there or not: what counts is what the kernel says
            if not _is_mounted(path):
                _mount(helper, export, path, str(data.get("options") or ""))
            if not hold.share():
                raise InUse(f"the export {export} is being unmounted")
        except BaseException:
            hold.drop(remove=False)
            raise
    return Mount(holds, helper, key, path, hold)


def sweep_mounts(holds: Holds, helper: str | None, base: str) -> None:
    """Unmount what killed processes have left mounted."""
    for key in holds.names():
        if not key.startswith("mount-"):
            continue
        with contextlib.suppress(StoreError), holds.guard(key):
            hold = holds.hold(key)
            last = hold.alone() and _unmount(helper, os.path.join(base, key.partition("-")[2]))
            hold.drop(remove=last)


def as_root(helper: str | None, *command: str) -> None:
    """Run a command as root; Unavailable, with what it says, if it fails."""
    words = [*shlex.split(helper or ""), *command]
    try:
        done = subprocess.run(  # noqa: S603  # no shell, and the words are ours
            words, capture_output=True, text=True, timeout=_LIMIT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{command[0]} does not end within {_LIMIT:g} s") from error
    except OSError as error:
        raise Misconfigured(
            f"{words[0]} cannot be run: {error.strerror}", setting="root_helper"
        ) from error
    if done.returncode:
        told = " ".join(done.stderr.split())[:300] or f"status {done.returncode}"
        raise Unavailable(f"{command[0]} failed: {told}")


def _mount(helper: str | None, export: str, path: str, options: str) -> None:
    if export.startswith("-"):
        raise Unsupported("Cinder names an NFS export that begins with a dash")
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise Misconfigured(
            f"the directory {path} cannot be made: {error.strerror}", setting="mount_base"
        ) from error
    try:
        # Cinder sends the options as one text, such as "-o vers=4.1".
        as_root(helper, "mount", "-t", "nfs", *options.split(), "-o", _TAME, export, path)
    except StoreError:
        if not _is_mounted(path):
            with contextlib.suppress(OSError):
                os.rmdir(path)
            raise


def _unmount(helper: str | None, path: str) -> bool:
    """Unmount, and say whether it is so; never raises."""
    for _ in range(_ATTEMPTS):
        if not _is_mounted(path):
            break
        try:
            as_root(helper, "umount", path)
        except StoreError as error:
            LOG.warning("%s stays mounted: %s", path, error)
    if _is_mounted(path):
        return False
    with contextlib.suppress(OSError):
        os.rmdir(path)
    return True


def _is_mounted(path: str) -> bool:
    """Ask the kernel: a bind mount has the device of what is around it."""
    wanted = os.path.realpath(path)
    return any(each == wanted for each in _mount_points())


def _mount_points() -> Iterator[str]:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            raw = line.split(" ")[4].encode("utf-8", "surrogateescape")
            yield raw.decode("unicode_escape").encode("latin-1").decode("utf-8", "surrogateescape")
