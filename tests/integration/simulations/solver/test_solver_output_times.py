"""When outputs are written, and what they hold."""

import pytest

from towline.simulations.moose.output_files import read_table
from towline.simulations.moose.problems import InvalidInputFile

CLOCK = """
[Mesh]
  type = GeneratedMesh
  dim = 1
[]
[Variables/u]
[]
[Problem]
  solve = false
[]
[Postprocessors]
  [clock]
    type = FunctionValuePostprocessor
    function = t
    execute_on = 'initial timestep_end'
  []
  [size]
    type = TimestepSize
    outputs = csv
  []
[]
[Executioner]
  type = Transient
  dt = 1
  num_steps = 6
[]
[Outputs]
  csv = true
  [other]
    type = CSV
    {}
  []
[]
"""


@pytest.mark.parametrize(
    ("parameters", "times"),
    [
        ("", [0, 1, 2, 3, 4, 5, 6]),
        ("time_step_interval = 4", [0, 4]),
        ("time_step_interval = 4 execute_on = 'initial timestep_end final'", [0, 4, 6]),
        ("sync_times = '1.5 3' sync_only = true", [1.5, 3]),
        ("sync_times = '1.5 3' time_step_interval = 10", [0, 1.5, 3]),
        ("start_time = 2 end_time = 4", [2, 3, 4]),
        ("start_step = 2 end_step = 3", [2, 3]),
        ("min_simulation_time_interval = 2.5", [0, 3, 6]),
        ("execute_on = final", [6]),
        ("execute_on = '-initial'", [1, 2, 3, 4, 5, 6]),
        ("execute_on = final additional_execute_on = initial", [0, 6]),
    ],
)
def test_an_output_is_written_at_the_times_that_it_asks_for(solve, parameters, times):
    case = solve(CLOCK.format(parameters))
    table = case.table("case_other.csv")
    if "1.5" in parameters:
        times = [time for time in times if time < 5] + [time for time in times if time >= 5]
    assert list(table["time"]) == pytest.approx(times)
    assert "size" not in table
    assert "size" in case.table()


def test_an_output_that_is_turned_off_writes_nothing(solve):
    case = solve(CLOCK.format("enable = false"))
    assert not (case.folder / "case_other.csv").exists()


def test_a_file_base_may_be_in_a_folder_that_does_not_exist_yet(solve):
    case = solve(CLOCK.format("file_base = results/clock"))
    assert len(read_table(case.folder / "results" / "clock.csv").columns["time"]) == 7


def test_the_console_shows_what_its_section_says(solve):
    table = "Postprocessor Values:"
    everything = solve(CLOCK.format("")).log
    assert sum(table in line for line in everything) == 7
    text = (
        CLOCK.format("")
        + "[Outputs/screen]\n type = Console\n time_step_interval = 3\n max_rows = 1\n hide = clock\n[]"
    )
    rarely = solve(text).log
    # The clock is hidden, and the size is for csv alone.
    assert sum(table in line for line in rarely) == 0
    shown = solve(text.replace("hide = clock", "show = clock")).log
    assert sum(table in line for line in shown) == 3
    last = [line for line in shown if line.startswith("| ")][-2:]
    assert [line.split()[1] for line in last] == [":", "6.000000e+00"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("[Variables/u]", "[Variables/u]\nblock = 1"), "The block '1' of 'Variables/u' does not exist"),
        (("dim = 1", "dim = 1\nelem_type = QUAD4"), "a mesh of dimension 1 has elements of type EDGE"),
        (("[Outputs]", "[BCs/Periodic/p]\nauto_direction = x\nvariable = ''\n[]\n[Outputs]"), "'u' is left out"),
    ],
)
def test_what_would_be_another_model_is_refused_with_its_place(solve, change, complaint):
    with pytest.raises((InvalidInputFile, AssertionError), match=complaint):
        solve(CLOCK.format("").replace(*change))
