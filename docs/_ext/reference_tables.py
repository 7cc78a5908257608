"""The tables of the reference, read from the code: settings, capabilities, errors.

Plain data, without Sphinx, so that the tests can hold the README against them.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping

from multistore import errors
from multistore.config import Secret
from multistore.driver import Driver
from multistore.model import Capabilities, Verb
from multistore.registry import driver_class, driver_names, open_driver

#: The least that opens each driver of this distribution; opening does no I/O.
SAMPLES: Mapping[str, str] = {
    "cinder": "cinder://fast?lock_path=/var/lib/multistore/locks",
    "file": "file:///srv/images",
    "http": "https://images.example.org/",
    "memory": "memory:",
    "rbd": "rbd://images",
    "s3": "s3://images",
    "swift": "swift+https://keystone.example/v3/images",
}

Rows = list[tuple[str, ...]]


def drivers() -> dict[str, type[Driver]]:
    """Give the drivers of this distribution, each under its first scheme."""
    found: dict[str, type[Driver]] = {}
    for name in driver_names():
        cls = driver_class(name)
        if cls.__module__.startswith("multistore."):
            found.setdefault(cls.schemes[0], cls)
    return found


def capability_rows() -> Rows:
    """Give one row per driver, the heading first."""
    rows: Rows = [
        (
            "store", "put", "delete", "list", "usage", "ranged read", "parts at once",
            "keeps holes", "one winner per name",
        )
    ]  # fmt: skip
    for name in drivers():
        has = open_driver(SAMPLES[name]).capabilities
        rows.append((f"`{name}`", *_marks(has)))
    return rows


def _marks(has: Capabilities) -> tuple[str, ...]:
    def mark(value: object) -> str:
        return "yes" if value else "no"

    return (
        *(mark(has.verbs & verb) for verb in (Verb.WRITE, Verb.DELETE, Verb.LIST, Verb.USAGE)),
        mark(has.ranged_read),
        str(has.parallel_parts) if has.verbs & Verb.WRITE else "-",
        mark(has.sparse),
        mark(has.exclusive_create),
    )


def setting_rows(driver: type[Driver]) -> Rows:
    """Give one row per setting of a driver, the heading first."""
    rows: Rows = [("setting", "type", "default", "meaning")]
    hints = typing.get_type_hints(driver.settings_type)
    for field in dataclasses.fields(driver.settings_type):
        if not field.init:
            continue
        kind = _type_name(hints[field.name], field.metadata.get("unit", ""))
        rows.append((f"`{field.name}`", kind, _default(field), _meaning(field)))
    return rows


def _type_name(hint: typing.Any, unit: str) -> str:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        (hint,) = (each for each in typing.get_args(hint) if each is not type(None))
    origin = typing.get_origin(hint)
    if origin is tuple:
        return f"list of {_type_name(typing.get_args(hint)[0], '')}"
    if origin is not None:
        return "table"
    if hint in (int, float) and unit:
        return unit
    names: dict[object, str] = {
        str: "text", bool: "true or false", int: "number", float: "number", Secret: "secret text",
    }  # fmt: skip
    return names.get(hint, getattr(hint, "__name__", str(hint)))


def _default(field: dataclasses.Field[typing.Any]) -> str:
    if field.default is dataclasses.MISSING:
        return "required" if field.default_factory is dataclasses.MISSING else "empty"
    if field.default is None or field.default == ():
        return "none"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    if isinstance(field.default, int) and field.metadata.get("unit") == "bytes":
        return f"`{_size(field.default)}`"
    if isinstance(field.default, float):
        return f"`{field.default:g}`"
    return f"`{field.default}`"


def _size(count: int) -> str:
    for power, letter in ((5, "P"), (4, "T"), (3, "G"), (2, "M"), (1, "K")):
        if count and count % 1024**power == 0:
            return f"{count // 1024**power}{letter}iB"
    return str(count)


def _meaning(field: dataclasses.Field[typing.Any]) -> str:
    text = str(field.metadata.get("help", ""))
    if choices := field.metadata.get("choices"):
        text += f"; one of {', '.join(f'`{each}`' for each in choices)}"
    low, high = field.metadata.get("minimum"), field.metadata.get("maximum")
    if low is not None:
        text += f"; at least {low:g}"
    if high is not None:
        text += f"; at most {high:g}"
    return text


def error_rows() -> Rows:
    """Give one row per error class, the heading first: its exit code, whether to retry, its contract."""
    rows: Rows = [("error", "exit code", "retry", "meaning")]
    for name in errors.__all__:
        cls = getattr(errors, name)
        summary = (cls.__doc__ or "").partition("\n\n")[0].replace("``", "`").replace("\n", " ")
        retry = "yes" if cls.retryable else "no"
        rows.append((f"`{name}`", str(cls.exit_code), retry, " ".join(summary.split())))
    return rows


def markdown(rows: Rows) -> str:
    """Write rows as a Markdown table."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines) + "\n"
