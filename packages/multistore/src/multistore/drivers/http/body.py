"""The bytes of an answer, with proof that they are all: RFC 9112, section 6 and 7.

Only an announced length or a last chunk proves an end; an answer that ends with its connection proves nothing on
plain TCP, and is taken as it comes (over TLS its end must be announced by close_notify).
Done here, and not by a library, because the end of the body is what this driver vouches for: lines are bounded, sizes
are plain hexadecimal, and nothing that was cut passes for whole.
"""

from __future__ import annotations

import re

from multistore.drivers.http.wire import Wire
from multistore.errors import Unavailable

__all__ = ["Body"]

_LINE = 8 * 1024
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")


class Body:
    """What follows the head of an answer.

    ``length`` is what was announced, None for a chunked body or one that ends with the connection.
    ``ended`` is true once all of it was read; ``reusable`` if the connection can then serve another request.
    """

    def __init__(self, wire: Wire, *, length: int | None, chunked: bool, where: str) -> None:
        self.wire = wire
        self.length = None if chunked else length
        self.chunked = chunked
        self.where = where
        self.got = 0
        self.reusable = chunked or length is not None
        self.ended = not chunked and length == 0
        self._left = 0 if chunked else length  # of the chunk, or of all; None: until the end

    @property
    def proven(self) -> bool:
        """Say whether the end of the body was announced, so that ``got`` is its size once it ended."""
        return self.reusable

    def read(self, most: int) -> bytes:
        """Give the next bytes, at most so many, as they come; empty at the end.

        Unavailable if the connection ends first.
        """
        if self.ended:
            return b""
        if self.chunked and self._left == 0:
            self._left = self._chunk()
            if self._left == 0:
                self._trailers()
                self.ended = True
                return b""
        data = self.wire.file.read1(most if self._left is None else min(most, self._left))
        if not data:
            if self._left is None:
                self.ended = True
                return b""
            raise self._cut()
        self._count(len(data))
        return data

    def _count(self, size: int) -> None:
        self.got += size
        self.wire.body += size
        if self._left is not None:
            self._left -= size
            if self._left == 0:
                if self.chunked:
                    if self.wire.file.read(2) != b"\r\n":
                        raise self._cut()
                else:
                    self.ended = True

    def _chunk(self) -> int:
        line = self._line()
        size = line.partition(b";")[0].strip(b" \t\r\n")
        if not _SIZE.fullmatch(size):
            raise Unavailable(f"{self.where}: the server sent a chunk without a size")
        return int(size, 16)

    def _trailers(self) -> None:
        while self._line().strip(b"\r\n"):
            pass  # bounded by the wire: framing without data ends in Flood

    def _line(self) -> bytes:
        line = self.wire.file.readline(_LINE)
        if not line.endswith(b"\n"):
            if len(line) == _LINE:
                raise Unavailable(f"{self.where}: the server sent an endless chunk line")
            raise self._cut()
        return line

    def _cut(self) -> Unavailable:
        of = "" if self.length is None else f" of {self.length}"
        return Unavailable(f"{self.where}: the server broke off after {self.got} bytes{of}")
