"""The embedded solver against what is known exactly."""

import math

import numpy as np
import pytest

COPPER = """
[Materials/copper]
  type = GBEvolution
  T = 450
  wGB = {width}
  GBmob0 = 2.5e-6
  Q = 0.23
  GBenergy = 0.708
[]
"""
MOBILITY, ENERGY = 1.0635, 4.419  # nm^4/(eV ns) and eV/nm^2 of copper at 450 K

CIRCLE = """
[Mesh]
  type = GeneratedMesh
  dim = 2
  nx = 50
  ny = 50
  xmax = 200
  ymax = 200
[]
[GlobalParams]
  op_num = 2
  var_name_base = gr
[]
[Modules/PhaseField/GrainGrowth]
[]
[ICs]
  [inside]
    type = SmoothCircleIC
    variable = gr0
    x1 = 0
    y1 = 0
    radius = 150
    int_width = 20
    profile = TANH
    invalue = 1
    outvalue = 0
  []
  [outside]
    type = SmoothCircleIC
    variable = gr1
    x1 = 0
    y1 = 0
    radius = 150
    int_width = 20
    profile = TANH
    invalue = 0
    outvalue = 1
  []
[]
[Postprocessors]
  [area]
    type = ElementIntegralVariablePostprocessor
    variable = gr0
    execute_on = 'initial timestep_end'
  []
  [energy]
    type = ElementIntegralVariablePostprocessor
    variable = f
    execute_on = 'initial timestep_end'
  []
[]
[AuxVariables/f]
  order = CONSTANT
  family = MONOMIAL
[]
[AuxKernels/f]
  type = TotalFreeEnergy
  variable = f
  f_name = bulk
  interfacial_vars = 'gr0 gr1'
  kappa_names = 'kappa_op kappa_op'
  execute_on = 'initial timestep_end'
[]
[Materials/bulk]
  type = DerivativeParsedMaterial
  property_name = bulk
  coupled_variables = 'gr0 gr1'
  material_property_names = mu
  expression = 'mu*(gr0^4/4-gr0^2/2+gr1^4/4-gr1^2/2+1.5*gr0^2*gr1^2+1/4)'
[]
[Executioner]
  type = Transient
  scheme = bdf2
  dt = 10
  num_steps = 50
[]
[Outputs]
  csv = true
[]
"""


def test_a_circular_grain_shrinks_at_the_sharp_interface_rate_and_the_energy_falls(solve):
    table = solve(CIRCLE + COPPER.format(width=20)).table()
    # A quarter of a circle: the centre is a corner of a box with natural boundaries.
    rate = 4 * np.polyfit(table["time"][5:], table["area"][5:], 1)[0]
    assert rate == pytest.approx(-2 * math.pi * MOBILITY * ENERGY, rel=0.05)
    assert np.all(np.diff(table["energy"]) < 0)


PLANAR = """
[Mesh]
  type = GeneratedMesh
  dim = 1
  nx = 200
  xmax = 200
[]
[GlobalParams]
  op_num = 2
  var_name_base = gr
[]
[Modules/PhaseField/GrainGrowth]
[]
[ICs]
  [left]
    type = BoundingBoxIC
    variable = gr0
    x1 = -1
    x2 = 100
    inside = 1
  []
  [right]
    type = BoundingBoxIC
    variable = gr1
    x1 = 100.5
    x2 = 201
    inside = 1
  []
[]
[AuxVariables/f]
  order = CONSTANT
  family = MONOMIAL
[]
[AuxKernels/f]
  type = TotalFreeEnergy
  variable = f
  f_name = bulk
  interfacial_vars = 'gr0 gr1'
  kappa_names = 'kappa_op kappa_op'
[]
[Materials/bulk]
  type = ParsedMaterial
  property_name = bulk
  coupled_variables = 'gr0 gr1'
  material_property_names = mu
  expression = 'mu*(gr0^4/4-gr0^2/2+gr1^4/4-gr1^2/2+1.5*gr0^2*gr1^2+1/4)'
[]
[Postprocessors]
  [energy]
    type = ElementIntegralVariablePostprocessor
    variable = f
  []
  [area]
    type = GrainBoundaryArea
    grains_per_side = 2
  []
  [p90]
    type = PointValue
    variable = gr0
    point = '94.9307 0 0'
  []
[]
[Executioner]
  type = Transient
  num_steps = 60
  [TimeStepper]
    type = IterationAdaptiveDT
    dt = 1
    growth_factor = 1.1
    optimal_iterations = 10
  []
[]
[Outputs]
  csv = true
[]
"""


def test_a_flat_boundary_has_the_energy_and_width_of_the_input(solve):
    table = solve(PLANAR + COPPER.format(width=20)).table()
    assert table["energy"][-1] == pytest.approx(ENERGY, rel=5e-3)
    assert table["area"][-1] == pytest.approx(1.0, rel=1e-3)
    # Profile ½[1 − tanh(2x/w)] around the middle between the two starting halves, 100.5.
    assert table["p90"][-1] == pytest.approx(0.5 * (1 + math.tanh(2 * (100.5 - 94.9307) / 20)), abs=1e-3)


