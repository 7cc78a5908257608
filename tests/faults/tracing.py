"""Raise an exception at a chosen line of the library, in whichever thread gets there.

A trace function raises where a line event is: that is before the line does anything.
Some events stand for no moment at which an exception could appear, and are passed over: an instruction that does
nothing (``try:``, ``while True:``), the line of an ``except``, which only compares classes, and the end of a
``with`` block, where the interpreter is already on its way into ``__exit__`` (whose own lines, where they are
Python of ours, are struck like any other).
What a ``__del__`` runs is passed over too: the interpreter lets no exception out of one, so it would reach nobody.
"""

from __future__ import annotations

import dis
import functools
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any, TypeVar

__all__ = ["Hung", "Line", "Outcome", "Strike", "bounded", "executed", "running", "struck"]

T = TypeVar("T")

#: Seconds after which a run counts as hung; a run takes milliseconds.
PATIENCE = 30.0


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """A line of a file, named by the end of its path: ``pipeline/sink.py``."""

    file: str
    number: int

    def __str__(self) -> str:
        return f"{self.file}:{self.number}"


class Hung(AssertionError):
    """A run did not end; the message has the stacks of its threads."""


@dataclass(frozen=True, slots=True)
class Strike:
    """What to raise, and at which execution of which line."""

    line: Line
    error: BaseException
    turn: int = 1


@dataclass(slots=True)
class Outcome:
    """How a run ended; ``hit`` says whether its line was reached."""

    value: object = None
    error: BaseException | None = None
    hit: bool = False


class _Tracer:
    """Counts the lines under ``root``, and raises at one."""

    def __init__(self, root: str, strike: Strike | None) -> None:
        self.root = root
        self.strike = strike
        self.turns: Counter[Line] = Counter()
        self.hit = False
        self.lock = threading.Lock()

    def __call__(self, frame: FrameType, event: str, arg: object) -> Any:
        if not frame.f_code.co_filename.startswith(self.root) or _finalizing(frame):
            return None
        return self.line

    def line(self, frame: FrameType, event: str, arg: object) -> Any:
        if event == "line" and frame.f_lasti not in _idle(frame.f_code):
            name = frame.f_code.co_filename.rpartition("/multistore/")[2]
            line = Line(name, frame.f_lineno)
            strike = self.strike
            with self.lock:
                self.turns[line] += 1
                hit = strike is not None and (line, self.turns[line]) == (strike.line, strike.turn)
                self.hit = self.hit or hit
            if hit and strike is not None:
                raise strike.error
        return self.line


def _finalizing(frame: FrameType | None) -> bool:
    """Say whether a ``__del__`` is running: the interpreter lets no exception out of one."""
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


@functools.cache
def _idle(code: CodeType) -> frozenset[int]:
    """Give the offsets at which a line begins without anything that could raise."""
    instructions = list(dis.get_instructions(code))
    idle = set()
    for place, each in enumerate(instructions):
        skip = 1 if each.opname == "SWAP" else 0  # a value on its way out of the block
        following = instructions[place + skip : place + skip + 4]
        leaving = [one.opname for one in following[:3]] == ["LOAD_CONST"] * 3 and (
            [one.argval for one in following[:3]] == [None] * 3
        )
        names = [one.opname for one in following]
        handling = names[:2] == ["PUSH_EXC_INFO", "WITH_EXCEPT_START"]
        matching = "CHECK_EXC_MATCH" in names[:3] and names[0] in ("PUSH_EXC_INFO", "LOAD_GLOBAL")
        if each.opname in ("NOP", "RESUME") or leaving or handling or matching:
            idle.add(each.offset)
    return frozenset(idle)


def _traced(tracer: _Tracer, action: Callable[[], T]) -> T:
    before, before_threads = sys.gettrace(), threading.gettrace()
    threading.settrace(tracer)
    sys.settrace(tracer)
    try:
        return action()
    finally:
        sys.settrace(before)
        threading.settrace(before_threads)


def executed(root: str, action: Callable[[], object]) -> dict[Line, int]:
    """Run ``action`` to its end, whatever that is; give the lines under ``root`` and how often each was reached."""
    tracer = _Tracer(root, None)
    bounded(lambda: _traced(tracer, action))
    return dict(tracer.turns)


def struck(root: str, action: Callable[[], object], strike: Strike) -> Outcome:
    """Run ``action`` with a strike on its way."""
    tracer = _Tracer(root, strike)
    outcome = bounded(lambda: _traced(tracer, action))
    outcome.hit = tracer.hit
    return outcome


def bounded(action: Callable[[], object]) -> Outcome:
    """Run ``action`` in a thread that is given up when it takes too long: Hung."""
    outcome = Outcome()

    def run() -> None:
        try:
            outcome.value = action()
        except BaseException as error:
            outcome.error = error

    thread = threading.Thread(target=run, name="run", daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if thread.is_alive():
        raise Hung(_stacks())
    return outcome


def running() -> set[threading.Thread]:
    """Give the library's threads that run now."""
    return {each for each in threading.enumerate() if each.name.startswith("multistore-")}


def _stacks() -> str:
    frames = sys._current_frames()
    texts = []
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        if frame is not None and thread is not threading.current_thread():
            texts.append(f"{thread.name}:\n{''.join(traceback.format_stack(frame)[-6:])}")
    return "\n".join(texts)
