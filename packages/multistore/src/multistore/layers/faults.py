"""Faults on purpose, for tests: which call fails, and how, is written down in a plan; nothing is random."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from multistore.driver import Driver, Reader, Upload
from multistore.errors import Unavailable
from multistore.layers.base import (
    LayerDriver,
    LayerReader,
    LayerStream,
    LayerUpload,
    close_quietly,
)

__all__ = ["Fault", "FaultLayer", "FaultPlan", "Step"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the driver, as a plan sees it.

    ``verb`` is the method's name, or ``piece`` and ``item`` for the next step of a read and of a listing.
    ``offset`` is that of a part, a read, or a piece.
    ``attempt`` counts the calls with the same verb, subject (reference or name) and offset, from 1.
    ``number`` counts all calls, ``nth`` those of the verb, from 1.
    """

    verb: str
    subject: str | None
    offset: int | None
    attempt: int
    nth: int
    number: int


def _cut() -> BaseException:
    return Unavailable("a fault was planned here")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Which calls fail: those that agree with everything given here; ``forever`` takes all later ones too.

    ``number`` is the k-th call of all, ``nth`` the k-th of its verb.
    How: ``error`` (an exception, or a function that makes one) is raised ``before`` the call has any effect, or
    ``after`` it: the reply is lost.
    ``cut`` ends the stream of a ``read`` with the error after so many bytes; ``flip`` turns over the byte at that
    position of the image, and no error is raised.
    ``stall`` is waited for, before the call, for at most ``seconds``; then the call goes on.
    """

    verb: str | None = None
    subject: str | None = None
    offset: int | None = None
    attempt: int | None = None
    number: int | None = None
    nth: int | None = None
    forever: bool = False
    error: BaseException | Callable[[], BaseException] = _cut
    when: str = "before"
    cut: int | None = None
    flip: int | None = None
    stall: threading.Event | None = None
    seconds: float = 10.0

    def strikes(self, step: Step) -> bool:
        """Say whether this call is meant."""
        same = all(
            wanted is None or wanted == found
            for wanted, found in (
                (self.verb, step.verb),
                (self.subject, step.subject),
                (self.offset, step.offset),
            )
        )
        return same and all(
            wanted is None or wanted == found or (self.forever and found > wanted)
            for wanted, found in (
                (self.attempt, step.attempt),
                (self.number, step.number),
                (self.nth, step.nth),
            )
        )

    def make(self) -> BaseException:
        """Give the error to be raised."""
        return self.error if isinstance(self.error, BaseException) else self.error()


@dataclass
class FaultPlan:
    """The faults of one run, and the record of what was called and what was struck.

    To fail at every call of something, once each::

        for k in itertools.count(1):
            plan = FaultPlan(Fault(number=k))
            run(plan)
            if not plan.fired:
                break       # the run has fewer than k calls
    """

    faults: tuple[Fault, ...] = ()
    steps: list[Step] = field(default_factory=list)
    fired: list[Step] = field(default_factory=list)

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        self.steps = []
        self.fired = []
        self._lock = threading.Lock()
        self._verbs: Counter[str] = Counter()
        self._calls: Counter[tuple[str, str | None, int | None]] = Counter()

    def step(self, verb: str, subject: str | None, offset: int | None) -> Fault | None:
        """Record a call, and give the fault that strikes it."""
        with self._lock:
            self._verbs[verb] += 1
            self._calls[verb, subject, offset] += 1
            attempt = self._calls[verb, subject, offset]
            step = Step(verb, subject, offset, attempt, self._verbs[verb], len(self.steps) + 1)
            self.steps.append(step)
            for fault in self.faults:
                if fault.strikes(step):
                    self.fired.append(step)
                    return fault
        return None

    def verbs(self) -> list[str]:
        """Give the verbs called so far, in order."""
        return [step.verb for step in self.steps]


class FaultLayer(LayerDriver):
    """Does to a driver what a plan says; it stands right above the driver."""

    def __init__(self, inner: Driver, plan: FaultPlan) -> None:
        super().__init__(inner)
        self.plan = plan

    def around(
        self,
        verb: str,
        work: Callable[[], T],
        ref: str | None = None,
        undo: Callable[[T], None] | None = None,
    ) -> T:
        return self.at(verb, work, ref, None, undo)

    def at(
        self,
        verb: str,
        work: Callable[[], T],
        subject: str | None,
        offset: int | None,
        undo: Callable[[T], None] | None = None,
    ) -> T:
        """Do one call, or what the plan has instead."""
        return do(self.plan.step(verb, subject, offset), work, undo)

    def upload(self, inner: Upload, name: str) -> Upload:
        return FaultUpload(self, inner, name)

    def reader(self, inner: Reader, ref: str) -> Reader:
        return FaultReader(self, inner, ref)


class FaultUpload(LayerUpload):
    """An upload under a plan."""

    layer: FaultLayer

    def write_part(self, index: int, offset: int, data: bytes) -> None:
        def work() -> None:
            self.inner.write_part(index, offset, data)

        self.layer.at("write_part", work, self.name, offset)


class FaultReader(LayerReader):
    """A reader under a plan."""

    layer: FaultLayer

    def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        def work() -> Iterator[bytes]:
            return iter(self.inner.read(offset, length))

        fault = self.layer.plan.step("read", self.ref, offset)
        chunks = do(fault, work, close_quietly)
        return FaultStream(self.layer, chunks, self.ref, offset, fault)


class FaultStream(LayerStream[bytes]):
    """A stream under a plan: ``fault`` is what struck its request."""

    layer: FaultLayer

    def __init__(
        self,
        layer: FaultLayer,
        chunks: Iterator[bytes],
        ref: str,
        offset: int,
        fault: Fault | None,
    ) -> None:
        super().__init__(layer, "piece", chunks, ref)
        self._at = offset
        self._flip = fault.flip if fault is not None else None
        self._left = fault.cut if fault is not None else None
        self._fault = fault

    def __next__(self) -> bytes:
        if self._left == 0 and self._fault is not None:
            raise self._fault.make()
        piece = self.layer.at("piece", self._step, self.ref, self._at)
        if piece is None:
            raise StopIteration
        if self._left is not None:
            piece = piece[: self._left]
            self._left -= len(piece)
        if self._flip is not None and 0 <= self._flip - self._at < len(piece):
            flipped = bytearray(piece)
            flipped[self._flip - self._at] ^= 0xFF
            piece = bytes(flipped)
        self._at += len(piece)
        return piece


def do(fault: Fault | None, work: Callable[[], T], undo: Callable[[T], None] | None = None) -> T:
    """Do one call under a fault.

    What a call gave before its reply was lost is taken back: a handle in this process is not lost like a reply, and
    leaving nothing behind is the promise of the driver below.
    """
    if fault is None or fault.cut is not None or fault.flip is not None:
        return work()
    if fault.stall is not None:
        fault.stall.wait(fault.seconds)
        return work()
    if fault.when == "before":
        raise fault.make()
    result = work()
    if undo is not None:
        undo(result)
    raise fault.make()
