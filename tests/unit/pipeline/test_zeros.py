"""Zero runs."""

from __future__ import annotations

import random

import pytest
from multistore.pipeline.zeros import GRAIN, data_runs


@pytest.mark.parametrize(
    ("data", "runs"),
    [
        (b"", []),
        (b"x", [(0, 1)]),
        (b"\0", []),
        (bytes(GRAIN), []),
        (bytes(GRAIN + 1), []),
        (bytes(GRAIN) + b"x", [(GRAIN, GRAIN + 1)]),
        (b"x" + bytes(GRAIN - 1), [(0, GRAIN)]),
        (b"x" + bytes(GRAIN), [(0, GRAIN)]),
        (bytes(GRAIN - 1) + b"x" + bytes(GRAIN), [(0, GRAIN)]),
        (b"x" * (2 * GRAIN), [(0, 2 * GRAIN)]),
        (b"x" * GRAIN + bytes(GRAIN) + b"x", [(0, GRAIN), (2 * GRAIN, 2 * GRAIN + 1)]),
        (bytes(3 * GRAIN - 1) + b"x", [(2 * GRAIN, 3 * GRAIN)]),
    ],
)
def test_runs(data: bytes, runs: list[tuple[int, int]]) -> None:
    assert list(data_runs(data)) == runs


@pytest.mark.parametrize("seed", range(20))
def test_the_runs_hold_everything_that_is_not_zero(seed: int) -> None:
    chance = random.Random(seed)
    data = b"".join(
        chance.choice([bytes(count), b"\1" * count, bytes(count - 1) + b"\1"])
        for count in (chance.choice([1, 7, GRAIN - 1, GRAIN, GRAIN + 1]) for _ in range(12))
    )
    rebuilt = bytearray(len(data))
    last = -1
    for start, end in data_runs(data):
        assert last < start < end <= len(data)
        rebuilt[start:end] = data[start:end]
        last = end
    assert rebuilt == data
