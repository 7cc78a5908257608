"""C40: no secret in logs and messages."""

from __future__ import annotations

import pytest
from glance_store._redact import redact, redact_text
from glance_store.common import utils
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("file:///srv/images/1", "file:///srv/images/1"),
        ("file:///srv/a@b/1", "file:///srv/a@b/1"),
        ("http://host:80/path", "http://host:80/path"),
        ("http://me:s3cret@host/path?sig=s3cret#s3cret", "http://***@host/path?***"),
        ("s3://KEY:s3/cret@host/bucket/1", "s3://***@host/bucket/1"),
        ("s3://KEY:s3?cr@et@host/bucket/1", "s3://***"),
        ("swift+https://t:u:s3cret@auth/v1/c/1", "swift+https://***@auth/v1/c/1"),
        ("me:s3cret@host", "***@host"),
        ("me:s3?cret@host?x", "***@host?***"),
        ("path?s3cret", "path?***"),
        ("me?s3@x://y", "***"),
        ("", ""),
    ],
)
def test_c40_user_password_and_query_are_removed(uri: str, shown: str) -> None:
    assert redact(uri) == shown


@given(st.text(), st.text())
def test_c40_whatever_stands_before_an_at_sign_of_an_authority_goes(
    before: str, after: str
) -> None:
    secret = "S3CRET" + before.replace("/", "") + "END"
    assert "S3CRET" not in redact(f"http://{secret}@host/{after}")
    redact(before)


def test_c40_anything_can_be_redacted() -> None:
    assert redact(None) == "None"
    assert redact(5) == "5"
    assert utils.redact is redact


def test_c40_locations_inside_a_text_are_redacted() -> None:
    text = "cannot go from https://a:s3cret@b/c to 'swift://k:s3cret@x/y?s3cret': (no)"
    assert redact_text(text) == "cannot go from https://***@b/c to 'swift://***@x/y?***': (no)"
    assert redact_text(ValueError("http://u:s3cret@h")) == "http://***@h"
