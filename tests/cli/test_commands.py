"""ls, stat, rm, cp, gc, stores; and the help of them all."""

from __future__ import annotations

import re
import sqlite3
import subprocess

import multistore
import pytest
from cli.person import Person
from multistore.cli.exits import CODES

# -- ls, stat --------------------------------------------------------------------------------


def test_ls_shows_what_begins_with_a_prefix(stocked: Person) -> None:
    lines = stocked("ls").out.splitlines()
    assert lines[0].split() == ["NAME", "SIZE", "CREATED", "STORES"]
    assert [line.split()[0] for line in lines[1:]] == ["a1", "a2", "b"]
    assert lines[1].endswith("fast, safe")
    assert [line.split()[0] for line in stocked("ls", "a").out.splitlines()[1:]] == ["a1", "a2"]
    assert stocked("ls", "nosuch").out == ""


def test_ls_long_shows_what_is_known_of_each_copy(stocked: Person) -> None:
    stocked("verify", "a1", "--store", "fast")
    lines = stocked("ls", "--long", "a1").out.splitlines()
    assert "intact" in lines[1]
    assert "not verified" in lines[2]
    assert "never" in lines[2]


def test_ls_tells_the_machine_all_and_totals_last(stocked: Person) -> None:
    *images, total = stocked("ls", "--json").lines
    assert [image["name"] for image in images] == ["a1", "a2", "b"]
    assert all(image["type"] == "image" for image in images)
    assert images[0]["copies"]["fast"]["ref"].startswith("file:///")
    assert total == {"type": "total", "images": 3, "size": 5000}


def test_stat_shows_one_image(stocked: Person) -> None:
    out = stocked("stat", "a1").out
    assert "size     2000 bytes (2.0 KiB)" in out
    assert "sha512" in out
    assert out.count("not verified yet; last verified never") == 2
    (line,) = stocked("stat", "a1", "--json").lines
    assert line["size"] == 2000
    assert "multistore ls" in stocked("stat", "nosuch", code=3).err


# -- rm --------------------------------------------------------------------------------------


def test_rm_removes_images_from_all_their_stores(stocked: Person) -> None:
    out = stocked("rm", "a1", "b", "a1").out
    assert out.splitlines() == ["removed a1 from fast, safe", "removed b from fast, safe"]
    assert not stocked.copy("fast", "a1").exists()
    assert [line.split()[0] for line in stocked("ls").out.splitlines()[1:]] == ["a2"]


def test_what_one_name_runs_into_does_not_keep_the_others(stocked: Person) -> None:
    done = stocked("rm", "a1", "nosuch", "b", "--json", code=3)
    assert [line.get("name") for line in done.lines[:-1]] == ["a1", "b"]
    assert done.lines[-1] == {"type": "total", "removed": 2, "failed": 1}
    (problem,) = done.problems
    assert "nosuch" in problem["error"]


def test_rm_of_a_copy_but_never_of_the_last(stocked: Person) -> None:
    assert stocked("rm", "a1", "--store", "fast").out == "removed a1 from fast\n"
    assert not stocked.copy("fast", "a1").exists()
    for store, code in (("safe", 2), ("fast", 3)):
        before = stocked.tree()
        assert stocked("rm", "a1", "--store", store, "--dry-run", code=code).err
        assert stocked.tree() == before
        assert stocked("rm", "a1", "--store", store, code=code).err
    assert stocked("get", "a1", "-").raw == b"a1" * 1000


@pytest.mark.parametrize(
    "command", ["rm a1 -s nosuch", "get a1 -s nosuch", "cp a1 -t nosuch", "put - n -s nosuch", "verify a1 -s nosuch"]
)  # fmt: skip
def test_a_store_that_there_is_not_is_named_with_those_that_there_are(
    stocked: Person, command: str
) -> None:
    before = stocked.tree()
    err = stocked(*command.split(), code=2).err
    assert "no store is called 'nosuch'; known: fast, safe" in err
    assert stocked.tree() == before


# -- cp --------------------------------------------------------------------------------------


def test_cp_makes_copies_and_may_be_repeated(stocked: Person) -> None:
    stocked("put", "-", "one", "--store", "fast", stdin=b"x" * 2048)
    assert stocked("cp", "one", "--to", "safe").out == "copied one (2.0 KiB) to safe\n"
    assert stocked.copy("safe", "one").read_bytes() == b"x" * 2048
    assert "already" in stocked("cp", "one", "-t", "safe", "-t", "fast").out
    (line,) = stocked("cp", "one", "--to", "safe", "--json").lines
    assert line == {"type": "copied", "name": "one", "size": 2048, "copies": {}}


def test_cp_of_what_is_not_there_and_to_what_is_not_there(stocked: Person) -> None:
    stocked("cp", "nosuch", "--to", "safe", code=3)
    assert "known: fast, safe" in stocked("cp", "a1", "--to", "nosuch", code=2).err
    stocked("cp", "a1", code=2)


def test_cp_of_a_damaged_copy_makes_none(stocked: Person) -> None:
    stocked("put", "-", "one", "--store", "fast", stdin=b"x" * 2048)
    stocked.copy("fast", "one").write_bytes(b"y" * 2048)
    stocked("cp", "one", "--to", "safe", code=7)
    assert not stocked.copy("safe", "one").exists()
    assert not stocked.leftovers()


# -- gc --------------------------------------------------------------------------------------


