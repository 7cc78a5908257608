"""Events as progress: how much, how fast, how long still."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from multistore.model import Event
from multistore.observe.tally import Tally

__all__ = ["Progress", "Snapshot"]

#: How many seconds back the rate looks.
_WINDOW = 10.0
_MOVING = frozenset({"put", "get", "copy"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """How far one operation has come.

    ``done`` and ``total`` are bytes, ``rate`` bytes per second over the last seconds, ``left`` and ``elapsed`` seconds; None
    where it is not known.
    ``ended`` is true in the last one, ``error`` is then the name of the error's class, or None.
    """

    store: str
    verb: str
    operation: int
    image: str | None
    done: int
    total: int | None
    rate: float | None
    left: float | None
    elapsed: float
    retries: int = 0
    ended: bool = False
    error: str | None = None


class _Record:
    def __init__(self, event: Event, now: float) -> None:
        self.event = event
        self.total = event.total
        self.done = 0
        self.retries = 0
        self.started = self.told = now
        self.marks = [(now, 0)]  # when how much was done, over the last seconds

    def rate(self, now: float) -> float | None:
        """Give the bytes per second since the oldest mark."""
        when, done = self.marks[0]
        return (self.done - done) / (now - when) if now > when else None

    def mark(self, now: float) -> None:
        """Remember where it stands, at most about ten times a second."""
        if now - self.marks[-1][0] >= _WINDOW / 100:
            self.marks.append((now, self.done))
        while len(self.marks) > 1 and now - self.marks[0][0] > _WINDOW:
            self.marks.pop(0)


class Progress:
    """Calls ``show`` with a Snapshot of each put, get and copy: at its begin, ``per_second`` times, and at its end.

    ``show`` is called in the thread that does the work, by one thread at a time, and should be quick.
    """

    def __init__(
        self,
        show: Callable[[Snapshot], None],
        *,
        per_second: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if per_second <= 0:
            raise ValueError("per_second counts from above 0")
        self._show = show
        self._pause = 1.0 / per_second
        self._clock = clock
        self._tally: Tally[_Record] = Tally(lambda event: _Record(event, clock()))

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if event.verb not in _MOVING:
            return
        with self._tally.lock:
            record = self._tally.of(event)
            if record is None:
                return
            now = self._clock()
            record.done += event.count
            record.retries += event.kind == "retry"
            record.total = event.total if event.total is not None else record.total
            record.mark(now)
            if event.kind == "bytes" and now - record.told < self._pause:
                return
            record.told = now
            self._show(_snapshot(record, event, now))

    def snapshots(self) -> list[Snapshot]:
        """Give where every operation under way stands now, for whoever prefers to ask."""
        with self._tally.lock:
            now = self._clock()
            return [_snapshot(record, record.event, now) for record in self._tally.records()]


def _snapshot(record: _Record, event: Event, now: float) -> Snapshot:
    ended = event.kind == "end"
    elapsed = now - record.started
    rate = record.rate(now)
    if ended:
        rate = record.done / elapsed if elapsed > 0 else None  # of the whole
    left = None
    if record.total is not None and not ended and rate:
        left = max(0, record.total - record.done) / rate
    return Snapshot(
        store=event.store,
        verb=event.verb,
        operation=event.operation,
        image=record.event.name or record.event.ref,
        done=record.done,
        total=record.total,
        rate=rate,
        left=0.0 if ended and event.error is None else left,
        elapsed=elapsed,
        retries=record.retries,
        ended=ended,
        error=event.error if ended else None,
    )
