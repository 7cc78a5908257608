"""Deleting images, and removing what is hidden.

An image disappears by a rename to a hidden name, which is one step; everything that can refuse a deletion is asked
before that, and what a crash leaves after it is found by its hidden name.
"""

from __future__ import annotations

import contextlib
import time
from typing import Any

from multistore.drivers.rbd.connections import instances
from multistore.drivers.rbd.images import OpenImage, open_image
from multistore.drivers.rbd.naming import hide
from multistore.drivers.rbd.pools import Pool
from multistore.drivers.rbd.refs import SNAPSHOT, hidden_name
from multistore.errors import InUse, NotFound, Unsupported

__all__ = ["clones", "delete", "find", "refuse_watchers", "remove_hidden"]

_PAUSE = 0.1
_SHOWN = 8  # clones and watchers that a message names


def find(pool: Pool, name: str, what: str) -> str:
    """Give the number of the image of that name; NotFound."""
    found = pool.image_id(name)
    if found is not None:
        return found
    if pool.taken(name):
        raise Unsupported(
            f"{what} is an image of the old format 1: 'rbd migration' makes a new one of it"
        )
    raise NotFound(f"{what} is not there")


# -- who holds an image --------------------------------------------------------------------------


def refuse_watchers(image: OpenImage, seconds: float) -> None:
    """Wait until nobody has the image open for writing; InUse, with the addresses, if that takes longer.

    ``image`` is open for reading, and so has no watch of its own.
    Somebody in this very process is known to live, and is not waited for.
    """
    until = time.monotonic() + seconds
    while True:
        with image.connection.guard(image.what, image.pool):
            watchers = list(image.raw.watchers_list())
        if not watchers:
            return
        alive = instances()
        if time.monotonic() >= until or any(each["id"] in alive for each in watchers):
            who = _some([f"client {each['id']} at {each['addr']}" for each in watchers])
            raise InUse(
                f"{image.what} is open elsewhere: {who}; a client that died counts for 30 s more"
            )
        time.sleep(_PAUSE)


def clones(image: OpenImage, snapshot: str) -> str:
    """Name the clones of a snapshot, for people; a user who may not look into their pools is told that much."""
    errors = image.connection.sdk.rbd.Error
    try:
        image.raw.set_snap(snapshot)
        found = [
            f"{each['pool']}/{each['image']}" + (" (in the trash)" if each["trash"] else "")
            for each in image.raw.list_children2()
        ]
    except errors:
        return "in a pool that this user may not look into"
    return _some(found) if found else "which are not known"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


# -- deleting ------------------------------------------------------------------------------------


def delete(
    pool: Pool, name: str, snapshot: str | None, what: str, *, patience: float, trash: bool
) -> None:
    """Delete an image with its snapshot: InUse, with nothing changed, while somebody depends on it.

    ``trash``: an image with snapshots of others goes into the trash.
    Clones of the second format outlive their parent: it goes into the trash too.
    """
    own = snapshot or SNAPSHOT
    image_id = find(pool, name, what)
    _refuse(pool, image_id, own, what, patience=patience, trash=trash)
    gone = hidden_name(name, gone=True)
    image = open_image(pool, what, image_id=image_id, writing=True)
    try:
        with image.connection.guard(what, pool):
            protected = _unprotect(image, own)
            try:
                gone = hide(pool, name, gone, image_id, features=image.raw.features(), what=what)
            except BaseException:
                if protected:
                    with contextlib.suppress(image.connection.sdk.rbd.Error):
                        image.raw.protect_snap(own)
                raise
            with contextlib.suppress(image.connection.sdk.rbd.ImageNotFound):
                image.raw.remove_snap(own)
    finally:
        image.close()
    _remove(pool, gone, what, trash=True)


def _refuse(
    pool: Pool, image_id: str, own: str, what: str, *, patience: float, trash: bool
) -> None:
    """Ask all that can be asked without touching anything."""
    image = open_image(pool, what, image_id=image_id)
    try:
        with image.connection.guard(what, pool):
            snapshots = list(image.raw.list_snaps())
        # Namespace 0 is that of users; what clones need of a removed snapshot is kept in another.
        foreign = [
            each["name"] for each in snapshots if each["namespace"] == 0 and each["name"] != own
        ]
        if foreign and not trash:
            raise InUse(f"{what} has snapshots of others: {_some(foreign)}", why="snapshots")
        refuse_watchers(image, patience)
    finally:
        image.close()


def _unprotect(image: OpenImage, own: str) -> bool:
    """Unprotect the snapshot, and say whether it was protected; InUse, with their names, while there are clones."""
    rbd = image.connection.sdk.rbd
    try:
        image.raw.unprotect_snap(own)
    except (rbd.InvalidArgument, rbd.ImageNotFound):  # it is not protected, or not there
        return False
    except rbd.ImageBusy as error:
        reading = open_image(image.pool, image.what, image_id=image.raw.id())
        try:
            raise InUse(f"{image.what} has clones: {clones(reading, own)}") from error
        finally:
            reading.close()
    return True


# -- removing ------------------------------------------------------------------------------------


def remove_hidden(
    pool: Pool, hidden: str, image_id: str, what: str, *, trash: bool = False
) -> None:
    """Remove a hidden image, finished or not; nothing happens if it is gone.  InUse while somebody has it open."""
    found = pool.image_id(hidden)
    if found is not None and found != image_id:
        return
    if pool.snapshots(image_id) is not None:
        if found is None:  # a deletion that ended between two names
            pool.take_name(hidden, image_id)
        _drop_snapshot(pool, image_id, what)
        _remove(pool, hidden, what, trash=trash)
    # Whatever a crash left of the two places where the name stands.
    pool.drop_entry(hidden, image_id)
    pool.drop_name(hidden)


def _drop_snapshot(pool: Pool, image_id: str, what: str) -> None:
    """Remove the snapshot that was to publish the image, if it is there already."""
    if not pool.snapshots(image_id):
        return
    rbd = pool.connection.sdk.rbd
    image = open_image(pool, what, image_id=image_id, writing=True)
    try:
        with pool.connection.guard(what, pool):
            for step in (image.raw.unprotect_snap, image.raw.remove_snap):
                with contextlib.suppress(rbd.InvalidArgument, rbd.ImageNotFound):
                    step(SNAPSHOT)
    finally:
        image.close()


def _remove(pool: Pool, hidden: str, what: str, *, trash: bool) -> None:
    """Remove an image that has a hidden name; ``trash``: one that has snapshots is moved there.

    An upload is not: its snapshot says that its writer, begun when nobody looked, is about to publish it.
    """
    rbd = pool.connection.sdk.rbd
    with pool.connection.guard(what, pool):
        try:
            _remove_once(pool, hidden, rbd)
        except rbd.ImageHasSnapshots:
            if not trash:
                raise
            rbd.RBD().trash_move(pool.io, hidden, 0)
        except (rbd.NoSpace, rbd.DiskQuotaExceeded) as error:
            # In a full pool not even the trash takes an entry; removing objects is allowed.
            _shrink(pool, hidden, what, error)
            _remove_once(pool, hidden, rbd)


def _remove_once(pool: Pool, hidden: str, rbd: Any) -> None:
    with contextlib.suppress(rbd.ImageNotFound):
        rbd.RBD().remove(pool.io, hidden)


def _shrink(pool: Pool, hidden: str, what: str, error: Exception) -> None:
    try:
        image = open_image(pool, what, name=hidden, writing=True)
    except NotFound:
        raise pool.connection.translated(error, what, pool) from error
    try:
        image.raw.resize(0)
    finally:
        image.close()
