"""Settings: read alike from URLs, mappings and TOML, refused by name."""

# ruff: noqa: PT017 - raising is one of two right answers
from __future__ import annotations

import os
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from multistore.config import Secret, build, option, parse_size, resolve_secrets, shown
from multistore.errors import Misconfigured

CANARY = "canary-5eCr3t"


@dataclass(frozen=True)
class Settings:
    path: str = option(help="where")
    size: int = option(8, help="bytes", unit="bytes", minimum=1, maximum=1 << 40)
    count: int = option(1, help="how many", minimum=0)
    ratio: float = option(0.5, help="how much", minimum=0.0, maximum=1.0)
    safe: bool = option(True, help="safe or not")
    mode: str = option("thin", help="how", choices=("thin", "thick"))
    folders: tuple[str, ...] = option((), help="which")
    limit: int | None = option(None, help="bound", minimum=1)
    key: Secret | None = option(None, help="secret")
    headers: Mapping[str, str] | None = option(None, help="more")


def made(**values: object) -> Settings:
    return build(Settings, {"path": "/x", **values}, where="table")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0), ("65536", 65536), ("8MiB", 8 << 20), ("8M", 8 << 20), ("8MB", 8_000_000),
        ("1.5G", 3 << 29), ("1 GiB", 1 << 30), (" 2k ", 2048), ("7B", 7), ("1e3", 1000),
        ("2TiB", 2 << 40), ("1PiB", 1 << 50), ("1kB", 1000),
    ],
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        "B",
        "MiB",
        "-1",
        "1.5",
        "0.3K",
        "1X",
        "1MM",
        "1iB",
        "nan",
        "inf",
        "-inf",
        "1e400",
        "1_",
        "٣K9",
        "1 2",
    ],
)
def test_what_is_no_size_is_refused_with_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"^this is no size in bytes such as 65536"):
        parse_size(text)


@pytest.mark.parametrize(
    "text",
    ["", "path", "Two words", "THE_KEY", "/srv/my images/a-b_c~1.qcow2", "ceph+tape", "büro", "a,b", "x" * 200],
)  # fmt: skip
def test_a_plain_name_or_path_is_shown(text: str) -> None:
    assert shown(text) == text


def test_a_long_name_is_cut() -> None:
    assert shown("x" * 201) == "x" * 200 + "..."


@pytest.mark.parametrize(
    "text",
    [
        "user:pass", "user@", "http://h/x", "a?b", "a&b", "a=b", "a#b", "a%40b", "a;b", "a\nb", "a\0b", "a'b", "\ud800", "\u202e",
        "\u2028", "x" * 300 + "@",
    ],
)  # fmt: skip
def test_what_could_hold_a_password_or_trouble_a_terminal_is_not_shown(text: str) -> None:
    assert shown(text) == "***"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("size", "4KiB", 4096),
        ("count", "17", 17),
        ("ratio", "0.25", 0.25),
        ("safe", "No", False),
        ("safe", "on", True),
        ("mode", "thick", "thick"),
        ("folders", "/a,/b", ("/a", "/b")),
        ("limit", "3", 3),
        ("key", CANARY, Secret(CANARY)),
    ],
)
def test_texts_are_converted_to_the_declared_types(name: str, text: str, value: object) -> None:
    assert getattr(made(**{name: text}), name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("size", 4096),
        ("safe", False),
        ("ratio", 1),
        ("folders", ["/a", "/b"]),
        ("limit", None),
        ("key", Secret("x")),
        ("headers", {"a": "b"}),
    ],
)
def test_values_of_the_right_type_are_taken(name: str, value: object) -> None:
    found = getattr(made(**{name: value}), name)
    assert (list(found) == value) if isinstance(value, list) else (found == value)


def test_a_path_object_is_a_text() -> None:
    assert made(path=Path("/x/y")).path == "/x/y"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("path", 7), ("path", None), ("path", b"/x"), ("size", "much"), ("size", True), ("size", 1.0),
        ("size", 0), ("size", "2TiB"), ("count", -1), ("count", "1.5"), ("count", "8MiB"), ("ratio", "nan"),
        ("ratio", float("nan")), ("ratio", 2), ("ratio", True), ("safe", "maybe"), ("safe", 1), ("mode", "wide"),
        ("folders", 7), ("folders", [7]), ("limit", 0), ("limit", "x"), ("key", 7), ("headers", "a"),
        ("ratio", None), ("size", "9" * 5000), ("size", "1e400"), ("ratio", 10**400),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_misconfigured_and_named(name: str, value: object) -> None:
    with pytest.raises(Misconfigured, match=f"^table: setting '{name}'") as caught:
        made(**{name: value})
    assert caught.value.setting == name


