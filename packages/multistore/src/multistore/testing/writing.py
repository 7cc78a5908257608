"""Writing: parts of every size, in every order that is allowed, and names."""

from __future__ import annotations

from functools import partial

import pytest

from multistore.driver import Driver, Upload
from multistore.errors import AlreadyExists, InvalidRef
from multistore.model import Stored, Verb
from multistore.testing.base import Group, Raises, Work
from multistore.testing.rig import Rig
from multistore.testing.tools import (
    SIZES,
    content,
    cut,
    digests_of,
    in_threads,
    needs,
    one_image,
    part_size,
    read,
    size_of,
    write_parts,
)

__all__ = ["Writing"]

#: Names that have broken stores; each is refused with InvalidRef, or works like any other.
_NAMES = (
    ".", "..", "../escape", "a/../../escape", "/absolute", "a/b", "a//b", "a/", "-", "--help", "~", "*", "?", "%2e%2e",
    "a b", " a", "a ", "a\tb", "a\nb", "a\0b", "\x7f", "é", "e\u0301", "☃", "\U0001f4be", "\u202e", "a\\b", "a:b", "a@b",
    "a#b", "a?b=c", "a&b", "a%b", "a+b", "a;b", "a'b", 'a"b', "<a>", "CON", "n" * 255, "n" * 256, "n" * 5000, "\udc80",
)  # fmt: skip


def _twice(upload: Upload, part: tuple[int, int, bytes]) -> None:
    upload.write_part(*part)
    upload.write_part(*part)


