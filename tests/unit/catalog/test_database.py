"""The file below the catalog: versions, strangers, damage, locks, full disks, threads and forks."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

import pytest
from faults.killing import ended, forked, lines_of
from multistore import AccessDenied, Corrupt, Misconfigured, NoSpace, StoreError, Unavailable
from multistore.catalog import Catalog
from multistore.catalog.schema import APPLICATION, MIGRATIONS, prepare


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalog.db"


def in_child(action: object) -> None:
    """Run an action in a forked child; what it raises fails the test."""
    assert callable(action)
    lines_of(action)


def hold(catalog: Catalog, name: str) -> None:
    with catalog.operation() as operation:
        operation.hold(name, state="uploading")


def fill(catalog: Catalog) -> None:
    for number in range(1000):
        catalog.operation().hold(f"{number:0200}", state="uploading")


# -- versions ------------------------------------------------------------------------------------


def test_a_new_catalog_is_made_in_wal_mode_with_its_version(path: Path) -> None:
    Catalog(path).close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_newer_catalog_is_refused_and_left_as_it_is(path: Path) -> None:
    Catalog(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(Misconfigured, match=r"version 99.*newer program") as caught:
        Catalog(path)
    assert caught.value.setting == "catalog"
    assert path.read_bytes() == before


def test_another_programs_database_is_refused_and_left_as_it_is(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(Misconfigured, match="another program"):
        Catalog(path)
    assert path.read_bytes() == before


def test_an_older_catalog_is_migrated_and_keeps_its_rows(path: Path) -> None:
    Catalog(path).close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(
        "INSERT INTO images (name, state, created, since) VALUES ('x', 'present', 1, 1)"
    )
    more = "ALTER TABLE images ADD COLUMN note TEXT;\nUPDATE images SET note = 'moved'"
    prepare(connection, str(path), (*MIGRATIONS, more))
    assert connection.execute("SELECT name, note FROM images").fetchall() == [("x", "moved")]
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 1,)
    connection.close()


def test_a_migration_that_fails_changes_nothing(path: Path) -> None:
    Catalog(path).close()
    connection = sqlite3.connect(path, isolation_level=None)
    bad = "ALTER TABLE images ADD COLUMN note TEXT;\nUPDATE nonsense SET note = 1"
    with pytest.raises(sqlite3.OperationalError):
        prepare(connection, str(path), (*MIGRATIONS, bad))
    assert not connection.in_transaction
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(images)")]
    assert "note" not in columns
    connection.close()


def test_processes_that_make_the_same_catalog_at_once_all_succeed(path: Path) -> None:
    def child() -> bytes:
        hold(Catalog(path, durable=False), str(os.getpid()))
        return b"done"

    children = [forked(child) for _ in range(6)]
    assert [ended(*each) for each in children] == [(b"done", False)] * 6


# -- places and damage ---------------------------------------------------------------------------


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"there is no directory .*/nowhere"):
        Catalog(tmp_path / "nowhere" / "catalog.db")


def test_a_directory_is_no_catalog(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="is a directory"):
        Catalog(tmp_path)


@pytest.mark.parametrize("bad", ["", ":memory:", "a\0b"])
def test_a_catalog_needs_a_file(bad: str) -> None:
    with pytest.raises(Misconfigured, match="give it a path"):
        Catalog(bad)


def test_a_file_of_something_else_is_corrupt(path: Path) -> None:
    path.write_bytes(b"no database " * 500)
    with pytest.raises(Corrupt, match="damaged"):
        Catalog(path)


def test_a_damaged_catalog_is_corrupt(path: Path) -> None:
    with Catalog(path, durable=False) as catalog:
        for number in range(100):
            with catalog.database.writing() as connection:
                connection.execute(
                    "INSERT INTO images (name, state, created, since) VALUES (?, 'present', 1, 1)",
                    (f"{number:040}" * 20,),
                )
    data = bytearray(path.read_bytes())
    data[4096 * 2 :] = os.urandom(len(data) - 4096 * 2)
    path.write_bytes(data)
    with pytest.raises(Corrupt, match="restore it from a copy"), Catalog(path) as catalog:
        list(catalog.images())


def test_a_full_disk_is_no_space_and_the_catalog_goes_on_afterwards(path: Path) -> None:
    with Catalog(path, durable=False) as catalog:
        with catalog.database.reading() as connection:
            pass
        connection.execute("PRAGMA max_page_count = 1")  # the one idle connection
        with pytest.raises(NoSpace, match="disk is full; make room"):
            fill(catalog)
        connection.execute("PRAGMA max_page_count = 1000000")
        hold(catalog, "fits again")
        assert catalog.image("fits again") is None


def test_a_catalog_that_may_not_be_written_is_access_denied(path: Path) -> None:
    with Catalog(path) as catalog:
        with catalog.database.reading() as connection:
            pass
        connection.execute("PRAGMA query_only = ON")
        with pytest.raises(AccessDenied, match="must be writable"):
            hold(catalog, "x")
        assert catalog.image("x") is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written_is_access_denied(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    with pytest.raises(AccessDenied):
        Catalog(closed / "catalog.db")


def test_owners_need_a_directory_of_their_own(path: Path) -> None:
    Path(f"{path}-owners").write_bytes(b"in the way")
    with Catalog(path) as catalog, pytest.raises(StoreError, match="beside the catalog"):
        catalog.operation()


# -- others --------------------------------------------------------------------------------------


def test_a_catalog_that_stays_locked_is_unavailable(path: Path) -> None:
    with Catalog(path, busy_timeout=0.05) as catalog:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked by another program") as caught:
            hold(catalog, "x")
        assert caught.value.retryable
        assert list(catalog.images()) == []  # readers do not wait for a writer
        other.execute("ROLLBACK")
        other.close()
        hold(catalog, "x")


def test_threads_share_a_catalog(path: Path) -> None:
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(10):
                hold(catalog, f"{number}-{turn}")
                assert catalog.image("x") is None
        except BaseException as error:
            errors.append(error)

    with Catalog(path, durable=False) as catalog:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(15)
        assert errors == []
        assert catalog.unfinished() == []


def test_a_child_inherits_no_connection_and_uses_the_catalog(path: Path) -> None:
    def child() -> None:
        links = {os.readlink(f"/proc/self/fd/{each.name}") for each in os.scandir("/proc/self/fd")
                 if os.path.exists(each.path)}  # fmt: skip
        assert not [link for link in links if "catalog.db" in link]
        hold(catalog, "of the child")
        with catalog.operation() as operation:
            assert operation.owner.split()[4] == str(os.getpid())
        catalog.close()

    with Catalog(path) as catalog, catalog.operation() as operation:
        operation.hold("of the parent", state="uploading")
        in_child(child)
        assert catalog.owners.alive(operation.owner) is True
        operation.release()


def test_a_fork_waits_for_the_transaction_of_another_thread(path: Path) -> None:
    inside, leave = threading.Event(), threading.Event()

    def write() -> None:
        with catalog.database.writing() as connection:
            connection.execute(
                "INSERT INTO images (name, state, created, since) VALUES ('x', 'present', 1, 1)"
            )
            inside.set()
            leave.wait(10)

    def child() -> None:
        with catalog.database.reading() as connection:
            assert connection.execute("SELECT name FROM images").fetchall() == [("x",)]

    with Catalog(path) as catalog:
        thread = threading.Thread(target=write)
        thread.start()
        assert inside.wait(10)
        timer = threading.Timer(0.1, leave.set)
        timer.start()
        in_child(child)
        assert leave.is_set()
        thread.join(10)
        timer.join(10)


def test_a_closed_catalog_can_be_used_again_and_leaves_nothing(path: Path) -> None:
    catalog = Catalog(path)
    hold(catalog, "x")
    catalog.close()
    catalog.close()
    hold(catalog, "y")
    catalog.close()
    assert sorted(os.listdir(path.parent)) == ["catalog.db", "catalog.db-owners"]
    assert os.listdir(f"{path}-owners") == []