def test_an_unknown_setting_is_named_with_the_nearest_one() -> None:
    with pytest.raises(Misconfigured, match="unknown setting 'siz', did you mean 'size'") as caught:
        made(siz=1)
    assert caught.value.setting == "siz"
    with pytest.raises(Misconfigured, match="known: path, size"):
        made(zzzzz=1)


@pytest.mark.parametrize("name", [f"user:{CANARY}@host", "dG9rZW4", "\n"])
def test_an_unknown_setting_that_could_be_a_secret_is_not_named(name: str) -> None:
    with pytest.raises(Misconfigured, match=r"unknown setting '\*\*\*'; known: path") as caught:
        made(**{name: 1})
    assert caught.value.setting == "***"


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(Misconfigured, match="'path' is missing") as caught:
        build(Settings, {}, where="table")
    assert caught.value.setting == "path"


@pytest.mark.parametrize(
    "name", ["size", "count", "ratio", "safe", "mode", "folders", "limit", "key", "headers"]
)
@pytest.mark.parametrize("value", [CANARY, [CANARY, 7], {CANARY: CANARY}, (CANARY,)])
def test_a_value_is_never_quoted(name: str, value: object) -> None:
    try:
        settings = made(**{name: value})
    except Misconfigured as error:
        assert CANARY not in repr(error) + str(error)
        assert error.__cause__ is None
        assert error.__context__ is None or error.__suppress_context__
    else:
        assert name in ("key", "folders", "headers")
        if name == "key":
            assert CANARY not in repr(settings) + str(settings)


def test_a_secret_shows_itself_to_nobody_who_does_not_ask() -> None:
    secret = Secret(CANARY)
    assert CANARY not in f"{secret} {secret!r} {[secret]} {secret!s:>20}"
    assert secret.reveal() == CANARY
    assert secret == Secret(CANARY)
    assert secret != Secret("other")
    assert secret != CANARY
    assert hash(secret) == hash(Secret(CANARY))
    assert len({secret, Secret(CANARY)}) == 1


def test_a_secret_comes_from_the_environment_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_KEY", CANARY)
    (tmp_path / "key").write_text(f"{CANARY}\n\n", encoding="utf-8")
    values = {
        "a": {"env": "THE_KEY"},
        "b": {"file": str(tmp_path / "key")},
        "c": {"other": "x"},
        "d": 1,
    }
    assert resolve_secrets(values, where="table") == {
        "a": CANARY,
        "b": CANARY + "\n",
        "c": {"other": "x"},
        "d": 1,
    }


def test_an_unset_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THE_KEY", raising=False)
    with pytest.raises(
        Misconfigured, match="'key' wants the environment variable 'THE_KEY', which is not set"
    ) as caught:
        resolve_secrets({"key": {"env": "THE_KEY"}}, where="table")
    assert caught.value.setting == "key"


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xff", "folder"])
def test_an_unreadable_file_is_named(tmp_path: Path, content: object) -> None:
    path = tmp_path / "key"
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(Misconfigured, match=f"'key' wants the file '{path}'") as caught:
        resolve_secrets({"key": {"file": str(path)}}, where="table")
    assert caught.value.setting == "key"
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("kind", ["env", "file"])
def test_a_secret_in_the_place_of_its_source_is_not_told(kind: str) -> None:
    with pytest.raises(Misconfigured, match=r"'key' wants the .* '\*\*\*'") as caught:
        resolve_secrets({"key": {kind: f"//user:{CANARY}@host"}}, where="table")
    assert CANARY not in "".join(traceback.format_exception(caught.value)).replace(__file__, "")


@pytest.mark.parametrize("source", ["a\0b", "", 7, None, ["x"], "x" * 5000])
@pytest.mark.parametrize("kind", ["env", "file"])
def test_a_strange_reference_is_misconfigured(kind: str, source: object) -> None:
    with pytest.raises(Misconfigured):
        resolve_secrets({"key": {kind: source}}, where="table")


def test_nothing_of_the_environment_is_read_unasked() -> None:
    before = dict(os.environ)
    made()
    assert dict(os.environ) == before
