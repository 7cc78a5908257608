"""Deleting: nothing is touched that cannot go, and what can goes in one step."""

from __future__ import annotations

from typing import Any

import pytest
from fakes.rbd_cluster import Cluster, FakeImage, FakePool, Snap
from fakes.rbd_image import ERRORS
from fakes.rbd_modules import Make
from multistore.drivers.rbd import RbdDriver
from multistore.errors import InUse, InvalidRef, NotFound, StoreError, TimedOut
from multistore.testing.tools import one_image, read

CHILD = {"pool": "vms", "pool_namespace": "", "image": "disk-1", "id": "77", "trash": False}


@pytest.fixture
def ref(driver: RbdDriver) -> str:
    return one_image(driver, "i", b"abc").ref


@pytest.fixture
def image(cluster: Cluster, ref: str) -> FakeImage:
    (found,) = cluster.pools["images"].images.values()
    return found


def untouched(cluster: Cluster, image: FakeImage) -> bool:
    """Whether the image is still there, by its name, with its protected snapshot."""
    pool = cluster.pools["images"]
    named = pool.names == pool.directory == {"i": image.id}
    return named and [(s.name, s.protected) for s in image.snaps if s.name == "snap"] == [
        ("snap", True)
    ]


def test_clones_keep_an_image_and_are_named(
    cluster: Cluster, driver: RbdDriver, ref: str, image: FakeImage
) -> None:
    """R7."""
    image.children = [CHILD]
    with pytest.raises(InUse, match="vms/disk-1"):
        driver.delete(ref)
    assert untouched(cluster, image)
    image.children = []
    driver.delete(ref)
    assert not cluster.pools["images"].images


def test_clones_in_a_closed_pool_keep_an_image_all_the_same(
    cluster: Cluster, driver: RbdDriver, ref: str, image: FakeImage
) -> None:
    image.children = [CHILD]
    cluster.fail["Image.list_children2"] = ERRORS["PermissionError"]()
    with pytest.raises(InUse, match="may not look"):
        driver.delete(ref)
    assert untouched(cluster, image)


def test_clones_of_the_second_format_send_an_image_to_the_trash(
    cluster: Cluster, driver: RbdDriver, ref: str, image: FakeImage
) -> None:
    """R9."""
    image.children, image.clone_format = [CHILD], 2
    driver.delete(ref)
    with pytest.raises(NotFound):
        driver.stat(ref)
    assert not list(driver.list())
    (waiting,) = driver.pending()
    assert waiting.name == "i"
    with pytest.raises(InUse, match="clones"):
        driver.discard(waiting.token)
    assert cluster.pools["images"].trash
    image.children = []
    driver.discard(waiting.token)
    assert not cluster.pools["images"].images
    assert not list(driver.pending())


def test_the_trash_of_others_is_not_ours(cluster: Cluster, driver: RbdDriver, ref: str) -> None:
    pool = cluster.pools["images"]
    pool.trash[pool.names.pop("i")] = "i"
    assert pool.directory.pop("i")
    assert not list(driver.pending())
    assert not list(driver.list())


def test_whoever_has_an_image_open_keeps_it_and_is_named(
    cluster: Cluster, make: Make, ref: str, image: FakeImage
) -> None:
    """R7, R26: a refused deletion puts no watch of its own on the image."""
    driver = make(busy_timeout=0.3)
    image.watchers[1] = {"addr": "10.0.0.7:0/123", "id": 999, "cookie": 1}
    with pytest.raises(InUse, match=r"10\.0\.0\.7"):
        driver.delete(ref)
    assert untouched(cluster, image)
    assert "Image.unprotect_snap" not in cluster.calls


def test_a_deletion_waits_a_little_for_others(
    cluster: Cluster, make: Make, ref: str, image: FakeImage
) -> None:
    """R22."""
    image.watchers[1] = {"addr": "10.0.0.7:0/123", "id": 999, "cookie": 1}
    looks = []

    def look() -> None:
        looks.append(1)
        if len(looks) > 3:
            image.watchers.clear()

    cluster.fail["Image.watchers_list"] = look
    make(busy_timeout=60.0).delete(ref)
    assert not cluster.pools["images"].images


def test_snapshots_of_others_keep_an_image_and_are_named(
    cluster: Cluster, make: Make, ref: str, image: FakeImage
) -> None:
    """R8."""
    image.snaps.append(Snap(cluster.number(), "backup", 3))
    with pytest.raises(InUse, match="backup"):
        make().delete(ref)
    assert untouched(cluster, image)
    make(foreign_snapshots="trash").delete(ref)
    assert list(cluster.pools["images"].trash) == [image.id]
    assert not cluster.pools["images"].names


def empty(pool: FakePool) -> bool:
    """Whether nothing is left, in none of the places."""
    return not (pool.images or pool.names or pool.directory or pool.trash)


