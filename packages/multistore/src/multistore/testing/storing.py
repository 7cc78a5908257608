"""The driver under a Store: what users see."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from multistore.driver import Driver
from multistore.errors import AlreadyExists, Corrupt, NotFound, SizeMismatch, StoreError
from multistore.model import Receipt, State, Verb
from multistore.store import Store
from multistore.testing.base import OPTIONS, Group, Work
from multistore.testing.rig import Rig
from multistore.testing.tools import (
    SIZES,
    assert_secret_free,
    content,
    digests_of,
    needs,
    one_image,
    size_of,
)

__all__ = ["Storing"]


class _Interrupted(BaseException):
    """Stands for Ctrl-C in the source of the bytes."""


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


def _whole(store: Store, ref: str, *, expect: Mapping[str, str] | None = None) -> bytes:
    with store.open(ref, expect=expect) as image:
        return b"".join(image)


@contextmanager
def _failing(kind: type[StoreError], rig: Rig) -> Iterator[None]:
    """Expect an error that names the store."""
    with pytest.raises(kind) as caught:
        yield
    assert caught.value.store == "judged"
    assert_secret_free(caught.value, rig.secrets)


class Storing(Group):
    """put, get, open, verify, copy over this driver."""

    @pytest.fixture
    def store(self, bare: Driver) -> Store:
        """Give a Store over the driver."""
        return Store(bare, name="judged", options=OPTIONS)

    @pytest.fixture
    def kept(self, rig: Rig, bare: Driver, work_of: Callable[[Driver], Work]) -> Work:
        """Give what the test works with, beside the Store."""
        return work_of(bare)

    @needs(Verb.WRITE)
    @pytest.mark.parametrize("words", SIZES)
    def test_store_puts_and_gets_whole_images(
        self, rig: Rig, store: Store, kept: Work, tmp_path: Path, words: str
    ) -> None:
        """Through a path, verified on the way."""
        data = content(size_of(words, store.driver, rig.largest))
        receipt = store.put(kept.name(), data)
        kept.trust(receipt)
        assert (receipt.size, receipt.digests) == (len(data), digests_of(data))
        target = tmp_path / "target"
        fetched = store.get(receipt.ref, target, expect=receipt.digests, size=len(data))
        assert target.read_bytes() == data
        assert dict(fetched.digests) == digests_of(data)
        assert store.stat(receipt.ref).size in (len(data), None)

    @needs(Verb.WRITE)
    @pytest.mark.parametrize("piece", [1, 4096, 100_003])
    def test_store_takes_any_chunking(
        self, store: Store, kept: Work, tmp_path: Path, piece: int
    ) -> None:
        """An iterable of pieces, a file object and a path, the size known or not."""
        data = content(50 * piece if piece < 4096 else 200_001)
        path = tmp_path / "source"
        path.write_bytes(data)
        for source in (_pieces(data, piece), io.BytesIO(data), path):
            receipt = store.put(kept.name(), source, read_size=piece)
            kept.trust(receipt)
            assert receipt.digests == digests_of(data)
            assert _whole(store, receipt.ref, expect=receipt.digests) == data

    @needs(Verb.WRITE)
    def test_store_keeps_runs_of_zeros(self, rig: Rig, store: Store, kept: Work) -> None:
        """At the start, in the middle and at the end, sent or not."""
        part = size_of("part", store.driver, rig.largest)
        for data in (
            bytes(part) + content(1000) + bytes(part // 2),
            content(1000) + bytes(2 * part + 3) + content(5),
            bytes(part + 1),
        ):
            receipt = store.put(kept.name(), data)
            kept.trust(receipt)
            assert _whole(store, receipt.ref, expect=digests_of(data)) == data

    @needs(Verb.WRITE)
    def test_store_refuses_a_second_image_of_a_name(
        self, rig: Rig, store: Store, kept: Work
    ) -> None:
        """AlreadyExists; the first is untouched and nothing is left."""
        name = kept.name()
        receipt = store.put(name, content(100))
        kept.trust(receipt)
        with _failing(AlreadyExists, rig):
            store.put(name, content(100, "second"))
        assert not kept.left()
        assert _whole(store, receipt.ref) == content(100)

    @needs(Verb.WRITE)
    @pytest.mark.parametrize("declared", [999, 1001])
    def test_store_takes_no_wrong_size(
        self, rig: Rig, store: Store, kept: Work, declared: int
    ) -> None:
        """SizeMismatch, and nothing is left."""
        with _failing(SizeMismatch, rig):
            store.put(kept.name(), _pieces(content(1000), 100), size=declared)
        assert not kept.left()

    @needs(Verb.WRITE)
    def test_store_publishes_no_wrong_digest(self, rig: Rig, store: Store, kept: Work) -> None:
        """Corrupt before anything is visible, and nothing is left."""
        data = content(size_of("3 parts+7", store.driver, rig.largest))
        name = kept.name()
        with _failing(Corrupt, rig):
            store.put(name, data, expect={"sha512": digests_of(b"else")["sha512"]})
        assert not kept.left()
        kept.trust(store.put(name, data))

    @needs(Verb.WRITE)
    @pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, _Interrupted])
    @pytest.mark.parametrize("words", ["1", "3 parts+7"])
    def test_store_leaves_nothing_of_a_broken_source(
        self, rig: Rig, store: Store, kept: Work, error: type[BaseException], words: str
    ) -> None:
        """Its exception comes through as it is."""
        data = content(size_of(words, store.driver, rig.largest))
        raised = error("broken")

        def source() -> Iterator[bytes]:
            yield data
            raise raised

        with pytest.raises(error) as caught:
            store.put(kept.name(), source())
        assert caught.value is raised
        assert not kept.left()

    def test_store_reads_ranges(self, store: Store, kept: Work) -> None:
        """Any range, into a file object and through a seekable one."""
        data = content(100_000)
        ref = kept.image(data)
        for offset, length in ((0, 10), (99_990, None), (50_000, 100), (99_999, 5), (200_000, 5)):
            end = None if length is None else offset + length
            target = io.BytesIO()
            store.get(ref, target, offset=offset, length=length)
            assert target.getvalue() == data[offset:end]
        with store.open(ref) as image, image.file() as file:
            file.seek(70_000)
            assert file.read(5) == data[70_000:70_005]
            file.seek(3)
            assert file.read(70_000) == data[3:70_003]

    def test_store_finds_wrong_bytes(self, rig: Rig, store: Store, kept: Work) -> None:
        """Damage in the backend ends in Corrupt before the last piece, and in the verdict."""
        if rig.corrupt is None:
            pytest.skip("the rig has no `corrupt`")
        data = content(100_000)
        ref = kept.image(data)
        expect = digests_of(data)
        assert store.verify(ref, expect=expect, size=len(data)).state is State.INTACT
        rig.corrupt(ref)
        got = 0
        with _failing(Corrupt, rig), store.open(ref, expect=expect) as image:
            for piece in image:
                got += len(piece)
        assert got < len(data)
        assert store.verify(ref, expect=expect, size=len(data)).state is State.CORRUPT

    def test_store_gives_verdicts(self, store: Store, kept: Work) -> None:
        """Short, wrong, missing, unverifiable: by what is on record."""
        ref, missing = kept.image(content(1000)), kept.missing()
        expect = digests_of(content(1000))
        assert store.verify(ref).state is State.UNVERIFIABLE
        assert store.verify(ref, size=1001).state is State.SHORT
        assert store.verify(ref, size=999).state is State.CORRUPT
        assert store.verify(ref, expect={"md5": expect["md5"]}).state is State.INTACT
        assert store.verify(ref, expect=digests_of(b"else")).state is State.CORRUPT
        assert store.verify(missing, expect=expect).state is State.MISSING

    def test_store_names_itself_in_errors(self, rig: Rig, store: Store, kept: Work) -> None:
        """Whatever the driver raises carries the store's name."""
        ref = kept.missing()
        for call in (store.stat, lambda ref: _whole(store, ref)):
            with _failing(NotFound, rig):
                call(ref)

    @needs(Verb.WRITE)
    def test_store_copies_within_itself(self, rig: Rig, store: Store, kept: Work) -> None:
        """Inside the backend or through this process: the same bytes under another name."""
        data = content(size_of("part+1", store.driver, rig.largest))
        source = kept.image(data)
        receipt = store.copy(source, store, kept.name(), expect=digests_of(data))
        kept.trust(receipt)
        assert receipt.ref != source
        assert _whole(store, receipt.ref, expect=digests_of(data)) == data
        with _failing(Corrupt, rig):
            store.copy(source, store, kept.name(), expect=digests_of(b"else"))
        assert not kept.left()

    @needs(Verb.WRITE)
    def test_store_stops_at_the_limit_of_the_driver(
        self, rig: Rig, store: Store, kept: Work
    ) -> None:
        """An image that has more bytes than the parts can hold is refused, and nothing is left."""
        limit = 0
        for size in store.driver.parts(None):
            limit += size
            if limit > rig.largest:
                pytest.skip(f"the limit is above the {rig.largest} bytes that the rig allows")
        with pytest.raises(StoreError):
            store.put(kept.name(), _pieces(content(limit + 1), 1 << 20))
        assert not kept.left()

    @needs(Verb.WRITE)
    def test_store_is_usable_after_close(self, store: Store, kept: Work) -> None:
        """Closing releases; it may be closed twice and used again."""
        with store:
            receipt: Receipt = store.put(kept.name(), b"x")
        store.close()
        kept.trust(receipt)
        assert _whole(store, receipt.ref) == b"x"

    @needs(Verb.WRITE)
    def test_a_seam_image_is_a_store_image(self, store: Store, bare: Driver, kept: Work) -> None:
        """What the bare driver wrote, the Store reads."""
        ref = kept.keep(one_image(bare, kept.name(), content(9))).ref
        assert _whole(store, ref) == content(9)
