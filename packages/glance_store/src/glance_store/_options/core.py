"""The options of the core: which stores there are, and which is the default."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

__all__ = ["GROUP", "MULTI_STORE", "PER_STORE", "SHARED_GROUP", "SINGLE_STORE"]

#: The group of the single-store mode, and of ``default_backend``.
GROUP = "glance_store"
#: The group whose values every store takes that has none of its own.
SHARED_GROUP = "backend_defaults"

#: Read when ``enabled_backends`` is not set.
SINGLE_STORE: list[Any] = [
    cfg.ListOpt(
        "stores",
        default=["file", "http"],
        deprecated_for_removal=True,
        deprecated_since="Rocky",
        deprecated_reason="``enabled_backends`` replaces it: it names each store and takes several of one type.",
        help="""
Drivers to enable, in single-store mode.

Each entry is the name of a driver; each driver makes one store, set up by the options of this section.
If two of them serve the same scheme, the later one gets it.

Ignored when ``enabled_backends`` is set.
""",
    ),
    cfg.StrOpt(
        "default_store",
        default="file",
        deprecated_for_removal=True,
        deprecated_since="Rocky",
        deprecated_reason="``default_backend`` replaces it.",
        help="""
Scheme of the store that takes new images, in single-store mode.

Any scheme that one of the enabled drivers serves, such as ``file`` or ``rbd``; drivers of other distributions included.
A scheme that nobody serves stops the service at its start.

Ignored when ``enabled_backends`` is set.
""",
    ),
]

#: Read when ``enabled_backends`` is set.
MULTI_STORE: list[Any] = [
    cfg.StrOpt(
        "default_backend",
        help="""
Identifier of the store that takes new images when the request names none.

It must be one of the identifiers in ``enabled_backends``; anything else stops the service at its start.
""",
    ),
]

#: In the section of every store, beside the options of its driver.
PER_STORE: list[Any] = [
    cfg.StrOpt(
        "store_description",
        help="""
What users read about this store when they list the stores.

Belongs to one store: it is not taken from ``[backend_defaults]``.
""",
    ),
    cfg.IntOpt(
        "weight",
        default=0,
        help="""
Preference of this store for reading an image that is in several stores: the highest weight is tried first.

Belongs to one store: it is not taken from ``[backend_defaults]``.
""",
    ),
]
