"""At most so many calls at once."""

from __future__ import annotations

import os
import threading

import pytest
from doubles import TroubledDriver
from multistore.drivers.memory import MemoryDriver, MemorySettings
from multistore.layers.limit import LimitLayer
from multistore.layers.stack import StoreOptions
from multistore.store import Store

LIMIT = 20.0


class Gauge:
    """Counts how many calls are inside at once; the first ones wait until ``wanted`` are, or can be."""

    def __init__(self, expected: int) -> None:
        self.lock = threading.Lock()
        self.inside = self.most = 0
        self.full = threading.Event()
        self.expected = expected

    def before(self, step: str) -> None:
        if step == "abort":
            return
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            if self.inside >= self.expected:
                self.full.set()
        self.full.wait(LIMIT)

    def after(self, step: str) -> None:
        with self.lock:
            self.inside -= 1


@pytest.mark.parametrize("calls", [1, 3])
def test_no_more_calls_than_allowed_are_inside_at_once(calls: int) -> None:
    gauge = Gauge(calls)
    bare = TroubledDriver(before=gauge.before, after=gauge.after)
    bare.objects["x"] = (b"12345", "1", 0.0)
    layer = LimitLayer(bare, calls=calls)
    threads = [
        threading.Thread(target=lambda: layer.stat("memory://x"), daemon=True) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert not any(thread.is_alive() for thread in threads)
    assert gauge.most == calls


@pytest.mark.parametrize("calls", [1, 2])
def test_open_streams_hold_no_permit(calls: int) -> None:
    bare = TroubledDriver()
    bare.objects["x"] = (b"0123456789", "1", 0.0)
    layer = LimitLayer(bare, calls=calls)
    readers = [layer.open("memory://x") for _ in range(4)]
    streams = [reader.read() for reader in readers]
    pieces = [[next(stream) for stream in streams] for _ in range(3)]
    assert pieces == [[b"0123"] * 4, [b"4567"] * 4, [b"89"] * 4]


@pytest.mark.parametrize("calls", [1, 2])
def test_parallel_parts_and_prefetch_do_not_lock_up(calls: int) -> None:
    bare = MemoryDriver(MemorySettings(part_size=1 << 20))
    store = Store(bare, name="narrow", options=StoreOptions(max_calls=calls))
    data = os.urandom(1 << 20) * 20
    ref = store.put("image", data).ref
    with store.open(ref) as image:
        assert b"".join(image) == data


def test_a_permit_comes_back_from_a_call_that_failed() -> None:
    layer = LimitLayer(MemoryDriver(), calls=1)
    for _ in range(3):
        with pytest.raises(LookupError):
            layer.stat("memory://missing")


def test_closing_needs_no_permit() -> None:
    entered, leave = threading.Event(), threading.Event()

    def before(step: str) -> None:
        entered.set()
        leave.wait(LIMIT)

    bare = TroubledDriver(before=before)
    bare.objects["x"] = (b"1", "1", 0.0)
    layer = LimitLayer(bare, calls=1)
    thread = threading.Thread(target=lambda: layer.stat("memory://x"), daemon=True)
    thread.start()
    assert entered.wait(LIMIT)
    layer.close()
    leave.set()
    thread.join(LIMIT)


def test_a_forked_child_has_permits_of_its_own() -> None:
    entered, leave = threading.Event(), threading.Event()

    def before(step: str) -> None:
        if threading.current_thread() is thread:
            entered.set()
            leave.wait(LIMIT)

    bare = TroubledDriver(before=before)
    bare.objects["x"] = (b"1", "1", 0.0)
    layer = LimitLayer(bare, calls=1)
    thread = threading.Thread(target=lambda: layer.stat("memory://x"), daemon=True)
    thread.start()
    assert entered.wait(LIMIT)
    pid = os.fork()
    if pid == 0:
        threading.Timer(LIMIT / 2, lambda: os._exit(1)).start()
        os._exit(0 if layer.stat("memory://x").size == 1 else 1)
    _, status = os.waitpid(pid, 0)
    leave.set()
    thread.join(LIMIT)
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="max_calls"):
        LimitLayer(MemoryDriver(), calls=0)
