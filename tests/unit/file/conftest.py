"""Directories to try the file driver in: on the disk, and in memory."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(params=["disk", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A directory that is not made yet."""
    if request.param == "disk":
        yield tmp_path / "store"
        return
    if not os.path.isdir("/dev/shm"):
        pytest.skip("there is no tmpfs at /dev/shm")
    folder = tempfile.mkdtemp(prefix="multistore-file-", dir="/dev/shm")
    yield Path(folder) / "store"
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def _no_descriptor_is_left() -> Iterator[None]:
    before = set(os.listdir("/proc/self/fd"))
    yield
    left = {
        number: os.readlink(f"/proc/self/fd/{number}")
        for number in set(os.listdir("/proc/self/fd")) - before
        if os.path.exists(f"/proc/self/fd/{number}")
    }
    assert not left
