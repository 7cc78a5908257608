"""Drivers with state where there should be none: between threads, processes, readers, uploads."""

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from conformance.bugs_reading import Reading
from conformance.bugs_writing import Writing
from conformance.planting import Bugs
from multistore.driver import Reader, Upload
from multistore.drivers.memory import MemoryDriver, MemoryReader, MemoryRef, MemoryUpload
from multistore.errors import InUse
from multistore.model import Info, Stored

BUGS = Bugs()


@BUGS.plant("test_sixteen_threads_share_one_driver")
class OneCallAtATime(MemoryDriver):
    """The name lies in the driver while it is worked on."""

    name = ""

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        self.name = name
        time.sleep(0.001)
        return super().begin(self.name, size, labels)


@BUGS.plant("test_sixteen_threads_may_use_a_fresh_driver_first")
class FirstUseRaces(MemoryDriver):
    """What is made at first use is seen half made."""

    handle: Any = None
    making = False

    def stat(self, ref: str) -> Info:
        if not self.making:
            self.making = True
            time.sleep(0.02)
            self.handle = super().stat
        info: Info = self.handle(ref)
        return info


@BUGS.plant(
    "test_a_forked_child_reads_with_the_parents_driver",
    "test_a_forked_child_writes_with_the_parents_driver",
)
class OneProcessOnly(MemoryDriver):
    """The connection belongs to the process that made the driver."""

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self.pid = os.getpid()

    def stat(self, ref: str) -> Info:
        if os.getpid() != self.pid:
            raise ConnectionError("not my connection")
        return super().stat(ref)


@BUGS.plant("test_parts_may_be_written_side_by_side")
class PartsOverwriteEachOther(Writing):
    """The list of parts is read, changed and written back."""

    class Broken(MemoryUpload):
        def write_part(self, index: int, offset: int, data: bytes) -> None:
            runs = dict(self.runs)
            time.sleep(0.005)
            self.runs = {**runs, offset: data}


@BUGS.plant("test_uploads_side_by_side_do_not_mix")
class OneBufferForAll(Writing):
    """All uploads write into one buffer."""

    buffer: ClassVar[dict[int, bytes]] = {}

    class Broken(MemoryUpload):
        def write_part(self, index: int, offset: int, data: bytes) -> None:
            self.runs = OneBufferForAll.buffer
            self.runs[offset] = data


@BUGS.plant("test_two_readers_do_not_disturb_each_other")
class ReadersShareTheirImage(MemoryDriver):
    """The image lies in the driver while it is read."""

    def open(self, ref: str) -> Reader:
        self.current = self._find(self.parse(ref).name)[0]
        driver = self

        class Shared(MemoryReader):
            def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
                self._data = driver.current
                return super().read(offset, length)

        return Shared(self.stat(ref), b"")


@BUGS.plant(
    "test_streams_of_one_reader_run_side_by_side", "test_streams_of_one_reader_may_be_interleaved"
)
class OneStreamAtATime(Reading):
    """Less can run at once than was declared."""

    class Broken(MemoryReader):
        busy = False

        def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
            if self.busy:
                raise InUse("one stream at a time")
            self.busy = True
            return self._pieces(offset, length)

        def _pieces(self, offset: int, length: int | None) -> Iterator[bytes]:
            for piece in super().read(offset, length):
                time.sleep(0.005)
                yield piece
            self.busy = False


@BUGS.plant("test_an_iterator_may_be_closed_early")
class EarlyCloseClosesAll(Reading):
    """An iterator that is closed takes its reader with it."""

    class Broken(MemoryReader):
        def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
            try:
                yield from super().read(offset, length)
            except GeneratorExit:
                self._data = b""
                raise


@BUGS.plant("test_a_reader_may_be_closed_in_the_middle")
class ClosedOnce(Reading):
    """The second close fails."""

    class Broken(MemoryReader):
        def close(self) -> None:
            del self._info


@BUGS.plant("test_anybody_may_discard_an_upload")
class DiscardEmpties(MemoryDriver):
    """A discarded upload can still be committed, without its bytes."""

    def discard(self, token: str) -> None:
        upload = self.uploads.pop(token, None)
        if upload is not None:
            upload.runs.clear()


@BUGS.plant("test_an_aborted_upload_cannot_be_committed_to_something_broken")
class AbortEmpties(Writing):
    """An aborted upload can still be committed, without its bytes."""

    class Broken(MemoryUpload):
        def abort(self) -> None:
            super().abort()
            self.runs.clear()


@BUGS.plant("test_discarding_one_upload_leaves_the_others")
class DiscardByName(MemoryDriver):
    """All uploads of a name go together."""

    def discard(self, token: str) -> None:
        upload = self.uploads.get(token)
        for each in list(self.uploads.values()):
            if upload is not None and each.name == upload.name:
                del self.uploads[each.token]


@BUGS.plant("test_bytes_of_zero_are_bytes", "test_what_is_written_is_read")
class ShortPartsAreLost(Writing):
    """Zeros at the start of a part are skipped, and the last bytes of an image forgotten."""

    class Broken(MemoryUpload):
        def write_part(self, index: int, offset: int, data: bytes) -> None:
            if len(data) > 8:
                super().write_part(index, offset, data.lstrip(b"\0"))


@BUGS.plant("test_commit_takes_any_digests")
class DigestWanted(Writing):
    """Without an MD5 there is no commit."""

    class Broken(MemoryUpload):
        def commit(self, size: int, digests: Mapping[str, str]) -> Stored:
            digests["md5"]
            return super().commit(size, digests)


@BUGS.plant("test_published_is_none_for_what_never_was")
class AnythingIsPublished(MemoryDriver):
    """An unknown token is taken for an old success."""

    def published(self, token: str) -> Stored | None:
        if token in self.uploads:
            return None
        return super().published(token) or Stored("memory://x", 0)


@BUGS.plant("test_published_is_none_after_another_took_the_name")
class SuccessorIsTheProof(MemoryDriver):
    """Whoever has the name now proves the upload of then, as with a number that is used again."""

    names: ClassVar[dict[str, str]] = {}

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        upload = super().begin(name, size, labels)
        self.names[upload.token] = name
        return upload

    def published(self, token: str) -> Stored | None:
        name = self.names.get(token, "")
        return Stored(str(MemoryRef(name)), 3) if name in self.objects else None


@BUGS.plant("test_a_deleted_name_is_free")
class Tombstones(MemoryDriver):
    """A deleted name is never free again."""

    def delete(self, ref: str) -> None:
        super().delete(ref)
        name = self.parse(ref).name
        self.uploads[name] = MemoryUpload(self, name)

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        if name in self.uploads:
            raise InUse("not free yet")
        return super().begin(name, size, labels)


@BUGS.plant("test_an_upload_does_not_mind_the_deletion_of_its_neighbours")
class DeleteCleansUp(MemoryDriver):
    """Deleting an image empties what is being written."""

    def delete(self, ref: str) -> None:
        super().delete(ref)
        for upload in self.uploads.values():
            upload.runs.clear()


@BUGS.plant("test_an_odd_name_is_refused_or_works")
class RawNameErrors(MemoryDriver):
    """A name that the backend cannot take ends in the backend's own error."""

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        name.encode()
        return super().begin(name, size, labels)


@BUGS.plant("test_the_list_agrees_with_stat")
class ListHasItsOwnVersions(MemoryDriver):
    """The versions of the list are of another kind."""

    def list(self) -> Iterator[Info]:
        return (replace(info, version="listed") for info in super().list())
