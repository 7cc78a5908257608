"""The settings of a file store."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from urllib.parse import unquote

from multistore.config import option
from multistore.drivers.file.reader import PIECE
from multistore.errors import Misconfigured

__all__ = ["FileSettings", "Place", "mode_of", "path_of_url", "places"]

_PERMISSIONS = stat.S_IRWXU | stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class FileSettings:
    """The settings of a file store; one of ``path`` and ``paths`` is needed."""

    path: str | None = option(None, help="the directory of the images")
    paths: tuple[str, ...] = option(
        (),
        help="several directories, each DIR or DIR:PRIORITY; a new image goes where most is free among those of "
        "the highest priority that have room",
    )
    create: bool = option(
        True,
        help="make a missing directory, and mark an unmarked one, at the first upload; "
        "false: only a marked directory is used at all",
    )
    mark: bool = option(
        True,
        help="with 'create', mark an unmarked directory at the first upload, so that it is known again; "
        "false: only a marker that is there already counts",
    )
    file_mode: str | None = option(
        None,
        help="the permissions of image files, octal, such as 0640; without it the umask decides",
    )
    thin: bool = option(
        True,
        help="leave runs of zeros out; false: reserve the space of each image and write all of it",
    )
    durable: bool = option(
        True, help="acknowledge an image, or a deletion, only when it would survive a power failure"
    )
    part_size: int = option(4 << 20, help="how much is written at once", unit="bytes", minimum=4096)
    read_size: int = option(
        PIECE,
        help="how much is read at once: the largest piece of a read",
        unit="bytes",
        minimum=4096,
    )
    parallel: int = option(
        1,
        help="how many parts of an image are written side by side; more than one pays where the directories are on a network",
        minimum=1,
        maximum=64,
    )
    timeout: float = option(
        0.0,
        help="give a call up after that long, for directories that are mounted over a network; 0: never",
        unit="seconds",
        minimum=0,
    )


@dataclass(frozen=True, slots=True)
class Place:
    """One configured directory: an absolute path and a priority, higher first."""

    path: str
    priority: int = 0


def path_of_url(url: str) -> str:
    """Take the directory out of ``file:///srv/images`` or ``file:images``; escapes like ``%20`` are decoded."""
    rest = url.partition(":")[2]
    if rest.startswith("//"):
        host, slash, rest = rest[2:].partition("/")
        if host not in ("", "localhost"):
            raise Misconfigured(
                "a file store is on this machine, but the URL names a host: write file:///DIRECTORY",
                setting="url",
            )
        rest = slash + rest
    if not rest:
        raise Misconfigured("the URL names no directory: write file:///DIRECTORY", setting="url")
    return unquote(rest, errors="surrogateescape")


def places(settings: FileSettings) -> tuple[Place, ...]:
    """Give the configured directories, highest priority first; Misconfigured if they make no sense."""
    if bool(settings.path) == bool(settings.paths):
        raise Misconfigured("a file store needs 'path' or 'paths', not both", setting="path")
    if settings.path:
        return (Place(_absolute(settings.path, "path")),)
    found = [_place(text, number) for number, text in enumerate(settings.paths, 1)]
    for number, one in enumerate(found, 1):
        for outer, other in enumerate(found, 1):
            if number != outer and _inside(one.path, other.path):
                raise Misconfigured(
                    f"setting 'paths': the directory of entry {number} is that of entry {outer}, or lies in it",
                    setting="paths",
                )
    return tuple(sorted(found, key=lambda place: -place.priority))


def _place(text: str, number: int) -> Place:
    path, colon, priority = text.rpartition(":")
    if not colon:
        return Place(_absolute(text.strip(), "paths", number))
    try:
        value = int(priority.strip() or "0")
    except ValueError:
        raise Misconfigured(
            f"setting 'paths': entry {number} has no whole number after its last colon: write DIR:PRIORITY, also for"
            " a directory with a colon in its name",
            setting="paths",
        ) from None
    return Place(_absolute(path.strip(), "paths", number), value)


def _absolute(path: str, setting: str, number: int | None = None) -> str:
    if not path or not path.isprintable():
        where = "" if number is None else f" in entry {number}"
        why = "has unprintable characters" if path else "is empty"
        raise Misconfigured(f"setting {setting!r}: the path{where} {why}", setting=setting)
    return "/" + os.path.abspath(path).lstrip("/")


def _inside(path: str, outer: str) -> bool:
    return path == outer or path.startswith(outer.rstrip("/") + "/")


def mode_of(settings: FileSettings) -> int | None:
    """Read ``file_mode``; Misconfigured unless it is octal and lets the owner read."""
    if settings.file_mode is None:
        return None
    try:
        mode = int(settings.file_mode, 8)
    except ValueError:
        mode = -1
    if mode < 0 or mode & ~_PERMISSIONS or not mode & stat.S_IRUSR:
        raise Misconfigured(
            "setting 'file_mode' must be octal, at most 0777, and let the owner read",
            setting="file_mode",
        )
    return mode
