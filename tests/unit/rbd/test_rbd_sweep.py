"""What a crash leaves, in every state between two steps: seen, told apart, and removed or finished."""

from __future__ import annotations

import pytest
from fakes.rbd_cluster import Cluster, FakePool, Snap
from fakes.rbd_modules import Make
from multistore.driver import Upload
from multistore.drivers.rbd import RbdDriver
from multistore.errors import AlreadyExists, InUse, NotFound, StoreError
from multistore.testing.tools import one_image, read


@pytest.fixture
def pool(cluster: Cluster) -> FakePool:
    return cluster.pools["images"]


@pytest.fixture
def upload(driver: RbdDriver) -> Upload:
    made = driver.begin("i", 3, {})
    made.write_part(0, 0, b"abc")
    return made


def crash(cluster: Cluster) -> None:
    """Let the watches of the writer go, as they do when it is dead."""
    for image in cluster.pools["images"].images.values():
        image.watchers.clear()


def test_an_image_that_has_an_entry_and_nothing_else_is_swept(
    driver: RbdDriver, pool: FakePool
) -> None:
    """librbd was making it."""
    pool.directory[".multistore-new-0123456789abcdef.i"] = "77"
    (found,) = driver.pending()
    assert (found.name, found.started) == ("i", None)
    assert driver.published(found.token) is None
    driver.discard(found.token)
    assert not pool.directory


def test_an_image_that_has_its_snapshot_and_not_its_name_is_swept(
    cluster: Cluster, driver: RbdDriver, pool: FakePool, upload: Upload
) -> None:
    cluster.fail["Ioctx.operate_write_op"] = SystemExit()
    with pytest.raises(SystemExit):
        upload.commit(3, {})
    cluster.fail.clear()
    crash(cluster)
    with pytest.raises(NotFound):
        driver.stat("rbd://i")
    assert driver.published(upload.token) is None
    driver.discard(upload.token)
    assert not any((pool.images, pool.names, pool.directory))
    with pytest.raises(NotFound, match="removed by somebody"):
        upload.commit(3, {})
    upload.abort()


@pytest.mark.parametrize("method", ["Ioctx.dir_rename_image", "Ioctx.remove_object"])
@pytest.mark.parametrize("look", ["published", "discard", "commit"])
def test_an_image_that_has_its_name_in_one_place_gets_it_in_the_other(
    cluster: Cluster, driver: RbdDriver, upload: Upload, method: str, look: str
) -> None:
    pool = cluster.pools["images"]
    cluster.fail[method] = SystemExit()
    with pytest.raises(SystemExit):
        upload.commit(3, {})
    cluster.fail.clear()
    crash(cluster)
    assert read(driver, "rbd://i") == b"abc"
    if look == "commit":
        upload.commit(3, {})
    else:
        getattr(driver, look)(upload.token)
    assert list(pool.names) == list(pool.directory) == ["i"]
    assert not list(driver.pending())
    assert driver.published(upload.token) is not None
    upload.abort()
    assert read(driver, "rbd://i") == b"abc"


def test_an_image_that_gets_its_name_while_it_is_swept_stays(
    cluster: Cluster, driver: RbdDriver, make: Make, upload: Upload
) -> None:
    """The sweep finds it unpublished, waits for its writer, and then nobody has it open any more."""

    def commit() -> None:
        cluster.fail.clear()
        upload.commit(3, {})

    cluster.fail["Image.watchers_list"] = commit
    make(busy_timeout=10.0).discard(upload.token)
    assert read(driver, "rbd://i") == b"abc"
    assert not list(driver.pending())


def test_an_image_that_is_begun_while_it_is_swept_is_not_trashed(
    cluster: Cluster, driver: RbdDriver, pool: FakePool, upload: Upload
) -> None:
    """Between its making and its opening nothing shows that its writer lives."""
    crash(cluster)

    def snapshot() -> None:
        cluster.fail.clear()
        (image,) = pool.images.values()
        image.snaps.append(Snap(cluster.number(), "snap", 3, protected=True))

    cluster.fail["RBD.remove"] = snapshot
    with pytest.raises(InUse):
        driver.discard(upload.token)
    assert not pool.trash
    assert upload.commit(3, {}).size == 3


def test_an_abort_leaves_an_image_that_has_its_name(
    cluster: Cluster, driver: RbdDriver, upload: Upload
) -> None:
    cluster.fail["Ioctx.dir_rename_image"] = SystemExit()
    with pytest.raises(SystemExit):
        upload.commit(3, {})
    cluster.fail.clear()
    upload.abort()
    assert read(driver, "rbd://i") == b"abc"


def test_an_entry_that_leads_nowhere_does_not_keep_a_name(
    driver: RbdDriver, pool: FakePool, upload: Upload
) -> None:
    pool.directory["i"] = "77"
    ref = upload.commit(3, {}).ref
    assert [info.ref for info in driver.list()] == [ref]
    assert pool.names == pool.directory


def test_a_name_that_is_taken_is_left_alone(
    driver: RbdDriver, make: Make, pool: FakePool, upload: Upload
) -> None:
    winner = one_image(make(), "i", b"first").ref
    before = dict(pool.names)
    with pytest.raises(AlreadyExists):
        upload.commit(3, {})
    assert pool.names == before
    upload.abort()
    assert read(driver, winner) == b"first"


def test_tokens_of_another_pool_are_not_ours(driver: RbdDriver, make: Make, upload: Upload) -> None:
    other = make(pool="volumes")
    assert not list(other.pending())
    other.discard(upload.token)
    assert other.published(upload.token) is None
    assert [each.token for each in driver.pending()] == [upload.token]
    upload.abort()


def test_images_of_others_with_odd_names_do_not_disturb(driver: RbdDriver, pool: FakePool) -> None:
    for number, name in enumerate(["a\nb", ".multistore-", ".multistore-new-xyz.i", "%", "a/b"]):
        pool.names[name] = pool.directory[name] = str(number)
    assert list(driver.list()) == []
    assert list(driver.pending()) == []
    with pytest.raises(StoreError):
        driver.stat("rbd://%")
