"""What the operating system says, and how files are written so that they stay."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator

from multistore import errors

__all__ = ["names", "remove", "sync", "translated", "write"]

ERRORS: dict[int, type[errors.StoreError]] = {
    errno.ENOENT: errors.NotFound,
    errno.ENOTDIR: errors.NotFound,
    errno.EEXIST: errors.AlreadyExists,
    errno.ENOTEMPTY: errors.AlreadyExists,
    errno.ENOSPC: errors.NoSpace,
    errno.EDQUOT: errors.NoSpace,
    errno.EFBIG: errors.NoSpace,
    errno.EACCES: errors.AccessDenied,
    errno.EPERM: errors.AccessDenied,
    errno.EROFS: errors.AccessDenied,
}


@contextlib.contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn what the operating system says into the one tree of errors."""
    try:
        yield
    except OSError as error:
        kind = ERRORS.get(error.errno or 0, errors.Unavailable)
        raise kind(f"{what}: {error.strerror}") from error


def names(directory: str) -> Iterator[str]:
    with translated(directory):
        try:
            yield from os.listdir(directory)
        except FileNotFoundError:
            return  # nothing was ever written


def write(path: str, data: bytes) -> None:
    with open(path, "wb", buffering=0) as file:
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        os.fsync(file.fileno())


def sync(directory: str) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def remove(directory: str) -> None:
    try:
        shutil.rmtree(directory)
    except FileNotFoundError:
        return  # somebody else was quicker
