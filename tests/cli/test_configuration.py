"""multistore.toml: where it is found, what is wrong with it, and what is never shown of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cli.person import Person

CANARY = "Kanarienvogel-7f3a"
ONE = '[stores.{name}]\nurl = "file:images"\n'


def stores(person: Person, *arguments: str | Path) -> list[str]:
    return [
        line["name"]
        for line in person("stores", "--json", *arguments).lines
        if line["type"] == "store"
    ]


def test_each_place_is_stronger_than_the_next(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stores(person) == ["local"]
    person.file(".config/multistore/multistore.toml", ONE.format(name="user").encode())
    assert stores(person) == ["user"]
    person.file("xdg/multistore/multistore.toml", ONE.format(name="xdg").encode())
    monkeypatch.setenv("XDG_CONFIG_HOME", str(person.home / "xdg"))
    assert stores(person) == ["xdg"]
    person.configure(ONE.format(name="here"))
    assert stores(person) == ["here"]
    other = person.file("elsewhere/other.toml", ONE.format(name="variable").encode())
    monkeypatch.setenv("MULTISTORE_CONFIG", str(other))
    assert stores(person) == ["variable"]
    given = person.file("given.toml", ONE.format(name="given").encode())
    assert stores(person, "--config", given) == ["given"]


@pytest.mark.parametrize("place", ["option", "variable"])
def test_a_file_that_was_named_has_to_be_there(
    person: Person, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    person.configure()
    if place == "variable":
        monkeypatch.setenv("MULTISTORE_CONFIG", "missing.toml")
    arguments = ["--config", "missing.toml"] if place == "option" else []
    assert "missing.toml is not there" in person("ls", *arguments, code=2).err


def test_relative_paths_begin_where_the_file_is(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = person.file(
        "site/multistore.toml",
        b'catalog = "db/catalog.db"\n[stores.a]\nurl = "file:a"\n'
        b'[stores.b]\ndriver = "file"\npath = "b"\n'
        b'[stores.c]\ndriver = "file"\npaths = ["c:5", "~/d"]\n',
    )
    (person.home / "elsewhere").mkdir()
    monkeypatch.chdir(person.home / "elsewhere")
    person("put", "-", "disk", "--config", path, stdin=b"x")
    for name in ("a", "b", "c"):
        assert (person.home / "site" / name / "disk").read_bytes() == b"x"
    assert (person.home / "site/db/catalog.db").exists()
    assert os.listdir(person.home / "elsewhere") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("store = 1", "did you mean 'stores'"),
        ("colour = 1", "known: catalog, default, minimum, options, stores"),
        ('[stores.a]\nurl = "file:x"\n[options]\nattemps = 3', "did you mean 'attempts'"),
        ('[stores.a]\ndriver = "file"\npth = "x"', "did you mean 'path'"),
        ('[stores.a]\ndriver = "fil"\npath = "x"', "file"),
        ("[stores.a]\n", "a"),
        ('catalog = "x"', "[stores.NAME]"),
        ("stores = 5", "[stores.NAME]"),
        ("[stores]\na = 5", "[stores.a]"),
        ('default = ["b"]\n[stores.a]\nurl = "file:x"', "known: a"),
        ('default = []\n[stores.a]\nurl = "file:x"', "'default'"),
        ('default = "a"\n[stores.a]\nurl = "file:x"', "'default'"),
        ('minimum = 2\n[stores.a]\nurl = "file:x"', "'minimum'"),
        ('minimum = true\n[stores.a]\nurl = "file:x"', "'minimum'"),
        ('catalog = 5\n[stores.a]\nurl = "file:x"', "'catalog'"),
        ('options = 5\n[stores.a]\nurl = "file:x"', "'options'"),
        ('[stores.a]\nurl = "file:x"\nweight = "big"', "'weight'"),
        ('[stores.a]\nurl = "file:x"\nweight = nan', "'weight'"),
        ("[stores.a\n", "line 1"),
        ('[stores.a]\ndriver = "https"\ntoken = { env = "NOT_SET" }', "NOT_SET"),
        ('[stores.a]\ndriver = "https"\ntoken = { file = "not-there" }', "not-there"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_done(person: Person, text: str, said: str) -> None:
    person.configure(text)
    before = person.tree()
    assert said in person("put", "-", "disk", stdin=b"x", code=2).err
    (problem,) = person("ls", "--json", code=2).problems
    assert said in problem["error"]
    assert problem["exit_code"] == 2
    assert person.tree() == before


def test_an_error_names_the_store_that_it_is_in(person: Person) -> None:
    person.configure('[stores.a]\nurl = "file:a"\n[stores.b]\nurl = "file:b"\nthn = 1\n')
    assert "[stores.b]: " in person("ls", code=2).err


def test_files_of_secrets_and_certificates_lie_beside_the_configuration(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = person.file(
        "site/multistore.toml",
        b'[stores.a]\ndriver = "https"\nbase = "https://h/"\ntoken = { file = "token" }\nca_file = "ca.pem"\n',
    )
    person.file("site/token", b"x")
    (person.home / "elsewhere").mkdir()
    monkeypatch.chdir(person.home / "elsewhere")
    store, _ = person("stores", "--json", "--config", path).lines
    assert store["settings"]["token"] == "***"
    assert store["settings"]["ca_file"] == str(person.home / "site/ca.pem")


def test_a_file_that_is_no_text_and_one_that_cannot_be_read(person: Person) -> None:
    person.file("multistore.toml", b"\xff\xfe")
    assert "UTF-8" in person("ls", code=2).err
    person.configure()
    assert "is not there" in person("ls", "--config", "fast", code=2).err
    assert "is a directory" in person("ls", "--config", ".", code=2).err


def test_the_file_may_be_a_pipe(person: Person) -> None:
    os.mkfifo(person.home / "pipe")
    with person.start("stores", "--json", "--config", "pipe") as process:
        (person.home / "pipe").write_bytes(ONE.format(name="piped").encode())
        out, _ = process.communicate(timeout=15)
    assert b'"piped"' in out


def test_a_relative_directory_of_the_user_does_not_count(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "here")
    monkeypatch.setenv("XDG_CONFIG_HOME", "here")
    person.file("here/multistore/multistore.toml", ONE.format(name="never").encode())
    person("put", "-", "disk", stdin=b"x")
    assert (person.home / ".local/share/multistore/images/disk").exists()


def test_a_catalog_that_cannot_be_made_is_named(person: Person) -> None:
    person.configure('catalog = "multistore.toml/db/catalog.db"\n' + ONE.format(name="a"))
    err = person("put", "-", "disk", stdin=b"x", code=6).err
    assert "multistore.toml/db/catalog.db cannot be made: Not a directory" in err


def test_the_default_stores_are_those_that_can_be_written(person: Person) -> None:
    person.configure(
        '[stores.web]\nurl = "https://images.example.org/"\n[stores.here]\nurl = "file:here"\n'
    )
    assert "into here" in person("put", "-", "disk", stdin=b"x").out
    found = {line.get("name"): line.get("default") for line in person("stores", "--json").lines}
    assert (found["web"], found["here"]) == (False, True)
    person.configure('[stores.web]\nurl = "https://images.example.org/"\n')
    assert "can be written" in person("put", "-", "two", stdin=b"x", code=2).err


def test_default_minimum_and_weight_count(person: Person) -> None:
    person.configure(
        'default = ["b", "broken"]\nminimum = 1\n[options]\nattempts = 1\n'
        '[stores.a]\nurl = "file:a"\n[stores.b]\nurl = "file:b"\nweight = 5\n'
        '[stores.broken]\nurl = "file:multistore.toml/x"\n'
    )
    person("put", "-", "disk", stdin=b"x", code=9)
    assert not (person.home / "a").exists()
    person("cp", "disk", "--to", "a")
    (line,) = person("get", "disk", "back", "--json").lines
    assert line["stores"] == ["b"]


@pytest.mark.parametrize("how", ["env", "file", "plain", "url"])
def test_a_secret_is_never_shown(person: Person, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setenv("TOKEN", CANARY)
    person.file("token", CANARY.encode() + b"\n")
    value = {"env": '{ env = "TOKEN" }', "file": '{ file = "token" }'}.get(how, f'"{CANARY}"')
    host = f"user:{CANARY}@127.0.0.1:9" if how == "url" else "127.0.0.1:9"
    secrets = "" if how == "url" else f"token = {value}\n"
    person.configure(
        f'[options]\nattempts = 1\n[stores.web]\ndriver = "http"\nbase = "http://{host}/"\n{secrets}'
        '[stores.here]\nurl = "file:here"\n'
    )
    url = f"http://{host}/disk.img?signature={CANARY}"
    for arguments in (
        ["stores"],
        ["stores", "--json"],
        ["stores", "--check"],
        ["stores", "--check", "--json"],
        ["stores", "--check", "--debug"],
        ["put", url],
        ["put", url, "--json"],
        ["put", url, "--debug"],
        ["put", url, "--dry-run", "--json"],
        ["put", "-", "x", "--store", "web"],
        ["get", "nosuch", "--debug"],
    ):
        done = person.apart(*arguments, env={"TOKEN": CANARY})
        assert CANARY not in done.out + done.err, arguments


@pytest.mark.parametrize(
    "setting", ["token", "password", "verify", "connect_timeout", "allow", "proxy", "nosuch"]
)
def test_an_error_of_the_configuration_quotes_no_value(person: Person, setting: str) -> None:
    for value in (f'"{CANARY}"', f'["{CANARY}"]', f'{{ x = "{CANARY}" }}', "5", "true"):
        person.configure(
            f'[stores.web]\nurl = "https://h/"\n[stores.other]\ndriver = "https"\n{setting} = {value}\n'
        )
        done = person.apart("ls", "--debug")  # which says all that is said without it
        assert CANARY not in done.out + done.err
        assert done.code in (0, 2)
