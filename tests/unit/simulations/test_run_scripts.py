"""The script of a run: begun, interrupted and begun again, with a program that plays MOOSE."""

import subprocess
from pathlib import Path

import pytest

from towline.simulations.moose.console import read_console
from towline.simulations.moose.launching import KILLED, STUCK, Launch, run_script
from towline.simulations.run_directory import EXIT_CODE, LOG, exit_code_of, starts_of

#: Tells what it was asked, does one step more than the newest checkpoint, saves it, and ends as it is told.
PROGRAM = """#!/bin/sh
echo "asked $*"
step=$(ls -d case_cp/*-mesh.cpa.gz 2>/dev/null | sed 's|.*/||' | sort -n | tail -n 1)
step=$(echo "${step:-0}" | sed 's/-.*//; s/^0*//')
step=$((${step:-0} + 1))
echo "Time Step $step, time = $step, dt = 1"
echo " Solve Converged!"
echo "row $step" >>case.csv
if [ -e saves ]; then mkdir -p case_cp; mkdir case_cp/$(printf %04d $step)-mesh.cpa.gz; fi
if [ -e dies ]; then kill -9 $$; fi
exit $(cat code 2>/dev/null || echo 0)
"""


class Run:
    """A run directory with a script."""

    def __init__(self, folder: Path, *, elsewhere: bool = False) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        program = folder / "program"
        program.write_text(PROGRAM)
        program.chmod(0o755)
        self.script = folder / "run.sh"
        self.script.write_text(run_script(Launch("test", (str(program),)), "case.i", None if elsewhere else folder))

    def begin(self) -> int:
        return subprocess.run(["/bin/sh", str(self.script)], cwd=self.folder, check=False, timeout=30).returncode

    def says(self, name: str, text: str = "") -> None:
        (self.folder / name).write_text(text)

    @property
    def log(self) -> str:
        return (self.folder / LOG).read_text()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "a run with 'quotes' $HOME")


def test_a_run_that_was_killed_goes_on_from_its_newest_checkpoint(run: Run) -> None:
    run.says("saves")
    run.says("dies")
    assert run.begin() == KILLED[0]
    (run.folder / "case_cp" / "9999-mesh.cpa.gz").mkdir()
    (run.folder / "case_cp" / "10000-mesh.cpa.gz").mkdir()
    (run.folder / "dies").unlink()
    assert run.begin() == 0
    assert starts_of(run.folder) == ["the beginning", "case_cp/10000"]
    assert run.log.count("asked -i case.i --recover") == 1
    assert (run.folder / "case.csv").read_text() == "row 1\nrow 10001\n"
    assert exit_code_of(run.folder) == 0


def test_a_run_that_left_no_exit_code_was_interrupted_too(run: Run) -> None:
    run.says("saves")
    assert run.begin() == 0
    (run.folder / EXIT_CODE).unlink()
    assert run.begin() == 0
    assert starts_of(run.folder) == ["the beginning", "case_cp/0001"]
    console = read_console(run.log)
    assert [one.number for one in console.attempts] == [1, 2]


@pytest.mark.parametrize("code", [0, 1, 139])
def test_a_run_that_came_to_its_own_end_begins_anew(run: Run, code: int) -> None:
    run.says("saves")
    run.says("code", str(code))
    assert run.begin() == code
    assert run.begin() == code
    assert starts_of(run.folder) == ["the beginning"]
    assert (run.folder / "case.csv").read_text() == "row 1\n"
    assert "--recover" not in run.log
    assert names(run.folder / "case_cp") == ["0001-mesh.cpa.gz"]


def test_a_run_that_gets_no_further_gives_up(run: Run) -> None:
    run.says("dies")
    assert [run.begin() for _ in range(3)] == [KILLED[0], KILLED[0], STUCK]
    assert exit_code_of(run.folder) == STUCK
    assert run.log.endswith("towline: interrupted twice without a new checkpoint since the beginning\n")
    # Who asks for it again gets it from the beginning.
    (run.folder / "dies").unlink()
    assert run.begin() == 0
    assert starts_of(run.folder) == ["the beginning"]


def test_a_run_that_gets_further_is_interrupted_as_often_as_it_likes(run: Run) -> None:
    run.says("saves")
    run.says("dies")
    assert [run.begin() for _ in range(6)] == [KILLED[0]] * 6
    assert starts_of(run.folder) == ["the beginning", *(f"case_cp/{step:04d}" for step in range(1, 6))]


def test_results_are_collected_on_another_machine_however_it_ends(tmp_path: Path) -> None:
    run = Run(tmp_path / "there", elsewhere=True)
    run.says("dies")
    for _ in range(3):
        run.begin()
        assert names(run.folder / "results") == ["case.csv", "exit_code", "run.log", "starts.txt"]
    assert exit_code_of(run.folder) == STUCK


def test_of_a_log_with_an_interruption_only_what_counts_is_read() -> None:
    step = "Time Step {0}, time = {0}, dt = 1\n 0 Nonlinear |R| = 1.0e+00\n Solve Converged!\n"
    log = "".join(step.format(number) for number in range(1, 6)) + "slurmstepd: *** DUE TO TIME LIMIT ***\n"
    assert read_console(log).fatal is not None
    log += "towline: goes on from the checkpoint case_cp/0004\n*** Warning *** a checkpoint was passed over\n"
    log += "Recovering from step 3, time = 3 (case_cp/0003-towline.npz)\n"
    console = read_console(log + step.format(4) + "Finished Executing 1 s\n")
    assert [one.number for one in console.attempts] == [1, 2, 3, 4]
    assert console.fatal is None
    assert console.finished
