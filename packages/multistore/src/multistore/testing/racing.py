"""Several at once: threads, processes, forks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import pytest

from multistore.driver import Driver
from multistore.errors import AlreadyExists, InUse, StoreError
from multistore.model import Stored, Verb
from multistore.testing.base import Group, Work
from multistore.testing.rig import Rig
from multistore.testing.tools import content, in_threads, needs, one_image, read, write_parts
from multistore.testing.watch import Child, in_child

__all__ = ["Racing"]

_WRITERS = 8
_SIZE = 20_000

#: What came of one writer's commit: the reference, or AlreadyExists.
Outcome = tuple[str, str]


def _commit(commit: Callable[[], Stored]) -> Outcome:
    try:
        return "won", commit().ref
    except AlreadyExists:
        return "lost", ""


def _one_winner(driver: Driver, outcomes: list[Outcome]) -> Stored:
    """Check the outcome of a race: one winner if that is declared, and the bytes of one writer."""
    winners = [place for place, (what, _) in enumerate(outcomes) if what == "won"]
    assert winners, f"nobody won: {outcomes}"
    ref = outcomes[winners[0]][1]
    found = read(driver, ref)
    if driver.capabilities.exclusive_create:
        assert len(winners) == 1, f"{len(winners)} writers were told that they won"
        assert found == content(_SIZE, winners[0]), "the bytes are not the winner's"
    else:
        assert found in [content(_SIZE, place) for place in range(len(outcomes))]
    return Stored(ref, _SIZE)


class Racing(Group):
    """Whole or absent, whoever else is at work."""

    @needs(Verb.WRITE)
    def test_of_racing_threads_one_wins(self, rig: Rig, driver: Driver, work: Work) -> None:
        """All commit one name at the same moment; the losers' aborts leave the winner whole."""
        name = work.name()
        uploads = [driver.begin(name, _SIZE, {}) for _ in range(_WRITERS)]
        commits = [
            write_parts(driver, upload, content(_SIZE, place))
            for place, upload in enumerate(uploads)
        ]
        jobs = [partial(_commit, commit) for commit in commits]
        outcomes = in_threads(jobs, rig.patience)
        errors = [each for each in outcomes if isinstance(each, BaseException)]
        assert not errors
        told = [each for each in outcomes if not isinstance(each, BaseException)]
        for upload, (what, _) in zip(uploads, told, strict=True):
            if what == "lost":
                upload.abort()
        work.keep(_one_winner(driver, told))

    @needs(Verb.WRITE)
    def test_of_racing_processes_one_wins(self, rig: Rig, bare: Driver, work: Work) -> None:
        """The same between processes, each with a driver of its own."""
        if not rig.shared:
            pytest.skip("no other process sees this backend")
        name = work.name()

        def write(place: int) -> Outcome:
            driver = rig.make()
            try:
                upload = driver.begin(name, _SIZE, {})
            except AlreadyExists:
                return "lost", ""
            outcome = _commit(write_parts(driver, upload, content(_SIZE, place)))
            if outcome[0] == "lost":
                upload.abort()
            return outcome

        children = [Child(partial(write, place), rig.patience) for place in range(4)]
        outcomes: list[Outcome] = [child.result() for child in children]
        work.keep(_one_winner(bare, outcomes))

    @needs(Verb.WRITE, Verb.DELETE)
    def test_a_read_beside_a_delete_is_whole_or_an_error(
        self, rig: Rig, driver: Driver, other: Driver, work: Work
    ) -> None:
        """Never other bytes, never fewer."""
        data = content(_SIZE)
        for _ in range(5):
            ref = work.put(data)

            def look(ref: str = ref) -> bool:
                try:
                    return read(driver, ref) == data
                except StoreError:
                    return True

            jobs: list[Callable[[], object]] = [look] * 4
            jobs.append(partial(other.delete, ref))
            assert in_threads(jobs, rig.patience) == [True] * 4 + [None]
            work.absent(ref)

    @needs(Verb.WRITE, Verb.DELETE)
    def test_a_read_never_goes_over_into_the_next_image_of_a_name(
        self, driver: Driver, other: Driver, work: Work
    ) -> None:
        """A stream whose image was deleted and followed by another is the first image, or an error."""
        name = work.name()
        data = content(3 << 20)
        ref = work.put(data, name)
        with driver.open(ref) as reader:
            chunks = reader.read()
            found = next(chunks)
            try:
                other.delete(ref)
                work.put(content(3 << 20, "successor"), name)
            except InUse:
                pass  # an open reader may keep its image
            try:
                found += b"".join(chunks)
            except StoreError:
                return
        assert found == data

    @needs(Verb.WRITE)
    def test_sixteen_threads_share_one_driver(self, rig: Rig, driver: Driver, work: Work) -> None:
        """Each writes, reads, lists and deletes images of its own."""
        verbs = driver.capabilities.verbs

        def run() -> bool:
            images = {}
            for _ in range(2):
                name = work.name()
                images[one_image(driver, name, content(1000, name)).ref] = content(1000, name)
            for ref, data in images.items():
                assert read(driver, ref) == data
                assert driver.stat(ref).size in (1000, None)
                if Verb.LIST in verbs:
                    assert ref in {info.ref for info in driver.list()}
                if Verb.DELETE in verbs:
                    driver.delete(ref)
                    work.absent(ref)
            return len(images) == 2

        assert in_threads([run] * 16, rig.patience) == [True] * 16

    def test_sixteen_threads_may_use_a_fresh_driver_first(
        self, rig: Rig, make: Callable[[], Driver], work: Work
    ) -> None:
        """What is made at first use is made once, or harmlessly twice."""
        ref = work.image(content(100))
        fresh = make()
        jobs = [lambda: read(fresh, ref)] * 16
        assert in_threads(jobs, rig.patience) == [content(100)] * 16

    def test_a_forked_child_reads_with_the_parents_driver(
        self, rig: Rig, driver: Driver, work: Work
    ) -> None:
        """After use, with a read under way; the parent's stream goes on undisturbed."""
        data = content((2 << 20) + 5)
        ref = work.image(data)
        with driver.open(ref) as reader:
            chunks = reader.read()
            first = next(chunks)
            assert in_child(lambda: read(driver, ref) == data, rig.patience)
            assert first + b"".join(chunks) == data
        assert read(driver, ref) == data

    @needs(Verb.WRITE)
    def test_a_forked_child_writes_with_the_parents_driver(
        self, rig: Rig, driver: Driver, other: Driver, work: Work
    ) -> None:
        """An image of its own; the parent's upload goes on undisturbed."""
        upload = work.begin(size=1000)

        def write() -> tuple[str, bool]:
            ref = one_image(driver, rig.new_name(), content(500)).ref
            return ref, read(driver, ref) == content(500)

        ref, right = in_child(write, rig.patience)
        assert right
        assert read(driver, work.keep(write_parts(driver, upload, content(1000))()).ref) == content(
            1000
        )
        if rig.shared:
            assert read(other, work.keep(Stored(ref, 500)).ref) == content(500)

    @needs(Verb.WRITE)
    def test_a_fork_beside_busy_threads_does_not_hang(
        self, rig: Rig, driver: Driver, work: Work
    ) -> None:
        """A lock that another thread of the parent holds at that moment is not waited for."""
        stop = threading.Event()

        def busy() -> bool:
            while not stop.is_set():
                upload = driver.begin(rig.new_name(), 1000, {})
                write_parts(driver, upload, content(1000))
                upload.abort()
            return True

        def fork() -> bool:
            try:
                return all(
                    in_child(lambda: _write_and_read(driver, rig), rig.patience / 3)
                    for _ in range(5)
                )
            finally:
                stop.set()

        assert in_threads([busy, busy, fork], rig.patience) == [True] * 3


def _write_and_read(driver: Driver, rig: Rig) -> bool:
    stored = one_image(driver, rig.new_name(), content(100))
    right = read(driver, stored.ref) == content(100)
    if Verb.DELETE in driver.capabilities.verbs:
        driver.delete(stored.ref)
    return right
