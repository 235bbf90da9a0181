"""What the database does when something is wrong with it."""

import sqlite3
import threading

import pytest

from towline.errors import SchemaTooNew, StoreBusy, StoreError, StoreFull
from towline.store import tables
from towline.store.database import Database


@pytest.fixture
def database(tmp_path):
    database = Database(tmp_path / "queue.db", patience_seconds=0.05)
    yield database
    database.close()


def insert(transaction, key):
    transaction.execute("INSERT INTO meta (key, value) VALUES (?, 'x')", (key,))


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_the_tables_can_be_written_for_both_databases(dialect):
    assert sum(statement.startswith("CREATE TABLE") for statement in tables.creation_statements(dialect)) == len(
        tables.metadata.tables
    )


def test_a_database_held_by_another_process_is_busy_and_nothing_changed(database, tmp_path):
    other = sqlite3.connect(tmp_path / "queue.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy, match="Nothing was changed"), database.transaction() as transaction:
        insert(transaction, "k")
    other.execute("ROLLBACK")
    other.close()
    with database.transaction() as transaction:
        insert(transaction, "k")


def test_a_writer_waits_for_another_one_that_is_quick(database, tmp_path):
    database.patience_seconds = 10
    other = sqlite3.connect(tmp_path / "queue.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.05, lambda: other.execute("COMMIT"))
    timer.start()
    with database.transaction() as transaction:
        insert(transaction, "k")
    timer.join()
    other.close()


def test_a_full_disk_is_said_and_work_goes_on_when_there_is_space(database):
    pages = database.read("PRAGMA page_count")[0][0]
    database.connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(StoreFull, match="free some space"), database.transaction() as transaction:
        for number in range(100):
            transaction.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (str(number), "x" * 1000))
    assert database.read("SELECT COUNT(*) FROM meta WHERE key <> 'schema_version'") == [(0,)]
    database.connection.execute("PRAGMA max_page_count = 1000000")
    with database.transaction() as transaction:
        insert(transaction, "k")


def test_a_newer_schema_is_refused(database, tmp_path):
    with database.transaction() as transaction:
        transaction.execute("UPDATE meta SET value = '999' WHERE key = 'schema_version'")
    with pytest.raises(SchemaTooNew, match="schema version 999"):
        Database(tmp_path / "queue.db")


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "queue.db").write_bytes(b"this is not a database at all, whatever it is" * 100)
    with pytest.raises(StoreError, match=r"queue\.db is damaged"):
        Database(tmp_path / "queue.db")


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        Database(tmp_path / "file" / "project" / "queue.db")


def test_another_connection_is_noticed(database, tmp_path):
    version = database.data_version()
    with database.transaction() as transaction:
        insert(transaction, "own")
    assert database.data_version() == version
    other = Database(tmp_path / "queue.db")
    with other.transaction() as transaction:
        insert(transaction, "theirs")
    other.close()
    assert database.data_version() != version


@pytest.mark.parametrize("where", [None, "", "sqlite:///", 3])
def test_what_is_no_place_is_refused_and_makes_no_file(where, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match="no place for a database"):
        Database(where)
    assert list(tmp_path.iterdir()) == []
