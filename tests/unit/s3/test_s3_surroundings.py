"""What others put into the bucket, the environment and the settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from conformance.s3_rig import Backstage
from fakes.s3_proxy import Proxy
from multistore.config import Secret
from multistore.drivers.s3 import S3Driver, S3Settings
from multistore.drivers.s3.client import _SESSIONS, Client
from multistore.drivers.s3.errors import code_of
from multistore.errors import Unauthenticated, Unavailable


@pytest.mark.parametrize("key", ["x?y", "x#y", "x?", "x#"])
def test_the_list_has_no_object_that_a_reference_would_take_for_another(
    key: str, driver: S3Driver, back: Backstage
) -> None:
    back.ask("put_object", Key=key, Body=b"of somebody")
    upload = driver.begin("x", 3, {})
    upload.write_part(0, 0, b"abc")
    ref = upload.commit(3, {}).ref
    assert [(each.ref, each.size) for each in driver.list()] == [(ref, 3)]


def test_a_proxys_password_is_not_shown() -> None:
    settings = S3Settings(bucket="images", proxy=Secret("http://user:s3cr3t@proxy.lan:3128"))
    assert "s3cr3t" not in repr(settings) + str(settings)
    S3Driver(settings).prepare()


def test_whoever_has_keys_needs_no_profile_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, make: Callable[..., S3Driver]
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody-has-this")
    _SESSIONS.drop()
    driver = make()
    driver.prepare()
    assert list(driver.list()) == []


def test_a_store_takes_the_keys_that_are_around_when_it_is_first_used(
    monkeypatch: pytest.MonkeyPatch, make: Callable[..., S3Driver], proxy: Proxy
) -> None:
    """Not those that another store of this process found before."""
    for name in ("first", "second"):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", name)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")
        assert list(make(access_key=None, secret_key=None).list()) == []
        assert f"Credential={name}/" in proxy.requests[-1].fields["authorization"]


@pytest.mark.parametrize("size", [3, None])
def test_a_session_that_has_ended_is_told_before_anything_is_sent(
    size: int | None, proxy: Proxy, driver: S3Driver
) -> None:
    """HEAD says 400 and no more; the same question by GET says why."""
    for _ in range(4):  # boto3 asks whether it is another region's
        proxy.trouble("head", "status", status=400)
    proxy.trouble("get", "status", status=400, code="ExpiredToken")
    with pytest.raises(Unauthenticated) as caught:
        driver.begin("image", size, {})
    assert code_of(caught.value) == "ExpiredToken"


def test_what_the_same_question_does_not_explain_keeps_its_cause(
    proxy: Proxy, driver: S3Driver, back: Backstage
) -> None:
    back.ask("put_object", Key="image", Body=b"abc")
    for _ in range(4):
        proxy.trouble("head", "status", status=400)
    with pytest.raises(Unavailable) as caught:
        driver.begin("image", 3, {})
    assert code_of(caught.value) == "400"


def test_tags_of_what_is_encrypted_with_a_key_are_no_digests(
    make: Callable[..., S3Driver],
) -> None:
    assert make(encryption="aws:kms")._bucket.encrypted
    assert not make(encryption="AES256")._bucket.encrypted


def test_a_bucket_that_encrypts_by_itself_has_tags_that_are_no_digests(
    monkeypatch: pytest.MonkeyPatch, proxy: Proxy, driver: S3Driver
) -> None:
    """No setting asks for it: the server says so of the object."""
    ask = Client.ask

    def encrypted(self: Client, operation: str, what: str, **parameters: Any) -> Any:
        answer = ask(self, operation, what, **parameters)
        if operation == "head_object":
            answer["ServerSideEncryption"] = "aws:kms"
        return answer

    monkeypatch.setattr(Client, "ask", encrypted)
    proxy.trouble("head", "etag", times=9)
    first = driver.settings.part_size
    upload = driver.begin("image", None, {})
    upload.write_part(0, 0, bytes(first))
    upload.write_part(1, first, b"b")
    assert upload.commit(first + 1, {}).size == first + 1
