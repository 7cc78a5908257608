"""The tables of the catalog, and how an older file becomes a newer one."""

from __future__ import annotations

import sqlite3

from multistore.errors import Misconfigured

__all__ = ["APPLICATION", "MIGRATIONS", "check", "prepare"]

#: SQLite's ``application_id`` of a catalog: no other program's database is ever written to.
APPLICATION = 0x6D737472

# ``images.state``: ``present``: visible; ``uploading``: the name is taken by an upload; ``cleaning``: the name is held while
# leftovers are removed; ``deleting``: invisible, its copies are being deleted.
# ``images.owner``: the operation that holds the name, '' for nobody: one writer per image at a time.
# ``copies.gone``: the copy is being deleted.
# ``uploads.state``: intended, began, committing, committed, abandoned.
_FIRST = """
CREATE TABLE images (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('present', 'uploading', 'cleaning', 'deleting')),
    size INTEGER,
    digests TEXT NOT NULL DEFAULT '{}',
    created REAL NOT NULL,
    owner TEXT NOT NULL DEFAULT '',
    since REAL NOT NULL
);
CREATE TABLE copies (
    image INTEGER NOT NULL REFERENCES images (id),
    store TEXT NOT NULL,
    ref TEXT NOT NULL,
    metadata TEXT NOT NULL DEFAULT '{}',
    gone INTEGER NOT NULL DEFAULT 0,
    state TEXT,
    proof TEXT,
    verified REAL,
    proved REAL,
    PRIMARY KEY (image, store),
    UNIQUE (store, ref)
);
CREATE TABLE uploads (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    store TEXT NOT NULL,
    token TEXT,
    state TEXT NOT NULL
        CHECK (state IN ('intended', 'began', 'committing', 'committed', 'abandoned')),
    started REAL NOT NULL,
    owner TEXT NOT NULL
);
CREATE INDEX uploads_by_name ON uploads (name);
CREATE INDEX uploads_by_token ON uploads (store, token);
CREATE INDEX images_unfinished ON images (name) WHERE owner <> '' OR state <> 'present';
CREATE INDEX copies_gone ON copies (image) WHERE gone
"""

#: What makes version n + 1 of version n, as statements; entries are only ever added.
MIGRATIONS: tuple[str, ...] = (_FIRST,)


def check(connection: sqlite3.Connection, path: str) -> int:
    """Give the version of a catalog; Misconfigured if it is newer, or no catalog at all."""
    version, application, tables = _facts(connection)
    if application == APPLICATION:
        if version > len(MIGRATIONS):
            raise Misconfigured(
                f"the catalog {path} has version {version}, this program knows versions up to {len(MIGRATIONS)}:"
                " use the newer program that wrote it",
                setting="catalog",
            )
        return version
    if application or version or tables:
        raise Misconfigured(
            f"{path} is a database of another program: name another file for the catalog",
            setting="catalog",
        )
    return 0


def _facts(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Read version, application and number of tables in one statement: another process may be making them just now."""
    query = (
        "SELECT user_version, application_id, (SELECT count(*) FROM sqlite_master)"
        " FROM pragma_user_version, pragma_application_id"
    )
    version, application, tables = connection.execute(query).fetchone()
    return int(version), int(application), int(tables)


def prepare(
    connection: sqlite3.Connection, path: str, migrations: tuple[str, ...] = MIGRATIONS
) -> None:
    """Create the tables, or bring them up to date, in one transaction."""
    if check(connection, path) >= len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = check(connection, path)  # another process may have been faster
        for statements in migrations[version:]:
            for statement in statements.split(";\n"):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
