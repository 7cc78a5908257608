"""Seeing what a driver does behind one's back: I/O, threads, open files, other processes."""

from __future__ import annotations

import contextlib
import functools
import gc
import itertools
import os
import pickle
import select
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, TypeVar

__all__ = ["Child", "in_child", "leaked", "no_io", "open_files", "running_threads"]

T = TypeVar("T")

#: Collecting what hangs in a cycle takes longer than most threads need to end, so it is done at every fifth look only.
_LOOKS = 5

_IO = (
    "open",
    "os.",
    "socket.",
    "sqlite3.",
    "subprocess.",
    "shutil.",
    "fcntl.",
    "mmap.",
    "tempfile.",
)


class _Watch:
    """Interpreter-wide audit hook; it sees one thread, and only while ``seen`` is a list."""

    def __init__(self) -> None:
        self.thread = 0
        self.seen: list[str] | None = None
        sys.addaudithook(self)

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if self.seen is None or not event.startswith(_IO) or threading.get_ident() != self.thread:
            return
        if event == "os.register_at_fork" or _importing(sys._getframe(1)):
            return
        self.seen.append(f"{event}{args!r}"[:200])


@functools.cache
def _watch() -> _Watch:
    # An audit hook can never be removed: one for all, made when first needed.
    return _Watch()


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


@contextlib.contextmanager
def no_io() -> Iterator[None]:
    """Fail if the block opens a file, a socket, a database or a process, or starts a thread.

    What a C library does by itself is not seen: ``Rig.unreachable`` is there for that.
    """
    watch = _watch()
    threads = running_threads()
    watch.thread, watch.seen = threading.get_ident(), []
    try:
        yield
    finally:  # an expected error does not excuse it
        seen, watch.seen = watch.seen, None
        assert not seen, f"there was I/O: {'; '.join(seen)}"
        assert running_threads() <= threads, "a thread was started"


# -- leaks ---------------------------------------------------------------------------------------


def open_files() -> dict[int, str]:
    """Give what each descriptor of this process points at."""
    found: dict[int, str] = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the descriptor of the listing itself
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    return found


def running_threads() -> set[threading.Thread]:
    """Give the threads of this process."""
    return set(threading.enumerate())


def leaked(files: dict[int, str], threads: set[threading.Thread], patience: float) -> list[str]:
    """Say what is open or running that was not before; what is just ending gets some time.

    A socket that is there for another one is none: libraries in this process renew connections of their own.
    """
    until = time.monotonic() + patience
    for look in itertools.count(1):
        now = open_files()
        left = [f"descriptor {fd}: {what}" for fd, what in now.items() if files.get(fd) != what]
        if _sockets(now) <= _sockets(files):
            left = [each for each in left if "socket:" not in each]
        left += [f"thread {thread.name}" for thread in running_threads() - threads]
        if not left or time.monotonic() > until:
            return left
        if look % _LOOKS == 0:
            gc.collect()
        time.sleep(0.01)
    raise AssertionError


def _sockets(files: dict[int, str]) -> int:
    return sum(what.startswith("socket:") for what in files.values())


# -- other processes -----------------------------------------------------------------------------


class Child:
    """A forked process that runs one function; ``result`` gives what it returned, or fails.

    The child ends by ``os._exit``: nothing of the parent's is cleaned up by it, as after a kill.
    """

    def __init__(self, job: Callable[[], object], patience: float) -> None:
        self._patience = patience
        self._end, begin = os.pipe()
        with warnings.catch_warnings():
            # From Python 3.12 on a fork beside threads warns; that a driver survives it is what is tested.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if self.pid == 0:
            _run_child(job, begin)
        os.close(begin)

    def result(self) -> Any:
        """Wait, and give what the job returned; AssertionError with its traceback if it raised or hung."""
        try:
            return self._receive()
        finally:
            os.close(self._end)
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def _receive(self) -> Any:
        until = time.monotonic() + self._patience
        received = b""
        while True:
            ready, _, _ = select.select([self._end], [], [], max(0.0, until - time.monotonic()))
            assert ready, f"the child process did not end within {self._patience:g} s"
            piece = os.read(self._end, 1 << 16)
            if not piece:
                break
            received += piece
        assert received, "the child process died"
        failure, value = pickle.loads(received)  # noqa: S301  # our own child wrote it
        assert failure is None, f"in the child process:\n{failure}"
        return value


def _run_child(job: Callable[[], object], pipe: int) -> None:
    """Run the job and leave at once; never returns."""
    code = 1
    try:
        try:
            message = pickle.dumps((None, job()))
        except BaseException:
            message = pickle.dumps((traceback.format_exc(), None))
        while message:
            message = message[os.write(pipe, message) :]
        code = 0
    finally:
        os._exit(code)


def in_child(job: Callable[[], T], patience: float) -> T:
    """Run a function in a forked process that is gone afterwards, and give what it returned."""
    result: T = Child(job, patience).result()
    return result
