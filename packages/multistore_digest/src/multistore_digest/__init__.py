"""md5 and sha512, or md5 and sha256, of one stream of bytes for little more than the price of md5.

``FusedDigest`` is all that most need; ``status`` says which kernel does its work, and why.
"""

from __future__ import annotations

from multistore_digest._choice import VARIABLE, Status, status
from multistore_digest._fused import FusedDigest, PartDigest
from multistore_digest._version import __version__

__all__ = ["VARIABLE", "FusedDigest", "PartDigest", "Status", "__version__", "status"]
