"""Events as OpenTelemetry spans and metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from multistore.errors import Misconfigured
from multistore.model import Event
from multistore.observe.tally import Tally

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Span, Status, Tracer

__all__ = ["OpenTelemetry"]


class OpenTelemetry:
    """A span for each operation, with its retries as events, and the same metrics as for Prometheus.

    Give a ``tracer``, a ``meter``, or both.
    A span is a child of the span that is current where the operation begins; it is called ``multistore put`` and so on,
    and carries ``multistore.store``, ``multistore.image``, ``multistore.bytes`` and, after a failure, ``error.type``.
    Metrics: ``multistore.operation.duration`` (s), ``multistore.io`` (By), ``multistore.retries``,
    ``multistore.operations.active``; no attribute of theirs holds a name or a reference.
    Misconfigured if the OpenTelemetry API is not installed.
    """

    def __init__(self, *, tracer: Tracer | None = None, meter: Meter | None = None) -> None:
        try:
            from opentelemetry import trace
        except ImportError:
            raise Misconfigured(
                "traces need opentelemetry-api: pip install 'multistore[otel]'", setting="events"
            ) from None
        if tracer is None and meter is None:
            raise Misconfigured("OpenTelemetry wants a tracer, a meter, or both", setting="events")
        self._failed: Callable[[str], Status] = lambda error: trace.Status(
            trace.StatusCode.ERROR, error
        )
        self._metrics = None if meter is None else _Metrics(meter)
        self._tally: Tally[_Record] = Tally(lambda event: _Record(event, tracer))

    def __call__(self, event: Event) -> None:
        """Take one event."""
        record = self._tally.of(event)
        if record is not None:
            with self._tally.lock:
                record.count += event.count
            if record.span is not None:
                self._trace(record.span, record, event)
        if self._metrics is not None:
            self._metrics.take(event, known=record is not None)

    def _trace(self, span: Span, record: _Record, event: Event) -> None:
        if event.kind == "retry":
            facts = {"attempt": event.attempt, "delay": event.delay or 0.0}
            span.add_event("retry", {**facts, "error.type": event.error or ""})
        elif event.kind == "end":
            span.set_attribute("multistore.bytes", record.count)
            if event.error is not None:
                span.set_attribute("error.type", event.error)
                span.set_status(self._failed(event.error))
            span.end()


class _Record:
    __slots__ = ("count", "span")

    def __init__(self, event: Event, tracer: Tracer | None) -> None:
        self.count = 0
        self.span: Span | None = None
        if tracer is not None:
            facts: dict[str, str | int] = {"multistore.store": event.store}
            image = event.name or event.ref
            if image is not None:
                facts["multistore.image"] = image
            if event.total is not None:
                facts["multistore.size"] = event.total
            self.span = tracer.start_span(f"multistore {event.verb}", attributes=facts)


class _Metrics:
    def __init__(self, meter: Meter) -> None:
        self.duration = meter.create_histogram(
            "multistore.operation.duration", unit="s", description="How long operations took"
        )
        self.bytes = meter.create_counter(
            "multistore.io", unit="By", description="Bytes read and written"
        )
        self.retries = meter.create_counter(
            "multistore.retries", unit="{retry}", description="Attempts that were repeated"
        )
        self.active = meter.create_up_down_counter(
            "multistore.operations.active", unit="{operation}", description="Operations under way"
        )

    def take(self, event: Event, *, known: bool) -> None:
        where: dict[str, str] = {"multistore.store": event.store, "multistore.op": event.verb}
        failed = {} if event.error is None else {"error.type": event.error}
        if event.kind == "begin":
            self.active.add(1, where)
        elif event.kind == "bytes":
            self.bytes.add(event.count, where)
        elif event.kind == "retry":
            self.retries.add(1, {**where, **failed})
        elif event.kind == "end":
            if known:
                self.active.add(-1, where)
            self.duration.record(event.elapsed or 0.0, {**where, **failed})
