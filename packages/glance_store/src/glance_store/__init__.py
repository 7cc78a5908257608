"""The interface of OpenStack's glance_store, on top of multistore.

Every name of ``multi_backend``, ``backend``, ``driver`` and ``exceptions`` that belongs to the interface is here, too.
``glance_store.TimeoutError`` is the interface's own, and the only name that a star import leaves out: it would hide the
builtin.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from glance_store import _leftovers

_leftovers.check(os.path.dirname(os.path.abspath(__file__)))

# ruff: noqa: E402  # nothing else may be imported before that check

from glance_store import (
    backend,
    capabilities,
    driver,
    exceptions,
    i18n,
    location,
    multi_backend,
)
from glance_store.backend import (
    add_to_backend,
    add_to_backend_with_multihash,
    check_location_metadata,
    create_stores,
    delete_from_backend,
    get_from_backend,
    get_known_schemes,
    get_size_from_backend,
    get_store_from_location,
    get_store_from_scheme,
    get_store_from_uri,
    register_opts,
    set_acls,
    store_add_to_backend,
    store_add_to_backend_with_multihash,
    verify_default_store,
)
from glance_store.driver import (
    SHARED_CONF_GROUP,
    BackendGroupConfiguration,
    Store,
    back_compat_add,
)
from glance_store.exceptions import (
    AuthBadRequest,
    AuthorizationFailure,
    AuthorizationRedirect,
    AuthUrlNotFound,
    BackendException,
    BadAuthStrategy,
    BadStoreConfiguration,
    BadStoreUri,
    DriverLoadFailure,
    Duplicate,
    Forbidden,
    GlanceStoreException,
    HasSnapshot,
    HostNotInitialized,
    InUseByStore,
    Invalid,
    MaxRedirectsExceeded,
    MissingCredentialError,
    NoServiceEndpoint,
    NotAuthenticated,
    NotFound,
    RedirectException,
    RegionAmbiguity,
    RemoteServiceUnavailable,
    StorageFull,
    StorageWriteDenied,
    StoreAddDisabled,
    StoreDeleteNotSupported,
    StoreGetNotSupported,
    StoreRandomGetNotSupported,
    UnknownHashingAlgo,
    UnknownScheme,
    UnsupportedBackend,
)
from glance_store.exceptions import (
    TimeoutError as TimeoutError,  # an attribute, but not of the star import
)
from glance_store.multi_backend import (
    add,
    add_with_multihash,
    create_multi_stores,
    delete,
    get,
    get_known_schemes_for_multi_store,
    get_size_from_uri_and_backend,
    get_store_from_store_identifier,
    get_store_weight,
    register_store_opts,
    set_acls_for_multi_store,
    verify_store,
)

if TYPE_CHECKING:
    from glance_store._streams import Indexable

__all__ = [
    # many stores
    "register_store_opts",
    "create_multi_stores",
    "verify_store",
    "get_store_weight",
    "get_store_from_store_identifier",
    "add",
    "add_with_multihash",
    "delete",
    "get",
    "set_acls_for_multi_store",
    "get_known_schemes_for_multi_store",
    "get_size_from_uri_and_backend",
    # one store per scheme
    "register_opts",
    "create_stores",
    "verify_default_store",
    "get_known_schemes",
    "get_store_from_scheme",
    "get_store_from_uri",
    "get_from_backend",
    "get_size_from_backend",
    "delete_from_backend",
    "get_store_from_location",
    "add_to_backend",
    "add_to_backend_with_multihash",
    "set_acls",
    "Indexable",
    # both
    "check_location_metadata",
    "store_add_to_backend",
    "store_add_to_backend_with_multihash",
    # for drivers
    "Store",
    "back_compat_add",
    "BackendGroupConfiguration",
    "SHARED_CONF_GROUP",
    # exceptions
    "AuthBadRequest",
    "AuthUrlNotFound",
    "AuthorizationFailure",
    "AuthorizationRedirect",
    "BackendException",
    "BadAuthStrategy",
    "BadStoreConfiguration",
    "BadStoreUri",
    "DriverLoadFailure",
    "Duplicate",
    "Forbidden",
    "GlanceStoreException",
    "HasSnapshot",
    "HostNotInitialized",
    "InUseByStore",
    "Invalid",
    "MaxRedirectsExceeded",
    "MissingCredentialError",
    "NoServiceEndpoint",
    "NotAuthenticated",
    "NotFound",
    "RedirectException",
    "RegionAmbiguity",
    "RemoteServiceUnavailable",
    "StorageFull",
    "StorageWriteDenied",
    "StoreAddDisabled",
    "StoreDeleteNotSupported",
    "StoreGetNotSupported",
    "StoreRandomGetNotSupported",
    "UnknownHashingAlgo",
    "UnknownScheme",
    "UnsupportedBackend",
    # modules
    "backend",
    "capabilities",
    "driver",
    "exceptions",
    "i18n",
    "location",
    "multi_backend",
]


def __getattr__(name: str) -> Any:
    """Load ``Indexable`` when somebody asks for it."""
    if name == "Indexable":
        return backend.Indexable
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
