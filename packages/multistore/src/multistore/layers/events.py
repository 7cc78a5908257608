"""Operations and the events that tell of them; and how an error leaves the library."""

from __future__ import annotations

import errno
import itertools
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from multistore.errors import Cancelled, StoreError, Unavailable
from multistore.layers.retry import Failure
from multistore.model import Event, EventHandler

__all__ = ["Events", "Operation"]

T = TypeVar("T")


class Events:
    """Numbers the operations of one Store and tells the handlers about them.

    A handler that raises does no harm: it is reported once, to the logger ``multistore.observe``.
    """

    def __init__(self, store: str, handlers: Sequence[EventHandler] = ()) -> None:
        self.store = store
        self.handlers = tuple(handlers)
        self.numbers = itertools.count(1)
        self._current = threading.local()
        self._reported: set[int] = set()

    def within(self, operation: Operation | None) -> Operation | None:
        """Say which operation this thread works for from now on, and give the one before."""
        before: Operation | None = getattr(self._current, "operation", None)
        self._current.operation = operation
        return before

    def retrying(self, failure: Failure) -> None:
        """Tell of an attempt that will be repeated."""
        operation: Operation | None = getattr(self._current, "operation", None)
        if operation is not None:
            operation.retry(failure)

    def emit(self, event: Event) -> None:
        """Tell every handler."""
        for handler in self.handlers:
            try:
                handler(event)
            except Exception as error:
                self._report(handler, error)

    def _report(self, handler: EventHandler, error: Exception) -> None:
        if id(handler) in self._reported:
            return
        self._reported.add(id(handler))
        import logging

        logger = logging.getLogger("multistore.observe")
        if logger.hasHandlers():  # without one, logging would write to stderr
            name = getattr(handler, "__qualname__", type(handler).__name__)
            logger.warning(
                "an event handler of store %r fails: %s: %s", self.store, name, described(error)
            )


class Operation:
    """One operation of a Store, from its begin to its only end.

    ``shown`` makes a reference fit for people; it is asked only if somebody will see it.
    """

    __slots__ = (
        "_ended", "_error", "_lock", "_ref", "_shown", "_started",
        "count", "events", "name", "number", "total", "verb",
    )  # fmt: skip

    def __init__(
        self,
        events: Events,
        verb: str,
        *,
        shown: Callable[[str], str],
        ref: str | None = None,
        name: str | None = None,
        total: int | None = None,
    ) -> None:
        self.events = events
        self.verb = verb
        self.name = name
        self.total = total
        self.number = next(events.numbers)
        self.count = 0
        self._ref = ref
        self._shown = shown
        self._error: str | None = None
        self._ended = False
        self._lock = threading.Lock()
        self._started = time.monotonic()
        if events.handlers:
            self._emit("begin")

    @property
    def ref(self) -> str | None:
        """The reference as people may see it; None if it cannot be made so."""
        if self._ref is None:
            return None
        try:
            return self._shown(self._ref)
        except Exception:
            return None

    # -- calls -------------------------------------------------------------------------------

    def guard(self, work: Callable[[], T]) -> T:
        """Do one call of the driver; an error comes out with the store's name and nobody's secret."""
        before = self.events.within(self)
        try:
            return work()
        except StoreError as error:
            _cut_chain(error)
            error.stamp(store=self.events.store, verb=self.verb, ref=self.ref or self.name)
            self.failed(error)
            raise
        except MemoryError as error:
            self.failed(error)
            raise
        except Exception as error:
            foreign = error
        except BaseException as error:
            self.failed(error)
            raise
        finally:
            self.events.within(before)
        # Raised down here, it has no context for a traceback to show, nor a frame that holds it.
        failure = self._translated(foreign)
        del foreign
        raise failure

    def _translated(self, error: Exception) -> Unavailable:
        failure = Unavailable(
            f"the driver failed with {type(error).__name__}, which it should have translated"
        )
        failure.add_note(described(error))
        failure.stamp(store=self.events.store, verb=self.verb, ref=self.ref or self.name)
        self.failed(failure)
        return failure

    # -- events ------------------------------------------------------------------------------

    def _emit(
        self,
        kind: str,
        *,
        count: int = 0,
        attempt: int = 1,
        delay: float | None = None,
        elapsed: float | None = None,
        error: str | None = None,
    ) -> None:
        self.events.emit(
            Event(
                kind=kind,
                store=self.events.store,
                verb=self.verb,
                operation=self.number,
                ref=self.ref,
                name=self.name,
                total=self.total,
                count=count,
                attempt=attempt,
                delay=delay,
                elapsed=elapsed,
                error=error,
            )
        )

    def bytes(self, count: int) -> None:
        """Count bytes that were read or written."""
        if count > 0:
            with self._lock:
                self.count += count
            if self.events.handlers:
                self._emit("bytes", count=count)

    def reached(self, end: int) -> None:
        """Count what lies before ``end`` and was not counted yet: what was written, and the holes between."""
        with self._lock:
            count = end - self.count
            if count <= 0:
                return
            self.count = end
        if self.events.handlers:
            self._emit("bytes", count=count)

    def retry(self, failure: Failure) -> None:
        """Tell of an attempt that failed."""
        name = type(failure.error).__name__
        self._emit("retry", attempt=failure.attempt, delay=failure.delay, error=name)

    def failed(self, error: BaseException) -> None:
        """Remember why this will end as a failure."""
        self._error = type(error).__name__

    def succeeded(self) -> None:
        """End well, whatever failed on the way."""
        self._error = None
        self.end()

    def cancel(self) -> None:
        """End as a failure: the store's, or else the caller gave up for a reason of its own."""
        self._error = self._error or Cancelled.__name__
        self.end()

    def end(self) -> None:
        """End; only the first end counts."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
        if self.events.handlers:
            self._emit("end", elapsed=time.monotonic() - self._started, error=self._error)


def _cut_chain(error: StoreError) -> None:
    """Replace the causes of an error by notes: texts of other libraries may quote a secret."""
    seen: set[int] = {id(error)}
    link = error.__cause__ or error.__context__
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        if not isinstance(link, StoreError):
            error.add_note(f"caused by {described(link)}")
        link = link.__cause__ or link.__context__
    error.__cause__ = None
    error.__context__ = None


def described(error: BaseException) -> str:
    """Say what was raised and where, without quoting its text."""
    import traceback

    text = type(error).__name__
    if isinstance(error, OSError) and error.errno is not None:
        text += f" {errno.errorcode.get(error.errno, error.errno)}"
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    for frame in frames:
        text += f" in {os.path.basename(frame.filename)}, line {frame.lineno}, {frame.name}"
    return text
