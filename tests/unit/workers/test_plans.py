"""How a job is run, decided from what it asks for."""

import os
from pathlib import Path
from typing import Any

import pytest

from towline.core.records import ShellSetup
from towline.errors import InvalidRequest, WorkerError
from towline.on_worker.attempts import Mode
from towline.testing.worker_driver import assignment
from towline.workers.plans import plan
from towline.workers.socket_place import socket_path

_LINES = ShellSetup(pre_run=("module purge",))


@pytest.mark.parametrize(
    ("kind", "execution", "resources", "shell", "mode"),
    [
        ("jobflow", "warm", {}, None, Mode.FORK),
        ("jobflow", "cold", {}, None, Mode.COLD),
        ("jobflow", "pooled", {}, None, Mode.POOL),
        ("jobflow", "pooled", {"execution": "warm"}, None, Mode.FORK),
        ("jobflow", "warm", {"execution": "pooled"}, None, Mode.POOL),
        ("jobflow", "warm", {}, ShellSetup(export={"PATH": "/x"}), Mode.FORK),
        ("jobflow", "warm", {}, ShellSetup(export={"PYTHONPATH": "/x"}), Mode.COLD),
        ("jobflow", "pooled", {}, ShellSetup(export={"MKL_NUM_THREADS": "1"}), Mode.COLD),
        ("jobflow", "warm", {}, _LINES, Mode.SCRIPT),
        ("jobflow", "pooled", {"qverbatim": "ulimit -c 0"}, None, Mode.SCRIPT),
        ("command", "warm", {}, None, Mode.COMMAND),
        ("command", "pooled", {"execution": "cold"}, ShellSetup(export={"OMP_NUM_THREADS": "1"}), Mode.COMMAND),
        ("command", "warm", {}, _LINES, Mode.SCRIPT),
    ],
)
def test_what_a_job_needs_decides_how_it_runs(
    kind: str, execution: str, resources: dict[str, Any], shell: ShellSetup | None, mode: Mode
) -> None:
    job = assignment(Path("/work"), 1, kind=kind, resources=resources, shell=shell)
    assert plan(job, execution).mode is mode


def test_variables_that_no_process_can_have_are_refused() -> None:
    for export in ({"A B": "1"}, {"": "1"}, {"A": "x\0y"}):
        with pytest.raises(InvalidRequest):
            plan(assignment(Path("/work"), 1, shell=ShellSetup(export=export)), "warm")


def test_the_socket_is_short_private_and_the_same_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    deep = tmp_path.joinpath(*["deep"] * 40)
    path = socket_path(deep)
    assert path == socket_path(deep) != socket_path(tmp_path / "other")
    assert len(path.name) < 30
    assert path.parent.stat().st_mode & 0o777 == 0o700
    path.parent.chmod(0o755)
    assert socket_path(deep).parent.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_is_not_ours_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"towline-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(WorkerError, match="set TMPDIR"):
        socket_path(tmp_path)
