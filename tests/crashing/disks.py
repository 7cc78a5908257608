"""File systems in image files, for root: made, mounted, and always unmounted again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["KINDS", "make_disk", "mounted", "run"]

#: The smallest size in bytes that mkfs takes, with some room, and what mkfs is told.
KINDS = {
    "ext4": (64 << 20, ["mkfs.ext4", "-q", "-F"]),
    "xfs": (320 << 20, ["mkfs.xfs", "-q", "-f"]),
    "btrfs": (128 << 20, ["mkfs.btrfs", "-q", "-f"]),
}


def run(*command: str) -> str:
    """Run a tool; what it said on failure is in the error."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def make_disk(image: str, kind: str) -> None:
    """Make a file system of that kind in a sparse file."""
    size, command = KINDS[kind]
    with open(image, "wb") as file:
        file.truncate(size)
    run(*command, image)


@contextmanager
def mounted(image: str, at: str) -> Iterator[str]:
    """Mount an image through a loop device; OSError if the kernel will not have it."""
    os.makedirs(at, exist_ok=True)
    run("mount", "-o", "loop", image, at)
    try:
        yield at
    finally:
        run("umount", at)
