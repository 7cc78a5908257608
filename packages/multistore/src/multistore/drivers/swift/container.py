"""One container: its objects, and lists of them that are longer than an answer."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from multistore.drivers.swift.refs import Token
from multistore.drivers.swift.wire import Reply, Swift
from multistore.errors import Misconfigured, NoSpace, NotFound, StoreError, Unavailable
from multistore.model import Info

__all__ = ["Container", "Entry", "Head", "head_of", "md5_of"]

T = TypeVar("T")

#: Says which upload made an object.
_MADE_BY = "X-Object-Meta-Multistore-Upload"
_LABEL = "X-Object-Meta-Multistore-Label-"
#: On a mark: a sweep removes the upload.
_SWEPT = "X-Object-Meta-Multistore-Swept"


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of one object."""

    size: int
    version: str | None
    modified: float | None
    made_by: str | None
    static: bool
    #: Container and prefix of the segments of a dynamic manifest.
    dynamic: tuple[str, str] | None
    #: Whether it is the mark of an upload that a sweep removes.
    swept: bool = False

    def info(self, ref: str, name: str) -> Info:
        """Describe the object as an image."""
        return Info(ref, self.size, self.version, name, self.modified)


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of a list."""

    name: str
    size: int
    version: str | None
    modified: float | None


def md5_of(data: bytes) -> str:
    """Give what Swift calls the ETag of these bytes."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def head_of(reply: Reply, what: str, size: int | None = None) -> Head:
    """Read what an answer says of an object; Unavailable if it does not tell a size."""
    fields = reply.fields
    size = reply.number("content-length") if size is None else size
    if size is None:
        raise Unavailable(f"{what}: Swift does not tell its size")
    manifest = fields.get("x-object-manifest")
    place = None
    if manifest:
        container, _, prefix = unquote(manifest).partition("/")
        place = (container, prefix)
    return Head(
        size,
        fields.get("etag", "").strip('"') or None,
        _time(fields.get("last-modified")),
        fields.get(_MADE_BY.lower()),
        fields.get("x-static-large-object", "").lower() in ("true", "1"),
        place,
        _SWEPT.lower() in fields,
    )


def _time(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, OverflowError):
        return None


