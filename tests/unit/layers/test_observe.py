"""What is told of operations, how errors leave the library, and that no secret goes with them."""

from __future__ import annotations

import functools
import itertools
import logging
import threading
import traceback
from collections.abc import Callable, Iterator

import pytest
from doubles import TroubledDriver, failing
from multistore.driver import Driver
from multistore.drivers.memory import MemoryDriver, MemorySettings
from multistore.errors import AlreadyExists, NoSpace, NotFound, StoreError, Unavailable
from multistore.layers.faults import Fault, FaultPlan
from multistore.layers.stack import StoreOptions, stack
from multistore.model import Event, Info
from multistore.store import Store

CANARY = "canary-Pa55w0rd"
FAST = StoreOptions(backoff=0.0)


class Told:
    """Keeps all events."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def lines(self) -> list[tuple[str, str, str | None]]:
        return [(each.verb, each.kind, each.error) for each in self.events if each.kind != "bytes"]

    def moved(self, verb: str) -> int:
        return sum(each.count for each in self.events if each.verb == verb)


def store_of(driver: Driver, *faults: Fault, told: Told | None = None, **options: object) -> Store:
    store = Store(driver, name="shelf", options=FAST)
    store.driver = stack(
        driver,
        name="shelf",
        options=StoreOptions(backoff=0.0, **options),  # type: ignore[arg-type]
        events=() if told is None else (told,),
        faults=FaultPlan(*faults),
    )
    return store


def test_a_put_and_a_get_are_one_operation_each_and_their_bytes_sum_up() -> None:
    told = Told()
    store = store_of(MemoryDriver(MemorySettings(part_size=100)), told=told)
    data = b"x" * 250
    ref = store.put("image", data, size=250).ref
    with store.open(ref) as image:
        assert b"".join(image) == data
    assert told.lines() == [
        ("put", "begin", None),
        ("put", "end", None),
        ("get", "begin", None),
        ("get", "end", None),
    ]
    assert told.moved("put") == told.moved("get") == 250
    assert {each.operation for each in told.events} == {1, 2}
    assert {each.name for each in told.events if each.verb == "put"} == {"image"}
    assert {each.ref for each in told.events if each.verb == "get"} == {ref}
    assert told.events[0].total == 250
    assert [each.total for each in told.events if each.kind == "bytes"][-1] == 250
    assert all((each.elapsed or -1) >= 0 for each in told.events if each.kind == "end")


def test_holes_that_were_never_sent_count_too() -> None:
    told = Told()
    store = store_of(MemoryDriver(), told=told)
    store.put("image", b"x" + bytes(1 << 20))
    assert told.moved("put") == (1 << 20) + 1
    assert next(each.count for each in told.events if each.kind == "bytes") == 1 << 16


def test_a_hole_counts_as_soon_as_what_follows_it_is_written() -> None:
    told = Told()
    store_of(MemoryDriver(), told=told).put("image", bytes(1 << 20) + b"x")
    counts = [each.count for each in told.events if each.kind == "bytes"]
    assert counts == [(1 << 20) + 1]


def test_a_repeated_part_counts_once() -> None:
    told = Told()
    store = store_of(MemoryDriver(), Fault(verb="write_part", attempt=1, when="after"), told=told)
    store.put("image", b"x" * 9)
    assert told.moved("put") == 9
    (retry,) = (each for each in told.events if each.kind == "retry")
    assert (retry.verb, retry.operation, retry.attempt, retry.error, retry.delay) == (
        *("put", 1, 1, "Unavailable"),
        0.0,
    )


@pytest.mark.parametrize("verb", ["begin", "write_part", "commit"])
def test_a_failed_put_ends_once_with_the_class_of_its_error(verb: str) -> None:
    told = Told()
    store = store_of(MemoryDriver(), Fault(verb=verb, error=NoSpace(CANARY)), told=told)
    with pytest.raises(NoSpace):
        store.put("image", b"data")
    assert told.lines() == [("put", "begin", None), ("put", "end", "NoSpace")]


def test_a_put_whose_source_fails_is_told_as_cancelled() -> None:
    def source() -> Iterator[bytes]:
        yield b"x" * (2 << 20)
        raise ZeroDivisionError

    told = Told()
    store = store_of(MemoryDriver(MemorySettings(part_size=1 << 20)), told=told)
    with pytest.raises(ZeroDivisionError):
        store.put("image", source())
    assert told.lines()[-1] == ("put", "end", "Cancelled")


def test_a_failed_get_ends_as_a_failure_when_it_is_closed() -> None:
    told = Told()
    store = store_of(MemoryDriver(), Fault(verb="read", cut=2), told=told, attempts=1)
    ref = store.put("image", b"data").ref
    with pytest.raises(Unavailable), store.open(ref) as image:
        b"".join(image)
    assert told.lines()[-1] == ("get", "end", "Unavailable")
    with pytest.raises(NotFound):
        store.open("memory://missing")
    assert told.lines()[-2:] == [("get", "begin", None), ("get", "end", "NotFound")]


def test_single_calls_and_listings_are_operations() -> None:
    told = Told()
    store = store_of(MemoryDriver(), told=told)
    ref = store.put("image", b"data").ref
    del told.events[:]
    store.stat(ref)
    store.usage()
    assert len(list(store.list())) == 1
    next(store.list())
    store.delete(ref)
    with pytest.raises(NotFound):
        store.delete(ref)
    words = ["stat", "usage", "list"]
    expected = [(word, kind, None) for word in words for kind in ("begin", "end")]
    ends = told.lines()
    assert ends[:6] == expected
    assert ends[-2:] == [("delete", "begin", None), ("delete", "end", "NotFound")]


def test_operations_side_by_side_are_told_apart() -> None:
    told = Told()
    bare = MemoryDriver(MemorySettings(part_size=1 << 20))
    store = store_of(bare, Fault(verb="write_part", attempt=1), told=told)
    threads = [
        threading.Thread(target=store.put, args=(f"image-{each}", bytes([each + 1]) * (3 << 20)))
        for each in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    by_number = itertools.groupby(
        sorted(told.events, key=lambda each: each.operation), lambda each: each.operation
    )
    for _, events in by_number:
        mine = list(events)
        assert len({each.name for each in mine}) == 1
        assert sum(each.count for each in mine) == 3 << 20
        assert [each.kind for each in mine].count("retry") == 3


def test_a_handler_that_raises_does_no_harm_and_is_reported_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = Told()

    def broken(event: Event) -> None:
        raise ValueError(CANARY)

    store = Store(MemoryDriver(), name="shelf", events=[broken, told])
    ref = store.put("image", b"data").ref
    with store.open(ref) as image:
        assert b"".join(image) == b"data"
    assert len(told.events) == 6
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("multistore.observe", logging.WARNING)
    assert "ValueError in test_observe.py" in record.getMessage()
    assert CANARY not in record.getMessage()


# -- errors ----------------------------------------------------------------------------------------


def test_an_error_says_where_it_happened() -> None:
    store = store_of(MemoryDriver(), Fault(verb="stat"))
    with pytest.raises(Unavailable) as caught:
        store.stat("memory://image")
    error = caught.value
    assert (error.store, error.verb, error.ref, error.attempts) == (
        *("shelf", "stat", "memory://image"),
        5,
    )
    assert "(store 'shelf', stat, memory://image, after 5 attempts)" in str(error)


def test_the_first_stamp_stays() -> None:
    error = NotFound("gone")
    error.stamp(store="another", verb="get", ref="there")
    store = store_of(MemoryDriver(), Fault(verb="stat", error=error))
    with pytest.raises(NotFound) as caught:
        store.stat("memory://image")
    assert caught.value.store == "another"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError])
def test_what_is_no_error_of_the_driver_passes_untouched(kind: type[BaseException]) -> None:
    told = Told()
    store = store_of(MemoryDriver(), Fault(verb="stat", error=kind()), told=told)
    with pytest.raises(kind):
        store.stat("memory://image")
    assert told.lines()[-1] == ("stat", "end", kind.__name__)


def test_a_foreign_exception_becomes_unavailable_with_its_class_and_place() -> None:
    store = store_of(MemoryDriver(), Fault(verb="stat", error=OSError(5, CANARY)))
    with pytest.raises(Unavailable, match="the driver failed with OSError") as caught:
        store.stat("memory://image")
    (note,) = caught.value.__notes__
    assert note.startswith("OSError EIO in faults.py, line ")
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


class Leaking(MemoryDriver):
    """Every reference holds a secret, and so does the cause of every error."""

    def redact(self, ref: str) -> str:
        return ref.replace(CANARY, "***")


def _chained() -> BaseException:
    try:
        try:
            raise OSError(111, f"https://user:{CANARY}@server/ refused")
        except OSError as error:
            raise RuntimeError(CANARY) from error
    except RuntimeError as error:
        failure = Unavailable("the server cannot be reached")
        failure.__cause__ = error
        return failure


def everything(error: BaseException) -> str:
    texts = [str(error), repr(error), "".join(traceback.format_exception(error))]
    while error.__context__ is not None:
        error = error.__context__
        texts.append("".join(traceback.format_exception(error)))
    return "\n".join(texts)


def outcome(work: Callable[[], None]) -> StoreError | None:
    try:
        work()
    except StoreError as error:
        return error
    return None


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("make", [_chained, lambda: ValueError(CANARY)])
def test_no_secret_leaves_at_any_step(
    make: object, when: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told = Told()
    ref = f"memory://{CANARY}"

    def use(store: Store) -> None:
        upload = store.driver.begin("new", None, {})
        upload.write_part(0, 0, b"data")
        upload.commit(4, {})
        upload.abort()
        store.stat(ref)
        with store.open(ref) as image:
            assert image.info.size == 4
            b"".join(image.read())
        list(store.list())
        list(store.pending())
        store.published("token")
        store.discard("token")
        store.usage()
        store.check()
        store.delete(ref)

    for k in itertools.count(1):
        bare = Leaking()
        bare.objects[CANARY] = (b"data", "1", 0.0)
        fault = Fault(number=k, error=make, when=when)  # type: ignore[arg-type]
        store = store_of(bare, fault, told=told, attempts=1)
        error = outcome(functools.partial(use, store))
        assert error is None or (CANARY not in everything(error) and error.store == "shelf")
        fired = store.driver.inner.inner.plan.fired  # type: ignore[attr-defined]
        if not fired:
            break
    assert k > 15
    assert not [each for each in told.events if CANARY in repr(each)]
    assert CANARY not in caplog.text


def test_a_reference_that_cannot_be_redacted_is_not_shown() -> None:
    class Picky(MemoryDriver):
        def redact(self, ref: str) -> str:
            raise ValueError(CANARY)

    told = Told()
    store = store_of(Picky(), told=told)
    with pytest.raises(NotFound) as caught:
        store.stat("memory://x")
    assert caught.value.ref is None
    assert [each.ref for each in told.events] == [None, None]


def test_the_stack_without_handlers_still_stamps() -> None:
    bare = TroubledDriver(before=failing("stat", AlreadyExists("there")))
    layer = stack(bare, name="quiet", options=StoreOptions(), events=())
    with pytest.raises(AlreadyExists) as caught:
        layer.stat("memory://x")
    assert caught.value.store == "quiet"


def test_a_copy_inside_counts_its_bytes_at_the_end() -> None:
    class Copying(MemoryDriver):
        def begin_copy(self, source, ref, name, labels):  # type: ignore[no-untyped-def]
            upload = self.begin(name, None, labels)
            upload.write_part(0, 0, self.objects["a"][0])
            return upload, 3

    told = Told()
    bare = Copying()
    bare.objects["a"] = (b"abc", "1", 0.0)
    layer = stack(bare, name="shelf", options=FAST, events=[told])
    upload, size = layer.begin_copy(layer, "memory://a", "b", {})
    upload.commit(size, {})
    assert told.moved("copy") == 3
    assert told.events[-1].total == 3
    assert layer.stat("memory://b") == Info(
        "memory://b", 3, bare.objects["b"][1], "b", bare.objects["b"][2]
    )
