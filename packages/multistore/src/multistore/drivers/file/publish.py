"""Giving a finished file its name, without ever replacing another.

``renameat2`` with RENAME_NOREPLACE does that in one step on every local file system, and a hard link on NFS, which refuses the flag.
Where hard links are refused too, writers exclude each other by a lock on a claim file: that holds among the writers of this
library, and nothing else.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator

from multistore.drivers.file.refs import claim_name
from multistore.drivers.file.syscalls import NOT_OFFERED, Libc
from multistore.errors import AlreadyExists, InUse, NotFound

__all__ = ["is_published", "publish"]

_NO_LINKS = NOT_OFFERED | {errno.EPERM, errno.EMLINK}


def publish(folder: int, temporary: str, name: str, inode: int, libc: Libc) -> bool:
    """Make the file ``temporary``, of that inode, appear as ``name``; both are in ``folder``.

    Says whether it may still have its temporary name too.
    Repeating it finds its own success.  AlreadyExists if another file has the name; OSError otherwise.
    """
    try:
        try:
            libc.rename_new(folder, temporary, name)
        except OSError as error:
            if error.errno not in NOT_OFFERED:
                raise
            _link(folder, temporary, name)
            return True
    except (FileExistsError, FileNotFoundError) as error:
        if is_published(folder, name, inode):
            return True
        if isinstance(error, FileExistsError):
            raise AlreadyExists(f"{name!r} is there already") from None
        raise NotFound(f"the unfinished file of {name!r} was removed; upload it again") from None
    return False


def is_published(folder: int, name: str, inode: int) -> bool:
    """Say whether the file of that inode has that name."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_ino == inode
    except FileNotFoundError:
        return False


def _link(folder: int, temporary: str, name: str) -> None:
    try:
        os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    else:
        return
    with _claimed(folder, name):
        try:
            os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        else:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


@contextlib.contextmanager
def _claimed(folder: int, name: str) -> Iterator[None]:
    """Hold the claim file of a name; InUse while another writer does. A claim that was left behind is taken over."""
    claim = claim_name(name)
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(claim, flags, 0o600, dir_fd=folder)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(f"another writer is just publishing {name!r}; try again") from None
        if not is_published(folder, claim, os.fstat(file).st_ino):
            raise InUse(f"another writer has just published {name!r}; try again")
        try:
            yield
        finally:
            os.unlink(claim, dir_fd=folder)
    finally:
        os.close(file)
