"""Runs one share of Glance's own tests and notes what became of each; started with the Python of a Glance environment.

usage: suite.py SHARE SHARES RESULTS [NAME...]

The working directory is what Glance's tests take for the root of its source: etc/ and glance/tests/etc/ are read below it.
Every share takes each SHARESth test, or of those that are named.  RESULTS gets one line of JSON per test, [name, outcome, reason]; a test that never
ended is there as "begun".
"""

from __future__ import annotations

import errno
import importlib
import json
import pkgutil
import socket
import sys
import unittest
from collections.abc import Iterator
from types import TracebackType
from typing import IO, Any

#: Parts of Glance that no store has to do with: its databases, its metadata catalogue, its database tool.
#: Left out too: the serial tests, which end every scrubber that runs on the machine.
LEFT_OUT = ("db", "metadef", "migration", "glance_manage", "serial")
#: An address that is kept for documentation, for the names that Glance's tests made up.
NOWHERE = "192.0.2.1"
MADE_UP = ("example.com", "storeurl.com")

Trouble = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class Record(unittest.TestResult):
    """Writes each outcome at once, so that a killed run has told all it knew."""

    def __init__(self, out: IO[str]) -> None:
        super().__init__()
        self.out = out

    def note(self, test: unittest.TestCase, outcome: str, reason: str = "") -> None:
        self.out.write(json.dumps([test.id(), outcome, reason]) + "\n")
        self.out.flush()

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802  # the names of the standard library
        self.note(test, "begun")

    def addSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802
        self.note(test, "passed")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:  # noqa: N802
        self.note(test, "skipped", reason)

    def addFailure(self, test: unittest.TestCase, err: Trouble) -> None:  # noqa: N802
        self.note(test, "failed", self._exc_info_to_string(err, test))  # type: ignore[attr-defined]

    addError = addFailure  # noqa: N815

    def addExpectedFailure(self, test: unittest.TestCase, err: Trouble) -> None:  # noqa: N802
        self.note(test, "passed", "failed, as it should")

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802
        self.note(test, "failed", "should have failed")


def answer_for_names() -> None:
    """Resolve what Glance's tests ask for, on machines without a name server too; no packet leaves the machine."""
    resolve, connect = socket.getaddrinfo, socket.socket.connect

    def getaddrinfo(host: Any, *rest: Any, **options: Any) -> Any:
        name = host.rstrip(".") if isinstance(host, str) else host
        if name in MADE_UP:
            host = NOWHERE
        elif name == "localhost":
            host = name
        return resolve(host, *rest, **options)

    def refuse(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] == NOWHERE:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "nobody is there")
        connect(self, address)

    socket.getaddrinfo = getaddrinfo
    socket.socket.connect = refuse  # type: ignore[method-assign,assignment]


def modules() -> Iterator[str]:
    """Name Glance's unit and functional test modules, in order."""
    for folder in ("unit", "functional"):
        package = importlib.import_module(f"glance.tests.{folder}")
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            last = found.name.rpartition(".")[2]
            if last.startswith("test_") and not any(word in found.name for word in LEFT_OUT):
                yield found.name


def tests(suite: unittest.TestSuite | unittest.TestCase) -> Iterator[unittest.TestCase]:
    if isinstance(suite, unittest.TestSuite):
        for each in suite:
            yield from tests(each)
    else:
        yield suite


def main(share: int, shares: int, results: str, names: list[str]) -> None:
    answer_for_names()
    suite = unittest.TestLoader().loadTestsFromNames(
        list(modules())
    )  # some need what others import
    chosen = [test for test in tests(suite) if not names or test.id() in names]
    with open(results, "w", encoding="utf-8") as out:
        record = Record(out)
        for test in chosen[share::shares]:
            test.run(record)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
