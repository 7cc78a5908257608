"""Connections: made once, shared, made anew when they must be, and never touched by a forked child."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fakes.rbd_cluster import Cluster
from fakes.rbd_modules import Make, Shutdown, TimedOut, make_sdk
from multistore.drivers.rbd import RbdDriver, RbdSettings
from multistore.errors import Misconfigured, NotFound, StoreError, Unavailable
from multistore.errors import TimedOut as OurTimedOut
from multistore.testing.tools import content, in_threads, one_image, read
from multistore.testing.watch import in_child


def test_all_calls_of_all_drivers_of_a_cluster_share_one_connection(
    cluster: Cluster, make: Make
) -> None:
    """R2."""
    first, second = make(), make(pool="volumes")
    refs = [one_image(first, f"i{number}", b"x").ref for number in range(5)]
    one_image(second, "v", b"x")
    jobs = [partial(read, first, ref) for ref in refs * 3]
    assert in_threads(jobs, 10) == [b"x"] * 15
    assert cluster.connections == 1
    first.close()
    assert list(second.list())
    assert cluster.connections == 1


def test_sixteen_threads_of_a_fresh_driver_connect_once(
    cluster: Cluster, driver: RbdDriver
) -> None:
    assert in_threads([lambda: list(driver.list())] * 16, 10) == [[]] * 16
    assert cluster.connections == 1


def test_users_do_not_share_a_connection(cluster: Cluster, make: Make) -> None:
    for driver in (make(user="images"), make(user="client.images"), make(user=None)):
        list(driver.list())
    assert cluster.connections == 2


def test_no_user_is_no_name(cluster: Cluster, make: Make) -> None:
    """R1. Without a user the library decides; the text None is nobody's name."""
    cluster.keys = {"admin"}
    assert list(make(user=None).list()) == []
    with pytest.raises(Misconfigured, match=r"client\.images") as caught:
        list(make(user="images").list())
    assert caught.value.setting == "user"


def test_a_connection_is_closed_when_nobody_uses_it_any_more(cluster: Cluster, make: Make) -> None:
    driver = make()
    ref = one_image(driver, "i", b"abc").ref
    reader = driver.open(ref)
    driver.close()
    assert cluster.open > 0
    assert b"".join(reader.read()) == b"abc"
    reader.close()
    reader.close()
    assert cluster.open == 0
    assert read(driver, ref) == b"abc"
    assert cluster.connections == 2


def test_a_forked_child_connects_anew_and_leaves_the_parents_alone(
    cluster: Cluster, driver: RbdDriver
) -> None:
    ref = one_image(driver, "i", b"abc").ref
    upload = driver.begin("j", None, {})
    with driver.open(ref) as reader:
        held = cluster.open

        def child() -> tuple[bytes, int, int, list[str]]:
            found = read(driver, ref)
            errors = []
            for use in (lambda: list(reader.read()), lambda: upload.write_part(0, 0, b"x")):
                try:
                    use()
                except Unavailable as error:
                    errors.append(str(error))
            reader.close()
            return found, cluster.connections, cluster.open - held, errors

        found, connections, more, errors = in_child(child, 10)
    assert (found, connections) == (b"abc", 2)
    assert more > 0, "the child closed what is the parent's"
    assert len(errors) == 2
    assert all("another process" in error for error in errors)
    upload.abort()


@pytest.mark.parametrize("changed", ["keyring", "conf"])
def test_new_keys_are_used_without_a_restart(
    cluster: Cluster, make: Make, tmp_path: Path, changed: str
) -> None:
    conf, keyring = tmp_path / "ceph.conf", tmp_path / "keyring"
    conf.touch()
    keyring.touch()
    cluster.conf["keyring"] = f"{keyring},{tmp_path / 'missing'}"
    driver = make(conf=str(conf))
    ref = one_image(driver, "i", b"abc").ref
    with driver.open(ref) as reader:
        (tmp_path / ("ceph.conf" if changed == "conf" else "keyring")).write_text("another key")
        assert read(driver, ref) == b"abc"
        assert cluster.connections == 2
        assert b"".join(reader.read()) == b"abc", "what was open goes on"
    assert read(driver, ref) == b"abc"
    assert cluster.connections == 2


