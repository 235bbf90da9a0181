"""The commands about databases, typed on a queue in SQLite and on one in PostgreSQL."""

import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

from towline.core.states import JobState
from towline.store.database import Database
from towline.store.migrations import SCHEMA_VERSION
from towline.testing.command_line import tow
from towline.testing.queue import add_flow, put_in_state

TOW = Path(sys.executable).with_name("tow")
DUMP = Path(__file__).parents[1] / "data" / "schema_1.sql"

SCRIPT = """
from jobflow import Flow, job

@job
def double(x):
    return 2 * x

first = double(3)
flow = Flow([first, double(first.output)], name="chain")
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("TOWLINE_HOME", str(home))
    return home


def write_project(home, url, name="default"):
    (home / f"{name}.json").write_text(json.dumps({"name": name, "queue": {"store": {"url": str(url)}}}))


@pytest.fixture
def database(home, queue_place):
    write_project(home, queue_place)
    database = Database(queue_place)
    yield database
    database.close()


def test_a_flow_runs_through_the_runner_on_postgresql(home, tmp_path, postgresql):
    def typed(*arguments):
        done = subprocess.run([TOW, *arguments], capture_output=True, text=True, timeout=100, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    (tmp_path / "flows.py").write_text(SCRIPT)
    with postgresql.schema(empty=True) as url:
        # The password is taken from the environment when the database is opened, and shown nowhere.
        os.environ["TOWLINE_TEST_PASSWORD"] = "opensesame"
        write_project(home, url.replace("postgres@", "postgres:${env:TOWLINE_TEST_PASSWORD}@"))
        typed("runner", "start")
        try:
            typed("submit", str(tmp_path / "flows.py"))
            typed("wait", "1", "2")
            assert [job["state"] for job in json.loads(typed("job", "list", "--json"))] == ["COMPLETED", "COMPLETED"]
            assert typed("job", "output", "2").strip() == "12"
            typed("job", "rerun", "1", "--force")
            typed("wait", "1", "2")
            assert json.loads(typed("job", "info", "1", "--json"))["attempt"] == 2
            # Ends of connections, as at a restart of the server, hold nobody up for long.
            assert postgresql.cut_connections() > 0
            typed("submit", str(tmp_path / "flows.py"))
            typed("wait", "3", "4", "--timeout", "60")
            typed("flow", "delete", "--db-id", "1", "--yes")
            assert [job["db_id"] for job in json.loads(typed("job", "list", "--json"))] in (["4", "3"], ["3", "4"])
            assert "opensesame" not in typed("project", "show") + typed("project", "check")
        finally:
            typed("runner", "stop")
            del os.environ["TOWLINE_TEST_PASSWORD"]
            end_pilot(home / "default" / "daemon" / "worker_local")


def end_pilot(folder):
    for name in ("keeper.lock", "pilot.lock"):
        text = (folder / name).read_text() if (folder / name).exists() else ""
        if found := re.search(r"\d+", text):
            subprocess.run(["kill", "-9", found[0]], check=False)


def test_a_queue_moves_from_one_kind_of_database_to_the_other(home, tmp_path, database, postgresql):
    jobs = add_flow(database, {"a": [], "b": ["a"]})
    put_in_state(database, jobs["a"], JobState.COMPLETED)
    made = tow("backup", "create", str(tmp_path / "kept"), "--compress")
    assert made.code == 0, made.err
    assert "2 jobs and 0 documents are backed up in" in made.out
    assert tow("backup", "create", str(tmp_path / "kept")).code != 0
    before = tow("job", "list", "--json").json
    with postgresql.schema(empty=True) as url:
        for place in (url, tmp_path / "moved.db"):
            write_project(home, place, "moved")
            assert tow("-p", "moved", "backup", "restore", str(tmp_path / "kept")).code == 0
            assert tow("-p", "moved", "job", "list", "--json").json == before
            # What is there is replaced only when somebody says so.
            again = tow("-p", "moved", "backup", "restore", str(tmp_path / "kept"))
            assert "nothing was changed" in again.err
            assert tow("-p", "moved", "backup", "restore", str(tmp_path / "kept"), typed="y\n").code == 0


def test_an_older_database_is_shown_what_would_be_done_and_then_upgraded(home, tmp_path):
    with sqlite3.connect(tmp_path / "queue.db") as old:
        old.executescript(DUMP.read_text())
    old.close()
    write_project(home, tmp_path / "queue.db")
    shown = tow("admin", "upgrade")
    assert shown.code == 0, shown.err
    assert f"would be upgraded from schema version 1 to {SCHEMA_VERSION}" in shown.out
    assert "CREATE TABLE retired_job" in shown.out
    done = tow("admin", "upgrade", "--no-dry-run", "--json").json
    assert (done["from_version"], done["to_version"], done["dry_run"]) == (1, SCHEMA_VERSION, False)
    assert Path(done["copy"]).exists()
    assert "there is nothing to do" in tow("admin", "upgrade").out
    assert len(tow("job", "list", "--json").json) == 6
    assert "there is no schema version 99" in tow("admin", "upgrade", "--target", "99").err


def test_any_command_upgrades_an_older_database(home, tmp_path):
    with sqlite3.connect(tmp_path / "queue.db") as old:
        old.executescript(DUMP.read_text())
    old.close()
    write_project(home, tmp_path / "queue.db")
    assert len(tow("job", "list", "--json").json) == 6
    assert "there is nothing to do" in tow("admin", "upgrade").out


def test_jobs_are_taken_from_a_runner_that_does_not_let_go(database):
    jobs = add_flow(database, {"a": [], "b": [], "c": []})
    for name in ("a", "b"):
        put_in_state(database, jobs[name], JobState.RUNNING, lease_owner=7)
    assert tow("admin", "unlock", "--db-id", "1").out == "1 job unlocked\n"
    assert database.read("SELECT id FROM job WHERE lease_owner IS NOT NULL") == [(2,)]
    assert "nothing was changed" in tow("admin", "unlock").err
    assert tow("admin", "unlock-flow", "--yes", "--json").json == {"unlocked": ["2"]}
    assert database.read("SELECT id FROM job WHERE lease_owner IS NOT NULL") == []
    assert tow("admin", "unlock-runner").out == "no runner is registered\n"


def test_a_queue_is_emptied_after_the_date_was_given(database):
    for _ in range(25):
        add_flow(database, {"a": []})
    assert "nothing was changed" in tow("admin", "reset").err
    refused = tow("admin", "reset", "--yes")
    assert f"tow admin reset {date.today().isoformat()}" in refused.err
    assert "there are 25 flows" in tow("admin", "reset", "1999-01-01", "--yes").err
    done = tow("admin", "reset", date.today().isoformat(), typed="y\n")
    assert done.out == "25 flows with 25 jobs deleted\n", done.err
    for table in ("job", "flow", "event", "job_document"):
        assert database.read(f"SELECT count(*) FROM {table}") == [(0,)], table
    assert add_flow(database, {"new": []}) == {"new": 26}


def test_no_backup_is_restored_below_an_active_runner(database, tmp_path):
    assert tow("backup", "create", str(tmp_path / "kept")).code == 0
    columns = "host, user_name, pid, process_started_at, started_at, heartbeat_at, expires_at"
    now = time.time()
    with database.transaction() as transaction:
        transaction.execute(
            f"INSERT INTO runner ({columns}) VALUES ('elsewhere', 'anna', 1, 1, ?, ?, ?)", (now, now, now + 60)
        )
    for words in (["backup", "restore", str(tmp_path / "kept"), "--yes"], ["admin", "reset", "--yes"]):
        assert "runner of default is active" in tow(*words).err
    assert tow("backup", "create", str(tmp_path / "again")).code == 0


def test_indexes_are_made_where_they_are_of_use(database):
    assert tow("admin", "index", "create", "output.energy").out == "queries for output.energy use an index\n"
    assert "document of outputs by output.energy" in database.index_names("document")
    assert "every index that commands and queries" in tow("admin", "index", "create", "name", "-c", "jobs").err
    assert "cannot have an index" in tow("admin", "index", "create", "größe").err
    assert "indexes rebuilt" in tow("admin", "index", "rebuild").out
