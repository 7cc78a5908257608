"""Drivers that discard, prove, delete or list wrongly, or hang in a child process."""

import threading
import time
from collections.abc import Iterator

from conformance.bugs_writing import Writing
from conformance.planting import Bugs
from multistore.drivers.memory import MemoryDriver, MemoryRef, MemoryUpload
from multistore.model import Info, Pending, Stored

BUGS = Bugs()


@BUGS.plant("test_discarding_a_published_upload_is_a_no_op")
class DiscardRemovesPublished(MemoryDriver):
    """Discard removes whatever has the token."""

    def discard(self, token: str) -> None:
        super().discard(token)
        for name, (_, winner, _) in list(self.objects.items()):
            if winner == token:
                del self.objects[name]


@BUGS.plant("test_discarding_what_is_unknown_is_a_no_op")
class DiscardByPrefix(MemoryDriver):
    """Discard removes everything whose token begins like that."""

    def discard(self, token: str) -> None:
        for each in list(self.uploads):
            if each.startswith(token):
                del self.uploads[each]


@BUGS.plant("test_discarding_what_is_unknown_is_a_no_op")
class DiscardFailsOnUnknown(MemoryDriver):
    """An unknown token is an error."""

    def discard(self, token: str) -> None:
        del self.uploads[token]


@BUGS.plant("test_an_upload_is_pending_from_begin_to_commit")
class LivingIsNotPending(MemoryDriver):
    """Only old uploads are listed."""

    def pending(self) -> Iterator[Pending]:
        return (each for each in super().pending() if (each.started or 0) < time.time() - 3600)


@BUGS.plant("test_every_upload_is_pending_until_it_is_aborted")
class OnePendingPerName(MemoryDriver):
    """Of several uploads of one name one is listed."""

    def pending(self) -> Iterator[Pending]:
        return iter({each.name: each for each in super().pending()}.values())


@BUGS.plant("test_published_tells_of_this_upload_alone")
class PublishedByName(MemoryDriver):
    """Whoever's image has the name is taken for the proof."""

    def published(self, token: str) -> Stored | None:
        upload = self.uploads.get(token)
        if upload is not None and upload.name in self.objects:
            return Stored(str(MemoryRef(upload.name)), len(self.objects[upload.name][0]))
        return super().published(token)


@BUGS.plant("test_published_tells_of_this_upload_alone")
class NeverPublished(MemoryDriver):
    """There is never a proof."""

    def published(self, token: str) -> Stored | None:
        return None


@BUGS.plant("test_deleting_what_is_missing_is_not_found")
class SilentDelete(MemoryDriver):
    """Deleting nothing succeeds."""

    def delete(self, ref: str) -> None:
        self.objects.pop(self.parse(ref).name, None)


@BUGS.plant("test_a_deleted_image_is_gone", "test_fleet_deletes_both_copies")
class DeleteEmpties(MemoryDriver):
    """A deleted image is an empty one."""

    def delete(self, ref: str) -> None:
        super().delete(ref)
        self.objects[self.parse(ref).name] = (b"", "gone", 1.0)


@BUGS.plant(
    "test_the_list_shows_nothing_unfinished_or_deleted", "test_nothing_is_visible_before_commit"
)
class ListShowsUnfinished(MemoryDriver):
    """What is being written is listed."""

    def list(self) -> Iterator[Info]:
        yield from super().list()
        for upload in self.uploads.values():
            yield Info(str(MemoryRef(upload.name)), None, None, upload.name)


@BUGS.plant("test_the_list_shows_each_published_image_once")
class ListStopsAtAPage(MemoryDriver):
    """Only the first page of the list is fetched."""

    def list(self) -> Iterator[Info]:
        return iter(list(super().list())[:3])


@BUGS.plant("test_a_fork_beside_busy_threads_does_not_hang", patience=3.0)
class LockHeldOverAFork(Writing):
    """A child waits for a lock that a thread of the parent held."""

    held = threading.Lock()

    class Broken(MemoryUpload):
        def write_part(self, index: int, offset: int, data: bytes) -> None:
            with LockHeldOverAFork.held:
                time.sleep(0.002)
                super().write_part(index, offset, data)
