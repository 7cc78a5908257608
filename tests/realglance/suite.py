"""Glance's own tests, run in one of the two environments: what became of each."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from realglance.server import ROOT, UNTIL_WE_END, environment

__all__ = ["Outcome", "Results", "baseline", "run"]

RUNNER = ROOT / "lab/glance/suite.py"
LIMIT = 600  # seconds for all of them; they take two to five minutes
AGAIN = 60  # so many failed tests are run a second time, no more


@dataclass(frozen=True)
class Outcome:
    """``passed``, ``skipped``, ``failed``, or ``begun`` if it never ended; and what was said about it."""

    what: str
    reason: str = ""


Results = dict[str, Outcome]


def lay_out(venv: Path, scratch: Path) -> None:
    """Make a directory that looks like the root of Glance's source, as far as its tests look; the wheel has all of it."""
    packages = next(venv.glob("lib/python3*/site-packages"))
    shutil.copytree(packages / "glance/tests/etc", scratch / "glance/tests/etc")
    shutil.copytree(venv / "etc/glance", scratch / "etc")
    (scratch / "tmp").mkdir()


def start(
    venv: Path, scratch: Path, share: int, shares: int, names: Collection[str]
) -> subprocess.Popen[bytes]:
    lay_out(venv, scratch)
    settings = {
        "PATH": f"{venv / 'bin'}:{os.environ['PATH']}",
        "TMPDIR": str(scratch / "tmp"),
        "OS_TEST_TIMEOUT": "120",
    }
    arguments = (str(share), str(shares), "results")
    with open(scratch / "log", "wb") as log:
        return subprocess.Popen(
            [*UNTIL_WE_END, venv / "bin/python", "-W", "ignore", RUNNER, *arguments, *names],
            cwd=scratch,
            env={**os.environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def read(scratch: Path) -> Iterator[tuple[str, Outcome]]:
    results = scratch / "results"
    if results.exists():
        for line in results.read_text().splitlines():
            name, what, reason = json.loads(line)
            yield name, Outcome(what, reason)


def once(library: str, scratch: Path, shares: int, names: Collection[str] = ()) -> Results:
    """Run the tests, or those that are named, in so many processes."""
    venv = environment(library)
    end = time.monotonic() + LIMIT
    found: Results = {}
    with ExitStack() as stack:
        running = []
        for share in range(shares):
            process = start(venv, scratch / str(share), share, shares, names)
            stack.enter_context(process)
            stack.callback(process.kill)
            running.append(process)
        for share, process in enumerate(running):
            folder = scratch / str(share)
            try:
                process.wait(max(1.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
            if process.wait(10) not in (0, -signal.SIGKILL):
                said = (folder / "log").read_text(errors="replace")
                raise OSError(f"Glance's tests broke off: {said[-3000:]}")
            found.update(read(folder))
    return found


def run(library: str, scratch: Path, excused: Collection[str] = ()) -> Results:
    """Run all tests, and the failed ones once more, alone: many have limits of seconds, which a busy machine exceeds.

    Those that match a pattern in ``excused`` have one try.
    """
    found = once(library, scratch / "first", (os.cpu_count() or 1) + 1)
    failed = [
        name
        for name, outcome in found.items()
        if outcome.what in ("failed", "begun")
        and not any(fnmatchcase(name, pattern) for pattern in excused)
    ]
    if 0 < len(failed) <= AGAIN:
        found.update(once(library, scratch / "again", 1, failed))
    return found


def baseline(scratch: Path) -> Results:
    """Give the results of the release that ours stands in for; kept in its environment, as long as that is kept."""
    kept = (
        environment("peer") / f"suite-{hashlib.sha256(RUNNER.read_bytes()).hexdigest()[:16]}.json"
    )
    if not kept.exists():
        found = run("peer", scratch)
        text = json.dumps({name: [each.what, each.reason] for name, each in found.items()})
        kept.with_suffix(".new").write_text(text)
        kept.with_suffix(".new").replace(kept)
    return {name: Outcome(*each) for name, each in json.loads(kept.read_text()).items()}
