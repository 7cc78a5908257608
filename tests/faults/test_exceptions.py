"""An exception at every executed line of the pipeline: nothing is left, and it comes out as what it is.

Each scenario runs once to find its lines, then once per line and kind of exception with a marker raised there, at
the first and at the last time the line is reached.
Whatever struck: the objects are gone or were never there, what is unfinished is known to the journal, no thread is
left, and the next put works.
A strike within the cleaning up that follows another error is allowed to come out as that error.
"""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import multistore
import pytest
from doubles import RecordingJournal, TroubledDriver, failing
from faults.tracing import Line, Outcome, Strike, executed, running, struck
from multistore.drivers.memory import MemoryDriver, MemorySettings
from multistore.errors import Corrupt, NoSpace
from multistore.fleet import Fleet, FleetReceipt
from multistore.pipeline import download as download_module
from multistore.pipeline import image as image_module
from multistore.pipeline import prefetch as prefetch_module
from multistore.pipeline import upload as upload_module
from multistore.store import Store

pytestmark = pytest.mark.timeout(240)

ROOT = os.path.join(os.path.dirname(multistore.__file__), "pipeline") + os.sep
DATA = bytes(range(256)) * 12 + bytes(100)
SIZES = (512, 700)


class Interrupt(KeyboardInterrupt):
    """What Ctrl-C raises."""


class Mishap(Exception):
    """Anything else."""


class World:
    """The stores of one run; a second put into the same names shows that nothing hinders it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = RecordingJournal()
        self.drivers = [MemoryDriver(MemorySettings(part_size=size)) for size in SIZES]
        self.bad = TroubledDriver(
            part_size=500, before=failing("write_part", NoSpace("full"), at=3)
        )

    @property
    def acknowledged(self) -> bool:
        """Whether the put inside a copy was done when the source was being closed."""
        records = self.journal.records.values()
        done = [each.stored is not None and each.end is None for each in records]
        return "source" in self.drivers[1].objects and done == [True]

    def store(self, place: int = 0) -> Store:
        return Store(self.drivers[place], name=str(place))


def small(world: World) -> object:
    world.drivers[0].settings = MemorySettings(part_size=1 << 20)
    return world.store().put("image", DATA, journal=world.journal)


def stream(world: World) -> object:
    pieces = [DATA[at : at + 300] for at in range(0, len(DATA), 300)]
    return world.store().put("image", pieces, journal=world.journal)


def path(world: World) -> object:
    source = world.folder / "source"
    source.write_bytes(DATA)
    return world.store().put("image", source, journal=world.journal)


def mismatch(world: World) -> object:
    return world.store().put("image", DATA, expect={"md5": "0" * 32}, journal=world.journal)


def copy(world: World) -> object:
    world.drivers[1].objects["source"] = (DATA, "token", 0.0)
    return world.store(1).copy("memory://source", world.store(), "image", journal=world.journal)


def fleet(world: World) -> object:
    bad = Store(world.bad, name="bad")
    stores = Fleet([world.store(0), world.store(1), bad])
    return stores.put("image", DATA, minimum=2, journal=world.journal)


def get(world: World) -> object:
    world.drivers[0].objects["source"] = (DATA, "token", 0.0)
    target = world.folder / "target"
    digests = {"sha256": hashlib.sha256(DATA).hexdigest()}
    return world.store().get("memory://source", target, expect=digests)


def failover(world: World) -> object:
    world.drivers[0].objects["source"] = (DATA, "token", 0.0)
    broken = TroubledDriver(part_size=500, before=failing("piece", Corrupt("broken"), at=3))
    broken.objects["source"] = (DATA, "token", 0.0)
    stores = Fleet([Store(broken, name="broken"), world.store()])
    target = io.BytesIO()
    stores.get({"broken": "memory://source", "0": "memory://source"}, target)
    return target.getvalue()


WRITING = {each.__name__: each for each in (small, stream, path, mismatch, copy, fleet)}
READING = {each.__name__: each for each in (get, failover)}


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Make everything but ``small`` take the way of big images."""
    scenario = request.node.callspec.params.get("scenario", "")
    if scenario != "small":
        monkeypatch.setattr(upload_module, "SMALL", -1)
    monkeypatch.setattr(download_module, "SMALL", 1000)
    monkeypatch.setattr(image_module, "RANGE", 1000)
    monkeypatch.setattr(prefetch_module.prefetched, "__defaults__", (1000,))
    monkeypatch.setattr(prefetch_module, "RANGE", 1000)
    # A thread of which the very last steps are struck has nobody left to tell.
    monkeypatch.setattr(threading, "excepthook", lambda _: None)


def lines_of(scenario: Callable[[World], object], folder: Path) -> dict[Line, int]:
    """Join the lines of a few runs: threads do not always take the same way."""
    lines: dict[Line, int] = {}
    for _ in range(3):
        for line, turns in executed(ROOT, lambda: scenario(World(folder))).items():
            lines[line] = max(lines.get(line, 0), turns)
    assert len(lines) > 50
    return lines


