"""Sources of bytes: whatever gives them, and however few at once."""

# ruff: noqa: PT012 - what came before the error is counted in the same block
from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from multistore.errors import SizeMismatch
from multistore.pipeline.source import Source, SourceReader

DATA = b"0123456789"


class Sips:
    """A file object that gives at most ``most`` bytes at once, and remembers what it was asked for."""

    def __init__(self, data: bytes, most: int) -> None:
        self.file = io.BytesIO(data)
        self.most = most
        self.asked: list[int] = []

    def read(self, size: int) -> bytes:
        self.asked.append(size)
        return self.file.read(min(size, self.most))


def pour(
    source: Source, size: int | None = None, *, block: int = 4, read_size: int | None = None
) -> list[bytes]:
    reader = SourceReader(source, size, read_size)
    reader.open()
    blocks = []
    try:
        while not reader.ended:
            blocks.append(reader.fill(block))
    finally:
        reader.close()
    assert reader.total == sum(map(len, blocks))
    return blocks


def kinds(data: bytes, folder: Path) -> dict[str, Source]:
    path = folder / "image"
    path.write_bytes(data)
    return {
        "path": str(path),
        "path object": path,
        "bytes": data,
        "bytearray": bytearray(data),
        "memoryview": memoryview(data),
        "file": io.BytesIO(data),
        "list": [data[:3], data[3:]],
        "iterator": iter([data]),
        "single bytes": (data[at : at + 1] for at in range(len(data))),
        "mutable pieces": [bytearray(data[:5]), memoryview(data)[5:]],  # type: ignore[list-item]
        "with empty pieces": [b"", data[:3], b"", b"", data[3:], b""],
    }


KINDS = [
    "path", "path object", "bytes", "bytearray", "memoryview", "file", "list", "iterator", "single bytes",
    "mutable pieces", "with empty pieces",
]  # fmt: skip


@pytest.mark.parametrize("declared", [None, len(DATA)])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_full_blocks_and_a_last_one(
    kind: str, declared: int | None, tmp_path: Path
) -> None:
    blocks = pour(kinds(DATA, tmp_path)[kind], declared)
    assert [block for block in blocks if block] == [b"0123", b"4567", b"89"]
    assert all(type(block) is bytes for block in blocks)


@pytest.mark.parametrize("declared", [None, 0])
@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_source_is_an_image_too(kind: str, declared: int | None, tmp_path: Path) -> None:
    assert b"".join(pour(kinds(b"", tmp_path)[kind], declared)) == b""


