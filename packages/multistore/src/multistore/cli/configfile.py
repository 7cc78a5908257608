"""multistore.toml: which stores there are, and where the catalog is."""

from __future__ import annotations

import difflib
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from multistore.config import build
from multistore.errors import Misconfigured
from multistore.layers.stack import StoreOptions

__all__ = ["Configuration", "find", "load"]

NAME = "multistore.toml"
#: Settings of the drivers that are paths.
_PATHS = ("path", "ca_file", "client_cert", "client_key")
_KEYS = ("catalog", "default", "minimum", "options", "stores")


@dataclass(frozen=True)
class Configuration:
    """What the command line works on.

    ``stores`` maps names to raw settings, ``default`` are the stores that a put goes into (empty: all that
    can be written), ``path`` is the file that all of
    it came from, None without one.
    """

    catalog: str
    stores: Mapping[str, Mapping[str, object]]
    weights: Mapping[str, float] = field(default_factory=dict)
    default: tuple[str, ...] = ()
    minimum: int | None = None
    options: StoreOptions = field(default_factory=StoreOptions)
    path: Path | None = None


def find(given: str | None) -> Path | None:
    """Find the file: the one that is given, then ``MULTISTORE_CONFIG``, then here, then the user's."""
    named = given or os.environ.get("MULTISTORE_CONFIG")
    if named:
        path = Path(named)
        if path.is_dir():
            raise Misconfigured(f"{named} is a directory: name the file in it", setting="config")
        if not path.exists():
            raise Misconfigured(f"the configuration file {named} is not there", setting="config")
        return path  # a pipe will do, too
    home = _base("XDG_CONFIG_HOME", ".config")
    candidates = (Path(NAME), Path(home, "multistore", NAME))
    return next((path for path in candidates if path.is_file()), None)


def load(given: str | None) -> Configuration:
    """Read the configuration; without any there is a file store and a catalog below the user's data directory."""
    path = find(given)
    if path is None:
        data = os.path.join(_base("XDG_DATA_HOME", ".local/share"), "multistore")
        images: dict[str, object] = {"driver": "file", "path": os.path.join(data, "images")}
        return Configuration(
            os.path.join(data, "catalog.db"), {"local": images}, default=("local",)
        )
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{path}: {error}", setting="config") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise Misconfigured(f"{path} cannot be read: {reason}", setting="config") from None
    return _read(table, path)


def _base(variable: str, below: str) -> str:
    """Give one of the user's directories; a relative path in the variable does not count, as its specification says."""
    given = os.environ.get(variable, "")
    return given if os.path.isabs(given) else os.path.join(_home(), below)


def _home() -> str:
    home = os.path.expanduser("~")
    if not os.path.isabs(home):
        raise Misconfigured(
            "there is no home directory: set HOME, XDG_DATA_HOME, or name a file with --config",
            setting="config",
        )
    return home


def _read(table: Mapping[str, Any], path: Path) -> Configuration:
    for key in table:
        if key not in _KEYS:
            close = difflib.get_close_matches(key, _KEYS, n=1)
            hint = f", did you mean {close[0]!r}?" if close else f"; known: {', '.join(_KEYS)}"
            raise Misconfigured(f"{path}: unknown key {key!r}{hint}", setting=key)
    folder = os.path.dirname(os.path.abspath(path))
    stores, weights = _stores(table.get("stores"), folder, path)
    default = _names(table["default"], stores, path) if "default" in table else ()
    minimum = table.get("minimum")
    if minimum is not None and (
        type(minimum) is not int or not 1 <= minimum <= len(default or stores)
    ):
        raise Misconfigured(
            f"{path}: 'minimum' is a number from 1 to that of the default stores", setting="minimum"
        )
    catalog = table.get("catalog", "catalog.db")
    if not isinstance(catalog, str) or not catalog:
        raise Misconfigured(f"{path}: 'catalog' must be the path of a file", setting="catalog")
    options = table.get("options", {})
    if not isinstance(options, Mapping):
        raise Misconfigured(f"{path}: 'options' must be a table", setting="options")
    return Configuration(
        os.path.join(folder, os.path.expanduser(catalog)),
        stores,
        weights,
        default,
        minimum,
        build(StoreOptions, options, where=f"{path}: options"),
        path,
    )


def _stores(
    tables: object, folder: str, path: Path
) -> tuple[dict[str, Mapping[str, object]], dict[str, float]]:
    if not isinstance(tables, Mapping) or not tables:
        raise Misconfigured(f"{path}: there is no table [stores.NAME]", setting="stores")
    stores: dict[str, Mapping[str, object]] = {}
    weights: dict[str, float] = {}
    for name, table in tables.items():
        if not isinstance(table, Mapping):
            raise Misconfigured(f"{path}: [stores.{name}] must be a table", setting=name)
        settings = dict(table)
        weight = settings.pop("weight", 0)
        if type(weight) not in (int, float) or not math.isfinite(weight):
            raise Misconfigured(
                f"{path}: [stores.{name}] 'weight' must be a number", setting="weight"
            )
        weights[name] = weight
        stores[name] = {key: _placed(key, value, folder) for key, value in settings.items()}
    return stores, weights


def _placed(key: str, value: object, folder: str) -> object:
    """Take relative paths as relative to the file that they stand in."""
    if key == "url" and isinstance(value, str):
        scheme, colon, rest = value.partition(":")
        if colon and scheme in ("file", "filesystem") and not rest.startswith("/"):
            return f"{scheme}:{os.path.join(folder, os.path.expanduser(rest))}"
    if isinstance(value, Mapping) and set(value) == {"file"}:  # a secret
        return {"file": _placed("path", value["file"], folder)}
    if key in _PATHS and isinstance(value, str):
        return os.path.join(folder, os.path.expanduser(value))
    if key == "paths" and isinstance(value, list | tuple):
        return [
            os.path.join(folder, os.path.expanduser(each)) if isinstance(each, str) else each
            for each in value
        ]
    return value


def _names(names: object, stores: Mapping[str, object], path: Path) -> tuple[str, ...]:
    if not isinstance(names, list) or not names or not all(isinstance(each, str) for each in names):
        raise Misconfigured(f"{path}: 'default' must be a list of stores", setting="default")
    for name in names:
        if name not in stores:
            known = ", ".join(stores)
            raise Misconfigured(
                f"{path}: 'default' names the store {name!r}; known: {known}", setting="default"
            )
    return tuple(names)
