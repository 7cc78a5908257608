"""References and tokens: every shape that was ever written is read, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multistore.config import Secret
from multistore.drivers.swift import SwiftDriver, SwiftRef
from multistore.drivers.swift.refs import is_segment, new_token, parse_token
from multistore.errors import InvalidRef

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(_TEXTS, _TEXTS)
def test_sw2_credentials_come_back_as_they_were(user: str, key: str) -> None:
    """Slashes, colons, percent signs and all."""
    ref = SwiftRef("swift+https", "keystone.lan:5000/v3", "glance", "x", user, Secret(key))
    assert SwiftDriver.parse(str(ref)) == ref
    assert "c4nary" not in repr(SwiftRef("swift", "h", "c", "o", "u", Secret("c4nary")))


def test_sw2_a_slash_that_was_left_as_it_is_is_still_read() -> None:
    """As earlier drivers wrote it; the last colon separates the key."""
    ref = SwiftDriver.parse("swift+https://project%3Auser:a/b%3Ac@keystone/v3/glance/x")
    assert (ref.user, ref.key) == ("project:user", Secret("a/b:c"))
    assert ref.place == "keystone/v3"


def test_sw3_a_named_account_stays_a_name() -> None:
    """No secret gets into the text of such a reference."""
    text = "swift+config://ref1/glance/x"
    assert str(SwiftDriver.parse(text)) == text


def test_sw21_a_host_may_begin_with_http() -> None:
    ref = SwiftDriver.parse("swift+http://httpd.lan/v1/AUTH_x/glance/x")
    assert (ref.url, ref.container) == ("http://httpd.lan/v1/AUTH_x", "glance")


@pytest.mark.parametrize(
    "text",
    [
        "swift://a/b", "swift://h/v3/c/", "swift://h/v3//o", "swift://u@h/v3/c/o", "swift://u:k@u:k@h/v3/c/o",
        "swift://swift://h/c/o", "Swift://h/c/o", "swift+config://a b/c/o", "swift://h/c/..", "swift://h/../c/o",
    ],
)  # fmt: skip
def test_what_is_no_reference_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(InvalidRef) as told:
        SwiftDriver.parse(text)
    assert "u:k" not in str(told.value)


def test_segments_are_told_from_images() -> None:
    token = new_token("images", "7f3a")
    assert is_segment(token.segment(1))
    assert is_segment(token.part(1))
    assert is_segment(token.mark)
    assert is_segment("a1dc822b-9f9b-4331-bde2-c7bd115816e2-00001"), "as earlier drivers named them"
    assert not is_segment("a1dc822b-9f9b-4331-bde2-c7bd115816e2")
    assert parse_token(str(token)) == token
