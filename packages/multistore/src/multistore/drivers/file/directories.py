"""The directories of a store: known again, marked, chosen.

A directory that is unmounted below a running store leaves an empty one, its mount point, in its place.
So each directory holds a marker file, and each process remembers which device, inode and marker it has seen.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from multistore.drivers.file.descriptor import Descriptor
from multistore.drivers.file.errors import translating
from multistore.drivers.file.refs import MARKER, FileRef
from multistore.drivers.file.settings import Place
from multistore.errors import (
    InvalidRef,
    Misconfigured,
    NoSpace,
    NotFound,
    StoreError,
    Unavailable,
)

__all__ = ["Directory", "below", "best_first", "look", "parent_of"]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_INSIDE = _DIRECTORY | os.O_NOFOLLOW
#: Rights to a file, and the right to the directory that they are worth nothing without.
_PASSING = ((stat.S_IRWXG, stat.S_IXGRP), (stat.S_IRWXO, stat.S_IXOTH))


@dataclass(frozen=True, slots=True)
class _Identity:
    """What a directory was when it was last looked at.

    ``place`` is its device and inode, ``stamp`` the marker's inode and time, ``marker`` the marker's text; None: there was none.
    """

    place: tuple[int, int]
    stamp: tuple[int, int] | None
    marker: str | None


class Directory:
    """One configured directory."""

    def __init__(self, place: Place, *, create: bool, durable: bool, mark: bool = True) -> None:
        self.path = place.path
        self.priority = place.priority
        self._create = create
        self._durable = durable
        self._mark_it = mark
        self._known: _Identity | None = None  # replaced as a whole: threads see the old or the new

    @property
    def prefix(self) -> str:
        """What the paths of all its files begin with."""
        return self.path.rstrip("/") + "/"

    @contextlib.contextmanager
    def opened(self, *, writing: bool = False) -> Iterator[int]:
        """Open the directory for the length of a block, and make sure that it is the same as ever.

        NotFound if it is not there yet, Unavailable if it is not there any more, or another one.
        ``writing`` makes and marks it where that is allowed.
        """
        holder = Descriptor(f"the directory {self.path}")
        try:
            self._open(holder, writing)
            yield holder.number
        finally:
            holder.close()

    def prepare(self, mode: int) -> list[str]:
        """Make the directory if that is allowed, and see whether files can be made in it; Misconfigured if not.

        Whoever may read files of that ``mode`` gets the right to pass through; gives what went wrong with that.
        """
        with self.opened(writing=True) as number:
            if not os.access(".", os.W_OK | os.X_OK, dir_fd=number, effective_ids=True):
                raise Misconfigured(
                    f"the directory {self.path} cannot be written to: look at its owner, its permissions and its"
                    " mount options",
                    setting="path",
                )
            before = stat.S_IMODE(os.fstat(number).st_mode)
            wanted = before | sum(
                search for rights, search in _PASSING if mode & rights and not before & search
            )
            if wanted != before:
                try:
                    os.fchmod(number, wanted)
                except OSError as error:
                    return [
                        f"the directory {self.path} keeps its mode {before:o}: {error.strerror}"
                    ]
        return []

    def is_still(self, number: int) -> None:
        """Raise Unavailable unless this descriptor is what the path leads to now."""
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            raise self._gone("it is not there any more") from None
        if not os.path.samestat(there, os.fstat(number)):
            raise self._gone("another directory is in its place")

    def _open(self, holder: Descriptor, writing: bool) -> None:
        with translating(f"the directory {self.path}"):
            try:
                holder.held = os.open(self.path, _DIRECTORY)
            except FileNotFoundError:
                self._make(writing)
                holder.held = os.open(self.path, _DIRECTORY)
            except NotADirectoryError:
                raise Misconfigured(f"{self.path} is not a directory", setting="path") from None
            self._recognise(holder.number, writing)

    def _make(self, writing: bool) -> None:
        if self._known is not None:
            raise self._gone("it is not there any more") from None
        if not (writing and self._create):
            raise NotFound(
                f"the directory {self.path} is not there: make it, or mount it", what="store"
            ) from None
        try:
            _make_directory(self.path, self._durable)
        except NotADirectoryError:
            raise Misconfigured(f"{self.path} lies below a file", setting="path") from None

    def _gone(self, why: str) -> Unavailable:
        return Unavailable(f"the directory {self.path}: {why}; was it unmounted? mount it again")

    def _recognise(self, number: int, writing: bool) -> None:
        status = os.fstat(number)
        known = self._known
        same = known is not None and known.place == (status.st_dev, status.st_ino)
        if same and not (writing and (self._mark_it or (known is not None and known.stamp))):
            return
        stamp = _marker_stamp(number)
        if same and known is not None and stamp is not None and known.stamp == stamp:
            return
        marker = None if stamp is None else _read_marker(number)
        if known is not None and not _may_be_same(known.marker, marker):
            if same and marker is None:
                raise self._gone(f"its marker file {MARKER} has disappeared")
            raise self._gone("another directory is in its place")
        if marker is None:
            marker = self._mark(number, writing)
        self._known = _Identity((status.st_dev, status.st_ino), stamp, marker)

    def _mark(self, number: int, writing: bool) -> str | None:
        """Deal with a directory that has no marker."""
        if not self._create:
            raise Unavailable(
                f"the directory {self.path} has no file {MARKER}; is it mounted? if this is the right"
                " directory, make that file, or set create=true for one upload"
            )
        return _write_marker(number) if writing and self._mark_it else None


def _may_be_same(before: str | None, now: str | None) -> bool:
    """Compare markers; an empty one, made by hand or by a writer that was killed, has no identity."""
    return before is None or (now is not None and (before == now or not before or not now))


def _marker_stamp(number: int) -> tuple[int, int] | None:
    try:
        status = os.stat(MARKER, dir_fd=number, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def _read_marker(number: int) -> str | None:
    try:
        file = os.open(
            MARKER, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=number
        )
    except FileNotFoundError:
        return None
    try:
        return os.read(file, 100).decode(errors="replace").strip()
    finally:
        os.close(file)


def _write_marker(number: int) -> str | None:
    text = secrets.token_hex(16)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        file = os.open(MARKER, flags, 0o644, dir_fd=number)
    except FileExistsError:  # another process was quicker
        return _read_marker(number)
    try:
        os.write(file, f"{text}\n".encode())
    except BaseException:
        os.unlink(MARKER, dir_fd=number)
        raise
    finally:
        os.close(file)
    return text


def _make_directory(path: str, durable: bool) -> None:
    """Make a directory and whatever is missing above it; each name is synced in the directory that holds it."""
    above = os.path.dirname(path)
    if not os.path.isdir(above):
        _make_directory(above, durable)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path)
    if durable:
        number = os.open(above, _DIRECTORY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def best_first(
    opened: list[tuple[Directory, int]], size: int | None, *, thin: bool
) -> list[tuple[Directory, int]]:
    """Sort open directories by where a new image of ``size`` bytes should go; NoSpace if it fits into none.

    By priority, then by free space.
    A thin image may be larger than what is free, as most of it may be holes: such directories come last, and
    only one that is smaller than the image is out of the question.
    A directory without a free byte comes last too: btrfs says so for a while after something was deleted.
    One that does not tell is left out.
    """
    wanted = size or 0
    ranked = []
    failure: StoreError | None = None
    for directory, number in opened:
        try:
            with translating(f"the directory {directory.path}"):
                status = os.fstatvfs(number)
        except StoreError as error:
            failure = error
            continue
        free = status.f_bavail * status.f_frsize
        limit = status.f_blocks * status.f_frsize if thin else free
        if wanted <= limit:
            full = max(wanted, 1) > free
            ranked.append((full, -directory.priority, -free, directory, number))
    if not ranked:
        if failure is not None:
            raise failure
        raise NoSpace(
            f"no directory has room for {wanted} bytes: delete something, or give the store more room"
        )
    ranked.sort(key=lambda each: each[:3])
    return [(directory, number) for *_, directory, number in ranked]


@contextlib.contextmanager
def parent_of(directories: tuple[Directory, ...], ref: FileRef) -> Iterator[int]:
    """Open the directory that holds a file; InvalidRef unless it is inside of a configured one.

    Every component below the configured directory is opened by itself, and symbolic links are refused.
    """
    owner = next((one for one in directories if ref.path.startswith(one.prefix)), None)
    if owner is None:
        raise InvalidRef(f"{ref} is outside of this store's directories", why="outside the store")
    *inner, _ = ref.path.removeprefix(owner.prefix).split("/")
    with contextlib.ExitStack() as stack:
        number = stack.enter_context(owner.opened())
        for name in inner:
            number = stack.enter_context(below(number, name, str(ref)))
        yield number


@contextlib.contextmanager
def below(number: int, name: str, what: str) -> Iterator[int]:
    """Open a directory in a directory; InvalidRef for a symbolic link."""
    holder = Descriptor(what)
    try:
        with translating(what):
            try:
                holder.held = os.open(name, _INSIDE, dir_fd=number)
            except NotADirectoryError:  # the kernel's answer for a symbolic link, too
                if stat.S_ISLNK(os.stat(name, dir_fd=number, follow_symlinks=False).st_mode):
                    raise InvalidRef(
                        f"{what}: {name!r} is a symbolic link",
                        why="symbolic links are not followed",
                    ) from None
                raise
        yield holder.number
    finally:
        holder.close()


def look(number: int, name: str, what: str) -> os.stat_result:
    """Describe the regular file of that name; NotFound, or InvalidRef if it is anything else."""
    with translating(what):
        try:
            status = os.stat(name, dir_fd=number, follow_symlinks=False)
        except FileNotFoundError:
            raise NotFound(f"{what} is not there") from None
    if not stat.S_ISREG(status.st_mode):
        raise InvalidRef(f"{what} is no regular file", why="no regular file")
    return status
