"""The tables of the options of glance_store, read from the lists that the package registers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from glance_store._options import cinder, core, filesystem, http, rbd, s3, swift
from reference_tables import Rows

#: Page names of the option lists.
LISTS: dict[str, list[Any]] = {
    "core": [*core.MULTI_STORE, *core.SINGLE_STORE],
    "store": core.PER_STORE,
    "file": filesystem.OPTIONS,
    "http": http.OPTIONS,
    "s3": s3.OPTIONS,
    "cinder": cinder.OPTIONS,
    "swift": swift.OPTIONS,
    "rbd": rbd.OPTIONS,
}


def option_rows(options: Iterable[Any]) -> Rows:
    """Give one row per option, the heading first."""
    rows: Rows = [("option", "type", "default", "meaning")]
    rows += [
        (f"`{option.name}`", _type_of(option), _default_of(option), _meaning_of(option))
        for option in options
    ]
    return rows


def _type_of(option: Any) -> str:
    names = {
        "StrOpt": "text",
        "IntOpt": "number",
        "FloatOpt": "number",
        "BoolOpt": "true or false",
        "ListOpt": "list",
        "DictOpt": "pairs",
        "MultiStrOpt": "text, several times",
    }
    return names[type(option).__name__]


def _default_of(option: Any) -> str:
    if option.default is None or option.default in ([], {}):
        return "none"
    if isinstance(option.default, bool):
        return f"`{str(option.default).lower()}`"
    if isinstance(option.default, list):
        return f"`{','.join(map(str, option.default))}`"
    return f"`{option.default}`"


def _meaning_of(option: Any) -> str:
    text = " ".join(re.sub(r"``", "`", option.help or "").split())
    if option.deprecated_for_removal:
        why = " ".join(re.sub(r"``", "`", option.deprecated_reason or "").split())
        text += f" *Deprecated since {option.deprecated_since}:* {why}"
    return text
