"""The refusal to run over what another distribution of ``glance_store`` left in the same folder.

Mixed files import without complaint and then fail in the middle of an upload, so the mix is refused at import.
"""

from __future__ import annotations

import os
import re

__all__ = ["check"]

#: Everything of ours in the package's folder; a test compares.
OURS = frozenset(
    {
        "__init__.py",
        "_adapter.py",
        "_config.py",
        "_drivers",
        "_errors.py",
        "_foreign.py",
        "_leftovers.py",
        "_loading.py",
        "_lock.py",
        "_maps.py",
        "_metadata.py",
        "_options",
        "_redact.py",
        "_registry.py",
        "_search.py",
        "_streams.py",
        "_version.py",
        "backend.py",
        "capabilities.py",
        "common",
        "driver.py",
        "exceptions.py",
        "i18n.py",
        "location.py",
        "multi_backend.py",
        "py.typed",
    }
)

_CODE = (".py", ".pyc", ".so")
_METADATA = re.compile(r"glance[_-]store-\d.*\.(dist|egg)-info", re.IGNORECASE)
#: The local part of our versions.
_LABEL = "+multistore"


def check(folder: str) -> None:
    """Return if the package's folder holds our files only; ImportError with the next step otherwise.

    Two directories are listed, nothing is read.
    """
    strangers = [
        name
        for name in _entries(folder)
        if name not in OURS and not name.startswith((".", "__pycache__")) and _matters(folder, name)
    ]
    site = os.path.dirname(folder)
    others = [name for name in _entries(site) if _is_metadata_of_others(name)]
    if strangers or others:
        found = ", ".join(sorted(strangers)[:5] + sorted(others))
        raise ImportError(
            f"another distribution of glance_store left files in {folder}: {found}. "
            "Run `pip uninstall glance_store` until nothing is left to uninstall (and remove the package of the "
            f"operating system, if there is one), delete {folder}, then install this distribution again."
        )


def _entries(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:  # imported from an archive
        return []


def _matters(folder: str, name: str) -> bool:
    return name.endswith(_CODE) or os.path.isdir(os.path.join(folder, name))


def _is_metadata_of_others(name: str) -> bool:
    return bool(_METADATA.fullmatch(name)) and _LABEL not in name
