"""For drivers: an image that is sent whole, by its commit, to a backend that shows an object from its only request on.

What such an upload has to get right is the same for every object store and stands here once: nothing is there before
the commit, no object is replaced, a lost answer is not taken for another's success, and a server that only says that it
refuses to replace an object is found out.
"""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from multistore.driver import Upload
from multistore.errors import AlreadyExists, Corrupt, SizeMismatch, StoreError, Unavailable
from multistore.model import Stored

__all__ = ["BufferedUpload", "Found", "Identity"]

#: Objects up to this size, in bytes, are sent a second time to find out whether the server refuses to replace them.
_PROBE = 1 << 20


class Found(Protocol):
    """An object that is there: its size in bytes, and the ``Identity.id`` that it keeps of the upload that made it."""

    @property
    def size(self) -> int: ...
    @property
    def made_by(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Identity:
    """An upload: its random ``id``, which the object that it makes keeps, the object's name and its reference."""

    id: str
    name: str
    ref: str

    def settle(self, found: Found, size: int) -> Stored:
        """Judge the object that is in the way: the own one is the success of an earlier attempt.

        AlreadyExists if it is another's, Corrupt if it is the own one with another size.
        """
        if found.made_by != self.id:
            raise AlreadyExists(f"the object {self.name!r} is there already")
        if found.size != size:
            raise Corrupt(f"the object {self.name!r} has {found.size} bytes, not {size}")
        return Stored(self.ref, size)


class BufferedUpload(Upload):
    """Keeps its bytes until the commit, so that before it the backend has nothing of them.

    A driver's own says how to look, how to send, and keeps what is known of the server.
    """

    def __init__(self, token: str, identity: Identity) -> None:
        self.token = token
        self._identity = identity
        self._parts: dict[int, bytes] = {}
        self._stored: Stored | None = None
        self._ended = False
        self._lock = threading.Lock()  # a call that was given up may still run when it is repeated

    # -- of the driver -----------------------------------------------------------------------

    @abstractmethod
    def _find(self) -> Found | None:
        """Look for the object of this name; None if there is none."""

    def _look(self) -> Found | None:
        """Look for it before it is sent to a server that is not known to refuse; as ``_find`` unless said otherwise."""
        return self._find()

    @abstractmethod
    def _send(self, data: bytes, digests: Mapping[str, str]) -> None:
        """Send the object in one request that must not replace another; AlreadyExists where the server refuses."""

    @abstractmethod
    def _refuses(self) -> bool | None:
        """Say whether the server refuses to replace an object; None while that is not known."""

    @abstractmethod
    def _learned(self, *, refuses: bool) -> None:
        """Keep for this process what the server was seen to do."""

    # -- of every upload ---------------------------------------------------------------------

    def write_part(self, index: int, offset: int, data: bytes) -> None:
        """Keep the bytes; there is one part, unless somebody cuts smaller ones."""
        with self._lock:
            self._refuse_ended()
            self._parts[offset] = data

    def commit(self, size: int, digests: Mapping[str, str]) -> Stored:
        """Send all in one request that must not replace an object."""
        with self._lock:
            if self._stored is None:
                self._stored = self._commit(size, digests)
                self._parts.clear()
            return self._stored

    def _commit(self, size: int, digests: Mapping[str, str]) -> Stored:
        self._refuse_ended()
        data = b"".join(data for _, data in sorted(self._parts.items()))
        if len(data) != size:
            raise SizeMismatch(expected=size, actual=len(data))
        if self._refuses() is not True:
            found = self._look()
            if found is not None:
                return self._identity.settle(found, size)
        try:
            self._send(data, digests)
        except AlreadyExists:
            # Perhaps by this upload: the answer to an earlier attempt was lost.
            self._learned(refuses=True)
            found = self._find()
            if found is None:
                raise Unavailable(f"the object {self._identity.name!r} came and went") from None
            return self._identity.settle(found, size)
        if self._refuses() is None and size <= _PROBE:
            self._learn(data, digests)
        return Stored(self._identity.ref, size)

    def _learn(self, data: bytes, digests: Mapping[str, str]) -> None:
        """Send the same once more, once for each process: a server that knows the condition refuses it.

        One that does not has replaced an object, which nobody has heard of yet, by itself.
        """
        try:
            self._send(data, digests)
        except AlreadyExists:
            self._learned(refuses=True)
        except Corrupt:
            raise  # it has replaced the object by other bytes
        except StoreError:
            return  # nothing was learned
        else:
            self._learned(refuses=False)

    def _refuse_ended(self) -> None:
        if self._ended:
            raise Unavailable(f"the upload of {self._identity.name!r} is over")

    def abort(self) -> None:
        """Forget the bytes."""
        with self._lock:
            if self._stored is None:
                self._ended = True
                self._parts.clear()
