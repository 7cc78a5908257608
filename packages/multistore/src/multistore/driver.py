"""The seam: the only file that the author of a driver must read.

A driver moves bytes between the core and one backend.
Hashing, verification, chunking, retries, deadlines, progress, failover, fan-out, logging and the
wording of errors live above it, once, for all drivers.

To write one: subclass ``Driver``, ``Reader`` and ``Upload``, declare ``Capabilities``, translate the SDK's errors
into ``multistore.errors`` in one table, and subclass
``multistore.testing.DriverConformance`` in a test file.
What is promised to a driver:

- ``Upload`` methods: parts come with increasing index, each byte belongs to one part, parts of
  one upload run side by side only up to ``capabilities.parallel_parts``, ``data`` is immutable and may be kept;
  no part is running when ``commit`` or ``abort`` is called.
- Any call may be repeated after it raised a retryable error, with the same arguments.
- Every call may come from any thread, and after a fork.

What a driver promises in return stands at each method.
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, Generic, NoReturn, TypeVar

from multistore.errors import Misconfigured, Unsupported
from multistore.model import Capabilities

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from multistore.model import Access, Caller, Info, Pending, Stored, Usage

__all__ = ["Driver", "PerProcess", "Pool", "Reader", "Ref", "Upload"]

T = TypeVar("T")

#: The part size of a driver that does not care, in bytes.
PART_SIZE = 8 * 1024 * 1024


class Ref(ABC):
    """A reference taken apart: a frozen dataclass with named parts; ``str()`` is the canonical text.

    ``Driver.parse(str(ref)) == ref`` holds for every reference.
    """

    __slots__ = ()

    @abstractmethod
    def __str__(self) -> str: ...


class Reader(ABC):
    """One stored object, held for reading."""

    @property
    @abstractmethod
    def info(self) -> Info:
        """What is known of the object; always known after the first read, asked earlier it may cost one request."""

    @abstractmethod
    def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from ``offset`` on, ``length`` of them or up to the end, as they arrive.

        The request is made by this call, not by the first ``next``.
        Pieces are never empty.
        Reading past the end yields nothing; ``length=0`` yields nothing.
        A stream that the backend cuts short raises ``Unavailable``; it never just ends.
        Closing the iterator early releases what it holds.
        Up to ``capabilities.parallel_reads`` iterators of one Reader are used at once.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the connection, image or attachment; idempotent."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Upload(ABC):
    """One object being written; invisible until ``commit``."""

    #: Names what is unfinished, for ``Driver.discard`` and ``Driver.published`` in any process; final when ``begin``
    #: returns.  It holds no secret.
    token: str

    @abstractmethod
    def write_part(self, index: int, offset: int, data: bytes) -> None:
        """Store ``data`` at ``offset``; repeating it changes nothing.

        For a ``sparse`` driver the core leaves zero runs out and may call this several times, or not at
        all, for one index.
        """

    @abstractmethod
    def commit(self, size: int, digests: Mapping[str, str]) -> Stored:
        """Publish the object of exactly ``size`` bytes: the only moment at which anything becomes visible.

        Success means durable, as far as the settings ask for it.
        Repeating it finds the own earlier success; another's object of that name is ``AlreadyExists``.
        """

    @abstractmethod
    def abort(self) -> None:
        """Remove everything unfinished; idempotent, and never touches what was published."""


class Driver(ABC):
    """One backend, opened with its settings.

    Blocking, safe for threads, usable after a fork, with the SDK's own retries switched off.
    Making one does no I/O, starts no thread and imports no SDK.
    The constructor takes the settings, an instance of ``settings_type``, and, by keyword ``sdk``, stand-ins for
    the vendor's modules where there are any.
    """

    #: The frozen dataclass of settings, its fields made by ``multistore.config.option``.
    settings_type: ClassVar[type]
    #: The schemes of this driver's references.
    schemes: ClassVar[tuple[str, ...]] = ()
    capabilities: Capabilities = Capabilities()

    @classmethod
    def settings_from_url(cls, url: str) -> Mapping[str, object]:
        """Turn a store URL into raw settings; pure. The query, ``?name=value``, is dealt with by the caller."""
        scheme = url.partition(":")[0]
        raise Misconfigured(
            f"a {scheme} store cannot be named by a URL: give a table of settings", setting="url"
        )

    # -- required ----------------------------------------------------------------------------

    @classmethod
    @abstractmethod
    def parse(cls, text: str) -> Ref:
        """Take a reference apart, in its canonical form and every older one; pure. InvalidRef otherwise."""

    @abstractmethod
    def stat(self, ref: str) -> Info:
        """Describe one object; NotFound if it is not there."""

    @abstractmethod
    def open(self, ref: str) -> Reader:
        """Open one object for reading; NotFound here or from the first read."""

    # -- about the store ---------------------------------------------------------------------

    def check(self) -> None:
        """Find out whether the store is usable now: settings, server, rights, space.

        Misconfigured names the setting that is wrong.
        """

    def prefixes(self) -> tuple[str, ...]:
        """Give the beginnings of this store's references, to tell stores apart; no I/O."""
        return ()

    def owns(self, ref: str) -> bool:
        """Say whether a reference points into this store, at path boundaries; no I/O."""
        return any(ref.startswith(prefix) for prefix in self.prefixes())

    def redact(self, ref: str) -> str:
        """Give the reference without any secret, for people and logs; pure.

        What is not of this driver's schemes is not shown: another's reference may hold a password.
        """
        return ref if ref.partition("://")[0] in self.schemes else "(no reference of this store)"

    def close(self) -> None:
        """Release everything; idempotent. The driver may be used again afterwards."""

    def for_context(self, caller: Caller) -> Driver:
        """Give this driver with another's credentials, sharing its handles."""
        return self

    # -- Verb.WRITE --------------------------------------------------------------------------

    def parts(self, size: int | None) -> Iterator[int]:
        """Give the part sizes in order for an image of ``size`` bytes (None: unknown); pure.

        Where the iterator ends is the store's limit: a longer image is refused.
        """
        while True:
            yield PART_SIZE

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        """Start an upload of ``name``; nothing is visible yet.

        ``size`` is exact when the image fits into one part; otherwise what was declared, or None.
        Refuses an existing name early with AlreadyExists (one cheap look; commit makes it certain, and may do it alone
        for an image of up to a megabyte), a bad name with InvalidRef, a size that cannot fit with NoSpace.
        Whatever it raises, it leaves nothing behind.
        ``labels`` are small texts kept beside the object where the backend can.
        """
        self._refuse("write")

    def pending(self) -> Iterator[Pending]:
        """List the unfinished uploads, live ones included: the caller applies an age.

        One of which the backend has nothing yet, because all is sent by its commit, is not among them.
        """
        self._refuse("write")

    def discard(self, token: str) -> None:
        """Remove an unfinished upload; one that was published, or is unknown, is left alone.

        InUse where it is seen to be alive.
        """
        self._refuse("write")

    def published(self, token: str) -> Stored | None:
        """Say what became of an upload: the proof that *this* upload was published, or None.

        Asked after a crash between commit and acknowledgement, in another process.
        """
        self._refuse("write")

    # -- the other verbs ---------------------------------------------------------------------

    def delete(self, ref: str) -> None:
        """Remove one object; NotFound if it is not there, InUse while somebody depends on it."""
        self._refuse("delete")

    def begin_copy(
        self, source: Driver, ref: str, name: str, labels: Mapping[str, str]
    ) -> tuple[Upload, int]:
        """Start an upload of ``name`` whose bytes the backend copies by itself: a reflink, a clone, a copy of parts.

        Gives the upload, which has its bytes and takes no part, and their number; it is published by ``commit`` and
        removed by ``abort`` like any other, so a crash at any moment is settled alike.
        Unsupported, with nothing written, if these two stores cannot; the core then reads and writes.
        ``source`` is a bare driver, without layers.
        """
        self._refuse("copy")

    def list(self) -> Iterator[Info]:
        """List the published objects, in no particular order; unfinished uploads are not among them."""
        self._refuse("list")

    def usage(self) -> Usage:
        """Tell how full the store is."""
        self._refuse("usage")

    def set_access(self, ref: str, access: Access) -> None:
        """Say who may read and write one object."""
        self._refuse("access")

    def _refuse(self, verb: str) -> NoReturn:
        scheme = self.schemes[0] if self.schemes else type(self).__name__
        raise Unsupported(f"a {scheme} store cannot {verb}")


