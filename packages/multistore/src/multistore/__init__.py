"""Put big immutable images into one or many stores in a single pass, and get them back right.

The public names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multistore.config import Secret
    from multistore.driver import Driver, Reader, Ref, Upload
    from multistore.errors import (
        AccessDenied,
        AlreadyExists,
        Cancelled,
        Corrupt,
        InUse,
        InvalidRef,
        Misconfigured,
        NoSpace,
        NotFound,
        RateLimited,
        SizeMismatch,
        StoreError,
        TimedOut,
        Unauthenticated,
        Unavailable,
        Unsupported,
    )
    from multistore.fleet import Fleet, FleetReceipt, Repair
    from multistore.layers.stack import StoreOptions
    from multistore.model import (
        Access,
        Caller,
        Capabilities,
        Event,
        Fetched,
        Info,
        Pending,
        Receipt,
        State,
        Stored,
        Usage,
        Verb,
        Verdict,
    )
    from multistore.pipeline.image import Image
    from multistore.registry import driver_names
    from multistore.store import Store, open_store

__version__ = "0.1.0"

__all__ = [
    "Access",
    "AccessDenied",
    "AlreadyExists",
    "Caller",
    "Cancelled",
    "Capabilities",
    "Corrupt",
    "Driver",
    "Event",
    "Fetched",
    "Fleet",
    "FleetReceipt",
    "Image",
    "InUse",
    "Info",
    "InvalidRef",
    "Misconfigured",
    "NoSpace",
    "NotFound",
    "Pending",
    "RateLimited",
    "Reader",
    "Receipt",
    "Ref",
    "Repair",
    "Secret",
    "SizeMismatch",
    "State",
    "Store",
    "StoreError",
    "StoreOptions",
    "Stored",
    "TimedOut",
    "Unauthenticated",
    "Unavailable",
    "Unsupported",
    "Upload",
    "Usage",
    "Verb",
    "Verdict",
    "driver_names",
    "open_store",
]

_HOMES = {
    "multistore.config": "Secret",
    "multistore.driver": "Driver Reader Ref Upload",
    "multistore.errors": "AccessDenied AlreadyExists Cancelled Corrupt InUse InvalidRef Misconfigured NoSpace NotFound RateLimited SizeMismatch StoreError TimedOut Unauthenticated Unavailable Unsupported",
    "multistore.fleet": "Fleet FleetReceipt Repair",
    "multistore.layers.stack": "StoreOptions",
    "multistore.model": "Access Caller Capabilities Event Fetched Info Pending Receipt State Stored Usage Verb Verdict",
    "multistore.pipeline.image": "Image",
    "multistore.registry": "driver_names",
    "multistore.store": "Store open_store",
}


def __getattr__(name: str) -> Any:
    """Load a public name (PEP 562)."""
    for module, names in _HOMES.items():
        if name in names.split():
            from importlib import import_module

            value = globals()[name] = getattr(import_module(module), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
