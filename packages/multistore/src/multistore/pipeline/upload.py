"""One pass over a source into one or many stores: read once, hash once, write everywhere, then publish.

The caller's thread reads and feeds; each digester and each writer has a thread of its own; one window
bounds the blocks that anybody holds.  An image of up to a megabyte is handled in the caller's thread alone.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from multistore.errors import StoreError
from multistore.pipeline.digests import (
    DigestThread,
    check_expected,
    digesters,
    hexdigests,
    normalise_expected,
)
from multistore.pipeline.journal import Journal
from multistore.pipeline.sink import Sink, Target, insist
from multistore.pipeline.source import Source, SourceReader
from multistore.pipeline.window import Window

__all__ = ["SMALL", "ByteObserver", "Job", "Uploaded", "upload"]

#: Images up to this size, in bytes, take no thread.
SMALL = 1 << 20


class ByteObserver(Protocol):
    """Sees every byte in order, in the caller's thread, before it is written; a signature verifier, say."""

    def update(self, data: bytes, /) -> object: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be uploaded, and how; see ``Store.put`` for the meaning of each field."""

    name: str
    source: Source
    size: int | None = None
    digests: Sequence[str] = ()
    expect: Mapping[str, str] | None = None
    observers: Sequence[ByteObserver] = ()
    read_size: int | None = None
    journal: Journal | None = None
    fused: bool = True


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What came of a job: ``sinks`` hold what was stored, ``failures`` the error of each store that has nothing."""

    size: int
    digests: Mapping[str, str]
    sinks: tuple[Sink, ...]
    failures: Mapping[str, StoreError]
    seconds: Mapping[str, float]


def upload(targets: Iterable[Target], job: Job, minimum: int) -> Uploaded:
    """Put the source into at least ``minimum`` of the targets, or nowhere.

    A target that fails is cleaned up at once and the others go on, as long as enough are left.
    Raises the only failure as it is, several as an ExceptionGroup; an exception of the source, an observer or the journal
    unchanged.  Whatever is raised, nothing is left visible.
    """
    run = _Run(list(targets), job, minimum)
    try:
        return run.go()
    except BaseException as error:
        run.undo(error)
        run.stamp(error)
        raise


