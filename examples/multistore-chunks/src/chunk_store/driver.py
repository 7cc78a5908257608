"""The driver: one directory with images in it."""

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping
from typing import ClassVar
from urllib.parse import quote, unquote

from multistore import errors
from multistore.driver import Driver, Reader, Upload
from multistore.model import Capabilities, Info, Pending, Stored, Usage, Verb

from chunk_store import refs
from chunk_store.files import names, remove, sync, translated
from chunk_store.reader import ChunkReader
from chunk_store.settings import ChunkSettings
from chunk_store.upload import ChunkUpload

__all__ = ["ChunkDriver"]


class ChunkDriver(Driver):
    """One directory with images in it."""

    schemes: ClassVar[tuple[str, ...]] = ("chunks",)
    settings_type = ChunkSettings
    capabilities = Capabilities(
        verbs=Verb.WRITE | Verb.DELETE | Verb.LIST | Verb.USAGE,
        ranged_read=True,
        parallel_reads=4,
        parallel_parts=4,
        sparse=True,
        exclusive_create=True,
    )

    def __init__(self, settings: ChunkSettings) -> None:
        if not settings.path.startswith("/"):
            raise errors.Misconfigured("'path' must be absolute", setting="path")
        self.settings = settings
        self.root = settings.path.rstrip("/")
        self.images = f"{self.root}/images"
        self.staging = f"{self.root}/staging"

    @classmethod
    def settings_from_url(cls, url: str) -> Mapping[str, object]:
        """Read ``chunks:///ROOT``."""
        return {"path": unquote(url.removeprefix(refs.SCHEME))}

    @classmethod
    def parse(cls, text: str) -> refs.ChunkRef:
        return refs.parse(text)

    def prefixes(self) -> tuple[str, ...]:
        return (f"{refs.SCHEME}{quote(self.root)}/",)

    def owns(self, ref: str) -> bool:
        try:
            return self.parse(ref).root == self.root
        except errors.InvalidRef:
            return False

    def check(self) -> None:
        if not os.path.isdir(self.root):
            raise errors.Misconfigured(f"{self.root} is no directory: make it", setting="path")
        with translated(self.root):
            self._prepare()

    def usage(self) -> Usage:
        with translated(self.root):
            disk = os.statvfs(self.root)
        free, total = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
        return Usage(total, total - disk.f_bfree * disk.f_frsize, free)

    # -- reading
    def stat(self, ref: str) -> Info:
        with self.open(ref) as reader:
            return reader.info

    def open(self, ref: str) -> Reader:
        with translated(ref):
            directory = os.open(self._image(ref), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return ChunkReader(ref, directory)
        except BaseException:
            os.close(directory)
            raise

    def list(self) -> Iterator[Info]:
        for encoded in names(self.images):
            ref = f"{self.prefixes()[0]}{encoded}"
            with contextlib.suppress(errors.NotFound):  # deleted since
                yield self.stat(ref)

    # -- writing
    def parts(self, size: int | None) -> Iterator[int]:
        while True:
            yield self.settings.part_size

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        encoded = refs.encode(name)
        if size is not None and size > (self.usage().free or 0):
            raise errors.NoSpace(f"{self.root} has no room for {size} bytes")
        with translated(self.root):
            self._prepare()
            if os.path.exists(f"{self.images}/{encoded}"):
                raise errors.AlreadyExists(f"{name!r} is there already")
            token = f"{secrets.token_hex(8)}.{encoded}"
            os.mkdir(f"{self.staging}/{token}")
        return ChunkUpload(self, token)

    def pending(self) -> Iterator[Pending]:
        for token in names(self.staging):
            with contextlib.suppress(FileNotFoundError):  # finished since
                started = os.stat(f"{self.staging}/{token}").st_mtime
                yield Pending(token, unquote(refs.name_of(token)), started)

    def discard(self, token: str) -> None:
        if not refs.is_token(token):
            return
        gone = token if token.startswith("gone-") else f"gone-{token}"
        with translated(f"upload {token}"):
            # Renamed first: a commit in another process then fails instead of publishing half of it.
            with contextlib.suppress(FileNotFoundError):
                os.rename(f"{self.staging}/{token}", f"{self.staging}/{gone}")
            remove(f"{self.staging}/{gone}")

    def published(self, token: str) -> Stored | None:
        if not refs.is_token(token):
            return None
        ref = f"{self.prefixes()[0]}{refs.name_of(token)}"
        try:
            info = self.stat(ref)
        except errors.NotFound:
            return None
        return Stored(ref, info.size or 0) if info.version == token else None

    def delete(self, ref: str) -> None:
        image = self._image(ref)
        gone = f"{self.staging}/gone-{secrets.token_hex(8)}.{os.path.basename(image)}"
        with translated(ref):
            os.rename(image, gone)
            sync(self.images)
            remove(gone)

    # -- inside
    def _image(self, ref: str) -> str:
        """Give the directory of an image; InvalidRef if the reference points into another store."""
        parsed = self.parse(ref)
        if parsed.root != self.root:
            raise errors.InvalidRef(f"{ref} does not lie in {self.root}", why="another store")
        return f"{self.images}/{refs.encode(parsed.name)}"

    def _prepare(self) -> None:
        for directory in (self.images, self.staging):
            with contextlib.suppress(FileExistsError):
                os.mkdir(directory)
