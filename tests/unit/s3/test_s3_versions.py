"""Buckets that keep versions: what is deleted is hidden, or gone for good where the settings say so."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from conformance.s3_rig import Backstage
from fakes.s3_proxy import Proxy
from multistore import Store, StoreOptions
from multistore.drivers.s3 import S3Driver
from multistore.errors import Corrupt, NotFound, Unavailable
from multistore.testing.tools import content, one_image, read, write_parts

SMALL, LARGE = 1000, 200_000


@pytest.fixture
def versioned(back: Backstage) -> Backstage:
    back.versioned()
    return back


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_deleted_image_is_hidden_or_gone(
    make: Callable[..., S3Driver], versioned: Backstage, size: int
) -> None:
    for gone in (False, True):
        driver = make(delete_versions=gone)
        ref = one_image(driver, "image", content(size)).ref
        driver.delete(ref)
        for work in (driver.stat, driver.delete):
            with pytest.raises(NotFound):
                work(ref)
        kept = versioned.versions("image")
        assert kept == [("marker", "image"), ("version", "image")]  # those of the first
    versioned.empty()


def test_nothing_of_an_upload_is_kept(
    make: Callable[..., S3Driver], versioned: Backstage, proxy: Proxy
) -> None:
    """Neither its mark nor that of one that was aborted, nor what a check writes or a sweep finds."""
    driver = make(delete_versions=True)
    driver.delete(one_image(driver, "image", content(LARGE)).ref)
    upload = driver.begin("aborted", None, {})
    upload.write_part(0, 0, content(SMALL))
    upload.abort()
    left = driver.begin("left", None, {})
    driver.discard(left.token)
    driver.discard(left.token)
    driver.check()
    assert not versioned.versions()


def test_an_image_from_before_the_versions_is_gone_too(
    make: Callable[..., S3Driver], back: Backstage
) -> None:
    """And so is one in a bucket without any."""
    driver = make(delete_versions=True)
    refs = [one_image(driver, name, content(SMALL)).ref for name in ("first", "second")]
    driver.delete(refs[0])
    assert not back.versions("first")
    back.versioned()
    driver.delete(refs[1])
    assert not back.versions("second")


def test_an_image_that_was_sent_twice_does_not_come_back(
    make: Callable[..., S3Driver], versioned: Backstage, proxy: Proxy
) -> None:
    """To find out that the server replaces objects."""
    proxy.ignored = {"if-none-match"}
    driver = make(delete_versions=True)
    ref = one_image(driver, "image", content(SMALL)).ref
    assert driver._conditions.single is False
    assert read(driver, ref) == content(SMALL)
    driver.delete(ref)
    assert not versioned.versions()


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_other_bytes_than_were_sent_are_not_seen(
    proxy: Proxy, make: Callable[..., S3Driver], versioned: Backstage, size: int, gone: bool
) -> None:
    """They are removed with no more rights than a deletion has."""
    proxy.trouble("put" if size == SMALL else "head", "etag", skip=0 if size == SMALL else 2)
    driver = make(delete_versions=gone)
    with pytest.raises(Corrupt):
        Store(driver, name="judged", options=StoreOptions(attempts=1)).put("image", content(size))
    assert not list(driver.list())
    if gone:
        assert not versioned.versions("image")
    else:
        paths = [each.path for each in proxy.requests if each.operation.endswith("delete")]
        assert paths
        assert not any("versionId" in path for path in paths)


def test_a_copy_is_one_of_the_version_that_was_seen(
    make: Callable[..., S3Driver], versioned: Backstage
) -> None:
    driver = make(delete_versions=True)
    source = one_image(driver, "source", content(LARGE)).ref
    store = Store(driver, name="judged")
    copy = store.copy(source, store, "copy").ref
    assert read(driver, copy) == content(LARGE)
    for ref in (source, copy):
        driver.delete(ref)
    assert not versioned.versions()


def test_a_deletion_whose_answer_was_lost_is_one(
    proxy: Proxy, make: Callable[..., S3Driver], versioned: Backstage
) -> None:
    """And nothing that lay below comes up."""
    driver = make(delete_versions=True)
    upload = driver.begin("image", SMALL, {})
    ref = write_parts(driver, upload, content(SMALL))().ref
    proxy.trouble("delete", "lost")
    with pytest.raises(Unavailable):
        driver.delete(ref)
    with pytest.raises(NotFound):
        driver.delete(ref)
    assert not versioned.versions()
