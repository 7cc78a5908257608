"""Bugs as patches: read, planted in a copy of the library, and put before the tests that must catch them.

A patch begins with lines of comment.
The first says what is wrong; the others are ``KEY: VALUE``:

===========  ==============================================================================================
``anybody``  a test that must fail, wherever ``make test`` runs
``root``     a test that must fail in ``make test-real``
``says``     a regular expression that is found in what each of these failures says: the judgement of its harness
``setting``  a variable of the environment that makes the harness quick
``limit``    seconds after which a test of it hangs, where that is how it fails
===========  ==============================================================================================
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from planted.copied import COPY, REPORT

__all__ = ["BUGS", "Bug", "Result", "caught", "copied", "judged", "planted"]

ROOT = Path(__file__).parents[2]
SOURCE = Path("packages", "multistore", "src")
KEYS = frozenset({"anybody", "root", "says", "setting", "limit"})


@dataclass(frozen=True, slots=True)
class Bug:
    """A patch, what is wrong with it, and what catches it: test by test, for ``anybody`` and for ``root``."""

    patch: Path
    wrong: str
    anybody: tuple[str, ...]
    root: tuple[str, ...]
    says: str
    settings: dict[str, str]
    limit: str


@dataclass(frozen=True, slots=True)
class Result:
    """What became of the tests: the ids of those that passed, and what each of the others said."""

    passed: frozenset[str]
    failed: dict[str, str]
    output: str


def read(patch: Path) -> Bug:
    """Read the head of a patch; ValueError if it does not say what is needed."""
    head = []
    for line in patch.read_text(encoding="utf-8").splitlines():
        if not line.startswith("# "):
            break
        head.append(line[2:])
    wrong, *rest = head
    values: dict[str, list[str]] = {key: [] for key in KEYS}
    for line in rest:
        key, _, value = line.partition(": ")
        if key not in KEYS or not value:
            raise ValueError(f"{patch.name}: not understood: {line}")
        values[key].append(value)
    (says,) = values["says"]
    settings = dict(setting.split("=", 1) for setting in values["setting"])
    tests = (tuple(values["anybody"]), tuple(values["root"]))
    if not any(tests):
        raise ValueError(f"{patch.name}: nothing catches it")
    return Bug(patch, wrong, *tests, says, settings, *values["limit"] or ["120"])


BUGS = {path.stem: read(path) for path in sorted(Path(__file__).parent.glob("*.patch"))}


def copied(place: Path) -> Path:
    """Copy the library's source; gives the directory to import it from."""
    target = place / SOURCE
    shutil.copytree(ROOT / SOURCE, target, ignore=shutil.ignore_patterns("__pycache__"))
    return target


def planted(bug: Bug, place: Path) -> Path:
    """Copy the library's source and apply the patch, to the letter; AssertionError if it does not fit any more."""
    source = copied(place)
    done = subprocess.run(
        ["git", "apply", "--verbose", str(bug.patch)],
        cwd=place,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(place.parent)},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, f"{bug.patch.name} does not apply any more:\n{done.stderr}"
    for path in re.findall(r"^\+\+\+ b/(.+)$", bug.patch.read_text(encoding="utf-8"), re.MULTILINE):
        assert (place / path).read_bytes() != (ROOT / path).read_bytes(), f"{path} is unchanged"
    return source


def judged(
    source: Path, tests: tuple[str, ...], settings: dict[str, str], place: Path, limit: str = "120"
) -> Result:
    """Run tests against the library in ``source``, in a process of their own."""
    report = place / "report"
    report.touch()
    # Whoever measures the coverage, or distributes the tests, means this process and not the copy's.
    ours = ("COV", "PYTEST_", "GIT_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    paths = os.pathsep.join((str(source), str(ROOT / "tests")))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "planted.copied", "-p", "no:cacheprovider"),
            *("-p", "no:xdist", "--basetemp", str(place / "tmp"), "--tb=short", "-q"),
            *("--timeout", limit, "-o", "timeout_method=signal", *tests),
        ],
        cwd=ROOT,
        env={
            **inherited,
            **settings,
            "PYTHONPATH": paths,
            "PYTHONDONTWRITEBYTECODE": "1",
            COPY: str(source),
            REPORT: str(report),
        },
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
    )
    entries = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    failed: dict[str, str] = {}
    for entry in entries:
        if entry["outcome"] != "passed":
            failed[entry["test"]] = failed.get(entry["test"], "") + entry["text"]
    passed = frozenset(entry["test"] for entry in entries) - set(failed)
    assert done.returncode == (1 if failed else 0), done.stdout
    return Result(passed, failed, done.stdout)


def caught(bug: Bug, tests: tuple[str, ...], result: Result) -> list[str]:
    """Give what is wrong with the result: a test that did not fail, or failed for another reason."""
    problems = []
    for test in tests:
        texts = [
            text
            for name, text in result.failed.items()
            if name == test or name.startswith(f"{test}[")
        ]
        if not texts:
            problems.append(f"{test} did not fail")
        problems += [
            f"{test} failed, and said something else:\n{text}"
            for text in texts
            if not re.search(bug.says, text)
        ]
    return problems
