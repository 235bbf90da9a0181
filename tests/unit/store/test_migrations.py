"""Older schemas become the newest one, with everything that was in them."""

import multiprocessing
import shutil
import sqlite3
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect
from sqlalchemy.pool import StaticPool

from towline.core.states import JobState
from towline.errors import SchemaTooOld, StoreError
from towline.store import jobs
from towline.store.database import Database
from towline.store.documents import SqlOutputs
from towline.store.migrations import SCHEMA_VERSION, upgrade
from towline.testing.queue import add_flow, inconsistencies

DUMP = Path(__file__).parents[2] / "data" / "schema_1.sql"

URLS = {"sqlite": "sqlite://", "postgresql": "postgresql+psycopg://"}


@contextmanager
def alchemy(database):
    driver = database.plain_connection()
    engine = create_engine(URLS[database.dialect.kind], creator=lambda: driver, poolclass=StaticPool)
    with engine.connect() as connection:
        yield connection
        connection.commit()
    driver.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_place(request, tmp_path):
    if request.param == "sqlite":
        yield tmp_path / "queue.db"
        return
    with request.getfixturevalue("postgresql").schema(empty=True) as url:
        yield url


@pytest.fixture
def old_place(empty_place):
    """A queue of the first schema with jobs in it. (No towline of that schema could write into PostgreSQL.)"""
    dump = sqlite3.connect(empty_place if isinstance(empty_place, Path) else ":memory:")
    dump.executescript(DUMP.read_text())
    if isinstance(empty_place, str):
        first_schema(empty_place, dump)
    dump.close()
    return empty_place


def first_schema(place, rows=None):
    """The tables that the first revision makes, with the rows of an SQLite database."""
    database = Database(place, upgrade=False, create=False)
    with alchemy(database) as connection, Operations.context(MigrationContext.configure(connection)):
        upgrade.revisions()[0].module.upgrade()
    if rows is None:
        database.connection.execute("INSERT INTO meta (key, value) VALUES ('schema_version', '1')")
    names = [] if rows is None else rows.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in names:
        if table == "sqlite_sequence":
            continue
        cursor = rows.execute(f"SELECT * FROM {table}")
        columns = [column[0] for column in cursor.description]
        marks = ", ".join("?" * len(columns))
        database.connection.executemany(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", cursor.fetchall()
        )
        if "id" in columns:
            database.connection.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT coalesce(max(id), 1) FROM {table}))"
            )
    database.close()


def described(place):
    database = Database(place, upgrade=False)
    with alchemy(database) as connection:
        tables = inspect(connection)
        found = {
            table: (
                sorted(
                    (column["name"], str(column["type"]), column["nullable"], str(column["default"]))
                    for column in tables.get_columns(table)
                ),
                tables.get_pk_constraint(table)["constrained_columns"],
                sorted((i["name"], i["column_names"], bool(i["unique"])) for i in tables.get_indexes(table)),
            )
            for table in tables.get_table_names()
            if table != "sqlite_sequence"
        }
    database.close()
    return found


def test_the_revisions_lead_to_the_schema_of_a_new_database(empty_place, tmp_path, request):
    first_schema(empty_place)
    Database(empty_place).close()
    migrated = described(empty_place)
    if isinstance(empty_place, Path):
        Database(tmp_path / "new.db").close()
        assert migrated == described(tmp_path / "new.db")
    else:
        with request.getfixturevalue("postgresql").schema(empty=True) as url:
            Database(url).close()
            assert migrated == described(url)


def test_the_newest_revision_is_the_version_of_the_code():
    assert [int(script.revision) for script in upgrade.revisions()] == list(range(1, SCHEMA_VERSION + 1))


def contents(database):
    """Every row of the first schema's tables."""
    dump = sqlite3.connect(":memory:")
    dump.executescript(DUMP.read_text())
    tables = {}
    for (table,) in dump.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        if table not in ("sqlite_sequence", "meta"):
            columns = [row[1] for row in dump.execute(f"PRAGMA table_info({table})")]
            query = f"SELECT {', '.join(columns)} FROM {table}"
            tables[table] = (
                sorted(map(repr, dump.execute(query).fetchall())),
                sorted(map(repr, database.read(query))),
            )
    dump.close()
    return tables


def test_nothing_is_lost_and_work_goes_on(old_place):
    database = Database(old_place, clock=lambda: 1_800_000_000.0)
    assert database.schema_version() == SCHEMA_VERSION
    for table, (before, after) in contents(database).items():
        assert after == before, table
    assert SqlOutputs().load(database.connection, ["a"]) == {"a": (1, b"7")}
    assert inconsistencies(database) == []
    with database.transaction() as transaction:
        taken = jobs.take_over(transaction, 7, ["local"])
        claimed = [job for job, _ in jobs.claim(transaction, "local", 10, 7)]
    assert [job.uuid for job in taken] == ["e"]
    assert [(job.uuid, job.attempt) for job in claimed] == [("d", 2), ("b", 1)]
    with database.transaction() as transaction:
        jobs.apply_moves(transaction, [jobs.Move(claimed[0], JobState.CHECKED_OUT, ((JobState.UPLOADED, None),))])
    assert inconsistencies(database) == []
    database.close()


