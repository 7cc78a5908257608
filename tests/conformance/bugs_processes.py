"""Drivers that know only of their own process."""

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from conformance.chunk_rig import chunk_store
from conformance.planting import Bugs
from multistore.driver import Upload
from multistore.model import Pending, Stored

BUGS = Bugs(rig="chunk_rig")


@BUGS.plant(
    "test_what_a_dead_process_left_can_be_found_and_removed",
    "test_another_process_sees_a_living_upload",
)
class OwnUploadsOnly(chunk_store.ChunkDriver):
    """Unfinished uploads are known to the process that began them."""

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.begun: set[tuple[int, str]] = set()

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        upload = super().begin(name, size, labels)
        self.begun.add((os.getpid(), upload.token))
        return upload

    def pending(self) -> Iterator[Pending]:
        return (each for each in super().pending() if (os.getpid(), each.token) in self.begun)


@BUGS.plant("test_what_a_dead_process_published_can_be_proved")
class OwnSuccessesOnly(chunk_store.ChunkDriver):
    """What was published is known to the process that did it."""

    def published(self, token: str) -> Stored | None:
        return None


@BUGS.plant("test_what_a_dead_process_left_can_be_found_and_removed")
class DiscardByItsMaker(chunk_store.ChunkDriver):
    """Only what was begun in this process is removed."""

    pids: ClassVar[dict[str, int]] = {}

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        upload = super().begin(name, size, labels)
        self.pids[upload.token] = os.getpid()
        return upload

    def discard(self, token: str) -> None:
        if self.pids.get(token) == os.getpid():
            super().discard(token)


@BUGS.plant("test_of_racing_processes_one_wins")
class LooksThenRenames(chunk_store.ChunkDriver):
    """Between the look at the name and the rename there is time for another."""

    class Broken(chunk_store.upload.ChunkUpload):
        def commit(self, size: int, digests: Mapping[str, str]) -> Stored:
            image = f"{self.driver.images}/{self.token.partition('.')[2]}"
            if not os.path.exists(image):
                time.sleep(0.1)
                shutil.rmtree(image, ignore_errors=True)
            return super().commit(size, digests)

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        upload = super().begin(name, size, labels)
        upload.__class__ = self.Broken
        return upload
