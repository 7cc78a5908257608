"""The ways to the RADOS gateway: keys from the surroundings, the bucket in the host's name, a bucket that is made."""

from __future__ import annotations

import contextlib
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conformance.s3_rig import Backstage, bucket_of, rgw_settings
from multistore import Store
from multistore.drivers.s3 import S3Driver, S3Settings
from multistore.errors import Misconfigured, Unauthenticated
from multistore.testing.tools import content, digests_of, one_image, read

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

SMALL, LARGE = 100_000, 6 << 20  # the latter in two parts
_NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")


@pytest.fixture(scope="module")
def back() -> Iterator[Backstage]:
    with bucket_of(rgw_settings) as found:
        yield found


@pytest.fixture
def keyless(back: Backstage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> S3Settings:
    """Settings without keys, where nothing around has any."""
    for name in _NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return rgw_settings(back.settings.bucket, access_key=None, secret_key=None)


def keys(back: Backstage) -> tuple[str, str]:
    access, secret = back.settings.access_key, back.settings.secret_key
    assert access is not None
    assert secret is not None
    return access, secret.reveal()


def makes_the_round(settings: S3Settings) -> None:
    with contextlib.closing(S3Driver(settings)) as driver:
        driver.check()
        for size in (SMALL, LARGE):
            receipt = Store(driver, name="judged").put("image", content(size))
            assert receipt.digests == digests_of(content(size))
            assert read(driver, receipt.ref) == content(size)
            driver.delete(receipt.ref)


def test_keys_come_from_the_environment(
    back: Backstage, keyless: S3Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in zip(_NAMES[:2], keys(back), strict=True):
        monkeypatch.setenv(name, value)
    makes_the_round(keyless)


@pytest.mark.parametrize("profile", [None, "images"])
def test_keys_come_from_the_file_of_profiles(
    back: Backstage, keyless: S3Settings, tmp_path: Path, profile: str | None
) -> None:
    access, secret = keys(back)
    (tmp_path / "credentials").write_text(
        f"[{profile or 'default'}]\naws_access_key_id = {access}\naws_secret_access_key = {secret}\n"
    )
    makes_the_round(
        rgw_settings(back.settings.bucket, access_key=None, secret_key=None, profile=profile)
    )


def test_without_any_keys_it_is_told(keyless: S3Settings) -> None:
    with (
        contextlib.closing(S3Driver(keyless)) as driver,
        pytest.raises((Unauthenticated, Misconfigured), match="credentials"),
    ):
        driver.check()


def test_the_bucket_stands_in_the_host(back: Backstage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway is told its name; a resolver that knows names below localhost is put in the machine's place."""
    host = f"{back.settings.bucket}.localhost"
    real, asked = socket.getaddrinfo, []

    def resolve(name: Any, *more: Any, **named: Any) -> Any:
        asked.append(name)
        return real("127.0.0.1" if name == host else name, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    port = back.settings.server.place.rpartition(":")[2]
    makes_the_round(
        rgw_settings(
            back.settings.bucket, endpoint=f"http://localhost:{port}", addressing="virtual"
        )
    )
    assert set(asked) == {host}


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_bucket_that_is_missing_is_made_if_it_may(size: int) -> None:
    name = f"multistore-{uuid.uuid4().hex[:12]}"
    back = Backstage(rgw_settings(name))
    with (
        contextlib.closing(S3Driver(rgw_settings(name))) as driver,
        pytest.raises(Misconfigured, match="create_bucket"),
    ):
        one_image(driver, "image", content(size))
    with contextlib.closing(S3Driver(rgw_settings(name, create_bucket=True))) as driver:
        ref = one_image(driver, "image", content(size)).ref
        assert read(driver, ref) == content(size)
        driver.delete(ref)
    back.ask("delete_bucket")


def test_a_secret_of_the_surroundings_shows_nowhere(
    back: Backstage, keyless: S3Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong one, in what it ends with."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys(back)[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "c4nary")
    with (
        contextlib.closing(S3Driver(keyless)) as driver,
        pytest.raises(Unauthenticated) as caught,
    ):
        driver.check()
    assert "c4nary" not in repr(caught.value) + str(caught.value)
