"""A repository over two file stores, and what must hold of it whatever happened."""

from __future__ import annotations

import hashlib
import os
import random
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from multistore import Fleet, State, open_store
from multistore.catalog import Catalog, Repository
from multistore.drivers.file.refs import MARKER

__all__ = [
    "SCENARIOS",
    "STORES",
    "Scenario",
    "bytes_of",
    "check",
    "images_in",
    "leave_traces",
    "repository",
]

STORES = ("one", "two")
PART = 256 * 1024
SIZES = {"small": 3000, "big": 5 * PART + 17, "other": 70_000}


def bytes_of(name: str) -> bytes:
    """Make the bytes of an image from its name."""
    return random.Random(name).randbytes(SIZES[name])


def repository(root: Path) -> Repository:
    """Open the repository in a directory, with its catalog and its two stores."""
    settings = {"driver": "file", "part_size": PART, "durable": False}
    stores = [open_store({**settings, "path": str(root / name)}, name=name) for name in STORES]
    # Nobody cuts the power here, so nobody needs to wait for the disk.
    return Repository(Fleet(stores), Catalog(root / "catalog.db", durable=False))


@dataclass(frozen=True, slots=True)
class Scenario:
    """One change: ``before`` makes the state it starts from, ``act`` may be killed.

    ``start`` and ``result`` are the images, with their stores, before and after; anything in between is wrong.
    Without ``start`` it begins with a damaged copy, and is simply repeated.
    """

    before: Callable[[Repository], object]
    act: Callable[[Repository], object]
    start: Mapping[str, tuple[str, ...]] | None
    result: Mapping[str, tuple[str, ...]]


def _put(name: str, *stores: str) -> Callable[[Repository], object]:
    return lambda repo: repo.put(name, bytes_of(name), stores=stores or None)


def _damage(repo: Repository) -> None:
    _put("other")(repo)
    ref = repo.stat("other").copies["one"].ref
    path = ref.removeprefix("file://")
    with open(path, "r+b") as file:
        file.truncate(100)


def leave_traces(repo: Repository) -> None:
    """Die, as it were, with an upload of each kind on record, and one that the catalog does not know."""
    one, two = repo.fleet.stores["one"], repo.fleet.stores["two"]
    operation = repo.catalog.operation()
    operation.hold("small", state="uploading")
    upload = one.driver.begin("small", None, {})
    operation.began(operation.intend("one", "small"), upload.token)
    upload.write_part(0, 0, bytes_of("small"))
    upload.commit(SIZES["small"], {})
    upload = two.driver.begin("small", None, {})
    operation.began(operation.intend("two", "small"), upload.token)
    upload.write_part(0, 0, bytes_of("small")[:10])
    two.driver.begin("big", None, {}).write_part(0, 0, b"stray")


def collect(repo: Repository) -> None:
    assert not [each for each in repo.gc(grace=0) if each.error]


def _nothing(repo: Repository) -> None:
    pass


_BOTH = {"other": STORES}
SCENARIOS = {
    "put": Scenario(_put("other"), _put("small"), _BOTH, {**_BOTH, "small": STORES}),
    "put-parts": Scenario(_put("other"), _put("big"), _BOTH, {**_BOTH, "big": STORES}),
    "delete": Scenario(_put("other"), lambda repo: repo.delete("other"), _BOTH, {}),
    "delete-copy": Scenario(
        _put("other"),
        lambda repo: repo.delete("other", stores=["two"]),
        _BOTH,
        {"other": ("one",)},
    ),
    "copy": Scenario(
        _put("other", "one"), lambda repo: repo.copy("other", ["two"]), {"other": ("one",)}, _BOTH
    ),
    "first-put": Scenario(_nothing, _put("small"), {}, {"small": STORES}),
    "repair": Scenario(_damage, lambda repo: repo.repair("other"), None, _BOTH),
    "gc": Scenario(_nothing, collect, {}, {}),
    "retry": Scenario(_nothing, _put("small"), {}, {"small": STORES}),
}


def check(root: Path, scenario: Scenario, *, acknowledged: bool, gc_first: bool) -> None:
    """Judge what a death left behind; then retry, and clean up: nothing may remain but the result."""
    with repository(root) as repo:
        if scenario.start is None:
            scenario.act(repo)
        _assert_whole(root)
        wanted = [scenario.result] if acknowledged else [scenario.start, scenario.result]
        found = images_in(repo)
        assert found in wanted, f"there is {found}, where one of {wanted} should be"
        if gc_first:
            before = images_in(repo)
            collect(repo)
            assert images_in(repo) == before
            _assert_clean(repo, root, before)
        if images_in(repo) != scenario.result:
            scenario.act(repo)
        assert images_in(repo) == scenario.result
        collect(repo)
        _assert_clean(repo, root, scenario.result)
    assert not os.listdir(root / "catalog.db-owners")
    assert sorted(os.listdir(root)) == ["catalog.db", "catalog.db-owners", *STORES]


def images_in(repo: Repository) -> Mapping[str, tuple[str, ...]]:
    """Give the visible images and their stores; each is read and must be whole and right."""
    found = {}
    for record in repo.list():
        data = bytes_of(record.name)
        assert record.size == len(data)
        assert record.digests["sha512"] == hashlib.sha512(data).hexdigest()
        verdicts = repo.fleet.verify(record.refs, expect=record.digests, size=record.size)
        states = {each.store: each.state for each in verdicts}
        assert set(states.values()) == {State.INTACT}, f"{record.name} is visible, and {states}"
        found[record.name] = tuple(sorted(record.copies))
    return found


def _assert_whole(root: Path) -> None:
    """Whatever has the name of an image is the image, known to the catalog or not."""
    for name in STORES:
        for file in (root / name).glob("[!.]*"):
            found = file.read_bytes()
            whole = found == bytes_of(file.name)
            assert whole, f"{name}/{file.name}: {len(found)} bytes are visible, and not the image"


def _assert_clean(repo: Repository, root: Path, images: Mapping[str, tuple[str, ...]]) -> None:
    """Not a byte is in the stores or in the catalog that no image needs."""
    assert repo.catalog.uploads() == []
    assert repo.catalog.unfinished() == []
    for name in STORES:
        store = repo.fleet.stores[name]
        wanted = {image for image, stores in images.items() if name in stores}
        left = [pending.token for pending in store.pending()]
        assert not left, f"{name}: left behind: {left}"
        assert {info.name for info in store.list()} == wanted
        files = set(os.listdir(root / name)) if (root / name).is_dir() else set()
        hidden = {file for file in files if file.startswith(".")}
        assert files - hidden == wanted
        assert hidden <= {MARKER}, "only the marker of the directory may remain"
    with sqlite3.connect(root / "catalog.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
