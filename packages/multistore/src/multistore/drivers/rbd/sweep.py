"""What unfinished uploads and deletions leave: found by their hidden names, in the pool and in its trash."""

from __future__ import annotations

from collections.abc import Iterator

from multistore.drivers.rbd.images import open_image
from multistore.drivers.rbd.naming import finish
from multistore.drivers.rbd.pools import Pool
from multistore.drivers.rbd.refs import SNAPSHOT, RbdRef, Token, image_name, is_hidden
from multistore.drivers.rbd.removal import refuse_watchers, remove_hidden
from multistore.errors import InUse, NotFound
from multistore.model import Pending, Stored

__all__ = ["discard", "pending", "published"]


def pending(pool: Pool) -> Iterator[Pending]:
    """List what is hidden: uploads, living or not, deletions that did not end, and deleted images that have clones."""
    rbd = pool.connection.sdk.rbd
    with pool.connection.guard(f"the pool {pool.name!r}", pool):
        images = [(each["name"], each["id"]) for each in rbd.RBD().list2(pool.io)]
        images += [(each["name"], each["id"]) for each in rbd.RBD().trash_list(pool.io)]
    for name, image_id in images:
        if is_hidden(name):
            started = pool.created(image_id)
            yield Pending(str(Token(pool.name, name, image_id)), image_name(name), started)


def published(pool: Pool, token: Token) -> Stored | None:
    """Give the image that the upload of a token became, or None."""
    if token.gone or pool.image_id(token.name) != token.id:
        return None
    snapshot = pool.snapshot(token.id, SNAPSHOT)
    size = None if snapshot is None else pool.size(token.id, snapshot)
    if size is None:
        return None
    finish(pool, token.hidden, token.name, token.id)
    return Stored(str(RbdRef(token.name, pool.name, pool.connection.fsid, SNAPSHOT)), size)


def discard(pool: Pool, token: Token, patience: float) -> None:
    """Remove what a token names unless it was published; InUse while its writer lives or it has clones."""
    what = f"the unfinished image of {token.name!r}"
    if _in_trash(pool, token):
        _purge(pool, token, what)
        return
    if not _listed(pool, token) and pool.image_id(token.hidden) != token.id:
        return
    try:
        image = open_image(pool, what, image_id=token.id)
    except NotFound:
        pass  # begun or removed in part
    else:
        try:
            refuse_watchers(image, patience)
        finally:
            image.close()
    # Only now: a writer keeps its watch until the image has its name, and may have given it meanwhile.
    if published(pool, token) is not None:
        return
    if token.gone and pool.image_id(token.name) == token.id:
        pool.drop_name(token.name)  # a deletion that ended before this
    remove_hidden(pool, token.hidden, token.id, what, trash=token.gone)


def _listed(pool: Pool, token: Token) -> bool:
    """Say whether the directory has an entry without an image: a process died while it made or removed one."""
    rbd = pool.connection.sdk.rbd
    with pool.connection.guard(f"the pool {pool.name!r}", pool):
        return any(
            (each["name"], each["id"]) == (token.hidden, token.id)
            for each in rbd.RBD().list2(pool.io)
        )


def _in_trash(pool: Pool, token: Token) -> bool:
    rbd = pool.connection.sdk.rbd
    with pool.connection.guard(f"the trash of the pool {pool.name!r}", pool):
        return any(
            (each["name"], each["id"]) == (token.hidden, token.id)
            for each in rbd.RBD().trash_list(pool.io)
        )


def _purge(pool: Pool, token: Token, what: str) -> None:
    """Remove a deleted image from the trash once it has no clones any more."""
    rbd = pool.connection.sdk.rbd
    with pool.connection.guard(what, pool):
        try:
            rbd.RBD().trash_remove(pool.io, token.id, True)
        except rbd.ImageNotFound:
            pass
        except rbd.ImageHasSnapshots as error:
            raise InUse(f"{what} is in the trash: it has clones, or snapshots of others") from error
