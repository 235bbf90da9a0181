"""Steps that fail, are rejected or end a run, and what the actions and random numbers of an input become."""

import math

import numpy as np
import pytest

WELL = """
[Mesh]
  type = GeneratedMesh
  dim = 1
  nx = 20
  xmax = 20
[]
[Variables/u]
  [InitialCondition]
    type = FunctionIC
    function = '0.3*sin(0.9*x)'
  []
[]
[Kernels]
  [rate]
    type = TimeDerivative
    variable = u
  []
  [diffusion]
    type = Diffusion
    variable = u
  []
  [well]
    type = PhaseFieldCoupledDoubleWellPotential
    variable = u
    c = u
    prefactor = 20
  []
[]
[Postprocessors]
  [step_size]
    type = TimestepSize
  []
  [highest]
    type = ElementExtremeValue
    variable = u
    execute_on = 'initial timestep_end'
  []
[]
[Executioner]
  type = Transient
  dt = 0.4
  end_time = 1.6
[]
[Outputs]
  csv = true
[]
"""
#: Two Newton iterations are enough for short steps only.
FEW_ITERATIONS = ("Executioner/nl_max_its=3", "Executioner/nl_rel_tol=1e-10")


def test_a_step_that_fails_is_made_smaller_until_it_converges(solve):
    case = solve(WELL, *FEW_ITERATIONS)
    log, table = "\n".join(case.log), case.table()
    assert case.exit_code == 0
    assert " Solve Did NOT Converge!\nAborting as solve did not converge\nSolve failed, cutting timestep." in log
    assert "due to DIVERGED_MAX_IT iterations 3" in log
    assert table["time"][-1] == pytest.approx(1.6)
    sizes = table["step_size"][1:]
    assert sizes.sum() == pytest.approx(1.6)
    assert sizes.min() < 0.4
    # Rejected attempts leave nothing behind: the steps alone, made one by one, lead to the same values.
    points = " ".join(f"{time:.15g}" for time in table["time"][:-1])
    widths = " ".join(f"{size:.15g}" for size in sizes)
    text = WELL.replace("  dt = 0.4\n", "").replace(
        "end_time = 1.6\n",
        "end_time = 1.6\n[TimeStepper]\ntype = FunctionDT\nfunction = sizes\n[]\n",
    )
    text += f"[Functions/sizes]\ntype = PiecewiseConstant\nx = '{points}'\ny = '{widths}'\n[]\n"
    again = solve(text, "Executioner/nl_rel_tol=1e-10").table()
    np.testing.assert_allclose(again["time"], table["time"], rtol=1e-12)
    np.testing.assert_allclose(again["highest"], table["highest"], rtol=1e-8)


def test_a_run_that_can_make_no_smaller_step_has_failed(solve, capsys):
    case = solve(WELL, *FEW_ITERATIONS, "Executioner/dtmin=0.3")
    assert case.exit_code == 1
    assert "Solve failed and timestep already at or below dtmin, cannot continue!" in capsys.readouterr().err
    assert "Finished Executing" not in "\n".join(case.log)
    quiet = solve(WELL, *FEW_ITERATIONS, "Executioner/dtmin=0.3", "Executioner/error_on_dtmin=false")
    assert quiet.exit_code == 1
    assert "Finished Executing" in "\n".join(quiet.log)


def test_a_failed_step_ends_the_run_where_the_input_says_so(solve, capsys):
    case = solve(WELL, *FEW_ITERATIONS, "Executioner/abort_on_solve_fail=true")
    assert case.exit_code == 1
    assert "input selected to abort" in capsys.readouterr().err


def terminated(mode, extra=""):
    end = f"[UserObjects/end]\ntype = Terminator\nexpression = 'highest > 0.9'\nfail_mode = {mode}\n{extra}\n[]\n"
    return WELL.replace("dt = 0.4", "dt = 0.05") + end


