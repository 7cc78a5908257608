"""What networks do between the swift driver and a real Swift, of each kind: answers that are lost, lines that break."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from conformance.swift_rig import Backstage, gateway, keystone, lab, tempauth
from fakes.s3_proxy import Proxy, proxied
from multistore import Store, StoreOptions
from multistore.drivers.swift import SwiftDriver, SwiftSettings
from multistore.errors import RateLimited, StoreError, Unavailable
from multistore.testing.tools import content, digests_of, read

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

SMALL, LARGE = 1000, (5 << 16) + 1
ONCE = StoreOptions(attempts=1)
QUICK = StoreOptions(attempts=4, backoff=0.01, backoff_limit=0.05)


Kind = tuple[Callable[..., SwiftSettings], str]
KINDS: dict[str, Kind] = {
    "keystone": (keystone, "MULTISTORE_LAB_KEYSTONE_SWIFT"),
    "tempauth": (tempauth, "MULTISTORE_LAB_SWIFT"),
    "gateway": (gateway, "MULTISTORE_LAB_RGW"),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """How to make the settings of a server, and what the lab calls its address."""
    return KINDS[request.param]


@pytest.fixture
def back(kind: Kind) -> Iterator[Backstage]:
    found = Backstage(kind[0]())
    yield found
    found.empty()


def operation(method: str, path: str) -> str:
    """Say what a request is for."""
    kinds = (
        ("multipart-manifest=put", "manifest"),
        (r"-[0-9a-f]{16}-\d{5}$", "part"),
        (r"\.begun$", "mark"),
        (r"/image$", "image"),
    )
    found = next((kind for pattern, kind in kinds if re.search(pattern, path)), "other")
    return f"{found}-{method.lower()}"


@pytest.fixture
def proxy(kind: Kind) -> Iterator[Proxy]:
    with proxied(lab(kind[1]), operation) as found:
        yield found


@pytest.fixture
def far(kind: Kind, back: Backstage, proxy: Proxy) -> Iterator[SwiftDriver]:
    with back.container() as container:  # it is there when the first look is taken
        account = urlsplit(container.swift.identity.endpoint()).path
        container.swift.ask("PUT", (container.name,), "backstage")
    own = {"container": back.settings.container, "storage_url": proxy.address + account}
    found = SwiftDriver(kind[0](**own))
    yield found
    found.close()


_STEPS = [
    (SMALL, "image-head"),
    (SMALL, "image-put"),
    (LARGE, "mark-put"),
    (LARGE, "part-put"),
    (LARGE, "manifest-put"),
    (LARGE, "mark-delete"),
]


def _asks_for_patience(proxy: Proxy) -> bool:
    """Say whether this server answers 429, and not 503."""
    return proxy.upstream == lab("MULTISTORE_LAB_KEYSTONE_SWIFT")


def _trouble(proxy: Proxy, step: str, how: str) -> None:
    """Have something happen at a step; a status is a plea for patience, or that the server is overloaded."""
    more: dict[str, Any] = {"skip": 2} if step == "part-put" else {}
    if how == "status" and _asks_for_patience(proxy):
        more |= {"status": 429, "fields": {"Retry-After": "1"}}
    proxy.trouble(step, how, **more)


@pytest.mark.parametrize("how", ["lost", "cut", "status"])
@pytest.mark.parametrize("where", _STEPS, ids=lambda where: where[1])
def test_trouble_at_any_step_of_a_put_is_got_over(
    where: tuple[int, str], how: str, proxy: Proxy, far: SwiftDriver, back: Backstage
) -> None:
    """An answer that is lost, of the manifest too, a request that does not come, and a plea for patience."""
    size, step = where
    store = Store(far, name="judged", options=QUICK)
    _trouble(proxy, step, how)
    receipt = store.put("image", content(size))
    assert not proxy.troubles[0].times, "there was no trouble"
    assert receipt.digests == digests_of(content(size))
    assert read(far, receipt.ref) == content(size)
    marks = [name for name in back.leftovers() if step != "mark-delete" or "begun" not in name]
    assert not marks


@pytest.mark.parametrize("how", ["lost", "cut", "status"])
@pytest.mark.parametrize("where", _STEPS[:-1], ids=lambda where: where[1])
def test_trouble_that_is_not_got_over_leaves_nothing(
    where: tuple[int, str], how: str, proxy: Proxy, far: SwiftDriver, back: Backstage
) -> None:
    size, step = where
    _trouble(proxy, step, how)
    store = Store(far, name="judged", options=ONCE)
    with pytest.raises(StoreError) as told:
        store.put("image", content(size))
    if how == "status" and _asks_for_patience(proxy):
        assert isinstance(told.value, RateLimited)
        assert told.value.retry_after == 1.0
    else:
        assert isinstance(told.value, Unavailable)
    assert not back.names()
    assert read(far, store.put("image", content(size)).ref) == content(size)


def test_a_download_through_a_bad_line_is_whole(
    proxy: Proxy, far: SwiftDriver, back: Backstage
) -> None:
    """Several ranges break, each goes on."""
    data = content(20 << 20)
    driver = SwiftDriver(replace(far.settings, segment_size=4 << 20))
    store = Store(driver, name="judged", options=QUICK)
    ref = store.put("image", data).ref
    proxy.trouble("image-get", "half", times=4, skip=1)
    with store.open(ref, expect=digests_of(data)) as image:
        assert b"".join(image) == data
    assert not proxy.troubles[0].times
    proxy.trouble("image-get", "half", times=50)
    hasty = Store(driver, name="judged", options=ONCE)
    with pytest.raises(StoreError), hasty.open(ref) as image:
        list(image)
    store.close()
