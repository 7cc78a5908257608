"""Deleting and listing."""

from __future__ import annotations

from multistore.driver import Driver
from multistore.errors import NotFound
from multistore.model import Verb
from multistore.testing.base import Group, Raises, Work
from multistore.testing.tools import content, needs, read

__all__ = ["Deleting", "Listing"]


class Deleting(Group):
    """Gone for everybody, at once, and only what was meant."""

    @needs(Verb.DELETE, Verb.WRITE)
    def test_a_deleted_image_is_gone(self, driver: Driver, other: Driver, work: Work) -> None:
        """For its deleter and for everybody else; its neighbours stay."""
        ref, neighbour = work.put(content(1000)), work.put(content(1000, "n"))
        driver.delete(ref)
        work.absent(ref)
        Work(work.rig, other).absent(ref)
        assert read(driver, neighbour) == content(1000, "n")
        assert not work.left()

    @needs(Verb.DELETE)
    def test_deleting_what_is_missing_is_not_found(
        self, driver: Driver, work: Work, raises: Raises
    ) -> None:
        """The second time too."""
        ref = work.missing()
        for _ in range(2):
            with raises(NotFound):
                driver.delete(ref)

    @needs(Verb.DELETE, Verb.WRITE)
    def test_a_deleted_name_is_free(self, driver: Driver, work: Work) -> None:
        """Another image may take it, and is the one that is read."""
        name = work.name()
        for turn in range(3):
            ref = work.put(content(100, turn), name)
            assert read(driver, ref) == content(100, turn)
            driver.delete(ref)

    @needs(Verb.DELETE, Verb.WRITE)
    def test_an_upload_does_not_mind_the_deletion_of_its_neighbours(
        self, driver: Driver, work: Work
    ) -> None:
        """Deleting while others write."""
        ref = work.put(b"old")
        upload = work.begin(size=3)
        upload.write_part(0, 0, b"new")
        driver.delete(ref)
        assert read(driver, work.keep(upload.commit(3, {})).ref) == b"new"


class Listing(Group):
    """Every published image once, and nothing else."""

    @needs(Verb.LIST, Verb.WRITE)
    def test_the_list_shows_each_published_image_once(
        self, driver: Driver, other: Driver, work: Work
    ) -> None:
        """With the reference that reads it, and its size and name if they are known."""
        names = [work.name() for _ in range(5)]
        refs = {work.put(content(10 + place), name): name for place, name in enumerate(names)}
        for look in (driver, other):
            found = [info for info in look.list() if info.ref in refs]
            assert sorted(info.ref for info in found) == sorted(refs)
            for info in found:
                size = 10 + names.index(refs[info.ref])
                assert info.size in (size, None)
                assert info.name in (refs[info.ref], None)
                assert len(read(look, info.ref)) == size

    @needs(Verb.LIST, Verb.WRITE)
    def test_the_list_shows_nothing_unfinished_or_deleted(
        self, driver: Driver, other: Driver, work: Work
    ) -> None:
        """What is being written, was given up or removed."""
        before = {info.ref for info in driver.list()}
        living, given_up = work.begin(), work.begin()
        for upload in (living, given_up):
            upload.write_part(0, 0, b"x")
        given_up.abort()
        if Verb.DELETE in driver.capabilities.verbs:
            driver.delete(work.put(b"x"))
        for look in (driver, other):
            assert {info.ref for info in look.list()} == before
        living.abort()

    @needs(Verb.LIST, Verb.WRITE)
    def test_the_list_agrees_with_stat(self, driver: Driver, work: Work) -> None:
        """The version too, for whoever compares them."""
        work.put(content(10))
        for info in driver.list():
            told = driver.stat(info.ref)
            assert info.size in (told.size, None)
            assert info.version in (told.version, None)

    @needs(Verb.LIST, Verb.WRITE)
    def test_a_list_may_be_left_in_the_middle(self, driver: Driver, work: Work) -> None:
        """Whoever stops early holds nothing."""
        for _ in range(3):
            work.put(b"x")
        for _ in driver.list():
            break
