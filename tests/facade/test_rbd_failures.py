"""What goes wrong with images in a cluster, in the exceptions of the interface, and what is left then."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import Any

import pytest
from conformance.rbd_rig import Backstage
from facade.houses import at, make_rbd
from facade.rbd_house import plant, stand_in
from fakes.rbd_cluster import Cluster, Snap
from fakes.rbd_image import ERRORS
from fakes.rbd_modules import Shutdown
from glance_store import _adapter, exceptions
from multistore.drivers.rbd import RbdSettings

MIB = 1 << 20
CHILD = {"pool": "vms", "pool_namespace": "", "image": "disk-1", "id": "77", "trash": False}
ELSEWHERE = "01234567-89ab-cdef-0123-456789abcdef"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster("images", "volumes")
    stand_in(monkeypatch, made)
    return made


@pytest.fixture
def store(conf: Any, cluster: Cluster) -> Any:
    return make_rbd(conf, "ceph", rbd_store_chunk_size=1)


def add(store: Any, name: str = "i", data: bytes = b"abc", size: int | None = None) -> str:
    result = store.add(name, io.BytesIO(data), len(data) if size is None else size, "sha256")
    return str(result[0])


def read(store: Any, uri: str) -> bytes:
    return b"".join(store.get(at(store, uri))[0])


def images(cluster: Cluster, pool: str = "images") -> list[str]:
    return sorted(cluster.pools[pool].names)


# -- R20: which exception ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "error", "kind"),
    [
        ("Image.write", "NoSpace", exceptions.StorageFull),
        ("Image.write", "DiskQuotaExceeded", exceptions.StorageFull),
        ("RBD.create", "PermissionError", exceptions.StorageWriteDenied),
        ("Image.write", "PermissionError", exceptions.StorageWriteDenied),
        ("Image.write", "Timeout", exceptions.RemoteServiceUnavailable),
        ("Image.write", "ConnectionShutdown", exceptions.RemoteServiceUnavailable),
    ],
)
def test_r20_adding(store: Any, cluster: Cluster, method: str, error: str, kind: type) -> None:
    """R20: 5.7.0 lets the library's errors out."""
    failures = iter([True] * 20)

    def fail() -> None:
        if next(failures, False):
            raise ERRORS[error]

    cluster.fail[method] = fail
    with pytest.raises(kind):
        add(store)
    cluster.fail.clear()
    assert images(cluster) == []
    assert read(store, add(store)) == b"abc"


def test_r20_a_missing_pool_is_never_a_missing_image_but_for_readers(
    conf: Any, cluster: Cluster
) -> None:
    """R20: whoever hears NotFound while storing or deleting takes the image for gone."""
    store = make_rbd(conf, "ceph", rbd_store_pool="lost")
    uri = f"rbd://{cluster.fsid}/lost/i/snap"
    with pytest.raises(exceptions.BadStoreConfiguration, match="lost"):
        add(store)
    with pytest.raises(exceptions.BadStoreConfiguration, match="lost"):
        store.delete(at(store, uri))
    for work in (store.get, store.get_size):
        with pytest.raises(exceptions.NotFound, match="'lost'"):
            work(at(store, uri))


def test_r20_deleting_without_permission(store: Any, cluster: Cluster) -> None:
    """R20."""
    uri = add(store)
    cluster.fail["Image.unprotect_snap"] = ERRORS["PermissionError"]()
    with pytest.raises(exceptions.Forbidden):
        store.delete(at(store, uri))
    cluster.fail.clear()
    assert read(store, uri) == b"abc"


@pytest.mark.parametrize("error", [ERRORS["Timeout"](), Shutdown()])
def test_r20_reading(store: Any, cluster: Cluster, error: Exception) -> None:
    """R20."""
    uri = add(store)
    cluster.fail["Image.open"] = error
    with pytest.raises(exceptions.RemoteServiceUnavailable):
        store.get(at(store, uri))
    cluster.fail.clear()
    assert read(store, uri) == b"abc"


@pytest.mark.parametrize("name", ["a/b", "a@b", "", "n" * 256, ".multistore-x", "a\nb"])
def test_a_name_that_other_tools_would_misread_is_invalid(store: Any, name: str) -> None:
    with pytest.raises(exceptions.Invalid):
        add(store, name)


