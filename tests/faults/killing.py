"""Kill a child process with SIGKILL: at the k-th line of the library that it executes, or after a while."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

import multistore

__all__ = ["Death", "ended", "forked", "killed_after", "killed_at_line", "lines_of"]

#: Seconds after which a child counts as hung; it takes milliseconds.
PATIENCE = 30.0
ROOT = os.path.dirname(multistore.__file__)
ACKNOWLEDGED = b"ok"


@dataclass(frozen=True, slots=True)
class Death:
    """How a child ended: ``acknowledged`` if the action returned, ``killed`` if the signal came first, or just after."""

    acknowledged: bool
    killed: bool


class Killer:
    """A trace function that counts the lines of the library in all threads, and kills its process at the k-th."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.count = 0

    def __call__(self, frame: FrameType, event: str, arg: object) -> Any:
        return self.line if frame.f_code.co_filename.startswith(ROOT) else None

    def line(self, frame: FrameType, event: str, arg: object) -> Any:
        if event == "line":
            self.count += (
                1  # two threads may count as one now and then: k is a spread, not an address
            )
            if self.count == self.at:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.line

    def run(self, action: Callable[[], object]) -> None:
        threading.settrace(self)
        sys.settrace(self)
        try:
            action()
        finally:
            sys.settrace(None)
            threading.settrace(None)


def lines_of(action: Callable[[], object]) -> int:
    """Run the action in a child and give the number of lines it took."""

    def counting() -> bytes:
        killer = Killer(0)
        killer.run(action)
        return str(killer.count).encode()

    pid, pipe = forked(counting)
    return int(ended(pid, pipe)[0])


def killed_at_line(action: Callable[[], object], at: int) -> Death:
    """Run the action in a child that is killed at the ``at``-th line."""

    def dying() -> bytes:
        Killer(at).run(action)
        return ACKNOWLEDGED

    pid, pipe = forked(dying)
    said, killed = ended(pid, pipe)
    return Death(said == ACKNOWLEDGED, killed)


def killed_after(action: Callable[[], object], seconds: float) -> Death:
    """Run the action in a child that is killed from outside after so many seconds."""

    def acting() -> bytes:
        action()
        return ACKNOWLEDGED

    pid, pipe = forked(acting)
    time.sleep(seconds)  # any moment is as good as another
    os.kill(pid, signal.SIGKILL)  # a child that has ended stays until it is waited for
    said, killed = ended(pid, pipe)
    return Death(said == ACKNOWLEDGED, killed)


def forked(action: Callable[[], bytes]) -> tuple[int, int]:
    """Run the action in a child; the pipe gives what it returned, or the traceback of what it raised."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # The runner's own threads are no part of the test; the child uses nothing of theirs.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    status = 1
    try:
        os.close(reading)
        os.write(writing, action())
        status = 0
    except BaseException:
        os.write(writing, traceback.format_exc().encode()[-60000:])
    finally:
        os._exit(status)


def ended(pid: int, pipe: int) -> tuple[bytes, bool]:
    """Give what the child said before its end, and whether it was killed; one that raised or hangs fails the test."""
    said = b""
    deadline = time.monotonic() + PATIENCE
    try:
        while True:
            ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                os.kill(pid, signal.SIGKILL)
                raise AssertionError("the child hangs")
            piece = os.read(pipe, 65536)
            if not piece:
                break
            said += piece
    finally:
        os.close(pipe)
        _, status = os.waitpid(pid, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise AssertionError(f"the child failed:\n{said.decode()}")
    return said, os.WIFSIGNALED(status)
