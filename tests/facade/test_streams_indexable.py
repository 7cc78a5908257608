"""Iterators that can be sliced from the front."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from glance_store import backend
from glance_store._streams import ImageStream, Indexable, IndexableStream
from multistore.errors import Corrupt, StoreError


class Chunks(Indexable):
    """Gives its chunks one by one."""

    def __init__(self, *chunks: bytes) -> None:
        super().__init__(iter(chunks), sum(map(len, chunks)))

    def another(self) -> bytes:
        return next(self.wrapped, b"")


def test_it_is_part_of_the_interface() -> None:
    assert backend.Indexable is Indexable


def test_the_length_is_what_was_given_or_what_the_wrapped_object_says() -> None:
    assert len(Indexable(iter(()), 5)) == 5
    assert len(Indexable(iter(()), "7")) == 7
    assert len(Indexable(SimpleNamespace(len=9), 0)) == 9
    assert len(Indexable(SimpleNamespace(len=9), None)) == 9
    assert len(Indexable(iter(()), 0)) == 0


def test_iterating_gives_the_chunks() -> None:
    wrapped = Indexable([b"ab", b"c"], 3)
    assert list(wrapped) == [b"ab", b"c"]
    assert wrapped.chunk == b"c"


def test_slices_follow_each_other() -> None:
    chunks = Chunks(b"abc", b"def", b"g")
    assert chunks[0:] == b"abc"
    assert chunks[1:] == b"bc"
    assert chunks[1:2] == b"b"
    assert chunks[3] == b"def"
    assert chunks.cursor == 6
    assert chunks[6:] == b"g"
    assert chunks[7:] == b""


def test_c34_a_position_that_is_gone_is_an_error_and_one_further_on_is_reached() -> None:
    chunks = Chunks(b"abc", b"def", b"ghi")
    assert chunks[4:] == b"ef"
    for start in (0, 2):
        with pytest.raises(IndexError):
            chunks[start:]
    assert chunks[8:] == b"i"
    assert chunks[100:] == b""


def test_h17_the_end_is_bytes() -> None:
    stream = IndexableStream(held([b"abc"])[0], 3)
    assert stream[0:] == b"abc"
    assert stream[3:] == b""
    assert isinstance(stream[3:], bytes)


def test_the_value_is_that_of_the_wrapped_object() -> None:
    assert Indexable(SimpleNamespace(getvalue=lambda: b"all"), 3).getvalue() == b"all"
    with pytest.raises(NotImplementedError):
        Indexable(iter(()), 0).another()


# -- streams of images ---------------------------------------------------------------------------


def held(
    pieces: list[bytes], error: StoreError | None = None, limit: int | None = None
) -> tuple[ImageStream, list[str]]:
    log: list[str] = []

    def give() -> Iterator[bytes]:
        try:
            yield from pieces
            if error is not None:
                raise error
        finally:
            log.append("pieces")

    return ImageStream(
        give(),
        release=lambda: log.append("image"),
        translate=lambda _error: KeyError("translated"),
        limit=limit,
    ), log


@pytest.mark.parametrize("limit", [None, 2])
def test_what_is_read_to_its_end_is_released_once(limit: int | None) -> None:
    stream, log = held([b"abc", b"d"], limit=limit)
    assert list(stream) == ([b"abc", b"d"] if limit is None else [b"ab", b"c", b"d"])
    assert log == ["pieces", "image"]
    stream.close()
    del stream
    gc.collect()
    assert log == ["pieces", "image"]


def test_what_is_dropped_is_released() -> None:
    for steps in (0, 1):
        stream, log = held([b"abc", b"d"])
        running = iter(stream)
        if steps:
            next(running)
        del stream, running
        gc.collect()
        assert log[-1] == "image"


def test_errors_are_translated_and_release_what_is_held() -> None:
    stream, log = held([b"abc"], Corrupt("no"))
    with pytest.raises(KeyError) as caught:
        list(stream)
    assert isinstance(caught.value.__cause__, Corrupt)
    assert log == ["pieces", "image"]


def test_trouble_while_releasing_troubles_nobody() -> None:
    def fail() -> None:
        raise Corrupt("no")

    stream = ImageStream(iter([b"x"]), release=fail, translate=KeyError)
    assert list(stream) == [b"x"]
