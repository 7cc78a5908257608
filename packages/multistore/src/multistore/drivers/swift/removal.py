"""Deleting: the object, all its segments however many, and nothing of anybody else."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from multistore.drivers.swift.container import Container, Head
from multistore.drivers.swift.manifests import static_segments
from multistore.drivers.swift.refs import Token, made_by
from multistore.errors import NoSpace, NotFound, StoreError, Unavailable

__all__ = ["delete", "remove_segments"]

_AT_ONCE = 8


def delete(container: Container, name: str, what: str, head: Head) -> None:
    """Remove an image that is there; NotFound if somebody is quicker.

    Of one that we made the manifest goes first, and a mark leads to what may be left of its segments.
    Of others nothing would lead there, so their manifest goes last.
    """
    token = made_by(container.name, name, head.made_by)
    if not head.static and head.dynamic is None:
        container.ask("DELETE", name, what)
    elif token is not None:
        with contextlib.suppress(
            NoSpace
        ):  # a full store can be emptied, without a mark if it must be
            container.put(token.mark, what, b"", fields=container.made(token, {}))
        try:
            container.ask("DELETE", name, what)
        except NotFound:
            remove_segments(container, token)
            raise
        remove_segments(container, token)
    elif head.static:
        _delete_static(container, name, what)
    elif head.dynamic is not None:
        _delete_dynamic(container, name, what, head.dynamic)


def remove_segments(container: Container, token: Token, known: Iterable[str] = ()) -> None:
    """Remove all that an upload has left, at last its mark; those that are ``known`` even if no list comes."""
    what = f"the segments of {token.name!r}"
    known = list(known)
    try:
        listed = {each.name for each in container.entries(token.stem, what)}
    except StoreError:
        _remove(container, known, what)
        raise
    ours = {name for name in listed if name.startswith(token.prefix)}
    _remove(container, sorted(ours.union(known)), what)
    container.delete(token.mark, what)


def _remove(container: Container, names: list[str], what: str) -> None:
    """Remove objects side by side; the first error is raised once all were tried."""
    if len(names) <= 1:
        for name in names:
            container.delete(name, what)
        return
    with ThreadPoolExecutor(min(_AT_ONCE, len(names)), "multistore-swift-delete") as pool:
        jobs = [pool.submit(container.delete, name, what) for name in names]
    for job in jobs:
        job.result()


def _own(container: Container, place: str) -> bool:
    """Say whether segments there are the image's: in its container, or where the client of Swift puts them."""
    return place in (container.name, f"{container.name}_segments")


def _delete_static(container: Container, name: str, what: str) -> None:
    segments = static_segments(container, name, what)
    if segments is None:
        _let_server_delete(container, name, what)
        return
    for place in dict.fromkeys(each.container for each in segments):
        if _own(container, place):
            other = Container(container.swift, place, create=False)
            _remove(
                other,
                list(dict.fromkeys(each.name for each in segments if each.container == place)),
                what,
            )
    container.ask("DELETE", name, what)


def _let_server_delete(container: Container, name: str, what: str) -> None:
    """Let a server that does not show manifests delete what they name; it tells of failures in the body."""
    fields = {"Accept": "application/json"}
    reply = container.ask(
        "DELETE", name, what, query={"multipart-manifest": "delete"}, fields=fields
    )
    if not reply.body.strip():
        return
    try:
        failed = json.loads(reply.body).get("Errors")
    except (ValueError, AttributeError):
        return
    if failed:
        raise Unavailable(f"{what}: {len(failed)} of its segments could not be deleted")


def _delete_dynamic(container: Container, name: str, what: str, where: tuple[str, str]) -> None:
    place, prefix = where
    # A prefix that is not of this image's name may be that of others' objects too.
    if _own(container, place) and prefix.startswith(name) and prefix != name:
        other = Container(container.swift, place, create=False)
        _remove(other, [each.name for each in other.entries(prefix, what)], what)
    container.ask("DELETE", name, what)
