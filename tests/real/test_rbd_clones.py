"""Images are cloned as Nova and Cinder clone them, by a user of their own, and stay while a clone needs them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from conformance.rbd_clones import clone, remove_volume, with_volume
from conformance.rbd_rig import Backstage, lab_back, lab_settings
from multistore.drivers.rbd import RbdDriver
from multistore.errors import AccessDenied, InUse, NotFound, StoreError
from multistore.testing.tools import content, one_image, read

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

MIB = 1 << 20
NAME = "clone-parent"


@pytest.fixture
def back() -> Backstage:
    return lab_back()


@pytest.fixture
def driver(back: Backstage) -> Iterator[RbdDriver]:
    with contextlib.closing(RbdDriver(back.settings)) as made:
        yield made
        for image in list(made.list()):
            made.delete(image.ref)
        assert not back.leftovers()


def test_a_clone_keeps_its_image_until_it_is_flattened(back: Backstage, driver: RbdDriver) -> None:
    data = content(3 * MIB)
    ref = one_image(driver, NAME, data).ref
    clone(back, ref, "volume", "1")
    try:
        assert with_volume(back, "volume", lambda image: image.read(0, len(data))) == data
        # Our user may not look into the pool of the clones; one who may is told which they are.
        for user, told in (("images", "may not look"), ("cinder", "volumes/volume")):
            with contextlib.closing(RbdDriver(lab_settings(user=user))) as one:
                for _ in range(2):
                    with pytest.raises(InUse, match=told):
                        one.delete(ref)
        assert read(driver, ref) == data
        clone(back, ref, "second", "1")
        remove_volume(back, "second")
        with_volume(back, "volume", lambda image: image.flatten())
        driver.delete(ref)
        with pytest.raises(NotFound):
            driver.stat(ref)
        assert with_volume(back, "volume", lambda image: image.read(0, len(data))) == data
    finally:
        remove_volume(back, "volume")


def test_the_parent_of_a_clone_of_the_second_format_waits_in_the_trash(
    back: Backstage, driver: RbdDriver
) -> None:
    data = content(3 * MIB)
    ref = one_image(driver, NAME, data).ref
    clone(back, ref, "volume", "2")
    try:
        driver.delete(ref)
        with pytest.raises(NotFound):
            driver.stat(ref)
        assert with_volume(back, "volume", lambda image: image.read(0, len(data))) == data
        again = one_image(driver, NAME, content(5)).ref
        (waiting,) = driver.pending()
        assert waiting.name == NAME
        assert driver.published(waiting.token) is None
        with pytest.raises(InUse, match="trash"):
            driver.discard(waiting.token)
        with_volume(back, "volume", lambda image: image.flatten())
        driver.discard(waiting.token)
        assert not list(driver.pending())
        assert read(driver, again) == content(5)
    finally:
        remove_volume(back, "volume")


def test_an_image_that_is_open_elsewhere_stays(back: Backstage, driver: RbdDriver) -> None:
    ref = one_image(driver, NAME, content(MIB)).ref
    with (
        back.pool() as io,
        back.sdk.rbd.Image(io, NAME) as image,
        contextlib.closing(RbdDriver(lab_settings(busy_timeout=0.5))) as quick,
    ):
        (watcher,) = image.watchers_list()
        with pytest.raises(InUse, match=watcher["addr"]):
            quick.delete(ref)
        assert image.is_protected_snap("snap")
    driver.delete(ref)


def test_snapshots_of_others_keep_an_image(back: Backstage, driver: RbdDriver) -> None:
    ref = one_image(driver, NAME, content(MIB)).ref
    with back.pool() as io, back.sdk.rbd.Image(io, NAME) as image:
        image.create_snap("backup")
    with pytest.raises(InUse, match="backup"):
        driver.delete(ref)
    assert read(driver, ref) == content(MIB)
    with contextlib.closing(RbdDriver(lab_settings(foreign_snapshots="trash"))) as lax:
        lax.delete(ref)
    with pytest.raises(NotFound):
        driver.stat(ref)
    (waiting,) = driver.pending()
    with pytest.raises(InUse, match="snapshots"):
        driver.discard(waiting.token)
    with (
        back.pool() as io,
        back.sdk.rbd.Image(io, image_id=waiting.token.rpartition("/")[2]) as image,
    ):
        image.remove_snap("backup")
    driver.discard(waiting.token)


def test_a_read_only_user_reads_and_is_refused_all_else(back: Backstage, driver: RbdDriver) -> None:
    ref = one_image(driver, NAME, content(3 * MIB)).ref
    upload = driver.begin("unfinished", 5, {})
    with contextlib.closing(RbdDriver(lab_settings(user="reader"))) as reader:
        assert reader.stat(ref) == driver.stat(ref)
        assert read(reader, ref) == content(3 * MIB)
        assert [info.ref for info in reader.list()] == [ref]
        assert reader.usage().total
        for call in (
            reader.check,
            lambda: reader.begin("other", 5, {}),
            lambda: reader.delete(ref),
            lambda: reader.begin_copy(driver, ref, "other", {}),
        ):
            with pytest.raises(AccessDenied):
                call()
        with pytest.raises(StoreError):
            reader.discard(upload.token)
    upload.abort()
    assert read(driver, ref) == content(3 * MIB)


def test_an_image_made_by_nova_is_one_of_ours(back: Backstage, driver: RbdDriver) -> None:
    """Its direct snapshots: a clone, flattened, with a protected snapshot, under a reference that it makes itself."""
    data = content(3 * MIB)
    base = one_image(driver, NAME, data).ref
    fsid = RbdDriver.parse(base).fsid
    rbd = back.sdk.rbd
    with back.pool() as io:
        rbd.RBD().clone(io, NAME, "snap", io, "nova", features=1)
        with rbd.Image(io, "nova") as image:
            image.flatten()
            image.create_snap("snap")
            image.protect_snap("snap")
    ref = f"rbd://{fsid}/images/nova/snap"
    assert driver.owns(ref)
    assert driver.stat(ref).size == len(data)
    assert read(driver, ref) == data
    driver.delete(base)
    driver.delete(ref)
    assert not list(driver.list())
