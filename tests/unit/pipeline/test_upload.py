"""One pass over a source into one or many stores."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator

import pytest
from doubles import RecordingJournal, TroubledDriver, failing
from multistore.drivers.memory import MemoryDriver, MemorySettings
from multistore.errors import (
    AlreadyExists,
    Corrupt,
    NoSpace,
    SizeMismatch,
    StoreError,
    Unavailable,
    Unsupported,
)
from multistore.model import Capabilities, Event, Verb
from multistore.pipeline import upload as upload_module
from multistore.pipeline.sink import Target
from multistore.pipeline.upload import Job, Uploaded, upload
from multistore.store import Store

DATA = bytes(range(256)) * 3 + bytes(200) + b"the end"


@pytest.fixture(params=["inline", "threads"], autouse=True)
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test takes the way of a small image and that of a big one."""
    if request.param == "threads":
        monkeypatch.setattr(upload_module, "SMALL", -1)
    else:
        monkeypatch.setattr(TroubledDriver, "part_size", 1 << 20)
    return str(request.param)


def put(driver: MemoryDriver, source: object, **options: object) -> Uploaded:
    job = Job(name="image", source=source, **options)  # type: ignore[arg-type]
    return upload([Target("a", driver)], job, 1)


def content(driver: MemoryDriver) -> bytes:
    return driver.objects["image"][0]


def assert_empty(driver: MemoryDriver) -> None:
    assert driver.objects == {}
    assert driver.uploads == {}


def test_the_image_is_stored_and_its_digests_are_those_of_hashlib() -> None:
    driver = TroubledDriver()
    done = put(driver, DATA, digests=("md5", "sha256", "blake2b"))
    assert content(driver) == DATA
    assert done.size == len(DATA)
    assert done.digests == {
        name: hashlib.new(name, DATA).hexdigest() for name in ("md5", "sha256", "blake2b")
    }


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 8, 9])
def test_sizes_around_the_part_size(size: int) -> None:
    driver = TroubledDriver(part_size=4)
    put(driver, iter([bytes([7])] * size))
    assert content(driver) == bytes([7]) * size


def test_expected_digests_are_compared_before_anything_is_published() -> None:
    driver = TroubledDriver()
    with pytest.raises(Corrupt, match="sha256") as caught:
        put(driver, DATA, expect={"sha256": "0" * 64})
    assert caught.value.store == "a"
    assert "commit" not in driver.calls
    assert_empty(driver)


def test_an_expected_digest_is_computed_and_reported() -> None:
    expected = hashlib.sha1(DATA).hexdigest()
    assert put(MemoryDriver(), DATA, expect={"sha1": expected.upper()}).digests == {
        "sha1": expected
    }


def test_a_digest_of_no_fixed_length_is_refused_before_anything_happens() -> None:
    driver = TroubledDriver()
    with pytest.raises(Unsupported, match="shake_128"):
        put(driver, DATA, digests=("shake_128",))
    assert driver.calls == []


class Interruption(BaseException):
    pass


@pytest.mark.parametrize("error", [OSError("gone"), StoreError("mine"), Interruption()])
def test_what_the_source_raises_comes_through_unchanged(error: BaseException) -> None:
    def source() -> Iterator[bytes]:
        yield DATA
        raise error

    driver = TroubledDriver()
    with pytest.raises(type(error)) as caught:
        put(driver, source())
    assert caught.value is error
    assert getattr(error, "store", None) is None
    assert_empty(driver)


def test_observers_get_every_byte_in_order_in_this_thread() -> None:
    class Observer:
        def __init__(self) -> None:
            self.seen = b""
            self.threads: set[int] = set()

        def update(self, data: bytes) -> None:
            self.seen += data
            self.threads.add(threading.get_ident())

    observer = Observer()
    put(TroubledDriver(), DATA, observers=[observer])
    assert observer.seen == DATA
    assert observer.threads == {threading.get_ident()}


def test_an_observers_error_comes_through_and_nothing_is_stored() -> None:
    class Observer:
        def update(self, data: bytes) -> None:
            raise Corrupt("the signature is wrong")

    driver = TroubledDriver()
    with pytest.raises(Corrupt) as caught:
        put(driver, DATA, observers=[Observer()])
    assert caught.value.store is None
    assert_empty(driver)