def strikes(lines: dict[Line, int], kind: type[BaseException]) -> Iterator[Strike]:
    for line, turns in sorted(lines.items()):
        for turn in sorted({1, turns}):
            yield Strike(line, kind(f"at {line}"), turn)


KINDS = pytest.mark.parametrize("kind", [Interrupt, Mishap])


@KINDS
@pytest.mark.parametrize("scenario", WRITING)
def test_a_put_that_is_struck_leaves_nothing(
    scenario: str, kind: type[BaseException], tmp_path: Path
) -> None:
    action = WRITING[scenario]
    wrong = []
    for strike in strikes(lines_of(action, tmp_path), kind):
        world = World(tmp_path)
        before = running()
        outcome = struck(ROOT, lambda: action(world), strike)  # noqa: B023 - called at once
        problems = [
            *judged_error(scenario, outcome, strike),
            *left_behind(world, outcome),
            *(f"{thread.name} is left running" for thread in running() - before),
        ]
        if not problems and outcome.error is not None and not world.acknowledged:
            problems += again(world)
        wrong += [f"{strike.line} turn {strike.turn}: {problem}" for problem in problems]
    assert wrong == []


def judged_error(scenario: str, outcome: Outcome, strike: Strike) -> Iterator[str]:
    """Say what is wrong with what came out."""
    error = outcome.error
    if error is strike.error:
        return
    if scenario == "mismatch":
        # Struck while it cleaned up after Corrupt, or not at all.
        if not isinstance(error, Corrupt):
            yield f"{error!r} came out"
    elif error is not None:
        yield f"{error!r} came out"
    elif scenario == "fleet":
        # Struck in what the failing store did alone, or not at all.
        if not isinstance(outcome.value, FleetReceipt) or set(outcome.value.failures) != {"bad"}:
            yield f"{outcome.value!r} came out"
    elif outcome.hit:
        yield "nothing came out"


def left_behind(world: World, outcome: Outcome) -> Iterator[str]:
    """Say what should not be there; after a success, what should be and is not."""
    good = {"image": DATA}
    for place, driver in enumerate([*world.drivers, world.bad]):
        objects = {name: data for name, (data, _, _) in driver.objects.items() if name == "image"}
        if outcome.error is not None and objects and not world.acknowledged:
            yield f"store {place} has the object"
        if objects not in ({}, good):
            yield f"store {place} has other bytes"
        for token in driver.uploads:
            ends = [each.end for each in world.journal.records.values() if each.token == token]
            if ends == ["abandoned"]:
                continue  # struck in the cleaning up itself: known, and noted in the error
            if ends == ["aborted"] or outcome.error is None:
                yield f"store {place} has an upload, the journal says {ends}"
            elif not _struck_while_cleaning(outcome.error):
                yield f"store {place} has an upload"
    if outcome.error is None:
        ref = "memory://image"
        found = [driver for driver in world.drivers if "image" in driver.objects]
        if not found or any(driver.stat(ref).size != len(DATA) for driver in found):
            yield "the image is not there"


def _struck_while_cleaning(error: BaseException) -> bool:
    """Say whether it came in the middle of the handling of another error, or is that other error."""
    return error.__context__ is not None or bool(getattr(error, "__notes__", ()))


def again(world: World) -> Iterator[str]:
    """Put the same name once more; the leftovers that the journal knows are discarded first, as ``gc`` does."""
    for driver in world.drivers:
        for pending in list(driver.pending()):
            driver.discard(pending.token)
        try:
            Store(driver, name="again").put("image", DATA)
        except Exception as error:
            yield f"the next put fails with {error!r}"


@KINDS
@pytest.mark.parametrize("scenario", READING)
def test_a_get_that_is_struck_leaves_nothing(
    scenario: str, kind: type[BaseException], tmp_path: Path
) -> None:
    action = READING[scenario]
    wrong = []
    target = tmp_path / "target"
    for strike in strikes(lines_of(action, tmp_path), kind):
        target.write_bytes(b"old")
        before = running()
        outcome = struck(ROOT, lambda: action(World(tmp_path)), strike)
        found = target.read_bytes()
        problems = []
        # What the broken copy was still reading ahead is of no interest to anybody.
        moved_on = scenario == "failover" and outcome.value == DATA
        if outcome.hit and outcome.error is not strike.error and not moved_on:
            problems.append(f"{outcome.error!r} came out, {outcome.value!r}")
        if outcome.error is None and scenario == "get" and found != DATA:
            problems.append("it claims to have written the image")
        if found not in (b"old", DATA):
            problems.append("the target is neither the old file nor the image")
        if os.listdir(tmp_path) != ["target"]:
            problems.append(f"left: {os.listdir(tmp_path)}")
        problems += [f"{thread.name} is left running" for thread in running() - before]
        wrong += [f"{strike.line} turn {strike.turn}: {problem}" for problem in problems]
        with suppress(FileNotFoundError):
            target.unlink()
    assert wrong == []
