"""References in both shapes, names, tokens, and what is shown of them."""

from __future__ import annotations

import pytest
from conformance.s3_rig import s3_settings
from multistore.drivers.s3 import S3Driver, S3Ref
from multistore.drivers.s3.refs import Token, check_name, parse_ref, parse_token
from multistore.errors import InvalidRef

KEY = "AKIAEXAMPLE"
ID = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
PLAIN = S3Ref("s3+https", "s3.example.com:8080", "images", ID)


def test_a_reference_is_read_as_it_is_written() -> None:
    text = f"s3+https://s3.example.com:8080/images/{ID}"
    assert parse_ref(text) == PLAIN
    assert str(PLAIN) == text


@pytest.mark.parametrize(
    "secret",
    [
        "secret",
        "se/cret",
        "se//cret",
        "se@cret",
        "a/b@c/d",
        "se:cret",
        "se+c=ret",
        "%2Fx",
        "@@",
        "x/",
    ],
)
def test_older_references_lose_their_credentials(secret: str) -> None:
    """Whatever is in the secret: what follows the last @ names server, bucket and key."""
    assert parse_ref(f"s3+https://{KEY}:{secret}@s3.example.com:8080/images/{ID}") == PLAIN


@pytest.mark.parametrize("key", ["a@b", "@", "user@example.com", "a b", "a%2Fb", "ä", "a:b"])
def test_keys_may_have_what_separates_elsewhere(key: str) -> None:
    text = f"s3://host/images/{key}"
    assert str(parse_ref(text)) == text
    assert parse_ref(f"s3://{KEY}:secret@host/images/ordinary").key == "ordinary"


def test_a_path_of_the_server_belongs_to_the_server() -> None:
    found = parse_ref("s3://host/gate/way/images/x")
    assert (found.host, found.bucket, found.key) == ("host/gate/way", "images", "x")


def test_what_follows_the_key_is_dropped() -> None:
    for tail in ("/", "?x=y", "#x", "?", "/?x"):
        assert str(parse_ref(f"s3://host/images/x{tail}")) == "s3://host/images/x"


@pytest.mark.parametrize(
    "text",
    [
        f"s3://{KEY}:sec?ret@host/images/x", f"s3://{KEY}:sec#ret@host/images/x", f"s3://{KEY}:secret@https://host/images/x",
        f"s3://{KEY}:secret@host/x", f"s3://{KEY}/secret", "s3://host//key", "s3://host/key", "s3:///bucket/key", "s3://",
        "S3://host/bucket/key", "s3+ftp://host/b/k", "https://host/b/k", "s3://[host/b/k", "s3://ho st/b/k", "s3://host/b/k\n",
        "s3://host/b/k\0", "s3://host/b@c/k", "s3://host/b/..", "s3://host/b/.", "s3://host/-b/k", "", "s3:host/b/k",
    ],
)  # fmt: skip
def test_what_is_no_reference_is_refused_and_never_shown(text: str) -> None:
    with pytest.raises(InvalidRef) as caught:
        parse_ref(text)
    for secret in (KEY, "secret", "ret@", "host"):
        assert secret not in str(caught.value)


def test_nothing_secret_is_shown_of_a_reference() -> None:
    driver = S3Driver(s3_settings("https://s3.example.com", "images"))
    for text in (
        f"s3://{KEY}:secret@host/images/x",
        f"s3://{KEY}:sec/ret@host",
        f"s3://{KEY}/secret",
    ):
        assert KEY not in driver.redact(text)
        assert "ret" not in driver.redact(text)
    assert driver.redact(f"s3://{KEY}:secret@host/images/x") == "s3://host/images/x"


def test_a_store_knows_its_own_references() -> None:
    """By server, bucket and prefix, at their ends; older ones with credentials too."""
    driver = S3Driver(s3_settings("https://s3.example.com:443/", "glance", prefix="img-"))
    own = driver._ref("img-1")
    assert own == "s3+https://s3.example.com/glance/img-1"
    assert driver.owns(own)
    assert driver.owns(own.replace("://", f"://{KEY}:secret@"))
    for other in (
        "s3+https://s3.example.com/glance-dev/img-1",
        "s3+https://s3.example.com/glance/other-1",
        "s3://s3.example.com/glance/img-1",
        "s3+https://s3.example.org/glance/img-1",
        "s3+https://s3.example.com/gate/glance/img-1",
    ):
        assert not driver.owns(other)
        with pytest.raises(InvalidRef):
            driver.open(other)
    assert driver.prefixes() == ("s3+https://s3.example.com/glance/",)
    assert driver.redact(driver.prefixes()[0]) == driver.prefixes()[0]


def test_other_servers_and_buckets_are_used_if_the_settings_say_so() -> None:
    """The server of a reference is never asked; that of the settings is."""
    driver = S3Driver(
        s3_settings("https://new.example.com", "images", foreign_hosts="use", buckets=("old",))
    )
    assert driver.owns("s3://old.example.com/old/x")
    assert not driver.owns("s3://old.example.com/other/x")
    assert S3Driver(s3_settings("https://h", "images", buckets=("*",))).owns("s3+https://h/any/x")


def test_names_that_cannot_be_keys_are_refused() -> None:
    for name in ("", "a/b", "a?b", "a#b", ".", "..", " a", "a\n", "n" * 513, "\udc80"):
        with pytest.raises(InvalidRef):
            check_name(name, "")
    check_name("..", "img-")
    with pytest.raises(InvalidRef):
        check_name("n" * 510, "img-")


def test_tokens_are_read_strictly() -> None:
    token = Token("images", "a b@c", "2~x/y+z", "0123456789abcdef")
    assert parse_token(str(token)) == token
    for text in (
        "",
        "a/b",
        str(token)[:-1],
        str(token) + "0",
        str(token).replace("%20", " "),
        "a/b/c/d",
    ):
        assert parse_token(text) is None
