"""Two machines that share a disk and a queue: neither takes the jobs of the other for lost."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import towline
from towline.configuration.choice import load_project
from towline.on_worker.attempt_files import HOST_VARIABLE
from towline.on_worker.keeper import LOCK_FILE
from towline.on_worker.pilot_files import ADDRESS_FILE
from towline.on_worker.process_identity import BOOT_VARIABLE
from towline.operations.compose import open_project
from towline.operations.workers import worker_state_dir
from towline.testing.command_line import tow
from towline.testing.jobs import add, wait_for_file
from towline.testing.waiting import wait_until


class Machine:
    """A machine of its own name, whose runner and pilots have folders of their own."""

    def __init__(self, name: str, disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.name = name
        self.home = disk.parent / name
        self._monkeypatch = monkeypatch
        self.home.mkdir()
        document = {
            "name": "default",
            "workers": {"local": {"work_dir": str(disk / "jobs"), "max_jobs": 4}},
            "queue": {"store": {"url": f"sqlite:///{disk / 'queue.db'}"}},
        }
        (self.home / "default.json").write_text(json.dumps(document))

    def enter(self) -> None:
        """Be there from here on."""
        self._monkeypatch.setenv("TOWLINE_HOME", str(self.home))
        self._monkeypatch.setenv(HOST_VARIABLE, self.name)
        self._monkeypatch.setenv(BOOT_VARIABLE, f"boot of {self.name}")

    @contextlib.contextmanager
    def runner(self) -> Iterator[None]:
        """A runner there, for the time of a block; its pilot goes on."""
        self.enter()
        words = [sys.executable, "-m", "towline.operations.runner_process"]
        with (self.home / "runner.out").open("ab") as log:
            process = subprocess.Popen(words, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)

    def end_pilot(self) -> None:
        """Kill keeper and pilot, so that nobody there writes down any end."""
        self.enter()
        folder = worker_state_dir(load_project(), "local")
        for file in (folder / LOCK_FILE, folder / ADDRESS_FILE):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):
                text = file.read_text()
                os.kill(json.loads(text)["pid"] if text.startswith("{") else int(text), signal.SIGKILL)


@pytest.fixture
def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Machine, Machine]]:
    """Two of them."""
    disk = tmp_path / "disk"
    disk.mkdir()
    found = Machine("alpha", disk, monkeypatch), Machine("beta", disk, monkeypatch)
    found[0].enter()
    yield found
    for machine in found:
        machine.end_pilot()


def row(db_id: str) -> dict[str, object]:
    """State and process of a job."""
    with open_project() as opened:
        (found,) = opened.database.read("SELECT state, process_id, run_dir FROM job WHERE id = ?", (int(db_id),))
    return dict(zip(("state", "process_id", "run_dir"), found, strict=True))


def said(db_id: str) -> str:
    """What `tow job info` says."""
    return " ".join(tow("job", "info", db_id).out.split())


def submitted(job: object) -> str:
    """The id of a job that is in the queue now."""
    return towline.submit_flow(job)[0]


def test_a_job_of_another_machine_is_waited_for(machines: tuple[Machine, Machine], tmp_path: Path) -> None:
    alpha, beta = machines
    db_id = submitted(wait_for_file(str(tmp_path / "gate")))
    with alpha.runner():
        wait_until(lambda: row(db_id)["state"] == "RUNNING")
        pid = row(db_id)["process_id"]
    with beta.runner():
        other = submitted(add(1, 2))
        wait_until(lambda: row(other)["state"] == "COMPLETED")
        wait_until(lambda: f"it was started as process {pid} on alpha" in said(db_id))
        assert row(db_id)["state"] == "RUNNING"
        (tmp_path / "gate").touch()
        # The pilot of the other machine goes on, and leaves its record on the disk.
        wait_until(lambda: row(db_id)["state"] == "COMPLETED")


def test_a_job_of_a_machine_that_is_gone_waits_for_its_user(machines: tuple[Machine, Machine], tmp_path: Path) -> None:
    alpha, beta = machines
    db_id = submitted(wait_for_file(str(tmp_path / "gate")))
    with alpha.runner():
        wait_until(lambda: row(db_id)["state"] == "RUNNING")
        pid = int(str(row(db_id)["process_id"]))
    alpha.end_pilot()
    os.killpg(pid, signal.SIGKILL)
    with beta.runner():
        wait_until(lambda: f"give the attempt up: tow job stop {db_id}, then tow admin unlock" in said(db_id))
        other = submitted(add(1, 2))
        wait_until(lambda: row(other)["state"] == "COMPLETED")
        assert row(db_id)["state"] == "RUNNING"
        assert tow("job", "stop", "-did", db_id, "--yes").code == 0
        wait_until(lambda: "the end of its attempt 1" in said(db_id))
        assert tow("admin", "unlock", "--db-id", db_id, "--yes").code == 0
        wait_until(lambda: "the end of its attempt 1" not in said(db_id))
    assert row(db_id)["state"] == "USER_STOPPED"


def test_the_machine_itself_says_that_a_process_is_gone(machines: tuple[Machine, Machine], tmp_path: Path) -> None:
    alpha, beta = machines
    db_id = submitted(wait_for_file(str(tmp_path / "gate")))
    with alpha.runner():
        wait_until(lambda: row(db_id)["state"] == "RUNNING")
        pid = int(str(row(db_id)["process_id"]))
    alpha.end_pilot()
    os.killpg(pid, signal.SIGKILL)
    with beta.runner():
        wait_until(lambda: "on alpha" in said(db_id))
    with alpha.runner():
        wait_until(lambda: row(db_id)["state"] == "FAILED")
    # Nobody saw it, or its keeper did before it ended itself.
    assert any(reason in said(db_id) for reason in ("vanished", "SIGKILL"))


def test_what_a_job_left_is_evidence_everywhere(machines: tuple[Machine, Machine], tmp_path: Path) -> None:
    alpha, beta = machines
    db_id = submitted(wait_for_file(str(tmp_path / "gate")))
    with alpha.runner():
        wait_until(lambda: row(db_id)["state"] == "RUNNING")
    alpha.end_pilot()
    with beta.runner():
        wait_until(lambda: "on alpha" in said(db_id))
        # It ends well, and nobody writes a record; its result tells.
        (tmp_path / "gate").touch()
        wait_until(lambda: row(db_id)["state"] == "COMPLETED")
