"""Reading: whole, or an error; never the zeros that objects which are gone read as."""

from __future__ import annotations

import pytest
from fakes.rbd_cluster import Cluster
from fakes.rbd_image import ERRORS
from fakes.rbd_modules import Make
from multistore.drivers.rbd import RbdDriver
from multistore.errors import NotFound, TimedOut, Unavailable, Unsupported
from multistore.testing.tools import content, one_image, read

MIB = 1 << 20


def test_an_image_that_is_deleted_while_it_is_read_is_no_image_of_zeros(
    cluster: Cluster, driver: RbdDriver
) -> None:
    """R13."""
    data = content(3 * MIB)
    ref = one_image(driver, "i", data).ref
    (image,) = cluster.pools["images"].images.values()
    with driver.open(ref) as reader:
        pieces = reader.read()
        assert next(pieces) == data[:MIB]
        driver.delete(ref)
        image.objects.clear()  # what is gone reads as zeros
        with pytest.raises(NotFound, match="deleted while"):
            next(pieces)


def test_an_image_without_a_snapshot_is_watched_by_its_name(
    cluster: Cluster, driver: RbdDriver
) -> None:
    data = content(2 * MIB)
    one_image(driver, "i", data)
    (image,) = cluster.pools["images"].images.values()
    image.snaps.clear()
    with driver.open("rbd://i") as reader:
        pieces = reader.read()
        assert next(pieces) == data[:MIB]
        cluster.pools["images"].names.clear()
        with pytest.raises(NotFound, match="deleted while"):
            next(pieces)


def test_pieces_end_where_objects_do(cluster: Cluster, make: Make) -> None:
    driver = make(object_size=4 * MIB)
    data = content(9 * MIB)
    ref = one_image(driver, "i", data).ref
    with driver.open(ref) as reader:
        assert [len(piece) for piece in reader.read(MIB)] == [MIB, 2 * MIB, 2 * MIB, 2 * MIB, MIB]
        assert b"".join(reader.read(MIB, 5 * MIB)) == data[MIB : 6 * MIB]


@pytest.mark.parametrize(
    ("error", "kind"), [("Timeout", TimedOut), ("ConnectionShutdown", Unavailable)]
)
def test_a_read_that_fails_has_its_error(
    cluster: Cluster, driver: RbdDriver, error: str, kind: type[Exception]
) -> None:
    ref = one_image(driver, "i", content(10)).ref
    cluster.fail["Image.read"] = ERRORS[error]()
    with pytest.raises(kind):
        read(driver, ref)


def test_a_short_read_is_an_error(cluster: Cluster, driver: RbdDriver) -> None:
    ref = one_image(driver, "i", content(10)).ref
    (image,) = cluster.pools["images"].images.values()
    with driver.open(ref) as reader:
        image.snaps[0].size = 5
        with pytest.raises(Unavailable, match="5 bytes came"):
            list(reader.read())


def test_an_image_of_the_old_format_is_told_from_none(
    cluster: Cluster, driver: RbdDriver, make: Make
) -> None:
    cluster.pools["images"].old_format.add("old")
    for call in (driver.stat, driver.open, driver.delete):
        with pytest.raises(Unsupported, match="format 1"):
            call("rbd://old")


def test_a_damaged_name_is_an_error(cluster: Cluster, driver: RbdDriver) -> None:
    ref = one_image(driver, "i", content(10)).ref
    cluster.pools["images"].names["i"] = "\0damaged"
    with pytest.raises(Unavailable, match="damaged"):
        driver.stat(ref)


def test_a_copy_of_an_image_that_disappears_is_given_up(cluster: Cluster, make: Make) -> None:
    driver, other = make(), make(pool="volumes")
    ref = one_image(driver, "i", content(10)).ref

    def deleted() -> None:
        cluster.fail.clear()
        driver.delete(ref)

    cluster.fail["Image.copy"] = deleted
    with pytest.raises(NotFound):
        other.begin_copy(driver, ref, "copy", {})
    assert not cluster.pools["volumes"].images


def test_a_copy_goes_to_another_pool_of_the_cluster(cluster: Cluster, make: Make) -> None:
    """R32."""
    driver, other = make(), make(pool="volumes", object_size=MIB)
    ref = one_image(driver, "i", content(3 * MIB)).ref
    upload, size = other.begin_copy(driver, ref, "copy", {"kind": "copy"})
    stored = upload.commit(size, {})
    assert stored.ref == f"rbd://{cluster.fsid}/volumes/copy/snap"
    assert read(other, stored.ref) == content(3 * MIB)
