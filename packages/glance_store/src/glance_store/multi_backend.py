"""The interface with any number of stores, each with an identifier: used when ``enabled_backends`` is set."""

# ruff: noqa: PLR0917  # the interface takes its arguments by position
from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator, KeysView, Mapping
from typing import Any

from oslo_config import cfg

from glance_store import _maps, _registry, exceptions, location
from glance_store._config import register
from glance_store._loading import driver_class, known_drivers
from glance_store._metadata import (
    check_location_metadata,
    store_add_to_backend,
    store_add_to_backend_with_multihash,
)
from glance_store._metadata import check_metadata as _check_metadata
from glance_store._options import core
from glance_store._redact import redact_text
from glance_store._search import search
from glance_store.capabilities import BitMasks
from glance_store.i18n import _

__all__ = [
    "CONF",
    "_check_metadata",
    "_list_config_opts",
    "_list_driver_opts",
    "_load_multi_store",
    "_load_multi_stores",
    "add",
    "add_with_multihash",
    "check_location_metadata",
    "create_multi_stores",
    "delete",
    "get",
    "get_known_schemes_for_multi_store",
    "get_size_from_uri_and_backend",
    "get_store_from_store_identifier",
    "get_store_weight",
    "register_store_opts",
    "set_acls_for_multi_store",
    "store_add_to_backend",
    "store_add_to_backend_with_multihash",
    "verify_store",
]

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

#: Identifier -> type of the stores that the consuming service keeps for itself.
_RESERVED_STORES: dict[str, str] = {}


# -- options -------------------------------------------------------------------------------------


def _list_config_opts() -> list[tuple[str, list[Any]]]:
    """Give a section for the core, and one for each driver: what the section of a store of that type takes."""
    sections = [(core.GROUP, list(core.MULTI_STORE))]
    for name, options in _list_driver_opts().items():
        if name != "no_conf":
            sections.append((name, [*core.PER_STORE, *options]))
    return sections


def _list_driver_opts() -> dict[str, list[Any]]:
    """Give the options of every driver that has some, by its short name, sorted."""
    return {
        name: list(cls.OPTIONS)
        for name, cls in known_drivers().items()
        if getattr(cls, "OPTIONS", None) is not None
    }


def register_store_opts(conf: Any, reserved_stores: Mapping[str, str] | None = None) -> None:
    """Register ``default_backend``, and the options of every configured and reserved store in a group of its name."""
    for option in core.MULTI_STORE:
        conf.register_opt(option, group=core.GROUP)
    reserved = dict(reserved_stores or {})
    for identifier, entry in {**_registry.enabled(conf), **reserved}.items():
        if not _registry.valid_identifier(identifier):
            continue
        # the consuming service reads these of every store, also of one that will not come up
        register(conf, core.PER_STORE, identifier)
        try:
            cls = driver_class(entry)
        except Exception as error:
            # said loudly when the stores are created
            LOG.debug("no options for %s: %s", identifier, redact_text(error))
            continue
        _registry.register_group(conf, identifier, cls, is_reserved=identifier in reserved)


# -- creation ------------------------------------------------------------------------------------


def _load_multi_store(
    conf: Any, store_entry: str, invoke_load: bool = True, backend: str | None = None
) -> Any:
    """Make the store ``backend`` of a driver's name, or give the driver's class; None if nobody provides the driver."""
    return _registry.load(conf, store_entry, backend, invoke=invoke_load)


def _load_multi_stores(
    conf: Any, reserved_stores: Mapping[str, str] | None = None
) -> Iterator[tuple[str, Any, str]]:
    """Make the configured and reserved stores, in this order; those that fail are logged and left out."""
    global _RESERVED_STORES  # noqa: PLW0603  # the attribute is the interface
    if reserved_stores is not None:
        _RESERVED_STORES = dict(reserved_stores)

    def make(entry: str, identifier: str | None) -> Any:
        if identifier in (reserved_stores or ()):
            with contextlib.suppress(RuntimeError):  # nobody provides the driver: said below
                cls = driver_class(entry)
                _registry.register_group(conf, str(identifier), cls, is_reserved=True)
        return _load_multi_store(conf, entry, backend=identifier)

    wanted = {**_registry.enabled(conf), **(reserved_stores or {})}
    pairs = [(entry, name) for name, entry in wanted.items() if _registry.valid_identifier(name)]
    for entry, store, identifier in _registry.load_each(pairs, make):
        yield entry, store, str(identifier)


def create_multi_stores(conf: Any = CONF, reserved_stores: Mapping[str, str] | None = None) -> int:
    """Make, configure and register the configured and reserved stores; gives their number.

    A store that fails is logged and left out.
    The maps change at once when all are ready; BackendException for a driver without schemes, then nothing is replaced.
    Without ``reserved_stores``, those of an earlier call stay.
    """
    with _registry.LOCK:
        keep = _RESERVED_STORES if reserved_stores is None else {}
        wanted = {**_registry.enabled(conf), **(reserved_stores or {})}
        made = _registry.configure(_load_multi_stores(conf, reserved_stores))
        _maps.warn_of_shared_places(made)
        _maps.install_multi(made, conf, wanted, keep)
    return len(made)


def _conf() -> Any:
    """Give the configuration that the stores were made with."""
    current = location.SCHEME_TO_CLS_BACKEND_MAP
    infos = (info for stores in current.values() for info in stores.values())
    return _maps.conf_in_use(_maps.STATE.multi, current, infos, CONF)


def _configured() -> dict[str, str]:
    """Give identifier and type of the configured and the reserved stores: a copy of our own."""
    return {**_registry.enabled(_conf()), **_RESERVED_STORES}


