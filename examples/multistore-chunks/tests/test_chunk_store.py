"""The whole test file of a driver: a subclass and one fixture."""

import os
from pathlib import Path

import pytest
from chunk_store import ChunkDriver, ChunkSettings
from multistore.testing import DriverConformance, Rig


class TestChunks(DriverConformance):
    """A directory of its own for each test."""

    @pytest.fixture
    def rig(self, tmp_path: Path) -> Rig:
        root = tmp_path / "images with spaces"
        root.mkdir()
        settings = ChunkSettings(path=str(root), part_size=64 * 1024)

        def corrupt(ref: str) -> None:
            image = Path(ChunkDriver(settings)._image(ref))
            chunk = max(image.iterdir(), key=lambda path: path.stat().st_size)
            data = bytearray(chunk.read_bytes())
            data[len(data) // 2] ^= 1
            chunk.write_bytes(data)

        return Rig(
            make=lambda: ChunkDriver(settings),
            unreachable=lambda: ChunkDriver(ChunkSettings(path=str(tmp_path / "missing"))),
            url=f"chunks://{root}",
            corrupt=corrupt,
            leftovers=lambda: os.listdir(root / "staging") if (root / "staging").exists() else [],
            foreign_refs=("chunks:///elsewhere/x", "file:///x"),
            bad_refs=("chunks:///", "chunks://relative/x", "chunks:///a/%ff"),
            too_large=1 << 60,
        )
