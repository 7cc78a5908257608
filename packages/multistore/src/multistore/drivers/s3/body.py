"""The bytes of a part, as botocore takes them without a copy."""

from __future__ import annotations

__all__ = ["Body", "body_of"]

#: Up to this size, in bytes, a request and its body go out together, and no leave is asked for the body.
SMALL = 64 << 10
#: How many bytes are handed to the socket at once; urllib3 asks for 16 KiB, which costs a call each.
_PIECE = 256 << 10


class Body:
    """A file over bytes, which gives views of them: botocore takes no memoryview, and copies bytes.

    ``read`` may give more than it was asked for, up to a piece.
    """

    def __init__(self, data: bytes, sha256: str | None = None) -> None:
        self._view = memoryview(data)
        #: The digest of the bytes, in hexadecimal digits, if it is known.
        self.sha256 = sha256
        self._at = 0

    def __len__(self) -> int:
        return len(self._view)

    def read(self, size: int | None = -1) -> memoryview:
        """Give the next bytes; an empty view at the end."""
        wanted = len(self._view) if size is None or size < 0 else max(size, _PIECE)
        piece = self._view[self._at : self._at + wanted]
        self._at += len(piece)
        return piece

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place, as files do."""
        self._at = (0, self._at, len(self._view))[whence] + offset
        return self._at

    def tell(self) -> int:
        """Say which place the next ``read`` begins at."""
        return self._at


def body_of(data: bytes, sha256: str | None = None) -> bytes | Body:
    """Give what botocore is to send; ``sha256`` is its digest, if it is known."""
    return data if len(data) <= SMALL else Body(data, sha256)
