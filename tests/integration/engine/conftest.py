"""An engine to run flows with: a private home, and a runner in this process."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import towline
from towline.configuration.choice import load_project
from towline.on_worker.keeper import LOCK_FILE as KEEPER_LOCK_FILE
from towline.on_worker.pilot_files import ADDRESS_FILE
from towline.operations.compose import open_project
from towline.operations.workers import worker_state_dir
from towline.store.database import Database


class Engine:
    """The default project in a private home, with its queue in a file, or at the URL `queue_url`."""

    def __init__(self, home, queue_url=None):
        self.home = home
        self.queue = {} if queue_url is None else {"queue": {"store": {"url": queue_url}}}
        if queue_url is not None:
            self.configure()

    def configure(self, **project):
        """Write the project file."""
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "default.json").write_text(json.dumps({"name": "default", **self.queue, **project}))

    @contextlib.contextmanager
    def locked_database(self):
        """Another process holds the database."""
        database = Database(load_project().queue_place)
        database.dialect.begin(database.connection)
        try:
            yield
        finally:
            database.dialect.roll_back(database.connection)
            database.close()

    def submit(self, flow, **options):
        return towline.submit_flow(flow, **options)

    def run(self, max_seconds=60):
        towline.Runner().run_all_jobs(max_seconds=max_seconds)

    def rows(self, sql, *parameters):
        with open_project() as opened:
            return opened.database.read(sql, parameters)

    def states(self):
        return dict(self.rows("SELECT name || '.' || job_index, state FROM job ORDER BY id"))

    def outputs(self):
        """``{name: output}`` of the newest index of every job that has one."""
        store = towline.get_jobstore()
        store.connect()
        try:
            rows = self.rows("SELECT name, uuid FROM job ORDER BY job_index")
            return {name: store.get_output(uuid, load=True) for name, uuid in rows if store.count({"uuid": uuid})}
        finally:
            store.close()

    def failure(self, db_id):
        rows = self.rows("SELECT failure FROM job_outcome WHERE job_id = ?", int(db_id))
        return json.loads(rows[0][0]) if rows and rows[0][0] else None

    def job(self, db_id):
        columns = "state, reason, exit_code, exit_signal, run_dir, started_at, ended_at, process_id"
        (row,) = self.rows(f"SELECT {columns} FROM job WHERE id = ?", int(db_id))
        return dict(zip(columns.split(", "), row, strict=True))

    def run_dir(self, db_id):
        return Path(self.job(db_id)["run_dir"])

    def start_runner_process(self):
        """A runner as a process of its own, without a supervisor; ended by the test."""
        log = (self.home.parent / "runner_process.log").open("ab")
        with log:
            return subprocess.Popen([sys.executable, "-m", "towline.operations.runner_process"], stdout=log, stderr=log)

    def pilot_pids(self):
        """Keeper and pilot of the worker, which outlive a runner; None for one that is not there at the moment."""
        folder = worker_state_dir(load_project(), "local")
        keeper, pilot = folder / KEEPER_LOCK_FILE, folder / ADDRESS_FILE
        # The lock of a keeper that is about to start is empty, and signalling process 0 would end the tests.
        return (
            int(keeper.read_text() or 0) or None if keeper.exists() else None,
            json.loads(pilot.read_text())["pid"] if pilot.exists() else None,
        )

    def end_processes(self):
        for pid in filter(None, self.pilot_pids()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def engine(tmp_path, monkeypatch, queue_place):
    home = tmp_path / "towline home"
    monkeypatch.setenv("TOWLINE_HOME", str(home))
    engine = Engine(home, queue_place if isinstance(queue_place, str) else None)
    yield engine
    engine.end_processes()