@pytest.mark.parametrize("most", [1, 2, 3, 4, 5, 100])
@pytest.mark.parametrize("block", [1, 3, 4, 9, 10, 11])
def test_short_reads_change_nothing(most: int, block: int) -> None:
    blocks = [each for each in pour(Sips(DATA, most), block=block) if each]
    assert blocks == [DATA[at : at + block] for at in range(0, len(DATA), block)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("declared", [0, 1, 4, 9])
def test_more_than_declared_is_refused(kind: str, declared: int, tmp_path: Path) -> None:
    with pytest.raises(SizeMismatch) as caught:
        pour(kinds(DATA, tmp_path)[kind], declared)
    assert caught.value.exceeds
    assert caught.value.expected == declared
    assert caught.value.actual > declared


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("declared", [11, 12, 1000])
def test_less_than_declared_is_refused(kind: str, declared: int, tmp_path: Path) -> None:
    with pytest.raises(SizeMismatch) as caught:
        pour(kinds(DATA, tmp_path)[kind], declared)
    assert not caught.value.exceeds
    assert (caught.value.expected, caught.value.actual) == (declared, len(DATA))


def test_a_negative_size_is_refused_before_anything_is_read() -> None:
    source = Sips(DATA, 100)
    with pytest.raises(SizeMismatch, match="-1"):
        SourceReader(source, -1, None).open()
    assert source.asked == []


@pytest.mark.parametrize("read_size", [0, -1])
def test_a_read_size_below_one_is_refused(read_size: int) -> None:
    with pytest.raises(ValueError, match="read_size"):
        SourceReader(DATA, None, read_size)


def test_no_more_is_asked_at_once_than_read_size() -> None:
    source = Sips(DATA, 100)
    pour(source, read_size=3, block=8)
    assert max(source.asked) == 3


def test_a_declared_size_is_passed_by_one_byte_at_most() -> None:
    source = Sips(DATA * 2, 100)
    with pytest.raises(SizeMismatch):
        pour(source, len(DATA), block=1000)
    assert sum(source.asked) == len(DATA) + 1


def test_a_path_knows_its_size_at_once(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(DATA)
    reader = SourceReader(path, None, None)
    reader.open()
    assert reader.size == len(DATA)
    reader.close()
    reader.close()


def test_a_file_that_shrinks_or_grows_meanwhile_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "image"
    for change in (DATA[:5], DATA * 2):
        path.write_bytes(DATA)
        reader = SourceReader(path, None, None)
        reader.open()
        path.write_bytes(change)
        with pytest.raises(SizeMismatch):
            while not reader.ended:
                reader.fill(4)
        reader.close()


def test_a_pipe_is_a_path_without_a_size(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    thread = threading.Thread(target=path.write_bytes, args=(DATA,))
    thread.start()
    assert b"".join(pour(path)) == DATA
    thread.join(10)


@pytest.mark.parametrize("name", ["missing", ""])
def test_a_path_that_cannot_be_opened_raises_what_the_system_says(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(OSError, match=name or "directory"):
        pour(str(tmp_path / name) if name else tmp_path)


@pytest.mark.parametrize("piece", ["text", None, 7, [1]])
def test_what_is_not_bytes_is_refused(piece: object) -> None:
    class Strange:
        def read(self, size: int) -> object:
            return piece

    with pytest.raises(TypeError, match=type(piece).__name__):
        pour(Strange())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=type(piece).__name__):
        pour([DATA, piece])  # type: ignore[list-item]


@pytest.mark.parametrize("source", [None, 7, 1.5])
def test_what_is_no_source_is_refused(source: object) -> None:
    with pytest.raises(TypeError):
        pour(source)  # type: ignore[arg-type]


def test_a_text_file_is_refused() -> None:
    with pytest.raises(TypeError, match="str"):
        pour(io.StringIO("text"))  # type: ignore[arg-type]


def test_the_error_of_the_source_is_remembered() -> None:
    error = OSError("gone")

    def pieces() -> Iterator[bytes]:
        yield DATA
        raise error

    reader = SourceReader(pieces(), None, None)
    reader.open()
    with pytest.raises(OSError, match="gone") as caught:
        reader.fill(100)
    assert caught.value is error
    assert reader.error is error


def test_a_source_that_came_open_stays_open() -> None:
    file = io.BytesIO(DATA)
    pour(file)
    assert not file.closed


def test_a_file_object_is_read_from_where_it_is() -> None:
    file = io.BytesIO(DATA)
    file.seek(7)
    assert b"".join(pour(file)) == b"789"


def test_a_view_of_wider_items_counts_its_bytes() -> None:
    view = memoryview(b"12345678").cast("I")
    assert b"".join(pour(view)) == b"12345678"


def test_a_view_with_gaps_is_read_as_its_bytes() -> None:
    view = memoryview(DATA)[::2]
    assert b"".join(pour([view])) == b"02468"  # type: ignore[list-item]
    assert b"".join(pour(view)) == b"02468"


def test_a_buffer_changed_after_it_was_taken_changes_nothing() -> None:
    buffer = bytearray(b"aaaa")

    def pieces() -> Iterator[bytes]:
        for letter in b"abc":
            buffer[:] = bytes([letter]) * 4
            yield buffer  # type: ignore[misc]

    assert b"".join(pour(pieces(), block=100)) == b"aaaabbbbcccc"
