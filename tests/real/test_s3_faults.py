"""An s3 store on the RADOS gateway, with trouble in between and killed writers."""

from __future__ import annotations

import contextlib
import hashlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conformance.s3_rig import Backstage, bucket_of, rgw_settings
from fakes.s3_proxy import Proxy, proxied
from multistore import Store, StoreOptions
from multistore.config import Secret
from multistore.drivers.s3 import S3Driver, marks
from multistore.errors import (
    AlreadyExists,
    Corrupt,
    RateLimited,
    StoreError,
    TimedOut,
    Unavailable,
)
from multistore.known import knowing
from multistore.testing.tools import content, digests_of, one_image, read

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

MIB = 1 << 20
SMALL, LARGE = 100_000, 6 * MIB  # the latter in two parts
QUICK = StoreOptions(attempts=4, backoff=0.01, backoff_limit=0.05)

_STEPS = [
    (SMALL, "put"),
    *((LARGE, step) for step in ("create", "mark-put", "part", "complete", "head", "mark-delete")),
]


@pytest.fixture(scope="module")
def back() -> Iterator[Backstage]:
    with bucket_of(rgw_settings) as found:
        yield found


@pytest.fixture
def proxy(back: Backstage) -> Iterator[Proxy]:
    with proxied(back.settings.endpoint or "") as found:
        yield found


@pytest.fixture
def driver(proxy: Proxy, back: Backstage) -> Iterator[S3Driver]:
    found = S3Driver(rgw_settings(back.settings.bucket, endpoint=proxy.address))
    yield found
    found.close()
    back.empty()


def test_a_lost_reply_to_the_begin_is_found_in_a_long_list(
    proxy: Proxy, driver: S3Driver, back: Backstage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of uploads of this key and of longer ones: those that are marked, and others', stay."""
    monkeypatch.setattr(marks, "_PAGE", 1)
    living = [driver.begin("image", None, {}) for _ in range(3)]
    back.ask("create_multipart_upload", Key="image-of-somebody")
    proxy.trouble("create", "lost")
    with pytest.raises(Unavailable):
        driver.begin("image", None, {})
    assert len(back.uploads()) == 4
    assert len(proxy.seen("uploads")) > 3
    for each in living:
        each.abort()
    assert back.uploads() == ["upload of image-of-somebody"]


@pytest.mark.parametrize("how", ["lost", "status"])
@pytest.mark.parametrize("where", _STEPS)
def test_trouble_at_any_step_of_a_put_is_got_over(
    proxy: Proxy, driver: S3Driver, back: Backstage, where: tuple[int, str], how: str
) -> None:
    """Nothing shows, and neither upload nor mark is left."""
    size, step = where
    store = Store(driver, name="judged", options=QUICK)
    proxy.trouble(step, how, skip=1 if step in ("part", "head") else 0)
    receipt = store.put("image", content(size))
    assert receipt.digests == digests_of(content(size))
    assert read(driver, receipt.ref) == content(size)
    assert not back.uploads()


@pytest.mark.parametrize("how", ["cut", "lost"])
@pytest.mark.parametrize("where", _STEPS[:-1])
def test_trouble_that_is_not_got_over_leaves_nothing(
    proxy: Proxy, driver: S3Driver, back: Backstage, where: tuple[int, str], how: str
) -> None:
    size, step = where
    proxy.trouble(step, how, skip=1 if step == "part" else 0)
    store = Store(driver, name="judged", options=StoreOptions(attempts=1))
    with pytest.raises((Unavailable, RateLimited)):
        store.put("image", content(size))
    assert not back.leftovers()
    store.put("image", content(size))


@pytest.mark.parametrize("how", ["stall", "still"])
@pytest.mark.parametrize("where", [(SMALL, "put"), (LARGE, "part"), (LARGE, "complete")])
def test_a_server_that_stops_in_a_put_is_given_up_in_time(
    proxy: Proxy, driver: S3Driver, back: Backstage, where: tuple[int, str], how: str
) -> None:
    """Whether it takes no more, or says no more; what it holds of the image is removed."""
    size, step = where
    impatient = S3Driver(
        rgw_settings(back.settings.bucket, endpoint=proxy.address, timeout=2.0, connect_timeout=2.0)
    )
    proxy.trouble(step, how)
    with contextlib.closing(impatient), pytest.raises(TimedOut):  # the proxy would hang up
        Store(impatient, name="judged", options=StoreOptions(attempts=1)).put(
            "image", content(size)
        )
    assert not back.leftovers()


def test_a_server_that_stops_in_a_get_is_given_up_in_time(
    proxy: Proxy, driver: S3Driver, back: Backstage
) -> None:
    """And the read goes on by another request."""
    ref = one_image(driver, "image", content(LARGE)).ref
    impatient = S3Driver(rgw_settings(back.settings.bucket, endpoint=proxy.address, timeout=2.0))
    with contextlib.closing(impatient):
        proxy.trouble("get", "dry", times=2)
        with pytest.raises(TimedOut):
            read(impatient, ref)
        with Store(impatient, name="judged", options=QUICK).open(ref) as image:
            assert b"".join(image) == content(LARGE)
    assert not proxy.troubles[0].times


@pytest.mark.parametrize(("size", "step"), [(SMALL, "put"), (LARGE, "part")])
def test_a_wrong_entity_tag_is_corrupt_and_nothing_stays(
    proxy: Proxy, driver: S3Driver, back: Backstage, size: int, step: str
) -> None:
    proxy.trouble(step, "etag")
    with pytest.raises(Corrupt):
        Store(driver, name="judged", options=QUICK).put("image", content(size))
    assert not list(driver.list())
    assert not back.leftovers()


def test_a_download_through_a_bad_line_is_whole(proxy: Proxy, driver: S3Driver) -> None:
    """Several ranges break, each goes on."""
    data = content(40 * MIB)
    store = Store(driver, name="judged", options=QUICK)
    ref = store.put("image", data).ref
    proxy.trouble("get", "half", times=4, skip=1)
    with store.open(ref, expect=digests_of(data)) as image:
        assert b"".join(image) == data


_WRITE = """
import os, sys
sys.path.insert(0, "tests")
from conformance.s3_rig import rgw_settings
from multistore import Store
from multistore.drivers.s3 import S3Driver
def source():
    for number in range(4):
        yield os.urandom(6 << 20)
    print("written", flush=True)
    sys.stdin.read()
Store(S3Driver(rgw_settings(sys.argv[1])), name="doomed").put("doomed", source())
"""


def test_killed_writers_are_swept(back: Backstage) -> None:
    """What they left is listed, and removed by anybody; the name is free."""
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITE, back.settings.bucket],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    assert writer.stdin is not None
    assert writer.stdout.readline().strip() == "written"
    writer.send_signal(signal.SIGKILL)
    writer.wait(10)
    writer.stdin.close()
    writer.stdout.close()
    driver = S3Driver(back.settings)
    (left,) = driver.pending()
    assert left.name == "doomed"
    assert left.started is not None
    assert abs(left.started - time.time()) < 60
    assert driver.published(left.token) is None
    driver.discard(left.token)
    assert not list(driver.pending())
    assert not back.leftovers()
    driver.delete(one_image(driver, "doomed", b"next").ref)
    driver.close()


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_two_writers_of_one_name_leave_one_image(back: Backstage, size: int) -> None:
    """Whole, and that of one who was told so; of small images the gateway lets one win."""
    drivers = [S3Driver(back.settings) for _ in range(2)]

    def write(number: int) -> Any:
        try:
            return one_image(drivers[number], "raced", content(size, number))
        except AlreadyExists as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(write, range(2)))
    winners = [number for number, each in enumerate(told) if not isinstance(each, AlreadyExists)]
    assert winners
    ref = told[winners[0]].ref
    assert read(drivers[0], ref) in [content(size, number) for number in winners]
    assert size == LARGE or len(winners) == 1
    drivers[0].delete(ref)
    assert not back.leftovers()
    for each in drivers:
        each.close()


