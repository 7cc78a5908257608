"""Reading: stat, open, ranges, streams side by side."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from multistore.driver import Driver
from multistore.errors import NotFound
from multistore.model import Info, Verb
from multistore.testing.base import Group, Raises, Work
from multistore.testing.rig import Rig
from multistore.testing.tools import (
    SIZES,
    content,
    drop,
    in_threads,
    interleaved,
    needs,
    read,
    size_of,
)

__all__ = ["Reading"]

#: Enough for several pieces of any driver.
_LARGE = (2 << 20) + 12_345


class Reading(Group):
    """What comes back is what was stored, from any place on."""

    @pytest.mark.parametrize("words", SIZES)
    def test_an_image_comes_back_whole(
        self, rig: Rig, driver: Driver, work: Work, words: str
    ) -> None:
        """Every byte, and the size that stat says."""
        data = content(size_of(words, driver, rig.largest))
        ref = work.image(data)
        assert read(driver, ref) == data
        assert driver.stat(ref).size in (len(data), None)

    def test_stat_describes_the_image(self, driver: Driver, work: Work) -> None:
        """The reference asked for, a size, and times and names of the right kind."""
        ref = work.image(content(321))
        info = driver.stat(ref)
        assert isinstance(info, Info)
        assert info.ref == ref
        assert info.size in (321, None)
        assert info.name is None or isinstance(info.name, str)
        assert info.modified is None or info.modified > 0

    def test_a_missing_image_is_not_found(self, driver: Driver, work: Work, raises: Raises) -> None:
        """Stat says so, and open or the first read."""
        ref = work.missing()
        with raises(NotFound):
            driver.stat(ref)
        with raises(NotFound), driver.open(ref) as reader:
            reader.read()  # the request is made by the call, not by the first `next`

    def test_every_kind_of_range_is_exact(self, driver: Driver, work: Work) -> None:
        """From the start, the middle, up to the end and past it; nothing is nothing."""
        data = content(1000)
        ref = work.image(data)
        with driver.open(ref) as reader:
            for offset in (0, 1, 499, 999, 1000, 1001, 5000):
                for length in (None, 0, 1, 2, 500, 999, 1000, 1001, 5000):
                    end = None if length is None else offset + length
                    found = b"".join(reader.read(offset, length))
                    assert found == data[offset:end], f"offset {offset}, length {length}"

    def test_ranges_across_pieces_are_exact(self, driver: Driver, work: Work) -> None:
        """A range may begin and end anywhere in a large image."""
        data = content(_LARGE)
        ref = work.image(data)
        edges = (0, 1, 65_535, 65_536, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, _LARGE - 1)
        for offset in edges:
            for length in (1, 65_537, (1 << 20) + 3, None):
                end = None if length is None else offset + length
                assert read(driver, ref, offset, length) == data[offset:end]

    def test_an_empty_image_has_no_bytes_anywhere(self, driver: Driver, work: Work) -> None:
        """No offset and no length makes one."""
        ref = work.image(b"")
        for offset, length in ((0, None), (0, 0), (0, 5), (3, None), (3, 5)):
            assert read(driver, ref, offset, length) == b""

    def test_an_iterator_may_be_closed_early(self, driver: Driver, work: Work) -> None:
        """What it holds is released, and the Reader goes on."""
        data = content(_LARGE)
        with driver.open(work.image(data)) as reader:
            for _ in range(3):
                chunks = reader.read()
                assert data.startswith(next(chunks))
                drop(chunks)
            drop(reader.read(5))
            assert b"".join(reader.read(_LARGE - 9)) == data[-9:]

    def test_a_reader_may_be_closed_in_the_middle(self, driver: Driver, work: Work) -> None:
        """Closing is idempotent, with or without a read before, and with one under way."""
        ref = work.image(content(_LARGE))
        untouched = driver.open(ref)
        untouched.close()
        untouched.close()
        reader = driver.open(ref)
        chunks = reader.read()
        next(chunks)
        drop(chunks)
        reader.close()
        reader.close()

    def test_the_readers_info_is_right_before_and_after_reading(
        self, driver: Driver, work: Work
    ) -> None:
        """Asked early it may cost a request; it says what stat says."""
        ref = work.image(content(777))
        told = driver.stat(ref)
        with driver.open(ref) as reader:
            assert reader.info.ref == ref
            assert reader.info.size in (777, None)
            list(reader.read())
            assert reader.info.size == 777, "the size is known after the first read"
            assert reader.info.version == told.version
        with driver.open(ref) as reader:
            list(reader.read(5, 3))
            assert reader.info.size == 777

    def test_the_version_stays_while_the_bytes_stay(self, driver: Driver, work: Work) -> None:
        """A read that is resumed insists on it."""
        ref = work.image(content(100))
        with driver.open(ref) as one, driver.open(ref) as two:
            list(one.read())
            list(two.read(50))
            assert one.info.version == two.info.version == driver.stat(ref).version

    def test_the_version_changes_with_the_bytes(self, rig: Rig, driver: Driver, work: Work) -> None:
        """An image that was replaced by another of the same size is seen to be another."""
        name = work.name()
        if rig.rewrite is not None:
            ref = work.image(content(100))
            before = driver.stat(ref).version
            rig.rewrite(ref, content(100, "other"))
        elif {Verb.WRITE, Verb.DELETE} <= set(driver.capabilities.verbs):
            ref = work.put(content(100), name)
            before = driver.stat(ref).version
            driver.delete(ref)
            if work.put(content(100, "other"), name) != ref:
                return  # a reference that never comes back cannot be mistaken
        else:
            pytest.skip("the driver cannot write and delete, and the rig has no `rewrite`")
        if before is None:
            pytest.skip("the store knows no versions")
        assert driver.stat(ref).version != before

    def test_two_readers_do_not_disturb_each_other(self, driver: Driver, work: Work) -> None:
        """Each has its own place, in one image and in two."""
        first, second = content(_LARGE), content(_LARGE, "second")
        a, b = work.image(first), work.image(second)
        with driver.open(a) as one, driver.open(a) as same, driver.open(b) as two:
            found = interleaved([one.read(), same.read(7), two.read()])
        assert found == [first, first[7:], second]

    @needs("parallel_reads")
    def test_streams_of_one_reader_run_side_by_side(
        self, rig: Rig, driver: Driver, work: Work
    ) -> None:
        """As many as declared, each in a thread of its own."""
        data = content(_LARGE)
        count = driver.capabilities.parallel_reads
        step = _LARGE // count

        with driver.open(work.image(data)) as reader:

            def job(at: int) -> Callable[[], bytes]:
                return lambda: b"".join(reader.read(at, step))

            jobs = [job(place * step) for place in range(count)]
            for place, found in enumerate(in_threads(jobs, rig.patience)):
                assert found == data[place * step : (place + 1) * step]

    @needs("parallel_reads")
    def test_streams_of_one_reader_may_be_interleaved(self, driver: Driver, work: Work) -> None:
        """In one thread, piece by piece."""
        data = content(_LARGE)
        with driver.open(work.image(data)) as reader:
            assert interleaved([reader.read(), reader.read(1000)]) == [data, data[1000:]]

    def test_sixteen_readers_in_sixteen_threads(self, rig: Rig, driver: Driver, work: Work) -> None:
        """One driver serves them all; each gets its own image."""
        images = [(work.image(content(5000, place)), content(5000, place)) for place in range(4)]

        def job(place: int) -> Callable[[], bool]:
            ref, data = images[place % 4]
            return lambda: all(read(driver, ref, at) == data[at:] for at in (0, 1, 4999))

        assert in_threads([job(place) for place in range(16)], rig.patience) == [True] * 16