@pytest.mark.parametrize("method", ["Image.unprotect_snap", "Ioctx.dir_rename_image"])
def test_a_deletion_that_fails_before_its_step_changes_nothing(
    cluster: Cluster, driver: RbdDriver, ref: str, image: FakeImage, method: str
) -> None:
    """R7."""
    cluster.fail[method] = ERRORS["Timeout"]()
    with pytest.raises(TimedOut):
        driver.delete(ref)
    cluster.fail.clear()
    assert untouched(cluster, image)
    assert read(driver, ref) == b"abc"


@pytest.mark.parametrize(
    "method", ["Ioctx.remove_object", "Ioctx.operate_write_op", "Image.remove_snap", "RBD.remove"]
)
@pytest.mark.parametrize("then", ["sweep", "again"])
def test_a_deletion_that_fails_after_its_step_can_be_finished(
    cluster: Cluster, driver: RbdDriver, ref: str, method: str, then: str
) -> None:
    """R25: the image is gone by one step, what follows can wait. The image is gone, or it is whole until somebody goes on."""
    cluster.fail[method] = ERRORS["Timeout"]()
    with pytest.raises(TimedOut):
        driver.delete(ref)
    cluster.fail.clear()
    (left,) = driver.pending()
    assert driver.published(left.token) is None
    if then == "again":
        try:
            assert read(driver, ref) == b"abc"
        except NotFound:
            with pytest.raises(NotFound):
                driver.delete(ref)
            driver.discard(left.token)
        else:
            driver.delete(ref)
    else:
        driver.discard(left.token)
    assert not list(driver.pending())
    assert empty(cluster.pools["images"])


def test_of_two_deletions_one_finds_nothing(
    cluster: Cluster, make: Make, ref: str, image: FakeImage
) -> None:
    """The other one was quicker between two of our steps."""
    first, second = make(), make()

    def quicker() -> None:
        cluster.fail.clear()
        image.watchers.clear()
        second.delete(ref)

    cluster.fail["Ioctx.dir_rename_image"] = quicker
    with pytest.raises(StoreError) as caught:
        first.delete(ref)
    assert isinstance(caught.value, NotFound | InUse)
    assert not cluster.pools["images"].images


def test_an_image_without_its_snapshot_can_be_deleted(
    cluster: Cluster, driver: RbdDriver, ref: str, image: FakeImage
) -> None:
    """Others stop in the middle."""
    image.snaps.clear()
    with pytest.raises(NotFound, match="snapshot"):
        driver.stat(ref)
    assert not list(driver.list())
    driver.delete(ref)
    assert not cluster.pools["images"].images


def test_a_reference_of_the_old_form_means_the_image_in_the_pool_of_the_store(
    cluster: Cluster, driver: RbdDriver, ref: str, image: FakeImage
) -> None:
    assert driver.owns("rbd://i")
    assert driver.stat("rbd://i").size == 3
    assert read(driver, "rbd://i", 1) == b"bc"
    image.snaps.clear()
    assert driver.stat("rbd://i").size == 3
    assert read(driver, "rbd://i", 1) == b"bc"
    image.snaps.append(Snap(cluster.number(), "snap", 3, protected=True))
    image.children = [CHILD]
    with pytest.raises(InUse):
        driver.delete("rbd://i")
    image.children = []
    driver.delete("rbd://i")
    assert not cluster.pools["images"].images


@pytest.mark.parametrize(
    ("setting", "reads", "deletes"),
    [("refuse", False, False), ("read", True, False), ("any", True, True)],
)
def test_references_of_another_cluster_are_served_as_far_as_the_settings_say(
    cluster: Cluster, make: Make, ref: str, setting: str, *, reads: bool, deletes: bool
) -> None:
    """R24."""
    driver = make(foreign_fsid=setting)
    foreign = ref.replace(cluster.fsid, "01234567-89ab-cdef-0123-456789abcdef")
    calls: list[tuple[bool, Any]] = [
        (reads, lambda: driver.stat(foreign)), (reads, lambda: read(driver, foreign)), (deletes, lambda: driver.delete(foreign)),
    ]  # fmt: skip
    for allowed, call in calls:
        assert not driver.owns(foreign)
        if allowed:
            call()
            continue
        with pytest.raises(InvalidRef, match="another cluster"):
            call()
    assert bool(cluster.pools["images"].images) != deletes


@pytest.mark.parametrize(
    ("pools", "allowed"), [((), False), (("volumes",), True), (("*",), True), (("vol",), False)]
)
def test_references_reach_the_pools_that_the_settings_allow(
    make: Make, pools: tuple[str, ...], allowed: bool
) -> None:
    """R31."""
    elsewhere = one_image(make(pool="volumes"), "v", b"abc").ref
    driver = make(pools=pools)
    if not allowed:
        for call in (driver.stat, driver.open, driver.delete):
            with pytest.raises(InvalidRef, match="pools"):
                call(elsewhere)
        return
    assert read(driver, elsewhere) == b"abc"
    assert driver.owns(elsewhere)
    driver.delete(elsewhere)
