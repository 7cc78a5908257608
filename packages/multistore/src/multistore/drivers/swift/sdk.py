"""Finding the libraries that this driver needs, at first use."""

from __future__ import annotations

import importlib
import ssl
from functools import cache
from types import SimpleNamespace
from typing import Any

from multistore.drivers.swift.settings import SwiftSettings
from multistore.errors import Misconfigured

__all__ = ["load", "trust"]

_MODULES = {
    "client": "swiftclient.client",
    "requests": "requests",
    "urllib3": "urllib3",
    "session": "keystoneauth1.session",
    "v3": "keystoneauth1.identity.v3",
    "errors": "keystoneauth1.exceptions",
    "plugin": "keystoneauth1.token_endpoint",
}


@cache
def load() -> Any:
    """Import the libraries; Misconfigured, with what to install, if one is missing."""
    found = SimpleNamespace()
    for name, module in _MODULES.items():
        try:
            setattr(found, name, importlib.import_module(module))
        except ModuleNotFoundError as error:
            raise Misconfigured(
                f"a Swift store needs python-swiftclient and keystoneauth1, and {error.name} is missing: "
                "pip install 'multistore[swift]'",
                setting="driver",
            ) from error
    return found


def trust(settings: SwiftSettings) -> str | bool:
    """Give what the library verifies servers with: a file, or whether at all; never what the environment says."""
    if not settings.verify:
        return False
    paths = ssl.get_default_verify_paths()
    return settings.ca_file or paths.cafile or paths.capath or True