class PerProcess(Generic[T]):
    """A value made at first use, and anew in each forked child.

    The parent's value is left alone in the child: closing it there could break the parent's
    connection.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._cells: dict[int, _Cell[T]] = {}

    def get(self) -> T:
        """Give this process's value; one thread makes it, the others wait."""
        pid = os.getpid()
        cell = self._cells.get(pid)
        if cell is None:
            # setdefault is atomic, so two threads of a fresh child agree on one cell;
            # a lock held by a thread of the parent is never waited for.
            cell = self._cells.setdefault(pid, _Cell())
        with cell.lock:
            if not cell.made:
                cell.value = self._make()
                cell.made = True
            return cell.value

    def drop(self) -> T | None:
        """Forget this process's value and give it back, if there is one, to be closed."""
        cell = self._cells.pop(os.getpid(), None)
        return cell.value if cell is not None and cell.made else None


class _Cell(Generic[T]):
    __slots__ = ("lock", "made", "value")

    value: T

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.made = False


class Pool(Generic[T]):
    """Handles for one thread at a time: ``take`` gives an idle one or makes one, ``give`` returns it.

    At most ``keep`` idle ones are held; a handle that failed is simply not given back, but closed.
    """

    def __init__(self, make: Callable[[], T], close: Callable[[T], None], keep: int = 8) -> None:
        self._make = make
        self._close = close
        self._keep = keep
        self._idle: PerProcess[list[T]] = PerProcess(list)

    def take(self) -> T:
        """Give a handle that nobody else uses."""
        try:
            return self._idle.get().pop()
        except IndexError:
            return self._make()

    def give(self, handle: T) -> None:
        """Take a healthy handle back."""
        idle = self._idle.get()
        if len(idle) < self._keep:
            idle.append(handle)
        else:
            self._close(handle)

    def close(self) -> None:
        """Close the idle handles of this process."""
        for handle in self._idle.drop() or ():
            self._close(handle)
