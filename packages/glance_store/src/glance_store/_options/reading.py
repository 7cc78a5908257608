"""The option that every driver has which can read a part of an image."""

from __future__ import annotations

from oslo_config import cfg

__all__ = ["RANGED_READS"]

RANGED_READS = cfg.BoolOpt(
    "ranged_reads",
    default=True,
    help="""
Serve parts of an image, from an offset on or of a given length.

If this is off, the store gives whole images only, and a request for a part of one is refused.
""",
)