def test_a_copy_of_the_file_is_kept(tmp_path):
    place = tmp_path / "queue.db"
    with sqlite3.connect(place) as old:
        old.executescript(DUMP.read_text())
    old.close()
    Database(place).close()
    (copy,) = tmp_path.glob("*.before-schema-*")
    kept = Database(copy, upgrade=False)
    assert kept.schema_version() == 1
    assert len(kept.read("SELECT id FROM job")) == 6
    kept.close()


def test_a_dry_run_tells_the_statements_and_changes_nothing(old_place):
    database = Database(old_place, upgrade=False)
    planned = upgrade.upgrade(database, dry_run=True)
    assert [step.number for step in planned.steps] == list(range(2, SCHEMA_VERSION + 1))
    assert any("ALTER TABLE job ADD" in statement for step in planned.steps for statement in step.statements)
    assert database.schema_version() == 1
    assert [step.number for step in upgrade.upgrade(database).steps] == [step.number for step in planned.steps]
    assert upgrade.upgrade(database).steps == ()
    database.close()


def _open(place, barrier, results):
    barrier.wait()
    database = Database(place)
    results.put((database.schema_version(), len(database.read("SELECT id FROM job"))))
    database.close()


def test_of_several_processes_one_upgrades_and_the_others_wait(old_place, tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(3), context.Queue()
    processes = [context.Process(target=_open, args=(old_place, barrier, results)) for _ in range(3)]
    for process in processes:
        process.start()
    found = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert found == [(SCHEMA_VERSION, 6)] * 3
    assert len(list(tmp_path.glob("*.before-schema-*"))) == isinstance(old_place, Path)


@pytest.fixture
def later_revision(tmp_path, monkeypatch):
    """A revision after the newest one, whose lines the test gives."""
    versions = tmp_path / "versions"
    shutil.copytree(upgrade.VERSIONS, versions, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(upgrade, "VERSIONS", versions)

    def write(body):
        number = f"{SCHEMA_VERSION + 1:04}"
        (versions / f"revision_{number}_later.py").write_text(
            f'"""Later."""\nfrom alembic import op\nrevision = "{number}"\n'
            f'down_revision = "{SCHEMA_VERSION:04}"\nadditive = False\n\n\ndef upgrade():\n    {body}\n'
        )

    return write


def test_a_revision_that_an_active_runner_does_not_stand_waits_for_its_end(queue_place, later_revision):
    later_revision('op.execute("ALTER TABLE job RENAME COLUMN name TO title")')
    database = Database(queue_place, clock=lambda: 1000.0)
    columns = "id, host, user_name, pid, process_started_at, started_at, heartbeat_at, expires_at"
    with database.transaction() as transaction:
        transaction.execute(f"INSERT INTO runner ({columns}) VALUES (5, 'node7', 'anna', 4711, 1, 1, 990, 1020)")
    with pytest.raises(SchemaTooOld, match=r"runner 5 \(pid 4711 of anna on node7\)"):
        upgrade.upgrade(database, target=SCHEMA_VERSION + 1)
    assert database.read("SELECT name FROM job") == []
    database.clock = lambda: 1021.0
    assert upgrade.upgrade(database, target=SCHEMA_VERSION + 1).to_version == SCHEMA_VERSION + 1
    assert database.read("SELECT title FROM job") == []
    database.close()


def test_a_revision_that_fails_changes_nothing(queue_place, later_revision):
    later_revision('op.execute("CREATE TABLE half (id INTEGER)"); op.execute("INSERT INTO nowhere VALUES (1)")')
    database = Database(queue_place)
    with pytest.raises(StoreError, match="was not changed"):
        upgrade.upgrade(database, target=SCHEMA_VERSION + 1)
    assert database.schema_version() == SCHEMA_VERSION
    assert not database.dialect.has_table(database.connection, "half")
    database.close()


def test_jobs_that_were_there_are_found_by_their_metadata_as_new_ones_are(queue_place):
    database = Database(queue_place)
    odd = {"text": "x" * 300, "list": [1, "a", True], "deep": {"b": {"c": 2.5}}, "none": None, "é\0": "\0"}
    add_flow(database, {"a": [], "b": []}, metadata=odd, flow_metadata={"campaign": 7, "k": [{"nested": 1}]})
    add_flow(database, {"many": []}, metadata={str(number): number for number in range(100)})
    add_flow(database, {"nothing": []})
    rows = "SELECT token, flow_id, job_id FROM metadata_index ORDER BY token, flow_id, job_id"
    written = database.read(rows)
    database.connection.execute("DROP TABLE metadata_index")
    with alchemy(database) as connection, Operations.context(MigrationContext.configure(connection)):
        next(script for script in upgrade.revisions() if script.revision == "0004").module.upgrade()
    assert len(written) > 8
    assert database.read(rows) == written
    database.close()
