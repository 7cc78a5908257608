"""What a chunk store is told."""

from dataclasses import dataclass

from multistore.config import option

__all__ = ["ChunkSettings"]


@dataclass(frozen=True, slots=True)
class ChunkSettings:
    """The settings of a chunk store."""

    path: str = option(help="the directory that holds everything; it must exist")
    part_size: int = option(8 << 20, help="the size of a chunk file", unit="bytes", minimum=1)
