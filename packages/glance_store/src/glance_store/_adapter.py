# ruff: noqa: PLR0917 -- as the interface has it
"""A store of the interface over one store of multistore: nothing here reads, writes, hashes or cuts a byte.

A driver subclasses ``CoreBacked``, names its row of the error table (``KIND``), makes its core store from its options, and
fills in the hooks that differ: which core store serves a location, what users call an image, what a stream looks like.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import logging
import os
import time
import weakref
from collections.abc import Iterator
from typing import Any, ClassVar

import multistore
from multistore.driver import Driver, PerProcess
from multistore.errors import StoreError

from glance_store import capabilities, driver, exceptions
from glance_store._errors import Facts, translated
from glance_store._streams import ImageStream
from glance_store.common import utils
from glance_store.i18n import _

__all__ = ["UNSEEN", "CoreBacked", "closing_when_unused", "sweep_once", "translating"]

LOG = logging.getLogger(__name__)

#: The most asked of a source at once, in bytes: Glance's data refuses a read of 128 MiB.
_LARGEST_READ = 8 << 20
#: Seconds without a sign of life after which what is left of an upload is swept; and where a store sees no signs of life, so
#: that this is longer than any upload takes.
_GRACE = 3600.0
UNSEEN = 86400.0
_MD5 = "md5"


class CoreBacked(driver.Store):
    """The operations of the interface, done by the core; each holds its own reference to the core store it uses."""

    #: The driver's name in the error table.
    KIND: ClassVar[str] = ""

    # -- what a driver fills in --------------------------------------------------------------

    def _core_for(
        self, verb: str, ref: str | None, context: Any
    ) -> tuple[multistore.Store, str | None]:
        """Give the core store that serves this call, and the reference as that store knows it.

        ``verb`` is ``get``, ``size``, ``delete`` or, without a reference, ``add``.
        """
        raise NotImplementedError

    def core_driver(self) -> Driver:
        """Give the core driver of this store as it is configured, for multistore's own command line."""
        raise NotImplementedError

    def _ref_of(self, location: Any) -> str:
        """Give the core's reference for a location."""
        return str(location.get_store_uri())

    def _shown(self, ref: str) -> str:
        """Say what users call the image behind a reference: the end of it, without directories and secrets."""
        return ref.partition("?")[0].rstrip("/").rpartition("/")[2]

    def _limit_of(self, verb: str) -> float:
        """Give the limit that an error may be about, in the words of ``Facts.limit``."""
        return 0

    def _stream_of(
        self, ref: str, pieces: Iterator[bytes], size: int, asked: int | None, **held: Any
    ) -> Any:
        """Wrap the pieces of an open image; ``size`` is what they come to, ``asked`` the length of a range."""
        return ImageStream(pieces, **held)

    def _before_add(self, core: multistore.Store, image_id: str) -> None:
        """Refuse an image before a byte of it is read."""

    def _most_read(self) -> int:
        """Give the most that is asked of an image's data at once, in bytes."""
        return max(1, min(int(self.WRITE_CHUNKSIZE), _LARGEST_READ))

    def _uri_of(self, receipt: multistore.Receipt) -> str:
        """Give the location of a new image."""
        return receipt.ref

    def _metadata_of(self, receipt: multistore.Receipt, uri: str) -> dict[str, Any]:
        """Give the metadata of a new image's location, without ``store``; it is copied."""
        return dict(receipt.metadata)

    # -- reading -----------------------------------------------------------------------------

    @capabilities.check
    def get(
        self, location: Any, offset: int = 0, chunk_size: int | None = None, context: Any = None
    ) -> tuple[Any, int]:
        """Open an image, or ``chunk_size`` bytes of it from ``offset`` on: its pieces, and how many bytes they come to.

        Everything that is wrong with the image, or with the range, is raised here.
        """
        start, length = _range(offset, chunk_size)
        asked = self._ref_of(location)
        facts = self._facts("get", asked)
        with translating(facts):
            core, ref = self._core_for("get", asked, context)
            image = core.open(ref or asked)
            try:
                pieces = image.read(start, length)
                size = _size_of(image.size, start, length)
            except BaseException:
                image.close()
                raise
        reading = facts._replace(verb="read")
        stream = self._stream_of(
            asked,
            pieces,
            size,
            chunk_size,
            release=image.close,
            translate=lambda error: translated(reading, error),
            keep=core,
        )
        return stream, size

    def get_size(self, location: Any, context: Any = None) -> int:
        """Give the size of an image in bytes, 0 if the server does not tell."""
        asked = self._ref_of(location)
        with translating(self._facts("size", asked)):
            core, ref = self._core_for("size", asked, context)
            return core.stat(ref or asked).size or 0

    # -- writing -----------------------------------------------------------------------------

    @driver.back_compat_add
    @capabilities.check
    def add(
        self,
        image_id: Any,
        image_file: Any,
        image_size: int | None,
        hashing_algo: str,
        context: Any = None,
        verifier: Any = None,
    ) -> tuple[str, int, str, str, dict[str, Any]]:
        """Store an image: its location, its size, md5 and multihash in hexadecimal, and the location's metadata.

        The image is whole and published, or there is nothing of it.
        What the data, or the verifier, raises comes out unchanged.
        """
        name = str(image_id)
        _check_algorithm(hashing_algo)
        size = _declared(image_size)
        facts = Facts(self.KIND, "add", name, self._limit_of("add"))
        try:
            core, _ref = self._core_for("add", None, context)
            with translating(facts):
                self._before_add(core, name)
            receipt = core.put(
                name,
                _source(image_file),
                size=size,
                digests=(_MD5, hashing_algo),
                observers=(verifier,) if verifier else (),
                read_size=self._most_read(),
            )
        except StoreError as error:
            if error.verb != "put" or error.store != core.name:
                raise  # the data's own: it came from another store of multistore
            _tell(facts, error)
            raise translated(facts, error) from error
        uri = self._uri_of(receipt)
        found = self._metadata_of(receipt, uri)
        metadata = copy.deepcopy(found) if found else {}
        if self.backend_group:
            metadata["store"] = self.backend_group
        digests = receipt.digests
        return uri, receipt.size, digests[_MD5], digests[hashing_algo], metadata

    @capabilities.check
    def delete(self, location: Any, context: Any = None) -> None:
        """Remove an image; NotFound if it is not there."""
        asked = self._ref_of(location)
        with translating(self._facts("delete", asked)):
            core, ref = self._core_for("delete", asked, context)
            core.delete(ref or asked)

    def _facts(self, verb: str, ref: str) -> Facts:
        return Facts(self.KIND, verb, self._shown(ref), self._limit_of(verb))


