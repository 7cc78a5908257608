"""Settings: the server in every form, regions, part sizes, and what is refused before anything is asked."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
from conformance.s3_rig import s3_settings
from multistore.config import Secret
from multistore.drivers.s3 import S3Driver, S3Settings
from multistore.drivers.s3.endpoint import AMAZON, region_of_host, resolve
from multistore.errors import Misconfigured, NoSpace
from multistore.registry import open_driver

MIB, GIB, TIB = 1 << 20, 1 << 30, 1 << 40


@pytest.mark.parametrize(
    ("text", "url", "place"),
    [
        ("s3.example.com", "https://s3.example.com", "s3.example.com"),
        ("s3.example.com:8080", "https://s3.example.com:8080", "s3.example.com:8080"),
        ("HTTP://S3.Example.com/", "http://s3.example.com", "s3.example.com"),
        ("http://h:80", "http://h", "h"),
        ("https://h:443//", "https://h", "h"),
        ("https://h/gate/way/", "https://h/gate/way", "h/gate/way"),
        ("[::1]:9000", "https://[::1]:9000", "[::1]:9000"),
        ("s3.eu-west-1.amazonaws.com", None, "s3.eu-west-1.amazonaws.com"),
        ("http://s3.amazonaws.com", "http://s3.amazonaws.com", "s3.amazonaws.com"),
        ("s3-fips.us-east-1.amazonaws.com", "https://s3-fips.us-east-1.amazonaws.com", "s3-fips.us-east-1.amazonaws.com"),
        (None, None, AMAZON),
    ],
)  # fmt: skip
def test_the_server_may_be_bare_or_a_url(text: str | None, url: str | None, place: str) -> None:
    found = resolve(text, None)
    assert (found.url, found.place) == (url, place)


def test_a_bare_server_is_plain_if_the_settings_say_so() -> None:
    found = resolve("h:9000", None, tls=False)
    assert (found.url, found.scheme) == ("http://h:9000", "s3")


@pytest.mark.parametrize(
    "text",
    ["", "h:0", "h:99999", "h:x", "ftp://h", "https://u:p@h", "h?x", "h#x", "https://", "h/a b", "-h", "[::1", "a://b://c"],
)  # fmt: skip
def test_what_is_no_server_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        s3_settings(text, "images")
    assert caught.value.setting == "endpoint"


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("s3-eu-west-1.amazonaws.com", "eu-west-1"), ("s3.eu-west-1.amazonaws.com", "eu-west-1"), ("s3.amazonaws.com", ""),
        ("s3.dualstack.ap-southeast-3.amazonaws.com", "ap-southeast-3"), ("s3.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("s3-us-gov-west-1.amazonaws.com", "us-gov-west-1"), ("s3.example.com", ""), ("s3.eu-west-1.amazonaws.com.evil", ""),
    ],
)  # fmt: skip
def test_regions_are_read_from_any_of_amazons_hosts(host: str, region: str) -> None:
    assert region_of_host(host) == region
    assert (resolve(host, None).region or "") == region
    assert resolve(host, "mine").region == "mine"


@pytest.mark.parametrize(
    ("setting", "changes"),
    [
        ("bucket", {"bucket": "a"}), ("bucket", {"bucket": "a/b"}), ("bucket", {"bucket": ""}), ("region", {"region": "eu west"}),
        ("secret_key", {"secret_key": None}), ("access_key", {"access_key": None}), ("secret_key", {"secret_key": Secret("a\nb")}),
        ("profile", {"profile": "x"}), ("access_key", {"access_key": "a\nb"}), ("prefix", {"prefix": "a/"}),
        ("prefix", {"prefix": ".x"}), ("addressing", {"addressing": "virtual", "bucket": "My.Bucket"}),
        ("largest_part", {"part_size": 8 * MIB, "largest_part": 5 * MIB}), ("encryption", {"encryption": "rot13"}),
        ("kms_key", {"kms_key": "x"}), ("customer_key", {"customer_key": Secret("short")}),
        ("customer_key", {"customer_key": Secret("A" * 43 + "="), "encryption": "AES256"}),
        ("customer_key", {"customer_key": Secret("A" * 43 + "="), "endpoint": "http://h"}),
        ("session_token", {"access_key": None, "secret_key": None, "session_token": Secret("x")}),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_and_named(setting: str, changes: dict[str, Any]) -> None:
    bucket = changes.pop("bucket", "images")
    with pytest.raises(Misconfigured) as caught:
        s3_settings(changes.pop("endpoint", "https://h"), bucket, **changes)
    assert caught.value.setting == setting


def test_stores_are_opened_by_urls() -> None:
    for url, place, bucket in (
        ("s3://images?region=eu-west-1", AMAZON, "images"),
        ("s3+http://127.0.0.1:9000/images", "127.0.0.1:9000", "images"),
        ("s3+https://gate.example.com/s3/images?part_size=16MiB", "gate.example.com/s3", "images"),
    ):
        driver = open_driver(url)
        assert isinstance(driver, S3Driver)
        assert (driver._server.place, driver.settings.bucket) == (place, bucket)
    for url in ("s3+http:", "s3+http://host", "s3://user:secret@host/images", "s3:"):
        with pytest.raises(Misconfigured):
            open_driver(url)


def test_parts_of_unknown_size_grow_up_to_a_bound() -> None:
    """The default reaches 492 GiB; the memory of an upload is a few of its parts."""
    sizes = list(S3Driver(S3Settings(bucket="images")).parts(None))
    assert len(sizes) == 10_000
    assert [sizes[at] // MIB for at in (0, 999, 1000, 2000, 3000, 9999)] == [8, 8, 16, 32, 64, 64]
    assert sum(sizes) // GIB == 492


@pytest.mark.parametrize("size", [0, 1, 8 * MIB, 80_000 * MIB, 80_000 * MIB + 1, 1 * TIB, 5 * TIB])
def test_parts_of_known_size_are_alike_and_enough(size: int) -> None:
    sizes = S3Driver(S3Settings(bucket="images")).parts(size)
    first = next(sizes)
    assert set(islice(sizes, 50)) == {first}
    assert 10_000 * first >= size
    assert first == 8 * MIB or first * 10_000 - size < 10_000 * MIB


def test_an_image_that_is_too_large_is_refused_before_anything_is_asked() -> None:
    driver = S3Driver(s3_settings("http://127.0.0.1:1", "images"))
    with pytest.raises(NoSpace):
        driver.begin("x", 5 * TIB + 1, {})


def test_only_those_servers_are_relied_on_that_are_known_or_said_to_refuse() -> None:
    """Others are asked to refuse, and looked at before."""

    def exclusive(**changes: Any) -> bool:
        return S3Driver(S3Settings(bucket="images", **changes)).capabilities.exclusive_create

    assert exclusive()
    assert exclusive(endpoint="s3.eu-west-1.amazonaws.com")
    assert exclusive(endpoint="https://h", conditional_writes="always")
    assert not exclusive(endpoint="https://h")
    assert not exclusive(conditional_writes="never")


def test_nothing_secret_shows() -> None:
    settings = s3_settings(
        "https://h", "images", session_token=Secret("t0ken"), customer_key=Secret("A" * 43 + "=")
    )
    driver = S3Driver(settings)
    for text in (repr(settings), repr(driver), repr(vars(driver)), repr(driver._bucket)):
        assert not any(secret in text for secret in ("s3cr3t-canary", "t0ken", "AAAA"))
