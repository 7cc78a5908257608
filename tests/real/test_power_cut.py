"""The power goes, for real: a file system on a loop device is shut down without its log (reliability of ``file``)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from crashing.disks import make_disk, mounted
from crashing.judge import leftovers, open_files, present, swept
from crashing.work import cut_power

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

SIZE = 300_000
PROGRAM = str(Path(__file__).parent.parent / "crashing" / "work.py")


def work(directory: str, *verbs: str, cut: str = "") -> list[str]:
    """Run the program and give what it acknowledged."""
    done = subprocess.run(
        [sys.executable, PROGRAM, directory, *verbs],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "MULTISTORE_CUT": cut},
    )
    return done.stdout.splitlines()


@pytest.fixture(params=["ext4", "xfs"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    image = str(tmp_path / "disk")
    make_disk(image, request.param)
    return image


def test_what_was_acknowledged_survives_a_power_cut_right_after(disk: str, tmp_path: Path) -> None:
    place = str(tmp_path / "mnt")
    with mounted(disk, place):
        assert work(place, f"put:first:{SIZE}") == ["put first"]
        cut_power(place)
    with mounted(disk, place), open_files(place) as store:
        assert present(store, "first", SIZE)
    with mounted(disk, place):
        assert work(place, "delete:first", f"put:second:{SIZE}") == ["delete first", "put second"]
        cut_power(place)
    with mounted(disk, place), open_files(place) as store:
        assert not present(store, "first", SIZE)
        assert present(store, "second", SIZE)
        assert leftovers(place, {"second"}) == []


def test_a_power_cut_before_any_system_call_leaves_the_image_whole_or_absent(
    disk: str, tmp_path: Path
) -> None:
    place = str(tmp_path / "mnt")
    with mounted(disk, place):
        *_, counted = work(place, f"put:probe:{SIZE}", "delete:probe", cut=f"0:{place}")
    points = int(counted)
    assert points > 10
    for point in range(1, points + 1):
        name = f"image-{point}"
        with mounted(disk, place):
            acknowledged = work(
                place, f"put:{name}:{SIZE}", f"delete:{name}", cut=f"{point}:{place}"
            )
        with mounted(disk, place), open_files(place) as store:
            there = present(store, name, SIZE)
            if f"delete {name}" in acknowledged:
                assert not there, f"deleted, and back after a cut at call {point}"
            swept(store)
            if not there:
                assert leftovers(place, set()) == [], f"left after a cut at call {point}"
                store.put(name, b"again")
            store.delete(f"file://{place}/{name}")
