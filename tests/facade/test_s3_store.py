"""The s3 store of the interface: locations, options, exceptions, and each defect of its predecessor (S3-n) not repeated."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from conformance.s3_rig import Backstage
from facade.houses import S3_KEY as KEY
from facade.houses import add_s3 as add
from facade.houses import at, make_s3
from fakes.s3_proxy import Proxy
from glance_store import capabilities, exceptions
from glance_store._drivers import s3
from multistore.testing.tools import content

HOST = "s3.example.com"
CANARY = "c4nary"
MIB = 1 << 20
LARGE = 12 * MIB

Make = Callable[..., s3.Store]


# -- locations -------------------------------------------------------------------------------------


def test_locations_have_no_credentials(make: Make, proxy: Proxy) -> None:
    """S3-1: neither those of new images, nor the prefix, nor what is printed of older ones, nor any exception."""
    store = make("cloud")
    uri = add(store)
    place = proxy.address.removeprefix("http://")
    assert uri == f"s3://{place}/{store.bucket}/{KEY}"
    assert store.url_prefix == f"s3://{place}/{store.bucket}/"
    older = at(store, f"s3://tester:{CANARY}/se@cret@{place}/{store.bucket}/{KEY}")
    assert older.get_store_uri() == uri
    for bad in (
        f"s3://tester:{CANARY}@{HOST}",
        f"s3://tester:{CANARY}?@{HOST}/b/k",
        f"s3://a:{CANARY}@https://h/b/k",
    ):
        with pytest.raises(exceptions.BadStoreUri) as caught:
            at(store, bad)
        assert CANARY not in str(caught.value)


def test_both_shapes_of_locations_are_served(make: Make, proxy: Proxy, back: Backstage) -> None:
    """S3-2: with credentials, without, and damaged ones; by the configured server and keys, whatever they name."""
    store = make()
    uri = add(store)
    bucket = back.settings.bucket
    for text in (
        uri,
        f"s3://tester:{CANARY}/se@cret@elsewhere.example/{bucket}/{KEY}",
        f"s3+https://tester:sec/ret/more@elsewhere.example:8443/{bucket}/{KEY}",
        f"s3+http://elsewhere.example/{bucket}/{KEY}",
    ):
        assert b"".join(store.get(at(store, text))[0]) == b"data"
        assert store.get_size(at(store, text)) == 4
    store.delete(at(store, f"s3://tester:{CANARY}@elsewhere.example/{bucket}/{KEY}"))
    with pytest.raises(exceptions.NotFound):
        store.get(at(store, uri))


def test_locations_are_made_from_specs(conf: Any) -> None:
    for host, scheme, uri in (
        (f"https://{HOST}/", "s3", f"s3+https://{HOST}/b/k"),
        (f"http://{HOST}", "s3", f"s3://{HOST}/b/k"),
        (HOST, "s3+http", f"s3+http://{HOST}/b/k"),
    ):
        specs = {
            "scheme": scheme,
            "s3serviceurl": host,
            "bucket": "b",
            "key": "k",
            "accesskey": "a",
            "secretkey": CANARY,
        }
        assert s3.StoreLocation(specs, conf).get_uri() == uri


@pytest.mark.parametrize(
    ("host", "prefix"),
    [
        (f"https://{HOST}", f"s3+https://{HOST}/images/"), (f"https://{HOST}//", f"s3+https://{HOST}/images/"),
        (HOST, f"s3://{HOST}/images/"), (f"http://{HOST}:8080/gate", f"s3://{HOST}:8080/gate/images/"),
    ],
)  # fmt: skip
def test_the_prefix_ends_in_a_slash(conf: Any, host: str, prefix: str) -> None:
    """S3-25, S3-12: of one bucket and not of those whose names begin like it; bare hosts are hosts."""
    store = make_s3(conf, host, "images", "cloud")
    assert store.url_prefix == prefix
    assert store.owns(prefix + KEY)
    assert not store.owns(prefix.removesuffix("/") + "-dev/" + KEY)
    assert store.core_driver()._server.url in (host.rstrip("/"), f"https://{HOST}")


def test_other_buckets_are_told_of_and_may_be_forbidden(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """S3-27."""
    store = make()
    text = add(store).replace(f"/{store.bucket}/", "/another-bucket/")
    with pytest.raises(exceptions.NotFound):
        store.get(at(store, text))
    assert "another-bucket" in caplog.text
    strict = make("strict", s3_store_allowed_buckets=[])
    with pytest.raises(exceptions.BadStoreUri):
        strict.get(at(strict, text))


# -- options ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"s3_store_host": ""}, {"s3_store_access_key": ""}, {"s3_store_secret_key": ""}, {"s3_store_bucket": ""},
        {"s3_store_large_object_chunk_size": 4}, {"s3_store_large_object_chunk_size": 6000}, {"s3_store_thread_pools": 0},
        {"s3_store_bucket_url_format": ""}, {"s3_store_bucket_url_format": "other"}, {"s3_store_host": "ftp://x"},
        {"s3_store_bucket_url_format": "virtual", "s3_store_bucket": "My.Bucket"}, {"s3_store_bucket": "a/b"},
        {"s3_store_cacert": "/nonexistent"}, {"s3_store_region_name": "not a region"}, {"s3_store_encryption": "rot13"},
    ],
)  # fmt: skip
def test_what_cannot_work_is_found_when_it_is_configured(
    conf: Any, options: dict[str, Any]
) -> None:
    """S3-28, S3-12: style, bucket, sizes, host; nothing of it waits for the first image."""
    name = str(next(iter(options)))
    with pytest.raises(exceptions.BadStoreConfiguration) as caught:
        make_s3(conf, f"https://{HOST}", "images", **options)
    assert name in str(caught.value)
    assert CANARY not in str(caught.value)
    store = s3.Store(conf)
    store.configure()
    assert (
        store.capabilities & capabilities.BitMasks.WRITE_ACCESS
        != capabilities.BitMasks.WRITE_ACCESS
    )
    with pytest.raises(exceptions.StoreAddDisabled):
        add(store)


def test_what_may_be_empty_may_be_empty(conf: Any) -> None:
    options: dict[str, Any] = {
        "s3_store_region_name": "",
        "s3_store_cacert": "",
        "s3_store_large_object_size": 0,
    }
    store = make_s3(conf, f"https://{HOST}", "images", **options)
    assert store.is_capable(capabilities.BitMasks.RW_ACCESS)


def test_images_are_read_with_wrong_options_for_new_ones(make: Make) -> None:
    """S3-28."""
    uri = add(make())
    with pytest.raises(exceptions.BadStoreConfiguration):
        make("broken", s3_store_thread_pools=0)
    store = s3.Store(make("other").conf, "broken")
    store.configure()
    assert b"".join(store.get(at(store, uri))[0]) == b"data"


def test_what_others_read_of_a_store(conf: Any) -> None:
    """Sizes in bytes, and what a service that rotates credentials compares with."""
    store = make_s3(conf, f"https://{HOST}", "images", "cloud", s3_store_large_object_size=7)
    assert store.s3_store_large_object_size == 7 * MIB
    assert store.s3_store_large_object_chunk_size == 5 * MIB
    assert store.s3_store_thread_pools == 10
    assert (store.s3_host, store.bucket) == (f"https://{HOST}", "images")
    assert (store.access_key, store.secret_key) == ("tester", "c4nary/se@cret")
    assert not any(CANARY in repr(each) for each in vars(store).values())


def test_options_become_settings_of_the_core(conf: Any) -> None:
    """S3-21, S3-30, S3-33: as they are when the store is configured."""
    store = make_s3(
        conf,
        "s3.eu-west-1.amazonaws.com",
        "images",
        s3_store_thread_pools=30,
        s3_store_read_threads=6,
        s3_store_session_token="t0ken",
        s3_store_connect_timeout=3.0,
        s3_store_encryption="aws:kms",
        s3_store_kms_key="alias/x",
        s3_store_storage_class="STANDARD_IA",
        s3_store_create_bucket_on_put=True,
        s3_store_enable_data_integrity_protection=True,
        s3_store_request_checksum_calculation="when_supported",
        s3_store_response_checksum_validation="when_supported",
    )
    found = store.core_driver().settings
    assert (found.server.url, found.server.region) == (None, "eu-west-1")
    assert (found.parallel, found.parallel_reads) == (30, 6)
    assert found.connections >= 30
    assert found.session_token is not None
    assert (found.connect_timeout, found.timeout) == (3.0, 5.0)
    assert (found.encryption, found.kms_key, found.storage_class) == (
        "aws:kms",
        "alias/x",
        "STANDARD_IA",
    )
    assert found.create_bucket
    assert (found.checksum, found.verify_downloads) == ("crc32", True)
    assert store.core_driver().capabilities.exclusive_create, "Amazon is relied on"


def test_more_threads_than_there_may_be_are_told_of(
    conf: Any, caplog: pytest.LogCaptureFixture
) -> None:
    store = make_s3(conf, f"https://{HOST}", "images", s3_store_thread_pools=65)
    assert store.core_driver().settings.parallel == 64
    assert "s3_store_thread_pools is 65: 64 are used" in caplog.text


def test_checksums_need_their_switch(conf: Any) -> None:
    store = make_s3(
        conf, f"https://{HOST}", "images",
        s3_store_request_checksum_calculation="when_supported", s3_store_response_checksum_validation="when_supported",
    )  # fmt: skip
    assert store.core_driver().settings.checksum == "sha256"
    assert not store.core_driver().settings.verify_downloads


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("s3.amazonaws.com", ""), ("https://s3-eu-central-1.amazonaws.com:443/", "eu-central-1"), ("s3.eu-west-3.amazonaws.com", "eu-west-3"),
        ("s3-cn-north-1.amazonaws.com.cn", "cn-north-1"), (HOST, ""),
    ],
)  # fmt: skip
def test_regions_are_guessed_from_any_of_amazons_hosts(host: str, region: str) -> None:
    """S3-26."""
    assert s3.get_s3_location(host) == region


# -- exceptions ------------------------------------------------------------------------------------


def test_an_image_that_is_there_is_a_duplicate(make: Make) -> None:
    store = make()
    uri = add(store)
    with pytest.raises(exceptions.Duplicate):
        add(store, b"other")
    assert b"".join(store.get(at(store, uri))[0]) == b"data"


@pytest.mark.parametrize("size", [4, LARGE])
def test_a_missing_bucket_is_the_operators_business(make: Make, size: int) -> None:
    """S3-16, S3-17: nobody asks for the bucket first; never NotFound, which means that the image was deleted."""
    store = make(bucket="nothing-here")
    with pytest.raises(exceptions.BackendException, match="create_bucket"):
        add(store, content(size))


def test_a_missing_bucket_is_made_if_the_options_say_so(make: Make) -> None:
    """S3-19: also in the region that must not be named, and if somebody makes it at the same moment."""
    for number, region in enumerate(("", "us-east-1", "eu-west-1")):
        name = f"made-{number}-{uuid.uuid4().hex[:6]}"
        store = make(bucket=name, s3_store_create_bucket_on_put=True, s3_store_region_name=region)
        assert b"".join(store.get(at(store, add(store)))[0]) == b"data"


@pytest.mark.parametrize(
    "refusal",
    [
        (403, "AccessDenied", exceptions.StorageWriteDenied, exceptions.Forbidden),
        (403, "InvalidAccessKeyId", exceptions.BackendException, exceptions.RemoteServiceUnavailable),
        (403, "QuotaExceeded", exceptions.StorageFull, exceptions.RemoteServiceUnavailable),
        (507, "InsufficientStorage", exceptions.StorageFull, exceptions.RemoteServiceUnavailable),
        (500, "InternalError", exceptions.BackendException, exceptions.RemoteServiceUnavailable),
        (404, "NoSuchKey", exceptions.BackendException, exceptions.NotFound),
    ],
)  # fmt: skip
def test_refusals_have_their_exceptions(
    make: Make, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, refusal: tuple[int, str, Any, Any]
) -> None:
    """S3-18: no exception of the vendor's comes out."""
    status, code, adding, reading = refusal
    monkeypatch.setattr("multistore.layers.retry.RetryLayer.pause", lambda *_: False)
    store = make()
    uri = add(store, name="there")
    for operation in ("put", "get"):
        proxy.trouble(operation, "status", times=99, status=status, code=code)
    with pytest.raises(adding):
        add(store)
    with pytest.raises(reading):
        store.get(at(store, uri))
    with pytest.raises(reading):
        store.get(at(store, uri), offset=1, chunk_size=2)


def test_a_server_that_is_gone_has_its_exceptions(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3-18."""
    monkeypatch.setattr("multistore.layers.retry.RetryLayer.pause", lambda *_: False)
    store = make(host="http://127.0.0.1:1")
    with pytest.raises(exceptions.BackendException):
        add(store)
    for work in (store.get, store.get_size, store.delete):
        with pytest.raises(exceptions.RemoteServiceUnavailable):
            work(at(store, f"s3://127.0.0.1:1/{store.bucket}/{KEY}"))
