"""Small file systems of every kind, for tests that run as root: made in image files, mounted, and always unmounted again.

A tool that is missing, or a mount that is refused, is an error: these tests never pass by not running.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["BLOCKS", "KINDS", "extents", "mounted", "remount", "run"]

#: File systems with disks below them, what makes them, and the size in MiB that they need at least, with some room.
BLOCKS = {
    "ext4": (["mkfs.ext4", "-q", "-F", "-m", "0"], 32),
    "xfs": (["mkfs.xfs", "-q", "-f", "-m", "reflink=1"], 320),
    "btrfs": (["mkfs.btrfs", "-q", "-f"], 128),
}
KINDS = (*BLOCKS, "tmpfs")


def run(*command: str) -> str:
    """Run a tool and give its output; what it said on failure is in the error."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


@contextmanager
def mounted(kind: str, at: str, *, size: int = 0, options: str = "") -> Iterator[str]:
    """Mount a fresh file system of ``size`` MiB at a directory, which is made; its image lies beside it, in a sparse file."""
    os.makedirs(at)
    if kind == "tmpfs":
        settings = ",".join(filter(None, (f"size={size or 16}m", options)))
        run("mount", "-t", "tmpfs", "-o", settings, "none", at)
    else:
        make, least = BLOCKS[kind]
        image = f"{at}.img"
        with open(image, "xb") as file:
            file.truncate(max(size, least) << 20)
        run(*make, image)
        run("mount", "-o", ",".join(filter(None, ("loop", options))), image, at)
    try:
        yield at
    finally:
        if os.path.ismount(at):
            run("umount", "--lazy", at)
        if kind != "tmpfs":
            os.unlink(f"{at}.img")


@contextmanager
def remount(at: str, how: str, back: str) -> Iterator[None]:
    """Mount with other options for the length of a block: ``remount(at, "ro", "rw")``."""
    run("mount", "-o", f"remount,{how}", at)
    try:
        yield
    finally:
        run("mount", "-o", f"remount,{back}", at)


def extents(path: str) -> str:
    """Give what the file system says of a file's extents; shared ones are called so."""
    return run("filefrag", "-v", path)
