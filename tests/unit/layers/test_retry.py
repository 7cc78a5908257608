"""What is repeated, how often, after which pauses; and how a read goes on where it broke off."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from doubles import TroubledDriver
from hypothesis import given
from hypothesis import strategies as st
from multistore.driver import Driver, Reader
from multistore.drivers.memory import MemoryDriver
from multistore.errors import (
    AlreadyExists,
    Corrupt,
    InUse,
    NotFound,
    RateLimited,
    StoreError,
    TimedOut,
    Unavailable,
)
from multistore.layers.faults import Fault, FaultLayer, FaultPlan
from multistore.layers.retry import Failure, Policy, RetryLayer
from multistore.model import Info

DATA = bytes(range(1, 101))
REF = "memory://x"


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> bool:
        self.slept.append(seconds)
        self.now += seconds
        return False


def policy(time: Time, **facts: object) -> Policy:
    facts = {"draw": lambda low, high: high, **facts}
    return Policy(clock=time.clock, sleep=time.sleep, **facts)  # type: ignore[arg-type]


def retrying(
    *faults: Fault, driver: Driver | None = None, told: list[Failure] | None = None, **facts: object
) -> tuple[RetryLayer, FaultPlan, Time]:
    time = Time()
    plan = FaultPlan(*faults)
    bare = driver or stocked()
    layer = RetryLayer(
        FaultLayer(bare, plan), policy(time, **facts), None if told is None else told.append
    )
    return layer, plan, time


def stocked(piece: int = 7) -> TroubledDriver:
    bare = TroubledDriver(part_size=piece)
    bare.objects["x"] = (DATA, "version-1", 0.0)
    return bare


def openings(bare: TroubledDriver) -> list[Any]:
    """Give the list of all readers that will be opened."""
    opened: list[Any] = []
    original = bare.open

    def remember(ref: str) -> Reader:
        reader = original(ref)
        opened.append(reader)
        return reader

    bare.open = remember  # type: ignore[method-assign] # watched
    return opened


def test_a_call_is_repeated_until_it_succeeds_with_doubling_pauses() -> None:
    told: list[Failure] = []
    layer, plan, time = retrying(
        *(Fault(verb="stat", attempt=each) for each in (1, 2, 3)), told=told, backoff_limit=1.5
    )
    assert layer.stat(REF).size == len(DATA)
    assert time.slept == [0.5, 1.0, 1.5]
    assert len(plan.fired) == 3
    assert [(each.verb, each.attempt, each.delay) for each in told] == [
        ("stat", 1, 0.5),
        ("stat", 2, 1.0),
        ("stat", 3, 1.5),
    ]


def test_the_last_error_comes_out_with_the_number_of_attempts() -> None:
    errors = [Unavailable(str(each)) for each in range(9)]
    layer, plan, _ = retrying(Fault(verb="stat", error=lambda: errors[len(plan.fired) - 1]))
    with pytest.raises(Unavailable) as caught:
        layer.stat(REF)
    assert caught.value is errors[4]
    assert caught.value.attempts == 5


@pytest.mark.parametrize("error", [NotFound(), InUse(), AlreadyExists(), Corrupt()])
def test_what_waiting_does_not_cure_is_not_repeated(error: StoreError) -> None:
    layer, plan, time = retrying(Fault(verb="delete", error=error))
    with pytest.raises(type(error)):
        layer.delete(REF)
    assert len(plan.fired) == 1
    assert time.slept == []


def test_a_final_error_is_never_repeated() -> None:
    error = Unavailable("fsync failed")
    error.final = True
    layer, plan, _ = retrying(Fault(verb="commit", error=error))
    upload = layer.begin("new", None, {})
    with pytest.raises(Unavailable):
        upload.commit(0, {})
    assert len(plan.fired) == 1


def test_an_error_that_follows_a_retry_counts_the_attempts() -> None:
    layer, _, _ = retrying(
        Fault(verb="stat", attempt=1), Fault(verb="stat", attempt=2, error=NotFound())
    )
    with pytest.raises(NotFound) as caught:
        layer.stat(REF)
    assert caught.value.attempts == 2


def test_a_foreign_exception_passes_at_once() -> None:
    layer, plan, _ = retrying(Fault(verb="stat", error=ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        layer.stat(REF)
    assert len(plan.fired) == 1


def test_the_server_is_given_the_time_it_asks_for() -> None:
    error = RateLimited(retry_after=20.0)
    layer, _, time = retrying(Fault(verb="stat", attempt=1, error=error))
    layer.stat(REF)
    assert time.slept == [20.5]


def test_a_server_that_asks_for_more_than_our_patience_is_an_error_at_once() -> None:
    error = RateLimited(retry_after=301.0)
    layer, plan, time = retrying(Fault(verb="stat", error=error))
    with pytest.raises(RateLimited):
        layer.stat(REF)
    assert (len(plan.fired), time.slept) == (1, [])


@given(
    attempts=st.integers(1, 50),
    patience=st.floats(0.1, 500),
    asked=st.lists(st.none() | st.floats(0, 600), min_size=50, max_size=50),
    draws=st.lists(st.floats(0, 1), min_size=50, max_size=50),
)
def test_no_pause_reaches_beyond_the_patience(
    attempts: int, patience: float, asked: list[float | None], draws: list[float]
) -> None:
    rest = iter(draws)
    layer, plan, time = retrying(
        Fault(verb="stat", error=lambda: Unavailable(retry_after=asked[len(plan.fired) - 1])),
        attempts=attempts,
        patience=patience,
        draw=lambda low, high: low + (high - low) * next(rest),
    )
    with pytest.raises(Unavailable) as caught:
        layer.stat(REF)
    assert sum(time.slept) <= patience + 1e-6
    assert caught.value.attempts == len(plan.fired) <= attempts


def test_closing_the_driver_ends_the_pauses() -> None:
    waiting = threading.Event()
    bare = stocked()
    plan = FaultPlan(Fault(verb="stat"))
    layer = RetryLayer(
        FaultLayer(bare, plan),
        Policy(draw=lambda low, high: 200.0),
        lambda failure: waiting.set(),
    )
    caught: list[BaseException] = []

    def work() -> None:
        try:
            layer.stat(REF)
        except Unavailable as error:
            caught.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert waiting.wait(10)
    while thread.is_alive():  # the event may be made just after we were told
        layer.close()
        thread.join(0.05)
    assert "given up" in caught[0].__notes__[0]
    assert len(plan.fired) == 1
    plan.faults = ()
    assert layer.stat(REF).size == len(DATA)


# -- verbs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("verb", ["begin", "write_part", "commit", "abort"])
def test_every_step_of_an_upload_survives_a_lost_request_and_a_lost_reply(
    verb: str, when: str
) -> None:
    bare = stocked()
    layer, plan, _ = retrying(Fault(verb=verb, attempt=1, when=when), driver=bare)
    upload = layer.begin("new", None, {})
    upload.write_part(0, 0, b"some")
    stored = upload.commit(4, {})
    upload.abort()
    assert [step.verb for step in plan.fired] == [verb]
    assert bare.objects["new"][0] == b"some"
    assert stored.ref == "memory://new"
    assert list(bare.pending()) == []


def test_a_deletion_whose_reply_was_lost_is_done() -> None:
    bare = stocked()
    layer, plan, _ = retrying(Fault(verb="delete", attempt=1, when="after"), driver=bare)
    layer.delete(REF)
    assert plan.verbs() == ["delete", "delete"]
    assert bare.objects == {}


@pytest.mark.parametrize("error", [None, RateLimited()])
def test_a_deletion_that_cannot_have_happened_is_not_taken_for_done(
    error: StoreError | None,
) -> None:
    faults = [] if error is None else [Fault(verb="delete", attempt=1, error=error)]
    layer, _, _ = retrying(*faults)
    with pytest.raises(NotFound):
        layer.delete("memory://never")


def test_a_check_is_asked_once() -> None:
    layer, plan, _ = retrying(Fault(verb="check"))
    with pytest.raises(Unavailable):
        layer.check()
    assert len(plan.fired) == 1


@pytest.mark.parametrize("verb", ["list", "pending"])
def test_a_listing_is_asked_anew_only_before_its_first_item(verb: str) -> None:
    def ask(*faults: Fault) -> list[object]:
        bare = stocked()
        bare.objects["y"] = (b"", "2", 0.0)
        bare.begin("a", None, {})
        bare.begin("b", None, {})
        layer, _, _ = retrying(*faults, driver=bare)
        return list(getattr(layer, verb)())

    whole = len(ask())
    assert whole == 2
    assert len(ask(Fault(verb=verb, nth=1))) == whole
    assert len(ask(Fault(verb="item", nth=1))) == whole
    with pytest.raises(Unavailable):
        ask(Fault(verb="item", nth=2))


# -- reads -----------------------------------------------------------------------------------------


@given(
    cuts=st.lists(st.integers(0, 40), max_size=8),
    piece=st.integers(1, 30),
    offset=st.integers(0, 110),
    length=st.none() | st.integers(0, 110),
)
def test_a_read_that_breaks_anywhere_comes_back_whole(
    cuts: list[int], piece: int, offset: int, length: int | None
) -> None:
    faults = [Fault(verb="read", nth=nth, cut=cut) for nth, cut in enumerate(cuts, start=1)]
    layer, _, _ = retrying(*faults, driver=stocked(piece), attempts=20, patience=1e9)
    end = len(DATA) if length is None else offset + length
    with layer.open(REF) as reader:
        assert b"".join(reader.read(offset, length)) == DATA[offset:end]


def test_a_read_is_given_up_when_nothing_more_comes() -> None:
    layer, plan, _ = retrying(
        Fault(verb="read", nth=1, cut=10), Fault(verb="read", nth=2, forever=True)
    )
    reader = layer.open(REF)
    stream = reader.read()
    assert next(stream) + next(stream) == DATA[:10]
    with pytest.raises(Unavailable) as caught:
        next(stream)
    assert caught.value.attempts == 5
    assert plan.verbs().count("read") == 1 + 4


def test_progress_starts_the_count_anew() -> None:
    layer, plan, time = retrying(Fault(verb="read", cut=5), attempts=2, patience=1.0)
    with layer.open(REF) as reader:
        assert b"".join(reader.read()) == DATA
    assert len(plan.fired) == 20
    assert set(time.slept) == {0.5}


def test_a_read_that_only_drips_comes_to_an_end() -> None:
    slow = Fault(verb="read", cut=5, error=lambda: TimedOut(seconds=60))
    layer, plan, _ = retrying(slow)
    with layer.open(REF) as reader, pytest.raises(TimedOut) as caught:
        list(reader.read())
    assert caught.value.attempts == 5
    assert len(plan.fired) == 5


def test_much_in_spite_of_a_time_out_is_progress() -> None:
    slow = Fault(verb="read", cut=5, error=lambda: TimedOut(seconds=60))
    layer, _, _ = retrying(slow, progress=5)
    with layer.open(REF) as reader:
        assert b"".join(reader.read()) == DATA


def change(bare: MemoryDriver, version: str, data: bytes = DATA) -> Callable[[], BaseException]:
    def happen() -> BaseException:
        bare.objects["x"] = (data, version, 1.0)
        return Unavailable("cut")

    return happen


def test_a_changed_object_is_corrupt_and_never_spliced() -> None:
    bare = stocked()
    cut = Fault(verb="read", nth=1, cut=10, error=change(bare, "version-2", DATA[::-1]))
    refused = Fault(verb="read", nth=2)
    layer, _, _ = retrying(cut, refused, driver=bare)
    reader = layer.open(REF)
    stream = reader.read()
    assert next(stream) + next(stream) == DATA[:10]
    with pytest.raises(Corrupt, match="changed while it was being read"):
        next(stream)


def test_a_reader_that_refuses_is_opened_anew_and_closed_again() -> None:
    bare = stocked()
    opened = openings(bare)
    layer, _, _ = retrying(
        Fault(verb="read", nth=1, cut=10), Fault(verb="read", nth=2), driver=bare
    )
    with layer.open(REF) as reader:
        assert b"".join(reader.read()) == DATA
    assert [each.closed for each in opened] == [True, True]


def test_a_stream_closed_early_closes_what_it_opened() -> None:
    bare = stocked()
    opened = openings(bare)
    layer, _, _ = retrying(Fault(verb="read", nth=1, cut=0), Fault(verb="read", nth=2), driver=bare)
    reader = layer.open(REF)
    stream = reader.read()
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert [each.closed for each in opened] == [False, True]


def test_without_a_version_nothing_is_resumed_in_the_middle() -> None:
    bare = stocked()
    bare.stat = lambda ref: Info(ref, len(DATA))  # type: ignore[method-assign]
    layer, _, _ = retrying(Fault(verb="read", nth=1, cut=10), driver=bare)
    with layer.open(REF) as reader, pytest.raises(Unavailable) as caught:
        list(reader.read())
    assert "no version" in caught.value.__notes__[0]
    layer, _, _ = retrying(Fault(verb="read", nth=1, cut=0), driver=bare)
    with layer.open(REF) as reader:
        assert b"".join(reader.read()) == DATA


def test_an_error_after_the_last_byte_is_the_end() -> None:
    layer, plan, _ = retrying(Fault(verb="read", nth=1, cut=len(DATA)))
    with layer.open(REF) as reader:
        assert b"".join(reader.read()) == DATA
    assert plan.verbs().count("read") == 1


def test_a_permanent_error_in_the_middle_is_not_repeated() -> None:
    layer, plan, _ = retrying(Fault(verb="piece", nth=3, error=Corrupt("bits")))
    with layer.open(REF) as reader, pytest.raises(Corrupt):
        list(reader.read())
    assert plan.verbs().count("read") == 1
