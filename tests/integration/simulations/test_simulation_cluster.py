"""``EXECUTION_BACKEND=hpc``: the same pipeline on a real Slurm behind a real sshd, the embedded solver as the app."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from towline.core.states import JobState
from towline.operations import runners
from towline.operations.borrowed_runner import active_runner
from towline.operations.compose import OpenProject, open_project
from towline.operations.jobs import JobFilter, get_job, list_jobs
from towline.operations.simulation_planning import plan
from towline.operations.simulation_records import Outcome, outcome
from towline.operations.simulations import submit_simulation, wait_for
from towline.simulations.config_env import ConfigEnv
from towline.testing.slurm_cluster import ACCOUNT, SlurmCluster
from towline.testing.sshd import Server, SshSite
from towline.testing.waiting import wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.ssh]

SMALL: dict[str, Any] = {"c0": 0.5, "xmax": 20, "nx": 32, "end_time": 30, "growth_steps": 16}


@pytest.fixture
def scratch(slurm_cluster: SlurmCluster, tmp_path: Path) -> Path:
    return slurm_cluster.work_dir(f"scratch-{tmp_path.name}")


@pytest.fixture
def application(scratch: Path, job_python: str) -> Callable[[str], str]:
    """Makes a program on the cluster that plays MOOSE; ``$SOLVER`` in its text is the embedded solver."""

    def make(text: str) -> str:
        path = scratch / "phase field-opt"
        solver = f"{job_python} -c 'from towline.simulations.moose.command import run; run()'"
        path.write_text("#!/bin/sh\n" + text.replace("$SOLVER", solver) + "\n")
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture
def config(
    sshd: SshSite, login: Server, scratch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., ConfigEnv]]:
    """Makes a configuration; the project has what only the test knows: where the configuration of ssh is."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("TOWLINE_HOME", str(home))
    worker = {"type": "remote", "host": "login", "work_dir": str(scratch), "ssh_config": str(sshd.config)}
    with (home / "default.yaml").open("w") as stream:
        YAML().dump({"name": "default", "workers": {"local": {}, "hpc": worker}}, stream)

    def make(**keys: str) -> ConfigEnv:
        given = {
            "EXECUTION_BACKEND": "hpc",
            "HPC_SSH_ALIAS": "login",
            "HPC_SCRATCH": str(scratch),
            "HPC_ACCOUNT": ACCOUNT,
            "HPC_QOS": "premium",
            "HPC_WALLTIME": "00:10:00",
            "HPC_PYTHON_SETUP": "export MODULE='a b'",
            "RUNS_DIR": str(tmp_path / "runs"),
        }
        found = ConfigEnv(given | keys)
        found.check()
        return found

    yield make
    if runners.status().active:
        runners.stop()


class Command:
    """`tow simulate` as a user types it, with what it has said so far."""

    def __init__(self, config: ConfigEnv, said: Path) -> None:
        keys = ("EXECUTION_BACKEND", "RUNS_DIR", *(key for key in HPC_KEYS if config.get(key)))
        arguments = ["simulate", "--physics", "spinodal", "--params", json.dumps(SMALL), "--force", "--attempts", "1"]
        for key in keys:
            arguments += ["--env", f"{key}={config.get(key)}"]
        self._said = said
        with said.open("w") as stream:
            self.process = subprocess.Popen(tow(*arguments), stdout=stream, stderr=subprocess.STDOUT)

    @property
    def said(self) -> str:
        """Everything, on one line."""
        return " ".join(self._said.read_text().split())

    def says(self, text: str) -> bool:
        """Whether it has said that; it must not have ended before."""
        assert text in self.said or self.process.poll() is None, self.said
        return text in self.said


HPC_KEYS = ("HPC_SSH_ALIAS", "HPC_SCRATCH", "HPC_ACCOUNT", "HPC_QOS", "HPC_WALLTIME", "HPC_MOOSE_APP")


def tow(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "towline.interfaces.cli.main", *arguments]


def told(*arguments: str) -> str:
    done = subprocess.run(tow(*arguments), capture_output=True, text=True, check=False, timeout=60)
    return " ".join((done.stdout + done.stderr).split())


def the_run(config: ConfigEnv) -> Path:
    (folder,) = Path(config.get("RUNS_DIR")).iterdir()
    return folder


def simulated(config: ConfigEnv) -> Outcome:
    submitted = submit_simulation(plan("spinodal", SMALL), config=config, force=True, attempts=1)
    with active_runner():
        wait_for(submitted, 200)
    return outcome(submitted.folder)


