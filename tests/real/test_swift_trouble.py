"""The swift driver while Swift is in trouble: tokens that end, servers that die or hang, limits.

What is left is what a list of the container shows.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from conformance.swift_cloud import LISTED, Cloud, own_cloud
from conformance.swift_rig import Backstage
from multistore import Store, StoreOptions
from multistore.drivers.swift import SwiftDriver
from multistore.errors import NoSpace, RateLimited, TimedOut, Unavailable
from multistore.testing.tools import content, digests_of, read

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

SEGMENT = 64 << 10
LARGE = 5 * SEGMENT + 1
ONCE = StoreOptions(attempts=1)
QUICK = StoreOptions(attempts=4, backoff=0.01, backoff_limit=0.05)
PATIENT = StoreOptions(attempts=40, backoff=0.2, backoff_limit=0.5)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with own_cloud(tmp_path_factory.mktemp("swift")) as found:
        yield found


@pytest.fixture
def back(cloud: Cloud) -> Iterator[Backstage]:
    found = Backstage(cloud.settings())
    yield found
    found.empty()


@pytest.fixture
def driver(back: Backstage) -> Iterator[SwiftDriver]:
    found = SwiftDriver(back.settings)
    yield found
    found.close()


def pieces(size: int = LARGE) -> list[bytes]:
    data = content(size)
    return [data[at : at + SEGMENT] for at in range(0, size, SEGMENT)]


def test_tokens_that_are_revoked_in_the_middle_are_renewed(
    cloud: Cloud, back: Backstage, driver: SwiftDriver
) -> None:
    """Between the segments, before the manifest, between two ranges, and before the deletion."""
    identity = driver._accounts.main().identity
    seen: set[str] = set()

    def revoke() -> None:
        token = identity.token()
        assert token not in seen, "it was not renewed"
        seen.add(token)
        cloud.revoke(token)

    upload = driver.begin("x", LARGE, {})
    for index, piece in enumerate(pieces()):
        if index in (1, 3):
            revoke()
        upload.write_part(index, index * SEGMENT, piece)
    revoke()
    ref = upload.commit(LARGE, {}).ref
    with driver.open(ref) as reader:
        first = b"".join(reader.read(0, 1000))
        revoke()
        assert first + b"".join(reader.read(1000)) == content(LARGE)
    revoke()
    driver.delete(ref)
    assert len(seen) == 5
    assert not back.names()


def test_a_storage_server_that_dies_and_comes_back_is_got_over(
    cloud: Cloud, back: Backstage, driver: SwiftDriver
) -> None:
    """In the middle of an upload, whose source is read once."""
    store = Store(driver, name="judged", options=PATIENT)
    again = threading.Timer(0.5, cloud.start_objects)

    def source() -> Iterator[bytes]:
        for index, piece in enumerate(pieces()):
            if index == 3:
                cloud.kill_objects()
                again.start()
            yield piece

    receipt = store.put("x", source())
    again.join()
    assert receipt.digests == digests_of(content(LARGE))
    assert read(driver, receipt.ref) == content(LARGE)
    assert not back.leftovers()


def test_a_storage_server_that_stays_away_leaves_what_a_sweep_finds(
    cloud: Cloud, back: Backstage, driver: SwiftDriver
) -> None:
    """And no image; the name is free."""
    store = Store(driver, name="judged", options=ONCE)

    def source() -> Iterator[bytes]:
        for index, piece in enumerate(pieces()):
            if index == 3:
                cloud.kill_objects()
            yield piece

    try:
        with pytest.raises(Unavailable):
            store.put("x", source())
    finally:
        cloud.start_objects()
    (left,) = store.pending()
    assert left.name == "x"
    store.discard(left.token)
    assert not back.names()
    assert read(driver, store.put("x", content(LARGE)).ref) == content(LARGE)


def test_a_hanging_storage_server_is_given_up_and_leaves_nothing(
    cloud: Cloud, back: Backstage
) -> None:
    """Once it goes on, what was begun is gone, and the name is free."""
    driver = SwiftDriver(cloud.settings(container=back.settings.container, timeout=2.0))
    store = Store(driver, name="judged", options=ONCE)
    store.put("before", b"abc")
    upload = driver.begin("x", 4 * SEGMENT, {})
    upload.write_part(0, 0, b"x" * SEGMENT)
    with cloud.paused(), pytest.raises(TimedOut):
        upload.write_part(1, SEGMENT, b"x" * SEGMENT)
    upload.abort()
    assert [each.token for each in store.pending()] == [upload.token]
    deadline = time.monotonic() + 60
    while back.names() != ["before"]:  # the segment that was under way may still come
        driver.discard(upload.token)
        assert time.monotonic() < deadline
    assert store.put("x", content(LARGE)).size == LARGE
    store.close()


@pytest.mark.parametrize("quota", ["Bytes", "Count"])
def test_a_full_container_leaves_nothing(
    quota: str, cloud: Cloud, back: Backstage, driver: SwiftDriver
) -> None:
    """A quota of bytes that a segment meets, or of objects that the manifest meets."""
    store = Store(driver, name="judged", options=QUICK)
    store.put("small", b"abc")
    upload = driver.begin("x", LARGE, {})
    for index, piece in enumerate(pieces()):
        upload.write_part(index, index * SEGMENT, piece)
        if quota == "Bytes":
            break
    with back.container() as container:
        value = str(SEGMENT) if quota == "Bytes" else str(len(list(container.entries())))
        fields = {f"X-Container-Meta-Quota-{quota}": value}
        container.swift.ask("POST", (container.name,), "backstage", fields=fields)
    cloud.forget()
    steps: dict[str, Callable[[], object]] = {
        "Bytes": lambda: upload.write_part(1, SEGMENT, content(SEGMENT)),
        "Count": lambda: upload.commit(LARGE, {}),
    }
    with pytest.raises(NoSpace, match="413"):
        steps[quota]()
    upload.abort()
    assert back.names() == ["small"]
    if quota == "Bytes":
        with pytest.raises(NoSpace):
            store.put("x", iter(pieces()))
        assert not back.leftovers()


def test_a_rate_limit_is_waited_for(cloud: Cloud, back: Backstage) -> None:
    """Of Swift, which answers 498; whoever does not wait hears of it, and a sweep finds what is left."""
    with cloud.limited("container_ratelimit_1 = 20\nmax_sleep_time_seconds = 0.02") as url:
        own = {"container": back.settings.container, "storage_url": url + cloud.account}
        driver = SwiftDriver(cloud.settings(**own))
        store = Store(driver, name="judged", options=PATIENT)
        store.put("first", b"abc")
        cloud.forget()  # that the container is empty
        hasty = Store(driver, name="judged", options=ONCE)
        with pytest.raises(RateLimited, match="498"):
            hasty.put("x", content(LARGE))
        for left in store.pending():
            store.discard(left.token)
        assert not back.leftovers()
        receipt = store.put("x", content(LARGE))
        assert read(driver, receipt.ref) == content(LARGE)
        store.close()


def test_images_of_more_segments_than_a_list_has(cloud: Cloud, back: Backstage) -> None:
    """Dynamic ones, of which Swift tells no size, and static ones, all of whose segments go."""
    size = (LISTED + 3) * SEGMENT + 7
    for manifest in ("dynamic", "static"):
        driver = SwiftDriver(cloud.settings(container=back.settings.container, manifest=manifest))
        store = Store(driver, name="judged", options=ONCE)
        ref = store.put(manifest, content(size)).ref
        assert store.stat(ref).size == size
        assert read(driver, ref) == content(size)
        with driver.open(ref) as reader:
            for offset, length in ((5, 100), (SEGMENT - 5, 10), (size - 9, None), (0, size)):
                end = size if length is None else offset + length
                assert b"".join(reader.read(offset, length)) == content(size)[offset:end]
        store.delete(ref)
        assert not back.names()
        store.close()


def test_manifests_are_nested_above_the_limit_of_the_server(cloud: Cloud, back: Backstage) -> None:
    """Three levels of them, read, copied and removed; by servers with a higher limit too."""
    data = content(20 * SEGMENT + 3)
    with cloud.joining(3) as url:
        own = {"container": back.settings.container, "storage_url": url + cloud.account}
        store = Store(SwiftDriver(cloud.settings(**own)), name="judged", options=ONCE)
        ref = store.put("x", data).ref
        nested = [name for name in back.names() if re.search(r"-m[0-9]{5}$", name)]
        assert len(nested) == 7 + 3
        plain = SwiftDriver(cloud.settings(container=back.settings.container))
        copied = store.copy(ref, store, "y").ref
        for driver in (store.driver, plain):
            for each in (ref, copied):
                assert driver.stat(each).size == len(data)
                assert read(driver, each) == data
        with store.driver.open(ref) as reader:
            for offset in (2 * SEGMENT - 5, 9 * SEGMENT - 5, len(data) - 9):
                assert b"".join(reader.read(offset, 10)) == data[offset : offset + 10]
        upload = store.driver.begin("z", len(data), {})
        for index in range(3):
            upload.write_part(index, index * SEGMENT, data[index * SEGMENT :][:SEGMENT])
        upload.abort()
        assert not back.leftovers()
        plain.delete(ref)
        store.delete(copied)
        assert not back.names()
        plain.close()
        store.close()
