"""A PostgreSQL server that goes away, comes back, or lets others write first."""

import select
import threading
import time

import psycopg
import pytest

from towline.errors import CommitUnknown, StoreBusy, StoreError, StoreUnreachable
from towline.store.database import Database
from towline.store.postgresql_sql import translated
from towline.testing.postgresql import postgresql_server
from towline.testing.queue import add_flow
from towline.testing.waiting import wait_until


@pytest.fixture
def url(postgresql):
    with postgresql.schema() as url:
        yield url


@pytest.fixture
def database(url):
    database = Database(url, patience_seconds=10)
    yield database
    database.close()


def insert(transaction, key):
    transaction.execute("INSERT INTO meta (key, value) VALUES (?, 'x')", (key,))


def keys(database):
    return {key for (key,) in database.read("SELECT key FROM meta")} - {"schema_version"}


def test_reading_and_writing_go_on_after_the_connections_were_cut(database, postgresql):
    add_flow(database, {"a": []})
    postgresql.cut_connections()
    assert database.read("SELECT count(*) FROM job") == [(1,)]
    postgresql.cut_connections()
    add_flow(database, {"b": []})
    assert database.read("SELECT count(*) FROM job") == [(2,)]


def test_a_connection_lost_inside_a_transaction_changes_nothing(database, postgresql):
    with pytest.raises(StoreUnreachable), database.transaction() as transaction:
        insert(transaction, "first")
        postgresql.cut_connections()
        insert(transaction, "second")
    assert keys(database) == set()


def test_a_connection_lost_before_the_commit_changes_nothing(database, postgresql):
    with pytest.raises(StoreUnreachable, match="Nothing was changed"), database.transaction() as transaction:
        insert(transaction, "first")
        postgresql.cut_connections()
    assert keys(database) == set()


def test_a_commit_whose_answer_was_lost_is_found_to_be_made(database):
    connection = database.dialect.connect()
    database.dialect.begin(connection)
    insert(connection, "kept")
    # The server commits, and the answer never arrives.
    connection.driver.execute("COMMIT")
    connection.close()
    database.dialect.commit(connection)
    assert keys(database) == {"kept"}


def test_a_commit_that_nobody_can_be_asked_about_is_said_to_be_unknown():
    with postgresql_server() as server, server.schema() as url:
        database = Database(url, patience_seconds=0.3)
        try:
            with pytest.raises(CommitUnknown, match="Look before repeating"), database.transaction() as transaction:
                insert(transaction, "who knows")
                server.stop()
            with pytest.raises(StoreUnreachable, match="cannot be reached"):
                database.read("SELECT 1")
            server.start()
            assert database.read("SELECT 1") == [(1,)]
            assert keys(database) == set()
        finally:
            database.close()


def test_a_writer_waits_for_another_one_and_not_for_ever(database, url):
    impatient = Database(url, patience_seconds=0.1)
    with database.transaction() as transaction:
        insert(transaction, "first")
        with pytest.raises(StoreBusy, match="Nothing was changed"), impatient.transaction():
            pass
        assert keys(impatient) == set()  # who reads never waits
    with impatient.transaction() as transaction:
        insert(transaction, "second")
    impatient.close()
    assert keys(database) == {"first", "second"}


def test_a_commit_of_somebody_else_wakes_at_once_and_ones_own_does_not(database, url):
    before = database.data_version()
    with database.transaction() as transaction:
        insert(transaction, "own")
    assert database.data_version() == before
    other = Database(url)

    def write():
        with other.transaction() as transaction:
            insert(transaction, "theirs")

    timer = threading.Timer(0.05, write)
    timer.start()
    started = time.monotonic()
    while database.data_version() == before and time.monotonic() - started < 5:
        select.select(database.file_descriptors(), [], [], 5)
    assert time.monotonic() - started < 1
    timer.join()
    other.close()


def test_an_error_in_what_was_sent_without_waiting_undoes_everything(database):
    (job_id,) = add_flow(database, {"a": []}).values()
    with pytest.raises(StoreError, match="not-null"), database.transaction() as transaction:
        insert(transaction, "first")
        # The journal refuses a line without a job when the transaction ends.
        transaction.note(None, "about nobody")
    assert keys(database) == set()
    with database.transaction() as transaction:
        transaction.note(job_id, "the connection is as good as before")
    assert database.read("SELECT count(*) FROM event WHERE note IS NOT NULL") == [(1,)]


