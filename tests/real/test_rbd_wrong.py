"""What is wrong outside: settings, keys, monitors, pools.  The right error, soon, and nothing left."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conformance.rbd_rig import ceph, clean_up, ended, lab, lab_back, lab_settings, until
from multistore import StoreOptions
from multistore.drivers.rbd import RbdDriver
from multistore.errors import (
    Misconfigured,
    NoSpace,
    NotFound,
    StoreError,
    TimedOut,
    Unauthenticated,
)
from multistore.store import Store
from multistore.testing.tools import content, one_image, read
from multistore.testing.watch import open_files

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

MIB = 1 << 20
ONCE = StoreOptions(attempts=1)


@pytest.fixture
def nothing_left() -> Iterator[None]:
    yield
    clean_up(lab_back())


@pytest.fixture
def conf(tmp_path: Path) -> Callable[..., str]:
    """Make a ceph.conf like the lab's, with some lines changed."""

    def made(**changes: str) -> str:
        lines = Path(lab("MULTISTORE_LAB_CEPH")).read_text().splitlines()
        for key, value in changes.items():
            lines = [f"{key} = {value}" if line.startswith(f"{key} =") else line for line in lines]
        file = tmp_path / "ceph.conf"
        file.write_text("\n".join(lines) + "\n")
        return str(file)

    return made


@pytest.mark.parametrize("kind", ["refuses", "says nothing"])
def test_a_monitor_that_is_not_there_at_the_start(conf: Callable[..., str], kind: str) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = 1 if kind == "refuses" else server.getsockname()[1]
        file = conf(mon_host=f"v2:127.0.0.1:{port}")
        before = len(open_files())
        driver = RbdDriver(lab_settings(conf=file, connect_timeout=2.0))
        for call in (
            driver.check,
            lambda: driver.begin("i", 5, {}),
            lambda: driver.stat("rbd://i"),
        ):
            begun = time.monotonic()
            with pytest.raises(TimedOut, match="mon_host"):
                call()
            assert time.monotonic() - begun < 8
        driver.close()
        until(lambda: len(open_files()) <= before)


WRONG: list[tuple[dict[str, Any], type[StoreError], str]] = [
    ({"pool": "nosuch"}, Misconfigured, "pool"), ({"user": "nobody"}, Misconfigured, "user"),
    ({"conf": "/nonexistent"}, Misconfigured, "conf"), ({"data_pool": "nosuch"}, Misconfigured, "data_pool"),
    ({"options": {"rbd_default_order": "many"}}, Misconfigured, "options"),
    ({"fsid": "01234567-89ab-cdef-0123-456789abcdef"}, Misconfigured, "fsid"),
    ({"features": ("exclusive-lock",)}, Misconfigured, "features"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "kind", "setting"), WRONG, ids=str)
def test_a_wrong_setting_is_named_soon(
    values: dict[str, Any], kind: type[StoreError], setting: str, nothing_left: None
) -> None:
    before = len(open_files())
    driver = RbdDriver(lab_settings(**values))
    begun = time.monotonic()
    with pytest.raises(kind) as caught:
        driver.check()
    assert getattr(caught.value, "setting", None) == setting
    assert time.monotonic() - begun < 5
    driver.close()
    until(lambda: len(open_files()) <= before)


def test_a_wrong_key_is_told_and_a_new_one_is_used_without_a_restart(
    conf: Callable[..., str], tmp_path: Path, nothing_left: None
) -> None:
    keyring = tmp_path / "keyring"
    real = ceph("auth", "get", "client.images")
    wrong = [
        line if "key" not in line else "\tkey = AQBsHz5mAAAAABAAq1mZ3v9T0m3m1F0hC8n3Lw=="
        for line in real.splitlines()
    ]
    driver = RbdDriver(lab_settings(conf=conf(keyring=str(keyring))))
    with pytest.raises(Misconfigured, match="keyring"):
        driver.check()
    keyring.write_text("\n".join(wrong) + "\n")
    with pytest.raises(Unauthenticated) as caught:
        driver.check()
    assert "AQBs" not in str(caught.value)
    keyring.write_text(real)
    driver.check()
    keyring.write_text("damaged")
    with pytest.raises(StoreError):
        driver.check()
    keyring.write_text(real)
    driver.check()
    driver.close()


