"""Drivers whose copies are no copies."""

from collections.abc import Mapping

from conformance.planting import Bugs
from conformance.variants import CopyingMemory
from multistore.driver import Driver, Upload
from multistore.drivers.memory import MemoryDriver
from multistore.errors import NotFound
from multistore.model import Access

BUGS = Bugs()


@BUGS.plant("test_a_copy_is_invisible_until_its_commit")
class CopyIsPublishedAtOnce(CopyingMemory):
    """The backend's copy appears under its name before anybody committed it."""

    def begin_copy(
        self, source: Driver, ref: str, name: str, labels: Mapping[str, str]
    ) -> tuple[Upload, int]:
        upload, size = super().begin_copy(source, ref, name, labels)
        upload.commit(size, {})
        return upload, size


@BUGS.plant("test_a_copy_is_a_whole_image_of_its_own")
class CopyOfTheFirstPart(CopyingMemory):
    """Only the first part is copied."""

    def copied(self, source: Driver, ref: str) -> bytes:
        return super().copied(source, ref)[: self.settings.part_size]


@BUGS.plant("test_a_copy_never_replaces_an_image")
class CopyMakesRoom(CopyingMemory):
    """What has the name is removed first."""

    def begin_copy(
        self, source: Driver, ref: str, name: str, labels: Mapping[str, str]
    ) -> tuple[Upload, int]:
        self.objects.pop(name, None)
        return super().begin_copy(source, ref, name, labels)


@BUGS.plant("test_a_copy_of_nothing_is_not_found")
class CopyOfNothing(CopyingMemory):
    """A source that is missing is an empty one."""

    def copied(self, source: Driver, ref: str) -> bytes:
        try:
            return super().copied(source, ref)
        except NotFound:
            return b""


@BUGS.plant("test_a_copy_from_a_stranger_is_unsupported")
class CopyFromAnybody(CopyingMemory):
    """Another store is taken for this one."""

    def copied(self, source: Driver, ref: str) -> bytes:
        return b"whatever" if isinstance(source, MemoryDriver) else b""


@BUGS.plant("test_a_copys_commit_may_be_repeated")
class CopyLosesItsToken(CopyingMemory):
    """The token changes after the copy has begun."""

    def begin_copy(
        self, source: Driver, ref: str, name: str, labels: Mapping[str, str]
    ) -> tuple[Upload, int]:
        upload, size = super().begin_copy(source, ref, name, labels)
        upload.token += "-copy"
        self.uploads[upload.token] = self.uploads.pop(upload.token.removesuffix("-copy"))
        return upload, size

    def published(self, token: str) -> None:
        return None


@BUGS.plant("test_access_can_be_set_and_leaves_the_image_alone")
class AccessRewrites(CopyingMemory):
    """Setting the rights writes the image anew, and badly."""

    def set_access(self, ref: str, access: Access) -> None:
        data, token, modified = self._find(self.parse(ref).name)
        self.objects[self.parse(ref).name] = (data[1:], token, modified)
