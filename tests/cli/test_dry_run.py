"""--dry-run says what would be done, fails where the real command would, and changes nothing."""

from __future__ import annotations

import os

import pytest
from cli.person import Person


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["put", "multistore.toml"], "would put multistore.toml (64 B) into fast, safe"),
        (["put", "-", "new", "--store", "fast"], "would put new (?) into fast"),
        (["put", "pipe", "new"], "would put new (?) into fast, safe"),
        (["get", "one"], "would get one: 1 B from fast into one"),
        (["get", "a1", "-", "--offset", "500"], "would get a1: 1.5 KiB from fast or safe into -"),
        (["cp", "one", "--to", "safe"], "would copy one (1 B) to safe"),
        (["rm", "one"], "would remove one from fast"),
        (["rm", "a1", "--store", "safe"], "would remove a1 from safe"),
        (["verify", "a1", "--repair"], "would repair a1 in fast"),
        (["gc"], "nothing to clean up"),
    ],
)
def test_a_dry_run_says_what_would_be_done_and_changes_nothing(
    stocked: Person, arguments: list[str], said: str
) -> None:
    stocked("put", "-", "one", "--store", "fast", stdin=b"x")
    stocked.copy("fast", "a1").write_bytes(b"?")
    os.mkfifo(stocked.home / "pipe")  # opening it would wait, and end its writer
    before = stocked.tree()
    code = 7 if arguments[0] == "verify" else 0
    if arguments[0] == "verify":
        before.pop("catalog.db")  # that a copy was verified is recorded
    assert said in stocked(*arguments, "--dry-run", code=code).out
    after = stocked.tree()
    assert {name: after.get(name) for name in before} == before
    assert set(after) - set(before) <= {"catalog.db"}
    stocked(*arguments, "--dry-run", "--json", code=code)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["put", "multistore.toml", "a1"], 4),
        (["put", "missing"], 3),
        (["put", "multistore.toml", "--store", "nosuch"], 2),
        (["put", "multistore.toml", "--expect", "sha256:xyz"], 2),
        (["put", "multistore.toml", "--digest", "nosuch"], 6),
        (["put", "multistore.toml", "--size", "5"], 7),
        (["cp", "nosuch", "--to", "fast"], 3),
        (["rm", "nosuch"], 3),
        (["put", "multistore.toml", "--store", "web"], 6),
        (["cp", "a1", "--to", "web"], 6),
        (["get", "nosuch"], 3),
        (["get", "a1", "--store", "nosuch"], 2),
        (["get", "a1", "missing/a1"], 3),
        (["get", "a1", "multistore.toml/a1"], 6),
    ],
)
def test_a_dry_run_fails_where_the_real_one_would(
    stocked: Person, arguments: list[str], code: int
) -> None:
    with (stocked.home / "multistore.toml").open("a") as file:
        file.write('[stores.web]\nurl = "http://127.0.0.1:9/"\n')
    before = stocked.tree()
    dry = stocked(*arguments, "--dry-run", code=code)
    assert stocked.tree() == before
    assert dry.err.split(":")[1] == stocked(*arguments, code=code).err.split(":")[1]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("put disk.img --dry-run", 0),
        ("gc --dry-run", 0),
        ("ls", 0),
        ("verify", 0),
        ("stores", 0),
        ("stat disk.img", 3),
        ("get disk.img", 3),
        ("rm disk.img", 3),
        ("cp disk.img --to local", 3),
    ],
)
def test_a_first_command_that_stores_nothing_makes_nothing(
    person: Person, command: str, code: int
) -> None:
    person.file("disk.img")
    before = person.tree()
    person(*command.split(), code=code)
    assert person.tree() == before
