"""What a store can do, as bits, and the check before each operation.

The static mask of a driver is the class attribute ``_CAPABILITIES``; at run time bits come and go with the
configuration.
A store whose configuration failed takes no more images (``WRITE_ACCESS`` is cleared), yet still deletes the ones it has.
"""

from __future__ import annotations

import enum
import inspect
import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar, TypeVar, cast

from glance_store import exceptions

__all__ = ["BitMasks", "StoreCapability", "check"]

LOG = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])


class BitMasks(enum.IntEnum):
    """The capabilities; a mask holds the bits of everything that it implies."""

    NONE = 0
    ALL = 255
    READ_ACCESS = 1
    READ_OFFSET = 3
    READ_CHUNK = 5
    READ_RANDOM = 7
    WRITE_ACCESS = 8
    WRITE_OFFSET = 24
    WRITE_CHUNK = 40
    WRITE_RANDOM = 56
    RW_ACCESS = 9
    RW_OFFSET = 27
    RW_CHUNK = 45
    RW_RANDOM = 63
    DRIVER_REUSABLE = 64


class StoreCapability:
    """The part of a store that knows what it can do."""

    _CAPABILITIES: ClassVar[int] = BitMasks.NONE

    #: WRITE_ACCESS is missing only because the configuration failed: deleting goes on.
    _add_refused_only = False

    def __init__(self) -> None:
        self._capabilities = int(self._CAPABILITIES)

    @property
    def capabilities(self) -> int:
        """The mask of now."""
        return self._capabilities

    @staticmethod
    def contains(x: int, y: int) -> bool:
        """Say whether every bit of ``y`` is set in ``x``."""
        return x & y == y

    def is_capable(self, *capabilities: int) -> bool:
        """Say whether the store has all of these capabilities."""
        return self.contains(self._capabilities, _union(capabilities))

    def set_capabilities(self, *dynamic_capabilites: int) -> None:
        """Set these bits."""
        self._capabilities |= _union(dynamic_capabilites)
        self._add_refused_only = False

    def unset_capabilities(self, *dynamic_capabilites: int) -> None:
        """Clear exactly these bits."""
        bits = _union(dynamic_capabilites)
        self._capabilities &= ~bits
        if bits & BitMasks.WRITE_ACCESS:
            self._add_refused_only = False

    def update_capabilities(self) -> None:
        """Adapt the mask to the backend: a hook, called once after each ``configure``, that must not raise."""
        LOG.debug("the capabilities of %s do not change at run time", type(self).__name__)

    def _refuse_add(self) -> None:
        """Take WRITE_ACCESS away because the configuration failed."""
        had_it = self.is_capable(BitMasks.WRITE_ACCESS)
        self._capabilities &= ~BitMasks.WRITE_ACCESS
        self._add_refused_only = had_it


def _union(masks: tuple[int, ...]) -> int:
    union = 0
    for mask in masks:
        union |= mask
    return union


def check(store_op_fun: F) -> F:
    """Decorate ``get``, ``add`` or ``delete`` of a store so that it is refused where the store cannot do it.

    The refusal comes before anything else, and names the range asked for, however it was passed.
    A function of another name runs unchecked, with a warning.
    """
    name = store_op_fun.__name__.lower()
    verify = _CHECKS.get(name)
    places = _places(store_op_fun) if name == "get" else {}

    @wraps(store_op_fun)
    def op_checker(store: Any, *args: Any, **kwargs: Any) -> Any:
        if verify is None:
            LOG.warning("no capability is known for the operation %s: it runs unchecked", name)
        else:
            asked = {key: args[place] for key, place in places.items() if place < len(args)}
            verify(store, asked | kwargs)
        return store_op_fun(store, *args, **kwargs)

    op_checker.__name__ = "op_checker"
    return cast("F", op_checker)


def _places(function: Callable[..., Any]) -> dict[str, int]:
    """Where ``offset`` and ``chunk_size`` stand among the positional arguments, without ``self``."""
    parameters = list(inspect.signature(function).parameters)
    return {
        name: parameters.index(name) - 1 if name in parameters else usual
        for name, usual in (("offset", 1), ("chunk_size", 2))
    }


def _check_get(store: Any, asked: dict[str, Any]) -> None:
    needed = [BitMasks.READ_ACCESS]
    if asked.get("offset"):
        needed.append(BitMasks.READ_OFFSET)
    if asked.get("chunk_size"):
        needed.append(BitMasks.READ_CHUNK)
    if store.is_capable(*needed):
        return
    facts = {"offset": 0, "chunk_size": None, **asked}
    if len(needed) > 1:
        raise exceptions.StoreRandomGetNotSupported(**facts)
    raise exceptions.StoreGetNotSupported(**facts)


def _check_add(store: Any, asked: dict[str, Any]) -> None:
    if not store.is_capable(BitMasks.WRITE_ACCESS):
        raise exceptions.StoreAddDisabled(**asked)


def _check_delete(store: Any, asked: dict[str, Any]) -> None:
    if store.is_capable(BitMasks.WRITE_ACCESS):
        return
    if getattr(store, "_add_refused_only", False) is not True:
        raise exceptions.StoreDeleteNotSupported(**asked)


_CHECKS: dict[str, Callable[[Any, dict[str, Any]], None]] = {
    "get": _check_get,
    "add": _check_add,
    "delete": _check_delete,
}
