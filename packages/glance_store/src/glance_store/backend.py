"""The interface with one store per scheme: used when ``enabled_backends`` is not set."""

# ruff: noqa: PLR0917  # the interface takes its arguments by position
from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, KeysView
from typing import TYPE_CHECKING, Any

from oslo_config import cfg

from glance_store import _maps, _registry, exceptions, location
from glance_store._loading import known_drivers
from glance_store._metadata import (
    check_location_metadata,
    store_add_to_backend,
    store_add_to_backend_with_multihash,
)
from glance_store._metadata import check_metadata as _check_metadata
from glance_store._options import core
from glance_store.i18n import _

if TYPE_CHECKING:
    from glance_store._streams import Indexable

__all__ = [
    "CONF",
    "Indexable",
    "_check_metadata",
    "_list_opts",
    "_load_store",
    "_load_stores",
    "add_to_backend",
    "add_to_backend_with_multihash",
    "check_location_metadata",
    "create_stores",
    "delete_from_backend",
    "get_from_backend",
    "get_known_schemes",
    "get_size_from_backend",
    "get_store_from_location",
    "get_store_from_scheme",
    "get_store_from_uri",
    "register_opts",
    "set_acls",
    "store_add_to_backend",
    "store_add_to_backend_with_multihash",
    "verify_default_store",
]

CONF = cfg.CONF
LOG = logging.getLogger(__name__)


def __getattr__(name: str) -> Any:
    """Load ``Indexable`` when somebody asks for it: it brings the whole library along."""
    if name == "Indexable":
        from glance_store._streams import Indexable

        return Indexable
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _list_opts() -> list[tuple[str, list[Any]]]:
    """Give the options of the group ``glance_store``: the core's, then those of every driver, each once."""
    listed: list[Any] = []
    for cls in known_drivers().values():
        listed += [option for option in getattr(cls, "OPTIONS", None) or () if option not in listed]
    return [(core.GROUP, list(core.SINGLE_STORE)), (core.GROUP, listed)]


def register_opts(conf: Any) -> None:
    """Register those options; DuplicateOptError if another option of such a name is there."""
    for group, options in _list_opts():
        for option in options:
            conf.register_opt(option, group=group)


def _load_store(conf: Any, store_entry: str, invoke_load: bool = True) -> Any:
    """Make the store of a driver's name, or give its class; None, with a warning, if nobody provides the driver.

    The store is neither configured nor registered.
    """
    return _registry.load(conf, store_entry, None, invoke=invoke_load)


def _load_stores(conf: Any) -> Iterator[tuple[str, Any]]:
    """Make the stores named in ``stores``, each once, in that order; those that fail are logged and left out."""
    wanted = [(entry, None) for entry in dict.fromkeys(conf.glance_store.stores or ())]
    for entry, store, _name in _registry.load_each(wanted, lambda e, _i: _load_store(conf, e)):
        yield entry, store


def create_stores(conf: Any = CONF) -> int:
    """Make, configure and register the stores named in ``stores``; gives their number.

    BackendException for a driver without schemes; then no store is replaced.
    """
    with _registry.LOCK:
        loaded = ((entry, store, None) for entry, store in _load_stores(conf))
        made = _registry.configure(loaded)
        _maps.install_single(made, conf)
    return len(made)


def _conf() -> Any:
    """Give the configuration that the stores were made with."""
    current = location.SCHEME_TO_CLS_MAP
    return _maps.conf_in_use(_maps.STATE.single, current, current.values(), CONF)


def verify_default_store() -> None:
    """Return if ``default_store`` is a scheme that a store serves; RuntimeError otherwise."""
    try:
        scheme = _conf().glance_store.default_store
    except cfg.NoSuchOptError:
        scheme = None
    try:
        get_store_from_scheme(scheme)
    except exceptions.UnknownScheme:
        raise RuntimeError(
            _("The default store %(scheme)s is not there; schemes of the enabled stores: %(known)s")
            % {"scheme": scheme, "known": ", ".join(get_known_schemes()) or "none"}
        ) from None


def get_known_schemes() -> KeysView[str]:
    """Give the schemes that stores serve."""
    return location.SCHEME_TO_CLS_MAP.keys()


def get_store_from_scheme(scheme: str) -> Any:
    """Give the store that serves a scheme; UnknownScheme if there is none."""
    stores = location.SCHEME_TO_CLS_MAP
    info = stores.get(scheme)
    store = None if info is None else info["store"]
    if info is not None and store is None:
        same = [other for other in stores.values() if other["store_entry"] == info["store_entry"]]
        store = _registry.revive(same, _conf(), None)
    if store is None:
        raise exceptions.UnknownScheme(scheme=scheme)
    return store


def get_store_from_uri(uri: str) -> Any:
    """Give the store that serves the scheme of a location; UnknownScheme if there is none."""
    return get_store_from_scheme(location.scheme_of(uri))


def _locate(uri: str) -> tuple[Any, location.Location]:
    place = location.get_location_from_uri(uri, conf=CONF)
    return get_store_from_uri(uri), place


def get_from_backend(
    uri: str, offset: int = 0, chunk_size: int | None = None, context: Any = None
) -> tuple[Iterable[bytes], int]:
    """Give the bytes of an image and their number; NotFound is raised by the call, not while reading."""
    store, place = _locate(uri)
    got: tuple[Iterable[bytes], int] = store.get(
        place, offset=offset, chunk_size=chunk_size, context=context
    )
    return got


def get_size_from_backend(uri: str, context: Any = None) -> int:
    """Give the size of an image in bytes; NotFound if it is not there."""
    store, place = _locate(uri)
    size: int = store.get_size(place, context=context)
    return size


def delete_from_backend(uri: str, context: Any = None) -> Any:
    """Remove an image; NotFound if it is not there."""
    store, place = _locate(uri)
    return store.delete(place, context=context)


def get_store_from_location(uri: str) -> str:
    """Give the scheme of a location that a store understands."""
    return location.get_location_from_uri(uri, conf=CONF).store_name


def add_to_backend(
    conf: Any,
    image_id: str,
    data: Any,
    size: int,
    scheme: str | None = None,
    context: Any = None,
    verifier: Any = None,
) -> tuple[str, int, str, Any]:
    """Store an image in the store of a scheme, ``default_store`` if None: its location, size, md5 and metadata."""
    store = get_store_from_scheme(conf.glance_store.default_store if scheme is None else scheme)
    return store_add_to_backend(image_id, data, size, store, context, verifier)


def add_to_backend_with_multihash(
    conf: Any,
    image_id: str,
    data: Any,
    size: int,
    hashing_algo: str,
    scheme: str | None = None,
    context: Any = None,
    verifier: Any = None,
) -> tuple[str, int, str, str, Any]:
    """Store an image in the store of a scheme: its location, size, md5, multihash and metadata."""
    store = get_store_from_scheme(conf.glance_store.default_store if scheme is None else scheme)
    return store_add_to_backend_with_multihash(
        image_id, data, size, hashing_algo, store, context, verifier
    )


def set_acls(
    location_uri: str,
    public: bool = False,
    read_tenants: Iterable[str] | None = None,
    write_tenants: Iterable[str] | None = None,
    context: Any = None,
) -> None:
    """Say who may read and write an image; a store that cannot is left alone."""
    store, place = _locate(location_uri)
    try:
        store.set_acls(
            place,
            public=public,
            read_tenants=list(read_tenants or ()),
            write_tenants=list(write_tenants or ()),
            context=context,
        )
    except NotImplementedError:
        LOG.debug("the store of %s keeps no access lists", place.store_name)
