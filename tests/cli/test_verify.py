"""verify: a word for each state, the exit code, and what --repair makes of it."""

from __future__ import annotations

import resource

import pytest
from cli.person import Person

DATA = b"precious" * 10_000
#: The totals when there is nothing to count.
NONE = {
    "type": "total", "images": 0, "intact": 0, "missing": 0, "short": 0, "corrupt": 0, "unverifiable": 0, "repaired": 0,
}  # fmt: skip


@pytest.fixture
def kept(person: Person) -> Person:
    """One image in two stores."""
    person.configure()
    person("put", "-", "disk", stdin=DATA)
    return person


def damage(person: Person, store: str, how: str) -> None:
    path = person.copy(store, "disk")
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes({"short": DATA[:-1], "corrupt": b"?" + DATA[1:], "long": DATA + b"?"}[how])


def test_intact_copies_are_proved_by_their_digest(kept: Person) -> None:
    lines = kept("verify", "disk").out.splitlines()
    assert lines[0].startswith("= disk  fast  intact: ")
    assert "of all 80000 bytes" in lines[0]
    assert lines[-1] == "1 images: 2 intact"


@pytest.mark.parametrize(
    ("how", "mark", "word"),
    [
        ("missing", "-", "missing"),
        ("short", "*", "short"),
        ("corrupt", "*", "corrupt"),
        ("long", "*", "corrupt"),
    ],
)
def test_a_damaged_copy_has_its_word_and_is_repaired(
    kept: Person, how: str, mark: str, word: str
) -> None:
    damage(kept, "fast", how)
    out = kept("verify", "disk", code=7).out
    assert f"{mark} disk  fast  {word}: " in out
    assert "1 images: 1 intact" in out
    *verdicts, total = kept("verify", "disk", "--json", code=7).lines
    assert {line["store"]: line["state"] for line in verdicts} == {"fast": word, "safe": "intact"}
    assert total == NONE | {"images": 1, "intact": 1, word: 1}
    out = kept("verify", "disk", "--repair").out
    assert "repaired disk in fast from safe" in out
    assert out.splitlines()[-1].endswith("1 repaired")
    assert kept.copy("fast", "disk").read_bytes() == DATA
    assert kept("verify", "disk").out.endswith("1 images: 2 intact\n")
    assert not kept.leftovers()


@pytest.mark.parametrize("how", ["missing", "short", "corrupt"])
def test_without_an_intact_copy_nothing_is_repaired(kept: Person, how: str) -> None:
    damage(kept, "fast", how)
    damage(kept, "safe", "corrupt")
    before = {name: data for name, data in kept.tree().items() if not name.endswith(".db")}
    done = kept("verify", "disk", "--repair", code=7)
    assert "no intact copy" in done.err
    assert before == {n: data for n, data in kept.tree().items() if not n.endswith(".db")}


def test_a_repair_that_fails_is_told_and_leaves_the_intact_copy(kept: Person) -> None:
    kept("put", "-", "big", stdin=b"x" * 5_000_000)
    kept.copy("fast", "big").write_bytes(b"?")
    done = kept.apart("verify", "--repair", "--json", preexec_fn=small_files_only)
    assert done.code == 7
    (problem,) = done.problems
    assert problem["error"].startswith("fast: ")
    assert done.lines[-1] == NONE | {"images": 2, "intact": 3, "short": 1}
    assert kept("get", "big", "-").raw == b"x" * 5_000_000
    assert not kept.leftovers()
    kept("verify", "--repair")
    assert kept("verify").out.endswith("2 images: 4 intact\n")


def small_files_only() -> None:
    """Let files grow to 2 MB, more than the catalog has and less than a big image."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))


def test_a_store_that_does_not_answer_is_unverifiable(kept: Person) -> None:
    (kept.home / "safe").rename(kept.home / "away")
    (kept.home / "safe").write_bytes(b"no directory")
    out = kept("verify", "disk", code=8).out
    assert "? disk  safe  unverifiable: " in out
    *_, total = kept("verify", "disk", "--json", code=8).lines
    assert total == NONE | {"images": 1, "intact": 1, "unverifiable": 1}
    kept("verify", "disk", "--repair", code=8)
    damage(kept, "fast", "corrupt")
    kept("verify", "disk", code=7)


def test_a_store_that_is_not_configured_any_more_is_unverifiable(kept: Person) -> None:
    kept.configure('[stores.fast]\nurl = "file:fast"\n')
    assert "not configured" in kept("verify", "disk", code=8).out


def test_all_images_or_some_or_one_store(kept: Person) -> None:
    kept("put", "-", "other", stdin=b"x")
    assert kept("verify").out.endswith("2 images: 4 intact\n")
    assert kept("verify", "other", "disk", "other").out.endswith("2 images: 4 intact\n")
    assert kept("verify", "other", "--store", "safe").out.endswith("1 images: 1 intact\n")
    damage(kept, "fast", "corrupt")
    kept("verify", "--store", "safe")
    kept("verify", code=7)


def test_what_one_name_runs_into_does_not_keep_the_others(kept: Person) -> None:
    done = kept("verify", "nosuch", "disk", code=3)
    assert "nosuch" in done.err
    assert done.out.endswith("2 images: 2 intact\n")
    damage(kept, "fast", "corrupt")
    kept("verify", "nosuch", "disk", code=7)


def test_no_images_are_all_intact(person: Person) -> None:
    assert person("verify").out == "0 images: no copies\n"
    assert person("verify", "--json").lines == [NONE]


@pytest.mark.parametrize(
    "arguments", [["--repair", "--store", "fast"], ["disk", "--dry-run"], ["--dry-run"]]
)
def test_options_that_contradict_each_other_are_refused(kept: Person, arguments: list[str]) -> None:
    kept("verify", *arguments, code=2)


def test_an_unknown_store_is_named(kept: Person) -> None:
    for names in ([], ["disk"]):
        done = kept("verify", *names, "--store", "nosuch", code=2)
        assert "no store is called 'nosuch'; known: fast, safe" in done.err


def test_a_store_alone_is_asked_for_its_own_images_only(kept: Person) -> None:
    kept("put", "-", "one", "--store", "fast", stdin=b"x")
    assert kept("verify", "-s", "safe").out.endswith("1 images: 1 intact\n")
    assert kept("verify", "-s", "safe", "-s", "fast").out.endswith("2 images: 3 intact\n")
    assert "no copy in safe" in kept("verify", "one", "-s", "safe", code=3).err
    kept.configure('[stores.fast]\nurl = "file:fast"\n')
    assert "not configured" in kept("verify", "-s", "safe", code=8).out


def test_a_dry_run_tells_that_there_is_nothing_to_repair_from(kept: Person) -> None:
    for store in ("fast", "safe"):
        damage(kept, store, "corrupt")
    done = kept("verify", "--repair", "--dry-run", code=7)
    assert "no intact copy" in done.err
    assert "would repair" not in done.out


def test_what_verify_found_is_on_record(kept: Person) -> None:
    damage(kept, "fast", "short")
    kept("verify", code=7)
    out = kept("stat", "disk").out
    assert "short, 79999 of 80000 bytes" in out
    assert "last proved intact never" in out
