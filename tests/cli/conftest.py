"""The fixtures of the command line's tests."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.person import Person


@pytest.fixture(autouse=True)
def _signals_as_in_a_terminal() -> Iterator[None]:
    """Undo what a job in the background inherits: signals that its shell has switched off."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Person:
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "MULTISTORE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    return Person(home)


@pytest.fixture
def stocked(person: Person) -> Person:
    """Two stores, and the images a1, a2 and b in both."""
    person.configure()
    for name in ("a1", "a2", "b"):
        person("put", "-", name, stdin=name.encode() * 1000)
    return person
