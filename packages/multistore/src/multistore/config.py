"""Typed settings: from a URL, a mapping or a TOML table to one frozen dataclass per driver.

A driver declares its settings once, as a frozen dataclass whose fields are made by ``option``; parsing, the
error messages and the generated reference all come from there.

No message shows the value of a setting, whatever its type: a password may stand in the wrong place.
The setting is named, an entry of a list by its place; names and paths go through ``shown``.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from multistore.errors import Misconfigured

__all__ = ["Secret", "build", "option", "parse_size", "resolve_secrets", "shown"]

S = TypeVar("S")

_UNITS = {"": 1, "B": 1}
for _power, _letter in enumerate("KMGTP", start=1):
    _UNITS[_letter] = _UNITS[_letter + "iB"] = 1024**_power
    _UNITS[_letter + "B"] = 1000**_power

#: What sets a password, a signature or a query off (``:@?=&;%#``) is not among these characters.
_PLAIN = re.compile(r"[\w ./+,~-]*")
_SHOWN = 200  # characters


class Secret:
    """A text that is never shown: ``str`` and ``repr`` give asterisks, ``reveal`` the text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text itself, for the wire and nothing else."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))


def option(
    default: Any = dataclasses.MISSING,
    *,
    help: str,
    unit: str = "",
    choices: Sequence[str] = (),
    minimum: float | None = None,
    maximum: float | None = None,
) -> Any:
    """Declare one setting of a driver: a dataclass field that knows its own documentation.

    ``unit`` is ``bytes``, ``seconds`` or empty; byte values may be written ``8MiB``.
    """
    return dataclasses.field(
        default=default,
        metadata={
            "help": help,
            "unit": unit,
            "choices": tuple(choices),
            "minimum": minimum,
            "maximum": maximum,
        },
    )


def build(cls: type[S], values: Mapping[str, object], *, where: str) -> S:
    """Make the settings ``cls`` from raw values; Misconfigured names the setting and ``where`` it stands.

    Texts are converted to the declared types, so that a URL's query and a TOML table are read alike.
    """
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}  # type: ignore[arg-type]
    for name in values:
        if name not in fields:
            import difflib

            close = difflib.get_close_matches(name, fields, n=1)
            hint = f", did you mean {close[0]!r}?" if close else f"; known: {', '.join(fields)}"
            # Names of settings are in lower case; what is not, nor like one, may be a token without its name.
            told = shown(name) if close or name.islower() else "***"
            raise Misconfigured(f"{where}: unknown setting '{told}'{hint}", setting=told)
    hints = typing.get_type_hints(cls)
    made: dict[str, object] = {}
    for name, field in fields.items():
        if name in values:
            made[name] = _convert(values[name], hints[name], field, where)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise Misconfigured(f"{where}: setting {name!r} is missing", setting=name)
    return cls(**made)


def shown(text: str) -> str:
    """Give a name or a path for a message: as it is, long ones cut, or ``***`` if a password could be in it.

    For what must be told to be of help: the name of a setting or of a variable, a path, a name that was not found.
    A URL with a user or a query is never plain enough; neither is anything that a terminal would not print as it is.
    """
    if not _PLAIN.fullmatch(text):
        return "***"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def parse_size(text: str) -> int:
    """Read a number of bytes such as ``65536``, ``8MiB`` or ``1.5G``; ValueError, without quoting it, otherwise."""
    number = text.strip().rstrip("BiKMGTPbkmgtp")
    unit = text.strip()[len(number) :].strip()
    unit = unit[:1].upper() + unit[1:]
    if unit in _UNITS and number.strip().isdecimal():
        return int(number) * _UNITS[unit]  # a float holds no more than 53 bits
    try:
        size = float(number) * _UNITS[unit]
    except (ValueError, KeyError):
        size = math.nan
    if not math.isfinite(size) or size < 0 or size != int(size):
        raise ValueError("this is no size in bytes such as 65536, 8MiB or 1.5G")
    return int(size)


