"""A bounded pool of threads that write the parts of one upload."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from multistore.cancel import Cancellation
from multistore.errors import Unavailable
from multistore.pipeline.window import Block

__all__ = ["Part", "Writers"]


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes on their way to one store; ``holder`` is the block that they live in, if they are one."""

    index: int
    offset: int
    data: bytes
    holder: Block | None = None

    def drop(self) -> None:
        """Let go of the block."""
        if self.holder is not None:
            self.holder.drop()


class Writers:
    """Up to ``parallel`` threads, made when there is work for them.

    ``write`` gets each part.
    The first error of any thread is kept, what waits is not written any more, and ``on_failure`` is called in that
    thread; ``settle`` raises the error.
    """

    def __init__(
        self,
        name: str,
        parallel: int,
        write: Callable[[Part], None],
        on_failure: Callable[[], None],
    ) -> None:
        self.parallel = parallel
        self.error: BaseException | None = None
        self._name = name
        self._write = write
        self._on_failure = on_failure
        self._queue: deque[Part] = deque()
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._running = 0
        self._closed = False
        self._threads: list[threading.Thread] = []
        self._cancellation = Cancellation()

    def submit(self, part: Part) -> None:
        """Queue a part: one may wait while the others are written, more would only cost memory."""
        with self._lock:
            while self._queue and self.error is None:
                self._changed.wait()
            self._queue.append(part)
            self._changed.notify_all()
            busy = self._running + len(self._queue)
        if len(self._threads) < min(self.parallel, busy):
            self._add_thread()

    def beside(self, work: Callable[[], None]) -> None:
        """Do something else in a thread of its own, or here if there is none to be had; ``join`` waits for it."""
        self._cancellation = Cancellation()  # the writers' own is over
        try:
            self._start(work)
        except RuntimeError:
            self._guarded(work)

    def drain(self) -> None:
        """Wait until every part is written, and end the threads; raises what a writer ran into."""
        with self._lock:
            while (self._queue or self._running) and self.error is None:
                self._changed.wait()
        self.stop()
        self.settle()

    def settle(self) -> None:
        """Raise what went wrong in another thread, if anything did."""
        if self.error is not None:
            raise self.error

    def stop(self) -> None:
        """Forget what waits, let what is being written end, and end the threads; idempotent."""
        self._cancellation.cancel()
        with self._lock:
            self._closed = True
            dropped = list(self._queue)
            self._queue.clear()
            self._changed.notify_all()
        for part in dropped:
            part.drop()
        self.join()

    def join(self) -> None:
        """Wait for the threads; a thread that was interrupted before its start never ran."""
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    # -- the threads -------------------------------------------------------------------------

    def _add_thread(self) -> None:
        try:
            self._start(self._work)
        except RuntimeError as error:
            if not self._threads:
                raise Unavailable(
                    "no thread can be started: raise the limit of processes"
                ) from error

    def _start(self, work: Callable[[], None]) -> None:
        run = self._cancellation.context().run
        thread = threading.Thread(
            target=run, args=(self._guarded, work), name=f"multistore-put-{self._name}", daemon=True
        )
        # Known before it starts, so that whatever strikes, it is waited for.
        self._threads.append(thread)
        try:
            thread.start()
        except RuntimeError:
            self._threads.remove(thread)
            raise

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            try:
                self._fail(error)
            except BaseException as trouble:
                # Once more, because nobody else would ever wake those who wait.
                self._fail(trouble)

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            if self.error is None:
                self.error = error
            self._changed.notify_all()
        self._on_failure()

    def _work(self) -> None:
        while (part := self._next_part()) is not None:
            try:
                if self.error is None:
                    self._write(part)
            finally:
                # Also of a part that failed: the other stores need its share of the window.
                part.drop()
                del part
                with self._lock:
                    self._running -= 1
                    self._changed.notify_all()

    def _next_part(self) -> Part | None:
        with self._lock:
            while not self._queue and not self._closed:
                self._changed.wait()
            if not self._queue:
                return None
            self._running += 1
            self._changed.notify_all()
            return self._queue.popleft()
