"""One store's side of an upload: cuts the stream into its parts and has them written, then commits."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from multistore.driver import Driver, Upload
from multistore.errors import NotFound, StoreError, Unsupported
from multistore.known import knowing
from multistore.model import Stored
from multistore.pipeline.journal import Journal
from multistore.pipeline.window import Block
from multistore.pipeline.writers import Part, Writers
from multistore.pipeline.zeros import data_runs

__all__ = ["Sink", "Target"]

#: Parts of one copy may hold so many bytes, or three of them more.
_IN_FLIGHT = 160 << 20


@dataclass(frozen=True, slots=True)
class Target:
    """Where a copy goes: a store's name and its driver, layers and all."""

    store: str
    driver: Driver
    labels: Mapping[str, str] = field(default_factory=dict)


class Sink:
    """Writes one copy.

    ``feed`` and everything else is called by the caller's thread; parts are written by up to
    ``parallel_parts`` threads.
    ``on_failure`` is called, in a writer's thread, as soon as a part has failed for good.
    """

    def __init__(self, target: Target, size: int | None, on_failure: Callable[[], None]) -> None:
        self.target = target
        self.store = target.store
        self.seconds: dict[str, float] = {"store": 0.0, "commit": 0.0}
        self.stored: Stored | None = None
        capabilities = target.driver.capabilities
        self._sparse = capabilities.sparse
        self._sizes: Iterator[int] = target.driver.parts(size)
        self._parallel = max(1, capabilities.parallel_parts)
        self._on_failure = on_failure
        self._made: Writers | None = None
        self._lock = threading.Lock()
        self._upload: Upload | None = None
        self._key: int | None = None
        self._journal: Journal | None = None
        self._index = 0
        self._offset = 0
        self._pieces: list[Block] = []
        self._gathered = 0
        self._commit: Callable[[], Stored] | None = None
        self._commit_error: BaseException | None = None
        self.part_size = next(self._sizes, 0)

    @property
    def _writers(self) -> Writers:
        """The threads, made at first use: a small image needs none."""
        if self._made is None:
            self._made = Writers(self.store, self._parallel, self._write, self._on_failure)
        return self._made

    @property
    def memory(self) -> int:
        """How many bytes this sink wants in flight: fewer of its parts at once where they are large."""
        part = self.part_size
        return min(part * (self._parallel + 3), max(_IN_FLIGHT, 3 * part))

    @property
    def wanted(self) -> int:
        """How many bytes are missing until the current part is full."""
        return self.part_size - self._gathered

    def begin(self, name: str, size: int | None, journal: Journal | None) -> None:
        """Tell the journal, then the driver, that an upload begins."""
        self._intend(name, journal)
        self._upload = self.target.driver.begin(name, size, self.target.labels)
        self._began()

    def begin_copy(self, source: Driver, ref: str, name: str, journal: Journal | None) -> int:
        """Begin an upload that the backend fills by itself, and give its size in bytes."""
        self._intend(name, journal)
        labels = self.target.labels
        self._upload, size = self.target.driver.begin_copy(source, ref, name, labels)
        self._began()
        return size

    def _intend(self, name: str, journal: Journal | None) -> None:
        self._journal = journal
        if journal is not None:
            self._key = journal.intend(self.store, name)

    def _began(self) -> None:
        if self._journal is not None and self._key is not None:
            self._journal.began(self._key, self._begun().token)

    # -- feeding -----------------------------------------------------------------------------

    def feed(self, block: Block) -> None:
        """Take the next block, of which this sink is a holder; it ends at a part's end, or before."""
        if self.part_size <= 0:
            block.drop()
            raise Unsupported(
                f"the image is larger than the {self._offset} bytes that the store {self.store!r} takes"
            )
        self._pieces.append(block)
        self._gathered += len(block.data)
        if self._gathered >= self.part_size:
            self._flush()

    def flush(self) -> None:
        """Send the last, shorter part."""
        if self._pieces:
            self._flush()

    def write_inline(self, data: bytes) -> None:
        """Write a small image's only part in this thread."""
        if data:
            self._write(Part(0, 0, data))

    def _flush(self) -> None:
        if len(self._pieces) == 1:
            (holder,) = self._pieces
            part = Part(self._index, self._offset, holder.data, holder)
        else:
            data = b"".join(piece.data for piece in self._pieces)
            part = Part(self._index, self._offset, data)
            for piece in self._pieces:
                piece.drop()
        self._index += 1
        self._offset += len(part.data)
        self._pieces, self._gathered = [], 0
        self.part_size = next(self._sizes, 0)
        self._writers.submit(part)

    def _write(self, part: Part) -> None:
        upload = self._begun()
        data = part.data
        started = time.monotonic()
        if self._sparse:
            for start, end in data_runs(data):
                whole = start == 0 and end == len(data)
                run = data if whole else data[start:end]
                upload.write_part(part.index, part.offset + start, run)
        else:
            self._write_knowing(upload, part)
        with self._lock:
            self.seconds["store"] += time.monotonic() - started

    def _write_knowing(self, upload: Upload, part: Part) -> None:
        """Write a part, and wait before for the digest of it that the driver asks for, if it is being computed."""
        wanted = self.target.driver.capabilities.part_digest
        found = part.holder.digest if part.holder is not None else None
        value = found.get() if found is not None and found.name == wanted else None
        with knowing(part.data, wanted, value):
            upload.write_part(part.index, part.offset, part.data)

    def drain(self) -> None:
        """Wait until every part is written; raises what a writer ran into."""
        if self._made is not None:
            self._made.drain()

    def settle(self) -> None:
        """Raise what went wrong in another thread, if anything did."""
        if self._made is not None:
            self._made.settle()

    # -- the end -----------------------------------------------------------------------------

    def commit(self, size: int, digests: Mapping[str, str]) -> None:
        """Publish; afterwards ``stored`` is the proof."""
        if self._journal is not None and self._key is not None:
            self._journal.committing(self._key, size, digests)
        started = time.monotonic()
        self._commit = lambda: self._begun().commit(size, digests)
        try:
            self.stored = self._commit()
        except BaseException as error:
            self._commit_error = error
            raise
        self._commit = None
        self.seconds["commit"] = time.monotonic() - started
        if self._journal is not None and self._key is not None:
            self._journal.committed(self._key, self.stored)

    def start_commit(self, size: int, digests: Mapping[str, str]) -> None:
        """Publish in a thread of its own; ``finish_commit`` raises what came of it."""
        self._writers.beside(lambda: self.commit(size, digests))

    def finish_commit(self) -> None:
        """Wait for a started commit."""
        self._writers.join()
        self._writers.settle()

    def undo(self, error: BaseException) -> None:
        """Leave nothing of this copy, published or not; what cannot be removed now is left to the journal.

        ``error`` is why; it stays the error to be raised, trouble in here is added to it as a note.
        """
        if self._made is not None:
            self._made.stop()
        left = False
        try:
            insist(self._clean)
        except Exception as trouble:
            left = True
            error.add_note(
                f"store {self.store!r}: something unfinished may be left ({type(trouble).__name__});"
                " garbage collection removes it"
            )
        try:
            insist(lambda: self._tell_journal(left=left))
        except Exception as trouble:
            error.add_note(
                f"store {self.store!r}: the end of the upload is not recorded ({type(trouble).__name__})"
            )

    def _clean(self) -> None:
        self._drop_pieces()
        self._remove()

    def _drop_pieces(self) -> None:
        pieces, self._pieces = self._pieces, []
        for piece in pieces:
            piece.drop()

    def _remove(self) -> None:
        if self._upload is None:
            return
        if self._commit is not None and _unsettled(self._commit_error):
            # The reply was lost or cut off: only the commit itself can tell what became of it, and
            # an abort could pull the parts from under an object that is just being published.
            try:
                self.stored = self._commit()
            except StoreError as error:
                if _unsettled(error):
                    raise
        if self.stored is not None:
            with contextlib.suppress(NotFound):
                self.target.driver.delete(self.stored.ref)
        self._upload.abort()

    def _tell_journal(self, *, left: bool) -> None:
        if self._journal is not None and self._key is not None:
            (self._journal.abandoned if left else self._journal.aborted)(self._key)

    def _begun(self) -> Upload:
        if self._upload is None:
            raise RuntimeError("begin() comes first")
        return self._upload


def insist(action: Callable[[], None]) -> None:
    """Clean up in spite of one interruption: what strikes in the middle, a second Ctrl-C say, makes it start again.

    ``action`` is idempotent.  A StoreError is the store's own word, and comes out at once.
    """
    try:
        action()
    except StoreError:
        raise
    except Exception:
        action()
    except BaseException:
        action()
        raise


def _unsettled(error: BaseException | None) -> bool:
    """Say whether the commit may have taken effect, or may still do."""
    return not isinstance(error, StoreError) or (error.retryable and not error.final)
