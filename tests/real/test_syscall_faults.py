"""Every system call of a file put and delete fails, once and from then on, with every errno that it may have.

strace injects the errors.
Whatever fails: an acknowledged image is there and whole; one that was not is absent, unless its removal is what failed and
the error says so; a sync that failed acknowledges nothing; after a sweep nothing else is left, and the next put works.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from crashing.judge import leftovers, open_files, present, swept
from crashing.work import BLANK, TOKEN, image

pytestmark = [pytest.mark.real, pytest.mark.timeout(280)]

SIZE = 300_000
PROGRAM = str(Path(__file__).parent.parent / "crashing" / "work.py")

#: What each call may fail with, after its manual page.
ERRNOS = {
    "openat": ("EIO", "ENOSPC", "EDQUOT", "EMFILE", "ENFILE", "EACCES", "EROFS"),
    "mkdir": ("ENOSPC", "EACCES"),
    "newfstatat": ("EIO", "EACCES"),
    "fstat": ("EIO",),
    "fstatfs": ("EIO",),
    "statfs": ("EIO",),
    "fcntl": ("EMFILE",),
    "ioctl": ("EIO", "ENOTTY"),
    "read": ("EIO",),
    "pwrite64": ("EIO", "ENOSPC", "EDQUOT", "EFBIG", "EINTR"),
    "write": ("EIO", "ENOSPC", "EDQUOT"),
    "fallocate": ("EIO", "ENOSPC", "EOPNOTSUPP"),
    "ftruncate": ("EIO", "ENOSPC", "EFBIG"),
    "sync_file_range": ("EIO", "ENOSPC", "ENOSYS"),
    "fsync": ("EIO", "ENOSPC", "EDQUOT"),
    "fdatasync": ("EIO", "ENOSPC", "EDQUOT"),
    "fchmod": ("EIO", "EPERM"),
    "flock": ("ENOLCK", "EINTR"),
    "linkat": ("EIO", "ENOSPC", "EDQUOT", "EPERM", "EMLINK", "EOPNOTSUPP"),
    "link": ("EIO", "ENOSPC", "EDQUOT", "EPERM", "EMLINK", "EOPNOTSUPP"),
    "rename": ("EIO", "ENOSPC"),
    "renameat": ("EIO", "ENOSPC"),
    "renameat2": ("EIO", "ENOSPC", "EINVAL"),
    "unlink": ("EIO", "EBUSY", "EROFS"),
    "unlinkat": ("EIO", "EBUSY", "EROFS"),
    "close": ("EIO", "ENOSPC", "EDQUOT"),
    "getdents64": ("EIO",),
}
#: The calls that are swept, if not all of them.
CALLS = frozenset(os.environ.get("MULTISTORE_FAULT_CALLS", "").split())
SYNCS = frozenset({"fsync", "fdatasync"})
#: An errno that stands for nothing but trouble, for calls that fail again and again.
LASTING = {"fcntl": "EMFILE", "flock": "ENOLCK", "mkdir": "ENOSPC"}

#: What is swept: what is there before, and the verb.  A store is marked at its first put.
SWEEPS = {
    "first put": ((), f"put:image:{SIZE}"),
    "put": (("other",), f"put:image:{SIZE}"),
    "delete": (("other", "image"), "delete:image"),
}


@dataclass(frozen=True, slots=True)
class Run:
    """What the program acknowledged and said, how often one thread called what, and whether a fault was injected."""

    acknowledged: str
    said: str
    failed: bool
    calls: Counter[str]
    injected: bool


def prepare(directory: Path, before: tuple[str, ...]) -> None:
    """Make a new store with these images."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    with open_files(str(directory)) as store:
        for name in before:
            store.put(name, image(name, SIZE))


