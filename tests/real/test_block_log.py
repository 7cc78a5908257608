"""Every crash that a disk may show: block writes are logged, and crash states rebuilt from the log.

See Pillai et al., "All File Systems Are Not Created Equal" (OSDI 2014), for the idea.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from crashing.blocklog import read_log
from crashing.disks import make_disk, mounted
from crashing.judge import leftovers, open_files, present, swept
from crashing.replay import acknowledged, states

pytestmark = [pytest.mark.real, pytest.mark.timeout(280)]

STATES = int(os.environ.get("MULTISTORE_CRASH_STATES", "300"))
SIZE = 150_000
IMAGES = [f"image-{number}" for number in range(12)]
CRASHING = Path(__file__).parent.parent / "crashing"


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory in memory: the states are many."""
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="multistore-") as directory:
        yield Path(directory)


@contextmanager
def logged_disk(image: Path, log: Path, place: Path) -> Iterator[Path]:
    """Serve an image as a disk that logs, while the block lasts."""
    place.mkdir()
    server = subprocess.Popen(
        [sys.executable, str(CRASHING / "blocklog.py"), str(place), str(image), str(log)]
    )
    try:
        deadline = time.monotonic() + 20
        while not (place / "disk").exists():
            assert server.poll() is None, (
                "the logging disk ended: are libfuse2 and /dev/fuse there?"
            )
            assert time.monotonic() < deadline, "the logging disk did not appear"
            time.sleep(0.02)
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=False, timeout=60)
        server.terminate()
        server.wait(timeout=20)


def write_images(memory: Path, live: Path) -> list[str]:
    """Put twelve images and delete every third, on the disk that logs; gives the verbs."""
    verbs = []
    for number, name in enumerate(IMAGES):
        verbs.append(f"put:{name}:{SIZE}")
        if number % 3 == 2:
            verbs.append(f"delete:{IMAGES[number - 1]}")
    with (
        logged_disk(live, memory / "log", memory / "fuse") as disk,
        mounted(str(disk / "disk"), str(memory / "mnt")) as place,
    ):
        done = subprocess.run(
            [sys.executable, str(CRASHING / "work.py"), place, *verbs],
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "MULTISTORE_MARKS": str(disk / "mark")},
        )
    return done.stdout.splitlines()


def judge(place: str, acks: list[str], log_of_all: list[str]) -> None:
    """Compare a crash state with what had been acknowledged."""
    begun = log_of_all[len(acks)] if len(acks) < len(log_of_all) else ""
    with open_files(place) as store:
        there = {name for name in IMAGES if present(store, name, SIZE)}
        for name in IMAGES:
            if f"delete {name}" in acks:
                assert name not in there, f"{name} was deleted, and is back"
            elif f"put {name}" in acks and begun != f"delete {name}":
                assert name in there, f"{name} was acknowledged, and is gone"
        swept(store)
    assert leftovers(place, there) == []


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs"])
def test_every_crash_state_keeps_what_was_acknowledged(kind: str, memory: Path) -> None:
    base, live, state = (memory / name for name in ("base", "live", "state"))
    make_disk(str(base), kind)
    shutil.copy(base, live)
    verbs = write_images(memory, live)
    log = list(read_log(str(memory / "log")))
    unmountable = 0
    for end in states(str(base), log, STATES, 7, str(state)):
        try:
            with mounted(str(state), str(memory / "state-mnt")) as place:
                judge(place, acknowledged(log, end), verbs)
        except OSError as error:
            # A torn superblock or tree root is the file system's loss, not ours: count it.
            if "mount" not in str(error):
                raise
            unmountable += 1
    assert unmountable <= STATES // 20, f"{unmountable} of {STATES} states could not be mounted"
