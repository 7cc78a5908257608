"""An upload: a directory that becomes the image."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from multistore.driver import Upload
from multistore.model import Stored

from chunk_store.files import sync, translated, write
from chunk_store.refs import name_of

if TYPE_CHECKING:
    from chunk_store.driver import ChunkDriver

__all__ = ["ChunkUpload"]


class ChunkUpload(Upload):
    """A directory in ``staging`` that becomes the image."""

    def __init__(self, driver: ChunkDriver, token: str) -> None:
        self.driver = driver
        self.token = token
        self.path = f"{driver.staging}/{token}"

    def write_part(self, index: int, offset: int, data: bytes) -> None:
        with translated(f"part {index}"):
            write(f"{self.path}/{offset}", data)

    def commit(self, size: int, digests: Mapping[str, str]) -> Stored:
        stored = self.driver.published(self.token)  # by an earlier call, whose answer was lost
        with translated(f"upload {self.token}"):
            if stored is None:
                self._write_manifest(size)
                # Of two writers of one name one wins: a directory never replaces one that is not empty.
                os.rename(self.path, f"{self.driver.images}/{name_of(self.token)}")
            sync(self.driver.images)
        return stored or Stored(f"{self.driver.prefixes()[0]}{name_of(self.token)}", size)

    def _write_manifest(self, size: int) -> None:
        offsets = sorted(int(each) for each in os.listdir(self.path) if each.isdigit())
        parts = [[at, os.stat(f"{self.path}/{at}").st_size] for at in offsets]
        manifest = {"token": self.token, "size": size, "parts": parts}
        write(f"{self.path}/manifest", json.dumps(manifest).encode())
        sync(self.path)

    def abort(self) -> None:
        self.driver.discard(self.token)
