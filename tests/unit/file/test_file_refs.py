"""References, names, tokens and settings of a file store: pure."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multistore.config import build
from multistore.drivers.file import FileDriver, FileRef, FileSettings
from multistore.drivers.file.refs import (
    Token,
    check_name,
    claim_name,
    image_name,
    is_unfinished,
    parse_token,
    temporary_name,
)
from multistore.drivers.file.settings import Place, places
from multistore.errors import InvalidRef, Misconfigured
from multistore.registry import open_driver

LEGAL = (
    "a",
    "a b",
    " a",
    "a ",
    "%20",
    "a%2fb",
    "a?b",
    "a#b",
    "a;b=c",
    "é",
    "☃",
    "💾",
    "a:b",
    "-",
    "~",
    "n" * 255,
)
ILLEGAL = ("", ".", "..", ".hidden", ".multistore", "a/b", "/a", "a\0", "a\n", "\x7f", "\u2028", "\udc80", "n" * 256, "é" * 128)  # fmt: skip


@pytest.mark.parametrize("name", LEGAL, ids=ascii)
def test_a_legal_name_stands_in_its_reference_as_it_is(name: str) -> None:
    check_name(name)
    parsed = FileDriver.parse(f"file:///srv/images/{name}")
    assert (parsed.name, parsed.path) == (name, f"/srv/images/{name}")
    assert str(parsed) == f"file:///srv/images/{name}"
    assert FileDriver.parse(str(parsed)) == parsed


@pytest.mark.parametrize("name", ILLEGAL, ids=ascii)
def test_a_hostile_name_is_refused_and_the_reason_is_told(name: str) -> None:
    with pytest.raises(InvalidRef) as caught:
        check_name(name)
    assert caught.value.why


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("filesystem:///a/b", "/a/b"),
        ("file:////a//b", "/a/b"),
        ("file:///a/sub/b", "/a/sub/b"),
    ],
)
def test_older_forms_become_the_canonical_one(text: str, path: str) -> None:
    assert FileDriver.parse(text) == FileRef(path)
    assert str(FileDriver.parse(text)) == f"file://{path}"


@pytest.mark.parametrize(
    "text",
    [
        "", "file:", "file://", "file:///", "file://host/a", "file:/a", "FILE:///a", "http:///a", "file:///a/", "file:///a/../b",
        "file:///a/./b", "file:///..", "file:///a\0b", "file:///a\nb", "file:///a/.multistore", "file:///a/.b.0123456789abcdef.part",
        "file:///" + "n" * 256, "file:///\udc80", "file://[x/a",
    ],
)  # fmt: skip
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(InvalidRef):
        FileDriver.parse(text)


@given(st.text(max_size=300))
def test_any_text_is_a_round_trip_or_refused(text: str) -> None:
    try:
        parsed = FileDriver.parse(f"file:///{text}")
    except InvalidRef:
        return
    assert FileDriver.parse(str(parsed)) == parsed


@given(st.text(min_size=1, max_size=260))
def test_every_legal_name_has_a_temporary_name_that_fits_and_tells(name: str) -> None:
    try:
        check_name(name)
    except InvalidRef:
        return
    entry = temporary_name(name)
    assert len(os.fsencode(entry)) <= 255
    assert is_unfinished(entry)
    assert image_name(entry) == (name if len(os.fsencode(name)) <= 228 else None)
    assert is_unfinished(claim_name(name))
    token = Token("/srv/images", entry, 12, 34)
    assert parse_token(str(token)) == token


@pytest.mark.parametrize(
    "text",
    ["", "x", "/etc/passwd:1:2", "/a/.n.0123456789abcdef.part", "/a/.n.0123456789abcdef.part:1", "/a/.n.xyz.part:1:2",
     "a/.n.0123456789abcdef.part:1:2", "/a/.n.0123456789abcdef.part:01:2", "/a/.n.0123456789abcdef.part:-1:2"],
)  # fmt: skip
def test_a_token_that_no_upload_can_have_is_none(text: str) -> None:
    assert parse_token(text) is None


# -- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:///srv/images", "/srv/images"),
        ("file://localhost/srv/images", "/srv/images"),
        ("file:///srv/my%20images/%25", "/srv/my images/%"),
        ("filesystem:///srv", "/srv"),
        ("file:images", os.path.abspath("images")),
    ],
)
def test_a_url_names_the_directory(url: str, path: str) -> None:
    driver = open_driver(url)
    assert driver.prefixes() == (f"file://{path}/",)


@pytest.mark.parametrize(
    "url", ["file:", "file://", "file://host/srv", "file:///a%00b", "file:///%80"]
)
def test_a_url_that_names_no_directory_is_misconfigured(url: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        open_driver(url)
    assert caught.value.setting


def test_directories_come_by_priority() -> None:
    settings = FileSettings(paths=("/a", "/b:200", "/c:d:-1", "/e:"))
    assert places(settings) == (
        Place("/b", 200),
        Place("/a", 0),
        Place("/e", 0),
        Place("/c:d", -1),
    )


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({}, "'path' or 'paths', not both"),
        ({"path": "/a", "paths": "/b"}, "'path' or 'paths', not both"),
        ({"paths": "/b,/a:high"}, "'paths': entry 2 has no whole number after its last colon"),
        ({"paths": "/a,/a/"}, "'paths': the directory of entry 1 is that of entry 2"),
        ({"paths": "/b,/a/b,/a"}, "'paths': the directory of entry 2 is that of entry 3, or lies"),
        ({"paths": ":1"}, "'paths': the path in entry 1 is empty"),
        ({"paths": "/a,/\0"}, "'paths': the path in entry 2 has unprintable characters"),
        ({"path": "/a\nb"}, "'path': the path has unprintable characters"),
        ({"path": "/a", "file_mode": "888"}, "'file_mode' must be octal"),
        ({"path": "/a", "file_mode": "0200"}, "'file_mode' must be octal"),
        ({"path": "/a", "file_mode": "10600"}, "'file_mode' must be octal"),
        ({"path": "/a", "file_mode": "-1"}, "'file_mode' must be octal"),
    ],
)
def test_settings_that_make_no_sense_name_themselves(
    settings: dict[str, object], what: str
) -> None:
    with pytest.raises(Misconfigured, match=what) as caught:
        FileDriver(build(FileSettings, settings, where="test"))
    assert caught.value.setting in ("path", "paths", "file_mode")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("file:///srv/../b", "'file:///srv/../b' is no reference to an image file: the path has"),
        ("/srv/b", "'/srv/b' is no reference to an image file: it does not begin with file:///"),
        ("file:///a/..?sig=secret", r"'file:///\*\*\*' is no reference"),
        ("file://user:secret@host/b", r"'\*\*\*' is no reference"),
        ("rbd://user:secret@host/b", r"'\*\*\*' is no reference"),
    ],
)
def test_a_refusal_shows_a_path_but_not_what_may_hold_a_password(text: str, what: str) -> None:
    with pytest.raises(InvalidRef, match=what):
        FileDriver.parse(text)


def test_a_refused_name_is_shown_unless_it_is_a_url() -> None:
    with pytest.raises(InvalidRef, match="'a/b' cannot be the name of an image file"):
        check_name("a/b")
    with pytest.raises(InvalidRef, match=r"'\*\*\*' cannot be the name of an image file"):
        check_name("http://user:secret@host/b")


def test_ownership_ends_at_path_boundaries_of_every_directory() -> None:
    driver = FileDriver(FileSettings(paths=("/srv/images", "/mnt/more:5")))
    for ref in ("file:///srv/images/a", "file:///mnt/more/sub/a", "filesystem:///srv//images/a"):
        assert driver.owns(ref)
    for ref in ("file:///srv/images2/a", "file:///srv/images", "file:///srv/images/../x", "x"):
        assert not driver.owns(ref)


def test_a_time_limit_is_declared_only_when_it_is_set() -> None:
    assert FileDriver(FileSettings(path="/a")).capabilities.hang_timeout is None
    assert FileDriver(FileSettings(path="/a", timeout=7.5)).capabilities.hang_timeout == 7.5
    assert not FileDriver(FileSettings(path="/a", thin=False)).capabilities.sparse
