"""Images in OpenStack Swift: in one account, or each in the account of whoever adds it."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import multistore
from multistore.config import Secret
from multistore.drivers.swift import SwiftDriver, SwiftSettings
from multistore.errors import Misconfigured, StoreError
from multistore.model import Access, Caller

from glance_store import exceptions, location
from glance_store._adapter import UNSEEN, CoreBacked, closing_when_unused, sweep_once
from glance_store._errors import translated
from glance_store._options.swift import OPTIONS
from glance_store._streams import ImageStream, IndexableStream
from glance_store.capabilities import BitMasks
from glance_store.i18n import _

__all__ = ["BaseStore", "Store", "StoreLocation", "swiftclient"]

LOG = logging.getLogger(__name__)

#: Nothing here uses it; others replace it in tests.
swiftclient: Any = None

#: The unit of the two sizes, in bytes: not a megabyte of any kind, but what operators have tuned their limits to.
_UNIT = 1024 * 1000
_SEGMENT = 16 << 20
_PIECE = 1 << 20
_ATTEMPTS = 5
_RANGES = BitMasks.READ_RANDOM & ~BitMasks.READ_ACCESS
_SCHEMES = ("swift+https", "swift", "swift+http", "swift+config")
_CONFIG = "swift+config"


class StoreLocation(location.StoreLocation):
    """``SCHEME://[USER:KEY@]PLACE/CONTAINER/OBJECT``; it is printed in the form in which it was read."""

    scheme: str = "swift+https"
    user: str | None = None
    key: str | None = None
    auth_or_store_url: str | None = None
    container: str | None = None
    obj: str | None = None

    def process_specs(self) -> None:
        specs = self.specs or {}
        for name in ("scheme", "user", "key", "auth_or_store_url", "container", "obj"):
            setattr(self, name, specs.get(name, getattr(self, name)))

    @property
    def swift_url(self) -> str:
        """The place as a URL, of the login or of the storage."""
        place = (self.auth_or_store_url or "").rpartition("://")[2].strip("/")
        return f"{'http' if self.scheme == 'swift+http' else 'https'}://{place}"

    def get_uri(self, credentials_included: bool = True) -> str:
        who = ""
        if credentials_included and self.user is not None and self.key is not None:
            who = f"{quote(self.user, safe='')}:{quote(self.key, safe='')}@"
        place = (self.auth_or_store_url or "").rpartition("://")[2].strip("/")
        return f"{self.scheme}://{who}{place}/{self.container}/{self.obj}"

    def parse_uri(self, uri: str) -> None:
        """Take a location apart; BadStoreUri, without quoting it, if it does not name place, container and object."""
        self.validate_schemas(uri, tuple(f"{scheme}://" for scheme in _SCHEMES))
        try:
            found = SwiftDriver.parse(uri)
        except multistore.InvalidRef as error:
            text = _("the location is none of a Swift object: %s")
            raise exceptions.BadStoreUri(text % error.why) from error
        self.scheme, self.auth_or_store_url = found.scheme, found.place
        self.container, self.obj = found.container, found.object
        self.user = found.user
        self.key = found.key.reveal() if found.key else None


class BaseStore(CoreBacked):
    """What both kinds of accounts have in common."""

    def get_store_connection(self, *_args: object, **_more: object) -> None:
        """Do nothing: connections are the core's business; others replace this in tests."""


