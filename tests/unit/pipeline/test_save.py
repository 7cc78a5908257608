"""Into a path or a file object."""

from __future__ import annotations

import io
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from multistore.pipeline.save import save

GRAIN = 64 << 10


class Stop(BaseException):
    pass


def breaking(error: BaseException) -> Iterator[bytes]:
    yield b"some"
    raise error


def test_a_path_gets_all_bytes(tmp_path: Path) -> None:
    assert save(iter([b"ab", b"", b"cd"]), tmp_path / "x") == 4
    assert (tmp_path / "x").read_bytes() == b"abcd"
    assert os.listdir(tmp_path) == ["x"]


def test_an_empty_image_is_an_empty_file(tmp_path: Path) -> None:
    assert save(iter([]), str(tmp_path / "x")) == 0
    assert (tmp_path / "x").read_bytes() == b""


def test_the_permissions_are_those_of_a_new_file(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        save(iter([b"x"]), tmp_path / "x")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640


def test_zero_runs_become_holes(tmp_path: Path) -> None:
    data = b"x" * GRAIN + bytes(32 * GRAIN) + b"y"
    save(iter([data, bytes(32 * GRAIN)]), tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == data + bytes(32 * GRAIN)
    assert (tmp_path / "x").stat().st_blocks * 512 <= 4 * GRAIN


@pytest.mark.parametrize("error", [OSError("gone"), Stop()])
@pytest.mark.parametrize("before", [None, b"old"])
def test_a_failure_leaves_what_was_there(
    tmp_path: Path, error: BaseException, before: bytes | None
) -> None:
    target = tmp_path / "x"
    if before is not None:
        target.write_bytes(before)
    with pytest.raises(type(error)) as caught:
        save(breaking(error), target)
    assert caught.value is error
    assert os.listdir(tmp_path) == ([] if before is None else ["x"])
    assert before is None or target.read_bytes() == before


def test_the_pieces_are_closed_when_the_target_fails(tmp_path: Path) -> None:
    closed = []

    def pieces() -> Iterator[bytes]:
        try:
            yield b"some"
            yield b"more"
        finally:
            closed.append(True)

    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "full")

    with pytest.raises(OSError, match="full") as caught:
        save(pieces(), Full())
    assert closed == [True]
    assert caught.value.errno == 28


def test_a_link_is_followed_and_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    save(iter([b"new"]), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"
    assert sorted(os.listdir(tmp_path)) == ["link", "real"]


@pytest.mark.parametrize("tail", ["", "/", "folder", "folder/"])
def test_a_directory_is_refused_and_nothing_is_read(tmp_path: Path, tail: str) -> None:
    (tmp_path / "folder").mkdir()
    pieces = breaking(Stop())
    with pytest.raises(IsADirectoryError):
        save(pieces, f"{tmp_path}/{tail}" if tail else tmp_path)
    assert os.listdir(tmp_path) == ["folder"]
    assert os.listdir(tmp_path / "folder") == []


def test_a_missing_directory_is_what_the_system_says(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        save(iter([b"x"]), tmp_path / "no" / "x")


def test_an_empty_path_is_refused() -> None:
    with pytest.raises(OSError, match="name the file"):
        save(iter([b"x"]), "")


@pytest.mark.parametrize("name", ["é" * 127, "n" * 255, "日" * 85])
def test_the_longest_names_work(tmp_path: Path, name: str) -> None:
    save(iter([b"x"]), tmp_path / name)
    assert os.listdir(tmp_path) == [name]


def test_a_relative_name_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(iter([b"x"]), "x")
    assert (tmp_path / "x").read_bytes() == b"x"


def test_a_pipe_is_written_in_place(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    got: list[bytes] = []
    thread = threading.Thread(target=lambda: got.append(path.read_bytes()))
    thread.start()
    save(iter([b"ab", b"cd"]), path)
    thread.join(10)
    assert got == [b"abcd"]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_a_device_is_written_in_place() -> None:
    assert save(iter([b"ab"]), "/dev/null") == 2


class Sipping:
    """A raw file that takes at most two bytes at once."""

    def __init__(self) -> None:
        self.got = b""

    def write(self, data: bytes) -> int:
        self.got += bytes(data[:2])
        return min(2, len(data))


class Silent(Sipping):
    """A file object whose ``write`` gives nothing back."""

    def write(self, data: bytes) -> None:  # type: ignore[override]
        self.got += bytes(data)


@pytest.mark.parametrize("kind", [Sipping, Silent])
def test_a_file_object_gets_all_bytes(kind: type[Sipping]) -> None:
    target = kind()
    assert save(iter([b"abcde", b"f"]), target) == 6
    assert target.got == b"abcdef"


def test_a_file_object_stays_open_and_goes_on_where_it_was() -> None:
    target = io.BytesIO(b"12345678")
    target.seek(2)
    save(iter([b"ab"]), target)
    assert target.getvalue() == b"12ab5678"


def test_a_raw_file_that_takes_nothing_is_no_endless_loop() -> None:
    class Blocked(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int | None:
            return 0

    with pytest.raises(OSError):
        save(iter([b"ab"]), Blocked())


def test_a_non_blocking_file_that_would_block_loses_nothing() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with open(reading, "rb") as far, open(writing, "wb", buffering=0) as near:
        with pytest.raises(BlockingIOError):
            save(iter([bytes(1 << 20)] * 2), near)
        assert far.read(1) == b"\0"