class Container:
    """A container of an account; one that is its image's ``own`` goes with what could not become that image."""

    def __init__(self, swift: Swift, name: str, *, create: bool, own: bool = False) -> None:
        self.swift = swift
        self.name = name
        self._create = create
        self._own = own
        self._made = False

    def ask(self, method: str, name: str, what: str, **more: Any) -> Reply:
        """Do one request for an object."""
        return self.swift.ask(method, (self.name, name), what, **more)

    def head(self, name: str, what: str) -> Head:
        """Describe an object; NotFound if it is not there."""
        reply = self.ask("HEAD", name, what)
        manifest = reply.fields.get("x-object-manifest")
        if reply.number("content-length") is None and manifest:
            # Of a dynamic manifest with more segments than a list has, Swift does not tell it.
            place, _, prefix = unquote(manifest).partition("/")
            other = Container(self.swift, place, create=False)
            return head_of(reply, what, sum(each.size for each in other.entries(prefix)))
        return head_of(reply, what)

    def find(self, name: str, what: str) -> Head | None:
        """Describe an object, if it is there."""
        try:
            return self.head(name, what)
        except NotFound:
            return None

    def sweep(self, token: Token, what: str) -> None:
        """Write on the mark of an upload, if it is there, that a sweep removes it; needs no room."""
        fields = {**self.made(token, {}), _SWEPT: "yes"}
        self.ask("POST", token.mark, what, fields=fields, fine=(404,))

    def lives(self, token: Token, what: str) -> bool:
        """Say whether the mark of an upload is there, and no sweep has written on it."""
        reply = self.ask("HEAD", token.mark, what, fields={"X-Newest": "true"}, fine=(404,))
        return reply.status != 404 and not head_of(reply, what).swept  # noqa: PLR2004 - of HTTP

    def delete(self, name: str, what: str) -> None:
        """Remove an object, whether or not it is there."""
        self.ask("DELETE", name, what, fine=(404,))

    def put(
        self,
        name: str,
        what: str,
        data: bytes,
        *,
        fields: Mapping[str, str],
        query: Mapping[str, str] | None = None,
        silence: float = 0.0,
    ) -> Reply:
        """Store an object, in a container that is made if it is missing and may be."""

        def put() -> Reply:
            return self.ask(
                "PUT", name, what, body=data, fields=fields, query=query, silence=silence
            )

        return self.with_container(put)

    def explain(self, size: int, error: NoSpace) -> None:
        """Say so where an object is refused because it is larger than any may be, and not for want of room."""
        largest = self.swift.limit("swift", "max_file_size", size)
        if size > largest:
            raise Misconfigured(
                f"segments of {size} bytes are more than the {largest} that this Swift takes for an object",
                setting="segment_size",
            ) from error

    def with_container(self, work: Callable[[], T]) -> T:
        """Do something that needs the container; Misconfigured if it is missing and must not be made."""
        try:
            return work()
        except NotFound as error:
            there = self.there()
            if not there and not self._create:
                raise Misconfigured(
                    f"the container {self.name!r} is not there: make it, or set 'create_container'",
                    setting="container",
                ) from error
        if not there:
            reply = self.swift.ask("PUT", (self.name,), f"the container {self.name!r}")
            self._made = reply.status == 201  # noqa: PLR2004 - of HTTP; 202 if it was there
        return work()  # if it is there, another has made it since the first attempt

    def there(self) -> bool:
        """Say whether the container is there."""
        reply = self.swift.ask("HEAD", (self.name,), f"the container {self.name!r}", fine=(404,))
        return reply.status != 404  # noqa: PLR2004 - of HTTP

    def undo(self) -> None:
        """Remove the container if it was made for an upload of its image that came to nothing."""
        if self._made:
            self.remove_own()

    def remove_own(self) -> None:
        """Remove a container that is its image's own, if it is empty; what others put there keeps it."""
        if not self._own:
            return
        with contextlib.suppress(StoreError):  # the image is gone, which is what was asked for
            what = f"the container {self.name!r}"
            self.swift.ask("DELETE", (self.name,), what, fine=(404, 409))

    def made(self, token: Token, labels: Mapping[str, str]) -> dict[str, str]:
        """Give the fields that every object of an upload gets."""
        named = {
            f"{_LABEL}{quote(key, safe='')}": quote(text, safe=" ") for key, text in labels.items()
        }
        return {"Content-Type": "application/octet-stream", _MADE_BY: token.id, **named}

    def entries(self, prefix: str = "", what: str = "") -> Iterator[Entry]:
        """List the objects whose names begin with ``prefix``, however many; none if the container is missing."""
        what = what or f"the container {self.name!r}"
        query = {"format": "json", "prefix": prefix}  # a limit above the server's own is refused
        while True:
            reply = self.swift.ask("GET", (self.name,), what, query=query, fine=(404,))
            if reply.status == 404:  # noqa: PLR2004 - of HTTP
                return
            page = _page(reply, what)
            yield from map(_entry, page)
            if not page:
                return
            query["marker"] = str(page[-1]["name"])

    def usage(self) -> tuple[int, int | None]:
        """Give how many bytes the container holds, and how many it may."""
        reply = self.swift.ask("HEAD", (self.name,), f"the container {self.name!r}", fine=(404,))
        return reply.number("x-container-bytes-used") or 0, reply.number(
            "x-container-meta-quota-bytes"
        )


def _page(reply: Reply, what: str) -> list[dict[str, Any]]:
    if not reply.body.strip():
        return []
    try:
        found = json.loads(reply.body)
        return [each for each in found if "name" in each]
    except (ValueError, TypeError) as error:
        raise Unavailable(f"{what}: Swift sent no list") from error


def _entry(found: Mapping[str, Any]) -> Entry:
    modified = None
    with contextlib.suppress(ValueError):
        told = datetime.fromisoformat(str(found.get("last_modified")))
        modified = (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    version = str(found.get("slo_etag") or found.get("hash") or "").strip('"')
    return Entry(str(found["name"]), int(found.get("bytes") or 0), version or None, modified)
