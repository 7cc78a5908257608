"""What is written, and where: JSON lines, escapes, pipes that close, disks that are full, terminals."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from cli.person import Done, Person
from multistore.cli.exits import CODES, describe, exit_code, worst
from multistore.errors import AlreadyExists, Corrupt, NotFound, StoreError, Unavailable

ESCAPE = "\x1b[31mred\x1b[0m\r\n\u202e"


@pytest.fixture
def kept(person: Person) -> Person:
    person.configure()
    person("put", "-", "disk", stdin=b"x" * 3_000_000)
    return person


def test_every_error_has_a_documented_exit_code() -> None:
    assert {each.exit_code for each in StoreError.__subclasses__()} <= set(CODES)
    assert exit_code(ExceptionGroup("", [NotFound("a"), Unavailable("b")])) == 5
    assert exit_code(ExceptionGroup("", [NotFound("a"), Corrupt("b")])) == 7
    assert exit_code(FileNotFoundError(2, "no such file", "x")) == 3
    assert exit_code(PermissionError(13, "no", "x")) == 6
    assert exit_code(ValueError("x")) == 2
    assert worst([]) == 0
    assert [worst([0, code]) for code in CODES] == list(CODES)
    assert worst([8, 9, 7]) == 7


def test_what_is_left_behind_is_told() -> None:
    error = OSError(5, "input/output error", "back")
    error.add_note("/x/.back.part is left behind: remove it")
    ((text, _),) = describe(error)
    assert text == "input/output error: back; /x/.back.part is left behind: remove it"


@pytest.mark.parametrize(
    ("error", "verb", "said"),
    [
        (NotFound("x"), None, "multistore ls"),
        (NotFound("x"), "get", "multistore verify NAME"),
        (Corrupt("x"), "get", "--repair"),
        (Corrupt("x"), "put", "publisher"),
        (AlreadyExists("x"), None, "multistore rm NAME"),
        (AlreadyExists("x"), "put", "no image of the catalog"),
    ],
)
def test_a_hint_fits_what_was_done(error: StoreError, verb: str | None, said: str) -> None:
    if verb is not None:
        error.stamp(store="fast", verb=verb)
    ((_, hint),) = describe(error)
    assert hint is not None
    assert said in hint


def test_an_error_of_the_program_itself_asks_for_a_report() -> None:
    ((text, hint),) = describe(RuntimeError("impossible"))
    assert text == "RuntimeError: impossible"
    assert hint is not None
    assert "--debug" in hint


def test_a_put_that_fails_in_several_stores_is_a_line_for_each(person: Person) -> None:
    person.configure(
        '[options]\nattempts = 1\n[stores.a]\nurl = "file:multistore.toml/a"\n'
        '[stores.b]\nurl = "file:multistore.toml/b"\n[stores.c]\nurl = "file:c"\n'
    )
    done = person("put", "-", "disk", "--minimum", "2", stdin=b"x", code=2)
    lines = [line for line in done.err.splitlines() if line.startswith("multistore: ")]
    assert len(lines) == 2
    assert "'a'" in lines[0]
    assert "'b'" in lines[1]
    first, second = person(
        "put", "-", "disk", "--minimum", "2", "--json", stdin=b"x", code=2
    ).problems
    assert (first["type"], second["type"]) == ("error", "error")
    assert not (person.home / "c/disk").exists()


@pytest.mark.parametrize(
    "command",
    ["ls", "ls --long", "stat disk", "verify", "gc", "stores", "stores --check", "rm disk"],
)
def test_json_is_one_object_a_line_and_nothing_else(kept: Person, command: str) -> None:
    done = kept(*command.split(), "--json", "--progress")
    assert done.lines
    assert all(line["type"] for line in done.lines)
    if command != "stat disk":
        assert done.lines[-1]["type"] == "total"


@pytest.mark.parametrize("arguments", [["nosuch"], ["get"], ["get", "--nosuch"], ["get", "nosuch"]])
def test_errors_are_json_too_if_that_was_asked_for(person: Person, arguments: list[str]) -> None:
    code = 3 if arguments == ["get", "nosuch"] else 2
    done = person(*arguments, "--json", code=code)
    (problem,) = done.problems
    assert problem.keys() == {"type", "error", "hint", "exit_code"}
    assert problem["exit_code"] == code
    assert done.raw == b""


@pytest.mark.parametrize("command", ["stat", "get", "rm", "verify", "ls"])
def test_a_name_cannot_steer_the_terminal(person: Person, command: str) -> None:
    done = person(command, ESCAPE, code=0 if command == "ls" else 3)
    for letter in "\x1b\r\u202e":
        assert letter not in done.out + done.err
    if command != "ls":
        assert "\\x1b[31mred" in done.err


def test_an_option_cannot_steer_the_terminal(person: Person) -> None:
    for arguments in (["get", f"--{ESCAPE}"], [ESCAPE], ["put", "x", "--size", ESCAPE]):
        done = person(*arguments, code=2)
        assert "\x1b" not in done.err
        assert "\u202e" not in done.err


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "POSIX"])
def test_names_of_all_letters_work_in_every_locale(person: Person, locale: str) -> None:
    name = "größe-日本-😀"
    more = {"LC_ALL": locale, "LANG": locale}
    person.file("disk.img")
    done = person.apart("put", "disk.img", name, env=more)
    assert (done.code, done.err) == (0, "")
    for extra in ({}, {"PYTHONIOENCODING": "ascii"}):
        (image, _) = person.apart("ls", "--json", env=more | extra).lines
        assert image["name"] == name
        assert person.apart("ls", env=more | extra).code == 0
        assert person.apart("get", name, "-", env=more | extra).raw == b"an image\n"
        done = person.apart("get", "größe", env=more | extra)
        assert done.code == 3
        assert "Traceback" not in done.err
    assert person.apart("rm", name, env=more).code == 0


def test_names_without_any_encoding_for_them_are_refused(person: Person) -> None:
    off = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = person.apart("put", "-", "größe", env=off)
    assert done.code == 2
    assert "Traceback" not in done.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize(
    "command", ["ls", "ls --json", "stat disk", "stores", "verify", "get disk -", "--help", "--version",
                "completion bash", "gc"]
)  # fmt: skip
def test_a_full_disk_below_standard_output_is_told(kept: Person, command: str) -> None:
    for env in ({}, {"PYTHONUNBUFFERED": "1"}):
        with open("/dev/full", "wb") as full:
            done = kept.apart(*command.split(), stdout=full, env=env)
        assert done.code == 6
        assert "No space left on device" in done.err
        assert done.err.count("No space left") == 1
        assert ("standard output" in done.err) is (
            command.split(maxsplit=1)[0] not in ("--help", "--version", "completion")
        )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize(
    ("arguments", "code"), [("get nosuch", 3), ("rm nosuch disk", 3), ("nosuch", 2), ("ls", 0), ("ls --debug --config nosuch", 2)]
)  # fmt: skip
def test_messages_that_nobody_can_get_change_nothing_else(
    kept: Person, arguments: str, code: int
) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with open("/dev/full", "wb") as full, os.fdopen(theirs, "wb") as closed:
        for stream in (full, closed):
            assert kept.apart(*arguments.split(), stderr=stream).code == code
    if arguments.startswith("rm"):
        kept("stat", "disk", code=3)


def test_messages_stand_where_they_belong_between_the_results(kept: Person) -> None:
    kept("put", "-", "last", stdin=b"x")
    for command in ("rm disk nosuch last --json", "verify a b --json"):
        done = kept.apart(*command.split(), stderr=subprocess.STDOUT)
        kinds = [line["type"] for line in done.lines]
        wanted = {
            "rm": ["removed", "error", "removed", "total"],
            "verify": ["error", "error", "total"],
        }
        assert kinds == wanted[command.split()[0]]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_lost_results_are_told_beside_what_else_went_wrong(kept: Person) -> None:
    with open("/dev/full", "wb") as full:
        done = kept.apart("rm", "nosuch", "--json", stdout=full)
    assert done.code == 6
    assert [each["exit_code"] for each in done.problems] == [3, 6]


@pytest.mark.parametrize(
    "command", ["ls", "get disk -", "verify --json", "--help", "completion bash"]
)
def test_a_reader_that_has_seen_enough_ends_the_command_silently(
    kept: Person, command: str
) -> None:
    for env in ({}, {"PYTHONUNBUFFERED": "1"}):
        ours, theirs = os.pipe()
        os.close(ours)
        try:
            done = kept.apart(*command.split(), stdout=theirs, env=env)
        finally:
            os.close(theirs)
        assert (done.code, done.err) == (141, "")


def test_head_gets_its_bytes(kept: Person) -> None:
    script = 'set -o pipefail; "$0" -m multistore.cli get disk - | head -c 5; echo " $?"'
    done = subprocess.run(
        ["bash", "-c", script, sys.executable],
        cwd=kept.home, env=kept.environment(), capture_output=True, timeout=15, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == (b"xxxxx 141\n", b"")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_are_survived(kept: Person, closed: str) -> None:
    for arguments in ("ls", "get disk back", "get disk -", "put - new", "get nosuch"):
        done = subprocess.run(
            ["bash", "-c", f'exec "$0" -m multistore.cli {arguments} {closed}', sys.executable],
            cwd=kept.home, env=kept.environment(), stdin=subprocess.DEVNULL, capture_output=True,
            timeout=15, check=False,
        )  # fmt: skip
        assert b"Traceback" not in done.stderr, arguments
        assert done.returncode in (0, 3, 4, 6), arguments
    assert kept("get", "disk", "-").raw == b"x" * 3_000_000
    assert not kept.leftovers()


def on_terminal(person: Person, *arguments: str, **pipes: int) -> tuple[Done, str]:
    """Run a command whose standard error is a terminal; what that showed comes second."""
    ours, theirs = pty.openpty()
    try:
        done = person.apart(
            *arguments, stderr=theirs, env={"TERM": "xterm", "COLUMNS": "120"}, **pipes
        )
        os.set_blocking(ours, False)
        shown = b""
        while True:
            try:
                shown += os.read(ours, 65536)
            except BlockingIOError:
                return done, shown.decode()
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_terminal_shows_a_bar_for_each_store(kept: Person) -> None:
    kept.file("disk.img", b"y" * 3_000_000)
    done, shown = on_terminal(kept, "put", "disk.img")
    assert done.code == 0
    assert "put disk.img (fast)" in shown
    assert "put disk.img (safe)" in shown
    assert "put disk.img: 2.9 MiB into fast, safe" in done.out
    assert "get disk (fast)" in on_terminal(kept, "get", "disk", "back")[1]
    kept("put", "-", "one", "--store", "fast", stdin=b"x" * 2_000_000)
    assert "(safe)" in on_terminal(kept, "cp", "one", "--to", "safe")[1]


def test_results_go_where_they_were_sent_even_below_a_bar(kept: Person) -> None:
    done, shown = on_terminal(kept, "verify")
    assert "= disk  fast  intact" in done.out
    assert "intact" not in shown
    done, shown = on_terminal(kept, "verify", "--json")
    assert [line["type"] for line in done.lines] == ["verdict", "verdict", "total"]
    assert shown == ""


@pytest.mark.parametrize("option", ["--no-progress", "--quiet", "--json"])
def test_bars_can_be_switched_off(kept: Person, option: str) -> None:
    _, shown = on_terminal(kept, "get", "disk", "back", option)
    assert shown == ""


def test_quiet_says_nothing_but_what_is_wrong(kept: Person) -> None:
    assert kept("verify", "--quiet").raw == b""
    assert kept("rm", "disk", "-q").raw == b""
    assert kept("rm", "disk", "-q", code=3).err


def test_debug_shows_where_an_error_came_from(kept: Person) -> None:
    done = kept.apart("get", "nosuch", "--debug")
    assert "Traceback" in done.err
    done = kept.apart("get", "disk", "back", "--debug")
    assert "get" in done.err
    assert "Traceback" not in done.err
    for line in kept.apart("ls", "--json", "--debug").out.splitlines():
        json.loads(line)
