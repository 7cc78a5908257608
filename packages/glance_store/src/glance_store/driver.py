"""What a driver of the interface builds on: all that the author of one must read.

Subclass ``Store``, put a class ``StoreLocation`` beside it in the same module, and name the class in the entry point group
``glance_store.drivers``; the name is the *type* in ``enabled_backends``.
"""

# ruff: noqa: PLR0917  # the interface takes its arguments by position
from __future__ import annotations

import hashlib
import importlib
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import cache, wraps
from typing import Any, ClassVar, cast

from oslo_config import cfg

from glance_store import capabilities, exceptions
from glance_store._config import (
    SHARED_CONF_GROUP,
    BackendGroupConfiguration,
    group_of,
    register,
)
from glance_store._loading import shape_for
from glance_store._options import core
from glance_store._redact import redact_text
from glance_store.i18n import _

__all__ = [
    "CONF",
    "SHARED_CONF_GROUP",
    "BackendGroupConfiguration",
    "Store",
    "back_compat_add",
]

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

_MIB = 1024 * 1024
_BASE = 3  # image_id, image_file, image_size


class Store(capabilities.StoreCapability):
    """The base of every store; ``backend`` is its identifier in multi-store mode, None in single-store mode.

    Making one registers its options and does nothing else; ``configure`` makes it ready.
    Every operation may be called from any thread.
    """

    #: The driver's oslo.config options.
    OPTIONS: ClassVar[list[Any] | None] = None
    #: The options that every store has in its own group.
    MULTI_BACKEND_OPTIONS: ClassVar[list[Any]] = core.PER_STORE
    READ_CHUNKSIZE = 4 * _MIB
    WRITE_CHUNKSIZE = 4 * _MIB

    def __init__(self, conf: Any, backend: str | None = None) -> None:
        super().__init__()
        self.conf = conf
        self.backend_group = backend
        self.store_location_class: type[Any] | None = None
        self._url_prefix: str | None = None
        self._view_made: Any = None
        self._group: Any = None
        #: Why the last ``configure`` took WRITE_ACCESS away, or None.
        self._configuration_error: str | None = None
        self._first_capabilities: int | None = None
        if conf is not None:
            self._register_options()

    def _register_options(self) -> None:
        if self.backend_group:
            register(self.conf, self.MULTI_BACKEND_OPTIONS, self.backend_group)
            register(self.conf, self.OPTIONS, self.backend_group, shape_for(type(self)))
        else:
            register(self.conf, self.OPTIONS, core.GROUP)
        register(self.conf, self.OPTIONS, SHARED_CONF_GROUP)

    @property
    def _view(self) -> Any:
        """What the store's options are read from; follows every change of the configuration."""
        if self._view_made is None:
            self._view_made = (
                BackendGroupConfiguration(self.OPTIONS, self.backend_group, self.conf)
                if self.backend_group
                else group_of(self.conf, core.GROUP)
            )
        return self._view_made

    @property
    def url_prefix(self) -> str | None:
        """What the locations of this store begin with, where the driver sets it (``_url_prefix``, in multi-store mode)."""
        return self._url_prefix

    @property
    def weight(self) -> int:
        """The preference of this store for reading, 0 without an identifier; follows the configuration."""
        group = self._group
        if group is None:
            if not self.backend_group or self.conf is None:
                return 0
            group = self._group = group_of(self.conf, self.backend_group)
        try:
            return cast("int", group.weight)
        except cfg.NoSuchOptError:
            return 0

    # -- configuration -----------------------------------------------------------------------

    def configure(self, re_raise_bsc: bool = False) -> None:
        """Make the store ready; a second call starts afresh.

        BadStoreConfiguration from ``configure_add`` is logged and leaves a store that reads and deletes, but takes no
        images; it goes on to the caller only with ``re_raise_bsc``.  Any other exception escapes.
        """
        if self._first_capabilities is None:
            self._first_capabilities = self._capabilities
        self._capabilities = self._first_capabilities
        self._add_refused_only = False
        self._configuration_error = None
        try:
            self.configure_add()
        except exceptions.BadStoreConfiguration as error:
            self._refuse_add()
            self._configuration_error = redact_text(error)
            text = _(
                "Adding images to the store %(store)s is disabled, for its configuration failed: %(reason)s"
            ) % {
                "store": self.backend_group or type(self).__module__,
                "reason": self._configuration_error,
            }
            LOG.warning(text)
            if re_raise_bsc:
                raise
        finally:
            self.update_capabilities()

    def configure_add(self) -> None:
        """Check and take over the options; a driver raises BadStoreConfiguration for what the operator must correct."""

    def get_schemes(self) -> Sequence[str]:
        """Give the schemes of this store's locations; a driver fills this in."""
        raise NotImplementedError

    def get_store_location_class(self) -> type[Any]:
        """Give the class ``StoreLocation`` of the module that defines the store; ImportError if there is none."""
        if self.store_location_class is None:
            name = type(self).__module__
            module = importlib.import_module(name)
            try:
                self.store_location_class = module.StoreLocation
            except AttributeError:
                raise ImportError(
                    f"the module {name} has no class StoreLocation beside {type(self).__name__}"
                ) from None
        return cast("type[Any]", self.store_location_class)

    # -- operations --------------------------------------------------------------------------

    @capabilities.check
    def get(
        self, location: Any, offset: int = 0, chunk_size: int | None = None, context: Any = None
    ) -> tuple[Iterable[bytes], int]:
        """Give the bytes of an object and their number; NotFound is raised by the call, not while reading."""
        raise NotImplementedError

    def get_size(self, location: Any, context: Any = None) -> int:
        """Give the size of an object in bytes; NotFound if it is not there."""
        raise NotImplementedError

    @capabilities.check
    def add(
        self,
        image_id: str,
        image_file: Any,
        image_size: int,
        hashing_algo: str,
        context: Any = None,
        verifier: Any = None,
    ) -> tuple[str, int, str, str, dict[str, Any]]:
        """Store an object: its location, its size, md5 and multihash in hexadecimal, and the location's metadata.

        ``image_size`` 0 means unknown; ``verifier.update`` gets every byte.
        """
        raise NotImplementedError

    @capabilities.check
    def delete(self, location: Any, context: Any = None) -> None:
        """Remove an object; NotFound if it is not there."""
        raise NotImplementedError

    def set_acls(
        self,
        location: Any,
        public: bool = False,
        read_tenants: list[str] | None = None,
        write_tenants: list[str] | None = None,
        context: Any = None,
    ) -> None:
        """Say who may read and write an object, where the backend can."""
        raise NotImplementedError


