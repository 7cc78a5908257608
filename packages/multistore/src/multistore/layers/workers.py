"""Threads that a call can be left alone in, when it does not come back."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar, cast

from multistore.errors import TimedOut, Unavailable

__all__ = ["Workers", "abandoned"]

T = TypeVar("T")
#: What the caller waits on; a name of its own, for tests that interrupt the wait.
Done = threading.Event

#: The job that this thread is doing, if it does one for somebody else.
_JOB: contextvars.ContextVar[_Job[object] | None] = contextvars.ContextVar(
    "multistore_job", default=None
)


def abandoned() -> bool:
    """Say whether whoever asked for the work that runs in this context has given up waiting for it."""
    job = _JOB.get()
    return job is not None and job.abandoned


class _Job(Generic[T]):
    """One call: waiting, running, done or abandoned; who changes its state holds its lock."""

    def __init__(self, work: Callable[[], T], late: Callable[[T | None], None]) -> None:
        self.context = contextvars.copy_context()
        self.work = work
        self.late = late
        self.lock = threading.Lock()
        self.done = Done()
        self.running = False
        self.abandoned = False
        self.result: T | None = None
        self.error: BaseException | None = None

    def begin(self) -> bool:
        """Start, unless nobody waits any more."""
        with self.lock:
            self.running = not self.abandoned
            return self.running

    def run(self) -> None:
        """Do the work; what it gave is taken back if nobody took it."""
        self.context.run(_JOB.set, cast("_Job[object]", self))
        try:
            self.result = self.context.run(self.work)
        except BaseException as error:
            self.error = error
        with self.lock:
            self.done.set()
            late = self.abandoned
        if late:
            self.context.run(self.late, self.result)

    def abandon(self, stuck: Callable[[], None]) -> bool:
        """Stop waiting; False if the work is done after all.

        ``stuck`` is called if it is running, before it can notice that it is late.
        """
        with self.lock:
            if self.done.is_set():
                return False
            self.abandoned = True
            if self.running:
                stuck()
            return True

    def take(self) -> T:
        """Give what came of it."""
        if self.error is not None:
            try:
                raise self.error
            finally:
                self.error = None  # no cycle of error, traceback and frame
        return cast("T", self.result)


class Workers:
    """Daemon threads, made when there is work, reused while there is more, gone a moment later.

    At most ``stuck`` of them may hang: from there on calls fail at once.
    Belongs to one process; see ``PerProcess``.
    """

    def __init__(self, *, stuck: int, linger: float = 0.25) -> None:
        self._limit = stuck
        self._linger = linger
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self.stuck = 0

    def run(
        self,
        work: Callable[[], T],
        seconds: float,
        *,
        what: str,
        undo: Callable[[T], None] | None = None,
        on_stuck: Callable[[], None] | None = None,
        on_late: Callable[[], None] | None = None,
    ) -> T:
        """Do ``work`` in another thread, for at most ``seconds``; then TimedOut.

        Work that is left alone has ``undo`` called with its result, should it end after all, in its own thread.
        ``on_stuck`` is called here when it is left alone, ``on_late`` there when it has ended, after ``undo``.
        """

        def stuck() -> None:
            with self._lock:
                self.stuck += 1
            if on_stuck is not None:
                on_stuck()

        def late(result: T | None) -> None:
            try:
                if undo is not None and result is not None:
                    undo(result)
            finally:
                with self._lock:
                    self.stuck -= 1
                if on_late is not None:
                    on_late()

        self._refuse_if_stuck(what)
        job = _Job(work, late)
        try:
            self._submit(job)
            in_time = job.done.wait(seconds)
        except BaseException:
            if not job.abandon(stuck) and undo is not None and job.result is not None:
                undo(job.result)
            raise
        if not in_time and job.abandon(stuck):
            raise TimedOut(f"{what} gave no sign of life within {seconds:g} s", seconds=seconds)
        return job.take()

    def _refuse_if_stuck(self, what: str) -> None:
        if self.stuck >= self._limit:
            raise Unavailable(
                f"{what} was not tried: {self.stuck} earlier calls hang; find out why the storage does not answer"
            )

    def _submit(self, job: _Job[T]) -> None:
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        if worker is None:
            worker = _Worker(self)
            try:
                worker.start()
            except RuntimeError:
                raise Unavailable(
                    "no thread can be started: raise the limit of processes"
                ) from None
        worker.queue.put(cast("_Job[object]", job))

    def close(self) -> None:
        """End the idle threads; one that hangs ends by itself, or with the process."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.queue.put(None)
        for worker in idle:
            worker.join()


class _Worker(threading.Thread):
    def __init__(self, owner: Workers) -> None:
        super().__init__(name="multistore-deadline", daemon=True)
        self.owner = owner
        self.queue: SimpleQueue[_Job[object] | None] = SimpleQueue()

    def run(self) -> None:
        while (job := self._next()) is not None:
            if job.begin():
                job.run()
            del job
            with self.owner._lock:
                self.owner._idle.append(self)

    def _next(self) -> _Job[object] | None:
        try:
            return self.queue.get(timeout=self.owner._linger)
        except Empty:
            with self.owner._lock:
                if self in self.owner._idle:
                    self.owner._idle.remove(self)
                    return None
            return self.queue.get()  # somebody has just chosen this thread