class translating:  # noqa: N801  # reads as a statement
    """Let no error of the core out of the block."""

    __slots__ = ("_facts",)

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, StoreError):
            raised = translated(self._facts, error)
            if isinstance(raised, exceptions.RemoteServiceUnavailable):  # the operator's business
                LOG.error("image %s could not be served: %s", self._facts.image, error)
            raise raised from error


def _range(offset: int | None, length: int | None) -> tuple[int, int | None]:
    """Check what part of an image is asked for; a length of 0 is nothing, not everything."""
    start = offset or 0
    if start < 0 or (length is not None and length < 0):
        raise exceptions.StoreRandomGetNotSupported(offset=offset, chunk_size=length)
    return start, length


def _size_of(total: int | None, start: int, length: int | None) -> int:
    """Say how many bytes will come, 0 if nobody knows."""
    if total is None:
        return 0
    rest = max(0, total - start)
    return rest if length is None else min(length, rest)


def _check_algorithm(name: Any) -> None:
    """Refuse what gives no digest of a fixed length, before anything is read or written.

    ValueError for a name that nobody knows, UnknownHashingAlgo for a digest of any length (``shake_128``).
    """
    if not _digest_size(str(name)):
        raise exceptions.UnknownHashingAlgo(algo=name)


@functools.lru_cache(maxsize=32)
def _digest_size(name: str) -> int:
    return utils.get_hasher(name, usedforsecurity=False).digest_size


def _declared(size: int | None) -> int | None:
    """Give the declared size, None where 0 or None says that nobody knows it."""
    if size is not None and size < 0:
        raise exceptions.Invalid(_("An image cannot have %d bytes") % size)
    return size or None


def _source(data: Any) -> Any:
    """Give the data in a form that the core reads: never a text, which would name a file of this machine."""
    if hasattr(data, "read"):
        return _Readable(data)
    if isinstance(data, str | os.PathLike):
        raise TypeError(
            f"image data is an object with read, or an iterable of bytes: not {type(data).__name__}"
        )
    return data


class _Readable:
    """Data with ``read``; anything empty that it gives is its end."""

    __slots__ = ("_read",)

    def __init__(self, data: Any) -> None:
        self._read = data.read

    def read(self, size: int) -> bytes:
        return self._read(size) or b""


#: What is the caller's doing, and no news for the operator.
_ORDINARY = (multistore.AlreadyExists, multistore.SizeMismatch, multistore.InvalidRef)


def _tell(facts: Facts, error: StoreError) -> None:
    """Log why an image could not be stored, and what may be left of it, where that is the storage's fault."""
    notes = [note for note in getattr(error, "__notes__", ()) if "left" in note]
    if notes or not isinstance(error, _ORDINARY):
        LOG.error("image %s was not stored: %s", facts.image, "; ".join([str(error), *notes]))


def closing_when_unused(core: multistore.Store) -> multistore.Store:
    """Close a core store's connections once nobody has it any more: an operation may still use a replaced one."""
    weakref.finalize(core, core.driver.close).atexit = False
    return core


_swept: PerProcess[set[tuple[str, ...]]] = PerProcess(set)


def sweep_once(core: multistore.Store, places: tuple[str, ...], *, grace: float = _GRACE) -> None:
    """Remove what killed uploads have left in a store, at the first call of each process for these places; never raises.

    What shows a sign of life, or did so within ``grace`` seconds, is left alone.
    """
    swept = _swept.get()
    if places in swept:
        return
    swept.add(places)
    try:
        before = time.time() - grace
        for left in core.pending():
            if left.started is not None and left.started < before:
                with contextlib.suppress(multistore.InUse):
                    core.discard(left.token)
                    LOG.info("removed what a killed upload of image %s had left", left.name)
    except Exception as error:
        LOG.warning("what killed uploads have left could not be removed: %s", error)
