"""Everything in a queue goes into a backup while others write, and comes back in either kind of database."""

import itertools
import json
import sqlite3
import threading
from pathlib import Path

import pytest

from towline.core.states import JobState
from towline.errors import SchemaTooNew, StoreError
from towline.store import backup
from towline.store.database import Database
from towline.store.job_store import SQLStore
from towline.store.migrations import SCHEMA_VERSION
from towline.testing.queue import add_flow, inconsistencies, put_in_state, put_outcome

DUMP = Path(__file__).parents[2] / "data" / "schema_1.sql"


@pytest.fixture
def database(queue_place):
    database = Database(queue_place)
    yield database
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def other(request, tmp_path):
    """Another database, of the same kind and of the other one."""
    if request.param == "sqlite":
        database = Database(tmp_path / "other" / "queue.db")
        yield database
        database.close()
        return
    with request.getfixturevalue("postgresql").schema() as url:
        database = Database(url)
        yield database
        database.close()


def fill(database):
    jobs = add_flow(database, {"it's": [], 'a "b"\n$(c)': ["it's"], "é😀": ["it's"]}, metadata={"k": [1, None, "é"]})
    put_in_state(database, jobs["it's"], JobState.COMPLETED, started_at=0.1 + 0.2, run_dir="/a b/c", exit_code=0)
    put_outcome(database, jobs["it's"], stored_data={"x": 1.5})
    gone = add_flow(database, {"gone": []})
    with database.transaction() as transaction:
        transaction.execute("DELETE FROM job WHERE id = ?", (gone["gone"],))
        transaction.record(gone["gone"], 2, "local", JobState.READY, None)
        transaction.forget_flow(2)
        transaction.execute("DELETE FROM job_document WHERE job_id = ?", (gone["gone"],))
    return jobs


def contents(database):
    return {
        table: sorted(map(repr, database.read(f"SELECT {', '.join(columns)} FROM {table}")))
        for table, columns in backup._columns_by_table().items()
    }


@pytest.mark.parametrize("compress", [False, True])
def test_what_was_backed_up_comes_back_in_either_kind_of_database(database, other, tmp_path, compress):
    fill(database)
    written = backup.write(database, tmp_path / "kept", compress=compress)
    assert written.total > 10
    backup.restore(other, tmp_path / "kept")
    assert contents(other) == contents(database)
    assert inconsistencies(other) == []
    # Numbers of jobs that are gone are not given again.
    new = [add_flow(one, {"n": []})["n"] for one in (database, other)]
    assert new == [5, 5]


def test_documents_of_the_job_store_come_along(queue_place, other, tmp_path):
    with SQLStore(queue_place) as store:
        store.update([{"uuid": "u", "output": {"text": "a\0b", "number": 10**15}}])
    database = Database(queue_place)
    backup.write(database, tmp_path / "kept")
    database.close()
    backup.restore(other, tmp_path / "kept")
    assert contents(other)["document"] != []


def test_a_backup_is_consistent_while_others_write(database, queue_place, tmp_path):
    stop = threading.Event()

    def write():
        mine = Database(queue_place)
        for number in itertools.count():
            add_flow(mine, {f"{number}-{k}": [] for k in range(5)})
            if stop.is_set():
                break
        mine.close()

    add_flow(database, {str(k): [] for k in range(50)})
    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            backup.write(database, tmp_path / str(number))
    finally:
        stop.set()
        writer.join()
    restored = Database(tmp_path / "restored.db")
    for number in range(5):
        backup.restore(restored, tmp_path / str(number))
        assert inconsistencies(restored) == []
        jobs = restored.read("SELECT count(*) FROM job")[0][0]
        assert jobs % 5 == 0
        assert restored.read("SELECT count(*) FROM event WHERE job_id > 0") == [(jobs,)]
    restored.close()


def test_a_backup_of_the_first_schema_is_brought_to_the_newest(other, tmp_path):
    old = tmp_path / "old.db"
    connection = sqlite3.connect(old)
    connection.executescript(DUMP.read_text())
    folder = tmp_path / "kept"
    folder.mkdir()
    columns, rows, last = {}, {}, {"flow": 2, "job": 6}
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        if table in ("meta", "runner", "sqlite_sequence"):
            continue
        columns[table] = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        found = connection.execute(f"SELECT * FROM {table}")
        lines = [backup.orjson.dumps(row, default=backup._encoded) for row in found]
        rows[table] = len(lines)
        (folder / f"{table}.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    connection.close()
    manifest = backup.Manifest(1, 1, "2026-01-01", "old", False, columns, rows, last)
    (folder / backup.MANIFEST).write_bytes(backup.orjson.dumps(manifest))
    add_flow(other, {"before": []})
    backup.restore(other, folder)
    assert other.schema_version() == SCHEMA_VERSION
    assert len(other.read("SELECT id FROM job")) == 6
    assert inconsistencies(other) == []
    assert add_flow(other, {"n": []})["n"] == 7


def test_a_damaged_backup_changes_nothing(database, other, tmp_path):
    fill(database)
    folder = tmp_path / "kept"
    backup.write(database, folder)
    add_flow(other, {"mine": []})
    before = contents(other)
    lines = (folder / "job.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "job.jsonl").write_bytes(b"".join(lines[:-1]))
    with pytest.raises(StoreError, match="job has 2 rows of 3; nothing was changed"):
        backup.restore(other, folder)
    assert contents(other) == before
    (folder / "job.jsonl").write_bytes(b"".join(lines)[:-20])
    with pytest.raises(StoreError, match="damaged"):
        backup.restore(other, folder)
    assert contents(other) == before


def test_what_is_no_backup_is_said(database, tmp_path):
    with pytest.raises(StoreError, match="has no backup"):
        backup.restore(database, tmp_path)
    backup.write(database, tmp_path / "kept")
    with pytest.raises(StoreError, match="has a backup already"):
        backup.write(database, tmp_path / "kept")
    manifest = json.loads((tmp_path / "kept" / backup.MANIFEST).read_text())
    (tmp_path / "kept" / backup.MANIFEST).write_text(json.dumps({**manifest, "schema_version": 999}))
    with pytest.raises(SchemaTooNew, match="schema version 999"):
        backup.restore(database, tmp_path / "kept")
