"""Operations of a file system that may hang, and how many of them do."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from multistore.driver import Driver, PerProcess
from multistore.errors import TimedOut, Unavailable
from multistore.layers.deadline import DeadlineLayer, Held
from multistore.layers.workers import Workers

from glance_store import exceptions

__all__ = ["TimeoutExecutor"]

LOG = logging.getLogger(__name__)

T = TypeVar("T")


class TimeoutExecutor:
    """Runs operations for at most ``timeout`` seconds, in threads that can be left alone; 0: in the caller's, for ever.

    At most ``pool_size`` may hang: from there on operations are refused at once.
    When ``threshold`` percent of that are running or hanging, each further one logs a warning.
    The threads are the core's, made when they are needed and anew after a fork; they keep no process alive.
    """

    def __init__(self, timeout: int = 0, pool_size: int = 10, threshold: int = 75) -> None:
        self.timeout = timeout
        self.pool_size = pool_size
        self.threshold = threshold
        self._gauge = PerProcess(lambda: _Gauge(pool_size))

    @property
    def executor(self) -> Workers | None:
        """The threads of this process; None where there is no time limit."""
        return self._gauge.get().workers if self.timeout > 0 else None

    def execute(self, func: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Give what ``func`` gives, or raise what it raises; TimeoutError of the interface if it takes too long."""
        if self.timeout <= 0:
            return func(*args, **kwargs)
        outcome: list[tuple[T | None, BaseException | None]] = []

        def work() -> None:
            try:
                outcome.append((func(*args, **kwargs), None))
            except BaseException as error:
                outcome.append((None, error))

        try:
            with self.counted() as workers:
                workers.run(work, self.timeout, what="an operation of the file system")
        except (TimedOut, Unavailable) as error:
            raise exceptions.TimeoutError(timeout=self.timeout) from error
        ((result, failure),) = outcome
        if failure is not None:
            raise failure
        return result  # type: ignore[return-value]  # there was no failure

    @contextlib.contextmanager
    def counted(self) -> Iterator[Workers]:
        """Count one operation for the length of the block."""
        gauge = self._gauge.get()
        with gauge.lock:
            gauge.busy += 1
            used = 100 * (gauge.busy + gauge.workers.stuck) // self.pool_size
        try:
            if used >= self.threshold:
                LOG.warning(
                    "%d%% of the operations that may hang are running or hanging (threshold: %d%%)",
                    used,
                    self.threshold,
                )
            yield gauge.workers
        finally:
            with gauge.lock:
                gauge.busy -= 1

    def layer(self, inner: Driver) -> Driver:
        """Give a driver of the core whose calls end in time, and are counted here."""
        return _Bounded(inner, self) if self.timeout > 0 else inner

    def shutdown(self, wait: bool = True) -> None:
        """End the threads of this process that are idle; one that hangs ends by itself, or with the process."""
        gauge = self._gauge.drop()
        if gauge is not None:
            gauge.workers.close()


class _Gauge:
    """What is running in one process."""

    def __init__(self, limit: int) -> None:
        self.lock = threading.Lock()
        self.busy = 0
        self.workers = Workers(stuck=limit)


class _Bounded(DeadlineLayer):
    """The core's deadline layer, with the threads and the gauge of an executor."""

    def __init__(self, inner: Driver, executor: TimeoutExecutor) -> None:
        super().__init__(inner, seconds=executor.timeout)
        self._executor = executor

    def bounded(
        self,
        verb: str,
        work: Callable[[], T],
        undo: Callable[[T], None] | None = None,
        held: Held | None = None,
    ) -> T:
        with self._executor.counted() as workers:
            return workers.run(
                work,
                self._executor.timeout,
                what=f"the call {verb!r}",
                undo=undo,
                on_stuck=held.stuck if held else None,
                on_late=held.late if held else None,
            )