SPLIT = """
[Mesh]
  type = GeneratedMesh
  dim = {dimension}
  nx = {cells}
  ny = {cells_y}
  xmax = {length}
  ymax = {length}
[]
[Variables]
  [c]
    [InitialCondition]
      type = FunctionIC
      function = '{start}'
    []
  []
  [w]
  []
[]
[Kernels]
  [rate]
    type = CoupledTimeDerivative
    variable = w
    v = c
  []
  [flow]
    type = SplitCHWRes
    variable = w
    mob_name = M
  []
  [potential]
    type = SplitCHParsed
    variable = c
    w = w
    f_name = F
    kappa_name = kappa
  []
[]
[Materials]
  [constants]
    type = GenericConstantMaterial
    prop_names = 'M kappa'
    prop_values = '1 0.5'
  []
  [energy]
    type = DerivativeParsedMaterial
    property_name = F
    coupled_variables = c
    expression = 'c^2*(1-c)^2'
  []
[]
[BCs/Periodic/all]
  auto_direction = '{axes}'
[]
[AuxVariables/f]
  order = CONSTANT
  family = MONOMIAL
[]
[AuxKernels/f]
  type = TotalFreeEnergy
  variable = f
  f_name = F
  interfacial_vars = c
  kappa_names = kappa
  execute_on = 'initial timestep_end'
[]
[Postprocessors]
  [total]
    type = ElementIntegralVariablePostprocessor
    variable = c
    execute_on = 'initial timestep_end'
  []
  [energy]
    type = ElementIntegralVariablePostprocessor
    variable = f
    execute_on = 'initial timestep_end'
  []
  [highest]
    type = PointValue
    variable = c
    point = '0 0 0'
    execute_on = 'initial timestep_end'
  []
[]
[Executioner]
  type = Transient
  scheme = bdf2
  nl_rel_tol = 1e-10
  l_tol = 1e-8
  nl_abs_tol = 1e-13
  dt = {step}
  num_steps = {steps}
[]
[Outputs]
  csv = true
[]
"""


def split(**values):
    return SPLIT.format(**({"dimension": 1, "cells_y": 1, "axes": "x"} | values))


def test_a_wave_of_the_cahn_hilliard_equation_grows_at_its_linear_rate(solve):
    length = 2 * math.pi
    start = "0.5+1e-5*cos(x)"
    table = solve(split(cells=64, length=length, start=start, step=0.02, steps=100)).table()
    # s(k) = −M k² (f'' + κ k²) with f''(½) = −1, κ = ½, k = 1.
    rate = np.polyfit(table["time"][2:], np.log(table["highest"][2:] - 0.5), 1)[0]
    assert rate == pytest.approx(0.5, rel=5e-3)


def test_spinodal_decomposition_keeps_its_mass_and_loses_energy(solve):
    start = "0.47+0.02*cos(10*pi*x/32)*cos(2*pi*y/32)"
    text = split(dimension=2, cells=32, cells_y=32, axes="x y", length=32, start=start, step=0.2, steps=80)
    table = solve(text).table()
    assert np.abs(table["total"] - table["total"][0]).max() < 1e-8 * table["total"][0]
    assert np.all(np.diff(table["energy"]) <= 1e-9)
    assert table["energy"][-1] < 0.9 * table["energy"][0]


MANUFACTURED = """
[Mesh]
  type = GeneratedMesh
  dim = 2
  nx = {cells}
  ny = {cells}
[]
[Variables/u]
  [InitialCondition]
    type = FunctionIC
    function = exact
  []
[]
[Functions]
  [exact]
    type = ParsedFunction
    expression = '{exact}'
  []
  [force]
    type = ParsedFunction
    expression = '{force}'
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
  []
  [force]
    type = BodyForce
    variable = u
    function = force
  []
[]
[BCs/left]
  type = FunctionDirichletBC
  variable = u
  boundary = 'left right'
  function = exact
[]
[Postprocessors/error]
  type = ElementL2Error
  variable = u
  function = exact
[]
[Executioner]
  type = Transient
  scheme = {scheme}
  nl_rel_tol = 1e-11
  dt = {step}
  end_time = 0.5
[]
[Outputs]
  csv = true
[]
"""


def order(solve, sizes, **values):
    """Return the observed order between two runs whose step or mesh width is halved."""
    errors = [solve(MANUFACTURED.format(**(values | size))).table()["error"][-1] for size in sizes]
    return math.log2(errors[0] / errors[1])


def test_the_error_falls_with_the_square_of_the_mesh_width(solve):
    exact = "cos(pi*y)*sin(pi*x)"
    force = "2*pi^2*cos(pi*y)*sin(pi*x)+(cos(pi*y)*sin(pi*x))^3-cos(pi*y)*sin(pi*x)"
    meshes = [{"cells": 8}, {"cells": 16}]
    assert order(solve, meshes, exact=exact, force=force, scheme="implicit-euler", step=0.1) == pytest.approx(
        2, abs=0.1
    )


@pytest.mark.parametrize(("scheme", "expected"), [("implicit-euler", 1), ("bdf2", 2)])
def test_the_error_falls_with_the_order_of_the_time_scheme(solve, scheme, expected):
    # Linear in space, so that the elements are exact and only the error of time is left.
    exact, force = "sin(3*t)*x", "3*cos(3*t)*x+(sin(3*t)*x)^3-sin(3*t)*x"
    text = MANUFACTURED.replace("cells}\n  ny = {cells}", "cells}\n  ny = 1")
    errors = [
        solve(text.format(cells=64, exact=exact, force=force, scheme=scheme, step=step)).table()["error"][-1]
        for step in (0.025, 0.0125)
    ]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(expected, abs=0.2)
