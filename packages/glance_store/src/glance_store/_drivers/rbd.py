"""Images in a Ceph cluster, as RBD images with a protected snapshot that Nova and Cinder clone."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

import multistore
from multistore.drivers.rbd import RbdDriver, RbdRef, RbdSettings, Sdk
from multistore.drivers.rbd.sdk import load

from glance_store import capabilities, exceptions, location
from glance_store._adapter import CoreBacked, closing_when_unused, sweep_once, translating
from glance_store._errors import Facts, translated
from glance_store._options.rbd import OPTIONS
from glance_store._streams import ImageStream
from glance_store.capabilities import BitMasks
from glance_store.i18n import _

__all__ = ["Store", "StoreLocation", "rados", "rbd"]

LOG = logging.getLogger(__name__)

_MIB = 1 << 20
#: Object sizes that librbd takes.
_LARGEST_OBJECT = 32 * _MIB
#: The bits for a part of an image, without the one for reading at all.
_RANGES = BitMasks.READ_RANDOM & ~BitMasks.READ_ACCESS
#: The largest piece that the core gives.
_PIECE = 2 * _MIB

#: Stand-ins for Ceph's modules; None: the real ones, imported when a store is configured.
rados: Any = None
rbd: Any = None


class StoreLocation(location.StoreLocation):
    """``rbd://FSID/POOL/IMAGE/SNAPSHOT``, each part percent-encoded, or ``rbd://IMAGE``, which is taken as it is.

    Nova and Cinder take the text apart themselves: it is a wire format.
    """

    fsid: str | None = None
    pool: str | None = None
    image: str = ""
    snapshot: str | None = None

    def process_specs(self) -> None:
        """Take over the parts; BadStoreUri without an image: a None would become a text."""
        specs = self.specs or {}
        if not specs.get("image"):
            raise exceptions.BadStoreUri(_("the location of an RBD image needs its name"))
        self.image = str(specs["image"])
        self.fsid, self.pool, self.snapshot = (
            None if specs.get(key) is None else str(specs[key])
            for key in ("fsid", "pool", "snapshot")
        )

    def get_uri(self) -> str:
        known = self.fsid and self.pool and self.snapshot
        if not known:
            return f"rbd://{self.image}"
        return str(RbdRef(self.image, self.pool, self.fsid, self.snapshot))

    def parse_uri(self, uri: str) -> None:
        """Take a location apart; BadStoreUri unless it has one part or four, none of them empty."""
        self.validate_schemas(uri, ("rbd://",))
        try:
            parsed = RbdDriver.parse(uri)
        except multistore.InvalidRef as error:
            raise exceptions.BadStoreUri(_("the location is wrong: %s") % error.why) from error
        self.fsid, self.pool = parsed.fsid, parsed.pool
        self.image, self.snapshot = parsed.image, parsed.snapshot


class Store(CoreBacked):
    """Images in a pool; all stores that name the same cluster and user share one connection."""

    KIND = "rbd"
    OPTIONS = OPTIONS
    _CAPABILITIES = BitMasks.READ_RANDOM | BitMasks.WRITE_ACCESS | BitMasks.DRIVER_REUSABLE

    chunk_size = 8 * _MIB
    pool = "images"
    user: str | None = None
    conf_file = ""
    thin_provisioning = False

    def __init__(self, conf: Any, backend: str | None = None) -> None:
        super().__init__(conf, backend)
        self._made: tuple[RbdDriver, multistore.Store] | None = None
        self._fsid: str | None = None

    def get_schemes(self) -> Sequence[str]:
        return ("rbd",)

    # -- configuration -----------------------------------------------------------------------

    def configure_add(self) -> None:
        """Take the options over; in multi-store mode, connect to learn which cluster it is.

        A cluster that does not answer is asked again at the first use.
        """
        self._made, self._fsid = None, None
        self._take_over()
        if not self._view.ranged_reads:
            self.unset_capabilities(_RANGES)
        if self.backend_group:
            self._url_prefix = "rbd://"
        try:
            driver = self.core_driver()
            if _given() is None:
                load(driver.settings.bindings)
            self._made = driver, self._open(driver)
            if self.backend_group:
                self._learn_fsid()
            self._check_chunk_size()
        except (multistore.Misconfigured, multistore.Unauthenticated) as error:
            raise self._unusable(error) from error
        except multistore.StoreError as error:
            LOG.warning("the store %s is not reached yet: %s", self.backend_group, error)

    def _take_over(self) -> None:
        """Set the attributes that others read to what the options say now."""
        conf = self._view
        self.chunk_size = conf.rbd_store_chunk_size * _MIB
        self.READ_CHUNKSIZE = self.WRITE_CHUNKSIZE = self.chunk_size
        self.pool, self.user = conf.rbd_store_pool, conf.rbd_store_user
        self.conf_file = conf.rbd_store_ceph_conf
        self.thin_provisioning = conf.rbd_thin_provisioning

    def _unusable(self, error: multistore.StoreError) -> Exception:
        return translated(Facts(self.KIND, "configure", self.backend_group or self.KIND), error)

    def _open(self, driver: RbdDriver) -> multistore.Store:
        options = multistore.StoreOptions(attempts=3, backoff=0.25)
        name = self.backend_group or self.KIND
        return closing_when_unused(multistore.Store(driver, name=name, options=options))

    @property
    def _object_size(self) -> int:
        return min(1 << self.chunk_size.bit_length() - 1, _LARGEST_OBJECT)

    def _check_chunk_size(self) -> None:
        """Refuse adding with a size that librbd would refuse at the first upload; the store still reads and deletes."""
        given, used = self.chunk_size // _MIB, self._object_size // _MIB
        if given >= 2 * used:
            raise multistore.Misconfigured(
                f"rbd_store_chunk_size is {given} MiB, and objects have {used} MiB at most",
                setting="rbd_store_chunk_size",
            )
        if given != used:
            told = "rbd_store_chunk_size is %d MiB, no power of two: the objects of new images will have %d MiB"
            LOG.warning(told, given, used)

    def _settings(self) -> RbdSettings:
        conf = self._view
        return RbdSettings(
            pool=self.pool,
            user=self.user or None,
            conf=self.conf_file or None,
            data_pool=conf.rbd_store_data_pool or None,
            pools=tuple(conf.rbd_store_pools or ()),
            foreign_fsid=conf.rbd_store_foreign_fsid,
            foreign_snapshots="refuse",  # those that go into the trash are logged first
            object_size=self._object_size,
            thin=bool(self.thin_provisioning),
            **self._limits(),
        )

    def _limits(self) -> dict[str, Any]:
        conf = self._view
        seconds = conf.rados_connect_timeout
        if seconds < 0:
            return {
                "connect_timeout": conf.rbd_store_connect_timeout,
                "timeout": conf.rbd_store_request_timeout,
            }
        names = ("client_mount_timeout", "rados_mon_op_timeout", "rados_osd_op_timeout")
        told = float(max(1, seconds))
        return {
            "connect_timeout": told,
            "timeout": told,
            "options": dict.fromkeys(names, str(seconds)),
        }

    def core_driver(self) -> RbdDriver:
        self._take_over()
        return RbdDriver(self._settings(), sdk=_given())

    # -- the cluster -------------------------------------------------------------------------

    @contextlib.contextmanager
    def get_connection(self) -> Iterator[Any]:
        """Give librados' own client of the cluster, shared with everybody in this process who names the same one."""
        with self._open_driver()[0].client() as client:
            yield client

    def _learn_once(self) -> None:
        if self._fsid is None:
            self._learn_fsid()

    def _learn_fsid(self) -> None:
        with self.get_connection() as client:
            self._fsid = str(client.get_fsid())
        if self.backend_group:
            self._url_prefix = f"rbd://{quote(self._fsid, safe='')}/{quote(self.pool, safe='')}/"

    def _open_driver(self) -> tuple[RbdDriver, multistore.Store]:
        """Give the core's driver and store; before the first configuration, or after one that failed, made here."""
        made = self._made
        if made is None:
            try:
                driver = self.core_driver()
            except multistore.Misconfigured as error:
                raise self._unusable(error) from error
            made = self._made = driver, self._open(driver)
        return made

    def owns(self, uri: str) -> bool:
        """Say whether a location is one of this store's pool and cluster; no I/O."""
        try:
            parsed = RbdDriver.parse(uri)
        except multistore.InvalidRef:
            return False
        return parsed.pool in (None, self.pool) and parsed.fsid in (None, self._fsid)

    # -- the hooks of the adapter ------------------------------------------------------------

    def _core_for(
        self, verb: str, ref: str | None, context: Any
    ) -> tuple[multistore.Store, str | None]:
        core = self._open_driver()[1]
        if ref is not None:
            self._learn_once()
            fsid = RbdDriver.parse(ref).fsid
            if verb == "delete" and fsid not in (None, self._fsid):
                LOG.warning("delete of an image by a location of another cluster, %s", fsid)
        return core, ref

    def _before_add(self, core: multistore.Store, image_id: str) -> None:
        self._learn_once()
        sweep_once(core, (str(self._fsid), self.pool))

    def _shown(self, ref: str) -> str:
        return RbdDriver.parse(ref).image

    def _stream_of(
        self, ref: str, pieces: Iterator[bytes], size: int, asked: int | None, **held: Any
    ) -> ImageStream:
        limit = self.READ_CHUNKSIZE if self.READ_CHUNKSIZE < _PIECE else None
        return ImageStream(pieces, limit=limit, **held)

    @capabilities.check
    def delete(self, location: Any, context: Any = None) -> None:
        """Remove an image; NotFound if it is not there, InUseByStore, with nothing changed, if others depend on it."""
        try:
            super().delete(location, context=context)
        except exceptions.HasSnapshot as error:
            if self._view.rbd_store_foreign_snapshots == "refuse":
                raise
            LOG.warning("into the trash: %s", error.__cause__)
            self._delete_into_trash(self._ref_of(location))

    def _delete_into_trash(self, ref: str) -> None:
        settings = dataclasses.replace(self._settings(), foreign_snapshots="trash")
        driver = RbdDriver(settings, sdk=_given())
        with translating(self._facts("delete", ref)), contextlib.closing(driver):
            driver.delete(ref)


def _given() -> Sdk | None:
    """Give what stands in for Ceph's modules, None where nothing does."""
    return None if rados is None or rbd is None else Sdk(rados, rbd)
