"""Makes a small raw disk image that every system can mount: a partition table with one FAT16 file system, holes and all.

Pure Python, and the same bytes every time.
The layout is that of Microsoft's "FAT: General Overview of On-Disk Format", version 1.03.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable, Mapping

__all__ = ["SIZE", "write_image"]

SIZE = 64 << 20
SECTOR = 512
START = 2048  # the partition's first sector
SECTORS = SIZE // SECTOR - START
PER_CLUSTER = 4
RESERVED = 4
FAT_SECTORS = 126  # 32184 clusters of two bytes each
ROOT_ENTRIES = 512
LABEL = b"MULTISTORE "
DATE, TIME = (2026 - 1980) << 9 | 1 << 5 | 1, 12 << 11

FIRST_DATA = RESERVED + 2 * FAT_SECTORS + ROOT_ENTRIES * 32 // SECTOR


def write_image(path: str, files: Mapping[str, bytes] | None = None) -> None:
    """Write the image to ``path``; ``files`` maps 8.3 names to contents, some are made up otherwise."""
    fat, root, data = _file_system(_sample() if files is None else files)
    with open(path, "wb") as file:
        file.truncate(SIZE)
        file.write(_partition_table())
        pieces = [(0, _boot_sector()), (RESERVED, fat), (RESERVED + FAT_SECTORS, fat)]
        pieces += [(RESERVED + 2 * FAT_SECTORS, root), *data]
        for sector, piece in pieces:
            file.seek((START + sector) * SECTOR)
            file.write(piece)


def _sample() -> dict[str, bytes]:
    dice = random.Random("multistore")
    return {
        "README.TXT": b"A disk image made by multistore's demonstration.\r\n",
        "SYSTEM.BIN": dice.randbytes(12 << 20),
        "ZEROS.BIN": bytes(8 << 20),
        "DATA.BIN": dice.randbytes((6 << 20) + 4321),
    }


def _partition_table() -> bytes:
    entry = struct.pack(
        "<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x0E, b"\xfe\xff\xff", START, SECTORS
    )  # 0x0e: FAT16, by sector number
    return bytes(440) + b"mult\0\0" + entry + bytes(48) + b"\x55\xaa"


def _boot_sector() -> bytes:
    fields = struct.pack(
        "<3s8sHBHBHHBHHHIIBBBI11s8s",
        b"\xeb\x3c\x90", b"MULTISTR", SECTOR, PER_CLUSTER, RESERVED, 2, ROOT_ENTRIES, 0, 0xF8, FAT_SECTORS,
        63, 255, START, SECTORS, 0x80, 0, 0x29, 0x6D756C74, LABEL, b"FAT16   ",
    )  # fmt: skip
    return fields + bytes(510 - len(fields)) + b"\x55\xaa"


def _file_system(
    files: Mapping[str, bytes],
) -> tuple[bytes, bytes, Iterable[tuple[int, bytes]]]:
    """Lay the files out one after the other: the allocation table, the root directory, the data by sector."""
    chains = [0xFFF8, 0xFFFF]
    root = [_entry(LABEL, 0x08, 0, 0)]
    data = []
    for name, content in files.items():
        stem, _, suffix = name.partition(".")
        first, clusters = len(chains), -(-len(content) // (PER_CLUSTER * SECTOR))
        short = f"{stem:<8}{suffix:<3}".encode("ascii")
        root.append(_entry(short, 0x20, first if clusters else 0, len(content)))
        if clusters:
            chains += [*range(first + 1, first + clusters), 0xFFFF]
            data.append((FIRST_DATA + (first - 2) * PER_CLUSTER, content))
    return struct.pack(f"<{len(chains)}H", *chains), b"".join(root), data


def _entry(name: bytes, attributes: int, cluster: int, size: int) -> bytes:
    return struct.pack(
        "<11sBBBHHHHHHHI", name, attributes, 0, 0, TIME, DATE, DATE, 0, TIME, DATE, cluster, size
    )
