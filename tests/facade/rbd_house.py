"""A rig over an rbd store of the interface: on a cluster, or on the stand-in for Ceph's modules."""

from __future__ import annotations

from typing import Any

from conformance.rbd_rig import Backstage
from facade.houses import at, make_rbd
from facade.rigs import Rig
from fakes.rbd_cluster import Cluster
from fakes.rbd_modules import make_sdk
from glance_store._drivers import rbd
from multistore.drivers.rbd import RbdSettings, Sdk

__all__ = ["plant", "rbd_house", "stand_in"]


def stand_in(monkeypatch: Any, cluster: Cluster) -> Sdk:
    """Put clients of a cluster in memory into the place of Ceph's modules."""
    sdk = make_sdk(cluster)
    monkeypatch.setattr(rbd, "rados", sdk.rados)
    monkeypatch.setattr(rbd, "rbd", sdk.rbd)
    return sdk


def plant(back: Backstage, name: str, data: bytes, *, snapshot: str | None = "snap") -> None:
    """Make an image as Nova makes one: written, and with a protected snapshot."""
    with back.pool() as io:
        api = back.sdk.rbd
        api.RBD().create(
            io, name, len(data), order=20, old_format=False, features=1, data_pool=None
        )
        with api.Image(io, name) as image:
            if data:
                image.write(data, 0)
            if snapshot:
                image.create_snap(snapshot)
                image.protect_snap(snapshot)


def rbd_house(
    conf: Any, sdk: Sdk, settings: RbdSettings, identifier: str | None = None, **options: Any
) -> Rig:
    """A store over the pool that ``settings`` name."""
    back = Backstage(sdk, settings)
    given = {
        "rbd_store_ceph_conf": settings.conf or "",
        "rbd_store_pool": settings.pool,
        "rbd_store_user": settings.user,
        "rbd_store_chunk_size": 1,
        **options,
    }

    def make() -> Any:
        return make_rbd(conf, identifier, **given)

    store = make()
    with store.get_connection() as client:
        prefix = f"rbd://{client.get_fsid()}/{settings.pool}/"

    def planted(name: str, data: bytes) -> str:
        plant(back, name, data)
        return f"{prefix}{name}/snap"

    return Rig(
        store=store,
        at=lambda uri: at(store, uri),
        plant=planted,
        missing=lambda name: f"{prefix}{name}/snap",
        leftovers=back.leftovers,
        another=make,
        identifier=identifier,
    )