@pytest.mark.parametrize("declared", [len(DATA) - 1, len(DATA) + 1, 0, 10 * len(DATA)])
def test_another_size_than_declared_is_refused(declared: int) -> None:
    driver = TroubledDriver()
    with pytest.raises(SizeMismatch) as caught:
        put(driver, iter([DATA]), size=declared)
    assert caught.value.expected == declared
    assert caught.value.exceeds == (declared < len(DATA))
    assert caught.value.store == "a"
    assert_empty(driver)


@pytest.mark.parametrize("step", ["begin", "write_part", "commit"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_failing_step_leaves_nothing(step: str, when: str) -> None:
    error = NoSpace("full")
    trouble = failing(step, error)
    driver = TroubledDriver(**{when: trouble})  # type: ignore[arg-type]
    with pytest.raises(NoSpace) as caught:
        put(driver, DATA)
    assert caught.value is error
    if (step, when) != ("begin", "after"):  # a driver promises to leave nothing there
        assert driver.uploads == {}
    # A commit that says NoSpace did not publish: contradicting that is not in a driver's power.
    if (step, when) != ("commit", "after"):
        assert driver.objects == {}


def test_a_commit_whose_reply_was_lost_is_settled_and_undone() -> None:
    error = Unavailable("cut off")
    driver = TroubledDriver(after=failing("commit", error))
    with pytest.raises(Unavailable) as caught:
        put(driver, DATA)
    assert caught.value is error
    assert driver.calls.count("commit") == 2
    assert "delete" in driver.calls
    assert_empty(driver)


def test_a_commit_that_never_settles_is_not_aborted_and_left_to_the_journal() -> None:
    journal = RecordingJournal()
    driver = TroubledDriver(before=failing("commit", Unavailable("down"), always=True))
    with pytest.raises(Unavailable) as caught:
        put(driver, DATA, journal=journal)
    assert "abort" not in driver.calls
    assert journal.records[1].end == "abandoned"
    assert any("garbage collection" in note for note in caught.value.__notes__)


def test_a_final_error_of_commit_is_taken_at_its_word() -> None:
    error = Unavailable("the disk did not take the data")
    error.final = True
    driver = TroubledDriver(before=failing("commit", error))
    with pytest.raises(Unavailable):
        put(driver, DATA)
    assert driver.calls.count("commit") == 1
    assert_empty(driver)


def test_trouble_while_undoing_does_not_hide_the_error() -> None:
    error = NoSpace("full")
    troubles = [failing("abort", Unavailable("also down")), failing("commit", error)]

    def both(name: str) -> None:
        for trouble in troubles:
            trouble(name)

    driver = TroubledDriver(before=both)
    journal = RecordingJournal(failing("abandoned", Unavailable("no journal either")))
    with pytest.raises(NoSpace) as caught:
        put(driver, DATA, journal=journal)
    assert caught.value is error
    assert len(error.__notes__) == 2


def test_the_journal_hears_of_each_step() -> None:
    journal = RecordingJournal()
    driver = TroubledDriver()
    put(driver, DATA, journal=journal)
    record = journal.records[1]
    assert (record.store, record.name, record.size, record.end) == ("a", "image", len(DATA), None)
    assert record.stored is not None
    assert record.stored.ref == "memory://image"
    assert record.token is not None
    assert driver.published(record.token) is not None


@pytest.mark.parametrize("step", ["intend", "began", "committing", "committed"])
def test_a_journal_that_fails_stops_the_upload(step: str) -> None:
    error = OSError("the database is gone")
    driver = TroubledDriver()
    with pytest.raises(OSError, match="database") as caught:
        put(driver, DATA, journal=RecordingJournal(failing(step, error)))
    assert caught.value is error
    assert_empty(driver)


def test_an_existing_name_is_left_alone() -> None:
    driver = TroubledDriver()
    put(driver, b"first")
    with pytest.raises(AlreadyExists):
        put(driver, b"second")
    assert content(driver) == b"first"
    assert driver.uploads == {}


def test_a_store_that_takes_no_more_parts_refuses_a_longer_image() -> None:
    driver = TroubledDriver(part_size=4, limit=2)
    put(driver, b"12345678")
    assert content(driver) == b"12345678"
    driver = TroubledDriver(part_size=4, limit=2)
    with pytest.raises(Unsupported, match="8 bytes"):
        put(driver, b"123456789")
    assert_empty(driver)


def test_zero_runs_are_not_sent_to_a_sparse_store() -> None:
    grain = 64 << 10
    data = bytes(grain) + b"x" * grain + bytes(2 * grain) + b"y"
    driver = TroubledDriver(part_size=8 * grain)
    put(driver, data)
    assert driver.calls.count("write_part") == 2
    assert content(driver) == data


def test_a_store_that_is_not_sparse_gets_every_byte() -> None:
    dense = Capabilities(verbs=Verb.WRITE | Verb.DELETE, parallel_parts=1)
    driver = TroubledDriver(part_size=1 << 20, capabilities=dense)
    put(driver, bytes(3 << 20))
    assert driver.calls.count("write_part") == 3
    assert content(driver) == bytes(3 << 20)


def test_stores_with_different_part_sizes_get_the_same_image() -> None:
    drivers = [MemoryDriver(MemorySettings(part_size=size)) for size in (3, 7, 1000)]
    targets = [Target(str(place), driver) for place, driver in enumerate(drivers)]
    done = upload(targets, Job(name="image", source=[DATA] * 5), 3)
    assert done.size == 5 * len(DATA)
    assert [content(driver) for driver in drivers] == [DATA * 5] * 3


def test_a_failing_store_drops_out_while_enough_are_left() -> None:
    good, bad = TroubledDriver(), TroubledDriver(before=failing("write_part", NoSpace("full")))
    done = upload([Target("good", good), Target("bad", bad)], Job(name="image", source=DATA), 1)
    assert [sink.store for sink in done.sinks] == ["good"]
    assert list(done.failures) == ["bad"]
    assert content(good) == DATA
    assert_empty(bad)


def test_too_few_stores_left_means_none_keeps_a_copy() -> None:
    good, bad = TroubledDriver(), TroubledDriver(before=failing("commit", NoSpace("full")))
    with pytest.raises(NoSpace):
        upload([Target("good", good), Target("bad", bad)], Job(name="image", source=DATA), 2)
    assert_empty(good)
    assert_empty(bad)


def test_several_failures_are_raised_as_a_group() -> None:
    drivers = [TroubledDriver(before=failing("commit", NoSpace(str(each)))) for each in range(3)]
    targets = [Target(str(place), driver) for place, driver in enumerate(drivers)]
    with pytest.raises(ExceptionGroup, match="'image' went into") as caught:
        upload(targets, Job(name="image", source=DATA), 2)
    assert caught.group_contains(NoSpace)
    for driver in drivers:
        assert_empty(driver)


def test_no_thread_to_be_had_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    if upload_module.SMALL < 0:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        driver = TroubledDriver()
        with pytest.raises(Unavailable, match="limit of processes"):
            put(driver, DATA)
        assert_empty(driver)
    else:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        put(driver := TroubledDriver(), DATA)
        assert content(driver) == DATA


def test_no_thread_is_left_running() -> None:
    before = threading.active_count()
    put(TroubledDriver(), DATA)
    with pytest.raises(NoSpace):
        put(TroubledDriver(before=failing("write_part", NoSpace())), DATA)
    assert threading.active_count() == before


def test_a_small_image_takes_no_thread(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    start = threading.Thread.start

    def noted(self: threading.Thread) -> None:
        started.append(self.name)
        start(self)

    monkeypatch.setattr(threading.Thread, "start", noted)
    put(TroubledDriver(), DATA)
    assert bool(started) == (path == "threads")


def test_an_upload_works_in_a_forked_child() -> None:
    driver = TroubledDriver()
    put(driver, DATA)
    driver.objects.clear()
    child = os.fork()
    if not child:
        put(driver, DATA)
        os._exit(0 if content(driver) == DATA else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_source_that_stays_open_is_read_no_further_than_declared() -> None:
    class Body:
        asked = 0

        def read(self, size: int) -> bytes:
            self.asked += size
            return b"" if self.asked > len(DATA) else bytes(size)

    body = Body()
    put(TroubledDriver(), body, size=len(DATA))
    assert body.asked == len(DATA) + 1


def test_a_pause_before_another_attempt_does_not_outlive_the_upload() -> None:
    """The source fails while a part waits to be tried again, for longer than this test may take."""
    waiting = threading.Event()

    def down(step: str) -> None:
        if step == "write_part":
            raise Unavailable("down", retry_after=100)

    def source() -> Iterator[bytes]:
        yield DATA
        yield DATA
        waiting.wait(10)
        raise OSError("gone")

    def told(event: Event) -> None:
        if event.kind == "retry":
            waiting.set()

    driver = TroubledDriver(part_size=len(DATA), before=down)
    store = Store(driver, name="slow", events=[told])
    with pytest.raises(OSError, match="gone"):
        store.put("image", source())
    assert waiting.is_set()
    assert_empty(driver)
