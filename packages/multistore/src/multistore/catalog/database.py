"""The SQLite file below the catalog: connections, transactions, forks, and errors in our own words."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator

from multistore.catalog.schema import check, prepare
from multistore.errors import (
    AccessDenied,
    Corrupt,
    Misconfigured,
    NoSpace,
    StoreError,
    Unavailable,
)

__all__ = ["Connection", "Database", "watch_forks"]

#: How many idle connections are kept.
KEEP = 4
#: How long a fork waits for transactions of other threads, in seconds.
FORK_PATIENCE = 60.0


class Connection(sqlite3.Connection):
    """A connection that knows whether its commits wait for the disk."""

    durable: bool | None = None

    def sync(self, durable: bool) -> None:
        """Choose whether the next commits wait for the disk; never inside a transaction."""
        if durable is not self.durable:
            self.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self.durable = durable


class _Turn:
    """Somebody's use of a connection."""


class Database:
    """One SQLite file in WAL mode, for many threads and processes.

    A connection serves one transaction at a time.
    SQLite must not see a connection on both sides of a fork, not even an idle one, because its locks are tied to the
    process: so before each fork the transactions of other threads are waited for and all connections are closed.
    """

    def __init__(
        self, path: str | os.PathLike[str], busy_timeout: float, *, durable: bool = True
    ) -> None:
        self.path = os.path.abspath(path)
        if not os.fspath(path) or os.path.basename(self.path) == ":memory:" or "\0" in self.path:
            raise Misconfigured("the catalog is a file: give it a path", setting="catalog")
        self.busy_timeout = busy_timeout
        self.durable = durable
        self._lock = threading.RLock()
        self._gate = threading.Condition(self._lock)
        self._idle: list[Connection] = []
        self._turns: weakref.WeakSet[_Turn] = weakref.WeakSet()
        watch_forks(before=self._before_fork, parent=self._after_fork, child=self._in_child)
        with self.reading():
            pass

    # -- transactions ------------------------------------------------------------------------

    @contextlib.contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[Connection]:
        """Run a transaction that writes.

        ``durable=False`` is atomic and visible to others at once, but a power cut may undo it; the next durable
        transaction makes it durable too.
        """
        with self._transaction("BEGIN IMMEDIATE", durable=durable) as connection:
            yield connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Run a transaction that reads: all statements see one moment."""
        with self._transaction("BEGIN", durable=None) as connection:
            yield connection

    @contextlib.contextmanager
    def _transaction(self, begin: str, *, durable: bool | None) -> Iterator[Connection]:
        with self._errors(), self._turn():
            connection = self._take()
            try:
                if durable is not None and self.durable:
                    connection.sync(durable)
                connection.execute(begin)
                yield connection
                connection.execute("COMMIT")
            finally:
                self._settle(connection)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Be somebody that a fork waits for; an interruption at any line here is forgotten with its frame."""
        turn = _Turn()
        with self._lock:
            self._turns.add(turn)
        try:
            yield
        finally:
            with self._lock:
                self._turns.discard(turn)
                self._gate.notify_all()

    def _settle(self, connection: Connection) -> None:
        """Roll back what was not committed, and keep the connection if it is sound."""
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except BaseException:
            connection.close()
            raise
        with self._lock:
            if len(self._idle) < KEEP:
                self._idle.append(connection)
                return
        connection.close()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._translated(error) from error

    def _translated(self, error: sqlite3.Error) -> StoreError:
        """Say it in our own words, with what to do next."""
        code = getattr(error, "sqlite_errorcode", None) or 0
        what = f"the catalog {self.path}"
        if code == sqlite3.SQLITE_IOERR_SHMSIZE or code & 0xFF == sqlite3.SQLITE_FULL:
            return NoSpace(f"{what} cannot grow: the disk is full; make room and try again")
        match code & 0xFF:
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                return Unavailable(
                    f"{what} was locked by another program for {self.busy_timeout:g} s: try again when it is done"
                )
            case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
                return AccessDenied(
                    f"{what} may not be written: the file and its directory must be writable"
                )
            case sqlite3.SQLITE_CANTOPEN:
                return self._cannot_open(what)
            case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
                return Corrupt(
                    f"{what} is damaged ({error}): put it aside and restore it from a copy"
                )
        return Unavailable(f"{what} does not answer ({type(error).__name__}: {error})")

    def _cannot_open(self, what: str) -> StoreError:
        directory = os.path.dirname(self.path)
        if not os.path.isdir(directory):
            return Misconfigured(
                f"{what} cannot be made: there is no directory {directory}", setting="catalog"
            )
        if os.path.isdir(self.path):
            return Misconfigured(f"{what} is a directory: name a file", setting="catalog")
        return AccessDenied(
            f"{what} cannot be opened: the file and its directory must be readable and writable"
        )

    # -- connections -------------------------------------------------------------------------

    def _take(self) -> Connection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._connect()

    def _connect(self) -> Connection:
        connection = sqlite3.connect(
            self.path,
            timeout=self.busy_timeout,
            isolation_level=None,
            check_same_thread=False,
            factory=Connection,
        )
        try:
            self._set_up(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_up(self, connection: Connection) -> None:
        deadline = time.monotonic() + self.busy_timeout
        while True:
            try:
                check(connection, self.path)
                # The change to WAL does not wait for others as everything else does.
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(f"PRAGMA synchronous = {'FULL' if self.durable else 'OFF'}")
                connection.execute("PRAGMA foreign_keys = ON")
                prepare(connection, self.path)
                return
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() >= deadline:
                    raise
                time.sleep(0.01)

    def close(self) -> None:
        """Close the idle connections; the database may be used again afterwards."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    # -- forks -------------------------------------------------------------------------------

    def _before_fork(self) -> None:
        self._lock.acquire()
        deadline = time.monotonic() + FORK_PATIENCE
        while len(self._turns) and time.monotonic() < deadline:
            self._gate.wait(0.1)
        self.close()

    def _after_fork(self) -> None:
        self._lock.release()

    def _in_child(self) -> None:
        self._lock = threading.RLock()
        self._gate = threading.Condition(self._lock)
        self._turns = weakref.WeakSet()


def watch_forks(
    *,
    before: Callable[[], None] | None = None,
    parent: Callable[[], None] | None = None,
    child: Callable[[], None],
) -> None:
    """Call these methods around each fork, as long as their object lives."""
    if before is not None:
        os.register_at_fork(before=_calling(before))
    if parent is not None:
        os.register_at_fork(after_in_parent=_calling(parent))
    os.register_at_fork(after_in_child=_calling(child))


def _calling(method: Callable[[], None]) -> Callable[[], None]:
    hook = weakref.WeakMethod(method)

    def call() -> None:
        living = hook()
        if living is not None:
            living()

    return call
