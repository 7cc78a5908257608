"""Commit and abort: the only moments at which something becomes visible, or disappears."""

from __future__ import annotations

from multistore.driver import Driver
from multistore.errors import AlreadyExists, NotFound, StoreError
from multistore.model import Verb
from multistore.testing.base import Group, Raises, Work
from multistore.testing.rig import Rig
from multistore.testing.tools import content, digests_of, needs, read, size_of, write_parts

__all__ = ["Publishing"]


def _foreseen(work: Work, name: str) -> str | None:
    """Give the reference that an image of this name will have, if it can be told from another's."""
    if Verb.DELETE in work.can.verbs:
        ref = work.put(b"before", name)
        work.driver.delete(ref)
        return ref
    known = work.name()
    ref = work.put(b"before", known)
    return ref.replace(known, name) if known in ref else None


def _seen(driver: Driver, ref: str | None, name: str) -> list[str]:
    """Say by which ways an image can be seen."""
    ways = []
    if ref is not None:
        for way, look in (("stat", driver.stat), ("open", lambda ref: read(driver, ref))):
            try:
                look(ref)
                ways.append(way)
            except NotFound:
                pass
    if Verb.LIST in driver.capabilities.verbs:
        ways += ["list" for info in driver.list() if info.ref == ref or info.name == name]
    return ways


class Publishing(Group):
    """Whole or absent, and nobody's image but one's own."""

    @needs(Verb.WRITE)
    def test_nothing_is_visible_before_commit(
        self, rig: Rig, driver: Driver, other: Driver, work: Work
    ) -> None:
        """Neither to the writer nor to anybody else, at any moment."""
        name = work.name()
        ref = _foreseen(work, name)
        data = content(size_of("part+1", driver, rig.largest))
        upload = driver.begin(name, len(data), {})
        assert not _seen(driver, ref, name)
        commit = write_parts(driver, upload, data)
        assert not _seen(driver, ref, name)
        assert not _seen(other, ref, name)
        stored = work.keep(commit())
        assert read(other, stored.ref) == data
        assert other.stat(stored.ref).size in (len(data), None)

    @needs(Verb.WRITE)
    def test_commit_may_be_repeated(self, driver: Driver, work: Work) -> None:
        """It finds its own earlier success, and says the same."""
        commit = write_parts(driver, work.begin(size=1000), content(1000))
        stored = work.keep(commit())
        again = commit()
        assert (again.ref, again.size) == (stored.ref, stored.size)
        assert dict(again.metadata) == dict(stored.metadata)
        assert read(driver, stored.ref) == content(1000)

    @needs(Verb.WRITE)
    def test_commit_never_replaces_anothers_image(
        self, driver: Driver, other: Driver, work: Work, raises: Raises
    ) -> None:
        """The second of two uploads of one name is AlreadyExists, however often it tries; the winner is untouched."""
        name = work.name()
        first = write_parts(driver, work.begin(name, 1000), content(1000, "first"))
        upload = other.begin(name, 1000, {})
        second = write_parts(other, upload, content(1000, "second"))
        stored = work.keep(first())
        for _ in range(2):
            with raises(AlreadyExists):
                second()
            assert read(driver, stored.ref) == content(1000, "first")
        upload.abort()
        assert read(driver, stored.ref) == content(1000, "first")
        assert first().ref == stored.ref, "the winner's commit may still be repeated"

    @needs(Verb.WRITE)
    def test_abort_leaves_nothing(
        self, rig: Rig, driver: Driver, other: Driver, work: Work
    ) -> None:
        """Before any part, after some and after all; it is idempotent and the name is free again."""
        name = work.name()
        data = content(size_of("part+1", driver, rig.largest))
        ref = _foreseen(work, name)
        for written in (b"", data[: len(data) - 1], data):
            upload = driver.begin(name, len(data), {})
            write_parts(driver, upload, written, len(data))
            upload.abort()
            upload.abort()
            assert not work.left()
            assert not _seen(other, ref, name)
        assert read(driver, work.put(data, name)) == data

    @needs(Verb.WRITE)
    def test_abort_never_touches_what_was_published(self, driver: Driver, work: Work) -> None:
        """Not even its own."""
        upload = work.begin(size=1000)
        stored = work.keep(write_parts(driver, upload, content(1000))())
        upload.abort()
        upload.abort()
        assert read(driver, stored.ref) == content(1000)

    @needs(Verb.WRITE)
    def test_an_aborted_upload_cannot_be_committed_to_something_broken(
        self, driver: Driver, work: Work
    ) -> None:
        """What is gone is an error, or it is published whole; never in part."""
        upload = work.begin(size=1000)
        commit = write_parts(driver, upload, content(1000))
        upload.abort()
        try:
            stored = work.keep(commit())
        except StoreError:
            pass
        else:
            assert read(driver, stored.ref) == content(1000)

    @needs(Verb.WRITE)
    def test_commit_takes_any_digests(self, driver: Driver, work: Work) -> None:
        """All that the core computes, others, or none."""
        for digests in ({}, {"md5": digests_of(b"abc")["md5"]}, digests_of(b"abc")):
            upload = work.begin(size=3)
            write_parts(driver, upload, b"abc")
            stored = work.keep(upload.commit(3, digests))
            assert read(driver, stored.ref) == b"abc"

    @needs(Verb.WRITE)
    def test_published_tells_of_this_upload_alone(
        self, driver: Driver, other: Driver, work: Work
    ) -> None:
        """None before the commit, the proof after it; never of another upload of the same name."""
        name = work.name()
        upload = work.begin(name, 1000)
        loser = driver.begin(name, 1000, {})
        assert driver.published(upload.token) is None
        commit = write_parts(driver, upload, content(1000))
        assert driver.published(upload.token) is None
        stored = work.keep(commit())
        for look in (driver, other):
            proof = look.published(upload.token)
            assert proof is not None
            assert (proof.ref, proof.size) == (stored.ref, stored.size)
            assert look.published(loser.token) is None
        loser.abort()
        assert driver.published(loser.token) is None

    @needs(Verb.WRITE)
    def test_published_is_none_for_what_never_was(self, driver: Driver, work: Work) -> None:
        """Unknown tokens, and aborted uploads."""
        upload = work.begin(size=3)
        write_parts(driver, upload, b"abc")
        upload.abort()
        for token in (upload.token, "", "nonsense", "../../etc/passwd", "a\0b", "x" * 5000):
            assert driver.published(token) is None

    @needs(Verb.WRITE, Verb.DELETE)
    def test_published_is_none_after_another_took_the_name(
        self, driver: Driver, work: Work
    ) -> None:
        """A deleted image proves nothing, and its successor belongs to somebody else."""
        name = work.name()
        upload = work.begin(name, 3)
        stored = write_parts(driver, upload, b"abc")()
        driver.delete(stored.ref)
        assert driver.published(upload.token) is None
        work.put(b"xyz", name)
        assert driver.published(upload.token) is None
