"""The suite is proved: each planted bug is caught by the tests that are meant for it."""

import contextlib
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from conformance import (
    bugs_copying,
    bugs_describing,
    bugs_misc,
    bugs_processes,
    bugs_reading,
    bugs_removing,
    bugs_writing,
)
from conformance.planting import Bug

BUGS: dict[str, Bug] = {
    **bugs_copying.BUGS,
    **bugs_describing.BUGS,
    **bugs_misc.BUGS,
    **bugs_processes.BUGS,
    **bugs_reading.BUGS,
    **bugs_removing.BUGS,
    **bugs_writing.BUGS,
}

_HEAD = """
import pytest
from conformance import {file}
from conformance.{rig} import {rig}
from multistore.testing import DriverConformance

"""
_CLASS = """
class Test{bug}(DriverConformance):
    @pytest.fixture
    def rig(self):
        return {rig}({file}.{bug}, patience={patience})

"""


class _Failures:
    """A plugin that keeps the names of the tests that failed, in their body or around it, by class."""

    def __init__(self) -> None:
        self.tests: dict[str, set[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            _, planted, test = report.nodeid.split("::")
            self.tests.setdefault(planted, set()).add(test.partition("[")[0])


def _judge(file: str, place: Path) -> dict[str, set[str]]:
    """Run, for each bug of a file, the tests that are meant for it, and give those that failed."""
    planted = {name: bug for name, bug in BUGS.items() if bug.driver.__module__.endswith(file)}
    classes = [
        _CLASS.format(file=file, bug=name, patience=bug.patience, rig=bug.rig)
        for name, bug in planted.items()
    ]
    module = place / f"test_{file}.py"
    module.write_text(
        _HEAD.format(file=file, rig=next(iter(planted.values())).rig) + "".join(classes)
    )
    (place / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    failures = _Failures()
    options = [
        "-q",
        "--tb=no",
        "--import-mode=importlib",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:faulthandler",
    ]
    tests = [
        f"{module}::Test{name}::{test}" for name, bug in planted.items() for test in bug.caught_by
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        patch.setenv("PLANTED_DIRECTORY", str(place))
        code = pytest.main([*options, "--rootdir", str(place), *tests], plugins=[failures])
    assert code == pytest.ExitCode.TESTS_FAILED
    return failures.tests


@pytest.fixture(scope="module")
def judged(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], dict[str, set[str]]]]:
    """Give the failures of all bugs of a file; each file is run once."""
    place = tmp_path_factory.mktemp("planted")
    yield cache(lambda file: _judge(file, place))
    while bugs_describing.LeaksADescriptor.opened:
        with contextlib.suppress(OSError):
            os.close(bugs_describing.LeaksADescriptor.opened.pop())


@pytest.mark.timeout(300)  # the first one of a file runs all of that file
@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_caught(name: str, judged: Callable[[str], dict[str, set[str]]]) -> None:
    """By each test that is named for it."""
    bug = BUGS[name]
    assert judged(bug.driver.__module__.rpartition(".")[2])[f"Test{name}"] == set(bug.caught_by)
