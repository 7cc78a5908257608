"""One change of one image: holds its name, writes down every upload before it happens, and makes the result visible."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multistore.catalog.database import Database
from multistore.catalog.owner import NOBODY, Owners, describe
from multistore.errors import AlreadyExists, InUse, InvalidRef, Unavailable, Unsupported
from multistore.model import Receipt, Stored

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["Held", "Operation"]

#: For how long a process of another machine, of which nothing can be known, is taken to be alive, in seconds: longer than
#: any upload takes.
GRACE = 86400.0


@dataclass(frozen=True, slots=True)
class Held:
    """The image whose name an operation holds: ``state`` as in the table, None if there is none."""

    id: int
    name: str
    state: str


class Operation:
    """A change of one image by one thread: one writer per image at a time.

    It is a ``Journal``: Fleet and Store tell it what they do.
    ``hold`` comes first.
    When it ends, whatever it left behind is anybody's to clean up.
    """

    def __init__(self, database: Database, owners: Owners, clock: Callable[[], float]) -> None:
        self._database = database
        self._owners = owners
        self._clock = clock
        self.owner = owners.start()
        self.held: Held | None = None
        self._replacing = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self.held is not None:
                self.release()
        except Exception as trouble:
            if error is None:
                raise
            error.add_note(f"the name is not given free ({type(trouble).__name__})")
        finally:
            self._owners.end(self.owner)

    # -- the name ----------------------------------------------------------------------------

    def hold(self, name: str, *, state: str | None = None, grace: float = GRACE) -> Held | None:
        """Take the name, from nobody or from a dead owner; InUse if somebody has it.

        A name that is not there is made, invisible, in ``state``; without one, None is given.
        The outcome is the image as it was found, so that leftovers can be dealt with.
        """
        _check_name(name)
        now = self._clock()
        with self._database.writing(durable=False) as connection:
            row = connection.execute(
                "SELECT id, state, owner, since FROM images WHERE name = ?", (name,)
            ).fetchone()
            if row is None:
                if state is None:
                    return None
                made = connection.execute(
                    "INSERT INTO images (name, state, created, owner, since) VALUES (?, ?, ?, ?, ?)",
                    (name, state, now, self.owner, now),
                )
                held = Held(made.lastrowid or 0, name, state)
            else:
                key, found, owner, since = row
                self._check_free(name, found, owner, now - since < grace)
                if found in ("uploading", "cleaning") and state is not None:
                    found = state
                connection.execute(
                    "UPDATE images SET state = ?, owner = ?, since = ? WHERE id = ?",
                    (found, self.owner, now, key),
                )
                held = Held(key, name, found)
        self.held = held
        return held

    def _check_free(self, name: str, state: str, owner: str, young: bool) -> None:
        alive = self._owners.alive(owner)
        if alive is False or (alive is None and not young):
            return
        who = describe(owner)
        if state == "uploading":
            raise AlreadyExists(f"{name!r} is being put by {who}")
        doing = {"cleaning": "cleaned up", "deleting": "deleted"}.get(state, "changed")
        raise InUse(f"{name!r} is just being {doing} by {who}: try again later")

    def release(self) -> None:
        """Give the name up: an image that never became visible is gone, any other stays as it is."""
        held = self._holding()
        with self._database.writing(durable=False) as connection:
            connection.execute(
                "UPDATE uploads SET state = 'abandoned', owner = ? WHERE owner = ?",
                (NOBODY, self.owner),
            )
            connection.execute(
                "DELETE FROM images WHERE id = ? AND owner = ? AND state <> 'present'"
                " AND NOT EXISTS (SELECT 1 FROM copies WHERE image = id)",
                (held.id, self.owner),
            )
            connection.execute(
                "UPDATE images SET owner = ? WHERE id = ? AND owner = ?",
                (NOBODY, held.id, self.owner),
            )
        self.held = None

    def _holding(self) -> Held:
        if self.held is None:
            raise RuntimeError("hold() comes first")
        return self.held

    # -- the journal -------------------------------------------------------------------------

    def replacing(self) -> None:
        """Say that the uploads to come replace copies on record."""
        self._replacing = True

    def intend(self, store: str, name: str) -> int:
        """Write down that an upload is about to begin; whether a power cut undoes that does not matter yet."""
        held = self._holding()
        with self._database.writing(durable=False) as connection:
            self._check_held(connection)
            query = "SELECT 1 FROM copies WHERE image = ? AND store = ?"
            there = connection.execute(query, (held.id, store)).fetchone()
            if there is not None and not self._replacing:
                raise AlreadyExists(f"{name!r} has a copy in the store {store!r} already")
            made = connection.execute(
                "INSERT INTO uploads (name, store, state, started, owner) VALUES (?, ?, ?, ?, ?)",
                (held.name, store, "intended", self._clock(), self.owner),
            )
            return made.lastrowid or 0

    def began(self, key: int, token: str) -> None:
        """Write the token down, durably: the next thing is the first byte."""
        self._update(key, "state = 'began', token = ?", token, durable=True)

    def committing(self, key: int, size: int, digests: Mapping[str, str]) -> None:
        """Write down that publishing is next: for people; recovery asks the driver."""
        self._update(key, "state = 'committing'")

    def committed(self, key: int, stored: Stored) -> None:
        """Write down that the object is published: for people; ``publish`` makes it count."""
        self._update(key, "state = 'committed'")

    def aborted(self, key: int) -> None:
        """Forget an upload of which nothing is left."""
        self.forget(key)

    def abandoned(self, key: int) -> None:
        """Leave an upload to garbage collection."""
        self._update(key, "state = 'abandoned', owner = ?", NOBODY)

    def _update(self, key: int, change: str, *values: str, durable: bool = False) -> None:
        with self._database.writing(durable=durable) as connection:
            done = connection.execute(
                f"UPDATE uploads SET {change} WHERE key = ?",  # noqa: S608  # one of the texts above
                (*values, key),
            )
            if done.rowcount != 1:
                raise self._lost()

    def forget(self, key: int) -> None:
        """Strike an upload off the record."""
        with self._database.writing(durable=False) as connection:
            connection.execute("DELETE FROM uploads WHERE key = ?", (key,))

    # -- results -----------------------------------------------------------------------------

    def publish(self, size: int, digests: Mapping[str, str], copies: Iterable[Receipt]) -> None:
        """Make the image visible, with these copies, and strike their uploads off: all of it or nothing."""
        held = self._holding()
        with self._database.writing() as connection:
            self._check_held(connection)
            connection.execute(
                "UPDATE images SET state = 'present', owner = ?, size = ?, digests = ?, created = ? WHERE id = ?",
                (NOBODY, size, json.dumps(dict(digests)), self._clock(), held.id),
            )
            self._add(connection, copies)
        self.held = None

    def add(self, copies: Iterable[Receipt]) -> None:
        """Record further copies, or new ones in place of others, of the image that is held."""
        with self._database.writing() as connection:
            self._check_held(connection)
            self._add(connection, copies)

    def _add(self, connection: sqlite3.Connection, copies: Iterable[Receipt]) -> None:
        held = self._holding()
        for copy in copies:
            connection.execute(
                "DELETE FROM copies WHERE image = ? AND store = ?", (held.id, copy.store)
            )
            try:
                connection.execute(
                    "INSERT INTO copies (image, store, ref, metadata) VALUES (?, ?, ?, ?)",
                    (held.id, copy.store, copy.ref, _json(copy)),
                )
            except sqlite3.IntegrityError:
                what = f"the store {copy.store!r} gave {held.name!r} the place of another image"
                raise AlreadyExists(what) from None
            connection.execute(
                "DELETE FROM uploads WHERE owner = ? AND store = ?", (self.owner, copy.store)
            )

    def reuse(self) -> None:
        """Turn the name of a deleted image into that of an upload; InUse while a copy is left."""
        held = self._holding()
        with self._database.writing(durable=False) as connection:
            self._check_held(connection)
            done = connection.execute(
                "UPDATE images SET state = 'uploading' WHERE id = ?"
                " AND NOT EXISTS (SELECT 1 FROM copies WHERE image = id)",
                (held.id,),
            )
            if done.rowcount != 1:
                raise InUse(f"{held.name!r} is not completely deleted yet: try again later")
        self.held = Held(held.id, held.name, "uploading")

    # -- deleting ----------------------------------------------------------------------------

    def mark(self, stores: Iterable[str] | None) -> None:
        """Make the image, or its copies in these stores, invisible: they will be deleted."""
        held = self._holding()
        with self._database.writing() as connection:
            self._check_held(connection)
            if stores is None:
                connection.execute("UPDATE images SET state = 'deleting' WHERE id = ?", (held.id,))
                connection.execute("UPDATE copies SET gone = 1 WHERE image = ?", (held.id,))
            for store in stores or ():
                connection.execute(
                    "UPDATE copies SET gone = 1 WHERE image = ? AND store = ?", (held.id, store)
                )

    def gone(self) -> dict[str, str]:
        """Give the copies that are to be deleted: references by store."""
        with self._database.reading() as connection:
            query = "SELECT store, ref FROM copies WHERE image = ? AND gone ORDER BY rowid"
            return dict(connection.execute(query, (self._holding().id,)).fetchall())

    def deleted(self, done: Iterable[str], kept: Iterable[str] = ()) -> None:
        """Forget the copies that are deleted; show those again that a store refused to delete.

        An image without any copy left is gone, one that has kept a copy is visible again.
        """
        held = self._holding()
        with self._database.writing(durable=False) as connection:
            self._check_held(connection)
            for store in done:
                connection.execute(
                    "DELETE FROM copies WHERE image = ? AND store = ?", (held.id, store)
                )
            for store in kept:
                connection.execute(
                    "UPDATE copies SET gone = 0 WHERE image = ? AND store = ?", (held.id, store)
                )
            connection.execute(
                "UPDATE images SET state = 'present' WHERE id = ? AND state = 'deleting'"
                " AND EXISTS (SELECT 1 FROM copies WHERE image = id AND NOT gone)",
                (held.id,),
            )

    def _check_held(self, connection: sqlite3.Connection) -> None:
        query = "SELECT 1 FROM images WHERE id = ? AND owner = ?"
        if connection.execute(query, (self._holding().id, self.owner)).fetchone() is None:
            raise self._lost()

    def _lost(self) -> Unavailable:
        name = self.held.name if self.held else "the image"
        return Unavailable(
            f"{name!r} was cleaned up by another process, which took this one for dead: try again"
        )


def _check_name(name: str) -> None:
    if not name:
        raise InvalidRef("an image needs a name", why="empty name")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InvalidRef(f"{name!r} is no name: it cannot be encoded", why="not text") from None
    if "\0" in name:
        raise InvalidRef(f"{name!r} is no name: it holds a NUL", why="NUL in a name")


def _json(copy: Receipt) -> str:
    try:
        return json.dumps(dict(copy.metadata))
    except TypeError:
        raise Unsupported(
            f"the metadata that the store {copy.store!r} keeps with a reference cannot be recorded"
        ) from None