def test_the_same_pipeline_runs_on_a_cluster(
    config: Callable[..., ConfigEnv], application: Callable[[str], str], scratch: Path
) -> None:
    app = application('echo "setup: $MODULE"; exec $SOLVER "$@"')
    found = simulated(config(HPC_MOOSE_APP=app))
    assert found.status == "done", found.record
    assert found.verdict is not None
    assert found.figures
    folder = found.folder
    for name in ("spinodal.csv", "spinodal.e", "run.log", "exit_code", "report.html"):
        assert (folder / name).is_file(), name
    assert "setup: a b" in (folder / "run.log").read_text()
    record = found.record
    assert record["solver"] == "phase field-opt on login"
    assert record["job"]["worker"] == "hpc"
    assert str(record["scheduler_id"]).isdigit()
    assert str(record["job"]["run_dir"]).startswith(str(scratch))
    metadata = json.loads((folder / "metadata.json").read_text())
    assert metadata["execution_backend"] == "hpc"


def test_other_names_of_outputs_are_found(config: Callable[..., ConfigEnv], application: Callable[[str], str]) -> None:
    app = application('$SOLVER "$@" || exit; mv spinodal.csv other_out.csv; mv spinodal.e other_out.e')
    found = simulated(config(HPC_MOOSE_APP=app))
    assert found.status == "done", found.record
    assert found.record["csv_path"] == "other_out.csv"
    assert found.record["exodus_path"] == "other_out.e"


def test_a_missing_application_is_told(config: Callable[..., ConfigEnv], scratch: Path) -> None:
    found = simulated(config(HPC_MOOSE_APP=f"{scratch}/nowhere"))
    assert found.status == "failed"
    assert found.record["review"]["failure"] == "MISSING_EXECUTABLE"
    assert "MOOSE app MISSING" in (found.folder / "run.log").read_text()


def test_what_a_run_left_is_fetched_after_its_time_was_over(
    config: Callable[..., ConfigEnv], application: Callable[[str], str], slurm_cluster: SlurmCluster
) -> None:
    app = application("echo 'Time Step 1, time = 1, dt = 1'; printf 'time,dt\\n0,0\\n' >spinodal.csv; sleep 300")
    submitted = submit_simulation(plan("spinodal", SMALL), config=config(HPC_MOOSE_APP=app), force=True, attempts=1)
    with active_runner(), open_project() as opened:
        (run,) = [one.id for one in list_jobs(opened, JobFilter()) if one.name.startswith("run")]
        wait_until(lambda: get_job(opened, run).state is JobState.RUNNING, 90, "the start")
        queue_id = get_job(opened, run).remote.process_id
        slurm_cluster.administer(f"scontrol update JobId={queue_id} EndTime=now+2")
        wait_for(submitted, 150)
    found = outcome(submitted.folder)
    assert found.status == "failed"
    assert found.record["reason"] == "timeout"
    assert found.record["review"]["failure"] == "WALLTIME"
    assert "Time Step 1" in (found.folder / "run.log").read_text()
    assert (found.folder / "spinodal.csv").is_file()


def test_the_worker_of_the_project_follows_the_configuration(
    config: Callable[..., ConfigEnv], tmp_path: Path, scratch: Path
) -> None:
    other = scratch / "other"
    shutil.copytree(scratch, other, ignore=lambda *_: ["other"])
    submit_simulation(plan("spinodal", SMALL), config=config(HPC_MOOSE_APP="/app", HPC_SCRATCH=str(other)), force=True)
    text = (tmp_path / "home" / "default.yaml").read_text()
    assert "scheduler_type: slurm" in text
    assert f"work_dir: {other}" in text
    assert "ssh_config:" in text


def test_it_says_why_it_waits_for_long_and_goes_on_after_the_user_has_left(
    config: Callable[..., ConfigEnv],
    application: Callable[[str], str],
    slurm_cluster: SlurmCluster,
    tmp_path: Path,
) -> None:
    keys = config(HPC_MOOSE_APP=application('exec $SOLVER "$@"'))
    slurm_cluster.administer("scontrol update NodeName=ALL State=DRAIN Reason=test")
    try:
        command = Command(keys, tmp_path / "said")
        queue = "waits for its turn in the queue of slurm on the worker hpc ("
        wait_until(lambda: command.says(queue), 90, "the reason for waiting")
        command.process.send_signal(signal.SIGINT)
        assert command.process.wait(30) == 130
        assert "The simulation goes on" in command.said
        folder = the_run(keys)
        assert "waits for: its turn in the queue of slurm" in told("simulation", "show", str(folder))
        assert outcome(folder).status == "pending"
    finally:
        slurm_cluster.administer("scontrol update NodeName=ALL State=RESUME")
    wait_until(lambda: outcome(folder).report is not None, 120, "the report")
    assert outcome(folder).status == "done"
    assert "verdict: " in told("simulation", "show", str(folder))


