"""Every call that a file put and delete make through ``os`` fails: before it did anything, and after it was done.

The same sweep as with real system calls (``tests/real``), for machines without root and strace; and what no kernel does at
will: a call whose success is reported as a failure, as a network file system does when a reply is lost.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from multistore import NotFound, Store, StoreError, StoreOptions, open_store
from multistore.drivers.file.syscalls import Libc

pytestmark = pytest.mark.timeout(60)

DATA = bytes(range(256)) * 20  # one part: no threads, so the k-th call is the same one in every run

CALLS: dict[str, tuple[ModuleType | type, tuple[int, ...]]] = {
    "open": (os, (errno.EIO, errno.ENOSPC, errno.EMFILE, errno.EACCES)),
    "close": (os, (errno.EIO, errno.ENOSPC, errno.EDQUOT)),
    "dup": (os, (errno.EMFILE,)),
    "stat": (os, (errno.EIO, errno.EACCES)),
    "fstat": (os, (errno.EIO,)),
    "fstatvfs": (os, (errno.EIO,)),
    "flock": (fcntl, (errno.ENOLCK, errno.EIO)),
    "read": (os, (errno.EIO,)),
    "pwrite": (os, (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)),
    "ftruncate": (os, (errno.EIO, errno.ENOSPC)),
    "fsync": (os, (errno.EIO, errno.ENOSPC, errno.EDQUOT)),
    "rename_new": (Libc, (errno.EIO, errno.ENOSPC, errno.EACCES)),
    "unlink": (os, (errno.EIO, errno.EBUSY, errno.EROFS, errno.EACCES)),
}


class Fault:
    """The ``nth`` call of a name fails, ``late`` after it was done; without a name, calls are only counted."""

    def __init__(self, name: str = "", nth: int = 0, code: int = 0, *, late: bool = False) -> None:
        self.chosen = (name, nth)
        self.code = code
        self.late = late
        self.calls: Counter[str] = Counter()

    def __str__(self) -> str:
        name, nth = self.chosen
        when = "after it was done" if self.late else "at once"
        return f"{name} #{nth} fails with {errno.errorcode[self.code]} {when}"

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self.calls[name] += 1
            if (name, self.calls[name]) != self.chosen:
                return call(*arguments, **options)
            # A descriptor that nobody is told of cannot be had late: opening and copying fail at once.
            if self.late and name not in ("open", "dup"):
                call(*arguments, **options)
            elif name == "close":
                call(*arguments, **options)  # Linux closes in any case
            raise OSError(self.code, os.strerror(self.code))

        return counted

    @contextmanager
    def at_work(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for name, (module, _) in CALLS.items():
                patch.setattr(module, name, self.around(name, getattr(module, name)))
            yield


def opened(directory: Path) -> Store:
    options = StoreOptions(attempts=2, backoff=0.0)
    return open_store({"driver": "file", "path": str(directory)}, name="files", options=options)


def put(store: Store) -> None:
    store.put("image", DATA)


def delete(store: Store) -> None:
    (prefix,) = store.driver.prefixes()
    store.delete(f"{prefix}image")


def tried(directory: Path, action: Callable[[Store], None], fault: Fault) -> StoreError | None:
    """Do it in a new store, which has an image to delete; gives the error."""
    directory.mkdir()
    with opened(directory) as store:
        store.put("other", DATA)
        if action is delete:
            put(store)
    try:
        with opened(directory) as store, fault.at_work():
            action(store)
    except StoreError as error:
        return error
    return None


def wrong(directory: Path, action: Callable[[Store], None], error: StoreError | None) -> str:
    """Say what is wrong with what is left; then retry and sweep."""
    there = (directory / "image").exists()
    if there and (directory / "image").read_bytes() != DATA:
        return "the image is there, and not whole"
    if error is None and there != (action is put):
        return "acknowledged, and not so"
    if error is not None and action is put and there:
        notes = getattr(error, "__notes__", ())
        if not any("may be left" in note for note in notes):
            return "refused, and the image is there"
    with opened(directory) as store:
        if (directory / "image").exists():
            delete(store)
        for pending in list(store.pending()):
            store.discard(pending.token)
        put(store)
        delete(store)
    left = sorted(os.listdir(directory))
    return "" if left == [".multistore", "other"] else f"left: {left}"


@pytest.mark.parametrize("late", [False, True], ids=["at once", "late"])
@pytest.mark.parametrize("action", [put, delete])
def test_every_call_may_fail(action: Callable[[Store], None], late: bool, tmp_path: Path) -> None:
    counting = Fault()
    assert tried(tmp_path / "clean", action, counting) is None
    named = "unlink" if action is delete else "rename_new"
    assert {"open", "close", "fsync", named} <= set(counting.calls)
    problems = []
    for name, count in sorted(counting.calls.items()):
        codes = (errno.EIO,) if late else CALLS[name][1]  # a lost reply says nothing more
        for nth, code in ((nth, code) for nth in range(1, count + 1) for code in codes):
            fault = Fault(name, nth, code, late=late)
            directory = tmp_path / f"{name}-{nth}-{code}"
            error = tried(directory, action, fault)
            if name == "fsync" and not isinstance(error, StoreError):
                problems.append(f"{fault}: acknowledged in spite of a failed sync")
            problem = wrong(directory, action, error)
            if problem:
                problems.append(f"{fault}: {problem}")
    assert problems == []


def test_a_deletion_that_was_not_synced_is_repeated_by_nobody(tmp_path: Path) -> None:
    """Repeated, it would find nothing and pass for done; the caller is told, and finds the image gone."""
    error = tried(tmp_path / "store", delete, Fault("fsync", 1, errno.EIO))
    assert isinstance(error, StoreError)
    assert error.final
    with opened(tmp_path / "store") as store, pytest.raises(NotFound):
        delete(store)
