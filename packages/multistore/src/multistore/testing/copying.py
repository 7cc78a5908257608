"""Copies that the backend makes by itself."""

from __future__ import annotations

import pytest

from multistore.driver import Driver, Upload
from multistore.drivers.memory import MemoryDriver
from multistore.errors import AlreadyExists, NotFound, Unsupported
from multistore.model import Verb
from multistore.testing.base import Group, Raises, Work
from multistore.testing.rig import Rig
from multistore.testing.tools import content, needs, one_image, read, size_of

__all__ = ["Copying"]


def _copy(rig: Rig, driver: Driver, source: Driver, ref: str, name: str) -> tuple[Upload, int]:
    try:
        return driver.begin_copy(source, ref, name, {})
    except Unsupported:
        if rig.copies:
            raise
        pytest.skip("this backend cannot copy inside itself")


class Copying(Group):
    """``begin_copy``: an upload that has its bytes, published like any other."""

    @needs(Verb.COPY, Verb.WRITE)
    def test_a_copy_is_a_whole_image_of_its_own(
        self, rig: Rig, driver: Driver, other: Driver, work: Work
    ) -> None:
        """The same bytes under another name; it outlives its source."""
        data = content(size_of("part+1", driver, rig.largest))
        source = work.put(data)
        upload, size = _copy(rig, driver, other, source, work.name())
        assert size == len(data)
        assert [each.token for each in driver.pending()] == [upload.token]
        stored = work.keep(upload.commit(size, {}))
        assert stored.ref != source
        assert stored.size == len(data)
        assert read(driver, stored.ref) == data
        if Verb.DELETE in driver.capabilities.verbs:
            driver.delete(source)
            assert read(driver, stored.ref) == data

    @needs(Verb.COPY, Verb.WRITE, Verb.LIST)
    def test_a_copy_is_invisible_until_its_commit(
        self, rig: Rig, driver: Driver, other: Driver, work: Work
    ) -> None:
        """And gone after its abort, the source untouched."""
        source = work.put(content(1000))
        before = {info.ref for info in driver.list()}
        upload, _ = _copy(rig, driver, other, source, work.name())
        assert {info.ref for info in other.list()} == before
        upload.abort()
        assert not work.left()
        assert {info.ref for info in other.list()} == before
        assert read(driver, source) == content(1000)

    @needs(Verb.COPY, Verb.WRITE)
    def test_a_copys_commit_may_be_repeated(
        self, rig: Rig, driver: Driver, other: Driver, work: Work
    ) -> None:
        """Like any other; ``published`` proves it."""
        upload, size = _copy(rig, driver, other, work.put(content(1000)), work.name())
        stored = work.keep(upload.commit(size, {}))
        assert upload.commit(size, {}).ref == stored.ref
        proof = other.published(upload.token)
        assert proof is not None
        assert proof.ref == stored.ref

    @needs(Verb.COPY, Verb.WRITE)
    def test_a_copy_never_replaces_an_image(
        self, rig: Rig, driver: Driver, other: Driver, work: Work, raises: Raises
    ) -> None:
        """Neither at its beginning nor at its commit."""
        source, name = work.put(content(1000)), work.name()
        upload, size = _copy(rig, driver, other, source, name)
        winner = work.put(b"winner", name)
        with raises(AlreadyExists):
            upload.commit(size, {})
        upload.abort()
        with raises(AlreadyExists):
            driver.begin_copy(other, source, name, {})
        assert read(driver, winner) == b"winner"
        assert not work.left()

    @needs(Verb.COPY, Verb.WRITE, Verb.DELETE)
    def test_a_copy_of_nothing_is_not_found(
        self, rig: Rig, driver: Driver, other: Driver, work: Work, raises: Raises
    ) -> None:
        """And leaves nothing."""
        with raises(NotFound):
            _copy(rig, driver, other, work.missing(), work.name())
        assert not work.left()

    @needs(Verb.COPY, Verb.WRITE)
    def test_a_copy_from_a_stranger_is_unsupported(
        self, driver: Driver, work: Work, raises: Raises
    ) -> None:
        """Nothing is written; the core then reads and writes."""
        stranger = MemoryDriver()
        ref = one_image(stranger, "elsewhere", b"x").ref
        with raises(Unsupported):
            driver.begin_copy(stranger, ref, work.name(), {})
        assert not work.left()
