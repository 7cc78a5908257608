"""An image that is sent by its commit: what every such upload has to get right, over a server of a few lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from multistore.buffered import BufferedUpload, Identity
from multistore.errors import AlreadyExists, Corrupt, SizeMismatch, StoreError, Unavailable


@dataclass
class Object:
    """What the server has of one."""

    size: int
    made_by: str | None


@dataclass
class Server:
    """One that heeds the condition or not; of each request ``trouble`` says what comes instead of its answer."""

    heeds: bool = True
    known: bool | None = None
    objects: dict[str, Object] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    trouble: list[StoreError | None] = field(default_factory=list)


class Sent(BufferedUpload):
    """An upload to it."""

    def __init__(self, server: Server, name: str, own: str) -> None:
        super().__init__(f"token-{own}", Identity(own, name, f"x://{name}"))
        self._server, self._name, self._own = server, name, own

    def _find(self) -> Object | None:
        self._server.requests.append("look")
        return self._server.objects.get(self._name)

    def _send(self, data: bytes, digests: Mapping[str, str]) -> None:
        server = self._server
        server.requests.append("put")
        if server.heeds and self._name in server.objects:
            raise AlreadyExists(self._name)
        server.objects[self._name] = Object(len(data), self._own)
        trouble = server.trouble.pop(0) if server.trouble else None
        if trouble is not None:
            raise trouble

    def _refuses(self) -> bool | None:
        return self._server.known

    def _learned(self, *, refuses: bool) -> None:
        self._server.known = refuses


def _upload(server: Server, own: str = "own", *, data: bytes = b"data") -> Sent:
    upload = Sent(server, "image", own)
    half = len(data) // 2
    upload.write_part(0, half, data[half:])
    upload.write_part(0, 0, data[:half])
    return upload


def test_nothing_is_sent_before_the_commit() -> None:
    server = Server()
    upload = _upload(server)
    assert not server.requests
    upload.abort()
    with pytest.raises(Unavailable):
        upload.commit(4, {})
    with pytest.raises(Unavailable):
        upload.write_part(0, 0, b"x")
    assert not server.requests


def test_a_wrong_size_is_not_sent() -> None:
    server = Server()
    with pytest.raises(SizeMismatch):
        _upload(server).commit(5, {})
    assert not server.requests


@pytest.mark.parametrize("heeds", [True, False])
def test_what_the_server_does_is_learned_once(heeds: bool) -> None:
    """From then on a server that refuses is not looked at before."""
    server = Server(heeds)
    assert _upload(server).commit(4, {}).ref == "x://image"
    assert server.known is heeds
    server.objects.clear()
    server.requests.clear()
    _upload(server).commit(4, {})
    assert server.requests == (["put"] if heeds else ["look", "put"])


def test_a_large_image_teaches_nothing() -> None:
    """It is not sent twice."""
    server = Server()
    size = (1 << 20) + 1
    _upload(server, data=bytes(size)).commit(size, {})
    assert server.known is None
    assert server.requests == ["look", "put"]


@pytest.mark.parametrize("known", [None, False, True])
def test_the_image_of_another_is_in_the_way(known: bool | None) -> None:
    server = Server(known=known)
    _upload(server, "other").commit(4, {})
    with pytest.raises(AlreadyExists):
        _upload(server).commit(4, {})
    assert server.objects["image"].made_by == "other"


@pytest.mark.parametrize("known", [None, False, True])
def test_a_repeated_commit_finds_its_own_success(known: bool | None) -> None:
    """The answer to the first was lost; an abort after it forgets nothing."""
    server = Server(known=known, trouble=[Unavailable("lost")])
    upload = _upload(server)
    with pytest.raises(Unavailable):
        upload.commit(4, {})
    stored = upload.commit(4, {})
    upload.abort()
    assert upload.commit(4, {}) == stored


def test_the_own_image_with_another_size_is_corrupt() -> None:
    server = Server(objects={"image": Object(3, "own")})
    with pytest.raises(Corrupt):
        _upload(server).commit(4, {})


def test_an_image_that_was_in_the_way_and_is_gone_is_tried_again() -> None:
    server = Server(known=True, trouble=[AlreadyExists("image")])
    upload = _upload(server)
    find, upload._find = upload._find, lambda: None  # type: ignore[method-assign]
    with pytest.raises(Unavailable, match="came and went"):
        upload.commit(4, {})
    upload._find = find  # type: ignore[method-assign]
    upload.commit(4, {})


def test_nothing_is_learned_from_trouble() -> None:
    """The image is there by the first of the two requests."""
    server = Server(heeds=False, trouble=[None, Unavailable("lost")])
    _upload(server).commit(4, {})
    assert server.known is None


def test_other_bytes_in_the_place_of_the_image_are_no_success() -> None:
    """The second of the two requests has replaced it."""
    server = Server(heeds=False, trouble=[None, Corrupt("other bytes")])
    with pytest.raises(Corrupt):
        _upload(server).commit(4, {})
