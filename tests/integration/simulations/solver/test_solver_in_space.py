"""The embedded solver in three dimensions."""

import math

import numpy as np
import pytest

LINEAR = """
[Mesh]
  type = GeneratedMesh
  dim = 3
  nx = 4
  ny = 3
  nz = 5
  xmax = 2
  zmin = -1
[]
[Variables/u]
[]
[Functions/exact]
  type = ParsedFunction
  expression = '1+x-2*y+3*z'
[]
[Kernels/diffusion]
  type = Diffusion
  variable = u
[]
[BCs]
  [fixed]
    type = FunctionDirichletBC
    variable = u
    boundary = 'left right back front'
    function = exact
  []
  [below]
    type = NeumannBC
    variable = u
    boundary = bottom
    value = 2
  []
  [above]
    type = NeumannBC
    variable = u
    boundary = top
    value = -2
  []
[]
[Postprocessors]
  [error]
    type = ElementL2Error
    variable = u
    function = exact
  []
  [volume]
    type = ElementIntegralVariablePostprocessor
    variable = u
  []
  [corner]
    type = PointValue
    variable = u
    point = '0.3 0.9 0.7'
  []
[]
[Executioner]
  type = Steady
  nl_rel_tol = 1e-12
  l_tol = 1e-10
[]
[Outputs]
  csv = true
  exodus = true
[]
"""


def test_a_field_that_is_linear_in_space_is_found_exactly(solve):
    case = solve(LINEAR)
    table = case.table()
    assert table["error"][-1] < 1e-9
    assert table["volume"][-1] == pytest.approx(4 * (1 + 1 - 1 + 0))
    assert table["corner"][-1] == pytest.approx(1 + 0.3 - 1.8 + 2.1)
    meshio = pytest.importorskip("meshio")
    mesh = meshio.read(case.folder / "case_out.e")
    corners = mesh.points[mesh.cells_dict["hexahedron"]]
    assert corners.shape == (60, 8, 3)
    x, y, z = mesh.points.T
    with pytest.importorskip("netCDF4").Dataset(case.folder / "case_out.e") as file:
        np.testing.assert_allclose(file["vals_nod_var1"][-1], 1 + x - 2 * y + 3 * z, atol=1e-8)


SPHERE = """
[Mesh]
  type = GeneratedMesh
  dim = 3
  nx = 18
  ny = 18
  nz = 18
  xmax = 90
  ymax = 90
  zmax = 90
[]
[GlobalParams]
  op_num = 2
  var_name_base = gr
  x1 = 0
  y1 = 0
  z1 = 0
  radius = 65
  int_width = 20
  profile = TANH
[]
[Modules/PhaseField/GrainGrowth]
[]
[ICs]
  [inside]
    type = SmoothCircleIC
    variable = gr0
    invalue = 1
    outvalue = 0
  []
  [outside]
    type = SmoothCircleIC
    variable = gr1
    invalue = 0
    outvalue = 1
  []
[]
[Materials/copper]
  type = GBEvolution
  T = 450
  wGB = 20
  GBmob0 = 2.5e-6
  Q = 0.23
  GBenergy = 0.708
[]
[Postprocessors]
  [volume]
    type = ElementIntegralVariablePostprocessor
    variable = gr0
    execute_on = 'initial timestep_end'
  []
  [grains]
    type = GrainTracker
  []
[]
[Executioner]
  type = Transient
  scheme = bdf2
  dt = 6
  num_steps = 20
[]
[Outputs]
  csv = true
[]
"""


def test_a_sphere_shrinks_twice_as_fast_as_a_circle(solve):
    table = solve(SPHERE).table()
    # An eighth of a sphere around a corner; dR/dt = −2Mσ/R, so that R² falls by 4Mσ per time.
    squares = (6 * table["volume"] / math.pi) ** (2 / 3)
    rate = np.polyfit(table["time"][4:], squares[4:], 1)[0]
    assert rate == pytest.approx(-4 * 1.0635 * 4.419, rel=0.06)
    assert list(table["grains"]) == [2] * 21
