"""Events as Prometheus metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from multistore import errors
from multistore.errors import Misconfigured
from multistore.model import Event
from multistore.observe.tally import Tally

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

__all__ = ["Prometheus"]

#: Seconds; images take from milliseconds to hours.
_BUCKETS = (0.005, 0.02, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200)


class Prometheus:
    """Counts operations in the given registry.

    ====================================  =========  ===================  ==================================
    metric                                kind       labels               what
    ====================================  =========  ===================  ==================================
    ``multistore_operation_seconds``      histogram  store, op, outcome   how long operations took
    ``multistore_bytes_total``            counter    store, op            bytes read and written
    ``multistore_retries_total``          counter    store, op, error     attempts that were repeated
    ``multistore_operations_in_flight``   gauge      store, op            operations under way
    ====================================  =========  ===================  ==================================

    ``outcome`` is ``ok`` or an error's class; no label holds a name or a reference, so their number is bounded.
    Several of these with one registry count in the same metrics.
    Misconfigured if prometheus_client is not installed.
    """

    def __init__(self, registry: CollectorRegistry, *, prefix: str = "multistore") -> None:
        try:
            import prometheus_client
        except ImportError:
            raise Misconfigured(
                "metrics need prometheus_client: pip install 'multistore[prometheus]'",
                setting="events",
            ) from None
        # Kept with the registry, so that a second handler finds what the first one made.
        made = vars(registry).setdefault("multistore_metrics", {})
        if prefix not in made:
            made[prefix] = _Metrics(prometheus_client, registry, prefix)
        self._metrics: _Metrics = made[prefix]
        self._tally: Tally[bool] = Tally(lambda begun: begun.kind == "begin")

    def __call__(self, event: Event) -> None:
        """Take one event."""
        metrics = self._metrics
        known = self._tally.of(event) is not None
        where = (event.store, event.verb)
        if event.kind == "begin":
            metrics.flying.labels(*where).inc()
        elif event.kind == "bytes":
            metrics.bytes.labels(*where).inc(event.count)
        elif event.kind == "retry":
            metrics.retries.labels(*where, _bounded(event.error)).inc()
        elif event.kind == "end":
            if known:
                metrics.flying.labels(*where).dec()
            outcome = _bounded(event.error) if event.error else "ok"
            metrics.seconds.labels(*where, outcome).observe(event.elapsed or 0.0)


class _Metrics:
    """The collectors of one registry and prefix."""

    def __init__(self, client: Any, registry: CollectorRegistry, prefix: str) -> None:
        where = ("store", "op")
        self.seconds = client.Histogram(
            f"{prefix}_operation_seconds",
            "How long operations took",
            (*where, "outcome"),
            buckets=_BUCKETS,
            registry=registry,
        )
        self.bytes = client.Counter(
            f"{prefix}_bytes_total", "Bytes read and written", where, registry=registry
        )
        self.retries = client.Counter(
            f"{prefix}_retries_total",
            "Attempts that were repeated",
            (*where, "error"),
            registry=registry,
        )
        self.flying = client.Gauge(
            f"{prefix}_operations_in_flight", "Operations under way", where, registry=registry
        )


def _bounded(error: str | None) -> str:
    """Give an error's class if it is one of the tree."""
    return error if error in errors.__all__ else "other"
