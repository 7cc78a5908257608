"""Images as volumes of Cinder."""

from __future__ import annotations

import importlib
import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import multistore
from multistore.config import Secret
from multistore.drivers.cinder import CinderDriver, CinderSettings
from multistore.model import Caller
from oslo_concurrency import opts as concurrency

from glance_store import exceptions, location
from glance_store._adapter import CoreBacked, closing_when_unused, sweep_once
from glance_store._options.cinder import OPTIONS
from glance_store._streams import ImageStream
from glance_store.capabilities import BitMasks
from glance_store.i18n import _

__all__ = ["Store", "StoreLocation"]

LOG = logging.getLogger(__name__)

#: The library behind the store, once it is loaded; consumers' tests put stand-ins here.
cinderclient: Any = None

_FIELD = re.compile(r"%\((\w+)\)s")
_PARTS = 3  # of cinder_catalog_info
_INTERFACES = {"publicURL": "public", "internalURL": "internal", "adminURL": "admin"}


class StoreLocation(location.StoreLocation):
    """``cinder://BACKEND/VOLUME``, or ``cinder://VOLUME`` in single-store mode and of older releases."""

    scheme: str = "cinder"
    volume_id: str = ""

    def process_specs(self) -> None:
        specs = self.specs or {}
        self.scheme = specs.get("scheme", "cinder")
        self.volume_id = specs["volume_id"]

    def get_uri(self) -> str:
        backend = f"{self.backend_group}/" if self.backend_group else ""
        return f"{self.scheme}://{backend}{self.volume_id}"

    def parse_uri(self, uri: str) -> None:
        """Take a location apart; BadStoreUri if it does not end with the number of a volume."""
        self.validate_schemas(uri, ("cinder://",))
        try:
            self.volume_id = CinderDriver.parse(uri).volume
        except multistore.InvalidRef as error:
            raise exceptions.BadStoreUri(error.message) from error
        self.scheme = "cinder"


