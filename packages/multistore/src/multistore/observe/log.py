"""Events as lines of the standard library's logging."""

from __future__ import annotations

import logging

from multistore.model import Event
from multistore.observe.tally import Tally

__all__ = ["Log"]

#: One line at INFO for each of these; the others are asked often and tell little.
_TOLD = frozenset({"put", "get", "copy", "delete"})
#: What somebody has to do something about, by the error's name.
_ACT = frozenset({"AccessDenied", "Corrupt", "Misconfigured", "NoSpace", "Unauthenticated"})


class _Record:
    __slots__ = ("count", "name", "ref", "retries", "total")

    def __init__(self, event: Event) -> None:
        self.name, self.ref, self.total = event.name, event.ref, event.total
        self.count = 0
        self.retries = 0


class Log:
    """Writes to the logger ``multistore.<store>``, or to the one given.

    =======  ==========================================================================
    INFO     the end of each put, get, copy and delete, and each retry
    DEBUG    the begin of each operation, each piece of data, the end of all others
    WARNING  an end that somebody should act upon: no space, no rights, wrong bytes
    =======  ==========================================================================

    Each record carries ``store``, ``op``, ``operation``, ``image`` (name or redacted reference), ``bytes``, ``duration``
    (seconds), ``attempt`` and ``error_class`` for formatters; those that do not apply are None.
    Nothing is written to stderr where logging is not configured.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger
        self._tally: Tally[_Record] = Tally(_Record)

    def __call__(self, event: Event) -> None:
        """Take one event."""
        logger = self._logger or logging.getLogger(f"multistore.{event.store}")
        record = self._tally.of(event)
        if record is not None:
            with self._tally.lock:
                record.count += event.count
                record.retries += event.kind == "retry"
                record.total = event.total if event.total is not None else record.total
        level = _level(event)
        if not logger.isEnabledFor(level) or not logger.hasHandlers():
            return
        record = record or _Record(event)
        image = record.name or record.ref
        text = f"{event.verb}{f' {_one_line(image)}' if image else ''}: {_text(event, record)}"
        extra = {
            "store": event.store,
            "op": event.verb,
            "operation": event.operation,
            "image": image,
            "bytes": event.count if event.kind == "bytes" else record.count,
            "duration": event.elapsed,
            "attempt": event.attempt if event.kind == "retry" else record.retries + 1,
            "error_class": event.error,
        }
        logger.log(level, "%s", text, extra=extra)


def _one_line(image: str) -> str:
    """Escape what could forge a line of the log, or steer a terminal."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in image)


def _level(event: Event) -> int:
    if event.kind == "retry":
        return logging.INFO
    if event.kind == "end":
        if event.error in _ACT:
            return logging.WARNING
        if event.verb in _TOLD:
            return logging.INFO
    return logging.DEBUG


def _text(event: Event, record: _Record) -> str:
    if event.kind == "begin":
        return "begins" if event.total is None else f"begins, {event.total} bytes"
    if event.kind == "bytes":
        return f"{event.count} bytes"
    if event.kind == "retry":
        return (
            f"attempt {event.attempt} failed with {event.error}, again in {event.delay or 0:.1f} s"
        )
    seconds = f"in {event.elapsed or 0:.3f} s"
    moved = f"{record.count} bytes " if record.count else ""
    if event.error is not None:
        return f"failed with {event.error} after {moved}{seconds}"
    return f"{moved}{seconds}"