def test_a_library_that_waits_for_every_answer_does_as_well(database, monkeypatch):
    monkeypatch.setattr(psycopg.Pipeline, "is_supported", lambda: False)
    add_flow(database, {"a": [], "b": ["a"]})
    with pytest.raises(StoreError, match="not-null"), database.transaction() as transaction:
        transaction.note(None, "about nobody")
    assert database.read("SELECT count(*) FROM job") == [(2,)]


def test_a_commit_is_on_the_disk_when_it_returns_though_the_turn_ended_before():
    with postgresql_server() as server, server.schema() as url:
        database = Database(url)
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            database.connection.driver.execute(f"ALTER SYSTEM RESET {setting}".encode())
        # The process that writes the log by itself does not come in time.
        database.connection.driver.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        database.connection.driver.execute("SELECT pg_reload_conf()")
        wait_until(lambda: database.read("SHOW fsync") == [("on",)], what="the settings")
        for number in range(5):
            with database.transaction() as transaction:
                insert(transaction, f"key {number}")
                assert transaction.execute("SHOW synchronous_commit").fetchone() == ("off",)
                (before,) = transaction.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
            assert database.read("SELECT pg_current_wal_flush_lsn() > CAST(? AS pg_lsn)", (before,)) == [(True,)]
        database.close()


def test_schemas_are_projects_that_do_not_see_each_other(postgresql):
    with postgresql.schema() as one, postgresql.schema() as two:
        first, second = Database(one), Database(two)
        version = second.data_version()
        with first.transaction():
            add_flow(second, {"a": []})  # neither waits for the other
        assert first.read("SELECT count(*) FROM job") == [(0,)]
        assert second.data_version() == version
        first.close()
        second.close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("/postgres?", "/nowhere?"), "createdb"),
        (("host=", "host=/nowhere"), "cannot be reached"),
        (("postgres@", "nobody@"), 'role "nobody" does not exist'),
    ],
)
def test_what_is_wrong_with_a_url_is_said(url, change, message):
    with pytest.raises(StoreError, match=message):
        Database(url.replace(*change))


def test_a_password_is_in_no_message(url):
    with pytest.raises(StoreError) as caught:
        Database(url.replace("postgres@", "postgres:opensesame@").replace("/postgres?", "/nowhere?"))
    assert "opensesame" not in str(caught.value)


def test_texts_that_postgresql_has_no_room_for_are_refused_and_nothing_else_changes(database):
    with pytest.raises(StoreError, match="NUL"), database.transaction() as transaction:
        insert(transaction, "a\0b")
    assert keys(database) == set()


@pytest.mark.parametrize(
    "pattern", ["relax*", "re?ax", "[rx]elax", "[^x]elax", "[!]*", "a.c", "a^b$", "*[*]*", "[a-c]?", "é*"]
)
def test_patterns_select_the_same_names_as_in_sqlite(url, tmp_path, pattern):
    names = ["relax", "relax 2", "xelax", "a.c", "abc", "a^b$", "a*b", "b\\", "!x", "élan", "Relax", "re\nax", ""]
    found = []
    for place in (url, tmp_path / "queue.db"):
        database = Database(place)
        for name in names:
            with database.transaction() as transaction:
                insert(transaction, name)
        found.append(database.read("SELECT key FROM meta WHERE key GLOB ? ORDER BY key", (pattern,)))
        database.close()
    assert found[0] == found[1]


def test_question_marks_in_literals_are_left_alone():
    statement = translated("SELECT '?', 'it''s ?' FROM job WHERE id = ? AND name IS NOT ?")
    assert statement.text == "SELECT '?', 'it''s ?' FROM job WHERE id = $1 AND name IS DISTINCT FROM $2"


def test_a_deadlock_with_a_stranger_is_told_as_busy(database, url):
    add_flow(database, {"a": [], "b": []})
    with psycopg.connect(url.replace("+psycopg", "")) as stranger:
        stranger.execute("UPDATE job SET priority = 1 WHERE id = 1")
        impatient = Database(url, patience_seconds=0.2)
        with pytest.raises(StoreBusy), impatient.transaction() as transaction:
            transaction.execute("UPDATE job SET priority = 2 WHERE id = 1")
        impatient.close()
