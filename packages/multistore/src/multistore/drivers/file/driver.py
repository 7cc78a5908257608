"""The verbs of a file store."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from typing import ClassVar, cast

from multistore.driver import Driver, Reader, Upload
from multistore.drivers.file import sweep
from multistore.drivers.file.descriptor import Descriptor
from multistore.drivers.file.directories import Directory, best_first, look, parent_of
from multistore.drivers.file.errors import translated, translating
from multistore.drivers.file.listing import files
from multistore.drivers.file.reader import FileReader, info_of, open_file
from multistore.drivers.file.refs import FileRef, check_name, parse_ref
from multistore.drivers.file.settings import FileSettings, mode_of, path_of_url, places
from multistore.drivers.file.syscalls import NOT_OFFERED, Libc
from multistore.drivers.file.upload import FileUpload
from multistore.errors import (
    AlreadyExists,
    InvalidRef,
    Misconfigured,
    NotFound,
    StoreError,
    Unsupported,
)
from multistore.model import Capabilities, Info, Pending, Stored, Usage, Verb

__all__ = ["FileDriver"]

_NO_REFLINK = NOT_OFFERED | {errno.EXDEV, errno.EPERM, errno.ETXTBSY, errno.EBADF}
_Opened = list[tuple[Directory, int]]


class FileDriver(Driver):
    """Images as files in one or several directories.

    An image is written under a hidden name in its directory, synced, and given its own name by a hard link, which never
    replaces anything.
    Nothing outside of the configured directories is ever touched, and no symbolic link below them is followed.
    Labels are not kept: a file has no place for them that all file systems offer.
    """

    schemes: ClassVar[tuple[str, ...]] = ("file", "filesystem")
    settings_type = FileSettings

    def __init__(self, settings: FileSettings) -> None:
        self.settings = settings
        self._mode = mode_of(settings)
        self._directories = tuple(
            Directory(place, create=settings.create, durable=settings.durable, mark=settings.mark)
            for place in places(settings)
        )
        self._libc = Libc()
        self.capabilities = Capabilities(
            verbs=Verb.WRITE | Verb.DELETE | Verb.LIST | Verb.USAGE | Verb.COPY,
            ranged_read=True,
            parallel_parts=settings.parallel,
            sparse=settings.thin,
            exclusive_create=True,
            hang_timeout=settings.timeout or None,
        )

    @classmethod
    def settings_from_url(cls, url: str) -> Mapping[str, object]:
        """Read ``file:///srv/images`` or ``file:images``."""
        return {"path": path_of_url(url)}

    @classmethod
    def parse(cls, text: str) -> FileRef:
        return parse_ref(text)

    def redact(self, ref: str) -> str:
        own = tuple(f"{scheme}:///" for scheme in self.schemes)
        return ref if ref.startswith(own) else "(no reference of a file store)"

    def prefixes(self) -> tuple[str, ...]:
        return tuple(f"file://{directory.prefix}" for directory in self._directories)

    def owns(self, ref: str) -> bool:
        try:
            path = parse_ref(ref).path
        except InvalidRef:
            return False
        return any(path.startswith(directory.prefix) for directory in self._directories)

    # -- reading -----------------------------------------------------------------------------

    def stat(self, ref: str) -> Info:
        parsed = parse_ref(ref)
        with translating(ref), parent_of(self._directories, parsed) as folder:
            return info_of(ref, parsed.name, look(folder, parsed.name, ref))

    def open(self, ref: str) -> Reader:
        parsed = parse_ref(ref)
        file = Descriptor(ref)
        with translating(ref), parent_of(self._directories, parsed) as folder:
            look(folder, parsed.name, ref)
            try:
                file.held, status = open_file(folder, parsed.name, ref)
                sparse = status.st_blocks * 512 < status.st_size
                info = info_of(ref, parsed.name, status)
                piece = self.settings.read_size
                return FileReader(file, info, status.st_size, sparse=sparse, piece=piece)
            except BaseException:
                file.close()
                raise

    # -- writing -----------------------------------------------------------------------------

    def parts(self, size: int | None) -> Iterator[int]:
        while True:
            yield self.settings.part_size

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        upload: FileUpload | None = None
        try:
            with self._ready(name) as opened:
                (directory, number), *_ = best_first(opened, size, thin=self.settings.thin)
                upload = self._new(directory, name, size)
                upload.start(number)
                if size and size > self.settings.part_size and not self.settings.thin:
                    upload.reserve(size)  # a single part is written at once, and tells as soon
            return upload
        except BaseException as error:
            _give_up(upload, error)
            raise

    def begin_copy(
        self, source: Driver, ref: str, name: str, labels: Mapping[str, str]
    ) -> tuple[Upload, int]:
        """Share the bytes of another file by a reflink: xfs and btrfs can, within one file system."""
        if not isinstance(source, FileDriver):
            raise Unsupported("only files can be copied inside a file store")
        upload: FileUpload | None = None
        with source.open(ref) as reader:
            file = cast("FileReader", reader)
            try:
                with self._ready(name) as opened:
                    for directory, number in best_first(opened, None, thin=True):
                        upload = self._new(directory, name, None)
                        upload.start(number)
                        size = _shared(upload, file)
                        if size is not None:
                            return upload, size
                        upload.abort()
            except BaseException as error:
                _give_up(upload, error)
                raise
        raise Unsupported(f"the file system cannot share the bytes of {ref} with this store")

    def _new(self, directory: Directory, name: str, size: int | None) -> FileUpload:
        return FileUpload(
            directory,
            name,
            size=size,
            mode=self._mode,
            durable=self.settings.durable,
            libc=self._libc,
        )

    @contextlib.contextmanager
    def _ready(self, name: str) -> Iterator[_Opened]:
        """Open every directory that answers; AlreadyExists if one of them has an image of that name."""
        check_name(name)
        failures: list[StoreError] = []
        with contextlib.ExitStack() as stack, translating(f"beginning {name!r}"):
            opened: _Opened = []
            for directory in self._directories:
                try:
                    number = stack.enter_context(directory.opened(writing=True))
                except StoreError as error:
                    failures.append(error)
                else:
                    opened.append((directory, number))
                    _refuse_existing(number, name)
            if not opened:
                for other in failures[1:]:
                    failures[0].add_note(str(other))
                raise failures[0]
            yield opened

    def pending(self) -> Iterator[Pending]:
        return sweep.pending(self._directories)

    def discard(self, token: str) -> None:
        sweep.discard(self._directories, token)

    def published(self, token: str) -> Stored | None:
        return sweep.published(self._directories, token)

    # -- the other verbs ---------------------------------------------------------------------

    def delete(self, ref: str) -> None:
        parsed = parse_ref(ref)
        with translating(ref), parent_of(self._directories, parsed) as folder:
            look(folder, parsed.name, ref)
            os.unlink(parsed.name, dir_fd=folder)
            if self.settings.durable:
                _sync_deletion(folder, ref)

    def list(self) -> Iterator[Info]:
        """List the files of every directory and of the directories below it, but nothing whose name begins with a dot."""
        for directory in self._directories:
            yield from files(directory)

    def usage(self) -> Usage:
        seen = {}
        for directory in self._directories:
            with directory.opened() as number, translating(f"the directory {directory.path}"):
                seen[os.fstat(number).st_dev] = os.fstatvfs(number)
        return Usage(
            sum(each.f_blocks * each.f_frsize for each in seen.values()),
            sum((each.f_blocks - each.f_bfree) * each.f_frsize for each in seen.values()),
            sum(each.f_bavail * each.f_frsize for each in seen.values()),
        )

    def taken(self, name: str) -> bool:
        """Look, quickly, whether something has that name in any of the directories; ``begin`` makes certain.

        InvalidRef for what cannot be the name of an image.
        """
        check_name(name)
        return any(os.path.lexists(directory.prefix + name) for directory in self._directories)

    def prepare(self) -> tuple[str, ...]:
        """Make the directories now instead of at the first upload, and find out whether this process may use them.

        Misconfigured, or what the file system said, if it may not; nothing is written, so a full disk is no obstacle.
        With ``file_mode``, whoever may read images by it may also pass through their directory.
        Gives what could not be done and keeps nobody from storing images.
        """
        problems = []
        for directory in self._directories:
            with translating(f"the directory {directory.path}"):
                problems += directory.prepare(self._mode or 0)
        return tuple(problems)

    def check(self) -> None:
        """Write, sync and link a small file in every directory, and remove it again."""
        for directory in self._directories:
            upload = self._new(directory, "check", None)
            try:
                with directory.opened(writing=True) as number:
                    upload.start(number)
                upload.rehearse(f".check.{secrets.token_hex(8)}.part")
            except NotFound as error:
                setting = "path" if self.settings.path else "paths"
                raise Misconfigured(error.message, setting=setting) from error
            finally:
                upload.abort()


def _give_up(upload: FileUpload | None, error: BaseException) -> None:
    """Leave nothing of an upload that could not be begun; ``error`` is why."""
    try:
        if upload is not None:
            upload.abort()
    except StoreError as trouble:
        error.add_note(f"an unfinished file may be left: {trouble}")


def _shared(upload: FileUpload, source: FileReader) -> int | None:
    """Share a file's bytes and give their number; None if this file system cannot."""
    try:
        with translating(source.info.ref):
            return upload.share(source.number)
    except StoreError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno in _NO_REFLINK:
            return None
        raise


def _sync_deletion(folder: int, ref: str) -> None:
    """Sync the directory; a failure is final: repeated, the deletion would find nothing, and pass for done."""
    try:
        os.fsync(folder)
    except OSError as error:
        failure = translated(error, f"syncing the directory after {ref} was removed")
        failure.final = True
        raise failure from error


def _refuse_existing(folder: int, name: str) -> None:
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(status.st_mode):
        raise InvalidRef(
            f"{name!r} is the name of something that is no regular file", why="no regular file"
        )
    raise AlreadyExists(f"{name!r} is there already")
