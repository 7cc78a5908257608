"""A writer, or a deleter, is killed at any line: the image is whole or not there, and what is left can be swept."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from conformance.rbd_rig import lab_back, lab_settings
from faults.killing import killed_after, killed_at_line, lines_of
from multistore.drivers.rbd import RbdDriver
from multistore.errors import InUse, NotFound
from multistore.store import Store
from multistore.testing.tools import content, one_image, read
from multistore.testing.watch import Child

#: A dead writer's watch keeps its image for some seconds (in the lab; 30 where nobody has set it lower).
pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

TRIALS = 50
DATA = content((3 << 20) + 7)
NAME = "killed"


@pytest.fixture
def driver() -> Iterator[RbdDriver]:
    back = lab_back(busy_timeout=0.0)
    with contextlib.closing(RbdDriver(back.settings)) as made:
        yield made
        sweep(made)
        for image in list(made.list()):
            made.delete(image.ref)
    assert not back.leftovers()


def write(name: str) -> Callable[[], object]:
    def action() -> None:
        store = Store(RbdDriver(lab_settings()), name="s")
        store.put(name, iter([DATA[: 1 << 20], DATA[1 << 20 :]]))

    return action


def remove(ref: str) -> Callable[[], object]:
    return lambda: RbdDriver(lab_settings()).delete(ref)


def whole_or_absent(driver: RbdDriver, name: str) -> bool:
    """Say whether the image is there, all of it."""
    try:
        assert read(driver, f"rbd://{name}") == DATA
    except NotFound:
        return False
    return True


def sweep(driver: RbdDriver) -> int:
    """Remove what is left; nobody lives any more, but for a while it looks like that."""
    end = time.monotonic() + 60
    seen = set()
    while left := list(driver.pending()):
        assert time.monotonic() < end, left
        for each in left:
            seen.add(each.token)
            with contextlib.suppress(InUse):
                driver.discard(each.token)
        time.sleep(0.1)
    return len(seen)


def spread(action: Callable[[], object], trials: int) -> list[int]:
    """Give the lines at which to kill, over all that the action executes."""
    total = lines_of(action)
    return [1 + total * number // trials for number in range(trials)]


def test_a_writer_killed_at_any_line_leaves_no_image_of_that_name(driver: RbdDriver) -> None:
    """R10."""
    lines = spread(write("measured"), TRIALS)
    visible = killed = 0
    for number, line in enumerate(lines):
        name = f"{NAME}-{number}"
        death = killed_at_line(write(name), line)
        killed += death.killed
        there = whole_or_absent(driver, name)
        assert there or not death.acknowledged
        visible += there
        listed = [info for info in driver.list() if info.name == name]
        assert bool(listed) <= there
    assert killed > TRIALS // 2
    assert sweep(driver) > TRIALS // 4
    for number in range(TRIALS):
        name = f"{NAME}-{number}"
        if not whole_or_absent(driver, name):
            assert read(driver, one_image(driver, name, b"again").ref) == b"again"
    assert visible < TRIALS


def test_a_writer_killed_at_any_moment_leaves_no_image_of_that_name(driver: RbdDriver) -> None:
    begun = time.monotonic()
    write("measured")()
    took = time.monotonic() - begun
    for number in range(12):
        name = f"{NAME}-{number}"
        death = killed_after(write(name), took * (number + 0.5) / 12)
        assert whole_or_absent(driver, name) or not death.acknowledged
    sweep(driver)


def test_a_deleter_killed_at_any_line_leaves_a_whole_image_or_none(driver: RbdDriver) -> None:
    refs = [one_image(driver, f"{NAME}-{number}", DATA).ref for number in range(21)]
    lines = spread(remove(refs.pop()), len(refs))
    for ref, line in zip(refs, lines, strict=True):
        death = killed_at_line(remove(ref), line)
        there = whole_or_absent(driver, driver.parse(ref).image)
        assert not (there and death.acknowledged)
    for ref in refs:
        end = time.monotonic() + 60
        while whole_or_absent(driver, driver.parse(ref).image):
            with contextlib.suppress(InUse, NotFound):
                driver.delete(ref)
            assert time.monotonic() < end
            time.sleep(0.1)
    sweep(driver)
    assert not list(driver.list())


def test_a_sweep_beside_writers_takes_nothing_that_was_published(driver: RbdDriver) -> None:
    """A sweep finds an image unfinished, waits for its writer, and the image is published meanwhile."""

    def writing(place: int) -> list[str]:
        store = Store(RbdDriver(lab_settings()), name="s")
        return [store.put(f"{NAME}-{place}-{turn}", DATA).ref for turn in range(12)]

    children = [Child(partial(writing, place), 120) for place in range(2)]
    stop = threading.Event()

    def sweeping() -> bool:
        with contextlib.closing(RbdDriver(lab_settings(busy_timeout=1.0))) as other:
            while not stop.is_set():
                for each in other.pending():
                    with contextlib.suppress(InUse):
                        other.discard(each.token)
        return True

    with ThreadPoolExecutor(2) as pool:
        sweeps = [pool.submit(sweeping) for _ in range(2)]
        try:
            refs = [ref for child in children for ref in child.result()]
        finally:
            stop.set()
        assert all(each.result(60) for each in sweeps)
    assert [read(driver, ref) == DATA for ref in refs] == [True] * 24
