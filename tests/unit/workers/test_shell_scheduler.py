"""Resources and scripts of the shell scheduler."""

import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from towline.core.records import ShellSetup
from towline.errors import InvalidRequest
from towline.testing.worker_contract import HOSTILE_NAMES
from towline.workers.schedulers.shell import ShellResources, read_resources, script, seconds


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (90, 90.0),
        (0.5, 0.5),
        ("00:01:30", 90.0),
        ("100:00:00", 360_000.0),
        ("1-02:00:00", 93_600.0),
        ("0:0:1.5", 1.5),
        (timedelta(minutes=2), 120.0),
    ],
)
def test_time_limits_are_read_in_every_usual_form(value: object, expected: float) -> None:
    assert seconds(value) == expected


@pytest.mark.parametrize("value", [0, -1, True, "1h", "", "90", float("nan"), float("inf"), [1], "00:00:00"])
def test_a_time_limit_that_makes_no_sense_is_refused_with_its_value(value: object) -> None:
    with pytest.raises(InvalidRequest, match="time_limit is"):
        seconds(value)


def test_resources_are_read_and_empty_ones_left_out() -> None:
    given = {"time_limit": "01:00:00", "job_name": None, "scheduler_kwargs": {}, "@module": "x", "execution": "cold"}
    assert read_resources(given) == ShellResources(time_limit=3600.0, execution="cold")


@pytest.mark.parametrize(
    ("resources", "text"),
    [
        ({"time_limt": 1}, "did you mean 'time_limit'"),
        ({"nodes": 4}, "has one machine"),
        ({"partition": "debug"}, "does not know the resource 'partition'"),
        ({"execution": "hot"}, "warm, cold, pooled"),
        ({"qverbatim": 3}, "should be text"),
    ],
)
def test_what_means_nothing_is_refused(resources: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidRequest, match=text):
        read_resources(resources)


def test_the_order_of_a_script() -> None:
    setup = ShellSetup(("worker pre", "config pre"), {"A": "1"}, ("gcc/13", "mpi"), ("worker post", "config post"))
    text = script("/run", ["program", "an argument"], setup, variables={"B": "2"}, verbatim="ulimit -s unlimited")
    lines = text.splitlines()
    places = [
        lines.index(line)
        for line in (
            "#!/bin/bash",
            "ulimit -s unlimited",
            "cd -- /run || exit 1",
            "worker post",
            "config post",
            "worker pre",
            "config pre",
            "export A=1",
            "export B=2",
            "module load gcc/13 || exit 1",
            "module load mpi || exit 1",
            "program 'an argument'",
        )
    ]
    assert places == sorted(places)


def test_a_bad_name_of_a_variable_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no name of a variable"):
        script("/run", ["true"], ShellSetup(export={"A;touch x": "1"}))


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_nothing_in_a_script_is_more_than_text(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    text = script(str(folder), ["printf", "%s", name], ShellSetup(export={"NAME": name}), job_name=f"\n{name}")
    done = subprocess.run(["/bin/bash"], input=text, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == name
    assert not list(tmp_path.rglob("injected"))


@pytest.mark.parametrize(
    ("command", "pre_run", "post_run", "code", "written"),
    [
        (["true"], (), ("echo post",), 0, "post\n"),
        (["sh", "-c", "exit 5"], (), ("echo post", "exit 0"), 5, "post\n"),
        (["sh", "-c", "exit 5"], ("echo pre",), (), 5, "pre\n"),
        (["echo", "job"], ("exit 6",), ("echo post",), 6, "post\n"),
        (["sh", "-c", "kill -9 $$"], (), ("# only a comment",), 137, ""),
    ],
)
def test_the_exit_code_is_that_of_the_job(
    tmp_path: Path, command: list[str], pre_run: tuple[str, ...], post_run: tuple[str, ...], code: int, written: str
) -> None:
    text = script(str(tmp_path), command, ShellSetup(pre_run=pre_run, post_run=post_run))
    path = tmp_path / "submit.sh"
    path.write_text(text)
    done = subprocess.run([shutil.which("bash") or "bash", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, written)
