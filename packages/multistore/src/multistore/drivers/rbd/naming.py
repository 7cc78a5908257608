"""Giving an image its name, and taking it away: each has one step that decides, and leaves what can be finished later."""

from __future__ import annotations

from multistore.drivers.rbd.pools import Pool
from multistore.drivers.rbd.refs import is_hidden
from multistore.drivers.rbd.settings import FEATURES
from multistore.errors import AlreadyExists, NotFound

__all__ = ["finish", "hide", "publish"]


def publish(pool: Pool, hidden: str, name: str, image_id: str, *, features: int, what: str) -> None:
    """Give a hidden image its name; AlreadyExists if another has it.  Repeating it changes nothing."""
    if features & FEATURES["journaling"]:
        _by_the_library(pool, hidden, name, image_id, what)
        return
    if not pool.take_name(name, image_id) and pool.image_id(name) != image_id:
        raise AlreadyExists(f"{what} is there already")
    finish(pool, hidden, name, image_id)


def finish(pool: Pool, hidden: str, name: str, image_id: str) -> None:
    """Do what follows once the name leads to the image.

    The directory comes last: while it shows the hidden name, a sweep finds what is left to be done.
    """
    pool.drop_name(hidden)
    pool.list_as(hidden, name, image_id)


def hide(pool: Pool, name: str, gone: str, image_id: str, *, features: int, what: str) -> str:
    """Take an image's name away, and give the one that it has then; NotFound if somebody was quicker."""
    if features & FEATURES["journaling"]:
        _by_the_library(pool, name, gone, image_id, what)
        if pool.image_id(gone) == image_id:
            return gone
        # Deleted and made again between two of our steps.
        pool.connection.sdk.rbd.RBD().rename(pool.io, gone, name)
        raise NotFound(f"{what} was replaced by another image while it was deleted")
    if not pool.list_as(name, gone, image_id):
        listed = pool.listed_as(image_id)
        if listed is None or not is_hidden(listed) or pool.image_id(name) != image_id:
            raise NotFound(f"{what} is not there")
        gone = listed  # a commit, or a deletion, that ended half way
    pool.drop_name(name)
    pool.take_name(gone, image_id)
    return gone


def _by_the_library(pool: Pool, old: str, new: str, image_id: str, what: str) -> None:
    """Let librbd rename an image whose journal tells a mirror of it."""
    rbd = pool.connection.sdk.rbd
    with pool.connection.guard(what, pool):
        try:
            rbd.RBD().rename(pool.io, old, new)
        except rbd.ImageExists as error:
            if pool.image_id(new) != image_id:
                raise AlreadyExists(f"{what} is there already") from error
            finish(pool, old, new, image_id)
        except rbd.ImageNotFound as error:
            if pool.image_id(new) != image_id:
                raise NotFound(f"{what} is not there: somebody removed it") from error
