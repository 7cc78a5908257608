"""Unfinished uploads: seen by anybody, removed by anybody, and only they."""

from __future__ import annotations

import pytest

from multistore.driver import Driver
from multistore.errors import InUse, StoreError
from multistore.model import Verb
from multistore.testing.base import Group, Work
from multistore.testing.rig import Rig
from multistore.testing.tools import content, needs, one_image, read, write_parts
from multistore.testing.watch import in_child

__all__ = ["Unfinished"]

_UNKNOWN = ("", "nonsense", "../../etc/passwd", "/etc/passwd", "a/b", "a\0b", "x" * 5000, "☃", "*")


def _staged(rig: Rig) -> int:
    """Give a size of which the backend has something before the commit."""
    return max(1000, rig.unstaged + 1)


class Unfinished(Group):
    """pending, discard, published: how the core cleans up after a crash."""

    @needs(Verb.WRITE)
    def test_an_upload_is_pending_from_begin_to_commit(
        self, rig: Rig, driver: Driver, other: Driver, work: Work
    ) -> None:
        """With its token, and its name and time if they are known."""
        name, size = work.name(), _staged(rig)
        upload = work.begin(name, size)
        for look in (driver, other):
            (found,) = look.pending()
            assert found.token == upload.token
            assert found.name in (name, None)
            assert found.started is None or found.started > 0
        commit = write_parts(driver, upload, content(size))
        assert [each.token for each in other.pending()] == [upload.token]
        work.keep(commit())
        assert not list(driver.pending())
        assert not list(other.pending())

    @needs(Verb.WRITE)
    def test_every_upload_is_pending_until_it_is_aborted(
        self, driver: Driver, other: Driver, work: Work
    ) -> None:
        """Several of one name too."""
        name = work.name()
        uploads = [work.begin(name), work.begin(name), work.begin()]
        assert {each.token for each in other.pending()} == {each.token for each in uploads}
        for upload in uploads:
            upload.abort()
        assert not list(other.pending())

    @needs(Verb.WRITE)
    def test_anybody_may_discard_an_upload(self, driver: Driver, other: Driver, work: Work) -> None:
        """It is gone, or InUse while it is seen to be alive; then it goes on unharmed."""
        upload = work.begin(size=1000)
        commit = write_parts(driver, upload, content(1000))
        try:
            other.discard(upload.token)
        except InUse:
            assert read(driver, work.keep(commit()).ref) == content(1000)
            return
        assert not work.left()
        other.discard(upload.token)
        # Its writer finds out, or publishes the whole: nothing in between.
        try:
            stored = work.keep(commit())
        except StoreError:
            upload.abort()
        else:
            assert read(driver, stored.ref) == content(1000)

    @needs(Verb.WRITE)
    def test_discarding_one_upload_leaves_the_others(
        self, rig: Rig, driver: Driver, other: Driver, work: Work
    ) -> None:
        """Of the same name too."""
        name, size = work.name(), _staged(rig)
        kept, dropped = work.begin(name, size), work.begin(name, size)
        commit = write_parts(driver, kept, content(size))
        write_parts(driver, dropped, content(size, "dropped"))
        dropped.abort()
        other.discard(dropped.token)
        assert [each.token for each in other.pending()] == [kept.token]
        assert read(driver, work.keep(commit()).ref) == content(size)

    @needs(Verb.WRITE)
    def test_discarding_a_published_upload_is_a_no_op(
        self, driver: Driver, other: Driver, work: Work
    ) -> None:
        """By its writer and by others."""
        upload = work.begin(size=1000)
        stored = work.keep(write_parts(driver, upload, content(1000))())
        driver.discard(upload.token)
        other.discard(upload.token)
        assert read(other, stored.ref) == content(1000)

    @needs(Verb.WRITE)
    def test_discarding_what_is_unknown_is_a_no_op(
        self, rig: Rig, driver: Driver, work: Work
    ) -> None:
        """Whatever the token looks like; images and other uploads stay."""
        name, size = work.name(), _staged(rig)
        ref = work.put(content(100), name)
        upload = work.begin(size=size)
        commit = write_parts(driver, upload, content(size))
        for token in (*_UNKNOWN, name, ref, upload.token[:-1], upload.token + "x"):
            driver.discard(token)
        assert read(driver, ref) == content(100)
        assert [each.token for each in driver.pending()] == [upload.token]
        assert read(driver, work.keep(commit()).ref) == content(size)

    @needs(Verb.WRITE)
    def test_what_a_dead_process_left_can_be_found_and_removed(
        self, rig: Rig, driver: Driver, other: Driver, work: Work
    ) -> None:
        """A writer that died in the middle leaves a pending upload, and nothing after its discard."""
        if not rig.shared:
            pytest.skip("no other process sees this backend")
        name, size = work.name(), _staged(rig)

        def die() -> str:
            upload = driver.begin(name, size, {})
            write_parts(driver, upload, content(size))
            return upload.token

        token = in_child(die, rig.patience)
        assert token in {each.token for each in other.pending()}
        assert other.published(token) is None
        other.discard(token)
        assert not work.left()
        assert read(driver, work.put(b"again", name)) == b"again"

    @needs(Verb.WRITE)
    def test_what_a_dead_process_published_can_be_proved(
        self, rig: Rig, driver: Driver, other: Driver, work: Work
    ) -> None:
        """A writer that died before it could say so is not discarded."""
        if not rig.shared:
            pytest.skip("no other process sees this backend")

        def die() -> tuple[str, str]:
            upload = driver.begin(rig.new_name(), 1000, {})
            return upload.token, write_parts(driver, upload, content(1000))().ref

        token, ref = in_child(die, rig.patience)
        other.discard(token)
        proof = other.published(token)
        assert proof is not None
        assert (proof.ref, proof.size) == (ref, 1000)
        assert read(other, work.keep(proof).ref) == content(1000)

    @needs(Verb.WRITE)
    def test_another_process_sees_a_living_upload(
        self, rig: Rig, driver: Driver, work: Work
    ) -> None:
        """As pending, and not as an image."""
        if not rig.shared:
            pytest.skip("no other process sees this backend")
        upload = work.begin(size=_staged(rig))

        def look() -> tuple[list[str], bool]:
            fresh = rig.make()
            found = [each.token for each in fresh.pending()]
            return found, fresh.published(upload.token) is None

        assert in_child(look, rig.patience) == ([upload.token], True)
        upload.abort()

    @needs(Verb.WRITE)
    def test_a_finished_store_has_nothing_pending(self, bare: Driver, work: Work) -> None:
        """Images alone are no unfinished business."""
        work.keep(one_image(bare, work.name(), b"x"))
        work.keep(one_image(bare, work.name(), b""))
        assert not work.left()