# -- pools -----------------------------------------------------------------------------------


@pytest.fixture
def pool() -> Iterator[str]:
    """A pool of the test's own."""
    name = f"test-{os.getpid()}-{time.monotonic_ns()}"
    ceph("osd", "pool", "create", name, "8", "8", "replicated")
    try:
        run = ["rbd", "-c", lab("MULTISTORE_LAB_CEPH"), "pool", "init", name]
        subprocess.run(run, check=True, timeout=60)
        yield name
    finally:
        ceph("osd", "pool", "delete", name, name, "--yes-i-really-really-mean-it")


def test_a_pool_over_its_quota_is_told_at_once_and_cleared(pool: str) -> None:
    ceph("osd", "pool", "set-quota", pool, "max_bytes", str(20 * MIB))
    driver = RbdDriver(lab_settings(pool=pool, user="admin", timeout=10.0))
    with contextlib.closing(Store(driver, name="s", options=ONCE)) as store:
        ref = store.put("small", content(MIB)).ref
        store.delete(ref)
        until(lambda: ended(driver.usage))  # a new pool is counted after some seconds
        with pytest.raises(NoSpace):
            driver.begin("claims too much", 500 * MIB, {})

        def source() -> Iterator[bytes]:
            for _ in range(60):  # the cluster takes seconds to see that the quota is used up
                time.sleep(0.2)
                yield content(MIB)

        with pytest.raises(NoSpace) as caught:
            store.put("large", source())
        assert not getattr(caught.value, "__notes__", [])[1:]
        until(lambda: ended(driver.check))
        assert not list(driver.pending())
        assert not list(driver.list())


def test_a_pool_that_vanishes(pool: str) -> None:
    """It is never taken for an image that was deleted."""
    settings = lab_settings(pool=pool, user="admin")
    with contextlib.closing(RbdDriver(settings)) as driver:
        ref = one_image(driver, "i", content(3 * MIB)).ref
        upload = driver.begin("j", 5, {})
        reader = driver.open(ref)
        pieces = reader.read()
        next(pieces)
        ceph("osd", "pool", "delete", pool, pool, "--yes-i-really-really-mean-it")
        for call in (
            lambda: driver.begin("k", 5, {}),
            lambda: driver.delete(ref),
            driver.check,
            driver.usage,
        ):
            with pytest.raises(Misconfigured) as caught:
                call()
            assert caught.value.setting == "pool"
        for look in (driver.stat, driver.open):
            with pytest.raises(NotFound) as missing:
                look(ref)
            assert missing.value.what == "container"
        for last in (lambda: list(pieces), lambda: upload.commit(5, {})):
            with pytest.raises(StoreError):
                last()
        reader.close()
        with contextlib.suppress(StoreError):
            upload.abort()
        ceph("osd", "pool", "create", pool, "8", "8", "replicated")
        subprocess.run(
            ["rbd", "-c", lab("MULTISTORE_LAB_CEPH"), "pool", "init", pool], check=True, timeout=60
        )
        again = one_image(driver, "i", content(5)).ref
        assert read(driver, again) == content(5)


def test_a_client_that_was_blocked_comes_back(nothing_left: None) -> None:
    with contextlib.closing(RbdDriver(lab_settings())) as driver:
        ref = one_image(driver, "i", content(MIB)).ref
        upload = driver.begin("j", 5, {})
        with driver._leases.connection() as connection:
            address = connection.rados.get_addrs()
        ceph("osd", "blocklist", "add", address)
        try:
            with pytest.raises(StoreError):
                upload.write_part(0, 0, b"abcde")
            until(lambda: ended(lambda: driver.stat(ref)), 30)
            assert read(driver, ref) == content(MIB)
            upload.abort()
            assert not list(driver.pending())
        finally:
            ceph("osd", "blocklist", "rm", address)