def resolve_secrets(values: Mapping[str, object], *, where: str) -> dict[str, object]:
    """Replace each ``{env = "NAME"}`` and ``{file = "PATH"}`` by what it points at.

    A file's text is taken without its final line break.
    """
    return {name: _resolve(name, value, where) for name, value in values.items()}


def _resolve(name: str, value: object, where: str) -> object:
    if not (isinstance(value, Mapping) and len(value) == 1 and {"env", "file"} & set(value)):
        return value
    ((kind, source),) = value.items()
    source = str(source)
    wants = f"{where}: setting '{shown(name)}' wants the"
    if kind == "env":
        if (text := os.environ.get(source)) is None:
            raise Misconfigured(
                f"{wants} environment variable '{shown(source)}', which is not set",
                setting=shown(name),
            )
        return text
    try:
        with open(source, encoding="utf-8") as file:
            return file.read().removesuffix("\n")
    except (OSError, ValueError) as error:  # a NUL in the path, or no UTF-8 in the file
        why = getattr(error, "strerror", None) or type(error).__name__
        # The error itself would quote the path, or what is in the file.
        raise Misconfigured(
            f"{wants} file '{shown(source)}', which cannot be read: {why}", setting=shown(name)
        ) from None


def _convert(value: object, hint: Any, field: dataclasses.Field[Any], where: str) -> object:
    """Convert one raw value."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        if value is None:
            return None
        (hint,) = (arg for arg in typing.get_args(hint) if arg is not type(None))
    try:
        made = _to_type(value, hint, field.metadata.get("unit", ""))
    except (ValueError, TypeError, KeyError, OverflowError):
        wanted = field.metadata.get("unit") or getattr(hint, "__name__", str(hint))
        raise Misconfigured(
            f"{where}: setting {field.name!r} must be a value of type {wanted}", setting=field.name
        ) from None
    _check_range(made, field, where)
    return made


def _to_type(value: object, hint: Any, unit: str) -> object:
    origin = typing.get_origin(hint)
    if origin is tuple:
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, list | tuple):
            raise TypeError
        inner = typing.get_args(hint)[0]
        return tuple(_to_type(item, inner, "") for item in items)
    if origin is not None:  # Mapping[str, str]
        if not isinstance(value, Mapping):
            raise TypeError
        return types.MappingProxyType({str(key): str(item) for key, item in value.items()})
    if hint is Secret:
        return value if isinstance(value, Secret) else Secret(_text(value))
    if hint is bool:
        return value if isinstance(value, bool) else _BOOLS[_text(value).lower()]
    if hint is int:
        if isinstance(value, bool):
            raise TypeError
        return value if isinstance(value, int) else _integer(_text(value), unit)
    if hint is float:
        if isinstance(value, bool):
            raise TypeError
        return float(value) if isinstance(value, int | float) else float(_text(value))
    return os.fspath(value) if isinstance(value, os.PathLike) else _text(value)


_BOOLS = {
    "true": True, "yes": True, "on": True, "1": True,
    "false": False, "no": False, "off": False, "0": False,
}  # fmt: skip


def _integer(text: str, unit: str) -> int:
    return parse_size(text) if unit == "bytes" else int(text)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _check_range(value: object, field: dataclasses.Field[Any], where: str) -> None:
    choices = field.metadata.get("choices", ())
    low, high = field.metadata.get("minimum"), field.metadata.get("maximum")
    problem = ""
    if choices and value not in choices:
        problem = f"must be one of {', '.join(choices)}"
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if math.isnan(value) or (low is not None and value < low):
            problem = f"must be at least {low or 0:g}"
        elif high is not None and value > high:
            problem = f"must be at most {high:g}"
    if problem:
        raise Misconfigured(f"{where}: setting {field.name!r} {problem}", setting=field.name)
