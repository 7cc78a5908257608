"""Options: how they are registered, and how a store reads them.

In multi-store mode a store's value is the one in its own group, then the one in ``[backend_defaults]``, then the built-in default.
A store's group therefore gets *copies* of the options whose default is None, which means "not set here"; the real defaults
stand in ``backend_defaults``.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterable
from typing import Any

from oslo_config import cfg

from glance_store._options.core import SHARED_GROUP

__all__ = ["SHARED_CONF_GROUP", "BackendGroupConfiguration", "register", "reserved_datadir"]

LOG = logging.getLogger(__name__)

SHARED_CONF_GROUP = SHARED_GROUP

#: The one option whose default differs for each reserved store.
_DATADIR = "filesystem_store_datadir"


def unset(option: Any) -> Any:
    """Give a copy of an option that says "not set here" by default."""
    twin = copy.copy(option)
    twin.default = None
    twin.required = False
    return twin


def reserved(option: Any, group: str) -> Any:
    """Give the option as the group of a reserved store has it."""
    if option.name != _DATADIR:
        return unset(option)
    twin = copy.copy(option)
    twin.default = reserved_datadir(group)
    return twin


def reserved_datadir(identifier: str) -> str:
    """Give the directory of a reserved store that has none configured."""
    return f"/var/lib/glance/{identifier}"


def register(conf: Any, options: Iterable[Any] | None, group: str, shape: str = "plain") -> None:
    """Register options one by one, so that a conflict costs that option only.

    ``shape`` is how they are registered if they are not yet: ``plain``, ``unset`` (the default is None) or
    ``reserved`` (``unset``, but with a directory of its own).
    An option that is there in another of these shapes stays as it is; a really different one stays too, and is logged.
    """
    for option in options or ():
        others = [name for name in _SHAPES if name != shape]
        # most calls end at the first of these; the others are made only where it is a conflict
        if not any(
            _accepted(conf, _SHAPES[name](option, group), group) for name in (shape, *others)
        ):
            LOG.warning(
                "the option %s is registered in the group %s already, and differently: that one is used",
                option.name,
                group,
            )


_SHAPES: dict[str, Callable[[Any, str], Any]] = {
    "plain": lambda option, _group: option,
    "unset": lambda option, _group: unset(option),
    "reserved": reserved,
}


def _accepted(conf: Any, option: Any, group: str) -> bool:
    """Register an option, or find it registered; False if another of its name is."""
    try:
        conf.register_opt(option, group=group)
    except cfg.DuplicateOptError:
        return False
    return True


def group_of(conf: Any, name: str) -> Any:
    """Give the values of a group, live: they follow every later change of the configuration."""
    try:
        return conf[name]
    except cfg.NoSuchOptError:
        conf.register_group(cfg.OptGroup(name))
        return conf[name]


class BackendGroupConfiguration:
    """What a store reads its options from: its own group, then ``[backend_defaults]``.

    An attribute is the value of the group unless that is None; False, 0 and '' count as set.
    An unknown name raises oslo.config's NoSuchOptError, an AttributeError.
    """

    def __init__(
        self, store_opts: Iterable[Any] | None, config_group: str | None = None, conf: Any = None
    ) -> None:
        self.config_group = config_group
        self.conf = conf or cfg.CONF
        self._ensure_config_values(store_opts or ())
        self.backend_conf = group_of(self.conf, config_group) if config_group else None
        self.shared_backend_conf = group_of(self.conf, SHARED_CONF_GROUP)

    def _ensure_config_values(self, options: Iterable[Any]) -> None:
        for option in options:
            register(self.conf, [option], SHARED_CONF_GROUP)
            if self.config_group and self.config_group != SHARED_CONF_GROUP:
                self._graft(option, self.config_group)

    def _graft(self, option: Any, group: str) -> None:
        """See to it that the group says None where the operator set nothing."""
        register(self.conf, [option], group, "unset")
        if not _accepted(self.conf, option, group):
            return  # a copy, a reserved store's, or another's altogether: each is right as it is
        place = self.conf.get_location(option.name, group)
        changed = place is not None and place.location is cfg.Locations.set_default
        if option.default is not None and not changed:
            # registered plainly by its driver, and an option cannot be taken back once files are read
            self.conf.set_default(option.dest, None, group=group)

    def append_config_values(self, store_opts: Iterable[Any]) -> None:
        """Add options to the view."""
        self._ensure_config_values(store_opts)

    def set_default(self, opt_name: str, default: Any) -> None:
        """Change a default in ``[backend_defaults]``."""
        self.conf.set_default(opt_name, default, group=SHARED_CONF_GROUP)

    def get(self, key: str, default: Any = None) -> Any:
        """Give the value, or ``default`` for an unknown name."""
        try:
            return getattr(self, key)
        except AttributeError:
            return default

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copying and pickling ask before anything is there
            raise AttributeError(name)
        own = self.__dict__.get("backend_conf")
        if own is not None:
            value = getattr(own, name)
            if value is not None:
                return value
        return getattr(self.__dict__["shared_backend_conf"], name)
