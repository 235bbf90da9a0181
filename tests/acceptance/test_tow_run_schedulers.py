"""`tow run` on a real Grid Engine behind a real sshd, and where a program plays PBS."""

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from towline.testing.debian import NotPossibleHere, server_folder
from towline.testing.grid_engine import GridEngine
from towline.testing.pbs_site import PbsSite
from towline.testing.sshd import require_sshd, ssh_site
from towline.testing.terminal import Terminal, terminal


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A terminal whose worker is the node of Grid Engine, in a namespace of its own."""
    try:
        require_sshd()
        cluster = GridEngine()
    except NotPossibleHere as reason:
        pytest.skip(f"no Grid Engine for tests: {reason}")
    folder = server_folder("grid-run")
    try:
        with ssh_site(folder) as site:
            variables = " ".join(f"{name}={value}" for name, value in cluster.environment.items())
            server = site.add("grid", f"SetEnv {variables}\n")
            # Each connection has a server of its own there, at the other end of a pipe.
            inside = [*cluster.inside(), server.program, "-i", "-f", f"{server.folder}/config"]
            site.write_config(f"Host grid\n  ProxyCommand {shlex.join(inside)}\n")
            project = (
                "name: site\nworkers:\n  grid:\n    type: remote\n    scheduler_type: sge\n    host: grid\n"
                f"    ssh_config: {site.config}\n    work_dir: {cluster.work_dir()}\n"
            )
            with terminal(tmp_path_factory.mktemp("grid") / "home", {"site.yaml": project}) as opened:
                yield opened
    finally:
        cluster.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def pbs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A terminal on a machine with the programs of PBS."""
    folder = tmp_path_factory.mktemp("pbs")
    site = PbsSite(folder / "site")
    project = (
        "name: site\nworkers:\n  pbs:\n    type: local\n    scheduler_type: pbs\n"
        f"    work_dir: {site.work_dir('jobs')}\n    resources: {{select: '1:ncpus=1'}}\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in site.environment.items():
            patch.setenv(name, value)
        with terminal(folder / "home", {"site.yaml": project}) as opened:
            yield opened
    site.stop()


@pytest.fixture(
    params=[
        pytest.param("grid", marks=[pytest.mark.grid_engine, pytest.mark.ssh]),
        pytest.param("pbs", marks=pytest.mark.pbs),
    ]
)
def tow(request: pytest.FixtureRequest) -> Terminal:
    opened: Terminal = request.getfixturevalue(request.param)
    return opened


def test_files_go_there_and_come_back(tow: Terminal, tmp_path: Path) -> None:
    (tow.here / "in put.txt").write_text("text of the input\n")
    script = "cat 'in put.txt'; echo ${JOB_ID:-$PBS_JOBID}; echo 1 >a.csv"
    done = tow("run", "-i", "in put.txt", "-o", "*.csv", "--into", str(tmp_path / "got"), "--", "sh", "-c", script)
    said = done.stdout.splitlines()
    assert said[0] == "text of the input"
    assert said[1].strip()
    assert (tmp_path / "got" / "a.csv").read_text() == "1\n"


def test_the_exit_code_is_that_of_the_command(tow: Terminal) -> None:
    assert "exit code 7" in tow("run", "sh", "-c", "exit 7", code=7).stderr


def test_an_array_is_one_run(tow: Terminal) -> None:
    script = "echo task ${PBS_ARRAY_INDEX:-$SGE_TASK_ID}; exit $((${PBS_ARRAY_INDEX:-$SGE_TASK_ID} / 3))"
    done = tow("run", "-r", "array=1-3", "--", "sh", "-c", script, code=1)
    assert sorted(done.stdout.splitlines()) == ["task 1", "task 2", "task 3"]
    assert "exit code 1" in done.stderr


def test_stop_reaches_the_scheduler(tow: Terminal) -> None:
    running = tow.begin("run", "sh", "-c", "echo begun; sleep 600")
    assert running.stdout is not None
    assert running.stdout.readline() == "begun\n"
    tow("job", "stop", tow.json("job", "list", "-m", "1")[0]["db_id"])
    _, said = running.communicate(timeout=120)
    assert running.returncode == 143
    assert "USER_STOPPED" in said
