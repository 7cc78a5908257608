"""Lost replies, cut connections, refusals and wrong answers at each step of a transfer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from conformance.s3_rig import Backstage
from fakes.s3_proxy import Proxy
from multistore import Store, StoreOptions
from multistore.drivers.s3 import S3Driver
from multistore.errors import (
    AlreadyExists,
    Corrupt,
    NotFound,
    RateLimited,
    StoreError,
    TimedOut,
    Unavailable,
)
from multistore.testing.tools import content, digests_of, one_image, read, write_parts

SMALL, LARGE = 1000, 200_000
ONCE = StoreOptions(attempts=1)

#: Every request of an upload, by the size of the image.
_STEPS = [(SMALL, "head"), (SMALL, "put")] + [
    (LARGE, step) for step in ("head", "create", "mark-put", "part", "complete", "mark-delete")
]


@pytest.mark.parametrize("how", ["cut", "lost", "half", "status"])
@pytest.mark.parametrize("where", _STEPS)
def test_trouble_at_any_step_of_a_put_is_got_over(
    proxy: Proxy, store: Store, back: Backstage, where: tuple[int, str], how: str
) -> None:
    """With retries nothing shows; the bytes are right, and no upload and no mark is left."""
    size, step = where
    proxy.trouble(step, how, skip=1 if step == "part" else 0)
    receipt = store.put("image", content(size))
    assert receipt.digests == digests_of(content(size))
    assert read(store.driver, receipt.ref) == content(size)
    assert not back.uploads()
    left = [each for each in back.leftovers() if step != "mark-delete"]
    assert not left


@pytest.mark.parametrize("how", ["cut", "lost", "status"])
@pytest.mark.parametrize("where", _STEPS)
def test_trouble_that_lasts_leaves_nothing(
    proxy: Proxy, driver: S3Driver, back: Backstage, where: tuple[int, str], how: str
) -> None:
    """An error of the tree without retries, and neither image nor upload nor mark; the name is free again."""
    size, step = where
    store = Store(driver, name="judged", options=ONCE)
    proxy.trouble(step, how)
    if step == "mark-delete":  # published is published
        store.put("image", content(size))
    else:
        with pytest.raises((Unavailable, RateLimited)):
            store.put("image", content(size))
        assert not back.leftovers()
        store.put("image", content(size))
    assert not back.uploads()


def test_a_lost_reply_to_the_begin_leaves_no_upload(
    proxy: Proxy, driver: S3Driver, back: Backstage
) -> None:
    """The server began one whose number nobody knows; an upload of the same name that is marked stays."""
    living = driver.begin("image", None, {})
    proxy.trouble("create", "lost")
    with pytest.raises(Unavailable):
        driver.begin("image", None, {})
    assert len(back.uploads()) == 1
    assert [each.token for each in driver.pending()] == [living.token]
    living.abort()
    assert not back.leftovers()


def test_a_lost_reply_to_the_begin_in_longer_trouble_leaves_no_upload(
    proxy: Proxy, driver: S3Driver, back: Backstage
) -> None:
    """The list that would tell of it does not come either, at first."""
    proxy.trouble("create", "lost")
    proxy.trouble("uploads", "cut")
    with pytest.raises(Unavailable):
        driver.begin("image", None, {})
    assert not back.uploads()


def test_a_begin_that_may_have_left_something_says_so(proxy: Proxy, driver: S3Driver) -> None:
    proxy.trouble("create", "lost")
    proxy.trouble("uploads", "cut", times=9)
    with pytest.raises(Unavailable) as caught:
        driver.begin("image", None, {})
    assert "may be left" in "".join(caught.value.__notes__)


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_repeated_commit_finds_its_own_success(proxy: Proxy, driver: S3Driver, size: int) -> None:
    """Not another's image of that name."""
    proxy.trouble("put" if size == SMALL else "complete", "lost")
    upload = driver.begin("image", size, {})
    commit = write_parts(driver, upload, content(size))
    with pytest.raises(Unavailable):
        commit()
    stored = commit()
    assert driver.published(upload.token) == stored
    with pytest.raises(AlreadyExists):
        driver.begin("image", size, {})


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_wrong_entity_tag_is_corrupt_and_the_object_removed(
    proxy: Proxy, driver: S3Driver, back: Backstage, size: int
) -> None:
    proxy.trouble("put" if size == SMALL else "head", "etag", skip=0 if size == SMALL else 2)
    with pytest.raises(Corrupt):
        Store(driver, name="judged", options=ONCE).put("image", content(size))
    assert not list(driver.list())
    assert not back.leftovers()