def verify_store() -> None:
    """Return if ``default_backend`` is a store that is there; RuntimeError otherwise.

    A default store that takes no images is no reason to stop the service, but is logged as an error.
    """
    try:
        identifier = _conf().glance_store.default_backend
    except cfg.NoSuchOptError:
        identifier = None
    if not identifier:
        raise RuntimeError(
            _("No default store is configured: set default_backend in the section glance_store")
        )
    try:
        store = get_store_from_store_identifier(identifier)
    except exceptions.UnknownScheme:
        raise RuntimeError(
            _("The default store %(store)s is not there; stores that are: %(known)s")
            % {"store": identifier, "known": ", ".join(_identifiers()) or _("none")}
        ) from None
    if not store.is_capable(BitMasks.WRITE_ACCESS):
        LOG.error(
            "the default store %s takes no images, every upload to it will fail: %s",
            identifier,
            getattr(store, "_configuration_error", None) or "its driver only reads",
        )


def _identifiers() -> list[str]:
    current = location.SCHEME_TO_CLS_BACKEND_MAP
    return sorted({name for stores in current.values() for name in stores})


# -- looking up ----------------------------------------------------------------------------------


def get_store_from_store_identifier(store_identifier: str) -> Any:
    """Give the store of that identifier; UnknownScheme, an error that names it, if it is not there."""
    info = _maps.find(store_identifier)
    if info is not None:
        store = info["store"]
        if store is None:
            store = _registry.revive(_maps.find_all(store_identifier), _conf(), store_identifier)
        if store is not None:
            return store
    raise location.unknown_store(store_identifier)


def get_store_weight(store_identifier: str) -> int:
    """Give the weight of that store, as configured now; UnknownScheme if it is not there."""
    info = _maps.find(store_identifier)
    if info is None:
        raise location.unknown_store(store_identifier)
    store = info["store"]
    return 0 if store is None else int(store.weight)


def get_known_schemes_for_multi_store() -> KeysView[str]:
    """Give the schemes that stores serve."""
    return location.SCHEME_TO_CLS_BACKEND_MAP.keys()


def _locate(uri: str, backend: str) -> tuple[Any, location.Location]:
    place = location.get_location_from_uri_and_backend(uri, backend, conf=CONF)
    return get_store_from_store_identifier(backend), place


# -- operations ----------------------------------------------------------------------------------


def add(
    conf: Any,
    image_id: str,
    data: Any,
    size: int,
    backend: str | None,
    context: Any = None,
    verifier: Any = None,
) -> tuple[str, int, str, Any]:
    """Store an image in that store, ``default_backend`` if none is named: its location, size, md5 and metadata."""
    store = get_store_from_store_identifier(backend or conf.glance_store.default_backend)
    return store_add_to_backend(image_id, data, size, store, context, verifier)


def add_with_multihash(
    conf: Any,
    image_id: str,
    data: Any,
    size: int,
    backend: str | None,
    hashing_algo: str,
    scheme: str | None = None,  # noqa: ARG001  # the interface has it
    context: Any = None,
    verifier: Any = None,
) -> tuple[str, int, str, str, Any]:
    """Store an image in that store: its location, size, md5, multihash and metadata; ``scheme`` means nothing."""
    store = get_store_from_store_identifier(backend or conf.glance_store.default_backend)
    return store_add_to_backend_with_multihash(
        image_id, data, size, hashing_algo, store, context, verifier
    )


def delete(uri: str, backend: str | None, context: Any = None) -> Any:
    """Remove an image; NotFound if it is not there.

    Without a store's identifier it goes to the store that owns the location, to no other.
    """
    if backend:
        store, place = _locate(uri, backend)
        return store.delete(place, context=context)

    def call(store: Any, place: location.Location) -> Any:
        return store.delete(place, context=context)

    return search(uri, call, _configured(), CONF, reading=False)


def get(
    uri: str,
    backend: str | None,
    offset: int = 0,
    chunk_size: int | None = None,
    context: Any = None,
) -> tuple[Iterable[bytes], int]:
    """Give the bytes of an image and their number; NotFound is raised by the call, not while reading.

    Without a store's identifier every store of the scheme is tried, the one that owns the location first.
    """

    def call(store: Any, place: location.Location) -> tuple[Iterable[bytes], int]:
        got: tuple[Iterable[bytes], int] = store.get(
            place, offset=offset, chunk_size=chunk_size, context=context
        )
        return got

    if backend:
        return call(*_locate(uri, backend))
    return search(uri, call, _configured(), CONF, reading=True)


def get_size_from_uri_and_backend(uri: str, backend: str | None, context: Any = None) -> int:
    """Give the size of an image in bytes; NotFound if it is not there, UnknownScheme without a store's identifier."""
    store, place = _locate(uri, backend)  # type: ignore[arg-type]  # None is refused there
    size: int = store.get_size(place, context=context)
    return size


def set_acls_for_multi_store(
    location_uri: str,
    backend: str,
    public: bool = False,
    read_tenants: Iterable[str] | None = None,
    write_tenants: Iterable[str] | None = None,
    context: Any = None,
) -> None:
    """Say who may read and write an image; a store that cannot is left alone."""
    store, place = _locate(location_uri, backend)
    try:
        store.set_acls(
            place,
            public=public,
            read_tenants=list(read_tenants or ()),
            write_tenants=list(write_tenants or ()),
            context=context,
        )
    except NotImplementedError:
        LOG.debug("the store %s keeps no access lists", backend)
