"""The tests that Glance ships in its own package, on our library and on the release that it stands in for.

Left out are the parts of Glance that no store has to do with; lab/glance/suite.py names them.
"""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from realglance.suite import Outcome, baseline, run

pytestmark = [pytest.mark.real, pytest.mark.timeout(1500)]

#: Tests that pass on the release and may fail on ours, by name or pattern, and why.
REASONS: dict[str, str] = {}


def test_what_passes_on_the_release_passes_on_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = baseline(tmp_path / "peer")
    ours = run("ours", tmp_path / "ours", REASONS)
    expected = [name for name, outcome in theirs.items() if outcome.what == "passed"]
    missing = Outcome("missing")
    wrong = {
        name: outcome for name in expected if (outcome := ours.get(name, missing)).what != "passed"
    }
    excused = {
        pattern: [name for name in wrong if fnmatchcase(name, pattern)] for pattern in REASONS
    }
    with capsys.disabled():
        print(f"\nGlance's own tests: {len(expected) - len(wrong)} of {len(expected)} as on 5.7.0")
        for pattern, names in excused.items():
            print(f"  {len(names)} {pattern}: {REASONS[pattern]}")
    assert len(expected) > 2000, Counter(outcome.what for outcome in theirs.values())
    idle = [pattern for pattern, names in excused.items() if not names]
    assert not idle, "these reasons are not needed any more"
    known = {name for names in excused.values() for name in names}
    left = {name: outcome for name, outcome in wrong.items() if name not in known}
    report = "\n".join(
        f"{name}: {outcome.what}\n{outcome.reason[-1500:]}" for name, outcome in left.items()
    )
    assert not left, f"{len(left)} tests fail on ours alone:\n{report}"
