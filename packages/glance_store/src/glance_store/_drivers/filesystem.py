"""Images in directories of this machine, or mounted there: one file each, named after the image."""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import multistore
from multistore.drivers.file import FileDriver
from multistore.errors import StoreError

from glance_store import exceptions, location
from glance_store._adapter import CoreBacked, sweep_once
from glance_store._drivers import _mounts
from glance_store._drivers._directories import Directory, bad, parsed, texts
from glance_store._drivers._mounts import MULTI_FILESYSTEM_METADATA_SCHEMA
from glance_store._drivers._places import Place, Places
from glance_store._drivers._timeouts import TimeoutExecutor
from glance_store._errors import Facts, translated
from glance_store._options.filesystem import OPTIONS
from glance_store._streams import ChunkedFile
from glance_store.capabilities import BitMasks
from glance_store.i18n import _

__all__ = [
    "MULTI_FILESYSTEM_METADATA_SCHEMA",
    "ChunkedFile",
    "Store",
    "StoreLocation",
    "TimeoutExecutor",
]

LOG = logging.getLogger(__name__)

_LARGEST_PIECE = 8 << 20
_SMALLEST_PIECE = 4096
#: What is written at once: small enough for the memory of many uploads side by side.
_PART = 1 << 20
#: The bits for a part of an image, without the one for reading at all.
_RANGES = BitMasks.READ_RANDOM & ~BitMasks.READ_ACCESS

#: Every configured store of this process, to notice two that share a directory.
_stores: weakref.WeakSet[Store] = weakref.WeakSet()


class StoreLocation(location.StoreLocation):
    """``file://`` and the path as it is: nothing in it is decoded, cut off or stripped."""

    scheme = "file"
    path: str = ""

    def process_specs(self) -> None:
        specs = self.specs or {}
        self.scheme, self.path = specs.get("scheme", "file"), specs.get("path", "")

    def get_uri(self) -> str:
        return f"file://{self.path}"

    def parse_uri(self, uri: str) -> None:
        """Take a location apart; BadStoreUri unless it names an absolute path of printable characters."""
        self.validate_schemas(uri, ("file://", "filesystem://"))
        self.scheme, _mark, self.path = uri.partition("://")
        if not self.path.startswith("/"):
            raise exceptions.BadStoreUri(_("the location of a file needs an absolute path"))
        if not self.path.isprintable():
            raise exceptions.BadStoreUri(_("the location of a file has unprintable characters"))


