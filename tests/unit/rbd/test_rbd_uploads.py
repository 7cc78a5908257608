"""Uploads: what reaches the cluster, in which order, and what is left when something fails."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
from fakes.rbd_cluster import Cluster
from fakes.rbd_image import ERRORS
from fakes.rbd_modules import Make, Shutdown
from multistore import StoreOptions
from multistore.drivers.rbd import RbdDriver
from multistore.errors import (
    AccessDenied,
    AlreadyExists,
    InUse,
    NoSpace,
    SizeMismatch,
    StoreError,
    TimedOut,
    Unavailable,
)
from multistore.store import Store
from multistore.testing.tools import content, one_image, read

MIB = 1 << 20
ONCE = StoreOptions(attempts=1)


def images(cluster: Cluster, pool: str = "images") -> list[str]:
    return list(cluster.pools[pool].directory)


def test_parts_end_where_objects_do_and_cost_no_more_memory_for_large_ones(make: Make) -> None:
    for object_size in (4096, 4 * MIB, 8 * MIB, 32 * MIB):
        assert list(islice(make(object_size=object_size).parts(None), 3)) == [4 * MIB] * 3


@pytest.mark.parametrize("known", [True, False])
def test_short_reads_of_the_source_become_few_whole_writes(
    cluster: Cluster, make: Make, known: bool
) -> None:
    """R4."""
    data = content(2 * 8 * MIB + 5)
    pieces = (data[at : at + 100_001] for at in range(0, len(data), 100_001))
    driver = make(object_size=8 * MIB)
    Store(driver, name="s").put("i", pieces, size=len(data) if known else None, digests=())
    assert cluster.calls.count("Image.write") == 5, "4 MiB each, and the rest"
    (image,) = cluster.pools["images"].images.values()
    assert (image.size, image.object_size) == (len(data), 8 * MIB)
    assert image.read(0, len(data)) == data


def test_an_image_of_unknown_size_grows_by_doubling_and_ends_exact(
    cluster: Cluster, driver: RbdDriver
) -> None:
    """R5."""
    upload = driver.begin("i", None, {})
    (image,) = cluster.pools["images"].images.values()
    sizes: list[int] = []
    for at in range(0, 500 * MIB, 10 * MIB):
        upload.write_part(0, at, b"x")
        if not sizes or sizes[-1] != image.size:
            sizes.append(image.size)
    assert sizes == [64 * MIB, 128 * MIB, 256 * MIB, 512 * MIB]
    upload.write_part(0, 600 * MIB, b"x" * 100)
    assert image.size == 1024 * MIB
    stored = upload.commit(600 * MIB + 100, {})
    assert driver.stat(stored.ref).size == image.size == 600 * MIB + 100


def test_a_part_larger_than_a_step_fits(driver: RbdDriver) -> None:
    """R6."""
    upload = driver.begin("i", None, {})
    upload.write_part(0, 1000 * MIB, b"x")
    upload.abort()


def test_two_uploads_of_unknown_size_do_not_share_their_growth(driver: RbdDriver) -> None:
    """R5."""
    for turn in range(2):
        uploads = [driver.begin(f"i{turn}{number}", None, {}) for number in range(2)]
        for upload in uploads:
            upload.write_part(0, 0, b"abc")
        for upload in uploads:
            assert read(driver, upload.commit(3, {}).ref) == b"abc"


def test_runs_of_zeros_take_no_room_even_within_an_object(cluster: Cluster, make: Make) -> None:
    """R15, R16."""
    data = bytes(3 * MIB) + content(70_000) + bytes(8 * MIB)
    Store(make(object_size=1 * MIB), name="s").put("thin", data)
    assert cluster.pools["images"].used < 1 * MIB
    Store(make(object_size=1 * MIB, thin=False), name="s").put("thick", data)
    assert cluster.pools["images"].used > len(data)


@pytest.mark.parametrize("size", [0, 5])
def test_an_image_gets_its_protected_snapshot_before_its_name(
    cluster: Cluster, driver: RbdDriver, size: int
) -> None:
    """R10."""
    upload = driver.begin("i", size, {"kind": "test", "conf_rbd_cache": "no setting"})
    assert "i" not in images(cluster)
    if size:
        upload.write_part(0, 0, bytes(range(size)))
    stored = upload.commit(size, {})
    assert stored.ref == f"rbd://{cluster.fsid}/images/i/snap"
    assert images(cluster) == ["i"]
    (image,) = cluster.pools["images"].images.values()
    assert [(s.name, s.size, s.protected) for s in image.snaps] == [("snap", size, True)]
    assert image.metadata == {"label.kind": "test", "label.conf_rbd_cache": "no setting"}
    steps = [
        c
        for c in cluster.calls
        if c in ("Image.create_snap", "Image.protect_snap", "Ioctx.operate_write_op")
    ]
    assert steps == ["Image.create_snap", "Image.protect_snap", "Ioctx.operate_write_op"]


@pytest.mark.parametrize("declared", [2, 4])
def test_a_wrong_size_is_found_before_the_snapshot(
    cluster: Cluster, driver: RbdDriver, declared: int
) -> None:
    """R12."""
    with pytest.raises(SizeMismatch):
        Store(driver, name="s").put("i", b"abc", size=declared)
    assert "Image.create_snap" not in cluster.calls
    assert not cluster.pools["images"].images


@pytest.mark.parametrize(
    ("method", "error", "kind"),
    [
        ("Image.write", "NoSpace", NoSpace), ("Image.write", "DiskQuotaExceeded", NoSpace),
        ("Image.write", "PermissionError", AccessDenied), ("RBD.create", "PermissionError", AccessDenied),
        ("Image.write", "Timeout", TimedOut), ("Image.create_snap", "PermissionError", AccessDenied),
        ("Image.write", "ConnectionShutdown", Unavailable),
    ],
)  # fmt: skip
def test_each_failure_has_its_error_and_leaves_nothing(
    cluster: Cluster, driver: RbdDriver, method: str, error: str, kind: type[StoreError]
) -> None:
    """R20."""
    cluster.fail[method] = ERRORS[error]()
    with pytest.raises(kind):
        Store(driver, name="s", options=ONCE).put("i", content(100))
    assert not cluster.pools["images"].images
    assert not images(cluster)


def test_an_upload_whose_commit_is_in_doubt_can_be_swept_later(
    cluster: Cluster, driver: RbdDriver
) -> None:
    """The core must not abort it, and has nothing more to do with it: nobody may hold it open."""
    cluster.fail["Image.protect_snap"] = ERRORS["Timeout"]()
    with pytest.raises(TimedOut) as caught:
        Store(driver, name="s", options=ONCE).put("i", content(100))
    assert "i" not in images(cluster)
    cluster.fail.clear()
    del caught
    gc.collect()
    (left,) = driver.pending()
    driver.discard(left.token)
    assert not cluster.pools["images"].images


def test_a_failure_to_clean_up_does_not_hide_what_went_wrong(
    cluster: Cluster, driver: RbdDriver
) -> None:
    """R11."""
    cluster.fail |= {"Image.write": ERRORS["NoSpace"](), "RBD.remove": ERRORS["Timeout"]()}
    with pytest.raises(NoSpace) as caught:
        Store(driver, name="s", options=ONCE).put("i", content(100))
    assert any("left" in note for note in caught.value.__notes__)
    cluster.fail.clear()
    (left,) = driver.pending()
    driver.discard(left.token)
    assert not images(cluster)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_writer_that_is_stopped_leaves_nothing(
    cluster: Cluster, driver: RbdDriver, stop: type[BaseException]
) -> None:
    """R10."""

    def source() -> Iterator[bytes]:
        yield content(9 * MIB)
        raise stop

    with pytest.raises(stop):
        Store(driver, name="s").put("i", source())
    assert not cluster.pools["images"].images
    assert read(driver, one_image(driver, "i", b"again").ref) == b"again"


@pytest.mark.parametrize("method", ["Image.open", "RBD.create"])
def test_a_begin_that_fails_leaves_nothing(
    cluster: Cluster, driver: RbdDriver, method: str
) -> None:
    failed: list[int] = []

    def once() -> None:
        if not failed:
            failed.append(1)
            raise ERRORS["Timeout"]

    cluster.fail[method] = once
    with pytest.raises(TimedOut):
        driver.begin("i", 5, {})
    assert not cluster.pools["images"].images


def test_an_upload_ends_though_its_connection_broke(cluster: Cluster, driver: RbdDriver) -> None:
    upload = driver.begin("i", 5, {})
    cluster.fail["Image.write"] = Shutdown()
    with pytest.raises(Unavailable):
        upload.write_part(0, 0, b"abc")
    upload.abort()
    assert cluster.connections == 2
    assert not images(cluster)


def test_a_full_pool_is_told_at_once(cluster: Cluster, make: Make) -> None:
    """R30."""
    cluster.pools["images"].quota = 100 * MIB
    for thin, size in ((True, 101 * MIB), (False, 101 * MIB)):
        with pytest.raises(NoSpace):
            make(thin=thin).begin("i", size, {})
    usage = make().usage()
    assert (usage.total, usage.used, usage.free) == (100 * MIB, 0, 100 * MIB)


def test_a_new_pool_that_is_not_counted_yet_takes_images(cluster: Cluster, make: Make) -> None:
    cluster.pools["images"].counted = False
    driver = make()
    driver.check()
    driver.begin("i", 100 * MIB, {}).abort()
    with pytest.raises(Unavailable, match="counted"):
        driver.usage()


def test_a_full_pool_is_emptied_by_shrinking(cluster: Cluster, driver: RbdDriver) -> None:
    """What has to be written to remove an image does not fit either, at first."""
    upload = driver.begin("i", 5, {})
    upload.write_part(0, 0, b"abcde")
    (image,) = cluster.pools["images"].images.values()

    def full() -> None:
        if image.size:
            raise ERRORS["DiskQuotaExceeded"]

    cluster.fail["RBD.remove"] = full
    upload.abort()
    assert not images(cluster)


def test_features_are_the_clusters_but_for_the_journal(cluster: Cluster, make: Make) -> None:
    """R27."""
    told: list[tuple[str, dict[str, Any], int]] = [
        ("61", {}, 61), ("125", {}, 61), ("0", {}, 1), ("", {}, 1), ("layering,exclusive-lock", {}, 5), ("4", {}, 5),
        ("61", {"features": ("layering",)}, 1), ("61", {"features": ("layering", "exclusive-lock", "journaling")}, 69),
    ]  # fmt: skip
    for text, settings, features in told:
        cluster.conf["rbd_default_features"] = text
        driver = make(**settings)
        upload = driver.begin("i", 5, {})
        (image,) = cluster.pools["images"].images.values()
        assert image.features == features
        upload.abort()
        driver.close()


def test_a_journal_is_told_of_the_name_by_the_library(cluster: Cluster, make: Make) -> None:
    driver = make(features=("layering", "exclusive-lock", "journaling"))
    uploads = [driver.begin("i", 3, {}) for _ in range(2)]
    ref = uploads[0].commit(0, {}).ref
    assert "RBD.rename" in cluster.calls
    with pytest.raises(AlreadyExists):
        uploads[1].commit(0, {})
    uploads[1].abort()
    driver.delete(ref)
    assert not images(cluster)


def test_a_living_upload_is_not_discarded_and_not_waited_for(cluster: Cluster, make: Make) -> None:
    driver = make(busy_timeout=1000.0)
    upload = driver.begin("i", 5, {})
    with pytest.raises(InUse, match="open elsewhere"):
        driver.discard(upload.token)
    upload.abort()


def test_check_does_all_that_an_upload_does_and_removes_it(cluster: Cluster, make: Make) -> None:
    driver = make()
    driver.check()
    assert not images(cluster)
    for method in (
        "RBD.create",
        "Image.write",
        "Image.create_snap",
        "Image.protect_snap",
        "Ioctx.operate_write_op",
    ):
        cluster.fail = {method: ERRORS["PermissionError"]()}
        with pytest.raises(AccessDenied):
            driver.check()
        assert not images(cluster)
    cluster.fail.clear()
    with pytest.raises(StoreError, match="layering"):
        make(features=("exclusive-lock",)).check()
