"""An exception at every executed line of the file driver: nothing is left, and it comes out as what it is.

Struck are put (small, and in parts with threads), delete, get, listing, sweeping and checking.
"""

from __future__ import annotations

import io
import os
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import multistore
import pytest
from faults.tracing import Line, Outcome, Strike, executed, running, struck
from multistore import Store, StoreOptions, open_store
from multistore.pipeline import upload as upload_module

pytestmark = pytest.mark.timeout(120)

ROOT = os.path.join(os.path.dirname(multistore.__file__), "drivers", "file") + os.sep
DATA = bytes(range(256)) * 12 + bytes(100)
BIG = bytes(range(256)) * 50
OLD = b"an image that was there before"
LEFT = ".left.0123456789abcdef.part"
MARKER = ".multistore"


class Interrupt(KeyboardInterrupt):
    """What Ctrl-C raises."""


class Mishap(Exception):
    """Anything else."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One call; ``before`` and ``after`` are the files of the store, without its marker.

    ``may_be_done``: a failure does not say whether it was done.
    ``swept``: what is struck while it cleans up may leave a hidden file, which a sweep removes.
    """

    act: Callable[[Store], object]
    before: dict[str, bytes]
    after: dict[str, bytes]
    may_be_done: bool = False
    swept: bool = False


def delete(store: Store) -> None:
    store.delete(f"{prefix(store)}old")


def get(store: Store) -> object:
    target = io.BytesIO()
    store.get(f"{prefix(store)}old", target)
    return target.getvalue()


def listing(store: Store) -> object:
    return [info.name for info in store.list()], store.usage(), store.stat(f"{prefix(store)}old")


def sweep(store: Store) -> None:
    for pending in store.pending():
        assert store.published(pending.token) is None
        store.discard(pending.token)


def check(store: Store) -> None:
    store.check()


def prefix(store: Store) -> str:
    (found,) = store.driver.prefixes()
    return found


HAD = {"old": OLD}
SCENARIOS = {
    "put": Scenario(lambda store: store.put("image", DATA), HAD, {**HAD, "image": DATA}),
    "parts": Scenario(lambda store: store.put("image", BIG), HAD, {**HAD, "image": BIG}),
    "delete": Scenario(delete, HAD, {}, may_be_done=True),
    "get": Scenario(get, HAD, HAD),
    "list": Scenario(listing, HAD, HAD),
    "sweep": Scenario(sweep, {**HAD, LEFT: b"by the dead"}, HAD, may_be_done=True),
    "check": Scenario(check, HAD, HAD, swept=True),
}


def opened(directory: Path) -> Store:
    settings = {"driver": "file", "path": str(directory), "part_size": 4096, "durable": False}
    return open_store(settings, name="files", options=StoreOptions(attempts=1))


def files(directory: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in directory.iterdir() if each.name != MARKER}


def prepare(directory: Path, before: dict[str, bytes]) -> None:
    for name in files(directory):
        (directory / name).unlink()
    for name, data in before.items():
        (directory / name).write_bytes(data)


def strikes(lines: dict[Line, int], kind: type[BaseException]) -> Iterator[Strike]:
    for line, turns in sorted(lines.items()):
        for turn in sorted({1, turns}):
            yield Strike(line, kind(f"at {line}"), turn)


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Make ``parts`` take the way of big images."""
    if request.node.callspec.params["name"] == "parts":
        monkeypatch.setattr(upload_module, "SMALL", -1)


@pytest.mark.parametrize("kind", [Interrupt, Mishap])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_strike_at_any_line_leaves_nothing(
    name: str, kind: type[BaseException], tmp_path: Path
) -> None:
    scenario = SCENARIOS[name]
    directory = tmp_path / "store"
    directory.mkdir()
    with opened(directory) as store:
        store.put("old", OLD)  # which marks the store

    def action() -> object:
        with opened(directory) as store:
            return scenario.act(store)

    prepare(directory, scenario.before)
    lines = executed(ROOT, action)
    assert files(directory) == scenario.after
    assert len(lines) > 20
    wrong = []
    for strike in strikes(lines, kind):
        prepare(directory, scenario.before)
        before = running()
        outcome = struck(ROOT, action, strike)
        if scenario.swept and outcome.error is not None:
            traceback.clear_frames(strike.error.__traceback__)  # its writer is alive in them
            with opened(directory) as store:
                sweep(store)
        problems = [*judged(scenario, outcome, strike, files(directory))]
        problems += [f"{thread.name} is left running" for thread in running() - before]
        prepare(directory, scenario.before)
        action()
        wrong += [f"{strike.line} turn {strike.turn}: {problem}" for problem in problems]
    assert not wrong, "\n".join(wrong)


def judged(
    scenario: Scenario, outcome: Outcome, strike: Strike, found: dict[str, bytes]
) -> Iterator[str]:
    """Say what is wrong with what came out and with what is there."""
    error = outcome.error
    # Above a driver there is only the tree of errors: a mishap is translated, and named.
    if error not in (None, strike.error) and type(strike.error).__name__ not in str(error):
        yield f"{error!r} came out"
    wanted = [scenario.after] if error is None else [scenario.before]
    if scenario.may_be_done:
        wanted.append(scenario.after)
    if found not in wanted:
        yield f"{error!r}, and left {sorted(found)}"
