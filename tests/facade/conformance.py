"""What every store of the interface keeps, whatever its backend: one class to subclass, with one fixture.

``ReadingConformance`` is for stores that are read only, ``StoreConformance`` for all others.
A subclass gives the fixture ``rig``.
"""

from __future__ import annotations

import gc
import hashlib
import io
import os
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from facade.rigs import OnlyRead, Rig, Uneven, Verifier, in_child, pattern, read
from glance_store import exceptions

__all__ = ["ReadingConformance", "Rig", "StoreConformance"]

Found = tuple[bytes, int]


class ReadingConformance:
    """Reading, for every store."""

    @pytest.fixture
    def rig(self) -> Rig:
        raise NotImplementedError

    def get(self, rig: Rig, uri: str, *args: Any, **kwargs: Any) -> Found:
        stream, size = rig.store.get(rig.at(uri), *args, **kwargs)
        return read(stream), size

    @pytest.fixture(autouse=True)
    def _no_secret_is_told(self, rig: Rig, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
        caplog.set_level("DEBUG")
        yield
        for secret in rig.secrets:
            assert secret not in caplog.text

    def refused(self, rig: Rig, kind: type[Exception], work: Callable[[], object]) -> Any:
        """Expect an exception whose text, and whose traceback, tells no secret."""
        with pytest.raises(kind) as caught:
            work()
        told = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
        for secret in rig.secrets:
            assert secret not in told
        return caught.value

    # -- whole images ------------------------------------------------------------------------

    @pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, -1])
    def test_get_gives_all_bytes_and_their_number(self, rig: Rig, size: int) -> None:
        data = pattern(rig.large if size < 0 else size)
        uri = rig.plant("whole", data)
        assert self.get(rig, uri) == (data, len(data))
        assert rig.store.get_size(rig.at(uri)) == len(data)
        assert rig.store.get_size(rig.at(uri), context={}) == len(data)

    def test_pieces_are_bytes_and_not_larger_than_the_chunk_size(self, rig: Rig) -> None:
        data = pattern(rig.large)
        uri = rig.plant("pieces", data)
        for chunk in (rig.store.READ_CHUNKSIZE, 1000):
            rig.store.READ_CHUNKSIZE = chunk
            pieces = list(rig.store.get(rig.at(uri))[0])
            assert b"".join(pieces) == data
            assert {type(piece) for piece in pieces} == {bytes}
            assert 0 < max(map(len, pieces)) <= chunk
            assert all(pieces)

    def test_a_missing_image_is_not_found_by_the_call_itself(self, rig: Rig) -> None:
        place = rig.at(rig.missing("nothing"))
        for work in (
            lambda: rig.store.get(place),
            lambda: rig.store.get(place, offset=0, chunk_size=0),
            lambda: rig.store.get_size(place),
        ):
            error = self.refused(rig, exceptions.NotFound, work)
            assert "not found" in str(error)
            assert error.msg == str(error)

    # -- ranges ------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("offset", "length"),
        [(0, 10), (5, 10), (5, None), (999, 1), (999, None), (990, 100), (1000, None), (5000, 3), (0, 5000), (0, 0), (7, 0)],
    )  # fmt: skip
    def test_a_range_gives_its_bytes_and_their_number(
        self, rig: Rig, offset: int, length: int | None
    ) -> None:
        data = pattern(1000)
        uri = rig.plant("range", data)
        wanted = data[offset:] if length is None else data[offset : offset + length]
        got = self.get(rig, uri, offset=offset, chunk_size=length)
        assert got == (wanted, len(wanted))
        assert self.get(rig, uri, offset, length) == got, "positional means the same"

    def test_a_range_deep_in_a_large_image(self, rig: Rig) -> None:
        data = pattern(rig.large)
        uri = rig.plant("deep", data)
        offset, length = rig.large // 2 - 7, rig.large // 4
        assert self.get(rig, uri, offset=offset, chunk_size=length) == (
            data[offset : offset + length],
            length,
        )

    @pytest.mark.parametrize(("offset", "length"), [(-1, None), (0, -1), (-5, 5)])
    def test_a_range_that_cannot_be_is_refused(self, rig: Rig, offset: int, length: Any) -> None:
        place = rig.at(rig.plant("negative", b"0123456789"))
        self.refused(
            rig,
            exceptions.StoreRandomGetNotSupported,
            lambda: rig.store.get(place, offset=offset, chunk_size=length),
        )

    # -- streams -----------------------------------------------------------------------------

    def test_a_stream_that_is_dropped_releases_what_it_holds(self, rig: Rig) -> None:
        place = rig.at(rig.plant("dropped", pattern(rig.large)))
        read(rig.store.get(place)[0])
        gc.collect()
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            stream, _size = rig.store.get(place)
            del stream  # never iterated over
            started = iter(rig.store.get(place)[0])
            next(started)
            del started  # abandoned in the middle
            closed, _size = rig.store.get(place)
            closed.close()
            closed.close()
        gc.collect()
        assert len(os.listdir("/proc/self/fd")) <= before + 1  # a kept connection

    def test_closing_ends_an_iteration_and_a_second_one_is_refused(self, rig: Rig) -> None:
        place = rig.at(rig.plant("twice", pattern(rig.large)))
        stream, _size = rig.store.get(place)
        pieces = iter(stream)
        assert next(pieces)
        stream.close()
        assert list(pieces) == []
        with rig.store.get(place)[0] as whole:
            assert len(read(whole)) == rig.large
            with pytest.raises(ValueError, match="once"):
                list(whole)

    # -- side by side ------------------------------------------------------------------------

    def test_threads_read_side_by_side(self, rig: Rig) -> None:
        data = [pattern(100_000 + n, n) for n in range(6)]
        uris = [rig.plant(f"thread{n}", each) for n, each in enumerate(data)]
        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(lambda uri: self.get(rig, uri), uris * 3))
        assert found == [(each, len(each)) for each in data * 3]

    def test_a_forked_child_reads(self, rig: Rig) -> None:
        data = pattern(rig.large)
        uri = rig.plant("forked", data)
        assert self.get(rig, uri) == (data, len(data))
        assert in_child(lambda: self.get(rig, uri) == (data, len(data)))
        assert self.get(rig, uri) == (data, len(data))


