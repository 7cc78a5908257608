"""Calls that hang are left alone; reads that drip are given up."""

from __future__ import annotations

import contextlib
import contextvars
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from doubles import TroubledDriver
from multistore.driver import Reader, Upload
from multistore.errors import TimedOut, Unavailable
from multistore.layers.deadline import DeadlineLayer
from multistore.layers.limit import LimitLayer
from multistore.layers.workers import Workers

LIMIT = 15.0
SOON = 0.05
REF = "memory://x"


class Hanging:
    """Makes chosen steps hang until ``leave`` is set."""

    def __init__(self, *steps: str) -> None:
        self.steps = set(steps)
        self.entered, self.leave = threading.Event(), threading.Event()
        self.driver = TroubledDriver(before=self.before)
        self.driver.objects["x"] = (b"0123456789", "1", 0.0)

    def before(self, step: str) -> None:
        if step in self.steps:
            self.entered.set()
            assert self.leave.wait(LIMIT)

    def layer(self, **facts: object) -> DeadlineLayer:
        return DeadlineLayer(self.driver, seconds=SOON, **facts)  # type: ignore[arg-type]

    def release(self) -> None:
        self.steps.clear()
        self.leave.set()


def wait_until(true: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(int(LIMIT / 0.01)):
        if true():
            return
        pause.wait(0.01)
    raise AssertionError("it never came true")


def settled(layer: DeadlineLayer) -> None:
    wait_until(lambda: layer.workers.get().stuck == 0)


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


def test_a_call_that_hangs_is_timed_out() -> None:
    hanging = Hanging("stat")
    layer = hanging.layer()
    with pytest.raises(TimedOut) as caught:
        layer.stat(REF)
    assert caught.value.seconds == SOON
    assert layer.workers.get().stuck == 1
    hanging.release()
    settled(layer)
    assert layer.stat(REF).size == 10
    layer.close()


def test_an_upload_that_begins_too_late_is_aborted() -> None:
    leave = threading.Event()

    class Late(TroubledDriver):
        def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
            upload = super().begin(name, size, labels)
            assert leave.wait(LIMIT)
            return upload

    bare = Late()
    layer = DeadlineLayer(bare, seconds=SOON)
    with pytest.raises(TimedOut):
        layer.begin("late", None, {})
    assert len(list(bare.pending())) == 1
    leave.set()
    settled(layer)
    assert list(bare.pending()) == []
    layer.close()


def test_a_reader_that_opens_too_late_is_closed() -> None:
    hanging = Hanging("open")
    opened = openings(hanging.driver)
    layer = hanging.layer()
    with pytest.raises(TimedOut):
        layer.open(REF)
    hanging.release()
    settled(layer)
    assert [each.closed for each in opened] == [True]
    layer.close()


def test_no_more_than_so_many_calls_hang() -> None:
    hanging = Hanging("stat")
    layer = hanging.layer(stuck=2)
    for _ in range(2):
        with pytest.raises(TimedOut):
            layer.stat(REF)
    before = len(hanging.driver.calls)
    with pytest.raises(Unavailable, match="2 earlier calls hang"):
        layer.stat(REF)
    assert len(hanging.driver.calls) == before
    hanging.release()
    settled(layer)
    layer.close()


def test_an_upload_with_a_hanging_part_is_not_touched_until_it_is_back() -> None:
    hanging = Hanging("write_part")
    layer = hanging.layer()
    upload = layer.begin("image", None, {})
    with pytest.raises(TimedOut):
        upload.write_part(0, 0, b"data")
    with pytest.raises(TimedOut):
        upload.commit(4, {})
    with pytest.raises(Unavailable) as caught:
        upload.abort()
    assert caught.value.final
    assert hanging.driver.calls == ["begin", "write_part"]
    hanging.release()
    settled(layer)
    assert hanging.driver.calls == ["begin", "write_part", "abort"]
    assert list(hanging.driver.pending()) == []
    layer.close()


def test_an_upload_goes_on_once_its_part_is_back() -> None:
    hanging = Hanging("write_part")
    layer = hanging.layer()
    upload = layer.begin("image", None, {})
    with pytest.raises(TimedOut):
        upload.write_part(0, 0, b"data")
    hanging.release()
    settled(layer)
    upload.write_part(0, 0, b"data")
    upload.commit(4, {})
    assert hanging.driver.objects["image"][0] == b"data"
    layer.close()


def test_a_stream_that_hangs_is_closed_by_its_own_thread() -> None:
    hanging = Hanging("piece")
    closed = threading.Event()
    layer = hanging.layer()
    reader = layer.open(REF)
    inner = reader.inner  # type: ignore[attr-defined]
    original = inner._pieces

    def pieces(data: bytes) -> Iterator[bytes]:
        with contextlib.closing(original(data)) as chunks:
            try:
                yield from chunks
            finally:
                closed.set()

    inner._pieces = pieces
    stream = reader.read()
    with pytest.raises(TimedOut):
        next(stream)
    stream.close()  # type: ignore[attr-defined]
    reader.close()
    assert not closed.is_set()
    assert not inner.closed
    hanging.release()
    assert closed.wait(LIMIT)
    wait_until(lambda: inner.closed)
    settled(layer)
    layer.close()


def test_results_errors_and_context_pass_through_the_threads() -> None:
    request = contextvars.ContextVar("request", default="none")
    seen: list[str] = []
    bare = TroubledDriver(before=lambda step: seen.append(request.get()))
    bare.objects["x"] = (b"0123456789", "1", 0.0)
    layer = DeadlineLayer(bare, seconds=LIMIT)
    request.set("request-7")
    with layer.open(REF) as reader:
        assert b"".join(reader.read(1, 5)) == b"12345"
    assert set(seen) == {"request-7"}
    with pytest.raises(LookupError):
        layer.stat("memory://missing")
    layer.close()
    assert not [each for each in threading.enumerate() if each.name == "multistore-deadline"]


def test_threads_are_used_again() -> None:
    names = set()
    bare = TroubledDriver(before=lambda step: names.add(threading.get_ident()))
    bare.objects["x"] = (b"", "1", 0.0)
    layer = DeadlineLayer(bare, seconds=LIMIT)
    for _ in range(5):
        layer.stat(REF)
        wait_until(lambda: len(layer.workers.get()._idle) == 1)
    assert len(names) == 1
    layer.close()


def test_idle_threads_go_away_by_themselves() -> None:
    workers = Workers(stuck=1, linger=0.01)
    assert workers.run(threading.current_thread, LIMIT, what="test") is not None
    wait_until(lambda: not workers._idle)
    assert workers.run(lambda: 7, LIMIT, what="test") == 7
    workers.close()


def test_a_call_given_up_while_it_waits_for_a_permit_never_begins() -> None:
    hanging = Hanging("stat")
    layer = DeadlineLayer(LimitLayer(hanging.driver, calls=1), seconds=SOON)
    with pytest.raises(TimedOut):
        layer.stat(REF)
    with pytest.raises(TimedOut):
        layer.delete(REF)
    assert hanging.driver.calls == ["stat"]
    hanging.release()
    settled(layer)
    assert hanging.driver.calls == ["stat"]
    assert "x" in hanging.driver.objects
    layer.close()


def test_an_interrupted_wait_takes_the_result_back() -> None:
    workers = Workers(stuck=1)
    undone: list[object] = []
    entered, leave = threading.Event(), threading.Event()

    class Interrupted(BaseException):
        pass

    def work() -> str:
        entered.set()
        assert leave.wait(LIMIT)
        return "result"

    class Waiting(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert entered.wait(LIMIT)
            raise Interrupted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("multistore.layers.workers.Done", Waiting)
        with pytest.raises(Interrupted):
            workers.run(work, LIMIT, what="test", undo=undone.append)
    leave.set()
    wait_until(lambda: undone == ["result"])
    wait_until(lambda: workers.stuck == 0)
    workers.close()


def test_no_threads_without_a_limit() -> None:
    threads: set[int] = set()
    bare = TroubledDriver(before=lambda step: threads.add(threading.get_ident()))
    bare.objects["x"] = (b"01", "1", 0.0)
    layer = DeadlineLayer(bare, seconds=None, rate=1)
    assert isinstance(layer.begin("y", None, {}), type(bare.begin("z", None, {})))
    assert layer.stat(REF).size == 2
    assert threads == {threading.get_ident()}


def test_a_forked_child_has_threads_of_its_own() -> None:
    layer = DeadlineLayer(Hanging().driver, seconds=LIMIT)
    assert layer.stat(REF).size == 10
    pid = os.fork()
    if pid == 0:
        os._exit(0 if layer.stat(REF).size == 10 else 1)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    layer.close()


# -- the rate --------------------------------------------------------------------------------------


class Dripping:
    """A store whose every piece of 4 bytes takes ``seconds``; the clock stands still otherwise."""

    def __init__(self, seconds: float, rate: float, window: float) -> None:
        self.now = 0.0
        self.seconds = seconds
        bare = TroubledDriver(part_size=4, before=self.before)
        bare.objects["x"] = (bytes(400), "1", 0.0)
        self.layer = DeadlineLayer(
            bare, seconds=None, rate=rate, window=window, clock=lambda: self.now
        )

    def before(self, step: str) -> None:
        if step == "piece":
            self.now += self.seconds


@pytest.mark.parametrize(("seconds", "enough"), [(1.0, True), (1.1, False)])
def test_a_read_must_keep_its_rate(seconds: float, enough: bool) -> None:
    dripping = Dripping(seconds, rate=4, window=10)
    with dripping.layer.open(REF) as reader:
        if enough:
            assert len(b"".join(reader.read())) == 400
        else:
            with pytest.raises(TimedOut, match="40 bytes came in 11 s"):
                list(reader.read())


def test_the_time_of_the_consumer_does_not_count() -> None:
    dripping = Dripping(0.5, rate=4, window=10)
    with dripping.layer.open(REF) as reader:
        for _ in reader.read():
            dripping.now += 1000


def test_a_fast_start_does_not_excuse_a_drip() -> None:
    dripping = Dripping(0.0, rate=4, window=10)
    reader = dripping.layer.open(REF)
    stream = reader.read()
    for _ in range(50):
        next(stream)
    dripping.seconds = 6.0
    with pytest.raises(TimedOut):
        list(stream)
    assert dripping.now <= 300
