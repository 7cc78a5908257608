"""Images as directories of chunk files: an example of a driver in a distribution of its own.

::

    ROOT/staging/TOKEN/OFFSET           a part of an unfinished upload
    ROOT/images/NAME/OFFSET             a part of an image
    ROOT/images/NAME/manifest           its size, its parts, and the token of its upload

Publishing is one rename of a directory, which the kernel refuses if the target is there: so of two writers one wins.
Removing begins with one rename too, so nothing ever disappears in part.
"""

from chunk_store.driver import ChunkDriver
from chunk_store.refs import ChunkRef
from chunk_store.settings import ChunkSettings

__all__ = ["ChunkDriver", "ChunkRef", "ChunkSettings"]