class Store(BaseStore):
    """Images as objects of Swift, large ones in segments that a manifest joins."""

    KIND = "swift"
    OPTIONS = OPTIONS
    _CAPABILITIES = BitMasks.READ_RANDOM | BitMasks.WRITE_ACCESS | BitMasks.DRIVER_REUSABLE
    READ_CHUNKSIZE = 65536
    WRITE_CHUNKSIZE = 4 << 20

    def __init__(self, conf: Any, backend: str | None = None) -> None:
        super().__init__(conf, backend)
        self._made: tuple[object, SwiftDriver, multistore.Store] | None = None

    def get_schemes(self) -> Sequence[str]:
        return _SCHEMES

    # -- what others read of a store ---------------------------------------------------------

    @property
    def container(self) -> str:
        """The container, or the beginning of the containers' names."""
        return str(self._view.swift_store_container or "")

    @property
    def large_object_size(self) -> int:
        """The size from which on an image is in segments, in bytes."""
        return int(self._view.swift_store_large_object_size) * _UNIT

    @property
    def large_object_chunk_size(self) -> int:
        """The largest size of a segment, in bytes."""
        return int(self._view.swift_store_large_object_chunk_size) * _UNIT

    @property
    def _segment(self) -> int:
        return min(self.large_object_size, self.large_object_chunk_size, _SEGMENT)

    @property
    def multi_tenant(self) -> bool:
        """Whether images are in the accounts of whoever adds them."""
        return bool(self._view.swift_store_multi_tenant)

    # -- configuration -----------------------------------------------------------------------

    def configure_add(self) -> None:
        """Take the options over; no server is asked."""
        conf = self._view
        self._made = None
        self._url_prefix = None
        if not conf.ranged_reads:
            self.unset_capabilities(_RANGES)
        if self.multi_tenant and conf.swift_store_config_file:
            raise _bad(_("swift_store_multi_tenant and swift_store_config_file exclude each other"))
        driver = self._current()[1]
        if self.multi_tenant:
            if self.backend_group and conf.swift_store_endpoint:
                place = conf.swift_store_endpoint.rstrip("/")
                self._url_prefix = f"swift+{place}/{self.container}_"
            if conf.swift_store_use_trusts and not driver.settings.trusts:
                LOG.warning(
                    "swift_store_use_trusts needs swift_store_auth_address, swift_store_user and swift_store_key (an application "
                    "credential cannot be trusted): without, an image must be through before the token of its user ends"
                )
            return
        try:
            complete = driver.account.complete
        except StoreError as error:
            raise _bad(str(error.message)) from error
        if not complete:
            raise _bad(
                _("the account of new images has no user with a key, and no application credential")
            )
        if self.backend_group:
            end = "_" if conf.swift_store_multiple_containers_seed else "/"
            self._url_prefix = f"{_CONFIG}://{conf.default_swift_reference}/{self.container}{end}"

    def _settings(self) -> SwiftSettings:
        conf = self._view
        if importlib.util.find_spec("swiftclient") is None:
            raise _bad(_("python-swiftclient is not installed: pip install 'glance_store[swift]'"))
        try:
            return SwiftSettings(
                **(self._trustee() if self.multi_tenant else self._login()),
                region=conf.swift_store_region or None,
                service_type=conf.swift_store_service_type,
                interface=str(conf.swift_store_endpoint_type).removesuffix("URL"),
                storage_url=conf.swift_store_endpoint or None,
                container=self.container,
                seed=0 if self.multi_tenant else conf.swift_store_multiple_containers_seed,
                container_per_image=self.multi_tenant,
                create_container=conf.swift_store_create_container_on_put,
                containers=("*",),
                segment_size=self._segment,
                write_projects=tuple(conf.swift_store_admin_tenants or ()),
                ca_file=conf.swift_store_cacert or None,
                verify=not conf.swift_store_auth_insecure,
                token_margin=float(conf.swift_store_expire_soon_interval),
            )
        except Misconfigured as error:
            raise _bad(error.message) from error

    def _login(self) -> dict[str, Any]:
        """Give who logs in; locations name the account, so that no password is in them."""
        conf = self._view
        named = {"reference": conf.default_swift_reference}
        path = self._config_file()
        if path is not None:
            return {**named, "config_file": path}
        url = conf.swift_store_auth_address
        number = conf.swift_store_application_credential_id
        secret = conf.swift_store_application_credential_secret
        if bool(number) != bool(secret):
            raise _bad(_("an application credential is an id and a secret: one of them is not set"))
        who: dict[str, Any] = {}
        if number:
            who = {
                "application_credential_id": Secret(number),
                "application_credential_secret": Secret(secret),
            }
        elif conf.swift_store_user:
            project, colon, user = str(conf.swift_store_user).partition(":")
            if not colon or ":" in user:
                raise _bad(_("swift_store_user must be PROJECT:USER"))
            key = Secret(conf.swift_store_key) if conf.swift_store_key else None
            who = {"project": project, "user": user, "password": key}
        if url and "://" not in url:
            url = f"https://{url}"
        return {**named, "auth_url": url or None, **who}

    def _trustee(self) -> dict[str, Any]:
        """Give whom users trust for the time of a transfer; nothing where nobody can be, or shall be."""
        if not self._view.swift_store_use_trusts:
            return {}
        who = self._login()
        del who["reference"]
        return {**who, "trusts": True} if who["auth_url"] and who.get("password") else {}

    def _config_file(self) -> str | None:
        name = self._view.swift_store_config_file
        if not name:
            return None
        find = getattr(self.conf, "find_file", None)
        path = (find(name) if find else None) or name
        if not os.access(path, os.R_OK):
            raise _bad(_("the file of swift_store_config_file is not there, or cannot be read"))
        return str(path)

    def core_driver(self) -> SwiftDriver:
        settings = self._settings()
        if settings.trusts:  # who is trusted has no images
            settings = replace(settings, auth_url=None, user=None, password=None, trusts=False)
        return SwiftDriver(settings)

    def _current(self) -> tuple[object, SwiftDriver, multistore.Store]:
        """Give the core store, made anew when the file with accounts has changed."""
        made, settings = self._made, self._settings()
        key = (settings, _stamp(settings.config_file))
        if made is None or made[0] != key:
            driver = SwiftDriver(settings)
            made = self._made = (key, driver, self._store(driver))
        return made

    def _store(self, driver: SwiftDriver) -> multistore.Store:
        attempts = _ATTEMPTS + int(self._view.swift_store_retry_get_count)
        options = multistore.StoreOptions(attempts=attempts)
        name = self.backend_group or "swift"
        return closing_when_unused(multistore.Store(driver, name=name, options=options))

    # -- the hooks of the adapter ------------------------------------------------------------

    def owns(self, uri: str) -> bool:
        """Say whether a location names this store's account and container."""
        try:
            return self._current()[1].owns(uri)
        except exceptions.BadStoreConfiguration:
            return False

    def _core_for(
        self, verb: str, ref: str | None, context: Any
    ) -> tuple[multistore.Store, str | None]:
        driver, core = self._current()[1:]
        if not self.multi_tenant:
            return core, ref
        if context is None:
            raise _bad(_("with swift_store_multi_tenant a context is needed"))
        return self._store(driver.for_context(_caller(context))), ref

    def set_acls(
        self,
        location: Any,
        public: bool = False,
        read_tenants: Sequence[str] | None = None,
        write_tenants: Sequence[str] | None = None,
        context: Any = None,
    ) -> None:
        """Say who may read and write an image; NotImplementedError where all images are in one account."""
        if not self.multi_tenant:
            raise NotImplementedError
        ref = self._ref_of(location)
        access = Access(
            public=public, read=tuple(read_tenants or ()), write=tuple(write_tenants or ())
        )
        try:
            core, _same = self._core_for("acls", ref, context)
            core.driver.set_access(ref, access)
        except StoreError as error:
            raise translated(self._facts("get", ref), error) from error

    def _before_add(self, core: multistore.Store, image_id: str) -> None:
        if not self.multi_tenant:  # a user's account is not ours to be swept
            sweep_once(core, (self.backend_group or "swift", self.container), grace=UNSEEN)

    def _most_read(self) -> int:
        """Ask for a whole segment at once: one that came in pieces is copied together, which costs a tenth of all."""
        return max(1, self._segment)

    def _stream_of(
        self, ref: str, pieces: Iterator[bytes], size: int, asked: int | None, **held: Any
    ) -> IndexableStream:
        return IndexableStream(ImageStream(pieces, limit=self.READ_CHUNKSIZE, **held), size)


def _caller(context: Any) -> Caller:
    catalog = getattr(context, "service_catalog", None)
    return Caller(
        user=getattr(context, "user_id", None) or getattr(context, "user", None),
        project=getattr(context, "project_id", None) or getattr(context, "tenant", None),
        token=getattr(context, "auth_token", None),
        extra={"service_catalog": catalog},
    )


def _stamp(path: str | None) -> tuple[int, int] | None:
    """Tell a file from what it was before."""
    if path is None:
        return None
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _bad(reason: str) -> exceptions.BadStoreConfiguration:
    return exceptions.BadStoreConfiguration(store_name="swift", reason=reason)
