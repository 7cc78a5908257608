"""Catalog: what is where, and what is under way, in an SQLite file."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from multistore.catalog.database import Database
from multistore.catalog.operation import Operation
from multistore.catalog.owner import Owners
from multistore.catalog.records import CopyRecord, ImageRecord, UploadRecord
from multistore.model import State, Verdict

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["Catalog"]

#: How many images are read in one transaction.
PAGE = 200


class Catalog:
    """The images that are there, and the uploads that are under way, in the SQLite file ``path``.

    Opening it makes the file, or brings an older one up to date; its directory has to exist.
    Any number of threads and processes of one machine use it at the same time; it is usable after a fork.
    Processes that write have a file each in the directory ``PATH-owners``, which proves that they live.
    A lock held by another process is waited for up to ``busy_timeout`` seconds.
    Without ``durable`` it survives the death of any process, but not a power cut.

    Errors: Unavailable (locked), NoSpace, AccessDenied, Corrupt (a damaged file), Misconfigured (a newer version, or no
    catalog at all).
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        busy_timeout: float = 30.0,
        durable: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.clock = clock
        self.database = Database(path, busy_timeout, durable=durable)
        self.path = self.database.path
        self.owners = Owners(self.path + "-owners")

    def __repr__(self) -> str:
        return f"<Catalog {self.path!r}>"

    # -- images ------------------------------------------------------------------------------

    def image(self, name: str) -> ImageRecord | None:
        """Give the visible image of that name."""
        found = self._page("name = ?", name)
        return found[0] if found else None

    def images(self, prefix: str = "") -> Iterator[ImageRecord]:
        """Give the visible images whose names begin with ``prefix``, by name.

        It reads some at a time, so images that come and go meanwhile may or may not be among them.
        """
        page = self._page("name >= ?", prefix)
        while page:
            for image in page:
                if not image.name.startswith(prefix):
                    return
                yield image
            page = self._page("name > ?", page[-1].name)

    def _page(self, where: str, name: str) -> list[ImageRecord]:
        if not _is_text(name):
            return []
        with self.database.reading() as connection:
            rows = connection.execute(
                f"SELECT id, name, size, digests, created FROM images WHERE {where} AND state = 'present'"  # noqa: S608  # one of three texts above
                f" ORDER BY name LIMIT {PAGE}",
                (name,),
            ).fetchall()
            return [_image(connection, row) for row in rows]

    def refers(self, store: str, ref: str) -> bool:
        """Say whether any image has its copy there."""
        with self.database.reading() as connection:
            query = "SELECT 1 FROM copies WHERE store = ? AND ref = ?"
            return connection.execute(query, (store, ref)).fetchone() is not None

    def record(self, name: str, verdicts: list[Verdict]) -> None:
        """Keep what a verification found of the copies that are still the same."""
        now = self.clock()
        with self.database.writing(durable=False) as connection:
            for found in verdicts:
                connection.execute(
                    "UPDATE copies SET state = ?, proof = ?, verified = ?,"
                    " proved = CASE WHEN ? THEN ? ELSE proved END"
                    " WHERE store = ? AND ref = ? AND image = (SELECT id FROM images WHERE name = ?)",
                    (
                        *(found.state.value, found.proof, now),
                        *(found.state is State.INTACT, now),
                        *(found.store, found.ref, name),
                    ),
                )

    # -- uploads -----------------------------------------------------------------------------

    def uploads(self, name: str | None = None) -> list[UploadRecord]:
        """Give the uploads that are under way or were left behind, of one image or of all, the oldest first."""
        with self.database.reading() as connection:
            rows = connection.execute(
                "SELECT key, name, store, token, state, started, owner FROM uploads"
                " WHERE ? IS NULL OR name = ? ORDER BY key",
                (name, name),
            ).fetchall()
        return [self._upload(row) for row in rows]

    def _upload(self, row: tuple[int, str, str, str | None, str, float, str]) -> UploadRecord:
        return UploadRecord(*row, self.owners.alive(row[-1]))

    def knows(self, store: str, token: str) -> bool:
        """Say whether an upload of that token is on record."""
        with self.database.reading() as connection:
            query = "SELECT 1 FROM uploads WHERE store = ? AND token = ?"
            return connection.execute(query, (store, token)).fetchone() is not None

    def unfinished(self) -> list[str]:
        """Give the names of images with anything to finish or to clean up, live ones included."""
        with self.database.reading() as connection:
            rows = connection.execute(
                "SELECT name FROM uploads UNION SELECT name FROM images WHERE owner <> '' OR state <> 'present'"
                " UNION SELECT name FROM images JOIN copies ON image = id WHERE gone"
            ).fetchall()
        return [name for (name,) in rows]

    def deleting(self, name: str) -> list[tuple[str, bool | None]]:
        """Give the copies that are to be deleted: the store of each, and whether somebody is at it."""
        with self.database.reading() as connection:
            rows = connection.execute(
                "SELECT store, owner FROM images JOIN copies ON image = id WHERE name = ? AND gone",
                (name,),
            ).fetchall()
        return [(store, self.owners.alive(owner)) for store, owner in rows]

    def operation(self) -> Operation:
        """Begin to change an image: a context manager, and a journal for ``Store.put`` and ``Fleet.put``."""
        return Operation(self.database, self.owners, self.clock)

    def sweep_owners(self) -> None:
        """Remove the files of dead processes that nothing on record speaks of."""
        with self.database.reading() as connection:
            rows = connection.execute(
                "SELECT owner FROM uploads UNION SELECT owner FROM images WHERE owner <> ''"
            ).fetchall()
        self.owners.sweep({owner for (owner,) in rows})

    # -- the catalog itself ------------------------------------------------------------------

    def close(self) -> None:
        """Close the connections and give up this process's file; idempotent."""
        self.database.close()
        self.owners.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _image(connection: sqlite3.Connection, row: tuple[int, str, int, str, float]) -> ImageRecord:
    key, name, size, digests, created = row
    rows = connection.execute(
        "SELECT store, ref, metadata, state, proof, verified, proved FROM copies"
        " WHERE image = ? AND NOT gone ORDER BY rowid",
        (key,),
    )
    copies = {each[0]: _copy(*each) for each in rows}
    return ImageRecord(
        name, size, MappingProxyType(json.loads(digests)), created, MappingProxyType(copies)
    )


def _copy(store: str, ref: str, metadata: str, state: str | None, *found: Any) -> CopyRecord:
    known = None if state is None else State(state)
    return CopyRecord(store, ref, MappingProxyType(json.loads(metadata)), known, *found)


def _is_text(name: str) -> bool:
    """Say whether SQLite can keep it: half a surrogate pair is no text."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