def test_one_check_finds_what_the_server_refuses_by_itself(back: Backstage) -> None:
    driver = S3Driver(back.settings)
    driver.check()
    assert driver._conditions.single is True
    driver.close()


def test_a_customers_key_is_kept_to_https(back: Backstage) -> None:
    """And needed for every read."""
    key = Secret("A" * 43 + "=")
    with_key = S3Driver(rgw_settings(back.settings.bucket, tls=True, customer_key=key))
    without = S3Driver(rgw_settings(back.settings.bucket, tls=True))
    for size in (SMALL, LARGE):
        ref = one_image(with_key, f"secret-{size}", content(size)).ref
        assert read(with_key, ref) == content(size)
        with pytest.raises(StoreError), without.open(ref) as reader:
            list(reader.read())
        with_key.delete(ref)
    with_key.close()
    without.close()


def test_the_gateway_refuses_a_part_of_another_digest(back: Backstage) -> None:
    """What signs a part is what the digests of the whole have seen: other bytes on the way are refused."""
    driver = S3Driver(rgw_settings(back.settings.bucket))
    data = content(LARGE)
    upload = driver.begin("signed", None, {})
    with knowing(data, "sha256", hashlib.sha256(data).hexdigest()):
        upload.write_part(0, 0, data)
    with knowing(data, "sha256", "0" * 64), pytest.raises(Unavailable, match="other bytes arrived"):
        upload.write_part(0, 0, data)
    assert read(driver, upload.commit(LARGE, {}).ref) == data
    back.empty()
    driver.close()


@pytest.mark.parametrize("checksum", ["md5", "crc32", "none"])
def test_every_checksum_is_taken(back: Backstage, checksum: str) -> None:
    """By HTTPS, where this server refuses those that come behind the body."""
    driver = S3Driver(rgw_settings(back.settings.bucket, tls=True, checksum=checksum))
    for size in (SMALL, LARGE):
        ref = one_image(driver, "summed", content(size)).ref
        assert read(driver, ref) == content(size)
        driver.delete(ref)
    driver.close()


# -- what can be set wrong -------------------------------------------------------------------------


def test_large_copies_are_made_in_parts(back: Backstage, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those above 5 GiB are: with parts of 5 MiB here."""
    monkeypatch.setattr("multistore.drivers.s3.copying._PART", 5 * MIB)
    store = Store(S3Driver(back.settings), name="judged", options=QUICK)
    data = content(12 * MIB + 7)
    ref = store.put("source", data).ref
    copy = store.copy(ref, store, "copy")
    assert read(store.driver, copy.ref) == data
    for each in (ref, copy.ref):
        store.delete(each)
    assert not back.leftovers()
    store.close()
