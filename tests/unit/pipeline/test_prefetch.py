"""Several ranges at once, handed out in order."""

# ruff: noqa: PT012 - what came before the error is counted in the same block
from __future__ import annotations

import threading
from collections.abc import Generator, Iterator

import pytest
from multistore.driver import Reader
from multistore.errors import Corrupt, Unavailable
from multistore.model import Info
from multistore.pipeline.prefetch import prefetched

DATA = bytes(range(100))


class Ranges(Reader):
    """Notes each request; ``wrong`` maps an offset to what comes instead of its range."""

    def __init__(self, wrong: dict[int, object] | None = None) -> None:
        self.wrong = wrong or {}
        self.asked: list[tuple[int, int | None]] = []
        self.now = 0
        self.most = 0
        self.lock = threading.Lock()

    @property
    def info(self) -> Info:
        return Info("ref", len(DATA))

    def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        with self.lock:
            self.asked.append((offset, length))
            self.now += 1
            self.most = max(self.most, self.now)
        return self._pieces(offset, length or 0)

    def _pieces(self, offset: int, length: int) -> Iterator[bytes]:
        try:
            wrong = self.wrong.get(offset)
            if isinstance(wrong, bytes):
                yield wrong
                return
            for at in range(offset, offset + length, 3):
                yield DATA[at : min(at + 3, offset + length)]
                if isinstance(wrong, BaseException):
                    raise wrong
        finally:
            with self.lock:
                self.now -= 1

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


@pytest.mark.parametrize("parallel", [1, 2, 4, 50])
@pytest.mark.parametrize(
    ("offset", "length"), [(0, 100), (0, 10), (7, 13), (99, 1), (5, 95), (5, 0)]
)
def test_the_bytes_come_in_order(parallel: int, offset: int, length: int) -> None:
    reader = Ranges()
    found = b"".join(prefetched(reader, offset, length, parallel, 10))
    assert found == DATA[offset : offset + length]
    assert sum(each[1] or 0 for each in reader.asked) == length
    assert reader.most <= parallel


@pytest.mark.parametrize("parallel", [1, 3])
def test_an_error_comes_where_it_happened(parallel: int) -> None:
    error = Unavailable("cut off")
    stream = prefetched(Ranges({30: error}), 0, 100, parallel, 10)
    got = b""
    with pytest.raises(Unavailable) as caught:
        for piece in stream:
            got += piece
    assert caught.value is error
    assert got == DATA[:33]


@pytest.mark.parametrize("instead", [b"", b"short", b"x" * 11, b"x" * 1000])
def test_a_range_of_the_wrong_length_is_never_spliced(instead: bytes) -> None:
    got = b""
    with pytest.raises(Corrupt, match=f"10 bytes came with {len(instead)}"):
        for piece in prefetched(Ranges({20: instead}), 0, 100, 3, 10):
            got += piece
    assert got in (DATA[:20], DATA[:20] + instead[:10])


def test_closing_early_waits_for_what_is_under_way() -> None:
    reader = Ranges()
    stream = prefetched(reader, 0, 100, 4, 10)
    assert isinstance(stream, Generator)
    assert next(stream) == DATA[:3]
    stream.close()
    assert reader.now == 0
    assert len(reader.asked) <= 4


def test_a_stream_that_was_never_started_asks_nothing() -> None:
    reader = Ranges()
    stream = prefetched(reader, 0, 100, 4, 10)
    assert isinstance(stream, Generator)
    stream.close()
    assert reader.asked == []


def test_without_threads_ranges_are_read_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    reader = Ranges()
    assert b"".join(prefetched(reader, 0, 100, 4, 10)) == DATA
    assert reader.most == 1
