"""What killed uploads leave is swept when it is old enough for the store that it is in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from glance_store import _adapter
from glance_store._drivers import s3, swift
from multistore import Store
from multistore.driver import PerProcess
from multistore.drivers.memory import MemoryDriver, MemorySettings
from multistore.model import Pending

HOUR = 3600.0


class Left(MemoryDriver):
    """Has two uploads that nobody ends, and sees no sign of life of either."""

    ages = (2 * HOUR, 25 * HOUR)

    def pending(self) -> Iterator[Pending]:
        for age in self.ages:
            yield Pending(str(age), "image", time.time() - age)

    def __init__(self) -> None:
        super().__init__(MemorySettings())
        self.gone: list[str] = []

    def discard(self, token: str) -> None:
        self.gone.append(token)


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> Left:
    monkeypatch.setattr(_adapter, "_swept", PerProcess(set))
    return Left()


def test_what_shows_signs_of_life_is_swept_after_an_hour_and_once(left: Left) -> None:
    core = Store(left, name="left")
    for _ in range(2):
        _adapter.sweep_once(core, ("left",))
    assert left.gone == [str(age) for age in Left.ages]


@pytest.mark.parametrize("module", [s3, swift])
def test_where_there_are_no_signs_of_life_an_upload_has_a_day(
    left: Left, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No upload takes so long; one that is swept while its writer is at it would fail."""
    monkeypatch.setattr(Left, "prefixes", lambda _: ("left",))
    store = SimpleNamespace(multi_tenant=False, backend_group="left", container="left")
    module.Store._before_add(store, Store(left, name="left"), "image")
    assert left.gone == [str(25 * HOUR)]
