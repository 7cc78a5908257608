"""Making stores: which ones are wanted, their options, their drivers, their configuration.

One store that cannot be made never keeps the others from coming up.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from oslo_config import cfg

from glance_store import exceptions
from glance_store._config import register
from glance_store._loading import driver_class, shape_for
from glance_store._lock import ForkSafeLock
from glance_store._options import core
from glance_store._redact import redact_text
from glance_store.i18n import _

__all__ = [
    "LOCK",
    "Info",
    "Made",
    "configure",
    "enabled",
    "load",
    "load_each",
    "register_group",
    "revive",
    "valid_identifier",
]

LOG = logging.getLogger(__name__)

#: Held while stores are made and put in place; never while one is looked up.
LOCK = ForkSafeLock()

Info = dict[str, Any]

_NOT_IDENTIFIERS = ("DEFAULT", core.GROUP, core.SHARED_GROUP)


@dataclass(frozen=True, slots=True)
class Made:
    """A store that is ready, and what the maps say of it."""

    entry: str
    store: Any
    identifier: str | None
    schemes: tuple[str, ...]
    location_class: type[Any]

    def info(self) -> Info:
        """Make an entry for the maps, a new one for each scheme."""
        return {
            "store": self.store,
            "location_class": self.location_class,
            "store_entry": self.entry,
        }


# -- what there is to make -----------------------------------------------------------------------


def enabled(conf: Any) -> dict[str, str]:
    """Give identifier and type of every configured store, in order: a copy, empty if nothing is configured."""
    try:
        return dict(conf.enabled_backends or {})
    except cfg.NoSuchOptError:
        return {}


def valid_identifier(identifier: str) -> bool:
    """Say whether a store may have that identifier; why not is logged."""
    if identifier == _NOT_IDENTIFIERS[0] or identifier.lower() in _NOT_IDENTIFIERS[1:]:
        LOG.error(
            "a store cannot be called %s: the section of that name has another meaning; "
            "give it another identifier in enabled_backends",
            identifier,
        )
        return False
    return True


def register_group(conf: Any, identifier: str, cls: type[Any], *, is_reserved: bool) -> None:
    """Register the options of a store's driver in the store's own group."""
    shape = "reserved" if is_reserved else shape_for(cls)
    register(conf, getattr(cls, "OPTIONS", None), identifier, shape)


# -- making --------------------------------------------------------------------------------------


def load(conf: Any, entry: str, identifier: str | None, *, invoke: bool = True) -> Any:
    """Make a store, or give its class; None, with a warning, if no driver is called ``entry``.

    Other errors come through.
    """
    try:
        cls = driver_class(entry)
        if not invoke:
            return cls
        return cls(conf, identifier) if identifier else cls(conf)
    except RuntimeError as error:
        LOG.warning(
            "%s is left out, its driver cannot be loaded: %s",
            _name(entry, identifier),
            redact_text(error),
        )
        return None


def load_each(
    wanted: Iterable[tuple[str, str | None]], make: Callable[[str, str | None], Any]
) -> Iterator[tuple[str, Any, str | None]]:
    """Make one store after the other; one that fails is logged and left out."""
    for entry, identifier in wanted:
        try:
            store = make(entry, identifier)
        except Exception as error:
            _log_failure(entry, identifier, "cannot be made", error)
            continue
        if store is not None:
            yield entry, store, identifier


def configure(loaded: Iterable[tuple[str, Any, str | None]]) -> list[Made]:
    """Configure the stores; one that fails is logged and left out, one without schemes is BackendException."""
    made = []
    for entry, store, identifier in loaded:
        one = _configure_one(entry, store, identifier)
        if one is not None:
            made.append(one)
    return made


def _configure_one(entry: str, store: Any, identifier: str | None) -> Made | None:
    try:
        schemes = tuple(store.get_schemes())
        store.configure(re_raise_bsc=False)
        if schemes:
            place = store.get_store_location_class()
            return Made(entry, store, identifier, schemes, place)
    except NotImplementedError:
        LOG.info("%s is left out: its driver is not complete", _name(entry, identifier))
        return None
    except Exception as error:
        _log_failure(entry, identifier, "cannot be configured", error)
        return None
    raise exceptions.BackendException(
        _("%s has no schemes: its driver is broken") % _name(entry, identifier)
    )


def _log_failure(entry: str, identifier: str | None, what: str, error: Exception) -> None:
    LOG.error(
        "%s %s and is left out: %s: %s",
        _name(entry, identifier),
        what,
        type(error).__name__,
        redact_text(error),
    )
    trace = "".join(traceback.format_exception(error))
    LOG.debug("%s", redact_text(trace))


def _name(entry: str, identifier: str | None) -> str:
    return f"the store {identifier} of type {entry}" if identifier else f"the store of type {entry}"


def revive(infos: Iterable[Info], conf: Any, identifier: str | None) -> Any:
    """Make the store of map entries that have none, and put it into them; None, with a log line, if that fails."""
    with LOCK:
        entries = list(infos)
        there = [info["store"] for info in entries if info["store"] is not None]
        # another thread may have been faster, or another scheme of the store still has it
        store = there[0] if there else _make_anew(entries[0]["store_entry"], conf, identifier)
        for info in entries:
            info["store"] = store
        return store


def _make_anew(entry: str, conf: Any, identifier: str | None) -> Any:
    loaded = load_each([(entry, identifier)], lambda e, i: load(conf, e, i))
    try:
        made = configure(loaded)
    except exceptions.BackendException as error:
        LOG.error("%s", error)  # noqa: TRY400  # the text says it all
        return None
    return made[0].store if made else None
