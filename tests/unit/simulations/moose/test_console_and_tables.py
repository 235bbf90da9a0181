"""Logs and tables of runs are read, also those that end anywhere."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from towline.simulations.moose.console import Ending, read_console
from towline.simulations.moose.output_files import UnreadableOutput, read_table

LOG = """\
Framework Information:
MOOSE Version:           git commit 5f2b4b9 on 2024-03-01
PETSc Version:           3.20.3
Mesh:
  Nodes:                 1681
Nonlinear System:
  Num DOFs:              13448

Time Step 0, time = 0

Time Step 1, time = 25, dt = 25
 0 Nonlinear |R| = \x1b[32m6.202666e+03\x1b[39m
      0 Linear |R| = \x1b[32m6.202666e+03\x1b[39m
      1 Linear |R| = \x1b[32m1.202666e+00\x1b[39m
      2 Linear |R| = \x1b[32m1.202666e-02\x1b[39m
  Linear solve converged due to CONVERGED_RTOL iterations 2
 1 Nonlinear |R| = 2.1e-04
 Solve Converged!

Time Step 2, time = 75
                dt = 50
 0 Nonlinear |R| = 1.0e+00
      0 Linear |R| = 1.0e+00
      1 Linear |R| = 9.0e-01
  Linear solve did not converge due to DIVERGED_ITS iterations 1
  Nonlinear solve did not converge due to DIVERGED_LINE_SEARCH iterations 1
 Solve Did NOT Converge!
Aborting as solve did not converge
Solve failed, cutting timestep.

Time Step 2, time = 50, dt = 25
 0 Nonlinear |R| = 1.0e+00
 1 Nonlinear |R| = nan
 Solve Converged!
Outlier Variable Residual Norms:
  gr3: 2.000000e-05
  gr5: 1.000000e-05
Marking Grain 4 as INACTIVE (variable index: 3)

Finished Executing      [ 12.1 s]
"""


def test_rejected_steps_are_counted_apart_and_are_no_failure() -> None:
    log = read_console(LOG)
    assert (log.accepted_steps, log.rejected_steps) == (2, 1)
    assert log.fatal is None
    assert log.ending() is Ending.COMPLETED
    assert [one.step_size for one in log.attempts] == [None, 25, 50, 25]
    assert [one.number for one in log.attempts] == [0, 1, 2, 2]


def test_iterations_residuals_and_reasons_belong_to_their_attempts() -> None:
    first, rejected = read_console(LOG).attempts[1:3]
    assert first.residuals == (6202.666, 2.1e-4)
    assert (first.nonlinear_iterations, first.linear_iterations, first.converged) == (1, 2, True)
    assert (rejected.reason, rejected.converged) == ("DIVERGED_LINE_SEARCH", False)


def test_the_header_and_what_the_tracker_told_are_kept() -> None:
    log = read_console(LOG)
    assert log.versions == {"MOOSE Version": "git commit 5f2b4b9 on 2024-03-01", "PETSc Version": "3.20.3"}
    assert log.header["Num DOFs"] == "13448"
    assert log.outliers == {"gr3": 2e-5, "gr5": 1e-5}
    assert log.tracker_events == ("Marking Grain 4 as INACTIVE (variable index: 3)",)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("*** ERROR ***\nx.i:3.2: unused parameter 'a'\n", "error"),
        ("Aborting as solve did not converge and input selected to abort", "solver"),
        ("Solve failed and timestep already at dtmin, cannot continue!", "time step"),
        ("Solve failed and timestep already at or below dtmin, cannot continue!", "time step"),
        ("application called MPI_Abort(MPI_COMM_WORLD, 1)", "MPI"),
        ("Caught signal number 11 SEGV", "signal"),
        ("slurmstepd: error: *** JOB 5 ON node CANCELLED AT 2026-01-01 DUE TO TIME LIMIT ***", "walltime"),
    ],
)
def test_what_ends_a_run_is_found_with_its_line(text: str, kind: str) -> None:
    log = read_console("Time Step 1, time = 1, dt = 1\n" + text)
    assert log.fatal is not None
    assert (log.fatal.kind, log.fatal.line) == (kind, 2)
    assert log.ending() is Ending.FAILED
    assert text.split("\n")[-1].strip() in log.fatal.text


def test_the_exit_code_decides_before_the_text_and_nothing_is_guessed() -> None:
    half = LOG.partition("Time Step 2")[0]
    assert read_console(half).ending() is Ending.UNKNOWN
    assert read_console(half).ending(0) is Ending.COMPLETED
    assert read_console(LOG).ending(1) is Ending.FAILED
    assert read_console("").ending() is Ending.UNKNOWN


def test_warnings_are_kept_wherever_their_text_stands() -> None:
    log = read_console("*** Warning ***\nThe mesh is coarse.\n\n*** Warning *** x.i:1.1: nobody reads this\n")
    assert log.warnings == ("The mesh is coarse.", "x.i:1.1: nobody reads this")


@given(st.integers(0, len(LOG)), st.text(max_size=30))
@settings(deadline=None)
def test_a_log_may_end_anywhere_and_hold_anything(length: int, more: str) -> None:
    log = read_console(LOG[:length] + more)
    assert log.accepted_steps + log.rejected_steps <= len(log.attempts)


def write(folder: Path, text: str) -> Path:
    path = folder / "case_out.csv"
    path.write_bytes(text.encode())
    return path


def test_a_table_has_its_columns(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "time,area,dt\r\n0,0,0\r\n1,nan,0.5\r\n2,inf,-1e-3\n\n\n"))
    assert list(table.columns) == ["time", "area", "dt"]
    np.testing.assert_array_equal(table.column("area"), [0, np.nan, np.inf])
    assert len(table) == 3
    assert table.complete


def test_zeros_of_the_first_row_are_no_data_unless_the_object_runs_then(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "time,grains\n0,0\n1,35\n2,34\n"))
    assert table.series("grains")[1].tolist() == [35, 34]
    assert table.series("grains", on_initial=True)[1].tolist() == [0, 35, 34]
    started = read_table(write(tmp_path, "time,grains\n0,36\n1,35\n"))
    assert started.series("grains")[0].tolist() == [0, 1]


def test_a_last_line_that_is_cut_off_is_left_out(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "time,a,b\n0,1,2\n1,2"))
    assert len(table) == 1
    assert not table.complete
    whole = read_table(write(tmp_path, "time,a,b\n0,1,2\n1,2,3"))
    assert len(whole) == 2
    assert not whole.complete


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("time,ar", "ends within its header"),
        ("time,a\n1\n2,3\n", "line 2: expected 2 numbers, got '1'"),
        ("time,a\n1,x\n2,3\n", "line 2: expected 2 numbers, got '1,x'"),
        ("time,a\n1,2\n2,\n", "line 3: expected 2 numbers, got '2,'"),
        ("0,1\n1,2\n", "does not begin with the names of its columns"),
        ("time,a,a\n1,2,3\n", "has the column 'a' more than once"),
    ],
)
def test_a_file_that_is_no_table_says_why(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(UnreadableOutput, match=complaint):
        read_table(write(tmp_path, text))


def test_a_missing_file_and_a_missing_column_are_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadableOutput, match=r"gone\.csv cannot be read: No such file"):
        read_table(tmp_path / "gone.csv")
    with pytest.raises(
        UnreadableOutput, match=r"no column 'grain_traker'. Did you mean 'grain_tracker'\? It has: time"
    ):
        read_table(write(tmp_path, "time,grain_tracker\n0,1\n")).column("grain_traker")


@given(st.binary(max_size=80) | st.text(alphabet="time,ab\n0123.e-\r", max_size=60).map(str.encode))
@settings(deadline=None)
def test_no_content_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_bytes(content)
    try:
        table = read_table(path)
    except UnreadableOutput:
        return
    assert all(len(column) == len(table) for column in table.columns.values())