def test_a_terminator_ends_the_run_after_the_step_in_which_it_holds(solve):
    whole = solve(WELL.replace("dt = 0.4", "dt = 0.05")).table()
    case = solve(terminated("HARD", "message = 'high enough'"))
    table = case.table()
    first = int(np.argmax(whole["highest"] > 0.9))
    assert 0 < first < len(whole["time"]) - 1
    assert len(table["time"]) == first + 1
    assert case.exit_code == 0
    assert "high enough" in "\n".join(case.log)
    assert "Finished Executing" in "\n".join(case.log)


def test_a_soft_terminator_rejects_steps_until_none_is_left(solve, capsys):
    case = solve(terminated("SOFT"), "Executioner/dtmin=0.01")
    log = "\n".join(case.log)
    assert "Aborting by a Terminator" in log
    assert case.exit_code == 1
    assert "already at or below dtmin" in capsys.readouterr().err
    assert case.table()["highest"].max() <= 0.9


def test_a_terminator_may_only_tell_or_be_an_error(solve, capsys):
    telling = solve(terminated("NONE", "message = 'seen'"))
    assert telling.exit_code == 0
    assert telling.table()["time"][-1] == pytest.approx(1.6)
    assert "seen" in "\n".join(telling.log)
    wrong = solve(terminated("HARD", "message = 'too high'\nerror_level = ERROR"))
    assert wrong.exit_code == 1
    assert "too high" in capsys.readouterr().err


def test_a_function_gives_the_sizes_of_steps(solve):
    text = WELL.replace("dt = 0.4\n", "[TimeStepper]\ntype = FunctionDT\nfunction = '0.1+t'\nmin_dt = 0.2\n[]\n")
    text += "[Problem]\nsolve = false\n[]\n"
    table = solve(text, "Executioner/TimeStepper/growth_factor=1.5").table()
    assert list(table["step_size"][1:]) == pytest.approx([0.2, 0.3, 0.45, 0.65])


ACTIONS = """
[Mesh]
  type = GeneratedMesh
  dim = 2
  nx = 12
  ny = 10
  xmax = 12
  ymax = 10
[]
[BCs/Periodic/all]
  auto_direction = 'x y'
[]
{equations}
[ICs]
  [c]
    type = FunctionIC
    variable = c
    function = '0.5+0.1*cos(pi*x/6)*cos(pi*y/5)'
  []
  [eta]
    type = FunctionIC
    variable = eta
    function = '0.5+0.1*cos(pi*x/6)'
  []
[]
[Materials]
  [constants]
    type = GenericConstantMaterial
    prop_names = 'M kappa L'
    prop_values = '1 0.5 2'
  []
  [energy]
    type = DerivativeParsedMaterial
    property_name = F
    coupled_variables = 'c eta'
    expression = 'c^2*(1-c)^2+eta^2*(1-eta)^2+0.1*c*eta^2'
  []
[]
[Postprocessors]
  [mean]
    type = ElementAverageValue
    variable = c
  []
  [highest]
    type = ElementExtremeValue
    variable = c
  []
  [eta]
    type = ElementExtremeValue
    variable = eta
  []
[]
[Executioner]
  type = Transient
  nl_rel_tol = 1e-10
  dt = 0.3
  num_steps = 4
[]
[Outputs]
  csv = true
[]
"""
BY_ACTIONS = """
[Modules/PhaseField]
  [Conserved/c]
    free_energy = F
    mobility = M
    kappa = kappa
    solve_type = REVERSE_SPLIT
    coupled_variables = eta
  []
  [Nonconserved/eta]
    free_energy = F
    mobility = L
    kappa = kappa
    coupled_variables = c
  []
[]
"""
BY_KERNELS = """
[Variables]
  [c]
  []
  [w]
  []
  [eta]
  []
[]
[Kernels]
  [c_rate]
    type = CoupledTimeDerivative
    variable = w
    v = c
  []
  [c_flow]
    type = SplitCHWRes
    variable = w
    mob_name = M
  []
  [c_energy]
    type = SplitCHParsed
    variable = c
    w = w
    f_name = F
    kappa_name = kappa
  []
  [eta_rate]
    type = TimeDerivative
    variable = eta
  []
  [eta_bulk]
    type = AllenCahn
    variable = eta
    f_name = F
    mob_name = L
  []
  [eta_interface]
    type = ACInterface
    variable = eta
    mob_name = L
    kappa_name = kappa
  []
[]
"""


