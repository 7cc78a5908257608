"""A rig over a file store in a directory."""

import os
from pathlib import Path
from typing import Any

from multistore.drivers.file import FileDriver, FileSettings
from multistore.testing import Rig

HOSTILE = ("..", ".", "../escape", "a/b", "/absolute", "a/", "a\0b", "n" * 256, ".multistore")


def file_rig(directory: Path, *, copies: bool | None = None, **settings: Any) -> Rig:
    """One directory, looked at from outside as well."""
    directory.mkdir(exist_ok=True)
    several = {"part_size": 64 * 1024, "parallel": 2}
    chosen = FileSettings(path=str(directory), **several | settings)

    def path_of(ref: str) -> Path:
        return Path(FileDriver.parse(ref).path)

    def rewrite(ref: str, data: bytes) -> None:
        path_of(ref).write_bytes(data)

    def corrupt(ref: str) -> None:
        mode = path_of(ref).stat().st_mode
        path_of(ref).chmod(0o600)
        data = bytearray(path_of(ref).read_bytes())
        data[len(data) // 2] ^= 1
        path_of(ref).write_bytes(data)
        path_of(ref).chmod(mode)

    def leftovers() -> list[str]:
        images = {path_of(info.ref).name for info in FileDriver(chosen).list()}
        own = images | {"lost+found", ".multistore"}
        return [entry for entry in os.listdir(directory) if entry not in own]

    missing = directory.parent / "missing" / "too"
    return Rig(
        make=lambda: FileDriver(chosen),
        unreachable=lambda: FileDriver(FileSettings(path=str(missing), create=False)),
        url=f"file://{directory}",
        rewrite=rewrite,
        corrupt=corrupt,
        leftovers=leftovers,
        hostile_names=HOSTILE,
        bad_refs=("file://host/x", "file:///", "file:///a/../b", "file:///a\0b"),
        foreign_refs=(f"file://{directory}-other/x", "file:///etc/passwd", "memory://x"),
        too_large=1 << 60,
        copies=copies,
    )
