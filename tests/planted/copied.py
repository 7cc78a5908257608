"""A plugin of pytest, for the runs that judge a copy of the library: is it the copy, and what became of each test?"""

from __future__ import annotations

import json
import os

import pytest

#: The directory of the copy, and the file that gets a line of JSON for each phase of a test that did not pass.
COPY, REPORT = "MULTISTORE_PLANTED_COPY", "MULTISTORE_PLANTED_REPORT"


def pytest_configure() -> None:
    import multistore

    if not multistore.__file__.startswith(os.environ[COPY] + os.sep):
        raise pytest.UsageError(f"not the copy is imported, but {multistore.__file__}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when != "call" and report.passed:
        return
    entry = {
        "test": report.nodeid,
        "when": report.when,
        "outcome": report.outcome,
        "text": report.longreprtext,
    }
    with open(os.environ[REPORT], "a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
