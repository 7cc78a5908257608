"""A temporary file that becomes an image."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
from collections.abc import Mapping

from multistore.driver import Upload
from multistore.drivers.file.descriptor import Descriptor
from multistore.drivers.file.directories import Directory
from multistore.drivers.file.errors import translated, translating
from multistore.drivers.file.publish import is_published, publish
from multistore.drivers.file.refs import FileRef, Token, temporary_name
from multistore.drivers.file.syscalls import Libc, generation, reflink
from multistore.errors import StoreError, Unavailable, Unsupported
from multistore.model import Stored

__all__ = ["FileUpload"]

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_TRIES = 3
#: How many bytes are written by one call.  For larger ones the kernel looks for larger stretches of free memory, which
#: can cost it more than the writing.
_AT_ONCE = 256 << 10
#: What starting the writeback early may answer without it meaning anything.
_HARMLESS = frozenset({errno.ENOSYS, errno.EINVAL, errno.ESPIPE, errno.EOPNOTSUPP, errno.EPERM})


class FileUpload(Upload):
    """Written under a hidden name in the image's own directory; a lock on it says that its writer lives."""

    def __init__(
        self,
        directory: Directory,
        name: str,
        *,
        size: int | None,
        mode: int | None,
        durable: bool,
        libc: Libc,
    ) -> None:
        self.token = ""
        self._directory = directory
        self._name = name
        self._size = size
        self._mode = mode
        self._durable = durable
        self._libc = libc
        what = f"the unfinished file of {name!r}"
        self._folder = Descriptor(what)
        self._file = Descriptor(what)
        self._temporary = ""
        self._inode = 0
        self._length = 0
        self._lock = threading.Lock()  # a call that was given up may still run when it is repeated
        self._in_doubt = ""  # what is being synced, or failed to be
        self._stored: Stored | None = None
        self._ended = False  # aborted for good

    # -- begin -------------------------------------------------------------------------------

    def start(self, folder: int) -> None:
        """Make the temporary file in the open directory ``folder``; after an exception only ``abort`` is allowed."""
        with translating(f"beginning {self._name!r}"):
            self._folder.held = os.dup(folder)
            for _ in range(_TRIES):
                if self._make():
                    break
                self._drop_temporary(self._folder.number)
                self._file.close()
            else:
                raise Unavailable(f"no temporary file can be made for {self._name!r}; try again")
            file = self._file.number
            if self._mode is not None:
                os.fchmod(file, self._mode)
            place = (self._directory.path, self._temporary)
            self.token = str(Token(*place, self._inode, generation(file)))

    def _make(self) -> bool:
        """Make a file that is ours alone, and lock it; False if a sweep was quicker."""
        self._temporary = temporary_name(self._name)
        mode = 0o666 if self._mode is None else self._mode & 0o600
        self._inode = 0
        try:
            self._file.held = os.open(self._temporary, _NEW, mode, dir_fd=self._folder.number)
        except FileExistsError:
            return False
        try:
            fcntl.flock(self._file.number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        status = os.fstat(self._file.number)
        self._inode = status.st_ino
        return status.st_nlink > 0

    def reserve(self, size: int) -> None:
        """Make sure that there is room for ``size`` bytes; NoSpace."""
        if size:
            with translating(f"reserving {size} bytes for {self._name!r}"):
                os.posix_fallocate(self._file.number, 0, size)
            self._length = size

    def share(self, source: int) -> int:
        """Share all bytes of the open file ``source``, and give their number; OSError if that cannot be."""
        reflink(self._file.number, source)
        self._length = os.fstat(self._file.number).st_size
        return self._length

    # -- parts -------------------------------------------------------------------------------

    def write_part(self, index: int, offset: int, data: bytes) -> None:
        """Write all of ``data``, however little the kernel takes at once."""
        with translating(f"writing {self._name!r}"):
            if len(data) != self._size:  # of the only part, nothing follows
                self._grow(offset + len(data))
            view, done = memoryview(data), 0
            while done < len(data):
                more = os.pwrite(self._file.number, view[done : done + _AT_ONCE], offset + done)
                if more == 0:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                done += more
            if self._durable and index > 0:
                self._start_writeback(offset, len(data))

    def _grow(self, length: int) -> None:
        """Make the file at least ``length`` bytes long before they are written.

        Where a write goes past the end, XFS takes more blocks than were written, and they stay where a hole follows.
        """
        with self._lock:
            if length > self._length:
                os.ftruncate(self._file.number, length)
                self._length = length

    def _start_writeback(self, offset: int, length: int) -> None:
        try:
            self._libc.start_writeback(self._file.number, offset, length)
        except OSError as error:
            if error.errno not in _HARMLESS:
                raise

    # -- commit ------------------------------------------------------------------------------

    def commit(self, size: int, digests: Mapping[str, str]) -> Stored:
        """Length, sync, name, sync of the directory: each step may be repeated but the syncs.

        A sync that failed, or whose outcome is unknown, makes the upload worthless: nothing is published, or
        it is taken back, and the error is final.
        """
        with self._lock, translating(f"publishing {self._name!r}"):
            if self._stored is None:
                self._stored = self._commit(size)
            # It is published, and what a close could tell was told before that: this is no failure of the put.
            with contextlib.suppress(OSError):
                self._close()
            return self._stored

    def _commit(self, size: int) -> Stored:
        if self._in_doubt:
            raise self._failed(Unavailable(f"{self._name!r}: an earlier sync did not succeed"))
        folder = self._folder.number
        self._complete(size)
        self._sync(self._file, "the data")
        self._check_directory()
        if publish(folder, self._temporary, self._name, self._inode, self._libc):
            self._drop_hidden(folder)
        self._sync(self._folder, "the directory")
        return Stored(str(FileRef(self._directory.prefix + self._name)), size)

    def _drop_hidden(self, folder: int) -> None:
        """Remove the temporary name of a file that has its own."""
        try:
            os.unlink(self._temporary, dir_fd=folder)
        except FileNotFoundError:
            pass
        except OSError as error:
            hidden = translated(error, f"removing the hidden name of {self._name!r}")
            raise self._failed(hidden) from error

    def _complete(self, size: int) -> None:
        """Give the file its length: what was never written at its end is a hole."""
        file = self._file.number
        # A file system takes its time even where nothing changes.
        if os.fstat(file).st_size != size:
            os.ftruncate(file, size)
            if os.fstat(file).st_size != size:
                raise Unavailable(f"the file of {self._name!r} does not have {size} bytes")
        if not self._durable:
            # A network file system tells of what it could not write when a descriptor is closed.
            os.close(os.dup(file))

    def _check_directory(self) -> None:
        try:
            self._directory.is_still(self._folder.number)
        except StoreError as error:
            error.final = True  # nothing was published
            raise

    def _sync(self, descriptor: Descriptor, what: str) -> None:
        if not self._durable:
            return
        number = descriptor.number
        self._in_doubt = what
        try:
            os.fsync(number)
        except OSError as error:
            where = f"syncing {what} of {self._name!r}"
            if error.errno in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
                failure: StoreError = Unsupported(
                    f"{where}: the file system cannot do this; set durable=false to do without"
                )
            else:
                failure = translated(error, where)
            raise self._failed(failure) from error
        self._in_doubt = ""

    def _failed(self, error: StoreError) -> StoreError:
        """Take back what may be published; the error is final once that is done."""
        try:
            folder = self._folder.number
            if is_published(folder, self._name, self._inode):
                os.unlink(self._name, dir_fd=folder)
            error.final = True
        except OSError as trouble:
            error.add_note(f"{self._name!r} may be left: {translated(trouble, 'removing it')}")
        return error

    def rehearse(self, entry: str) -> None:
        """Do all that a commit does, with a name that is no image's, and take it back."""
        self.write_part(0, 0, b"multistore")
        with translating(f"trying the directory {self._directory.path}"):
            folder = self._folder.number
            self._sync(self._file, "the data")
            try:
                publish(folder, self._temporary, entry, self._inode, self._libc)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(entry, dir_fd=folder)
            self._sync(self._folder, "the directory")

    # -- the end -----------------------------------------------------------------------------

    def abort(self) -> None:
        """Remove the temporary file, by its own name only."""
        with self._lock, translating(f"aborting {self._name!r}"):
            if self._ended or self._stored is not None:
                return
            try:
                if self._folder.is_open:
                    self._drop_temporary(self._folder.number)
                elif self._temporary:  # repeated, after it failed
                    with self._directory.opened() as folder:
                        self._drop_temporary(folder)
            finally:
                self._close()
            self._ended = True

    def _drop_temporary(self, folder: int) -> None:
        """Remove the temporary name if it is there and ours."""
        inode = self._inode
        if not inode and self._file.is_open:
            inode = os.fstat(self._file.number).st_ino
        if inode and is_published(folder, self._temporary, inode):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._temporary, dir_fd=folder)

    def _close(self) -> None:
        try:
            self._file.close()
        finally:
            self._folder.close()
