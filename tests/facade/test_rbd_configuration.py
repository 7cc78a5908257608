"""The options of rbd stores, what they show to others, and clusters that are not there."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from facade.houses import at, make_rbd
from facade.rbd_house import stand_in
from fakes.rbd_cluster import Cluster
from fakes.rbd_modules import TimedOut
from glance_store import _foreign, exceptions, multi_backend
from glance_store._drivers import rbd
from glance_store._loading import driver_class
from multistore.errors import Misconfigured

MIB = 1 << 20


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster("images", "volumes")
    stand_in(monkeypatch, made)
    return made


def settings(store: Any) -> Any:
    return store.core_driver().settings


def test_what_others_read(conf: Any, cluster: Cluster) -> None:
    store = make_rbd(conf, "ceph", rbd_store_chunk_size=4, rbd_thin_provisioning=True, weight=7)
    assert store.url_prefix == f"rbd://{cluster.fsid}/images/"
    assert (store.chunk_size, store.READ_CHUNKSIZE, store.WRITE_CHUNKSIZE) == (4 * MIB,) * 3
    assert (store.pool, store.user, store.conf_file) == ("images", "images", "")
    assert store.thin_provisioning is True
    assert store.weight == 7
    assert store.get_schemes() == ("rbd",)
    assert store.capabilities == 79
    with store.get_connection() as client:
        assert client.get_fsid() == cluster.fsid


def test_defaults_are_those_of_the_interface(conf: Any, cluster: Cluster) -> None:
    store = rbd.Store(conf)
    store.configure()
    assert cluster.connections == 0, "in single-store mode nobody is asked"
    assert store.url_prefix is None
    assert (store.chunk_size, store.pool, store.user) == (8 * MIB, "images", None)
    assert store.conf_file == ""
    assert store.thin_provisioning is False
    core = settings(store)
    assert (core.thin, core.object_size, core.pools, core.foreign_fsid) == (
        False,
        8 * MIB,
        ("*",),
        "any",
    )


def test_names_of_the_driver(conf: Any) -> None:
    assert driver_class("rbd") is driver_class("glance.store.rbd.Store") is rbd.Store


def test_r1_without_a_user_the_library_chooses(conf: Any, cluster: Cluster) -> None:
    """R1: 5.7.0 asks for a user called None."""
    store = make_rbd(conf, rbd_store_user=None)
    assert settings(store).user is None
    assert store.add("i", io.BytesIO(b"abc"), 3, "sha256")[1] == 3


def test_r2_both_stores_of_a_cluster_share_one_connection(conf: Any, cluster: Cluster) -> None:
    """R2: 5.7.0 connects for each call."""
    conf.set_override("enabled_backends", {"one": "rbd", "two": "rbd"})
    multi_backend.register_store_opts(conf)
    for name, pool in (("one", "images"), ("two", "volumes")):
        conf.set_override("rbd_store_user", "images", group=name)
        conf.set_override("rbd_store_pool", pool, group=name)
    multi_backend.create_multi_stores(conf)
    for name in ("one", "two"):
        store = multi_backend.get_store_from_store_identifier(name)
        uri = store.add("i", io.BytesIO(b"abc"), 3, "sha256")[0]
        assert b"".join(store.get(at(store, uri))[0]) == b"abc"
        store.delete(at(store, uri))
    assert cluster.connections == 1


@pytest.mark.parametrize(
    ("seconds", "limits", "told"),
    [(-1, (10.0, 60.0), None), (5, (5.0, 5.0), "5"), (0, (1.0, 1.0), "0")],
)
def test_r18_connecting_and_requests_have_limits_of_their_own(
    conf: Any, cluster: Cluster, seconds: int, limits: tuple[float, float], told: str | None
) -> None:
    """R18: rados_connect_timeout limits both, as ever, where it is set."""
    core = settings(make_rbd(conf, rados_connect_timeout=seconds))
    assert (core.connect_timeout, core.timeout) == limits
    names = ("client_mount_timeout", "rados_mon_op_timeout", "rados_osd_op_timeout")
    assert core.options == ({} if told is None else dict.fromkeys(names, told))


def test_r18_the_two_limits_can_be_set(conf: Any, cluster: Cluster) -> None:
    """R18."""
    core = settings(make_rbd(conf, rbd_store_connect_timeout=3.0, rbd_store_request_timeout=120.0))
    assert (core.connect_timeout, core.timeout) == (3.0, 120.0)


@pytest.mark.parametrize(("given", "objects"), [(1, 1), (6, 4), (32, 32), (63, 32)])
def test_r19_odd_chunk_sizes_are_rounded_with_a_warning(
    conf: Any, cluster: Cluster, caplog: Any, given: int, objects: int
) -> None:
    """R19."""
    store = make_rbd(conf, rbd_store_chunk_size=given)
    assert settings(store).object_size == objects * MIB
    assert store.chunk_size == given * MIB
    assert ("no power of two" in caplog.text) == (given != objects)


@pytest.mark.parametrize("given", [64, 8688388])
def test_r19_a_chunk_size_beyond_all_objects_is_found_at_once(
    conf: Any, cluster: Cluster, given: int
) -> None:
    """R19: 5.7.0 fails at the first upload.  What is there is read and deleted all the same."""
    uri = make_rbd(conf, "good").add("i", io.BytesIO(b"abc"), 3, "sha256")[0]
    with pytest.raises(exceptions.BadStoreConfiguration, match="rbd_store_chunk_size"):
        make_rbd(conf, "ceph", rbd_store_chunk_size=given)
    store = make_rbd(conf, "ceph", configure=False, rbd_store_chunk_size=given)
    store.configure()
    assert store.url_prefix == f"rbd://{cluster.fsid}/images/"
    with pytest.raises(exceptions.StoreAddDisabled):
        store.add("j", io.BytesIO(b"abc"), 3, "sha256")
    assert store.get_size(at(store, uri)) == 3
    store.delete(at(store, uri))


@pytest.mark.parametrize("name", ["a user without a key", "a missing configuration"])
def test_what_the_operator_must_correct_leaves_a_store_that_takes_nothing(
    conf: Any, cluster: Cluster, name: str
) -> None:
    wrong: dict[str, Any] = {
        "a user without a key": {"rbd_store_user": "nobody"},
        "a missing configuration": {"rbd_store_ceph_conf": "/nowhere/ceph.conf"},
    }[name]
    with pytest.raises(exceptions.BadStoreConfiguration):
        make_rbd(conf, "ceph", **wrong)
    store = make_rbd(conf, "ceph", configure=False, **wrong)
    store.configure()
    assert not store.is_capable(8)
    assert store.url_prefix == "rbd://"
    assert cluster.open == 0


def test_missing_modules_are_named(conf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(place: str) -> None:
        raise Misconfigured("install python3-rbd", setting="bindings")

    monkeypatch.setattr(rbd, "load", missing)
    with pytest.raises(exceptions.BadStoreConfiguration, match="python3-rbd"):
        make_rbd(conf)


def test_r22_r23_a_cluster_that_does_not_answer_is_asked_again_at_the_first_use(
    conf: Any, cluster: Cluster, caplog: Any
) -> None:
    """R22, R23: 5.7.0 leaves a store that takes nothing until the service is started again, or stops the service."""
    cluster.fail["Rados.connect"] = TimedOut("no answer")
    store = make_rbd(conf, "ceph")
    assert "not reached yet" in caplog.text
    assert store.url_prefix == "rbd://"
    missing = at(store, f"rbd://{cluster.fsid}/images/i/snap")
    for work in (
        lambda: store.get(missing),
        lambda: store.get_size(missing),
        lambda: store.delete(missing),
        lambda: store.add("i", io.BytesIO(b"abc"), 3, "sha256"),
    ):
        with pytest.raises(exceptions.RemoteServiceUnavailable):
            work()
    assert cluster.open == 0
    cluster.fail.clear()
    uri = store.add("i", io.BytesIO(b"abc"), 3, "sha256")[0]
    assert store.url_prefix == f"rbd://{cluster.fsid}/images/"
    assert store.get_size(at(store, uri)) == 3


def test_two_dead_clusters_do_not_keep_a_service_from_starting(conf: Any, cluster: Cluster) -> None:
    cluster.fail["Rados.connect"] = TimedOut("no answer")
    conf.set_override("enabled_backends", {"one": "rbd", "two": "rbd"})
    multi_backend.register_store_opts(conf)
    assert multi_backend.create_multi_stores(conf) == 2


def test_a_store_owns_its_pool_in_its_cluster(conf: Any, cluster: Cluster) -> None:
    store = make_rbd(conf, "ceph")
    assert store.owns(f"rbd://{cluster.fsid}/images/i/snap")
    assert store.owns("rbd://i")
    for other in (
        f"rbd://{cluster.fsid}/volumes/i/snap",
        "rbd://other/images/i/snap",
        "rbd://a/b",
        "file:///i",
    ):
        assert not store.owns(other)


def test_another_configuration_is_taken_over(conf: Any, cluster: Cluster) -> None:
    store = make_rbd(conf, "ceph")
    store.add("i", io.BytesIO(b"abc"), 3, "sha256")
    conf.set_override("rbd_store_pool", "volumes", group="ceph")
    store.configure()
    uri = store.add("i", io.BytesIO(b"abc"), 3, "sha256")[0]
    assert uri == f"rbd://{cluster.fsid}/volumes/i/snap"
    assert store.url_prefix == f"rbd://{cluster.fsid}/volumes/"


def test_modules_replaced_by_mocks_are_enough_to_configure(
    conf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Glance's own tests put mocks into the places of the modules and of ``get_connection``."""
    monkeypatch.setattr(rbd, "rados", mock.MagicMock())
    monkeypatch.setattr(rbd, "rbd", mock.MagicMock())
    monkeypatch.setattr(rbd.Store, "get_connection", mock.MagicMock())
    connection = rbd.Store.get_connection.return_value.__enter__()  # type: ignore[attr-defined]
    connection.get_fsid.return_value = "db437934"
    store = make_rbd(conf, "fast", rbd_store_pool="images")
    assert store.url_prefix == "rbd://db437934/images/"


def test_the_commands_open_the_stores_of_a_configuration(tmp_path: Path, cluster: Cluster) -> None:
    """Nobody configures those: what counts are the options."""
    file = tmp_path / "glance-api.conf"
    file.write_text(
        "[DEFAULT]\nenabled_backends = ceph:rbd, thin:rbd\n[glance_store]\ndefault_backend = ceph\n"
        "[backend_defaults]\nrbd_store_user = images\n"
        "[ceph]\nrbd_store_pool = volumes\nweight = 3\n"
        "[thin]\nrbd_store_chunk_size = 4\nrbd_thin_provisioning = true\n"
    )
    found = _foreign.read(str(file))
    assert not found.failures
    ceph, thin = (found.drivers[name].settings for name in ("ceph", "thin"))  # type: ignore[attr-defined]
    assert (ceph.pool, ceph.user, ceph.thin, ceph.object_size) == (
        "volumes",
        "images",
        False,
        8 * MIB,
    )
    assert (thin.pool, thin.user, thin.thin, thin.object_size) == (
        "images",
        "images",
        True,
        4 * MIB,
    )
    for driver in found.drivers.values():
        driver.check()
        driver.close()
    assert cluster.open == 0
