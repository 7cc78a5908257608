"""From a driver's name or a URL's scheme to the driver; keeps no instances.

The drivers of this distribution are known by name; any other distribution adds its own under the
entry point group ``multistore.drivers``, each scheme and the driver's name being an entry point::

    [project.entry-points."multistore.drivers"]
    tape = "tape_store:TapeDriver"
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from multistore.config import build, resolve_secrets, shown
from multistore.driver import Driver
from multistore.errors import Misconfigured

__all__ = ["Foreign", "driver_class", "driver_names", "open_driver", "read_foreign"]

GROUP = "multistore.drivers"
#: Readers of other programs' configuration files: callables that take a path and give a ``Foreign``.
FOREIGN = "multistore.configurations"

_BUILT_IN = {
    "cinder": "multistore.drivers.cinder:CinderDriver",
    "file": "multistore.drivers.file:FileDriver",
    "filesystem": "multistore.drivers.file:FileDriver",
    "http": "multistore.drivers.http:HttpDriver",
    "https": "multistore.drivers.http:HttpDriver",
    "memory": "multistore.drivers.memory:MemoryDriver",
    "rbd": "multistore.drivers.rbd:RbdDriver",
    "s3": "multistore.drivers.s3:S3Driver",
    "s3+http": "multistore.drivers.s3:S3Driver",
    "s3+https": "multistore.drivers.s3:S3Driver",
    "swift": "multistore.drivers.swift:SwiftDriver",
    "swift+config": "multistore.drivers.swift:SwiftDriver",
    "swift+http": "multistore.drivers.swift:SwiftDriver",
    "swift+https": "multistore.drivers.swift:SwiftDriver",
}


def driver_names() -> tuple[str, ...]:
    """Give every known driver name and scheme, sorted."""
    from importlib.metadata import entry_points

    return tuple(sorted({*_BUILT_IN, *(point.name for point in entry_points(group=GROUP))}))


def driver_class(name: str) -> type[Driver]:
    """Load the driver of that name or scheme; Misconfigured if nobody provides it.

    A driver whose SDK is missing still loads: it complains, with the line to install, when it is used.
    """
    target = _BUILT_IN.get(name)
    if target is not None:
        module, _, attribute = target.partition(":")
        found = getattr(importlib.import_module(module), attribute)
    else:
        from importlib.metadata import entry_points

        points = tuple(entry_points(group=GROUP, name=name))
        if not points:
            raise Misconfigured(
                f"no driver is called '{shown(name)}'; known: {', '.join(driver_names())}",
                setting="driver",
            )
        try:
            found = points[0].load()
        except Exception as error:
            raise Misconfigured(
                f"the driver {name!r} ({points[0].value}) cannot be imported: {type(error).__name__}",
                setting="driver",
            ) from error
    if not (isinstance(found, type) and issubclass(found, Driver)):
        raise Misconfigured(f"the driver {name!r} is no multistore Driver", setting="driver")
    return found


def open_driver(target: str | Mapping[str, object], *, where: str = "settings") -> Driver:
    """Make a driver from a URL, or from a table with the key ``driver`` or ``url``; no I/O.

    A URL's query gives further settings: ``file:///srv/images?durable=false``.
    """
    values = {"url": target} if isinstance(target, str) else dict(target)
    url = values.pop("url", None)
    name = values.pop("driver", None)
    if url is not None:
        from urllib.parse import parse_qsl

        if not isinstance(url, str) or ":" not in url:
            raise Misconfigured(f"{where}: 'url' must look like SCHEME:...", setting="url")
        base, _, query = url.partition("?")
        cls = driver_class(base.partition(":")[0].lower())
        values = {
            **cls.settings_from_url(base),
            **dict(parse_qsl(query, keep_blank_values=True)),
            **values,
        }
    elif isinstance(name, str):
        cls = driver_class(name)
    else:
        raise Misconfigured(f"{where}: a store needs 'url' or 'driver'", setting="driver")
    settings: object = build(cls.settings_type, resolve_secrets(values, where=where), where=where)
    make = cast("Callable[[object], Driver]", cls)  # the constructor is part of Driver's contract
    return make(settings)


@dataclass(frozen=True, slots=True)
class Foreign:
    """The stores that another program's configuration file describes, by name.

    ``failures`` says why the others could not be opened, by name.
    """

    drivers: Mapping[str, Driver]
    weights: Mapping[str, float] = field(default_factory=dict)
    default: str | None = None
    failures: Mapping[str, str] = field(default_factory=dict)


def read_foreign(kind: str, path: str) -> Foreign:
    """Open the stores of the configuration file of another program, ``glance`` say; no store is asked for anything.

    Misconfigured if nothing installed here reads such files.
    """
    from importlib.metadata import entry_points

    points = tuple(entry_points(group=FOREIGN, name=kind))
    if not points:
        raise Misconfigured(
            f"nothing reads a configuration of {shown(kind)}: install the package glance_store of multistore",
            setting="config",
        )
    found: Foreign = points[0].load()(path)
    return found