def test_a_connection_that_was_shut_down_is_replaced(cluster: Cluster, driver: RbdDriver) -> None:
    ref = one_image(driver, "i", b"abc").ref
    cluster.fail["Ioctx.read"] = Shutdown()
    with pytest.raises(Unavailable):
        driver.stat(ref)
    cluster.fail.clear()
    assert driver.stat(ref).size == 3
    assert cluster.connections == 2


def test_a_failed_connect_leaves_nothing_and_may_be_tried_again(
    cluster: Cluster, driver: RbdDriver
) -> None:
    """R21, R22."""
    cluster.fail["Rados.connect"] = TimedOut()
    with pytest.raises(OurTimedOut, match="monitor") as caught:
        list(driver.list())
    assert caught.value.seconds == 10
    assert cluster.open == 0
    cluster.fail.clear()
    assert list(driver.list()) == []


def test_those_who_wait_for_a_connect_that_fails_do_not_wait_again(
    cluster: Cluster, driver: RbdDriver
) -> None:
    started, release = threading.Event(), threading.Event()

    def hang() -> None:
        started.set()
        release.wait(10)
        raise TimedOut

    cluster.fail["Rados.connect"] = hang
    errors: list[StoreError] = []

    def use() -> None:
        try:
            list(driver.list())
        except StoreError as error:
            errors.append(error)

    threads = [threading.Thread(target=use) for _ in range(8)]
    threads[0].start()
    assert started.wait(10)
    for thread in threads[1:]:
        thread.start()
    release.set()
    for thread in threads:
        thread.join(10)
    assert len(errors) == 8
    assert len({id(error) for error in errors}) == 8, "each has an error of its own to stamp"
    assert cluster.calls.count("Rados.connect") < 8


def test_a_missing_configuration_is_named(make: Make) -> None:
    with pytest.raises(Misconfigured, match="does not exist") as caught:
        make(conf="/nonexistent/ceph.conf").check()
    assert caught.value.setting == "conf"


def test_another_cluster_than_the_expected_one_is_refused(cluster: Cluster, make: Make) -> None:
    """R24."""
    driver = make(fsid="01234567-89ab-cdef-0123-456789abcdef")
    with pytest.raises(Misconfigured) as caught:
        driver.begin("i", 1, {})
    assert caught.value.setting == "fsid"
    right = make(fsid=cluster.fsid, pools=("volumes", "*"))
    assert right.prefixes() == (f"rbd://{cluster.fsid}/images/", f"rbd://{cluster.fsid}/volumes/")
    assert right.owns(f"rbd://{cluster.fsid}/any/i/snap")


def test_no_missing_pool_is_taken_for_a_missing_image(cluster: Cluster, make: Make) -> None:
    """R20. Whoever hears that an image is not there believes that it was deleted."""
    driver = make(pools=("*",))
    ref = one_image(driver, "i", b"abc").ref
    del cluster.pools["images"]
    writes: list[Any] = [
        lambda: driver.begin("j", 1, {}),
        driver.usage,
        driver.check,
        lambda: driver.delete(ref),
    ]
    writes += [lambda: list(driver.list()), lambda: list(driver.pending())]
    for call in writes:
        with pytest.raises(Misconfigured, match="images") as caught:
            call()
        assert caught.value.setting == "pool"
    for read_ in (driver.stat, driver.open):
        with pytest.raises(NotFound, match="images") as missing:
            read_(ref)
        assert missing.value.what == "container"


def test_a_pool_made_anew_is_another_pool(cluster: Cluster, driver: RbdDriver) -> None:
    ref = one_image(driver, "i", b"abc").ref
    del cluster.pools["images"]
    cluster.add_pool("images")
    with pytest.raises(NotFound):
        driver.stat(ref)
    again = one_image(driver, "i", content(5)).ref
    assert read(driver, again) == content(5)


def test_two_sets_of_modules_do_not_meet() -> None:
    """Two clusters of tests, or of stand-ins, are two connections though their settings are the same."""
    drivers = [RbdDriver(RbdSettings(), sdk=make_sdk(Cluster())) for _ in range(2)]
    one_image(drivers[0], "i", b"x")
    assert not list(drivers[1].list())
    for each in drivers:
        each.close()