def test_the_actions_make_the_equations_that_stand_in_the_manual(solve):
    by_actions = solve(ACTIONS.format(equations=BY_ACTIONS)).table()
    by_kernels = solve(ACTIONS.format(equations=BY_KERNELS)).table()
    assert list(by_actions) == list(by_kernels) == ["time", "eta", "highest", "mean"]
    for name, values in by_actions.items():
        np.testing.assert_allclose(values, by_kernels[name], rtol=1e-9)
    assert by_actions["mean"][-1] == pytest.approx(0.5, abs=1e-9)
    assert by_actions["highest"][-1] > 0.62


NOISE = """
[Mesh]
  type = GeneratedMesh
  dim = 2
  nx = 60
  ny = 60
[]
[Variables]
  [a]
  []
  [b]
  []
[]
[ICs]
  [a]
    type = RandomIC
    variable = a
    min = 0.4
    max = 0.8
    seed = 3
  []
  [b]
    type = RandomIC
    variable = b
    min = 0.4
    max = 0.8
    seed = 3
  []
[]
[Problem]
  solve = false
[]
[Executioner]
  type = Steady
[]
[Outputs]
  exodus = true
[]
"""


def fields(case):
    netcdf = pytest.importorskip("netCDF4")
    with netcdf.Dataset(case.folder / "case_out.e") as file:
        return [np.asarray(file[f"vals_nod_var{place}"][0]) for place in (1, 2)]


def test_random_values_have_the_statistics_of_moose_and_depend_on_seed_and_variable(solve):
    case = solve(NOISE)
    first, second = fields(case)
    for one in (first, second):
        assert 0.4 <= one.min() < 0.402
        assert 0.798 < one.max() <= 0.8
        assert one.mean() == pytest.approx(0.6, abs=4 * 0.4 / math.sqrt(12 * one.size))
        assert one.std() == pytest.approx(0.4 / math.sqrt(12), rel=0.02)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.06
    assert "PCG64" in "\n".join(case.log)
    np.testing.assert_array_equal(fields(solve(NOISE))[0], first)
    assert not np.array_equal(fields(solve(NOISE, "ICs/a/seed=4"))[0], first)


CLOCKED = """
[Mesh]
  type = GeneratedMesh
  dim = 1
[]
[Variables/u]
[]
[AuxVariables/a]
[]
[AuxKernels/a]
  type = FunctionAux
  variable = a
  function = t
[]
[Kernels]
  [rate]
    type = TimeDerivative
    variable = u
  []
  [force]
    type = AllenCahn
    variable = u
    f_name = F
    mob_name = 1
  []
[]
[Materials/F]
  type = DerivativeParsedMaterial
  property_name = F
  coupled_variables = 'u a'
  expression = 'a*u'
[]
[Postprocessors/u]
  type = ElementAverageValue
  variable = u
[]
[Executioner]
  type = Transient
  dt = 1
  num_steps = 3
[]
[Outputs]
  csv = true
[]
"""


def test_an_auxiliary_variable_of_time_has_the_value_of_the_end_of_the_step(solve):
    # du/dt = −t by implicit Euler: the sums of the times at the ends of the steps.
    assert list(solve(CLOCKED).table()["u"][1:]) == pytest.approx([-1, -3, -6])


def test_places_and_time_are_known_to_an_aux_expression_that_asks_for_them(solve):
    text = CLOCKED.replace("type = FunctionAux", "type = ParsedAux\n  use_xyzt = true").replace(
        "function = t", "expression = '2*t+x-0.5'"
    )
    assert list(solve(text).table()["u"][1:]) == pytest.approx([-2, -6, -12])
