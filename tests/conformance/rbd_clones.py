"""Clones of images in the lab's cluster, made by a user of their own as Nova and Cinder make them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from conformance.rbd_rig import Backstage, after_opening

__all__ = ["clone", "remove_volume", "with_volume"]


def clone(back: Backstage, ref: str, name: str, form: str) -> None:
    """Clone as Nova does: four parts, the cluster's number compared, from the snapshot, which is looked at first."""
    prefix = "rbd://"
    assert ref.startswith(prefix)
    fsid, pool, image, snapshot = map(unquote, ref.removeprefix(prefix).split("/"))
    assert all((fsid, pool, image, snapshot))
    rbd = back.sdk.rbd
    with (
        back.pool(pool, "cinder", rbd_default_clone_format=form) as parents,
        back.pool("volumes", "cinder", rbd_default_clone_format=form) as volumes,
    ):
        with rbd.Image(parents, image, snapshot=snapshot, read_only=True) as parent:
            after_opening(parents)
            features, unit = parent.features(), parent.stripe_unit()
        order = unit.bit_length() - 1
        rbd.RBD().clone(parents, image, snapshot, volumes, name, features=features, order=order)


def with_volume(back: Backstage, name: str, work: Callable[[Any], Any]) -> Any:
    with (
        back.pool("volumes", "cinder") as volumes,
        back.sdk.rbd.Image(volumes, name) as image,
    ):
        return work(image)


def remove_volume(back: Backstage, name: str) -> None:
    with back.pool("volumes", "cinder") as volumes:
        back.sdk.rbd.RBD().remove(volumes, name)
