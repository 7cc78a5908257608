"""An image that is one object, sent by its commit."""

from __future__ import annotations

from collections.abc import Mapping

from multistore.buffered import BufferedUpload, Identity
from multistore.drivers.swift.container import Container, Head, md5_of
from multistore.drivers.swift.refs import Token
from multistore.drivers.swift.transfer import LONG, Transfer
from multistore.errors import NoSpace
from multistore.model import Stored

__all__ = ["ONLY_NEW", "SingleUpload"]

#: Refuses to replace an object; Ceph's gateway knows nothing of it.
ONLY_NEW = {"If-None-Match": "*"}


class SingleUpload(BufferedUpload):
    """One object, whose bytes Swift compares with their digest."""

    def __init__(
        self, container: Container, token: Token, ref: str, labels: Mapping[str, str]
    ) -> None:
        super().__init__(str(token), Identity(token.id, token.name, ref))
        self._container = container
        self._name = token.name
        self._fields = {**container.made(token, labels), **ONLY_NEW}
        self._what = f"the object {token.name!r}"
        self._transfer = Transfer(container.swift.identity)

    def start(self, size: int) -> None:
        """Get ready for so many bytes: those of a large object may take a while to come."""
        if size >= LONG:
            self._transfer.begin()

    def commit(self, size: int, digests: Mapping[str, str]) -> Stored:
        stored = super().commit(size, digests)
        self._transfer.end()
        return stored

    def abort(self) -> None:
        super().abort()
        self._container.undo()
        self._transfer.end()

    def _find(self) -> Head | None:
        return self._container.find(self._name, self._what)

    def _send(self, data: bytes, digests: Mapping[str, str]) -> None:
        fields = {**self._fields, "ETag": digests.get("md5") or md5_of(data)}
        try:
            self._container.put(self._name, self._what, data, fields=fields)
        except NoSpace as error:
            self._container.explain(len(data), error)
            raise

    def _refuses(self) -> bool | None:
        return self._container.swift.server.conditional

    def _learned(self, *, refuses: bool) -> None:
        self._container.swift.server.conditional = refuses