# -- R3, R14: side by side -----------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "method"), [("R3", "Image.write"), ("R14", "Image.read")])
def test_r3_r14_several_requests_are_under_way_at_once(
    store: Any, cluster: Cluster, rule: str, method: str
) -> None:
    """R3, R14: 5.7.0 waits for each request before it makes the next."""
    data = bytes(range(1, 256)) * (32 * MIB // 255)
    if rule == "R14":
        uri = add(store, data=data)
    most, now, lock, second = 0, 0, threading.Lock(), threading.Event()

    def step() -> None:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
            if now > 1:
                second.set()
        second.wait(10)
        with lock:
            now -= 1

    cluster.fail[method] = step
    if rule == "R14":
        assert read(store, uri) == data
    else:
        add(store, data=data)
    assert 2 <= most <= 8, "several, and a bounded number of them"


# -- R7, R8, R9: deleting ------------------------------------------------------------------------


def only(cluster: Cluster) -> Any:
    (found,) = cluster.pools["images"].images.values()
    return found


@pytest.mark.parametrize("who", ["a clone", "a watcher", "a lock"])
def test_r7_an_image_in_use_keeps_its_protected_snapshot(
    store: Any, cluster: Cluster, who: str
) -> None:
    """R7: 5.7.0 has destroyed the snapshot when it learns that the image cannot go."""
    uri = add(store)
    image = only(cluster)
    if who == "a clone":
        image.children = [CHILD]
    elif who == "a watcher":
        image.watchers[9] = {"addr": "10.0.0.1:0/1", "id": 99, "cookie": 9}
    else:
        cluster.fail["Image.unprotect_snap"] = ERRORS["ImageBusy"]()
    with pytest.raises(exceptions.InUseByStore):
        store.delete(at(store, uri))
    assert [(snap.name, snap.protected) for snap in image.snaps] == [("snap", True)]
    assert read(store, uri) == b"abc"
    image.children, image.watchers = [], {}
    cluster.fail.clear()
    store.delete(at(store, uri))
    assert images(cluster) == []


def test_r8_snapshots_of_others_are_told_and_kept_in_the_trash(
    store: Any, cluster: Cluster, caplog: Any
) -> None:
    """R8: 5.7.0 does so without a word."""
    uri = add(store)
    only(cluster).snaps.append(Snap(99, "backup", 3))
    store.delete(at(store, uri))
    assert "into the trash" in caplog.text
    assert "backup" in caplog.text
    assert list(cluster.pools["images"].trash) == [only(cluster).id]
    assert [snap.name for snap in only(cluster).snaps] == ["backup"]
    with pytest.raises(exceptions.NotFound):
        store.get_size(at(store, uri))


def test_r8_snapshots_of_others_can_keep_an_image(conf: Any, cluster: Cluster) -> None:
    """R8."""
    store = make_rbd(conf, "ceph", rbd_store_foreign_snapshots="refuse")
    uri = add(store)
    only(cluster).snaps.append(Snap(99, "backup", 3))
    with pytest.raises(exceptions.HasSnapshot):
        store.delete(at(store, uri))
    assert read(store, uri) == b"abc"


def test_r8_a_location_of_the_old_form_deletes_the_snapshot_too(
    store: Any, cluster: Cluster
) -> None:
    """R8: 5.7.0 moves an image into the trash whose snapshot is still protected."""
    add(store)
    assert store.get_size(at(store, "rbd://i")) == 3
    only(cluster).children = [CHILD]
    with pytest.raises(exceptions.InUseByStore):
        store.delete(at(store, "rbd://i"))
    only(cluster).children = []
    store.delete(at(store, "rbd://i"))
    assert not cluster.pools["images"].images
    assert not cluster.pools["images"].trash


def test_r9_an_image_waits_in_the_trash_for_its_clones_and_no_longer(
    store: Any, cluster: Cluster, conf: Any
) -> None:
    """R9: nobody empties the trash of 5.7.0."""
    uri = add(store)
    image = only(cluster)
    image.children, image.clone_format = [CHILD], 2
    store.delete(at(store, uri))
    assert cluster.pools["images"].trash
    driver = store.core_driver()
    (waiting,) = driver.pending()
    image.children = []
    driver.discard(waiting.token)
    driver.close()
    assert not cluster.pools["images"].trash
    assert not cluster.pools["images"].images


# -- R10: what was killed ------------------------------------------------------------------------


def test_r10_what_a_killed_upload_has_left_neither_blocks_nor_stays(
    conf: Any, cluster: Cluster
) -> None:
    """R10: 5.7.0 answers Duplicate for ever."""
    killed = make_rbd(conf, "other").core_driver()
    upload = killed.begin("i", 3, {})
    left = only(cluster)
    left.watchers.clear()  # its writer is gone
    store = make_rbd(conf, "ceph")
    uri = add(store)
    assert read(store, uri) == b"abc"
    assert left.id in cluster.pools["images"].images, "it may be young, and alive"
    left.created -= 7200
    conf.set_override("rbd_store_pool", "volumes", group="ceph")
    _forget_sweeps()
    conf.set_override("rbd_store_pool", "images", group="ceph")
    store.configure()
    add(store, "j")
    assert left.id not in cluster.pools["images"].images
    del upload
    killed.close()


def _forget_sweeps() -> None:
    """Go on as if this process had just begun."""
    _adapter._swept.drop()


# -- R13: deleted while it is read ---------------------------------------------------------------


def test_r13_an_image_deleted_while_it_is_read_does_not_end_in_zeros(
    store: Any, cluster: Cluster
) -> None:
    """R13: objects that are gone read as zeros."""
    uri = add(store, data=b"x" * (128 * MIB))  # more than is read ahead
    pieces = iter(store.get(at(store, uri))[0])
    next(pieces)
    store.delete(at(store, uri))
    seen: list[bytes] = []
    with pytest.raises(exceptions.RemoteServiceUnavailable):
        seen.extend(pieces)
    assert not any(piece.count(0) for piece in seen)


# -- R24, R31: other clusters, other pools -------------------------------------------------------


def test_r24_other_clusters_as_the_options_say(conf: Any, cluster: Cluster, caplog: Any) -> None:
    """R24: served as ever by default, and deletes are logged."""
    uri = add(make_rbd(conf, "ceph")).replace(cluster.fsid, ELSEWHERE)
    allowed = {"refuse": (False, False), "read": (True, False), "any": (True, True)}
    for name, (reading, deleting) in allowed.items():
        store = make_rbd(conf, f"ceph-{name}", rbd_store_foreign_fsid=name)
        _allowed(lambda: read(store, uri), good=reading)  # noqa: B023 -- called at once
        _allowed(lambda: store.delete(at(store, uri)), good=deleting)  # noqa: B023
    assert ELSEWHERE in caplog.text
    assert images(cluster) == []


def test_r31_other_pools_as_the_options_say(conf: Any, cluster: Cluster) -> None:
    """R31: all pools by default, as ever."""
    uri = add(make_rbd(conf, "two", rbd_store_pool="volumes"), data=b"volume")
    own = make_rbd(conf, "own", rbd_store_pools=[])
    _allowed(lambda: read(own, uri), good=False)
    _allowed(lambda: own.delete(at(own, uri)), good=False)
    every = make_rbd(conf, "every")
    assert read(every, uri) == b"volume"
    every.delete(at(every, uri))
    assert images(cluster, "volumes") == []


def _allowed(work: Callable[[], object], *, good: bool) -> None:
    if good:
        work()
    else:
        with pytest.raises(exceptions.BadStoreUri):
            work()


# -- images of others ----------------------------------------------------------------------------


def test_images_without_a_snapshot_are_read_by_the_old_form(conf: Any, monkeypatch: Any) -> None:
    sdk = stand_in(monkeypatch, Cluster())
    plant(Backstage(sdk, RbdSettings(user="images")), "i", b"live", snapshot=None)
    store = make_rbd(conf)
    assert read(store, "rbd://i") == b"live"
    with store.get_connection() as client:
        missing = f"rbd://{client.get_fsid()}/images/i/snap"
    with pytest.raises(exceptions.NotFound):
        store.get(at(store, missing))


def test_r29_ranges_by_position_and_switched_off(conf: Any, cluster: Cluster) -> None:
    """R29: 5.7.0 gives the whole image for a range that is given by position."""
    uri = add(make_rbd(conf, "ceph"))
    ranged = make_rbd(conf, "ceph")
    assert b"".join(ranged.get(at(ranged, uri), 1, 1)[0]) == b"b"
    store = make_rbd(conf, ranged_reads=False)
    with pytest.raises(exceptions.StoreRandomGetNotSupported):
        store.get(at(store, uri), 1)
    assert read(store, uri) == b"abc"