def test_a_lapsed_certificate_keeps_it_waiting_until_there_is_a_new_one(
    config: Callable[..., ConfigEnv], application: Callable[[str], str], sshd: SshSite, tmp_path: Path
) -> None:
    own = f"Host login\n  IdentityFile {sshd.client}/certified\n  CertificateFile {sshd.client}/certified-cert.pub\n"
    certified = sshd.client / f"config-{tmp_path.name}"
    certified.write_text(own + sshd.config.read_text().replace(f"IdentityFile {sshd.client / 'key'}", ""))
    keys = config(HPC_MOOSE_APP=application('exec $SOLVER "$@"'))
    project = tmp_path / "home" / "default.yaml"
    project.write_text(project.read_text().replace(str(sshd.config), str(certified)))
    sshd.certify(-10800)
    try:
        command = Command(keys, tmp_path / "said")
        wait_until(lambda: command.says("certificate expired 3 h ago"), 60, "the refusal")
        assert "tow worker login hpc" in command.said
        with open_project() as opened:
            (run,) = [one for one in list_jobs(opened, JobFilter()) if one.name.startswith("run")]
            assert run.state is JobState.CHECKED_OUT
        assert "certificate expired" in told("simulation", "show", str(the_run(keys)))
    finally:
        sshd.certify(3600)
    assert command.process.wait(150) in (0, 4, 5), command.said
    assert "verdict: " in command.said
    assert outcome(the_run(keys)).status == "done"


#: A solver that halts when it has saved itself, as long as there is a file: Slurm looks at time limits twice a minute.
HALTS = r"""$SOLVER "$@" & solver=$!
if [ -e $HALT ] && [ "$(wc -l <starts.txt)" -lt 3 ]; then
  begun=$(tail -n 1 starts.txt | cut -d ' ' -f 2)
  until ls spinodal_cp/*.npz 2>/dev/null | grep -qv "x$begun\|$begun-"; do sleep 0.1; done
  kill -STOP $solver
  touch halted
fi
wait $solver"""


def test_a_run_that_needs_three_allocations_ends_with_the_same_numbers(
    config: Callable[..., ConfigEnv], application: Callable[[str], str], slurm_cluster: SlurmCluster, scratch: Path
) -> None:
    halt = scratch / "halt"
    halt.touch()
    case = {**SMALL, "xmax": 50, "nx": 128, "num_steps": 60, "use_checkpoint": True}
    del case["end_time"]
    keys = config(HPC_MOOSE_APP=application(HALTS.replace("$HALT", str(halt))))
    submitted = submit_simulation(plan("spinodal", case), config=keys, force=True)
    queue_ids: list[str] = []
    with active_runner(), open_project() as opened:
        (run,) = [one.id for one in list_jobs(opened, JobFilter()) if one.name.startswith("run")]
        for _ in range(2):
            queue_ids.append(_end_once_saved(opened, run, queue_ids, slurm_cluster))
        wait_for(submitted, 200)
        halt.unlink()
        whole = submit_simulation(plan("spinodal", case), config=keys, force=True)
        wait_for(whole, 200)
    found, other = outcome(submitted.folder), outcome(whole.folder)
    assert found.status == other.status == "done", found.record
    assert [(one["after"], one["scheduler_id"]) for one in found.record["continued"]] == [
        ("timeout", queue_id) for queue_id in queue_ids
    ]
    assert len({found.record["scheduler_id"], *queue_ids}) == 3
    assert all(one["from"].startswith("spinodal_cp/") for one in found.record["continued"])
    assert (found.folder / "spinodal.csv").read_text() == (other.folder / "spinodal.csv").read_text()
    assert found.record["accepted_steps"] == other.record["accepted_steps"] == 60
    assert {name: one["value"] for name, one in found.metrics.items()} == {
        name: one["value"] for name, one in other.metrics.items()
    }
    assert "after timeout" in told("simulation", "show", str(found.folder))


def _end_once_saved(opened: OpenProject, run: int, before: list[str], cluster: SlurmCluster) -> str:
    """Let the time of a job be over when it has saved itself; returns its id."""

    def saved() -> bool:
        job = get_job(opened, run)
        running = job.state is JobState.RUNNING and job.remote.process_id not in before
        return running and job.run_dir is not None and (Path(job.run_dir) / "halted").exists()

    wait_until(saved, 120, "a checkpoint")
    queue_id = get_job(opened, run).remote.process_id
    assert queue_id is not None
    cluster.administer(f"scontrol update JobId={queue_id} EndTime=now+1")
    return queue_id
