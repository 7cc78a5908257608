"""Driver classes by name: the own ones from a table, the others' through their entry points.

The table saves the scan of every installed distribution, which is most of what starting used to cost.
A test compares it with the entry points that this distribution declares.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
import sys
from collections.abc import Iterable
from typing import Any, cast

from glance_store import exceptions
from glance_store._redact import redact_text
from glance_store.i18n import _

__all__ = ["GROUP", "OWN", "driver_class", "known_drivers", "shape_for"]

LOG = logging.getLogger(__name__)

GROUP = "glance_store.drivers"

OWN = {
    "cinder": "glance_store._drivers.cinder:Store",
    "file": "glance_store._drivers.filesystem:Store",
    "http": "glance_store._drivers.http:Store",
    "rbd": "glance_store._drivers.rbd:Store",
    "s3": "glance_store._drivers.s3:Store",
    "swift": "glance_store._drivers.swift:Store",
    "glance.store.cinder.Store": "glance_store._drivers.cinder:Store",
    "glance.store.filesystem.Store": "glance_store._drivers.filesystem:Store",
    "glance.store.http.Store": "glance_store._drivers.http:Store",
    "glance.store.rbd.Store": "glance_store._drivers.rbd:Store",
    "glance.store.s3.Store": "glance_store._drivers.s3:Store",
    "glance.store.swift.Store": "glance_store._drivers.swift:Store",
}

#: Refused with a reason, unless another distribution provides them.
_NOT_PROVIDED = ("vmware", "glance.store.vmware_datastore.Store")

_cache: dict[str, Any] = {}


def driver_class(name: str) -> type[Any]:
    """Load the driver of that name: RuntimeError if nobody provides one, BadStoreConfiguration if it is refused.

    What the import of its module raises comes through.
    """
    target = OWN.get(name)
    if target is not None:
        module, _colon, attribute = target.partition(":")
        return cast("type[Any]", getattr(importlib.import_module(module), attribute))
    for point in _entry_points():
        if point.name == name:
            return cast("type[Any]", point.load())
    if name in _NOT_PROVIDED:
        raise exceptions.BadStoreConfiguration(
            store_name=name,
            reason=_(
                "the vmware datastore is not provided by this distribution; "
                "keep using release 5.7.0 of glance_store for it"
            ),
        )
    raise RuntimeError(
        f"no driver is called {name!r}; known: {', '.join(sorted({*OWN, *_names()}))}"
    )


def known_drivers() -> dict[str, type[Any]]:
    """Give every driver class once, under one name: the one without dots where there is one, sorted.

    Found out once per process; a driver that cannot be imported is logged and left out.
    """
    points = _entry_points()
    if _cache.get("points of the listing") is not points:
        _cache["listing"] = _load_all({*OWN, *(point.name for point in points)})
        _cache["points of the listing"] = points
    return cast("dict[str, type[Any]]", _cache["listing"])


def _load_all(names: Iterable[str]) -> dict[str, type[Any]]:
    by_class: dict[type[Any], str] = {}
    for name in sorted(names, key=lambda name: ("." in name, name)):
        try:
            by_class.setdefault(driver_class(name), name)
        except Exception as error:
            LOG.warning(
                "the driver %s cannot be loaded, its options are not listed: %s: %s",
                name,
                type(error).__name__,
                redact_text(error),
            )
    return {name: cls for cls, name in sorted(by_class.items(), key=lambda item: item[1])}


def _names() -> list[str]:
    return [point.name for point in _entry_points()]


def _entry_points() -> tuple[importlib.metadata.EntryPoint, ...]:
    """Give the drivers that are installed, read once for each search path."""
    path = tuple(sys.path)
    if _cache.get("path") != path:
        _cache["points"] = tuple(importlib.metadata.entry_points(group=GROUP))
        _cache["path"] = path
    return cast("tuple[importlib.metadata.EntryPoint, ...]", _cache["points"])


def shape_for(cls: type) -> str:
    """Say how the options of a driver are registered in a store's group.

    The own drivers read through the view, so that None may mean "not set" there; drivers of other distributions may
    read the group itself, and find the defaults there until they make a view.
    """
    own = any(base.__module__.startswith("glance_store._") for base in cls.__mro__)
    return "unset" if own else "plain"
