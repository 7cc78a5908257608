"""Events as JSON, one object a line."""

from __future__ import annotations

import dataclasses
import json
import os
import threading
import time
from collections.abc import Callable
from typing import Protocol

from multistore.driver import PerProcess
from multistore.model import Event

__all__ = ["JsonLines"]


class _TextFile(Protocol):
    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...


class JsonLines:
    """Writes each event to a text file, as one line of JSON, and flushes it.

    The keys are the fields of ``Event`` that say something, with ``time`` (seconds since the epoch) and ``pid``: the
    numbers of operations are unique within one process and store.
    ``kinds`` chooses what is written; without ``"bytes"`` there are few lines.
    """

    def __init__(
        self,
        file: _TextFile,
        *,
        kinds: tuple[str, ...] = ("begin", "bytes", "retry", "end"),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._file = file
        self._kinds = frozenset(kinds)
        self._clock = clock
        self._lock = PerProcess(threading.Lock)

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if event.kind not in self._kinds:
            return
        facts = {name: value for name, value in _facts(event).items() if value is not None}
        line = json.dumps({"time": round(self._clock(), 6), "pid": os.getpid(), **facts})
        with self._lock.get():
            self._file.write(line + "\n")
            self._file.flush()


def _facts(event: Event) -> dict[str, object]:
    facts: dict[str, object] = {
        field.name: getattr(event, field.name) for field in dataclasses.fields(event)
    }
    if event.kind != "bytes":
        del facts["count"]
    if event.kind != "retry":
        del facts["attempt"]
    if event.kind == "end":
        facts["ok"] = event.error is None
    return facts