class Writing(Group):
    """Begin, parts, commit."""

    @needs(Verb.WRITE)
    @pytest.mark.parametrize("words", SIZES)
    @pytest.mark.parametrize("known", [True, False], ids=["size known", "size unknown"])
    def test_what_is_written_is_read(
        self, rig: Rig, driver: Driver, work: Work, words: str, known: bool
    ) -> None:
        """At every size around a part's, whether it was declared or not."""
        data = content(size_of(words, driver, rig.largest))
        # The core always knows the size of an image of one part.
        declared = len(data) if known or len(data) <= part_size(driver) else None
        upload = driver.begin(work.name(), declared, {})
        for index, at, part in cut(driver, data, declared):
            upload.write_part(index, at, part)
        stored = work.keep(upload.commit(len(data), digests_of(data)))
        assert isinstance(stored, Stored)
        assert stored.size == len(data)
        assert read(driver, stored.ref) == data

    @needs(Verb.WRITE)
    def test_a_part_may_be_written_twice(self, rig: Rig, driver: Driver, work: Work) -> None:
        """A repeated part, after a reply that was lost, changes nothing."""
        data = content(size_of("3 parts+7", driver, rig.largest))
        upload = work.begin(size=len(data))
        for index, at, part in cut(driver, data, len(data)):
            upload.write_part(index, at, part)
            upload.write_part(index, at, part)
        stored = work.keep(upload.commit(len(data), digests_of(data)))
        assert read(driver, stored.ref) == data

    @needs(Verb.WRITE, "parallel_parts")
    def test_parts_may_arrive_out_of_order(self, rig: Rig, driver: Driver, work: Work) -> None:
        """Parts that run side by side overtake each other."""
        data = content(size_of("3 parts+7", driver, rig.largest))
        upload = work.begin(size=len(data))
        parts = list(cut(driver, data, len(data)))
        side_by_side = driver.capabilities.parallel_parts
        for first in range(0, len(parts), side_by_side):
            for part in reversed(parts[first : first + side_by_side]):
                upload.write_part(*part)
        stored = work.keep(upload.commit(len(data), digests_of(data)))
        assert read(driver, stored.ref) == data

    @needs(Verb.WRITE, "parallel_parts")
    def test_parts_may_be_written_side_by_side(self, rig: Rig, driver: Driver, work: Work) -> None:
        """As many threads as declared, each part twice."""
        data = content(size_of("3 parts+7", driver, rig.largest))
        upload = work.begin(size=len(data))
        parts = list(cut(driver, data, len(data)))
        side_by_side = driver.capabilities.parallel_parts
        for first in range(0, len(parts), side_by_side):
            jobs = [partial(_twice, upload, part) for part in parts[first : first + side_by_side]]
            assert in_threads(jobs, rig.patience) == [None] * len(jobs)
        stored = work.keep(upload.commit(len(data), digests_of(data)))
        assert read(driver, stored.ref) == data

    @needs(Verb.WRITE, "sparse")
    def test_what_was_never_written_reads_as_zeros(self, driver: Driver, work: Work) -> None:
        """Holes at the start, in the middle and at the end, and parts in several pieces."""
        size = 300_000
        upload = work.begin(size=size)
        upload.write_part(0, 70_000, content(10_000))
        upload.write_part(0, 200_000, content(7, "a"))
        upload.write_part(0, 200_007, content(50_000, "b"))
        stored = work.keep(upload.commit(size, {}))
        expected = bytearray(size)
        expected[70_000:80_000] = content(10_000)
        expected[200_000:200_007] = content(7, "a")
        expected[200_007:250_007] = content(50_000, "b")
        assert stored.size == size
        assert read(driver, stored.ref) == expected
        assert read(driver, stored.ref, 79_990, 20) == expected[79_990:80_010]

    @needs(Verb.WRITE, "sparse")
    def test_an_image_of_zeros_alone_takes_no_part(
        self, rig: Rig, driver: Driver, work: Work
    ) -> None:
        """Nothing is sent; the size is right all the same."""
        size = size_of("part+1", driver, rig.largest)
        stored = work.keep(work.begin(size=size).commit(size, {}))
        assert driver.stat(stored.ref).size in (size, None)
        assert read(driver, stored.ref) == bytes(size)

    @needs(Verb.WRITE)
    def test_bytes_of_zero_are_bytes(self, driver: Driver, work: Work) -> None:
        """Zeros that are sent are kept like all others."""
        data = bytes(5000) + b"x" + bytes(5000)
        assert read(driver, work.put(data)) == data

    @needs(Verb.WRITE)
    def test_labels_are_accepted(self, driver: Driver, work: Work) -> None:
        """Small texts beside the object never stop an upload."""
        labels = {"kind": "image", "note": "été ☃", "empty": "", "long": "x" * 200}
        assert read(driver, work.put(b"labelled", labels=labels)) == b"labelled"

    @needs(Verb.WRITE)
    def test_tokens_are_texts_of_their_own(self, rig: Rig, driver: Driver, work: Work) -> None:
        """Final when begin returns, different for each upload, printable and without secrets."""
        name = work.name()
        uploads = [driver.begin(name, None, {}) for _ in range(3)]
        tokens = [upload.token for upload in uploads]
        assert len(set(tokens)) == 3
        for upload, token in zip(uploads, tokens, strict=True):
            assert isinstance(token, str)
            assert token
            assert token.isprintable()
            assert not any(secret in token for secret in rig.secrets)
            for index, at, part in cut(driver, b"abc", None):
                upload.write_part(index, at, part)
            assert upload.token == token
            upload.abort()
            assert upload.token == token

    @needs(Verb.WRITE)
    def test_begin_refuses_a_name_that_exists(
        self, driver: Driver, work: Work, raises: Raises
    ) -> None:
        """AlreadyExists at once, of a small image by its commit at the latest; nothing is left, and the image is untouched."""
        name = work.name()
        ref = work.put(content(1000), name)
        with raises(AlreadyExists):
            driver.begin(name, 2 << 20, {})
        with raises(AlreadyExists):
            upload = driver.begin(name, 5, {})
            try:
                upload.write_part(0, 0, b"other")
                upload.commit(5, {})
            finally:
                upload.abort()
        assert not work.left()
        assert read(driver, ref) == content(1000)

    @needs(Verb.WRITE)
    def test_bad_names_are_refused(
        self, rig: Rig, driver: Driver, work: Work, raises: Raises
    ) -> None:
        """The empty one, and those that the rig calls hostile; nothing is left."""
        for name in ("", *rig.hostile_names):
            with raises(InvalidRef):
                driver.begin(name, 5, {})
            assert not work.left()

    @needs(Verb.WRITE, Verb.DELETE)
    @pytest.mark.parametrize("name", _NAMES, ids=ascii)
    def test_an_odd_name_is_refused_or_works(self, bare: Driver, rig: Rig, name: str) -> None:
        """Whatever it is: InvalidRef, or an image that can be read and deleted by its own reference."""
        work = Work(rig, bare)
        try:
            stored = one_image(bare, name, b"odd")
        except InvalidRef as error:
            why = error.why
            assert why
            assert not work.left()
            return
        neighbour = one_image(bare, rig.new_name(), b"even")
        assert str(bare.parse(stored.ref)) == stored.ref
        assert read(bare, stored.ref) == b"odd"
        bare.delete(stored.ref)
        work.absent(stored.ref)
        assert read(bare, neighbour.ref) == b"even"
        bare.delete(neighbour.ref)
        assert not work.left()

    @needs(Verb.WRITE)
    def test_two_names_are_two_images(self, driver: Driver, work: Work) -> None:
        """Also if they differ only in case, or one begins with the other."""
        name = work.name()
        images = {each: content(50, each) for each in (name, name + "x", name + "-1", name.upper())}
        refs = {each: work.put(data, each) for each, data in images.items()}
        assert len(set(refs.values())) == len(images)
        for each, data in images.items():
            assert read(driver, refs[each]) == data

    @needs(Verb.WRITE)
    def test_uploads_side_by_side_do_not_mix(self, driver: Driver, work: Work) -> None:
        """Several at once in one thread, written in turn."""
        images = [content(3000, place) for place in range(3)]
        uploads = [work.begin(size=3000) for _ in images]
        commits = [
            write_parts(driver, upload, data) for upload, data in zip(uploads, images, strict=True)
        ]
        stored = [work.keep(commit()) for commit in commits]
        assert [read(driver, each.ref) for each in stored] == images
