"""Handlers of events: hand one or several to ``open_store(..., events=[...])``.

::

    Log             a line per operation, to the standard library's logging
    Progress        bytes, rate and time left, for a bar or a line
    JsonLines       one JSON object a line, for other programs
    Prometheus      metrics, into a registry of yours           (multistore[prometheus])
    OpenTelemetry   spans and metrics, into your tracer, meter  (multistore[otel])

Any callable that takes a ``multistore.Event`` is one as well.
All are safe for threads and after a fork, and one instance may serve several stores.
None of them gets to see a secret: references are redacted, and errors come as the names of their classes.
"""

from multistore.observe.jsonlines import JsonLines
from multistore.observe.log import Log
from multistore.observe.otel import OpenTelemetry
from multistore.observe.progress import Progress, Snapshot
from multistore.observe.prometheus import Prometheus

__all__ = ["JsonLines", "Log", "OpenTelemetry", "Progress", "Prometheus", "Snapshot"]
