"""The example driver, loaded from its place in the tree, and a rig over it or over a broken variant."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from multistore.testing import Rig

EXAMPLE = Path(__file__).parents[2] / "examples" / "multistore-chunks"

sys.path.insert(0, str(EXAMPLE / "src"))
try:
    import chunk_store
    import chunk_store.upload
finally:
    sys.path.remove(str(EXAMPLE / "src"))

__all__ = ["EXAMPLE", "chunk_rig", "chunk_store"]


def chunk_rig(driver_class: Any, *, patience: float = 15.0) -> Rig:
    """A directory that goes away with the process's temporary files."""
    root = tempfile.mkdtemp(prefix="chunks-", dir=os.environ["PLANTED_DIRECTORY"])
    settings = chunk_store.ChunkSettings(path=root, part_size=64 * 1024)
    return Rig(make=lambda: driver_class(settings), patience=patience)
