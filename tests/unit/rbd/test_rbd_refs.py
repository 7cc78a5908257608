"""References are wire format: Nova and Cinder take them apart themselves."""

from __future__ import annotations

import pytest
from multistore.drivers.rbd.refs import (
    RbdRef,
    Token,
    check_name,
    hidden_name,
    image_name,
    is_hidden,
    parse_ref,
    parse_token,
)
from multistore.errors import InvalidRef

FSID = "a1dc822b-9f9b-4331-bde2-c7bd115816e2"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (f"rbd://{FSID}/images/i/snap", (FSID, "images", "i", "snap")),
        ("rbd://f/p%2Fq/a%40b/s", ("f", "p/q", "a@b", "s")),
        ("rbd://f/p/%C3%A9%20?x=1#y/s", ("f", "p", "é ?x=1#y", "s")),
        ("rbd://f/p/é/s", ("f", "p", "é", "s")),
        ("rbd://image", (None, None, "image", None)),
        ("rbd://an%20image", (None, None, "an%20image", None)),
    ],
)
def test_references_have_one_part_or_four(text: str, parts: tuple[str, ...]) -> None:
    ref = parse_ref(text)
    assert (ref.fsid, ref.pool, ref.image, ref.snapshot) == parts
    assert parse_ref(str(ref)) == ref


def test_parts_are_quoted_with_nothing_held_safe() -> None:
    assert str(RbdRef("a b/c~", "p", "f", "s@")) == "rbd://f/p/a%20b%2Fc~/s%40"


@pytest.mark.parametrize(
    "text",
    ["", "rbd:", "rbd://", "RBD://i", "rbd:/i", "rbd://p/i", "rbd://f/p/i", "rbd://f/p/i/s/", "rbd://f/p/n/i/s",
     "rbd://f//i/s", "rbd:///p/i/s", "rbd://f/p/i%00j/s", "rbd://f/p/i%0A/s", "rbd://f/p/%FF/s", "rbd://i\0",
     "rbd://.multistore-new-0123456789abcdef.x", "rbd://f/p/.multistore-x/s", "file:///x"],
)  # fmt: skip
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(InvalidRef) as caught:
        parse_ref(text)
    assert caught.value.why


@pytest.mark.parametrize("text", ["s3://key:secret@host/x", "rbd://user:secret@host/a/b"])
def test_a_password_in_what_is_no_reference_is_not_shown(text: str) -> None:
    with pytest.raises(InvalidRef) as caught:
        parse_ref(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a/b",
        "a@b",
        "a\0",
        "a\n",
        "n" * 256,
        "é" * 128,
        "\udc80",
        ".multistore-new-0123456789abcdef.x",
    ],
)
def test_names_that_other_tools_would_misread_are_refused(name: str) -> None:
    with pytest.raises(InvalidRef):
        check_name(name)


@pytest.mark.parametrize("name", ["a", "a b", "%2e", "..", "-", "é" * 127, "n" * 255, ".hidden"])
def test_other_names_are_taken(name: str) -> None:
    check_name(name)
    for gone in (False, True):
        hidden = hidden_name(name, gone=gone)
        assert is_hidden(hidden)
        assert image_name(hidden) == name
    assert not is_hidden(name)


def test_tokens_survive_their_round_trip() -> None:
    token = Token("a/b", hidden_name("x/y %"), "10ab")
    assert parse_token(str(token)) == token
    for text in (
        "",
        "a/b",
        "a/b/c",
        "a/b/c/d",
        f"{token}x/",
        f"p/{hidden_name('x')}/../..",
        str(token) + "%",
    ):
        assert parse_token(text) is None
