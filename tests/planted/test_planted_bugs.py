"""The harnesses are proved: each planted bug is caught by the one that is meant for it, and for the reason that is meant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from planted.planting import BUGS, Bug, Result, caught, copied, judged, planted

#: What has to be caught, whatever else is.
WANTED = {
    "no-data-sync", "no-directory-sync", "write-at-final-name", "acknowledge-before-commit", "sync-retried",
    "short-write-ignored", "abort-skipped", "sweep-without-grace", "digest-not-compared", "short-body-accepted",
    "time-limit-removed", "secret-in-a-log-line",
}  # fmt: skip
FOR_ANYBODY = [name for name, bug in BUGS.items() if bug.anybody]
FOR_ROOT = [name for name, bug in BUGS.items() if bug.root]

# Each of them starts pytest anew, on a machine that is busy with others.
pytestmark = pytest.mark.timeout(290)


def judge(bug: Bug, tests: tuple[str, ...], place: Path) -> None:
    result = judged(planted(bug, place), tests, bug.settings, place, bug.limit)
    problems = caught(bug, tests, result)
    assert not problems, "\n".join([bug.wrong, *problems])


@pytest.mark.parametrize("name", FOR_ANYBODY)
def test_a_planted_bug_is_caught(name: str, tmp_path: Path) -> None:
    bug = BUGS[name]
    judge(bug, bug.anybody, tmp_path)


@pytest.mark.real
@pytest.mark.parametrize("name", FOR_ROOT)
def test_a_planted_bug_is_caught_by_the_real_thing(name: str, tmp_path: Path) -> None:
    bug = BUGS[name]
    judge(bug, bug.root, tmp_path)


def passes(bugs: Iterable[Bug], tests: Iterable[str], place: Path) -> None:
    """Run tests against a copy without a bug, with the same settings."""
    settings: dict[str, str] = {}
    for bug in bugs:
        for key, value in bug.settings.items():
            known = settings.get(key, "").split()
            settings[key] = " ".join(dict.fromkeys([*known, value]))
    result = judged(copied(place), tuple(dict.fromkeys(tests)), settings, place)
    assert not result.failed, result.output
    assert result.passed


def test_without_a_bug_the_same_tests_pass(tmp_path: Path) -> None:
    bugs = [BUGS[name] for name in FOR_ANYBODY]
    passes(bugs, [test for bug in bugs for test in bug.anybody], tmp_path)


@pytest.mark.real
def test_without_a_bug_the_same_real_tests_pass(tmp_path: Path) -> None:
    bugs = [BUGS[name] for name in FOR_ROOT]
    passes(bugs, [test for bug in bugs for test in bug.root], tmp_path)


def test_every_bug_that_has_to_be_caught_is_planted() -> None:
    assert set(BUGS) >= WANTED


def test_a_patch_that_does_not_fit_any_more_is_an_error(tmp_path: Path) -> None:
    good = BUGS["sync-retried"]
    stale = tmp_path / "stale.patch"
    stale.write_text(good.patch.read_text().replace("self._in_doubt = what", "self._in_doubt = it"))
    with pytest.raises(AssertionError, match="does not apply any more"):
        planted(replace(good, patch=stale), tmp_path / "copy")


def test_a_test_that_passes_or_fails_for_another_reason_has_caught_nothing() -> None:
    bug = replace(BUGS["sync-retried"], says="lost .* bytes")
    tests = ("t.py::test_one", "t.py::test_two")
    assert not caught(bug, tests, Result(frozenset(), dict.fromkeys(tests, "lost 5 bytes"), ""))
    assert caught(bug, tests, Result(frozenset(tests[1:]), {tests[0]: "lost 5 bytes"}, ""))
    assert caught(bug, tests, Result(frozenset(), dict.fromkeys(tests, "ImportError"), ""))


def test_another_library_than_the_copy_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(AssertionError, match="not the copy is imported"):
        judged(tmp_path / "elsewhere", ("tests/unit/file",), {}, tmp_path)
