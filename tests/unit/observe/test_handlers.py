"""Logs, progress, JSON lines, metrics and traces, from what a store really tells."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import threading

import pytest
from multistore.drivers.memory import MemoryDriver, MemorySettings
from multistore.errors import Misconfigured, NoSpace, NotFound
from multistore.layers.faults import Fault, FaultPlan
from multistore.layers.stack import StoreOptions, stack
from multistore.model import Event, EventHandler
from multistore.observe import JsonLines, Log, OpenTelemetry, Progress, Prometheus, Snapshot
from multistore.store import Store
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest

DATA = b"x" * 250


def told_to(*handlers: EventHandler, name: str = "shelf", faults: tuple[Fault, ...] = ()) -> Store:
    bare = MemoryDriver(MemorySettings(part_size=100))
    store = Store(bare, name=name)
    options = StoreOptions(backoff=0.0)
    store.driver = stack(
        bare, name=name, options=options, events=handlers, faults=FaultPlan(*faults)
    )
    return store


# -- log -------------------------------------------------------------------------------------------


def test_one_line_per_operation_at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    store = told_to(Log(), faults=(Fault(verb="commit", attempt=1),))
    ref = store.put("image", DATA).ref
    store.stat(ref)
    with store.open(ref) as image:
        b"".join(image)
    store.delete(ref)
    texts = [record.getMessage().rpartition(" in ")[0] for record in caplog.records]
    assert texts == [
        "put image: attempt 1 failed with Unavailable, again",
        "put image: 250 bytes",
        "get memory://image: 250 bytes",
        "delete memory://image:",
    ]
    put = vars(caplog.records[1])
    assert put["name"] == "multistore.shelf"
    assert (put["store"], put["op"], put["image"], put["bytes"], put["attempt"]) == (
        *("shelf", "put", "image"),
        *(250, 2),
    )
    assert put["duration"] > 0
    assert put["error_class"] is None


def test_parts_and_small_calls_are_told_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    store = told_to(Log())
    store.stat(store.put("image", DATA).ref)
    levels = [record.levelno for record in caplog.records]
    assert levels.count(logging.INFO) == 1
    assert levels.count(logging.DEBUG) == len(levels) - 1
    texts = [record.getMessage() for record in caplog.records]
    assert "put image: 100 bytes" in texts or "put image: 250 bytes" in texts


def test_a_warning_only_where_somebody_should_act(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    store = told_to(Log(), faults=(Fault(verb="begin", error=NoSpace("full")),))
    with pytest.raises(NoSpace):
        store.put("image", DATA)
    with pytest.raises(NotFound):
        store.delete("memory://image")
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.INFO]
    assert caplog.records[0].error_class == "NoSpace"  # type: ignore[attr-defined]


def test_a_name_forges_no_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    told_to(Log()).put("a\nERROR b\x1b[2J", DATA)
    assert "\n" not in caplog.records[0].getMessage()
    assert "a\\nERROR b\\x1b[2J" in caplog.records[0].getMessage()


def test_nothing_is_written_where_logging_is_not_configured(
    capfd: pytest.CaptureFixture[str],
) -> None:
    logger = logging.Logger("alone")  # noqa: LOG001 # without parents
    store = told_to(Log(logger), faults=(Fault(verb="begin", error=NoSpace("full")),))
    with pytest.raises(NoSpace):
        store.put("image", DATA)
    assert capfd.readouterr() == ("", "")


# -- progress --------------------------------------------------------------------------------------


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def event(kind: str, count: int = 0, total: int | None = None, **facts: object) -> Event:
    return Event(
        kind=kind,
        store="shelf",
        verb="put",
        operation=1,
        count=count,
        total=total,
        **facts,  # type: ignore[arg-type]
    )


def test_progress_gives_rate_and_time_left_and_is_not_called_too_often() -> None:
    shown: list[Snapshot] = []
    clock = Clock()
    progress = Progress(shown.append, per_second=1, clock=clock)
    progress(event("begin", total=1000))
    for _ in range(8):
        clock.now += 0.5
        progress(event("bytes", 50, 1000))
    (current,) = progress.snapshots()
    assert (current.done, current.rate, current.left) == (400, 100.0, 6.0)
    assert [each.done for each in shown] == [0, 100, 200, 300, 400]
    assert (shown[0].rate, shown[0].left) == (None, None)
    progress(event("end", total=1000, elapsed=4.0, error="NoSpace"))
    assert (shown[-1].ended, shown[-1].error, shown[-1].left) == (True, "NoSpace", None)
    assert progress.snapshots() == []


def test_progress_follows_a_change_of_rate() -> None:
    clock = Clock()
    progress = Progress(lambda snapshot: None, clock=clock)
    progress(event("begin", total=10**6))
    for step in (1000, 10):
        for _ in range(100):
            clock.now += 1.0
            progress(event("bytes", step))
    assert progress.snapshots()[0].rate == pytest.approx(10.0)


def test_progress_of_an_unknown_size_has_no_time_left() -> None:
    shown: list[Snapshot] = []
    clock = Clock()
    progress = Progress(shown.append, clock=clock)
    progress(event("begin"))
    clock.now += 1
    progress(event("bytes", 5))
    assert (shown[-1].total, shown[-1].left, shown[-1].rate) == (None, None, 5.0)


def test_progress_of_real_operations_ends_with_everything_done() -> None:
    shown: list[Snapshot] = []
    store = told_to(Progress(shown.append), faults=(Fault(verb="write_part", attempt=1),))
    ref = store.put("image", DATA, size=250).ref
    store.stat(ref)
    with store.open(ref) as image:
        b"".join(image)
    ends = [each for each in shown if each.ended]
    assert [(each.verb, each.done, each.total, each.left) for each in ends] == [
        ("put", 250, 250, 0.0),
        ("get", 250, 250, 0.0),
    ]
    assert ends[0].retries >= 1


def test_progress_is_safe_for_threads() -> None:
    shown: list[Snapshot] = []
    store = told_to(Progress(shown.append, per_second=1000))
    threads = [threading.Thread(target=store.put, args=(str(each), DATA * 20)) for each in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    ends = [each.done for each in shown if each.ended]
    assert ends == [5000] * 8


def test_a_forked_child_starts_with_no_operations_and_no_held_lock() -> None:
    progress = Progress(lambda snapshot: None)
    progress(event("begin"))
    with progress._tally.lock:
        pid = os.fork()
        if pid == 0:
            threading.Timer(10, lambda: os._exit(1)).start()
            os._exit(len(progress.snapshots()))
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert len(progress.snapshots()) == 1


def test_progress_wants_a_positive_pace() -> None:
    with pytest.raises(ValueError, match="per_second"):
        Progress(lambda snapshot: None, per_second=0)


# -- JSON lines ------------------------------------------------------------------------------------


def test_every_event_is_one_object_a_line() -> None:
    file = io.StringIO()
    store = told_to(JsonLines(file), faults=(Fault(verb="commit", attempt=1),))
    store.put('odd "name"\n\udcff', DATA)
    facts = [json.loads(line) for line in file.getvalue().splitlines()]
    assert [each["kind"] for each in facts if each["kind"] != "bytes"] == ["begin", "retry", "end"]
    assert {each["name"] for each in facts} == {'odd "name"\n\udcff'}
    assert {each["pid"] for each in facts} == {os.getpid()}
    assert sum(each.get("count", 0) for each in facts) == 250
    assert facts[-1]["ok"] is True
    assert facts[-1]["elapsed"] > 0


def test_kinds_choose_what_is_written() -> None:
    file = io.StringIO()
    store = told_to(JsonLines(file, kinds=("end",), clock=lambda: 5.0))
    with pytest.raises(NotFound):
        store.stat("memory://missing")
    line = json.loads(file.getvalue())
    assert (line["time"], line["ok"], line["error"]) == (5.0, False, "NotFound")
    assert "count" not in line


# -- Prometheus ------------------------------------------------------------------------------------


def test_metrics_count_what_happened_and_two_handlers_share_a_registry() -> None:
    registry = CollectorRegistry()
    fault = Fault(verb="commit", attempt=1)
    first = told_to(Prometheus(registry), name="one", faults=(fault,))
    second = told_to(Prometheus(registry), name="two")
    with first.open(first.put("image", DATA).ref) as image:
        b"".join(image)
    with pytest.raises(NotFound):
        second.delete("memory://image")

    def value(metric: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"multistore_{metric}", labels)

    assert value("bytes_total", store="one", op="put") == 250
    assert value("bytes_total", store="one", op="get") == 250
    assert value("retries_total", store="one", op="put", error="Unavailable") == 1
    assert value("operation_seconds_count", store="one", op="put", outcome="ok") == 1
    assert value("operation_seconds_count", store="two", op="delete", outcome="NotFound") == 1
    assert value("operations_in_flight", store="one", op="get") == 0
    assert b"memory://" not in generate_latest(registry)


def test_metrics_under_another_prefix_do_not_collide_and_labels_stay_bounded() -> None:
    registry = CollectorRegistry()
    Prometheus(registry)
    handler = Prometheus(registry, prefix="images")
    handler(event("begin"))
    handler(event("end", elapsed=1.0, error="SomethingNobodyKnows"))
    labels = {"store": "shelf", "op": "put", "outcome": "other"}
    assert registry.get_sample_value("images_operation_seconds_count", labels) == 1


@pytest.mark.parametrize(
    ("module", "make", "extra"),
    [
        ("prometheus_client", lambda: Prometheus(None), "prometheus"),  # type: ignore[arg-type]
        ("opentelemetry", OpenTelemetry, "otel"),
    ],
)
def test_a_missing_package_is_named_with_the_line_to_install_it(
    module: str, make: object, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(Misconfigured, match=rf"pip install 'multistore\[{extra}\]'"):
        make()  # type: ignore[operator]


# -- OpenTelemetry ---------------------------------------------------------------------------------


def test_spans_have_their_parent_their_retries_and_their_end() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    store = told_to(OpenTelemetry(tracer=tracer), faults=(Fault(verb="commit", attempt=1),))
    with tracer.start_as_current_span("request") as request:
        store.put("image", DATA)
        with pytest.raises(NotFound):
            store.stat("memory://missing")
    put, stat, _ = exporter.get_finished_spans()
    assert (put.name, stat.name) == ("multistore put", "multistore stat")
    assert put.parent == request.get_span_context()
    assert put.attributes is not None
    assert put.attributes["multistore.bytes"] == 250
    assert [each.name for each in put.events] == ["retry"]
    assert put.status.is_ok
    assert not stat.status.is_ok
    assert stat.attributes is not None
    assert stat.attributes["error.type"] == "NotFound"


def test_a_meter_counts_the_same() -> None:
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader]).get_meter("test")
    store = told_to(OpenTelemetry(meter=meter), faults=(Fault(verb="commit", attempt=1),))
    store.put("image", DATA)
    found = {}
    data = reader.get_metrics_data()
    assert data is not None
    for metric in data.resource_metrics[0].scope_metrics[0].metrics:
        (point,) = metric.data.data_points
        found[metric.name] = getattr(point, "value", None) or getattr(point, "count", 0)
    assert found == {
        "multistore.io": 250,
        "multistore.retries": 1,
        "multistore.operations.active": 0,
        "multistore.operation.duration": 1,
    }


def test_opentelemetry_wants_something_to_write_to() -> None:
    with pytest.raises(Misconfigured, match="a tracer, a meter, or both"):
        OpenTelemetry()
