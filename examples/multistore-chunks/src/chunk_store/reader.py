"""Reading: the chunks of a directory, and zeros between them."""

import json
import os
from collections.abc import Iterator
from io import FileIO
from urllib.parse import unquote

from multistore.driver import Reader
from multistore.errors import Corrupt
from multistore.model import Info

from chunk_store.files import translated
from chunk_store.refs import name_of

__all__ = ["ChunkReader"]

#: How much is read, and held, at once.
_PIECE = 1 << 20


class ChunkReader(Reader):
    """The directory of an image, held open: a successor of the same name is another directory."""

    def __init__(self, ref: str, directory: int) -> None:
        self._directory = directory
        try:
            with translated(ref), self._open("manifest") as file:
                manifest = json.loads(file.read())
                modified = os.fstat(file.fileno()).st_mtime
            size, token, self._parts = manifest["size"], manifest["token"], manifest["parts"]
        except (ValueError, KeyError, TypeError) as error:
            raise Corrupt(f"{ref}: its manifest is damaged") from error
        self._info = Info(ref, size, token, unquote(name_of(token)), modified)
        self._closed = False

    @property
    def info(self) -> Info:
        return self._info

    def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        size = self._info.size or 0
        return self._pieces(offset, size if length is None else min(size, offset + length))

    def _pieces(self, at: int, end: int) -> Iterator[bytes]:
        for start, count in [*self._parts, [end, 0]]:
            yield from _zeros(min(start, end) - at)
            at = max(at, min(start, end))
            if at < min(start + count, end):
                yield from self._part(start, at - start, min(start + count, end) - at)
                at = min(start + count, end)

    def _part(self, start: int, offset: int, count: int) -> Iterator[bytes]:
        with translated(self._info.ref), self._open(str(start)) as file:
            file.seek(offset)
            while count:
                piece = file.read(min(count, _PIECE))
                if not piece:
                    raise Corrupt(f"{self._info.ref}: the chunk at {start} is too short")
                count -= len(piece)
                yield piece

    def _open(self, name: str) -> FileIO:
        flags = os.O_RDONLY | os.O_CLOEXEC
        return FileIO(os.open(name, flags, dir_fd=self._directory), "rb")

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            os.close(self._directory)


def _zeros(count: int) -> Iterator[bytes]:
    while count > 0:
        yield bytes(min(count, _PIECE))
        count -= _PIECE
