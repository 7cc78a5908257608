"""What unfinished uploads leave: found, proved, removed."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator

from multistore.drivers.file.directories import Directory
from multistore.drivers.file.errors import translating
from multistore.drivers.file.reader import open_file
from multistore.drivers.file.refs import FileRef, Token, image_name, is_unfinished, parse_token
from multistore.drivers.file.syscalls import generation
from multistore.errors import InUse, NotFound
from multistore.model import Pending, Stored

__all__ = ["discard", "pending", "published"]


def pending(directories: tuple[Directory, ...]) -> Iterator[Pending]:
    """List the temporary files and claims, live ones included.

    ``started`` is when the file was last written to, by the clock of its file system: the sign of life that counts.
    """
    for directory in directories:
        for entry in _unfinished(directory):
            with translating(f"the unfinished file {entry}"):
                found = _describe(directory, entry)
            if found is not None:
                yield found


def _unfinished(directory: Directory) -> list[str]:
    with translating(f"the directory {directory.path}"):
        try:
            with directory.opened() as folder:
                return [entry for entry in os.listdir(folder) if is_unfinished(entry)]
        except NotFound:  # no upload yet
            return []


def _describe(directory: Directory, entry: str) -> Pending | None:
    """Describe one unfinished file; None if it is gone, or none of ours."""
    with directory.opened() as folder:
        try:
            file, status = _open(folder, entry)
        except FileNotFoundError:
            return None
    if file < 0:
        return None
    try:
        token = Token(directory.path, entry, status.st_ino, generation(file))
    finally:
        os.close(file)
    return Pending(str(token), image_name(entry), status.st_mtime)


def _open(folder: int, entry: str) -> tuple[int, os.stat_result]:
    """Open a regular file; -1 for anything else that has taken its name."""
    status = os.stat(entry, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode):
        return -1, status
    return open_file(folder, entry, entry)


def discard(directories: tuple[Directory, ...], text: str) -> None:
    """Remove the unfinished file of a token, if it is still that file; InUse while its writer lives."""
    token = parse_token(text)
    directory = _owner(directories, token)
    if token is None or directory is None:
        return
    with translating(f"the unfinished file {token.entry}"):
        try:
            with directory.opened() as folder:
                _discard(folder, token)
        except (FileNotFoundError, NotFound):  # the file, or the whole directory
            pass


def _discard(folder: int, token: Token) -> None:
    file, status = _open(folder, token.entry)
    if file < 0:
        return
    try:
        if _is(token, file, status):
            _lock(file, token)
            os.unlink(token.entry, dir_fd=folder)
    finally:
        os.close(file)


def _lock(file: int, token: Token) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        name = image_name(token.entry) or token.entry
        raise InUse(f"the upload of {name!r} is alive: its writer holds the file") from None


def _is(token: Token, file: int, status: os.stat_result) -> bool:
    return (token.inode, token.generation) == (status.st_ino, generation(file))


def _owner(directories: tuple[Directory, ...], token: Token | None) -> Directory | None:
    if token is None:
        return None
    return next((one for one in directories if one.path == token.directory), None)


def published(directories: tuple[Directory, ...], text: str) -> Stored | None:
    """Give the image that the upload of a token became, or None."""
    token = parse_token(text)
    directory = _owner(directories, token)
    if token is None or directory is None:
        return None
    with translating(f"the upload {token.entry}"):
        try:
            with directory.opened() as folder:
                for name in _candidates(folder, token):
                    size = _size_if(folder, name, token)
                    if size is not None:
                        return Stored(str(FileRef(directory.prefix + name)), size)
        except NotFound:  # the whole directory
            pass
    return None


def _candidates(folder: int, token: Token) -> list[str]:
    """Give the names under which the image may be; a temporary name that was cut does not tell."""
    name = image_name(token.entry)
    if name is not None:
        return [name]
    with os.scandir(folder) as entries:
        return [
            entry.name
            for entry in entries
            if entry.inode() == token.inode and not entry.name.startswith(".")
        ]


def _size_if(folder: int, name: str, token: Token) -> int | None:
    """Give the size of the file of that name if it is the token's."""
    try:
        file, status = _open(folder, name)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise
    if file < 0:
        return None
    try:
        return status.st_size if _is(token, file, status) else None
    finally:
        os.close(file)
