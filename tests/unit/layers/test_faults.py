"""A plan of faults strikes exactly where it says, the same way each time."""

from __future__ import annotations

import itertools
import threading

import pytest
from multistore.drivers.memory import MemoryDriver, MemorySettings
from multistore.errors import NoSpace, StoreError, Unavailable
from multistore.layers.faults import Fault, FaultLayer, FaultPlan, Step
from multistore.layers.stack import StoreOptions, stack
from multistore.store import Store


def layered(*faults: Fault) -> tuple[FaultLayer, FaultPlan, MemoryDriver]:
    bare = MemoryDriver(MemorySettings(part_size=4))
    bare.objects["x"] = (b"0123456789", "1", 0.0)
    plan = FaultPlan(*faults)
    return FaultLayer(bare, plan), plan, bare


def test_calls_are_recorded_with_their_place_and_attempt() -> None:
    layer, plan, _ = layered()
    upload = layer.begin("new", None, {})
    upload.write_part(0, 0, b"0123")
    upload.write_part(1, 4, b"45")
    upload.write_part(1, 4, b"45")
    assert plan.steps == [
        Step("begin", "new", None, 1, 1, 1),
        Step("write_part", "new", 0, 1, 1, 2),
        Step("write_part", "new", 4, 1, 2, 3),
        Step("write_part", "new", 4, 2, 3, 4),
    ]


def test_a_fault_strikes_by_offset_and_attempt() -> None:
    layer, plan, _ = layered(Fault(verb="write_part", offset=4, attempt=2, error=NoSpace()))
    upload = layer.begin("new", None, {})
    upload.write_part(0, 0, b"0123")
    upload.write_part(1, 4, b"45")
    with pytest.raises(NoSpace):
        upload.write_part(1, 4, b"45")
    upload.write_part(1, 4, b"45")
    assert [step.number for step in plan.fired] == [4]


@pytest.mark.parametrize(("when", "done"), [("before", False), ("after", True)])
def test_a_fault_comes_before_or_after_the_effect(when: str, done: bool) -> None:
    layer, _, bare = layered(Fault(verb="delete", when=when))
    with pytest.raises(Unavailable):
        layer.delete("memory://x")
    assert ("x" not in bare.objects) is done


def test_a_lost_begin_leaves_nothing_behind() -> None:
    layer, _, bare = layered(Fault(verb="begin", when="after"))
    with pytest.raises(Unavailable):
        layer.begin("new", None, {})
    assert list(bare.pending()) == []


def test_from_some_call_on_everything_fails() -> None:
    layer, plan, _ = layered(Fault(nth=2, verb="stat", forever=True))
    layer.stat("memory://x")
    for _ in range(3):
        with pytest.raises(Unavailable):
            layer.stat("memory://x")
    assert len(plan.fired) == 3


def test_a_stream_is_cut_or_has_a_byte_flipped() -> None:
    layer, _, _ = layered(Fault(verb="read", nth=1, cut=3), Fault(verb="read", nth=2, flip=4))
    reader = layer.open("memory://x")
    stream = reader.read()
    assert next(stream) == b"012"
    with pytest.raises(Unavailable):
        next(stream)
    assert b"".join(reader.read(2)) == b"23" + bytes([ord("4") ^ 0xFF]) + b"56789"


def test_a_stall_lasts_until_it_is_ended() -> None:
    leave = threading.Event()
    layer, plan, _ = layered(Fault(verb="stat", stall=leave))
    done = threading.Event()

    def work() -> None:
        layer.stat("memory://x")
        done.set()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert not done.is_set()
    leave.set()
    assert done.wait(10)
    assert len(plan.fired) == 1


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("attempts", [1, 3])
def test_a_put_with_a_fault_at_every_call_is_whole_or_absent(when: str, attempts: int) -> None:
    for k in itertools.count(1):
        bare = MemoryDriver(MemorySettings(part_size=4))
        plan = FaultPlan(Fault(number=k, when=when))
        options = StoreOptions(attempts=attempts, backoff=0.0)
        store = Store(bare, name="shelf")
        store.driver = stack(bare, name="shelf", options=options, events=(), faults=plan)
        try:
            store.put("image", b"0123456789")
        except StoreError:
            assert attempts == 1
            assert "image" not in bare.objects
        else:
            assert bare.objects["image"][0] == b"0123456789"
        assert list(bare.pending()) == []
        if not plan.fired:
            break
    assert k > 5
