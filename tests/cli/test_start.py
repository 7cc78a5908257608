"""Starting: what is loaded for it, and what is said if something is missing."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from cli.person import Person
from multistore.cli.app import cli
from multistore.cli.exits import _PRECEDENCE, CODES
from multistore.layers.stack import StoreOptions

HEAVY = ("multistore.fleet", "multistore.store", "rich", "sqlite3", "tomllib", "urllib3")


def python(person: Person, code: str) -> subprocess.CompletedProcess[str]:
    """Run this code in a process that nobody measures: coverage would load modules of its own into it."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=person.home, env=person.environment(measured=False), capture_output=True, text=True, timeout=15, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize(
    "command", ["--help", "--version", "put --help", "verify --help", "completion bash", "nosuch"]
)
def test_what_needs_no_store_loads_none(person: Person, command: str) -> None:
    code = (
        "import json, sys\n"
        "from multistore.cli.app import run\n"
        f"run({command.split()!r})\n"
        f"print(json.dumps([each for each in {HEAVY!r} if each in sys.modules]), file=sys.stderr)"
    )
    assert json.loads(python(person, code).stderr.splitlines()[-1]) == []


def test_what_is_loaded_is_noticed(person: Person) -> None:
    code = f"import sys, multistore.store\nprint([e for e in {HEAVY!r} if e in sys.modules])"
    assert python(person, code).stdout == "['multistore.store']\n"


def test_a_put_without_a_terminal_loads_neither_bars_nor_the_web(person: Person) -> None:
    person.file("disk.img")
    code = (
        "import sys\n"
        "from multistore.cli.app import run\n"
        "assert run(['put', 'disk.img']) == 0\n"
        "assert not {'rich', 'urllib3'} & set(sys.modules)"
    )
    done = python(person, code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_a_missing_extra_is_named_with_its_command(person: Person, missing: str) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from multistore.cli import main\n"
        "main(['put', '-', 'disk', '--progress'])"
    )
    done = python(person, code)
    assert done.returncode == 2
    assert "pip install 'multistore[cli]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_rich_a_terminal_has_no_bars_and_all_else_works(person: Person) -> None:
    code = (
        "import sys; sys.modules['rich'] = None; sys.stderr.isatty = lambda: True\n"
        "from multistore.cli import main\n"
        "main(['put', '-', 'disk'])"
    )
    done = python(person, code)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_module_and_the_script_are_one(person: Person) -> None:
    script = subprocess.run(
        [f"{sys.prefix}/bin/multistore", "--help"],
        env=person.environment(), capture_output=True, text=True, timeout=15, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert script.stdout == person.apart("--help").out
    assert script.stdout == person("--help").out


@pytest.mark.parametrize("arguments", [[], ["put"], ["get"]])
def test_too_little_is_a_usage_error_with_help(person: Person, arguments: list[str]) -> None:
    done = person(*arguments, code=2)
    assert "Usage: multistore" in done.err + done.out


def test_without_a_home_it_says_what_to_set(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert "set HOME" in person("ls", code=2).err


def test_the_page_of_the_command_line_has_every_key_command_and_code() -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/command-line.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:] for line in page.splitlines() if line.startswith("|")]
    codes = {int(row[0]): row[1].strip() for row in rows if row[0].strip().isdigit()}
    assert codes == CODES
    keys = {row[0].strip().strip("`") for row in rows}
    assert {field.name for field in dataclasses.fields(StoreOptions)} <= keys
    assert {"catalog", "default", "minimum", "[stores.NAME]", "weight", "[options]"} <= keys
    commands = {key.split()[0] for key in keys if key}
    assert set(cli.list_commands(click.Context(cli))) <= commands
    order = ", ".join(str(code) for code in sorted(CODES, key=_PRECEDENCE.index))
    assert order in page
