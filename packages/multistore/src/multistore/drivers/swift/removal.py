"""Deleting: the object, all its segments however many, and nothing of anybody else."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from multistore.drivers.swift.container import Container, Entry, Head
from multistore.drivers.swift.manifests import Listed, joined, static_segments
from multistore.drivers.swift.refs import Token, made_by
from multistore.errors import NoSpace, NotFound, StoreError

__all__ = ["delete", "remove_segments"]

LOG = logging.getLogger(__name__)

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
        _delete_static(container, name, what, head)
    elif head.dynamic is not None:
        _delete_dynamic(container, name, what, head.dynamic)


def remove_segments(
    container: Container, token: Token, known: Iterable[str] = (), *, all_known: bool = True
) -> None:
    """Remove all that an upload has left, those that are ``known`` even if no list comes.

    At last its mark goes, unless something of it may still appear (``all_known`` is False).
    """
    what = f"the segments of {token.name!r}"
    known = list(known)
    try:
        listed = {each.name for each in container.entries(token.stem, what)}
    except StoreError:
        _remove(container, known, what)
        raise
    ours = {name for name in listed if name.startswith(token.prefix)}
    _remove(container, sorted(ours.union(known)), what)
    if all_known:
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


def _delete_static(container: Container, name: str, what: str, head: Head) -> None:
    segments = static_segments(container, name, what)
    if segments is None:
        segments = _likely(container, name, what, head)
    for place in dict.fromkeys(each.container for each in segments):
        if _own(container, place):
            other = Container(container.swift, place, create=False)
            _remove(
                other,
                list(dict.fromkeys(each.name for each in segments if each.container == place)),
                what,
            )
    container.ask("DELETE", name, what)


def _likely(container: Container, name: str, what: str, head: Head) -> list[Listed]:
    """Find the segments of a manifest that the server does not show, by their names and by what is known of them all.

    The server could delete what the manifest names, but that may be anybody's.
    """
    for place in (container.name, f"{container.name}_segments"):
        groups: dict[str, list[Entry]] = {}
        for each in Container(container.swift, place, create=False).entries(name, what):
            groups.setdefault(each.name.rstrip("0123456789"), []).append(each)
        for stem, group in groups.items():
            if _make_up(group, stem, name, head):
                return [Listed(place, each.name, each.size, False) for each in group]
    LOG.warning(
        "%s: this server does not show where its segments are, and none have its name: they stay where they are",
        what,
    )
    return []


def _make_up(group: list[Entry], stem: str, name: str, head: Head) -> bool:
    """Say whether these are the segments: their digests make its ETag.

    Ceph's gateway only knows the digests that the manifest came with; without, below the image's name the size tells.
    """
    if head.version != joined([]):
        return joined(str(each.version) for each in group) == head.version
    return stem.startswith(f"{name}/") and sum(each.size for each in group) == head.size


def _delete_dynamic(container: Container, name: str, what: str, where: tuple[str, str]) -> None:
    place, prefix = where
    # A prefix that is not of this image's name may be that of others' objects too.
    if _own(container, place) and prefix.startswith(name) and prefix != name:
        other = Container(container.swift, place, create=False)
        _remove(other, [each.name for each in other.entries(prefix, what)], what)
    container.ask("DELETE", name, what)
