"""Store: one backend with everything that is the same for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from multistore.driver import Driver, Ref
from multistore.errors import Corrupt, NotFound
from multistore.layers.stack import StoreOptions, stack
from multistore.model import (
    Capabilities,
    EventHandler,
    Fetched,
    Info,
    Pending,
    Receipt,
    State,
    Stored,
    Usage,
    Verdict,
)
from multistore.pipeline.digests import digesters, hexdigests, normalise_expected
from multistore.pipeline.image import Image, ReaderStream
from multistore.pipeline.inside import copy_inside
from multistore.pipeline.journal import Journal
from multistore.pipeline.save import Target as SaveTarget
from multistore.pipeline.save import save
from multistore.pipeline.sink import Sink, Target
from multistore.pipeline.source import Source
from multistore.pipeline.upload import ByteObserver, Job, upload
from multistore.registry import open_driver

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["DIGESTS", "Store", "open_store", "receipt_of"]

#: What is computed of every image unless the caller says otherwise.
DIGESTS = ("md5", "sha512")


def open_store(
    target: str | Mapping[str, object],
    *,
    name: str | None = None,
    options: StoreOptions | None = None,
    events: Sequence[EventHandler] = (),
) -> Store:
    """Open the store that a URL, or a table of settings, describes; no I/O happens.

    >>> store = open_store("memory:", name="scratch")
    >>> store.put("hello", b"Hello!").size
    6
    """
    driver = open_driver(target)
    return Store(driver, name=name or driver.schemes[0], options=options, events=events)


class Store:
    """One backend: put, get, open, stat, delete, copy and verify images.

    Safe for threads and usable after a fork.
    Every error is a ``StoreError`` that names this store, but for what a source, a target or an observer raised:
    that comes through unchanged.
    """

    def __init__(
        self,
        driver: Driver,
        *,
        name: str,
        options: StoreOptions | None = None,
        events: Sequence[EventHandler] = (),
    ) -> None:
        self.name = name
        self.options = options or StoreOptions()
        self.driver = stack(driver, name=name, options=self.options, events=events)

    def __repr__(self) -> str:
        return f"<Store {self.name!r} ({self.driver.schemes[0]})>"

    @property
    def capabilities(self) -> Capabilities:
        """What the backend can do."""
        return self.driver.capabilities

    # -- writing -----------------------------------------------------------------------------

    def put(
        self,
        name: str,
        source: Source,
        *,
        size: int | None = None,
        digests: Sequence[str] = DIGESTS,
        expect: Mapping[str, str] | None = None,
        observers: Sequence[ByteObserver] = (),
        labels: Mapping[str, str] | None = None,
        read_size: int | None = None,
        journal: Journal | None = None,
    ) -> Receipt:
        """Store an image under a new name, whole and published, or raise and leave nothing.

        ``source`` is a path, an object with ``read``, an iterable of bytes, or bytes; it is read once, in this
        thread, and its exceptions come through unchanged.
        ``size`` in bytes is believed by nobody: more or less data is SizeMismatch.
        ``expect`` maps digest names to hexadecimal values: anything else is Corrupt, before a byte becomes visible.
        ``observers`` get every byte, in order, before it is written.
        ``read_size`` is how many bytes are asked of the source at once.
        """
        target = Target(self.name, self.driver, labels or {})
        job = Job(
            name=name,
            source=source,
            size=size,
            digests=digests,
            expect=expect,
            observers=observers,
            read_size=read_size,
            journal=journal,
            fused=self.options.fused_digests,
        )
        uploaded = upload([target], job, 1)
        return receipt_of(uploaded.sinks[0], uploaded.digests, uploaded.seconds)

    def delete(self, ref: str) -> None:
        """Remove an image; NotFound if it is not there, InUse while somebody depends on it."""
        self.driver.delete(ref)

    # -- reading -----------------------------------------------------------------------------

    def open(
        self, ref: str, *, expect: Mapping[str, str] | None = None, size: int | None = None
    ) -> Image:
        """Open an image for reading; ``expect`` and ``size`` are what its bytes are held against."""
        stream = ReaderStream(self.driver.open(ref), self.name, self.capabilities.parallel_reads)
        return Image(
            stream,
            size=size,
            expect=expect,
            what=self.driver.redact(ref),
            fused=self.options.fused_digests,
        )

    def get(
        self,
        ref: str,
        target: SaveTarget,
        *,
        offset: int = 0,
        length: int | None = None,
        expect: Mapping[str, str] | None = None,
        size: int | None = None,
    ) -> Fetched:
        """Write an image, or a range of it, to a path (atomically) or a binary file object."""
        with self.open(ref, expect=expect, size=size) as image:
            return fetch(image, target, offset, length)

    def stat(self, ref: str) -> Info:
        """Describe one image; NotFound if it is not there."""
        return self.driver.stat(ref)

    def list(self) -> Iterator[Info]:
        """List the images, in no particular order."""
        return self.driver.list()

    # -- certainty ---------------------------------------------------------------------------

    def verify(
        self, ref: str, *, size: int | None = None, expect: Mapping[str, str] | None = None
    ) -> Verdict:
        """Read an image completely and say whether its bytes are the expected ones, and how that is known.

        What is wrong with the image is the verdict; only a store that does not answer raises.
        """
        wanted = normalise_expected(expect)
        what = self.driver.redact(ref)
        sums = digesters(wanted, fused=self.options.fused_digests)
        read = 0
        try:
            with self.driver.open(ref) as reader:
                stream = ReaderStream(reader, self.name, self.capabilities.parallel_reads)
                image = Image(stream, size=None, expect=None, what=what)
                for chunk in image.digested(sums):
                    read += len(chunk)
        except NotFound as error:
            return Verdict(self.name, ref, State.MISSING, error.message)
        except Corrupt as error:
            return Verdict(self.name, ref, State.CORRUPT, error.message, read)
        found = hexdigests(sums)
        state, proof = _judge(read, size, found, wanted)
        return Verdict(self.name, ref, state, proof, read, found)

    def copy(
        self,
        ref: str,
        target: Store,
        name: str,
        *,
        digests: Sequence[str] = DIGESTS,
        expect: Mapping[str, str] | None = None,
        size: int | None = None,
        labels: Mapping[str, str] | None = None,
        journal: Journal | None = None,
    ) -> Receipt:
        """Copy an image into ``target`` under ``name``: inside the backend if both can, otherwise read once and written.

        Whatever is expected is compared before the copy is published.
        The receipt of a copy inside the backend names the expected digests only: nothing else was computed.
        """
        place = Target(target.name, target.driver, labels or {})
        receipt = self.copy_inside(ref, place, name, expect=expect, size=size, journal=journal)
        if receipt is not None:
            return receipt
        with self.open(ref, expect=expect, size=size) as image:
            return target.put(
                name,
                iter(image),
                size=image.size,
                digests=digests,
                expect=expect,
                labels=labels,
                journal=journal,
            )

    def copy_inside(
        self,
        ref: str,
        target: Target,
        name: str,
        *,
        expect: Mapping[str, str] | None,
        size: int | None,
        journal: Journal | None,
    ) -> Receipt | None:
        """Let the backend copy an image by itself; None if it cannot, and nothing was written."""

        def check(copied: int) -> None:
            if size is None and not expect:
                return
            verdict = self.verify(ref, size=size, expect=expect)
            if verdict.state not in (State.INTACT, State.UNVERIFIABLE) or verdict.size != copied:
                shown = self.redact(ref)
                error = Corrupt(f"the source {shown} is {verdict.state.value}: {verdict.proof}")
                error.stamp(store=self.name, verb="copy", ref=shown)
                raise error

        sink = copy_inside(target, self.driver, ref, name, check=check, journal=journal)
        return None if sink is None else receipt_of(sink, normalise_expected(expect), {})

    # -- the store itself --------------------------------------------------------------------

    def check(self) -> None:
        """Find out whether the store is usable now; Misconfigured names the setting that is wrong."""
        self.driver.check()

    def usage(self) -> Usage:
        """Tell how full the store is."""
        return self.driver.usage()

    def pending(self) -> Iterator[Pending]:
        """List the unfinished uploads, live ones included."""
        return self.driver.pending()

    def discard(self, token: str) -> None:
        """Remove an unfinished upload; a published or unknown one is left alone, a live one is InUse."""
        self.driver.discard(token)

    def published(self, token: str) -> Stored | None:
        """Say whether that very upload was published, and as what."""
        return self.driver.published(token)

    def parse(self, ref: str) -> Ref:
        """Take a reference apart; InvalidRef if it is none."""
        return self.driver.parse(ref)

    def redact(self, ref: str) -> str:
        """Give a reference without secrets."""
        return self.driver.redact(ref)

    def owns(self, ref: str) -> bool:
        """Say whether a reference points into this store."""
        return self.driver.owns(ref)

    def close(self) -> None:
        """Release every connection; idempotent."""
        self.driver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def fetch(image: Image, target: SaveTarget, offset: int, length: int | None) -> Fetched:
    """Save an open image, or a range of it, and say what was proved."""
    whole = offset == 0 and length is None
    size = save(image.read(offset, length), target)
    return Fetched(size, image.expect if whole else {}, image.stores)


def receipt_of(sink: Sink, digests: Mapping[str, str], seconds: Mapping[str, float]) -> Receipt:
    """Write the receipt for one copy."""
    stored = sink.stored
    if stored is None:
        raise RuntimeError("only a published copy has a receipt")
    return Receipt(
        sink.store,
        stored.ref,
        stored.size,
        MappingProxyType(dict(digests)),
        stored.metadata,
        MappingProxyType({**seconds, **sink.seconds}),
    )


def _judge(
    read: int, size: int | None, found: Mapping[str, str], wanted: Mapping[str, str]
) -> tuple[State, str]:
    """Compare what was read with what is on record."""
    if size is not None and read < size:
        return State.SHORT, f"{read} of {size} bytes"
    if size is not None and read > size:
        return State.CORRUPT, f"{read} bytes instead of {size}"
    for name, value in wanted.items():
        if found[name] != value:
            return State.CORRUPT, f"{name} of all bytes differs"
    if not wanted:
        return State.UNVERIFIABLE, f"{read} bytes read; no digest on record"
    return State.INTACT, f"{' and '.join(wanted)} of all {read} bytes"