class StoreConformance(ReadingConformance):
    """Reading and writing."""

    def add(self, rig: Rig, name: str, source: Any, size: Any = 0, **kwargs: Any) -> Any:
        return rig.store.add(name, source, size, "sha256", **kwargs)

    def check_added(self, rig: Rig, result: Any, data: bytes) -> None:
        uri, size, checksum, multihash, metadata = result
        assert size == len(data)
        assert checksum == hashlib.md5(data).hexdigest()
        assert multihash == hashlib.sha256(data).hexdigest()
        assert metadata.get("store") == rig.identifier
        assert self.get(rig, uri) == (data, len(data))
        assert rig.leftovers() == []

    def check_nothing(self, rig: Rig, name: str) -> None:
        """Nothing of that name is there, and a new upload of it succeeds."""
        self.refused(
            rig, exceptions.NotFound, lambda: rig.store.get_size(rig.at(rig.missing(name)))
        )
        assert rig.leftovers() == []
        self.check_added(rig, self.add(rig, name, io.BytesIO(b"again"), 5), b"again")

    # -- sources and sizes -------------------------------------------------------------------

    @pytest.mark.parametrize("size", [0, 1, 65536, 65537, -1])
    @pytest.mark.parametrize("known", [True, False])
    def test_an_image_is_stored(self, rig: Rig, size: int, known: bool) -> None:
        data = pattern(rig.large if size < 0 else size)
        result = self.add(rig, "image", OnlyRead(data), len(data) if known else 0)
        self.check_added(rig, result, data)
        assert rig.store.get_size(rig.at(result[0])) == len(data)

    def test_a_size_of_none_is_an_unknown_one(self, rig: Rig) -> None:
        self.check_added(rig, self.add(rig, "image", io.BytesIO(b"data"), None), b"data")

    def test_every_kind_of_source_is_taken(self, rig: Rig) -> None:
        data = pattern(rig.large)
        chunks = [data[at : at + 77_777] for at in range(0, len(data), 77_777)]
        sources = {
            "readable": io.BytesIO(data),
            "uneven": Uneven(data),
            "list": [b"", *chunks, b""],
            "generator": (each for each in chunks),
        }
        for name, source in sources.items():
            self.check_added(rig, self.add(rig, name, source, len(data)), data)

    def test_a_text_is_never_taken_for_the_path_of_a_file(self, rig: Rig) -> None:
        for text in (__file__, "file://" + __file__):
            with pytest.raises(TypeError):
                self.add(rig, "image", text)
        self.check_nothing(rig, "image")

    @pytest.mark.parametrize("declared", [1, 999, 1001, 5 << 20])
    def test_a_wrong_size_is_invalid_and_leaves_nothing(self, rig: Rig, declared: int) -> None:
        source = OnlyRead(pattern(1000))
        error = self.refused(
            rig, exceptions.Invalid, lambda: self.add(rig, "image", source, declared)
        )
        word = "exceeds" if declared < 1000 else "mismatch"
        assert str(error).startswith(f"Size {word}: expected")
        self.check_nothing(rig, "image")

    def test_a_wrong_size_of_a_large_image_is_invalid_and_leaves_nothing(self, rig: Rig) -> None:
        for declared in (rig.large - 1, rig.large + 1):
            source = OnlyRead(pattern(rig.large))
            self.refused(rig, exceptions.Invalid, lambda: self.add(rig, "image", source, declared))  # noqa: B023
        self.check_nothing(rig, "image")

    def test_the_old_form_gives_four_values(self, rig: Rig) -> None:
        uri, size, checksum, metadata = rig.store.add("image", io.BytesIO(b"data"), 4, context=None)
        assert (size, checksum) == (4, hashlib.md5(b"data").hexdigest())
        assert metadata.get("store") == rig.identifier
        assert self.get(rig, uri) == (b"data", 4)

    def test_the_metadata_belongs_to_the_caller(self, rig: Rig) -> None:
        first = self.add(rig, "one", io.BytesIO(b"1"))[4]
        first["store"] = "changed"
        first["more"] = "mine"
        second = self.add(rig, "two", io.BytesIO(b"2"))[4]
        assert second.get("store") == rig.identifier
        assert "more" not in second

    def test_a_verifier_sees_every_byte_in_order(self, rig: Rig) -> None:
        data = pattern(rig.large)
        verifier = Verifier()
        self.check_added(rig, self.add(rig, "image", io.BytesIO(data), verifier=verifier), data)
        assert verifier.seen == data

    @pytest.mark.parametrize("algorithm", ["nothing", "shake_128"])
    def test_an_impossible_algorithm_is_refused_before_a_byte_is_read(
        self, rig: Rig, algorithm: str
    ) -> None:
        source = OnlyRead(b"data")
        with pytest.raises((ValueError, exceptions.UnknownHashingAlgo)):
            rig.store.add("image", source, 4, hashing_algo=algorithm)
        assert source.reads == 0
        self.check_nothing(rig, "image")

    # -- failures ----------------------------------------------------------------------------

    @pytest.mark.parametrize(
        "error",
        [
            RuntimeError("the source"), OSError(13, "the source"), OSError(28, "the source"), KeyboardInterrupt(),
            exceptions.StorageFull(), GeneratorExit(),
        ],
        ids=lambda error: type(error).__name__ + str(getattr(error, "errno", "")),
    )  # fmt: skip
    def test_what_a_source_raises_comes_out_unchanged_and_nothing_is_left(
        self, rig: Rig, error: BaseException
    ) -> None:
        data = pattern(rig.large)
        count = OnlyRead(data)
        self.add(rig, "count", count, len(data))
        reads = count.reads
        for at in {1, 2, reads // 2, reads - 1, reads}:
            source = OnlyRead(data, fail_at=at, error=error)
            with pytest.raises(type(error)) as caught:
                self.add(rig, "image", source, len(data))
            assert caught.value is error
            assert rig.leftovers() == []
        self.check_nothing(rig, "image")

    def test_what_a_verifier_raises_comes_out_unchanged_and_nothing_is_left(self, rig: Rig) -> None:
        error = RuntimeError("no signature")
        with pytest.raises(RuntimeError) as caught:
            self.add(rig, "image", io.BytesIO(b"data"), verifier=Verifier(error))
        assert caught.value is error
        self.check_nothing(rig, "image")

    def test_an_image_that_is_there_is_a_duplicate_and_stays(self, rig: Rig) -> None:
        uri = self.add(rig, "image", io.BytesIO(b"first"), 5)[0]
        for source in (OnlyRead(b"other"), OnlyRead(pattern(rig.large))):
            error = self.refused(
                rig,
                exceptions.Duplicate,
                lambda: self.add(rig, "image", source),  # noqa: B023
            )
            assert "image" in str(error)
        assert self.get(rig, uri) == (b"first", 5)
        assert rig.leftovers() == []

    # -- deleting ----------------------------------------------------------------------------

    def test_a_deleted_image_is_not_found(self, rig: Rig) -> None:
        uri = self.add(rig, "image", io.BytesIO(b"data"), 4)[0]
        assert rig.store.delete(rig.at(uri)) is None
        for work in (rig.store.delete, rig.store.get, rig.store.get_size):
            self.refused(rig, exceptions.NotFound, lambda: work(rig.at(uri)))  # noqa: B023
        self.check_nothing(rig, "image")

    # -- side by side ------------------------------------------------------------------------

    def test_of_two_writers_of_one_name_one_succeeds(self, rig: Rig) -> None:
        other = rig.another() if rig.another is not None else rig.store
        both = threading.Barrier(2)

        def write(store: Any, data: bytes) -> Any:
            def slowly() -> Iterator[bytes]:
                both.wait(10)
                yield data[: len(data) // 2]
                yield data[len(data) // 2 :]

            try:
                return store.add("raced", slowly(), len(data), "sha256")
            except exceptions.Duplicate as error:
                return error

        for _ in range(3):
            data = [pattern(rig.large, 1), pattern(rig.large, 2)]
            with ThreadPoolExecutor(2) as pool:
                results = list(pool.map(write, (rig.store, other), data))
            winners = [n for n, each in enumerate(results) if isinstance(each, tuple)]
            assert winners, "somebody must win"
            if rig.exclusive:
                assert len(winners) == 1
                self.check_added(rig, results[winners[0]], data[winners[0]])
            uri = results[winners[0]][0]
            assert self.get(rig, uri)[0] in data, "one whole image"
            rig.store.delete(rig.at(uri))
            assert rig.leftovers() == []

    def test_threads_write_side_by_side(self, rig: Rig) -> None:
        data = [pattern(70_000 * n, n) for n in range(1, 7)]
        with ThreadPoolExecutor(6) as pool:
            results = list(
                pool.map(lambda n: self.add(rig, f"t{n}", io.BytesIO(data[n]), 0), range(6))
            )
        for result, each in zip(results, data, strict=True):
            self.check_added(rig, result, each)

    def test_a_forked_child_writes(self, rig: Rig) -> None:
        data = pattern(rig.large)
        self.check_added(rig, self.add(rig, "before", io.BytesIO(data), len(data)), data)

        def work() -> bool:
            self.check_added(rig, self.add(rig, "inside", io.BytesIO(data), len(data)), data)
            return True

        assert in_child(work)
        self.check_added(rig, self.add(rig, "after", io.BytesIO(data), len(data)), data)
