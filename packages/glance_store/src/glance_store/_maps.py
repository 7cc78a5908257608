"""The stores in their places: swapped into the maps at once, and found there again.

What is looked up is always read from the maps in ``glance_store.location``, which consumers replace and fill themselves:
there is no index beside them.
"""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from glance_store import location
from glance_store._redact import redact
from glance_store._registry import Info, Made

__all__ = [
    "STATE",
    "conf_in_use",
    "find",
    "find_all",
    "install_multi",
    "install_single",
    "prefix_of",
    "warn_of_shared_places",
]

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Creation:
    """The last creation of stores: its configuration, and the map that came of it."""

    conf: Any
    stores: Any


class State:
    """What is remembered between calls: which stores were made here, and from which configuration."""

    def __init__(self) -> None:
        self.made: list[weakref.ref[Any]] = []
        self.multi: Creation | None = None
        self.single: Creation | None = None


STATE = State()


# -- putting in place ----------------------------------------------------------------------------


def install_single(made: list[Made], conf: Any) -> None:
    """Put the stores in place by scheme; those made earlier from this configuration go."""
    stores = {
        scheme: info
        for scheme, info in location.SCHEME_TO_CLS_MAP.items()
        if not _was_made_for(info, conf)
    }
    for one in made:
        stores.update((scheme, one.info()) for scheme in one.schemes)
    _remember(made)
    location.SCHEME_TO_CLS_MAP = stores
    STATE.single = Creation(conf, stores)


def install_multi(made: list[Made], conf: Any, wanted: Iterable[str], keep: Iterable[str]) -> None:
    """Put the stores in place by scheme and identifier.

    Whatever had one of the ``wanted`` identifiers goes, also where the new store failed, and so do the stores
    made earlier from this configuration, but for those to ``keep``.
    """
    gone, kept = set(wanted), set(keep)
    stores = {
        scheme: {
            identifier: info
            for identifier, info in by_identifier.items()
            if identifier not in gone and (identifier in kept or not _was_made_for(info, conf))
        }
        for scheme, by_identifier in location.SCHEME_TO_CLS_BACKEND_MAP.items()
    }
    for one in made:
        for scheme in one.schemes:
            stores.setdefault(scheme, {})[str(one.identifier)] = one.info()
    _remember(made)
    ordered = {
        scheme: _longest_prefix_first(by_identifier)
        for scheme, by_identifier in stores.items()
        if by_identifier
    }
    location.SCHEME_TO_CLS_BACKEND_MAP = ordered
    STATE.multi = Creation(conf, ordered)


def _longest_prefix_first(by_identifier: Mapping[str, Info]) -> dict[str, Info]:
    """Order stores so that the first whose ``url_prefix`` begins a location is the right one: consumers compare so."""
    return dict(
        sorted(by_identifier.items(), key=lambda item: -len(prefix_of(item[1].get("store")) or ""))
    )


def _was_made_for(info: Info, conf: Any) -> bool:
    """Say whether a store was made here, from that configuration."""
    store = info.get("store")
    return getattr(store, "conf", None) is conf and any(ref() is store for ref in STATE.made)


def _remember(made: list[Made]) -> None:
    STATE.made = [ref for ref in STATE.made if ref() is not None]
    STATE.made += [weakref.ref(one.store) for one in made]


def warn_of_shared_places(made: list[Made]) -> None:
    """Log where two stores keep their images in one place: deleting from one deletes the other's."""
    places: dict[str, str | None] = {}
    for one in made:
        prefix = prefix_of(one.store)
        if prefix is None or "://" not in prefix:
            continue
        place = prefix.rstrip("/")
        if place.startswith("file://"):
            place = os.path.realpath(place.removeprefix("file://"))
        other = places.setdefault(place, one.identifier)
        if other != one.identifier:
            LOG.warning(
                "the stores %s and %s keep their images in the same place, %s: "
                "what is deleted from one is gone from the other; give each its own",
                other,
                one.identifier,
                redact(prefix),
            )


# -- looking up ----------------------------------------------------------------------------------


def find(identifier: str) -> Info | None:
    """Give what the maps say of a store, None if it is not there: a few reads of dictionaries."""
    for by_identifier in location.SCHEME_TO_CLS_BACKEND_MAP.values():
        if identifier in by_identifier:
            return by_identifier[identifier]
    return None


def find_all(identifier: str) -> list[Info]:
    """Give the entries of a store in the maps, one for each of its schemes."""
    return [
        by_identifier[identifier]
        for by_identifier in location.SCHEME_TO_CLS_BACKEND_MAP.values()
        if identifier in by_identifier
    ]


def prefix_of(store: Any) -> str | None:
    """Give the ``url_prefix`` of a store, None if there is none."""
    prefix = getattr(store, "url_prefix", None)
    return prefix if isinstance(prefix, str) and prefix else None


def conf_in_use(
    creation: Creation | None, current: Any, infos: Iterable[Info], default: Any
) -> Any:
    """Give the configuration that the stores were made with; ``default`` once a consumer has put others in their place."""
    if creation is None:
        return default
    if creation.stores is current or any(_was_made_for(info, creation.conf) for info in infos):
        return creation.conf
    return default
