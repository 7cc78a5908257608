"""SIGKILL at 600 points of put, delete, copy, repair and garbage collection over file stores and the catalog.

After each death every image is whole or absent, and whole if it was acknowledged; the same call succeeds; garbage
collection leaves no byte behind.
"""

from __future__ import annotations

import functools
import os
import random
import signal
from pathlib import Path

import pytest
from faults.killing import Death, killed_after, killed_at_line, lines_of
from faults.repositories import SCENARIOS, Scenario, check, leave_traces, repository
from multistore.catalog.collect import Collector

pytestmark = pytest.mark.timeout(120)

CHUNK = 20
#: How many points of each scenario: in all, with the random ones, more than 600.
POINTS = {
    "put": 120,
    "put-parts": 100,
    "delete": 100,
    "delete-copy": 40,
    "copy": 60,
    "first-put": 60,
    "repair": 60,
    "gc": 40,
    "retry": 40,
}
CHUNKS = [(name, start) for name, count in POINTS.items() for start in range(0, count, CHUNK)]


def prepared(root: Path, name: str) -> Scenario:
    """Make the state that a scenario starts from."""
    root.mkdir()
    scenario = SCENARIOS[name]
    if name != "first-put":
        for store in ("one", "two"):
            (root / store).mkdir()
        with repository(root) as repo:
            scenario.before(repo)
    if name in ("gc", "retry"):
        assert killed_after_leaving(root)
    return scenario


def killed_after_leaving(root: Path) -> bool:
    """Let a child die with uploads under way."""

    def leave() -> None:
        leave_traces(repository(root))
        os.kill(os.getpid(), signal.SIGKILL)

    return killed_at_line(leave, 0).killed


def act(root: Path, scenario: Scenario) -> None:
    """Do what may be killed, from the opening of the catalog to its closing."""
    with repository(root) as repo:
        scenario.act(repo)


@functools.cache
def length_of(name: str, root: Path) -> int:
    """Count the lines of a scenario once in each test process."""
    scenario = prepared(root, name)
    return lines_of(lambda: act(root, scenario))


def points(name: str, root: Path) -> list[int]:
    """Spread the points over the whole run, its very end included."""
    length, count = length_of(name, root), POINTS[name]
    assert length > count
    return [1 + round(each * (length - 1) / (count - 1)) for each in range(count)]


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("counting")


@pytest.mark.parametrize(("name", "start"), CHUNKS)
def test_a_death_at_any_line_leaves_images_whole_or_absent(
    name: str, start: int, tmp_path: Path, counting: Path
) -> None:
    killed = 0
    for at in points(name, counting / name)[start : start + CHUNK]:
        root = tmp_path / str(at)
        scenario = prepared(root, name)
        death = killed_at_line(functools.partial(act, root, scenario), at)
        judged(root, scenario, death, at)
        killed += death.killed
    # The last point is the end; and with threads, a run may be a little shorter than the one that was counted.
    assert killed >= CHUNK - 2


@pytest.mark.parametrize("chunk", range(3))
@pytest.mark.parametrize("name", ["put", "put-parts", "delete"])
def test_a_death_at_a_random_moment_leaves_images_whole_or_absent(
    name: str, chunk: int, tmp_path: Path
) -> None:
    moments = random.Random(f"{name} {chunk}")
    for number in range(CHUNK // 2):
        root = tmp_path / str(number)
        scenario = prepared(root, name)
        death = killed_after(functools.partial(act, root, scenario), moments.uniform(0, 0.04))
        judged(root, scenario, death, number)


def judged(root: Path, scenario: Scenario, death: Death, at: int) -> None:
    try:
        check(root, scenario, acknowledged=death.acknowledged, gc_first=at % 2 == 0)
    except BaseException as error:
        error.add_note(f"killed at {at}: {death}")
        raise


def test_the_sweep_is_as_long_as_it_claims() -> None:
    assert sum(POINTS.values()) >= 600
    assert all(count % CHUNK == 0 for count in POINTS.values())


@pytest.mark.parametrize(("broken", "method"), [(Collector, "roll_back"), (Collector, "_strays")])
def test_a_broken_recovery_is_noticed(
    broken: type, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = prepared(tmp_path / "root", "gc")
    monkeypatch.setattr(broken, method, lambda *_: ())
    with pytest.raises(AssertionError):
        check(tmp_path / "root", scenario, acknowledged=False, gc_first=True)
