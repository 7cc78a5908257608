"""Signals that end a command: the first is raised, so that what had begun is taken back; others let that happen."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

__all__ = ["CODES", "Ended", "Endings"]

#: The signals, and the exit code of each.
CODES = {signal.SIGHUP: 129, signal.SIGINT: 130, signal.SIGTERM: 143}
#: What an unwinding Ctrl-C can be told, once, and what it takes to be obeyed again.
_PATIENCE = 2
#: Modules whose code holds locks that no ``with`` of C protects: an exception there would leave them taken.
_FRAGILE = ("threading", "contextlib", "logging")
#: What in them waits, for long perhaps, and can be interrupted.
_WAITS = ("Thread.join", "Thread._wait_for_tstate_lock")
#: Seconds after which a signal that came at a bad moment is looked at again, and how often at most.
_SOON = 0.001
_LOOKS = 100
_ASK = b"multistore: taking back what had begun; Ctrl-C again leaves at once\n"


class Ended(BaseException):
    """A signal came; ``number`` says which."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = signal.Signals(number)


class Endings:
    """Raises Ended when a signal comes, but not while an earlier one is being obeyed.

    ``timeout`` and some terminals send a signal twice in the same moment; the second one would interrupt the very code that
    takes back what had begun.
    A person who does not want to wait for that presses Ctrl-C three times.
    A signal whose exception got lost, in a finalizer say, does not count: the next one is raised again.
    One that comes while a lock is just being taken or given back is raised a moment later: the lock would stay taken, and
    all would wait for it for ever.
    """

    def __init__(self, *, json: bool) -> None:
        self.json = json
        #: Whether a signal has been obeyed; none is raised from here on.
        self.over = False
        #: Whether somebody did not want to wait.
        self.forced = False
        self._pressed = 0
        self._late = 0
        self._looks = 0
        self._before: dict[signal.Signals, object] = {}

    def install(self) -> None:
        """Take the signals over, but not those that the caller of the process has switched off, as ``nohup`` does."""
        for number in CODES:
            before = signal.getsignal(number)
            if before in (signal.SIG_DFL, signal.default_int_handler):
                self._before[number] = before
                signal.signal(number, self._came)
        if signal.getsignal(signal.SIGALRM) == signal.SIG_DFL:
            self._before[signal.SIGALRM] = signal.SIG_DFL
            signal.signal(signal.SIGALRM, self._again)

    def restore(self) -> None:
        """Give the signals back, unless one has ended the process: what comes then comes too late to matter.

        The interpreter, when it ends, would give them to the system, which kills: so they are ignored.
        """
        while self._before:
            number, before = self._before.popitem()
            signal.signal(number, signal.SIG_IGN if self.over else before)  # type: ignore[arg-type]  # as getsignal gave

    def _came(self, number: int, frame: FrameType | None) -> None:
        if self.over or self._put_off(number, frame):
            return
        if not _unwinding(sys.exc_info()[1]):
            self._pressed = 0
            raise Ended(number)
        if number != signal.SIGINT:
            return
        self._pressed += 1
        if self._pressed >= _PATIENCE:
            self.forced = True
            raise Ended(number)
        if not self.json:
            os.write(2, _ASK)  # the buffer of sys.stderr may be in use just now

    def _put_off(self, number: int, frame: FrameType | None) -> bool:
        """Have the signal come again in a moment if this is a bad one."""
        if signal.SIGALRM not in self._before or self._looks >= _LOOKS or not _fragile(frame):
            self._looks = 0
            return False
        self._looks += 1
        self._late = number
        signal.setitimer(signal.ITIMER_REAL, _SOON)
        return True

    def _again(self, _: int, frame: FrameType | None) -> None:
        number, self._late = self._late, 0
        if number:
            self._came(number, frame)


def _fragile(frame: FrameType | None) -> bool:
    """Say whether what was interrupted is about to take a lock or to give it back."""
    if frame is None or frame.f_globals.get("__name__") not in _FRAGILE:
        return False
    name = frame.f_code.co_qualname
    if name == "Condition.wait":
        return "gotit" not in frame.f_locals  # which it sets once it is ready to be interrupted
    return name not in _WAITS


def _unwinding(error: BaseException | None) -> bool:
    """Say whether the code that was interrupted handles the exception of an earlier signal."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, Ended):
            return True
        seen.add(id(error))
        error = error.__context__
    return False
