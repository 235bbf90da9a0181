"""A project whose workers are elsewhere, for tests: in a home of its own, run in this process or as a process."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import towline
from towline.operations.compose import open_project
from towline.operations.jobs import JobReport, job_info
from towline.operations.selection import job_row


class RemoteProject:
    """The project `default` in a home.

    Parameters
    ----------
    home
        Value of TOWLINE_HOME.
    workers
        As in a project file; changed by :meth:`configure`.
    """

    def __init__(self, home: Path, workers: Mapping[str, Mapping[str, Any]], **project: Any) -> None:
        self.home = home
        self.document: dict[str, Any] = {"name": "default", "workers": dict(workers), **project}
        self.configure()

    def configure(self, worker: str | None = None, **changes: Any) -> None:
        """Write the project file, with changes to a worker."""
        if worker is not None:
            self.document["workers"][worker] = {**self.document["workers"][worker], **changes}
        self.home.mkdir(parents=True, exist_ok=True)
        partial = self.home / "default.partial"
        partial.write_text(json.dumps(self.document))
        partial.rename(self.home / "default.json")

    def submit(self, *jobs: Any, **options: Any) -> list[str]:
        """Put jobs or a flow into the queue; return the ids."""
        ids: list[str] = []
        for job in jobs:
            ids += towline.submit_flow(job, **options)
        return ids

    def run(self, max_seconds: float = 60) -> None:
        """Run everything in this process."""
        towline.Runner().run_all_jobs(max_seconds=max_seconds)

    def start_runner(self) -> "subprocess.Popen[bytes]":
        """A runner as a process of its own, without a supervisor."""
        with (self.home / "runner_process.log").open("ab") as log:
            return subprocess.Popen([sys.executable, "-m", "towline.operations.runner_process"], stdout=log, stderr=log)

    @contextmanager
    def runner(self) -> Iterator[None]:
        """Such a runner, for the time of a block."""
        runner = self.start_runner()
        try:
            yield
        finally:
            runner.terminate()
            runner.wait(20)

    def states(self) -> dict[str, str]:
        """States of all jobs by their id."""
        with open_project() as opened:
            return {str(number): state for number, state in opened.database.read("SELECT id, state FROM job")}

    def info(self, db_id: str) -> JobReport:
        """Everything about a job."""
        with open_project() as opened:
            return job_info(opened, job_row(opened, db_id, None))

    def outputs(self) -> dict[str, Any]:
        """Outputs by id of the job."""
        store = towline.get_jobstore()
        store.connect()
        try:
            with open_project() as opened:
                rows = opened.database.read("SELECT id, uuid FROM job ORDER BY job_index")
            found = {str(number): uuid for number, uuid in rows}
            return {
                number: store.get_output(uuid, load=True)
                for number, uuid in found.items()
                if store.count({"uuid": uuid})
            }
        finally:
            store.close()

    def tow(self, *words: str, expected: Sequence[int] = (0,)) -> str:
        """What a command of `tow` prints."""
        done = subprocess.run(
            [sys.executable, "-m", "towline.interfaces.cli.main", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "COLUMNS": "200"},
        )
        assert done.returncode in expected, f"tow {' '.join(words)} ended with {done.returncode}: {done.stdout}"
        return done.stdout