class Store(CoreBacked):
    """Images as volumes, of a service user's project or of the users' own."""

    KIND = "cinder"
    OPTIONS = OPTIONS
    _CAPABILITIES = BitMasks.READ_RANDOM | BitMasks.WRITE_ACCESS | BitMasks.DRIVER_REUSABLE

    def __init__(self, conf: Any, backend: str | None = None) -> None:
        super().__init__(conf, backend)
        self._made: tuple[CinderSettings, CinderDriver, multistore.Store] | None = None
        if backend:
            self._url_prefix = f"cinder://{backend}"

    def get_schemes(self) -> Sequence[str]:
        return ("cinder",)

    @property
    def store_conf(self) -> Any:
        """The store's options, as Glance reads them."""
        return self._view

    def owns(self, uri: str) -> bool:
        """Say whether a location names this store, by its whole name; one without a name may be anybody's."""
        try:
            return CinderDriver.parse(uri).store == self.backend_group
        except multistore.InvalidRef:
            return False

    # -- configuration -----------------------------------------------------------------------

    def configure_add(self) -> None:
        """Find out what can be found out without a user: BadStoreConfiguration leaves a store that cannot work."""
        settings = self._settings(None)
        try:
            CinderDriver(settings).check_host()
        except multistore.StoreError as error:
            raise self._wrong(error.message) from error
        if settings.volume_type and settings.with_service:
            self._warn_of_type(settings.volume_type)

    def _warn_of_type(self, volume_type: str) -> None:
        """Ask Cinder for the volume type; nothing that it answers keeps the service from starting."""
        try:
            self._service().check_type()
        except Exception as error:
            LOG.warning(
                "the volume type %s of the store %s could not be confirmed: %s",
                volume_type,
                self.backend_group or "cinder",
                error,
            )

    def get_cinderclient(self, context: Any = None, **_options: Any) -> Any:
        """Give a client of Cinder's API, as an operation for this context would use it."""
        return self._driver_for(context).client()

    def _wrong(self, reason: str) -> exceptions.BadStoreConfiguration:
        return exceptions.BadStoreConfiguration(
            store_name=self.backend_group or "cinder", reason=reason
        )

    def _lock_path(self) -> str:
        conf = self.conf
        for group, options in (*concurrency.list_opts(), *_options_of_brick()):
            conf.register_opts(options, group=group)
        brick = conf.os_brick.lock_path if "os_brick" in conf else None
        path = brick or conf.oslo_concurrency.lock_path
        if not path:
            raise self._wrong(
                _("[oslo_concurrency] lock_path is not set: the cinder store needs it")
            )
        return str(path)

    def _settings(self, context: Any) -> CinderSettings:
        conf = self._view
        catalog = str(conf.cinder_catalog_info or "").split(":")
        if len(catalog) != _PARTS or catalog[2] not in _INTERFACES:
            raise self._wrong(_("cinder_catalog_info is not TYPE:NAME:INTERFACE"))
        helper = f"sudo glance-rootwrap {conf.rootwrap_config}" if os.geteuid() else None
        try:
            return CinderSettings(
                lock_path=self._lock_path(),
                **_identity(conf),
                endpoint=self._endpoint(conf, context),
                service_type=catalog[0],
                service_name=catalog[1] or None,
                interface=_INTERFACES[catalog[2]],
                region=conf.cinder_os_region_name or None,
                ca_file=conf.cinder_ca_certificates_file or None,
                verify=not conf.cinder_api_insecure,
                state_timeout=conf.cinder_state_transition_timeout,
                volume_type=conf.cinder_volume_type or None,
                store=self.backend_group or None,
                root_helper=helper,
                multipath=bool(conf.cinder_use_multipath),
                enforce_multipath=bool(conf.cinder_enforce_multipath),
                mount_base=conf.cinder_mount_point_base,
                extend="attached" if conf.cinder_do_extend_attached else "auto",
                attach_attempts=conf.cinder_attachment_retry_attempts,
            )
        except multistore.Misconfigured as error:
            raise self._wrong(error.message) from error

    def _endpoint(self, conf: Any, context: Any) -> str | None:
        """Give the URL of the template, its fields filled in for a user; those for a service user are left to Keystone."""
        template = conf.cinder_endpoint_template
        if not template:
            return None
        if _identity(conf):
            return _FIELD.sub(
                lambda found: "%(project_id)s" if found[1] in _PROJECT else found[0], template
            )
        if context is None:
            return None
        fields = {**_fields_of(context), "tenant": getattr(context, "project_id", None)}
        try:
            return str(template % fields)
        except (KeyError, ValueError, TypeError) as error:
            raise self._wrong(
                _("cinder_endpoint_template has a field that the context has not")
            ) from error

    # -- the hooks of the adapter ------------------------------------------------------------

    def core_driver(self) -> CinderDriver:
        return CinderDriver(self._settings(None))

    def _service(self) -> CinderDriver:
        """Give the driver with the store's own user, and so its one session; anew when the options have changed."""
        return self._core()[0]

    def _core(self) -> tuple[CinderDriver, multistore.Store]:
        settings = self._settings(None)
        made = self._made
        if made is None or made[0] != settings:
            driver = CinderDriver(settings)
            made = self._made = (settings, driver, closing_when_unused(self._store_over(driver)))
        return made[1], made[2]

    def _store_over(self, driver: CinderDriver) -> multistore.Store:
        retries = int(self._view.cinder_http_retries)
        options = multistore.StoreOptions(attempts=retries + 1, backoff=0.5)
        return multistore.Store(driver, name=self.backend_group or "cinder", options=options)

    def _driver_for(self, context: Any) -> CinderDriver:
        if _identity(self._view):
            driver = self._service()
            return driver if context is None else driver.for_context(_caller(context))
        if context is None or getattr(context, "service_catalog", None) is None:
            raise self._wrong(
                _("there is no service user, and no context with a catalog: set cinder_store_*")
            )
        return CinderDriver(self._settings(context)).for_context(_caller(context))

    def _core_for(
        self, verb: str, ref: str | None, context: Any
    ) -> tuple[multistore.Store, str | None]:
        if verb != "add" and _identity(self._view):
            return self._core()[1], ref
        driver = self._driver_for(context)
        core = self._store_over(driver)
        if not _identity(self._view):
            return closing_when_unused(core), ref
        settings = driver.settings
        # What a store leaves has its name on it: each one is swept by itself.
        place = (settings.auth_url, settings.project, settings.volume_type, settings.store)
        sweep_once(core, tuple(map(str, place)))
        return core, ref

    def _stream_of(
        self, ref: str, pieces: Iterator[bytes], size: int, asked: int | None, **held: Any
    ) -> ImageStream:
        return ImageStream(pieces, limit=self.READ_CHUNKSIZE, **held)

    # -- what Glance asks --------------------------------------------------------------------

    def is_image_associated_with_store(self, context: Any, volume_id: str) -> bool:
        """Say whether a volume is of this store's type, or of Cinder's default type if it has none; False in doubt."""
        try:
            driver = self._driver_for(context)
            found = driver.type_of(f"cinder://{volume_id}")
            wanted = self._view.cinder_volume_type or driver.default_type()
        except multistore.NotFound:
            LOG.warning(
                "the volume %s of a legacy location is not there, or not visible", volume_id
            )
            return False
        except Exception as error:
            LOG.warning("the store of volume %s could not be found out: %s", volume_id, error)
            return False
        return found is not None and found == wanted


def _options_of_brick() -> Iterable[tuple[str, Any]]:
    """Give the options that os-brick reads, one of which is where the locks are; none where it is not installed."""
    try:
        found: Iterable[tuple[str, Any]] = importlib.import_module("os_brick.opts").list_opts()
    except ImportError:
        return ()
    return found


_PROJECT = ("project_id", "tenant", "tenant_id", "project")


def _identity(conf: Any) -> dict[str, Any]:
    """Give the credentials of the service user in the core's words; nothing if they are not complete."""
    address = conf.cinder_store_auth_address
    if not address:
        return {}
    number = conf.cinder_store_application_credential_id
    secret = conf.cinder_store_application_credential_secret
    if number and secret:
        return {
            "auth_url": address,
            "application_credential_id": Secret(number),
            "application_credential_secret": Secret(secret),
        }
    user, project = conf.cinder_store_user_name, conf.cinder_store_project_name
    if not (user and project and conf.cinder_store_password):
        return {}
    return {
        "auth_url": address,
        "username": user,
        "password": Secret(conf.cinder_store_password),
        "user_domain": conf.cinder_store_user_domain_name,
        "project": project,
        "project_domain": conf.cinder_store_project_domain_name,
    }


def _fields_of(context: Any) -> Mapping[str, Any]:
    to_dict = getattr(context, "to_dict", None)
    return to_dict() if to_dict is not None else dict(context)


def _caller(context: Any) -> Caller:
    """Give the core's words for a request's context."""
    return Caller(
        user=getattr(context, "user_id", None),
        project=getattr(context, "project_id", None),
        token=getattr(context, "auth_token", None),
        extra={"service_catalog": getattr(context, "service_catalog", None)},
    )