def back_compat_add(store_add_fun: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate ``add`` so that it also takes calls without a hash algorithm, as they were made long ago.

    Such a call gets four values: location, size, md5, metadata.
    A call with ``hashing_algo`` gets five.
    The fourth of the values is the algorithm if no other reading is left, or if it is the name of one; None there is no
    algorithm, and what follows keeps its place.
    """

    @wraps(store_add_fun)
    def add_adapter(*args: Any, **kwargs: Any) -> Any:
        head, extra = args[: _BASE + 1], list(args[_BASE + 1 :])
        given = kwargs.keys() & {"context", "verifier"}
        if "hashing_algo" in kwargs:
            algorithm = kwargs.pop("hashing_algo")
        elif extra and _is_algorithm(extra, given):
            algorithm = extra.pop(0)
        else:
            algorithm = None
        new_form = algorithm is not None
        chosen = algorithm if new_form else "md5"
        if len(head) == _BASE + 1:
            result = store_add_fun(*head, chosen, *extra, **kwargs)
        else:
            result = store_add_fun(*head, *extra, hashing_algo=chosen, **kwargs)
        if new_form:
            return result
        url, size, checksum, _multihash, metadata = result
        return url, size, checksum, metadata

    return add_adapter


def _is_algorithm(extra: list[Any], given: set[str]) -> bool:
    """Say whether the first of the positional arguments after the size stands in the algorithm's place."""
    first = extra[0]
    if "context" in given or len(extra) + len(given) >= _BASE:
        return True  # the places of context and verifier are taken by others
    if first is None:
        # (None, verifier) is an old call without a context; (None, context) one without an algorithm
        return len(extra) > 1 and not _is_verifier(extra[1])
    if not isinstance(first, str):
        return False
    if first.lower() in _algorithms():
        return True
    LOG.warning("add: a text that names no hash algorithm is taken for the context")
    return False


@cache
def _algorithms() -> set[str]:
    return {name.lower() for name in hashlib.algorithms_available}


def _is_verifier(value: Any) -> bool:
    return callable(getattr(value, "update", None)) and not isinstance(value, dict)
