"""The swift driver on real servers: every way to log in, tokens that end, and what can be set wrong."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conformance.swift_cloud import ask_keystone, log_in
from conformance.swift_rig import Backstage, keystone, lab, tempauth
from multistore import Store, StoreOptions
from multistore.config import Secret
from multistore.drivers.swift import SwiftDriver, SwiftSettings
from multistore.errors import Misconfigured, Unauthenticated

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

SEGMENT = 64 << 10


@contextlib.contextmanager
def opened(settings: SwiftSettings, **options: Any) -> Iterator[tuple[Store, Backstage]]:
    driver = SwiftDriver(settings)
    try:
        yield Store(driver, name="swift", options=StoreOptions(**options)), Backstage(settings)
    finally:
        driver.close()
        Backstage(settings).empty()


def test_tokens_that_end_are_renewed() -> None:
    """Swift's own users': everything that memcached knew is forgotten, in the middle of an upload.

    Others only have to log in again.
    """
    with opened(tempauth(), attempts=1) as (store, back):
        upload = store.driver.begin("x", 2 * SEGMENT, {})
        upload.write_part(0, 0, b"x" * SEGMENT)
        forget_everything()
        upload.write_part(1, SEGMENT, b"y" * SEGMENT)
        stored = upload.commit(2 * SEGMENT, {})
        forget_everything()
        with store.open(stored.ref) as image:
            assert b"".join(image) == b"x" * SEGMENT + b"y" * SEGMENT
        store.delete(stored.ref)
        assert not back.names()


def forget_everything() -> None:
    conf = Path(lab("MULTISTORE_LAB_SWIFT_ETC"), "proxy.conf").read_text()
    port = int(conf.partition("memcache_servers = 127.0.0.1:")[2].split()[0])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as memcached:
        memcached.sendall(b"flush_all\r\n")
        assert memcached.recv(100).startswith(b"OK")


def application_credential(**more: Any) -> tuple[str, SwiftSettings]:
    """Make one; gives what takes it back, and settings that log in with it."""
    token, user = log_in()
    body = {"application_credential": {"name": f"images-{time.time()}", **more}}
    _, told = ask_keystone("POST", f"/users/{user}/application_credentials", token, body)
    made = told["application_credential"]
    settings = keystone(
        user=None,
        password=None,
        project=None,
        application_credential_id=Secret(made["id"]),
        application_credential_secret=Secret(made["secret"]),
    )
    return f"/users/{user}/application_credentials/{made['id']}", settings


def test_an_application_credential_logs_in_until_it_is_taken_back() -> None:
    path, settings = application_credential()
    with opened(settings) as (store, _back):
        receipt = store.put("x", b"x" * (2 * SEGMENT + 1))
        assert store.stat(receipt.ref).size == 2 * SEGMENT + 1
        store.delete(receipt.ref)
    ask_keystone("DELETE", path, log_in()[0])
    with contextlib.closing(SwiftDriver(settings)) as driver, pytest.raises(Unauthenticated):
        driver.check()


def test_an_application_credential_that_expired_is_told() -> None:
    end = datetime.now(UTC) + timedelta(seconds=5)  # Keystone takes none that has ended
    path, settings = application_credential(expires_at=end.strftime("%Y-%m-%dT%H:%M:%S.%f"))
    while datetime.now(UTC) <= end:
        time.sleep(0.05)
    driver = SwiftDriver(settings)
    with contextlib.closing(driver), pytest.raises(Unauthenticated, match="expired"):
        driver.check()
    ask_keystone("DELETE", path, log_in()[0])


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"password": Secret("wr:o/n%g")}, Unauthenticated),
        ({"user_domain_name": "Nowhere"}, Unauthenticated),
        ({"project": "nothing"}, Unauthenticated),
        ({"region": "Mars"}, Misconfigured),
        ({"service_type": "object-stores"}, Misconfigured),
        ({"create_container": False}, Misconfigured),
    ],
)
def test_what_is_wrong_is_told(changes: dict[str, Any], kind: type[Exception]) -> None:
    settings = keystone(**changes)
    with contextlib.closing(SwiftDriver(settings)) as driver, pytest.raises(kind) as told:
        driver.check()
    assert "demopass" not in str(told.value)
    assert "wr:o/n%g" not in str(told.value)
