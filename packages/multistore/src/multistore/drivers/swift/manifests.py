"""What joins segments: a static manifest, a list with the digest of each, or a dynamic one, a prefix of names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from multistore.drivers.swift.container import Container
from multistore.drivers.swift.refs import Token
from multistore.drivers.swift.single import ONLY_NEW
from multistore.errors import Misconfigured, NotFound, StoreError, Unavailable

__all__ = ["Listed", "Named", "joined", "put_dynamic", "put_static", "static_segments"]

#: Swift looks at every segment before it takes a manifest.
_THINKING = 600.0
_LIMIT = 1000
#: Manifests of manifests: more levels than these nobody makes.
_DEEPEST = 4


class Named(Protocol):
    """A stored segment."""

    @property
    def name(self) -> str: ...
    @property
    def etag(self) -> str: ...
    @property
    def size(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Listed:
    """An object that a manifest names."""

    container: str
    name: str
    size: int
    manifest: bool


def put_static(
    container: Container, token: Token, segments: Sequence[Named], fields: Mapping[str, str]
) -> None:
    """Publish with a static manifest; above the server's limit it names manifests."""
    limit = container.swift.limit("slo", "max_manifest_segments", _LIMIT)
    entries: list[dict[str, Any]] = [
        {"path": f"/{container.name}/{each.name}", "etag": each.etag, "size_bytes": each.size}
        for each in segments
    ]
    number = 0
    while len(entries) > limit:
        grouped = []
        for at in range(0, len(entries), limit):
            number += 1
            group = entries[at : at + limit]
            name = token.part(number)
            _put(container, name, group, {"Content-Type": "application/octet-stream"}, token)
            size = sum(each["size_bytes"] for each in group)
            grouped.append(
                {
                    "path": f"/{container.name}/{name}",
                    "etag": joined(str(each["etag"]) for each in group),
                    "size_bytes": size,
                }
            )
        entries = grouped
    _put(container, token.name, entries, {**fields, **ONLY_NEW}, token)


def joined(etags: Iterable[str]) -> str:
    """Give the ETag of a static large object: the digest of its segments' digests."""
    return hashlib.md5("".join(etags).encode(), usedforsecurity=False).hexdigest()


def _put(
    container: Container,
    name: str,
    entries: Sequence[Mapping[str, Any]],
    fields: Mapping[str, str],
    token: Token,
) -> None:
    what, text = f"the manifest of {token.name!r}", json.dumps(entries).encode()
    try:
        reply = container.put(
            name,
            what,
            text,
            fields=fields,
            query={"multipart-manifest": "put"},
            silence=_THINKING,
        )
    except StoreError as error:
        if not (isinstance(error, Unavailable) and error.why == "answer"):
            raise
        # 400: a segment is not there any more, or not what was stored.
        raise NotFound(
            f"{what} is refused: a segment was removed, by a sweep perhaps, or this Swift has no SLO"
        ) from error
    if (
        reply.fields.get("etag", "").strip('"')
        == hashlib.md5(text, usedforsecurity=False).hexdigest()
    ):
        # Stored like any object: what would be read is this text.
        container.delete(name, what)
        raise Misconfigured(
            f"{what} is none to this Swift, which has no static large objects (SLO): set 'manifest' to dynamic",
            setting="manifest",
        )


def put_dynamic(
    container: Container, token: Token, segments: Sequence[Named], fields: Mapping[str, str]
) -> None:
    """Publish with a dynamic manifest, once the list of the container has every segment."""
    what = f"the manifest of {token.name!r}"
    listed = {each.name: each.size for each in container.entries(token.prefix)}
    missing = sum(listed.get(each.name) != each.size for each in segments)
    if missing:
        raise Unavailable(
            f"{what}: the list of the container lacks {missing} segments, yet or for ever"
        )
    place = f"{quote(container.name, safe='')}/{quote(token.prefix, safe='')}"
    container.put(token.name, what, b"", fields={**fields, **ONLY_NEW, "X-Object-Manifest": place})


def static_segments(
    container: Container, name: str, what: str, depth: int = 0
) -> list[Listed] | None:
    """List all that a static manifest names, what manifests in it name before themselves.

    None if the server does not show manifests: Ceph's gateway sends an empty body.
    """
    reply = container.ask("GET", name, what, query={"multipart-manifest": "get"}, fine=(404,))
    if reply.status == 404:  # noqa: PLR2004 - of HTTP
        return []
    try:
        entries = json.loads(reply.body) if reply.body.strip() else None
        if not isinstance(entries, list):
            return None
        found: list[Listed] = []
        for each in entries:
            if "name" not in each:
                continue  # bytes that stand in the manifest itself
            place, _, inner = str(each["name"]).lstrip("/").partition("/")
            nested = bool(each.get("sub_slo"))
            if nested and depth < _DEEPEST:
                other = Container(container.swift, place, create=False)
                found += static_segments(other, inner, what, depth + 1) or []
            found.append(Listed(place, inner, int(each.get("bytes") or 0), nested))
    except (ValueError, TypeError, AttributeError) as error:
        raise Unavailable(f"{what}: its manifest cannot be read") from error
    return found
