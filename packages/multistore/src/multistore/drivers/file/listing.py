"""Listing the images of a directory, and of the directories below it."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

from multistore.drivers.file.directories import Directory, below
from multistore.drivers.file.errors import translating
from multistore.drivers.file.reader import info_of
from multistore.drivers.file.refs import parse_ref
from multistore.errors import InvalidRef, NotFound
from multistore.model import Info

__all__ = ["files"]


def files(directory: Directory) -> Iterator[Info]:
    """List every regular file; what has no reference, or disappears meanwhile, is passed over.

    No descriptor is open while the caller works.
    """
    waiting: list[tuple[str, ...]] = [()]
    while waiting:
        inner = waiting.pop()
        with translating(f"the directory {directory.path}"):
            found, deeper = _one(directory, inner)
        waiting += deeper
        yield from found


def _one(directory: Directory, inner: tuple[str, ...]) -> tuple[list[Info], list[tuple[str, ...]]]:
    """List one directory: its images, and the directories in it."""
    found: list[Info] = []
    deeper: list[tuple[str, ...]] = []
    try:
        with contextlib.ExitStack() as stack:
            number = stack.enter_context(directory.opened())
            for name in inner:
                number = stack.enter_context(below(number, name, directory.path))
            for entry in stack.enter_context(os.scandir(number)):
                if entry.name.startswith(".") or entry.name == "lost+found":
                    continue
                if entry.is_dir(follow_symlinks=False):
                    deeper.append((*inner, entry.name))
                elif entry.is_file(follow_symlinks=False):
                    found += _info(directory, (*inner, entry.name), entry)
    except (NotFound, InvalidRef):
        pass  # no upload yet; or removed, or replaced, while we were on our way
    return found, deeper


def _info(directory: Directory, path: tuple[str, ...], entry: os.DirEntry[str]) -> list[Info]:
    try:
        ref = str(parse_ref(f"file://{directory.prefix}{'/'.join(path)}"))
        status = entry.stat(follow_symlinks=False)
    except (InvalidRef, FileNotFoundError):
        return []
    return [info_of(ref, entry.name, status)] if stat.S_ISREG(status.st_mode) else []
