"""Ctrl-C at every line of the catalog: images stay whole or absent, names stay usable, nothing is left."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import multistore.catalog
import pytest
from faults.tracing import Line, Strike, executed, struck
from multistore import State
from unit.catalog.houses import House, died

pytestmark = pytest.mark.timeout(60)

ROOT = os.path.dirname(multistore.catalog.__file__)
DATA = b"bytes" * 100  # one part: no threads, so every run takes the same lines

Change = Callable[[House], object]


def put(house: House) -> object:
    return house.repo.put("x", DATA, stores=["a", "b"])


def delete(house: House) -> None:
    house.repo.delete("y")


def copy(house: House) -> object:
    return house.repo.copy("y", ["c"])


def gc(house: House) -> object:
    return list(house.repo.gc())


#: The change, and the images and their stores after it.
CHANGES: dict[str, tuple[Change, dict[str, str]]] = {
    "put": (put, {"x": "ab", "y": "ab"}),
    "delete": (delete, {}),
    "copy": (copy, {"y": "abc"}),
    "gc": (gc, {"y": "ab"}),
}
BEFORE = {"y": "ab"}


def made(root: Path, name: str) -> House:
    house = House(root)
    house.repo.put("y", DATA, stores=["a", "b"])
    if name == "gc":
        died(house, "x", "a:committed", "b:began")
    return house


def images(house: House) -> dict[str, str]:
    """Give the images and their stores; each copy must be whole."""
    found = {}
    for record in house.repo.list():
        verdicts = house.repo.verify(record.name)
        assert {each.state for each in verdicts} == {State.INTACT}
        found[record.name] = "".join(sorted(each.store for each in verdicts))
    return found


def lines_of(root: Path, name: str) -> list[Line]:
    house = made(root, name)
    lines = executed(ROOT, lambda: CHANGES[name][0](house))
    house.repo.close()
    assert len(lines) > 100
    return sorted(lines)


@pytest.mark.parametrize("shard", range(3))
@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_interruption_at_any_line_leaves_the_catalog_usable(
    name: str, shard: int, tmp_path: Path
) -> None:
    change, result = CHANGES[name]
    (tmp_path / "count").mkdir()
    for number, line in enumerate(lines_of(tmp_path / "count", name)[shard::3]):
        root = tmp_path / str(number)
        root.mkdir()
        house = made(root, name)
        strike = Strike(line, KeyboardInterrupt(str(line)))
        outcome = struck(ROOT, lambda house=house: change(house), strike)  # type: ignore[misc] # bound now
        try:
            assert outcome.hit
            assert outcome.error in (strike.error, None)
            judge(house, change, result)
        except BaseException as error:
            error.add_note(f"struck at {line}")
            raise
        finally:
            house.repo.close()


def judge(house: House, change: Change, result: dict[str, str]) -> None:
    assert images(house) in (BEFORE, result)
    if images(house) != result:
        change(house)
    assert images(house) == result
    list(house.repo.gc(grace=0))
    assert house.nothing_under_way()
    assert house.objects() == {
        store: names
        for store in "abc"
        if (names := sorted(name for name, stores in result.items() if store in stores))
    }
