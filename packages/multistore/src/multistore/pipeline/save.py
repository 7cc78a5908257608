"""Writing what was read to a path, atomically and with its holes, or to a file object."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from collections.abc import Iterator
from typing import Protocol, TypeAlias

from multistore.pipeline.download import closable
from multistore.pipeline.zeros import data_runs

__all__ = ["Target", "Writable", "save"]


class Writable(Protocol):
    """Anything with ``write(bytes)``."""

    def write(self, data: bytes, /) -> object: ...


Target: TypeAlias = "str | os.PathLike[str] | Writable"


def save(chunks: Iterator[bytes], target: Target) -> int:
    """Write all pieces and give their number of bytes.

    A path gets the image under its name only when it is complete, verified and on the disk; an existing file is
    replaced in that moment.
    A device or a pipe is written in place.
    Errors of the target come out as the OSError they are.
    However it ends, ``chunks`` are closed, and with them the threads that read ahead and hash.
    """
    with closable(chunks):
        return _save(chunks, target)


def _save(chunks: Iterator[bytes], target: Target) -> int:
    if not isinstance(target, str | os.PathLike):
        return _write_all(chunks, target)
    path = os.fspath(target)
    with contextlib.suppress(FileNotFoundError):
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            with open(path, "wb", buffering=0) as device:
                return _write_all(chunks, device)
        path = os.path.realpath(path)  # replace what a link points to, not the link
    return _save_to_path(chunks, path)


def _write_all(chunks: Iterator[bytes], target: Writable) -> int:
    total = 0
    for chunk in chunks:
        view = memoryview(chunk)
        while view:
            taken = target.write(view)  # type: ignore[arg-type] # a raw file may take less
            if taken is None and isinstance(target, io.RawIOBase):
                raise BlockingIOError(
                    errno.EAGAIN, "the target does not wait for room: make it blocking"
                )
            if isinstance(taken, int) and taken <= 0:
                raise OSError(errno.EIO, "the target takes no more bytes")
            view = view[taken:] if isinstance(taken, int) else view[:0]
        total += len(chunk)
    return total


def _save_to_path(chunks: Iterator[bytes], path: str) -> int:
    directory, name = os.path.split(path)
    if not name or os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, "is a directory: name the file", path)
    # A name holds 255 bytes, a character up to four.
    temporary = os.path.join(directory, f".{name[:48]}.{os.urandom(8).hex()}.part")
    try:
        with open(temporary, "xb", buffering=0) as file:
            total = _write_sparse(chunks, file.fileno())
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        _remove(temporary, error)
        raise
    _sync_directory(directory or ".")
    return total


def _remove(path: str, error: BaseException) -> None:
    """Remove what is unfinished; ``error`` stays the error, trouble in here is added to it."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as trouble:
        error.add_note(f"{path} is left behind ({trouble.strerror}): remove it")


def _write_sparse(chunks: Iterator[bytes], fd: int) -> int:
    """Write the stretches that hold something; the rest stays a hole."""
    total = 0
    for chunk in chunks:
        for start, end in data_runs(chunk):
            _write_at(fd, memoryview(chunk)[start:end], total + start)
        total += len(chunk)
    os.ftruncate(fd, total)
    return total


def _write_at(fd: int, view: memoryview, offset: int) -> None:
    while view:
        written = os.pwrite(fd, view, offset)
        view = view[written:]
        offset += written


def _sync_directory(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
