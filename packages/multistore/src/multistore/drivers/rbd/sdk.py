"""Finding the vendor's modules, ``rados`` and ``rbd``, which come with the distribution and are on no package index."""

from __future__ import annotations

import glob
import importlib
import os
import sys
from dataclasses import dataclass
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from types import ModuleType
from typing import Any

from multistore.errors import Misconfigured

__all__ = ["Sdk", "load"]


@dataclass(frozen=True, slots=True)
class Sdk:
    """The two modules, or stand-ins for them."""

    rados: Any
    rbd: Any


def load(place: str) -> Sdk:
    """Import the two modules: as they are, or else from the directory ``place`` and nothing else from there.

    Putting the distribution's whole directory on the path would bring in all that is installed there.
    """
    return Sdk(_module("rados", place), _module("rbd", place))  # rbd imports rados


def _module(name: str, place: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise _missing(place) from error
    except ImportError as error:
        raise _missing(place) from error
    spec = PathFinder.find_spec(name, [place])
    if spec is None or spec.loader is None:
        raise _missing(place)
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, ImportError):
            raise _missing(place) from error
        raise
    return module


def _missing(place: str) -> Misconfigured:
    own = f"{sys.implementation.name} {sys.version_info.major}.{sys.version_info.minor}"
    built = [os.path.basename(file) for file in glob.glob(os.path.join(place, "rados.*.so"))]
    if built:
        return Misconfigured(
            f"Ceph's Python modules in {place} do not fit this Python: it is {own}, and there is {', '.join(built)};"
            " use the Python of the distribution",
            setting="bindings",
        )
    return Misconfigured(
        f"Ceph's Python modules rados and rbd are missing, neither importable nor in {place}: install the"
        f" distribution's packages python3-rados and python3-rbd, made for {own}",
        setting="bindings",
    )