def test_gc_finds_nothing_where_nothing_was_left(stocked: Person) -> None:
    assert stocked("gc").out == "nothing to clean up\n"
    assert stocked("gc", "--json", "--grace", "0").lines == [
        {"type": "total", "removed": 0, "kept": 0}
    ]


def test_gc_removes_what_a_killed_put_left(stocked: Person) -> None:
    with stocked.start("put", "-", "killed", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b"x" * 20_000_000)  # more than the pipe and the parts in memory hold
        process.stdin.flush()
        process.kill()
        process.communicate(timeout=15)
    assert len(stocked.leftovers()) == 2
    before = stocked.tree()
    first, second, total = stocked("gc", "--dry-run", "--json").lines
    assert {first["store"], second["store"]} == {"fast", "safe"}
    assert first["action"] == "would remove"
    assert total == {"type": "total", "would remove": 2, "kept": 0}
    assert stocked.tree() == before
    out = stocked("gc").out
    assert out.endswith("2 removed\n")
    assert not stocked.leftovers()
    assert stocked("gc").out == "nothing to clean up\n"
    assert stocked("get", "a1", "-").raw == b"a1" * 1000


def test_gc_goes_on_where_a_store_does_not_answer(stocked: Person) -> None:
    with stocked.start("put", "-", "killed", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b"x" * 20_000_000)
        process.stdin.flush()
        process.kill()
        process.communicate(timeout=15)
    (stocked.home / "fast").rename(stocked.home / "away")
    (stocked.home / "fast").write_bytes(b"no directory")
    done = stocked("gc", "--json", code=2)
    assert all("'fast'" in problem["error"] for problem in done.problems)
    assert done.problems
    assert done.lines[-1]["removed"] == 1
    assert done.lines[-1]["kept"] >= 1
    (stocked.home / "fast").unlink()
    (stocked.home / "away").rename(stocked.home / "fast")
    stocked("gc")
    assert not stocked.leftovers()
    assert stocked("gc").out == "nothing to clean up\n"


@pytest.mark.parametrize("grace", ["soon", "-5", "5y", "", "1h30", "1e3"])
def test_gc_refuses_a_grace_that_is_no_time(stocked: Person, grace: str) -> None:
    assert "such as 90s" in stocked("gc", "--grace", grace, code=2).err


@pytest.mark.parametrize("grace", ["0", "90", "90s", "1.5m", "2 h", "1d", "1w"])
def test_gc_takes_times_with_units(stocked: Person, grace: str) -> None:
    stocked("gc", "--grace", grace)


# -- stores ----------------------------------------------------------------------------------


def test_stores_shows_each_and_where_it_comes_from(stocked: Person) -> None:
    out = stocked("stores").out
    assert "configuration: multistore.toml" in out
    assert f"catalog: {stocked.home}/catalog.db" in out
    first, second, total = stocked("stores", "--json").lines
    assert (first["name"], second["name"]) == ("fast", "safe")
    assert "write" in first["verbs"]
    assert first["free"] > 0
    assert total == {"type": "total", "stores": 2}


def test_stores_check_tries_each(person: Person) -> None:
    person.configure(
        '[options]\nattempts = 1\n[stores.fast]\nurl = "file:fast"\n'
        '[stores.broken]\nurl = "file:multistore.toml/x"\n'
    )
    done = person("stores", "--check", "--json", code=2)
    first, second, total = done.lines
    assert first["check"] == "works"
    assert second["check"].startswith("Misconfigured")
    assert total == {"type": "total", "stores": 2, "working": 1}
    person("stores")


def test_without_configuration_stores_says_so(person: Person) -> None:
    assert "configuration: none, these are the defaults" in person("stores").out


@pytest.mark.parametrize(
    ("options", "said"), [("", ""), ("fused_digests = false", "fused_digests is off")]
)
def test_stores_versions_says_what_computes_the_digests(
    person: Person, options: str, said: str
) -> None:
    person.configure(f'[options]\n{options}\n[stores.fast]\nurl = "file:fast"\n')
    out = person("stores", "--versions").out
    assert f"multistore: {multistore.__version__}" in out
    assert re.search(rf"^md5 with sha512: (avx|hashlib).*{said}", out, re.MULTILINE)
    *_, versions = person("stores", "--versions", "--json").lines
    assert versions["type"] == "versions"
    assert said in versions["md5 with sha256"]


def test_stores_versions_says_when_the_kernels_are_not_there(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multistore.pipeline.digests.kernel", lambda _pair: None)
    out = person("stores", "--versions").out
    assert "md5 with sha512: hashlib (multistore-digest is not installed)" in out


# -- the group ------------------------------------------------------------------------------


def test_an_unknown_shell_and_an_unknown_command(person: Person) -> None:
    person("completion", "tcsh", code=2)
    person("nosuch", code=2)


def test_help_shows_every_command_and_exit_code(person: Person) -> None:
    out = person("--help").out
    for command in ("put", "get", "ls", "stat", "rm", "cp", "verify", "stores", "gc"):
        assert re.search(rf"^  {command} ", out, re.MULTILINE)
        text = person(command, "--help").out
        assert "--json" in text
        assert person(command, "-h").out == text
    for code in CODES:
        assert re.search(rf"^  {code} ", out, re.MULTILINE)
    assert re.fullmatch(r"multistore \d+\.\d+\S*\n", person("--version").out)


def test_a_catalog_of_the_future_is_told(stocked: Person) -> None:
    with sqlite3.connect(stocked.home / "catalog.db") as database:
        database.execute("PRAGMA user_version = 999")
    database.close()
    assert "999" in stocked("ls", code=2).err
