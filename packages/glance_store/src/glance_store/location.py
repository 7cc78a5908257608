"""Where an image is: the locations, and the two maps from schemes to stores.

``SCHEME_TO_CLS_MAP`` is ``scheme -> info`` (one store per scheme), ``SCHEME_TO_CLS_BACKEND_MAP`` is ``scheme -> store
identifier -> info``; an info has the keys ``store``, ``location_class`` and ``store_entry``.
Consumers put other dictionaries in their place, so every use reads the module's attribute anew.
Nothing here changes a map in place: a new one takes its place, so readers need no lock.
"""

# ruff: noqa: PLR0917  # the interface takes its arguments by position
from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

from oslo_config import cfg

from glance_store import exceptions
from glance_store._lock import ForkSafeLock
from glance_store._redact import redact
from glance_store.i18n import _

__all__ = [
    "CONF",
    "SCHEME_TO_CLS_BACKEND_MAP",
    "SCHEME_TO_CLS_MAP",
    "Location",
    "StoreLocation",
    "get_location_from_uri",
    "get_location_from_uri_and_backend",
    "register_scheme_backend_map",
    "register_scheme_map",
]

LOG = logging.getLogger(__name__)
CONF = cfg.CONF

Info = dict[str, Any]

SCHEME_TO_CLS_MAP: dict[str, Info] = {}
SCHEME_TO_CLS_BACKEND_MAP: dict[str, dict[str, Info]] = {}

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=:)")
_lock = ForkSafeLock()


def scheme_of(uri: object) -> str:
    """Give the scheme of a location in lower case, or an empty text: the only parser of schemes."""
    match = _SCHEME.match(uri) if isinstance(uri, str) else None
    return match[0].lower() if match else ""


def get_location_from_uri(uri: str, conf: Any = CONF) -> Location:
    """Take a location apart with the store of its scheme.

    UnknownScheme if no store has the scheme, BadStoreUri if the store does not understand the rest.
    """
    scheme = scheme_of(uri)
    info = SCHEME_TO_CLS_MAP.get(scheme)
    if info is None:
        raise exceptions.UnknownScheme(scheme=scheme)
    return Location(scheme, info["location_class"], conf_of(info, conf), uri=uri)


def get_location_from_uri_and_backend(uri: str, backend: str, conf: Any = CONF) -> Location:
    """Take a location apart with the store of that identifier.

    UnknownScheme if no store has the scheme, or that store does not serve it; BadStoreUri if the store does not understand the rest.
    """
    scheme = scheme_of(uri)
    stores = SCHEME_TO_CLS_BACKEND_MAP.get(scheme)
    if stores is None:
        raise exceptions.UnknownScheme(scheme=scheme)
    info = stores.get(backend)
    if info is None:
        raise unknown_store(backend)
    return Location(scheme, info["location_class"], conf_of(info, conf), uri=uri, backend=backend)


def conf_of(info: Info, conf: Any) -> Any:
    """Give the configuration that a store was made with, unless the caller named one of its own."""
    if conf is CONF:
        own = getattr(info.get("store"), "conf", None)
        if isinstance(own, cfg.ConfigOpts):
            return own
    return conf


def unknown_store(identifier: object) -> exceptions.UnknownScheme:
    """Make the refusal for a store identifier that nobody has."""
    if identifier is None:
        return exceptions.UnknownScheme(_("No store was named"), scheme=identifier)
    return exceptions.UnknownScheme(
        _("No store with the identifier '%(scheme)s' serves this"), scheme=identifier
    )


def register_scheme_map(scheme_map: Mapping[str, Info]) -> None:
    """Add stores by scheme; those of the same schemes are replaced."""
    global SCHEME_TO_CLS_MAP  # noqa: PLW0603  # the attribute is the interface
    with _lock:
        SCHEME_TO_CLS_MAP = {**SCHEME_TO_CLS_MAP, **scheme_map}


def register_scheme_backend_map(scheme_map: Mapping[str, Mapping[str, Info]]) -> None:
    """Add stores by scheme and identifier; those of the same schemes and identifiers are replaced, none is removed."""
    global SCHEME_TO_CLS_BACKEND_MAP  # noqa: PLW0603
    with _lock:
        merged = dict(SCHEME_TO_CLS_BACKEND_MAP)
        for scheme, stores in scheme_map.items():
            merged[scheme] = {**merged.get(scheme, {}), **stores}
        SCHEME_TO_CLS_BACKEND_MAP = merged


class Location:
    """A location of an image, in the store that understands it."""

    def __init__(
        self,
        store_name: str,
        store_location_class: type[StoreLocation],
        conf: Any,
        uri: str | None = None,
        image_id: str | None = None,
        store_specs: Mapping[str, Any] | None = None,
        backend: str | None = None,
    ) -> None:
        self.store_name = store_name
        self.image_id = image_id
        self.store_specs = store_specs or {}
        self.conf = conf
        self.backend_group = backend
        self.store_location = store_location_class(self.store_specs, conf, backend_group=backend)
        if uri:
            self._parse(uri)

    def _parse(self, uri: str) -> None:
        try:
            self.store_location.parse_uri(uri)
        except ValueError as error:  # a parser of URLs refuses a malformed IPv6 address so
            raise exceptions.BadStoreUri(uri=redact(uri)) from error

    def get_store_uri(self) -> str:
        """Give the location as a text, the way the store writes it."""
        return self.store_location.get_uri()

    def get_uri(self) -> None:
        """Give None, always; ``get_store_uri`` is what callers want."""
        return


class StoreLocation:
    """The base of a driver's locations: made of parts (``store_specs``) or by ``parse_uri``."""

    def __init__(
        self, store_specs: Mapping[str, Any] | None, conf: Any, backend_group: str | None = None
    ) -> None:
        self.conf = conf
        self.specs = store_specs
        self.backend_group = backend_group
        if self.specs:
            self.process_specs()

    def process_specs(self) -> None:
        """Take over the parts in ``specs``; a driver fills this in."""

    def get_uri(self) -> str:
        """Write the location as a text; a driver fills this in."""
        raise NotImplementedError

    def parse_uri(self, uri: str) -> None:
        """Take a text apart, BadStoreUri if it is none of this driver's; a driver fills this in."""
        raise NotImplementedError

    @staticmethod
    def validate_schemas(uri: str, valid_schemas: Iterable[str]) -> None:
        """Return if the text begins with one of these prefixes, each with its ``://``; BadStoreUri otherwise."""
        schemas = tuple(valid_schemas)
        if str(uri).startswith(schemas):
            return
        reason = _("the location must begin with one of: %s") % ", ".join(schemas)
        LOG.warning("%s: %s", redact(uri), reason)
        raise exceptions.BadStoreUri(reason)