def test_a_part_that_the_server_does_not_have_is_corrupt(
    proxy: Proxy, store: Store, back: Backstage
) -> None:
    proxy.trouble("part", "etag")
    with pytest.raises(Corrupt):
        store.put("image", content(LARGE))
    assert not back.leftovers()


def test_a_slow_down_is_obeyed(proxy: Proxy, driver: S3Driver) -> None:
    """With what it says of when to come back."""
    proxy.trouble("put", "status", fields={"Retry-After": "7"})
    with pytest.raises(RateLimited) as caught:
        one_image(driver, "image", content(SMALL))
    assert caught.value.retry_after == 7


def test_a_server_that_says_nothing_is_timed_out(
    proxy: Proxy, make: Callable[..., S3Driver]
) -> None:
    proxy.trouble("head", "stall", times=9)
    driver = make(timeout=0.2)
    with pytest.raises(TimedOut):
        driver.stat(driver._ref("image"))


@pytest.mark.parametrize("how", ["half", "cut", "lost"])
def test_a_read_that_breaks_goes_on(proxy: Proxy, store: Store, how: str) -> None:
    """By the range that is missing, of the same version."""
    ref = store.put("image", content(LARGE)).ref
    proxy.trouble("get", how)
    with store.open(ref, expect=digests_of(content(LARGE))) as image:
        assert b"".join(image) == content(LARGE)


def test_a_read_that_is_cut_short_never_just_ends(proxy: Proxy, driver: S3Driver) -> None:
    stored = one_image(driver, "image", content(LARGE))
    proxy.trouble("get", "half")
    with pytest.raises(Unavailable), driver.open(stored.ref) as reader:
        list(reader.read())


def test_an_image_that_changes_between_two_reads_is_corrupt(
    driver: S3Driver, back: Backstage
) -> None:
    stored = one_image(driver, "image", content(SMALL))
    with driver.open(stored.ref) as reader:
        assert reader.info.size == SMALL
        assert b"".join(reader.read()) == content(SMALL)
        back.rewrite(stored.ref, content(SMALL, "other"))
        with pytest.raises(Corrupt):
            reader.read(5)


def test_an_upload_that_a_rule_removed_is_an_error(driver: S3Driver, back: Backstage) -> None:
    """At the commit at the latest; its abort is none."""
    upload = driver.begin("image", None, {})
    upload.write_part(0, 0, content(SMALL))
    back.empty()
    with pytest.raises(StoreError):
        upload.commit(SMALL, {})
    upload.abort()


def test_a_delete_whose_bucket_is_gone_is_not_taken_for_done(
    proxy: Proxy, make: Callable[..., S3Driver]
) -> None:
    """NotFound would mean that the image was deleted."""
    driver = make(bucket="nothing-here")
    with pytest.raises(StoreError) as caught:
        driver.delete(driver._ref("image"))
    assert not isinstance(caught.value, NotFound)


def test_whoever_wins_is_left_alone_by_the_loser(driver: S3Driver) -> None:
    """Two writers of one name, in parts, one of which commits first."""
    first, second = driver.begin("image", LARGE, {}), driver.begin("image", LARGE, {})
    one, other = (
        write_parts(driver, first, content(LARGE)),
        write_parts(driver, second, content(LARGE, "second")),
    )
    stored = one()
    with pytest.raises(AlreadyExists):
        other()
    second.abort()
    assert read(driver, stored.ref) == content(LARGE)
    assert not list(driver.pending())
