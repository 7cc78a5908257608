"""--glance-conf: the stores of a Glance service, looked at from outside; and a digest of the reader's own."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from cli.person import Person

DATA = b"an image " * 9000
CONF = """
[DEFAULT]
enabled_backends = fast:file, slow:file, web:http, odd:nosuch

[glance_store]
default_backend = fast

[backend_defaults]
filesystem_store_chunk_size = 8192

[fast]
filesystem_store_datadir = {home}/fast
weight = 7

[slow]
filesystem_store_datadir = {home}/slow
"""


@pytest.fixture
def service(person: Person) -> Person:
    """A person beside a Glance service with one image in two stores, and another in one."""
    for store, names in {"fast": ("one",), "slow": ("one", "two")}.items():
        (person.home / store).mkdir()
        for name in names:
            (person.home / store / name).write_bytes(DATA)
    (person.home / "glance-api.conf").write_text(CONF.format(home=person.home))
    return person


def test_its_stores_are_shown_and_those_that_cannot_be_opened_are_told(service: Person) -> None:
    done = service("--glance-conf", "glance-api.conf", "stores", "--json")
    *stores, total = done.lines
    assert [(each["name"], each["driver"], each["weight"]) for each in stores] == [
        ("fast", "file", 7.0),
        ("slow", "file", 0.0),
        ("web", "http", 0.0),
    ]
    assert [each["name"] for each in stores if each["default"]] == ["fast"]
    assert total["stores"] == 3
    (problem,) = done.problems
    assert "odd" in problem["error"]
    assert "nosuch" in problem["error"]


def test_its_images_are_those_that_the_stores_list(service: Person) -> None:
    *images, total = service("--glance-conf", "glance-api.conf", "ls", "--json").lines
    assert {each["name"]: sorted(each["copies"]) for each in images} == {
        "one": ["fast", "slow"],
        "two": ["slow"],
    }
    assert total == {"type": "total", "images": 2, "size": 2 * len(DATA)}
    assert not (service.home / ".local").exists()


def test_an_image_is_read_and_held_against_a_digest(service: Person) -> None:
    assert service("--glance-conf", "glance-api.conf", "get", "one", "-").raw == DATA
    right = f"sha256:{hashlib.sha256(DATA).hexdigest()}"
    done = service("--glance-conf", "glance-api.conf", "verify", "one", "--expect", right)
    assert done.out.splitlines()[-1] == "1 images: 2 intact"
    (service.home / "slow" / "one").write_bytes(DATA[:-1] + b"?")
    done = service("--glance-conf", "glance-api.conf", "verify", "one", "--expect", right, code=7)
    assert "* one  slow  corrupt" in done.out
    assert "= one  fast  intact" in done.out
    done = service("--glance-conf", "glance-api.conf", "verify", code=8)
    assert "3 unverifiable" in done.out


@pytest.mark.parametrize(
    "words",
    [("put", "glance-api.conf"), ("rm", "one"), ("cp", "two", "--to", "fast"), ("gc",)],
    ids=lambda words: words[0],
)
def test_nothing_is_changed_that_the_service_knows_of(
    service: Person, words: tuple[str, ...]
) -> None:
    done = service("--glance-conf", "glance-api.conf", *words, code=2)
    assert "only the service may change it" in " ".join(done.err.split())
    assert sorted(path.name for path in (service.home / "slow").iterdir()) == ["one", "two"]


def test_the_single_store_mode_is_read_as_well(service: Person) -> None:
    conf = service.home / "single.conf"
    conf.write_text(
        f"[glance_store]\nstores = file\nfilesystem_store_datadir = {service.home}/slow\n"
    )
    done = service("--glance-conf", "single.conf", "ls", "--json")
    assert [each["name"] for each in done.lines[:-1]] == ["one", "two"]


@pytest.mark.parametrize(("name", "text"), [("nosuch.conf", None), ("odd.conf", b"\xd0\x00 = [")])
def test_a_file_that_is_no_configuration_is_refused(
    service: Person, name: str, text: bytes | None
) -> None:
    path = Path(service.home, name)
    if text is not None:
        path.write_bytes(text)
    done = service("--glance-conf", name, "stores", code=2)
    assert name in done.err


def test_a_digest_of_ones_own_replaces_the_one_on_record(stocked: Person) -> None:
    right = f"sha1:{hashlib.sha1(b'a1' * 1000).hexdigest()}"
    done = stocked("verify", "a1", "--expect", right)
    assert "sha1 of all 2000 bytes" in done.out
    done = stocked("verify", "a1", "--expect", "sha1:" + "0" * 40, code=7)
    assert "2 corrupt" in done.out
    stocked("verify", "a1", "b", "--expect", right, code=2)
    stocked("verify", "a1", "--expect", "sha1:00", code=2)