def trace(directory: Path, verb: str, inject: str = "") -> Run:
    """Run the program under strace."""
    log = directory.parent / "trace"
    names = ("image", f".image.{TOKEN}.part", ".multistore")
    command = ["strace", "-f", "-qq", "-e", "signal=none", "-o", str(log)]
    for path in (directory, *(directory / name for name in names)):
        command += ["-P", str(path)]
    if inject:
        command += ["-e", f"inject={inject}"]
    done = subprocess.run(
        [*command, sys.executable, PROGRAM, str(directory), verb],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    if done.returncode:
        assert "multistore.errors." in done.stderr, done.stderr
    traced = log.read_text()
    calls: Counter[str] = Counter()
    # strace counts, and injects, in each thread for itself
    for (_, call), count in Counter(re.findall(r"(?m)^(\d+)\s+(\w+)\(", traced)).items():
        calls[call] = max(calls[call], count)
    failed = bool(done.returncode)
    return Run(done.stdout.strip(), done.stderr, failed, calls, "(INJECTED)" in traced)


def judge(directory: Path, before: tuple[str, ...], run: Run, what: str) -> None:
    """Compare what is there with what was acknowledged; sweep; show that the store is usable."""
    assert run.failed == (not run.acknowledged), what
    with open_files(str(directory)) as store:
        for name in ("image", *before):
            there = present(store, name, SIZE)
            if name != "image":
                assert there, f"{what}: {name} is gone"
            elif run.acknowledged == "put image":
                assert there, f"{what}: acknowledged, and not there"
            elif run.acknowledged == "delete image":
                assert not there, f"{what}: deleted, and still there"
            elif there and name not in before:
                assert "may be left" in run.said, f"{what}: refused, and there"
        swept(store)
        kept = {*before, "image"} if present(store, "image", SIZE) else {*before} - {"image"}
        assert leftovers(str(directory), kept) == [], what
        if "image" in kept:
            store.delete(f"file://{directory}/image")
        store.put("image", image("image", SIZE))
        assert present(store, "image", SIZE), what


def faults(calls: Counter[str], *, once: bool) -> Iterator[tuple[str, int, str]]:
    """Give every call, k and errno that there is to try."""
    unknown = set(calls) - set(ERRNOS)
    # Only what waits for nothing and changes nothing has no list of errors.
    assert unknown <= {"lseek", "fadvise64"}, f"calls without a list of errors: {unknown}"
    for call, count in sorted(calls.items()):
        every = ERRNOS.get(call, ()) if not CALLS or call in CALLS else ()
        for nth in range(1, count + 1):
            for name in every if once else {LASTING.get(call, "EIO")}.intersection(every):
                assert hasattr(errno, name)
                yield call, nth, name


@pytest.mark.parametrize("once", [True, False], ids=["once", "from then on"])
@pytest.mark.parametrize("name", SWEEPS)
def test_every_system_call_may_fail(name: str, once: bool, tmp_path: Path) -> None:
    before, verb = SWEEPS[name]
    directory = tmp_path / "store"
    prepare(directory, before)
    clean = trace(directory, verb)
    assert clean.acknowledged == " ".join(verb.split(":")[:2])
    judge(directory, before, clean, name)
    tried = 0
    for call, nth, code in faults(clean.calls, once=once):
        what = f"{name}: {call} #{nth} fails with {code}{'' if once else ' from then on'}"
        prepare(directory, before)
        run = trace(directory, verb, f"{call}:error={code}:when={nth}{'' if once else '+'}")
        assert run.injected, f"{what}: it was never called"
        if call in SYNCS:
            # The kernel has dropped what it could not write: a second sync proves nothing.
            assert not run.acknowledged, f"{what}: acknowledged in spite of a failed sync"
        judge(directory, before, run, what)
        tried += 1
    print(f"{tried} faults injected")
    assert CALLS or tried >= (10 if name == "delete" or not once else 80)


def test_a_write_that_takes_less_is_continued(tmp_path: Path) -> None:
    """The kernel claims to have taken the first bytes of a part, which are zeros, and nothing else."""
    directory = tmp_path / "store"
    before, verb = SWEEPS["put"]
    prepare(directory, before)
    writes = trace(directory, verb).calls["pwrite64"]
    assert writes == 3
    for nth in range(1, writes + 1):
        prepare(directory, before)
        run = trace(directory, verb, f"pwrite64:retval={BLANK}:when={nth}")
        assert run.injected
        assert run.acknowledged == "put image", run.said
        judge(directory, before, run, f"put: pwrite64 #{nth} takes {BLANK} bytes")


def test_a_limit_of_the_file_size_is_no_space(tmp_path: Path) -> None:
    """RLIMIT_FSIZE makes the kernel write less than asked, then refuse."""
    directory = tmp_path / "store"
    directory.mkdir()
    done = subprocess.run(
        ["prlimit", "--fsize=200000", sys.executable, PROGRAM, str(directory), f"put:image:{SIZE}"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert "NoSpace" in done.stderr
    run = Run(done.stdout, done.stderr, bool(done.returncode), Counter(), injected=True)
    judge(directory, (), run, "a file size limit")
