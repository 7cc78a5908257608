"""The bound on memory."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from doubles import TroubledDriver, failing
from multistore.drivers.memory import MemoryDriver, MemorySettings
from multistore.errors import NoSpace
from multistore.model import Capabilities, Verb
from multistore.pipeline import upload as upload_module
from multistore.pipeline.sink import Sink, Target
from multistore.pipeline.upload import Job, upload
from multistore.pipeline.window import Block, Window


def beside(action: Callable[[], object]) -> tuple[threading.Thread, threading.Event]:
    done = threading.Event()

    def run() -> None:
        action()
        done.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, done


def test_what_fits_does_not_wait() -> None:
    window = Window(10)
    window.wait_for_room(10)
    window.block(b"12345", 1)
    window.wait_for_room(5)


def test_two_blocks_always_fit_however_small_the_limit() -> None:
    window = Window(0)
    window.block(b"12345", 1)
    window.wait_for_room(5)


def test_a_block_is_counted_until_its_last_holder_drops_it() -> None:
    window = Window(10)
    block = window.block(b"1234567890", 2)
    thread, done = beside(lambda: window.wait_for_room(8))
    block.drop()
    assert not done.is_set()
    block.drop()
    assert done.wait(10)
    thread.join(10)


def test_an_alarm_ends_the_waiting_once() -> None:
    window = Window(0)
    held = window.block(b"1234567890", 1)
    window.wake()
    window.wait_for_room(10)
    thread, done = beside(lambda: window.wait_for_room(10))
    window.wake()
    assert done.wait(10)
    thread.join(10)
    held.drop()


@pytest.mark.parametrize("limit", [1, 5, 17])
def test_the_bound_holds_under_load(limit: int) -> None:
    window = Window(limit)
    peak = 0
    blocks: list[Block] = []
    for size in [3, 1, 2, 3, 3, 1] * 20:
        thread, done = beside(lambda size=size: window.wait_for_room(size))  # type: ignore[misc]
        while blocks and window._used + size > max(limit, 2 * size):
            blocks.pop(0).drop()
        assert done.wait(10)
        thread.join(10)
        blocks.append(window.block(bytes(size), 1))
        peak = max(peak, window._used)
    assert peak <= max(limit, 6)


def test_a_store_that_fails_gives_back_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_module, "SMALL", -1)
    together = threading.Barrier(4)
    full = failing("write_part", NoSpace("full"), always=True)

    def trouble(name: str) -> None:
        if name == "write_part":
            together.wait(10)  # so that four parts fail at once
        full(name)

    one = Capabilities(verbs=Verb.WRITE | Verb.DELETE, parallel_parts=1)
    good = TroubledDriver(part_size=10, capabilities=one)
    bad = TroubledDriver(part_size=10, before=trouble)
    data = bytes(range(200))
    done = upload([Target("good", good), Target("bad", bad)], Job(name="image", source=data), 1)
    assert list(done.failures) == ["bad"]
    assert good.objects["image"][0] == data


def test_all_blocks_of_an_upload_are_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_module, "SMALL", -1)
    windows: list[Window] = []

    class Noted(Window):
        def __init__(self, limit: int) -> None:
            super().__init__(limit)
            windows.append(self)

    monkeypatch.setattr(upload_module, "Window", Noted)
    drivers = [MemoryDriver(MemorySettings(part_size=size)) for size in (3, 7)]
    targets = [Target(str(place), driver) for place, driver in enumerate(drivers)]
    upload(targets, Job(name="image", source=bytes(1000), digests=["md5"]), 2)
    assert [window._used for window in windows] == [0]


def test_large_parts_are_fewer_in_memory() -> None:
    """160 MiB of them, or three where that is more; small ones as many as are written side by side, and three."""
    for part, wanted in ((8, 56), (40, 160), (64, 192), (500, 1500)):
        driver = MemoryDriver(MemorySettings(part_size=part << 20))
        sink = Sink(Target("shelf", driver), None, lambda: None)
        assert driver.capabilities.parallel_parts == 4
        assert sink.memory == wanted << 20