class _Run:
    """The state of one upload."""

    def __init__(self, targets: list[Target], job: Job, minimum: int) -> None:
        self.started = time.monotonic()
        self.targets = targets
        self.job = job
        self.minimum = minimum
        self.failures: dict[str, StoreError] = {}
        self.expect = normalise_expected(job.expect)
        self.wanted = dict.fromkeys([*job.digests, *self.expect])
        self.digesters = digesters(self.wanted, fused=job.fused)
        self.threads: list[DigestThread] = []
        self.window = Window(0)
        self.source = SourceReader(job.source, job.size, job.read_size)
        self.sinks: list[Sink] = []
        self.foreign: BaseException | None = None

    def go(self) -> Uploaded:
        self.source.open()
        self.sinks = [Sink(target, self.source.size, self.window.wake) for target in self.targets]
        first = self.source.fill(max(sink.part_size for sink in self.sinks))
        size = self.source.total if self.source.ended else self.source.size
        self._each(lambda sink: sink.begin(self.job.name, size, self.job.journal))
        if self.source.ended and len(first) <= SMALL:
            self._small(first)
        else:
            self._stream(first)
        # Before publishing: nothing may fail any more when the image is there.
        self.source.close()
        return self._publish()

    # -- the bytes ---------------------------------------------------------------------------

    def _small(self, data: bytes) -> None:
        self._observe(data)
        for digester in self.digesters:
            digester.update(data)
        self._each(lambda sink: sink.write_inline(data))

    def _stream(self, first: bytes) -> None:
        # There is room for one beside the kernel; stores that send another compute it by themselves.
        asked = [sink.target.driver.capabilities.part_digest for sink in self.sinks]
        parts = [name for name in asked if name]
        for digester in self.digesters:
            self.threads.append(DigestThread(digester, self.window.wake, parts=parts))
            self.threads[-1].start()
        self._feed_first(first)
        del first
        while not self.source.ended:
            wanted = self._wanted()
            self.window.wait_for_room(wanted)
            self._look()
            self._feed(self.source.fill(wanted))
        self._each(Sink.flush)
        self._each(Sink.drain)

    def _feed_first(self, first: bytes) -> None:
        """Feed what was read before anything began; several stores may cut it at different places."""
        at = 0
        while at < len(first):
            end = at + self._wanted()
            self._feed(first if at == 0 and end >= len(first) else first[at:end])
            at = end

    def _wanted(self) -> int:
        """Give the size of the next block: up to the nearest end of a part, so that none is cut in two.

        It is at least one byte, for a store whose limit is reached to refuse.
        """
        largest = max(sink.part_size for sink in self.sinks)
        self.window.limit = max(2 * largest, *(sink.memory for sink in self.sinks))
        return max(1, min(sink.wanted for sink in self.sinks))

    def _feed(self, data: bytes) -> None:
        if not data:
            return
        self._observe(data)
        block = self.window.block(data, len(self.threads) + len(self.sinks))
        for thread in self.threads:
            thread.feed(block)
        self._each(lambda sink: sink.feed(block))

    def _observe(self, data: bytes) -> None:
        try:
            for observer in self.job.observers:
                observer.update(data)
        except BaseException as error:
            self.foreign = error
            raise

    # -- the end -----------------------------------------------------------------------------

    def _publish(self) -> Uploaded:
        for thread in self.threads:
            thread.finish()
        computed = hexdigests(self.digesters)
        found = {name: computed[name] for name in self.wanted}
        check_expected(self.expect, found, "the data")
        size = self.source.total
        if self.threads:
            self._commit_side_by_side(size, found)
        else:
            self._each(lambda sink: sink.commit(size, found))
        seconds = {
            "total": time.monotonic() - self.started,
            "source": self.source.seconds,
            "hash": max((digester.seconds for digester in self.digesters), default=0.0),
        }
        return Uploaded(size, found, tuple(self.sinks), self.failures, seconds)

    def _commit_side_by_side(self, size: int, hexdigests: Mapping[str, str]) -> None:
        """Publish everywhere at once, the last store in this thread: a sync can take its time."""
        *others, last = self.sinks
        for sink in others:
            sink.start_commit(size, hexdigests)
        self._attempt(last, lambda sink: sink.commit(size, hexdigests))
        for sink in others:
            self._attempt(sink, Sink.finish_commit)

    # -- failures ----------------------------------------------------------------------------

    def _each(self, action: Callable[[Sink], object]) -> None:
        """Do something with every store that is still in the game; one that fails drops out."""
        for sink in list(self.sinks):
            self._attempt(sink, action)

    def _attempt(self, sink: Sink, action: Callable[[Sink], object]) -> None:
        try:
            action(sink)
        except StoreError as error:
            self._give_up(sink, error)

    def _look(self) -> None:
        """Deal with what has failed in other threads."""
        for thread in self.threads:
            if thread.error is not None:
                raise thread.error
        self._each(Sink.settle)

    def _give_up(self, sink: Sink, error: StoreError) -> None:
        """Go on without a store, if enough others are left."""
        self.failures[sink.store] = error
        sink.undo(error)
        self.sinks.remove(sink)
        if len(self.sinks) >= self.minimum:
            return
        errors = list(self.failures.values())
        if len(errors) == 1:
            raise error
        wanted = f"{len(self.sinks)} stores where {self.minimum} were wanted"
        raise ExceptionGroup(f"{self.job.name!r} went into {wanted}", errors)

    def undo(self, error: BaseException) -> None:
        insist(lambda: self._undo(error))

    def _undo(self, error: BaseException) -> None:
        with contextlib.ExitStack() as steps:  # each is taken, whatever becomes of the others
            for sink in self.sinks:
                steps.callback(sink.undo, error)
            for thread in self.threads:
                steps.callback(thread.stop)
            steps.callback(self.source.close)

    def stamp(self, error: BaseException) -> None:
        """Name the stores in an error of the core's own; what a source or an observer raised stays as it is."""
        if isinstance(error, StoreError) and error not in (self.foreign, self.source.error):
            names = ", ".join(target.store for target in self.targets)
            error.stamp(store=names, verb="put", ref=self.job.name)
