"""The embedded solver against FiPy, which knows nothing of it: finite volumes instead of finite elements.

Both make the same implicit Euler steps on the same points; what is left is the difference of discretisations in space.
"""

import warnings

import numpy as np
import pytest

from towline.simulations.moose import checking, input_file
from towline.simulations.moose.solver.objects import Input
from towline.simulations.moose.solver.run import prepare

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

GROWTH = """
[Mesh]
  type = GeneratedMesh
  dim = 2
  nx = {cells}
  ny = {cells}
  xmax = 240
  ymax = 240
[]
[GlobalParams]
  op_num = 3
  var_name_base = gr
[]
[Modules/PhaseField/GrainGrowth]
[]
[ICs]
  [a]
    type = FunctionIC
    variable = gr0
    function = '0.5+0.4*sin(2*pi*x/240)*cos(2*pi*y/240)'
  []
  [b]
    type = FunctionIC
    variable = gr1
    function = '0.5-0.4*sin(2*pi*x/240)*cos(2*pi*y/240)'
  []
  [c]
    type = FunctionIC
    variable = gr2
    function = '0.4+0.3*cos(2*pi*x/240)'
  []
[]
[BCs/Periodic/all]
  auto_direction = 'x y'
[]
[Materials/copper]
  type = GBEvolution
  T = 450
  wGB = 40
  GBmob0 = 2.5e-6
  Q = 0.23
  GBenergy = 0.708
[]
[Executioner]
  type = Transient
  dt = 8
  num_steps = 6
  nl_rel_tol = 1e-10
  l_tol = 1e-8
[]
"""
SPLIT = """
[Mesh]
  type = GeneratedMesh
  dim = 2
  nx = {cells}
  ny = {cells}
  xmax = 16
  ymax = 16
[]
[Variables]
  [c]
    [InitialCondition]
      type = FunctionIC
      function = '0.48+0.1*cos(2*pi*x/8)*cos(2*pi*y/16)+0.05*sin(2*pi*y/8)'
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
  auto_direction = 'x y'
[]
[Executioner]
  type = Transient
  dt = 0.2
  num_steps = 10
  nl_rel_tol = 1e-10
  l_tol = 1e-8
[]
"""


def embedded(text, tmp_path, cells):
    """Return the unknowns at the start and at the end, and the problem."""
    (tmp_path / "case.i").write_text(text.format(cells=cells))
    checked = checking.check(input_file.read([tmp_path / "case.i"]).tree)
    assert checked.errors == ()
    run = prepare(Input(checked.tree), tmp_path / "case", lambda line: None)
    first = run.problem.state.fields.unknowns.copy()
    assert run.carry_out()
    return first, run.problem.state.fields.unknowns, run.problem


def fipy_grid(cells, length):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fipy = pytest.importorskip("fipy")
    return fipy, fipy.PeriodicGrid2D(nx=cells, ny=cells, dx=length / cells, dy=length / cells)


def fipy_growth(first, constants, *, step, steps):
    fipy, mesh = fipy_grid(first.shape[-1], 240.0)
    fields = [fipy.CellVariable(mesh=mesh, value=one.ravel(), hasOld=True) for one in first]
    scale, kappa = constants["L"] * constants["mu"], constants["L"] * constants["kappa_op"]
    equations = []
    for own in fields:
        others = sum(other**2 for other in fields if other is not own)
        # The cube is linearised around the last sweep: η³ ≈ 3η_k² η − 2η_k³.
        slope = 3 * own**2 - 1 + 3 * others
        reaction = fipy.ImplicitSourceTerm(scale * slope) - scale * 2 * own**3
        equations.append(fipy.TransientTerm() == fipy.DiffusionTerm(coeff=kappa) - reaction)
    for _ in range(steps):
        for own in fields:
            own.updateOld()
        for _ in range(5):
            for own, equation in zip(fields, equations, strict=True):
                equation.sweep(own, dt=step)
    return np.array([one.value.reshape(first.shape[1:]) for one in fields])


def fipy_split(first, *, step, steps):
    fipy, mesh = fipy_grid(first.shape[-1], 16.0)
    c = fipy.CellVariable(mesh=mesh, value=first[0].ravel(), hasOld=True)
    w = fipy.CellVariable(mesh=mesh, value=0.0, hasOld=True)
    force, slope = 2 * c * (1 - c) * (1 - 2 * c), 2 - 12 * c + 12 * c**2
    flow = fipy.TransientTerm(var=c) == fipy.DiffusionTerm(coeff=1.0, var=w)
    potential = fipy.ImplicitSourceTerm(coeff=1.0, var=w) == (
        fipy.ImplicitSourceTerm(coeff=slope, var=c) + (force - slope * c) - fipy.DiffusionTerm(coeff=0.5, var=c)
    )
    equation = flow & potential
    for _ in range(steps):
        c.updateOld()
        for _ in range(4):
            equation.sweep(dt=step)
    return c.value.reshape(first.shape[1:])


def compared(found, other, first):
    """Return the difference relative to how far the fields have moved (root mean squares)."""
    return float(np.sqrt(np.mean((found - other) ** 2) / np.mean((found - first) ** 2)))


def test_grain_growth_agrees_with_fipy_to_second_order_in_the_mesh_width(tmp_path):
    differences = []
    for cells in (20, 40):
        first, found, problem = embedded(GROWTH, tmp_path, cells)
        constants = {name: problem.state.materials.find(name).constant for name in ("L", "mu", "kappa_op")}
        differences.append(compared(found, fipy_growth(first, constants, step=8.0, steps=6), first))
    assert differences[1] < 0.01
    assert differences[0] / differences[1] == pytest.approx(4, rel=0.25)


def test_spinodal_decomposition_agrees_with_fipy_to_second_order_in_the_mesh_width(tmp_path):
    differences = []
    for cells in (16, 32):
        first, found, _ = embedded(SPLIT, tmp_path, cells)
        differences.append(compared(found[0], fipy_split(first, step=0.2, steps=10), first[0]))
    assert differences[1] < 0.02
    assert differences[0] / differences[1] == pytest.approx(4, rel=0.25)