class Store(CoreBacked):
    """Images as files.

    A location leads into a data directory, or one of the allowed ones, or is not found; in single-store mode it may lead
    anywhere, as Glance's task flow needs it.
    """

    KIND = "file"
    OPTIONS = OPTIONS
    _CAPABILITIES = BitMasks.READ_RANDOM | BitMasks.WRITE_ACCESS | BitMasks.DRIVER_REUSABLE

    FILESYSTEM_STORE_METADATA: list[dict[str, Any]] | None = None
    timeout_executor: TimeoutExecutor | None = None
    datadir: str | None = None
    chunk_size = 65536
    thin_provisioning = False
    multiple_datadirs = False

    def __init__(self, conf: Any, backend: str | None = None) -> None:
        super().__init__(conf, backend)
        self.priority_data_map: dict[int, list[str]] = {}
        self.priority_list: list[int] = []
        self._directories: list[Directory] = []
        self._made: Places | None = None
        self._unconfigured: Places | None = None
        self._read_size = 0
        self._real: set[str] = set()
        #: What the core's references and the interface's locations begin with, where the two differ.
        self._spellings: list[tuple[str, str]] = []

    @property
    def store_conf(self) -> Any:
        """What the options are read from."""
        return self._view

    def get_schemes(self) -> Sequence[str]:
        return ("file", "filesystem")

    # -- configuration -----------------------------------------------------------------------

    def configure_add(self) -> None:
        """Take the options over, make missing directories, and find out whether they can be written to.

        No free space is needed, and none is asked for.
        """
        conf = self._view
        self._reset(conf)
        try:
            places = self._open(conf)
        except exceptions.BadStoreConfiguration:
            self._made = self._readable()
            raise
        self._made = places  # as a whole: what is under way goes on with the one before
        try:
            for problem in places.prepare(self._main(places)):
                LOG.warning("%s", problem)
            self._warn_of_sharing(places)
        except StoreError as error:
            raise _unusable(error) from error
        except exceptions.TimeoutError as error:
            raise bad(_("a data directory does not answer")) from error
        if conf.filesystem_store_metadata_file:
            self.FILESYSTEM_STORE_METADATA = _mounts.read(conf.filesystem_store_metadata_file)

    def _open(self, conf: Any) -> Places:
        places = self._new_places()
        self._directories = self._configured(places)
        self._show_directories()
        permissions = conf.filesystem_store_file_perm
        mode = f"{permissions:04d}" if permissions > 0 else None
        try:
            places.main = places.open(self._directories, file_mode=mode)
        except StoreError as error:
            raise _unusable(error) from error
        return places

    def _reset(self, conf: Any) -> None:
        """Take over everything that cannot be wrong, and forget what an earlier configuration has left."""
        self.thin_provisioning = conf.filesystem_thin_provisioning
        self.chunk_size = conf.filesystem_store_chunk_size
        self.READ_CHUNKSIZE = self.WRITE_CHUNKSIZE = self.chunk_size
        if self.chunk_size > _LARGEST_PIECE:
            LOG.warning(
                "filesystem_store_chunk_size is %d bytes: %d are used",
                self.chunk_size,
                _LARGEST_PIECE,
            )
        if self.timeout_executor is not None:
            self.timeout_executor.shutdown(wait=False)
        self.timeout_executor = TimeoutExecutor(
            conf.filesystem_store_timeout,
            conf.filesystem_store_thread_pool_size,
            conf.filesystem_store_threadpool_threshold,
        )
        if not conf.ranged_reads:
            self.unset_capabilities(_RANGES)
        self.FILESYSTEM_STORE_METADATA = None
        self._url_prefix = None
        self._directories = []
        self.multiple_datadirs = False
        self.datadir = next(iter(_mentioned(conf)), None)

    def _new_places(self) -> Places:
        conf = self._view
        chunk = conf.filesystem_store_chunk_size
        self._read_size = max(_SMALLEST_PIECE, min(chunk, _LARGEST_PIECE))
        settings = {
            "mark": False,  # on disk, the interface knows of one file per image and nothing else
            "thin": bool(conf.filesystem_thin_provisioning),
            "durable": bool(conf.filesystem_store_durable),
            "read_size": self._read_size,
            "part_size": _PART,
        }
        places = Places(self.backend_group or "file", settings, self.timeout_executor)
        places.allow(conf.filesystem_store_allowed_dirs or ())
        return places

    def _configured(self, places: Places) -> list[Directory]:
        entries, several = texts(self.conf or location.CONF, self._view, self.backend_group)
        self.multiple_datadirs = several
        try:
            return parsed(entries, places.resolved) if several else [Directory(entries[0])]
        except exceptions.TimeoutError as error:
            raise bad(_("a data directory does not answer")) from error

    def _show_directories(self) -> None:
        """Set the attributes that others read."""
        first = self._directories[0]
        self.datadir = first.path
        self.priority_data_map = {}
        for each in self._directories:
            self.priority_data_map.setdefault(each.priority, []).append(each.path)
        self.priority_list = sorted(self.priority_data_map, reverse=True)
        if self.backend_group:
            self._url_prefix = f"file://{first.path}"
        self._spellings = [
            (known, written)
            for each in self._directories
            if (written := each.prefix) != (known := each.known_prefix) and os.path.isabs(each.path)
        ]

    def _warn_of_sharing(self, places: Places) -> None:
        """Say so if another store of this process has one of the directories."""
        mine = {places.resolved(each.path) for each in self._directories}
        for other in list(_stores):
            if self.backend_group and other.backend_group not in (None, self.backend_group):
                for path in other._real & mine:
                    LOG.warning(
                        "the stores %s and %s share the directory %s: an image deleted from one is gone from both",
                        other.backend_group,
                        self.backend_group,
                        path,
                    )
        self._real = mine
        _stores.add(self)

    def core_driver(self) -> FileDriver:
        return self._main(self._open(self._view)).driver

    # -- which core store --------------------------------------------------------------------

    def _places(self) -> Places:
        """Give the core stores; before the first configuration, those that can be read."""
        made = self._made or self._unconfigured
        if made is None:
            made = self._unconfigured = self._readable()
        return made

    def _readable(self) -> Places:
        """Make core stores to read from, however wrong the rest of the configuration is."""
        places = self._new_places()
        try:
            directories = self._directories or self._configured(places)
            places.main = places.open(directories)
        except (StoreError, exceptions.BadStoreConfiguration) as error:
            LOG.debug("the data directories cannot be used as they are configured: %s", error)
            places.allow(_mentioned(self._view))
        return places

    def owns(self, uri: str) -> bool:
        """Say whether a location leads into this store, at path boundaries; no I/O."""
        return self._places().owns(uri)

    def _core_for(
        self, verb: str, ref: str | None, context: Any
    ) -> tuple[multistore.Store, str | None]:
        places = self._places()
        if ref is None:
            return self._main(places).core, None
        found = places.find(ref)
        if found is not None:
            return found
        if self.backend_group:
            LOG.warning(
                "%s of a file that is in no directory of the store %s", verb, self.backend_group
            )
            raise exceptions.NotFound(image=self._shown(ref))
        level = logging.WARNING if verb == "delete" else logging.INFO
        LOG.log(level, "%s of a file outside of the data directories: %s", verb, ref)
        return places.elsewhere(os.path.dirname(ref.partition("://")[2])), ref

    def _main(self, places: Places) -> Place:
        if places.main is None:
            raise exceptions.StoreAddDisabled
        return places.main

    # -- the hooks of the adapter ------------------------------------------------------------

    def _limit_of(self, verb: str) -> float:
        return self.timeout_executor.timeout if self.timeout_executor else 0

    def _before_add(self, core: multistore.Store, image_id: str) -> None:
        places = self._places()
        main = self._main(places)
        if places.taken(main, image_id):
            raise exceptions.Duplicate(image=image_id)
        sweep_once(core, main.prefixes)

    def _uri_of(self, receipt: multistore.Receipt) -> str:
        """Write the location with the directory as it is configured, like all before it."""
        for known, written in self._spellings:
            if receipt.ref.startswith(known):
                return written + receipt.ref.removeprefix(known)
        return receipt.ref

    def _metadata_of(self, receipt: multistore.Receipt, uri: str) -> dict[str, Any]:
        if not self.FILESYSTEM_STORE_METADATA:
            return {}
        found = _mounts.entry_for(uri.removeprefix("file://"), self.FILESYSTEM_STORE_METADATA)
        if found is None:
            LOG.error("no entry of the metadata file has a mount point that holds %s", uri)
        return found or {}

    def _stream_of(
        self, ref: str, pieces: Iterator[bytes], size: int, asked: int | None, **held: Any
    ) -> ChunkedFile:
        piece = self.READ_CHUNKSIZE
        limit = piece if piece < self._read_size else None
        path = ref.partition("://")[2]
        return ChunkedFile(
            pieces, filepath=path, chunk_size=piece, partial_length=asked, limit=limit, **held
        )


def _mentioned(view: Any) -> list[str]:
    """Give every directory that the options name, however they contradict each other."""
    several = (text.rpartition(":")[0] or text for text in view.filesystem_store_datadirs or ())
    return [path for path in (*several, view.filesystem_store_datadir) if path]


def _unusable(error: StoreError) -> Exception:
    """Make the error for what the core says about the configuration."""
    if isinstance(error, multistore.Misconfigured) and error.setting == "file_mode":
        return bad(
            _("the digits of filesystem_store_file_perm must be octal, and let the owner read")
        )
    return translated(Facts("file", "configure", "filesystem"), error)
