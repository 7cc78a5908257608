"""What can be set wrong of an s3 store on the RADOS gateway, and what is wrong around it: each told at once, and by its name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conformance.s3_rig import Backstage, bucket_of, rgw_settings
from multistore import Store
from multistore.config import Secret
from multistore.drivers.s3 import S3Driver
from multistore.errors import (
    AccessDenied,
    Corrupt,
    Misconfigured,
    NoSpace,
    NotFound,
    StoreError,
    Unauthenticated,
    Unavailable,
)
from multistore.testing.tools import content, one_image, read

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

MIB = 1 << 20
SMALL, LARGE = 100_000, 6 * MIB  # the latter in two parts


@pytest.fixture(scope="module")
def back() -> Iterator[Backstage]:
    with bucket_of(rgw_settings) as found:
        yield found


def _other(bucket: str, **changes: Any) -> S3Driver:
    return S3Driver(rgw_settings(bucket, **changes))


_WRONG: dict[str, tuple[type[StoreError], Callable[[str], S3Driver]]] = {
    "a wrong secret": (Unauthenticated, lambda name: _other(name, secret_key=Secret("wrong"))),
    "a wrong key": (Unauthenticated, lambda name: _other(name, access_key="nobody")),
    "another's bucket": (
        AccessDenied,
        lambda name: _other(name, access_key="otheraccess", secret_key=Secret("othersecret")),
    ),
    "a missing bucket": (Misconfigured, lambda name: _other(name + "-not")),
    "a closed port": (Unavailable, lambda name: _other(name, endpoint="http://127.0.0.1:1")),
    "an unknown authority": (
        Unavailable,
        lambda name: S3Driver(rgw_settings(name, tls=True, ca_file=None)),
    ),
    "no such authority": (
        Misconfigured,
        lambda name: S3Driver(rgw_settings(name, tls=True, ca_file="/nonexistent.pem")),
    ),
    "a host that is none": (
        Unavailable,
        lambda name: _other(name, endpoint="http://no-such-host.invalid"),
    ),
}


@pytest.mark.parametrize("wrong", _WRONG)
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_what_is_set_wrong_is_told_at_once(back: Backstage, wrong: str, size: int) -> None:
    """By the right error of the tree, and nothing is left."""
    kind, make = _WRONG[wrong]
    driver = make(back.settings.bucket)
    with pytest.raises(kind) as caught:
        one_image(driver, "wrong", content(size))
    assert "labsecret" not in str(caught.value)
    with pytest.raises(kind):
        driver.check()
    driver.close()
    assert not back.leftovers()


@pytest.mark.parametrize("wrong", ["a wrong secret", "a wrong key", "another's bucket"])
def test_wrong_keys_are_told_when_an_image_is_read(back: Backstage, wrong: str) -> None:
    """Also by the look at an image, to which the server answers without a word."""
    kind, make = _WRONG[wrong]
    good, driver = S3Driver(back.settings), make(back.settings.bucket)
    ref = one_image(good, "kept", b"kept").ref
    for work in (driver.stat, lambda ref: driver.open(ref).read(), driver.delete):
        with pytest.raises(kind):
            work(ref)
    assert read(good, ref) == b"kept"
    good.delete(ref)
    for each in (good, driver):
        each.close()


def test_a_clock_that_is_wrong_is_told(back: Backstage, monkeypatch: pytest.MonkeyPatch) -> None:
    import datetime as dt

    import botocore.auth

    wrong = dt.datetime.now(dt.UTC) - dt.timedelta(hours=3)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: wrong)
    driver = S3Driver(back.settings)
    with pytest.raises(Unauthenticated, match="clock"):
        one_image(driver, "late", content(SMALL))
    driver.close()


def test_a_quota_is_no_space(back: Backstage) -> None:
    """And what was sent of the image is gone."""
    small: dict[str, Any] = {"access_key": "smallaccess", "secret_key": Secret("smallsecret")}
    with bucket_of(lambda name: rgw_settings(name, **small)) as own:
        driver = S3Driver(own.settings)
        one_image(driver, "fits", content(11 * MIB))
        with pytest.raises(NoSpace):
            one_image(driver, "too much", content(11 * MIB))
        assert not own.leftovers()
        driver.close()


def test_an_object_of_another_size_than_recorded_is_corrupt(back: Backstage) -> None:
    store = Store(S3Driver(back.settings), name="judged")
    ref = store.put("image", content(SMALL)).ref
    with pytest.raises(Corrupt), store.open(ref, size=SMALL + 1) as image:
        list(image)
    store.delete(ref)
    with pytest.raises(NotFound):
        store.stat(ref)
    store.close()


def test_the_environment_says_nothing_of_certificates(
    back: Backstage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, os.devnull)
    driver = S3Driver(rgw_settings(back.settings.bucket, tls=True))
    assert not list(driver.list())
    driver.close()
