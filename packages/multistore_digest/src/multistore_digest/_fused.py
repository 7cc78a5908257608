"""``FusedDigest``: both digests of a stream behind one object like those of hashlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from multistore_digest._choice import PAIRS, PARTS, Stream, has_part, make, status

if TYPE_CHECKING:
    from typing import Self

    from _typeshed import ReadableBuffer

__all__ = ["FusedDigest", "PartDigest"]


class PartDigest:
    """One digest of a part of a stream, computed beside those of the whole: see ``FusedDigest.part``."""

    __slots__ = ("_stream", "name")

    def __init__(self, name: str, stream: Stream) -> None:
        self.name = name
        self._stream = stream

    def hexdigest(self) -> str:
        """Give the digest of what the part has so far, in hexadecimal digits."""
        return self._stream.digest(self.name).hex()


class FusedDigest:
    """Two digests of one stream of bytes: ``names`` is md5 with sha512 or with sha256, in any order.

    Threads may share an object: each ``update`` is taken as a whole.  From 2 KiB on, other threads run meanwhile.
    ``level`` asks for one kernel (``avx512vl``, ``avx2``, ``sha_ni``, or ``hashlib``) where the best is not wanted.
    ValueError for other pairs, and for a kernel that cannot run here.
    """

    __slots__ = ("_stream", "level", "names")

    def __init__(
        self, names: Sequence[str] = ("md5", "sha512"), *, level: str | None = None
    ) -> None:
        sha = PAIRS.get(frozenset(names))
        if sha is None or len(names) != 2:  # noqa: PLR2004  # a pair
            raise ValueError(
                f"md5 with sha512 or md5 with sha256 are wanted, not {', '.join(names)}"
            )
        self.names = tuple(names)
        #: The kernel in use.
        self.level = status(self.names).level if level is None else level
        self._stream = make(sha, self.level)

    def part(self, name: str = "sha256") -> PartDigest | None:
        """Begin a part, one digest of which is computed beside md5 and sha512, for a fraction of its price; None where it cannot be.

        ``name`` is sha256 (with SHA extensions) or md5 (with AVX-512VL); ValueError for others.
        It is cheap for parts that begin at a multiple of 128 bytes, and right for all.
        """
        if name not in PARTS:
            raise ValueError(f"of a part {' or '.join(PARTS)} is wanted, not {name}")
        if "sha512" not in self.names or not has_part(name, self.level):
            return None
        return PartDigest(name, make(*PARTS[name]))

    def update(self, data: ReadableBuffer, part: PartDigest | None = None) -> None:
        """Take the next bytes of a contiguous buffer, and into ``part`` if there is one."""
        if part is None:
            self._stream.update(data)
        else:
            self._stream.update_both(part._stream, data)

    def digest(self, name: str) -> bytes:
        """Give one digest of everything so far; ValueError for a name that is not of the pair."""
        return self._stream.digest(name)

    def hexdigest(self, name: str) -> str:
        """Give one digest of everything so far, in hexadecimal digits."""
        return self._stream.digest(name).hex()

    def copy(self) -> Self:
        """Give an independent object that has seen the same bytes."""
        other = type(self).__new__(type(self))
        other.names, other.level = self.names, self.level
        other._stream = self._stream.copy()
        return other
