"""What one of the two wrote, the other reads, measures and deletes: a service can change from one to the other and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from differential.cases import PEER
from differential.script import (
    CONF,
    Case,
    Outcome,
    Worker,
    call,
    multi,
    random,
    single,
    source,
    zeros,
)

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

#: Names and contents; one of them is as thin as it gets.
IMAGES: dict[str, tuple[Any, int]] = {
    "0a1b2c3d-0000-4000-8000-000000000000": (random(300_000), 300_000),
    "empty": (zeros(0), 0),
    "thin": (zeros(1 << 20), 1 << 20),
    "with blank, ä and %20": (random(5), 5),
}
OPTIONS: dict[str, dict[str, object]] = {
    "plain": {},
    "thin": {"filesystem_thin_provisioning": "true", "filesystem_store_file_perm": "640"},
    "several": {"filesystem_store_datadir": "", "filesystem_store_datadirs": ["{root}/disk/a:1", "{root}/disk/b:2"]},
}  # fmt: skip


@pytest.fixture(scope="module")
def workers() -> Iterator[dict[str, Worker]]:
    if not PEER.exists():
        pytest.fail(
            "release 5.7.0 is not there: 'make lab-up' first, or sh lab/peer/environment.sh"
        )
    with Worker(str(PEER)) as peer, Worker() as ours:
        yield {"5.7.0": peer, "ours": ours}


def made(mode: str, options: dict[str, object], *steps: Any) -> Case:
    return (
        single("cross", *steps, **options)
        if mode == "single"
        else multi("cross", *steps, one=options)
    )


def adding(mode: str) -> list[Any]:
    if mode == "single":
        return [
            call("add_to_backend_with_multihash", CONF, name, source(run), size, "sha256")
            for name, (run, size) in IMAGES.items()
        ]
    return [
        call("add_with_multihash", CONF, name, source(run), size, "one", "sha256")
        for name, (run, size) in IMAGES.items()
    ]


def using(mode: str, uris: list[str]) -> list[Any]:
    if mode == "single":
        return [
            *(call("get_from_backend", uri, read="all") for uri in uris),
            *(call("get_size_from_backend", uri) for uri in uris),
            *(call("delete_from_backend", uri) for uri in uris),
        ]
    return [
        *(call("get", uri, "one", read="all") for uri in uris),
        *(call("get_size_from_uri_and_backend", uri, "one") for uri in uris),
        *(call("delete", uri, None if number % 2 else "one") for number, uri in enumerate(uris)),
    ]  # fmt: skip


def images_below(root: Path) -> list[str]:
    """Give the files below the directories of the stores, without what marks the directories themselves."""
    return [
        path.name
        for path in root.joinpath("disk").rglob("*")
        if path.is_file() and not path.name.startswith(".")
    ]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("mode", ["multi", "single"])
@pytest.mark.parametrize("pair", [("5.7.0", "ours"), ("ours", "5.7.0")], ids=" then ".join)
def test_images_of_one_are_images_of_the_other(
    pair: tuple[str, str], mode: str, options: str, workers: dict[str, Worker], tmp_path: Path
) -> None:
    (writer, reader), root = pair, str(tmp_path)
    added = workers[writer].perform(made(mode, OPTIONS[options], *adding(mode)), root)[1:]
    uris = [uri_of(outcome) for outcome in added]
    found = workers[reader].perform(made(mode, OPTIONS[options], *using(mode, uris)), root)[1:]

    count = len(IMAGES)
    sizes = [size for _, size in IMAGES.values()]
    assert [one["returned"]["data"]["read"] for one in found[:count]] == sizes
    assert [one["returned"] for one in found[count : 2 * count]] == sizes
    assert [one["returned"] for one in found[2 * count :]] == [None] * count
    assert not images_below(tmp_path)


def uri_of(outcome: Outcome) -> str:
    assert "returned" in outcome, outcome
    return str(outcome["returned"]["tuple"][0])


@pytest.mark.parametrize(("first", "second"), [("5.7.0", "ours"), ("ours", "5.7.0")])
def test_an_image_of_one_is_a_duplicate_for_the_other(
    first: str, second: str, workers: dict[str, Worker], tmp_path: Path
) -> None:
    case = multi("cross", call("add", CONF, "image", source("hello"), 5, "one"), one={})
    assert "returned" in workers[first].perform(case, str(tmp_path))[1]
    assert workers[second].perform(case, str(tmp_path))[1]["raised"] == "Duplicate"
