"""Drivers that write or publish wrongly."""

import time
from collections.abc import Mapping

from conformance.planting import Bugs
from multistore.driver import Upload
from multistore.drivers.memory import MemoryDriver, MemoryUpload
from multistore.errors import AlreadyExists, StoreError
from multistore.model import Stored

BUGS = Bugs()


class Writing(MemoryDriver):
    """Begins uploads of another class."""

    Broken: type[MemoryUpload] = MemoryUpload

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        upload = super().begin(name, size, labels)
        assert isinstance(upload, MemoryUpload)
        upload.__class__ = self.Broken
        return upload


@BUGS.plant("test_nothing_is_visible_before_commit")
class VisibleBeforeCommit(MemoryDriver):
    """The name is there as soon as the upload begins."""

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        upload = super().begin(name, size, labels)
        self.objects[name] = (b"", upload.token, 1.0)
        return upload


@BUGS.plant("test_nothing_is_visible_before_commit")
class VisibleWithItsLastPart(Writing):
    """The image appears when its bytes are complete, not when it is committed."""

    class Broken(MemoryUpload):
        def write_part(self, index: int, offset: int, data: bytes) -> None:
            super().write_part(index, offset, data)
            self.driver.objects[self.name] = (data, self.token, 1.0)


@BUGS.plant("test_commit_never_replaces_anothers_image", "test_of_racing_threads_one_wins")
class CommitReplaces(Writing):
    """The last commit wins."""

    class Broken(MemoryUpload):
        def commit(self, size: int, digests: Mapping[str, str]) -> Stored:
            self.driver.objects.pop(self.name, None)
            return super().commit(size, digests)


@BUGS.plant("test_of_racing_threads_one_wins")
class CommitLooksThenActs(Writing):
    """Between the look at the name and its taking there is time for another."""

    class Broken(MemoryUpload):
        def commit(self, size: int, digests: Mapping[str, str]) -> Stored:
            _, winner, _ = self.driver.objects.get(self.name, (b"", self.token, 0.0))
            if winner != self.token:
                raise AlreadyExists("there already")
            time.sleep(0.02)
            self.driver.objects.pop(self.name, None)
            return super().commit(size, digests)


@BUGS.plant("test_commit_may_be_repeated", "test_put_gets_over_a_fault_at_any_call")
class CommitOnlyOnce(Writing):
    """A repeated commit takes its own image for another's."""

    class Broken(MemoryUpload):
        def commit(self, size: int, digests: Mapping[str, str]) -> Stored:
            if self.name in self.driver.objects:
                raise AlreadyExists("there already")
            return super().commit(size, digests)


@BUGS.plant("test_abort_never_touches_what_was_published")
class AbortRemovesPublished(Writing):
    """Abort removes whatever has the token."""

    class Broken(MemoryUpload):
        def abort(self) -> None:
            super().abort()
            if self.driver.objects.get(self.name, (b"", "", 0.0))[1] == self.token:
                del self.driver.objects[self.name]


@BUGS.plant("test_commit_never_replaces_anothers_image", "test_of_racing_threads_one_wins")
class AbortRemovesTheWinner(Writing):
    """Abort removes whatever has the name."""

    class Broken(MemoryUpload):
        def abort(self) -> None:
            super().abort()
            self.driver.objects.pop(self.name, None)


@BUGS.plant("test_abort_leaves_nothing")
class AbortOnlyOnce(Writing):
    """The second abort fails."""

    class Broken(MemoryUpload):
        def abort(self) -> None:
            if self.driver.uploads.pop(self.token, None) is None:
                raise StoreError("aborted already")


@BUGS.plant(
    "test_abort_leaves_nothing",
    "test_store_leaves_nothing_of_a_broken_source",
    "test_put_with_a_fault_at_every_call",
    "test_copy_with_a_fault_at_every_call",
    "test_a_fleet_survives_a_member_that_fails_at_any_call",
)
class AbortSkipped(Writing):
    """Abort does nothing."""

    class Broken(MemoryUpload):
        def abort(self) -> None:
            pass


@BUGS.plant("test_parts_may_arrive_out_of_order", "test_a_part_may_be_written_twice")
class OrderAssumed(Writing):
    """Parts are joined as they arrive."""

    class Broken(MemoryUpload):
        def write_part(self, index: int, offset: int, data: bytes) -> None:
            end = max((at + len(run) for at, run in self.runs.items()), default=0)
            self.runs[end] = data

        def commit(self, size: int, digests: Mapping[str, str]) -> Stored:
            whole = b"".join(self.runs.values()).ljust(size, b"\0")
            self.runs = {0: whole[:size]}
            return super().commit(size, digests)


@BUGS.plant(
    "test_what_was_never_written_reads_as_zeros", "test_an_image_of_zeros_alone_takes_no_part"
)
class GarbageInHoles(Writing):
    """What was never written reads as whatever lay there."""

    class Broken(MemoryUpload):
        def commit(self, size: int, digests: Mapping[str, str]) -> Stored:
            self.runs = {0: b"\xaa" * size, **self.runs}
            return super().commit(size, digests)


@BUGS.plant("test_what_was_never_written_reads_as_zeros", "test_store_keeps_runs_of_zeros")
class HoleAtTheEndIsCutOff(Writing):
    """The image ends where the last part does."""

    class Broken(MemoryUpload):
        def commit(self, size: int, digests: Mapping[str, str]) -> Stored:
            end = max((at + len(run) for at, run in self.runs.items()), default=0)
            return super().commit(end, digests)


@BUGS.plant("test_what_was_never_written_reads_as_zeros")
class OnePiecePerPart(Writing):
    """The second piece of a part replaces the first."""

    class Broken(MemoryUpload):
        def commit(self, size: int, digests: Mapping[str, str]) -> Stored:
            self.runs = dict(list(self.runs.items())[-1:])
            return super().commit(size, digests)


@BUGS.plant("test_begin_refuses_a_name_that_exists")
class BeginLeavesSomething(MemoryDriver):
    """The upload is made before the name is looked at."""

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        upload = MemoryUpload(self, name)
        self.uploads[upload.token] = upload
        super().begin(name, size, labels).abort()
        return upload


@BUGS.plant("test_bad_names_are_refused")
class AnyName(MemoryDriver):
    """The empty name is a name."""

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        return super().begin(name or "unnamed", size, labels)


@BUGS.plant("test_two_names_are_two_images")
class CaseFolded(MemoryDriver):
    """Names differ by more than their case."""

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        return super().begin(name.lower(), size, labels)


@BUGS.plant("test_labels_are_accepted")
class LabelsRefused(MemoryDriver):
    """Labels have to be plain ASCII."""

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        "".join(labels.values()).encode("ascii")
        return super().begin(name, size, labels)


@BUGS.plant("test_tokens_are_texts_of_their_own")
class TokenIsTheName(Writing):
    """Two uploads of one name have one token."""

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        upload = super().begin(name, size, labels)
        self.uploads[name] = self.uploads.pop(upload.token)
        upload.token = name
        return upload


@BUGS.plant("test_an_image_too_large_is_refused_at_once")
class SizeIgnored(MemoryDriver):
    """The declared size is not looked at."""

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        return super().begin(name, None, labels)
