"""Grain growth on the embedded solver and on FiPy: the same polycrystal, mesh and steps.

Run ``python benchmarks/phase_field_solver.py [elements per side] [steps]``; the peer is FiPy (``pip install fipy``).
Both codes make implicit Euler steps of the same size on the same mesh, so that their errors are of the same order; the
difference of their fields is printed beside the times.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from towline.simulations.moose import checking, input_file
from towline.simulations.moose.solver.executioner import TransientRun, read_time_settings, read_tolerances
from towline.simulations.moose.solver.objects import Input
from towline.simulations.moose.solver.outputs import read_console
from towline.simulations.moose.solver.problem import build_problem
from towline.simulations.moose.solver.reporting import RunReporter
from towline.simulations.moose.solver.time_steppers import ConstantStep

ORDER_PARAMETERS = 8
LENGTH = 1000.0
STEP = 2.0
TEXT = """
[Mesh]
  type = GeneratedMesh
  dim = 2
  nx = {elements}
  ny = {elements}
  xmax = 1000
  ymax = 1000
[]
[GlobalParams]
  op_num = 8
  var_name_base = gr
[]
[Modules/PhaseField/GrainGrowth]
[]
[UserObjects/voronoi]
  type = PolycrystalVoronoi
  grain_num = 40
  rand_seed = 42
  int_width = 20
[]
[ICs/PolycrystalICs/PolycrystalColoringIC]
  polycrystal_ic_uo = voronoi
[]
[BCs/Periodic/all]
  auto_direction = 'x y'
[]
[Materials/copper]
  type = GBEvolution
  T = 450
  wGB = 30
  GBmob0 = 2.5e-6
  Q = 0.23
  GBenergy = 0.708
[]
[Executioner]
  type = Transient
  dt = 2
  num_steps = {steps}
[]
"""


def embedded(elements: int, steps: int):
    """Return the seconds, and the fields at the start and the end."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "growth.i"
        path.write_text(TEXT.format(elements=elements, steps=steps))
        source = Input(checking.check(input_file.read([path]).tree).tree)
    problem = build_problem(source)
    first = problem.state.fields.unknowns.copy()
    block = source.block("Executioner")
    reporter = RunReporter(problem, [], read_console(source, Path(folder)), lambda line: None)
    run = TransientRun(problem, read_time_settings(block, ()), ConstantStep(STEP), read_tolerances(block), reporter)
    start = time.perf_counter()
    run.run()
    constants = {name: problem.state.materials.find(name).constant for name in ("L", "mu", "kappa_op")}
    return time.perf_counter() - start, first, problem.state.fields.unknowns, constants


def fipy(first, constants, steps: int):
    """Return the seconds and the fields at the end; every equation is swept twice per step, the coupling lagged."""
    from fipy import CellVariable, DiffusionTerm, ImplicitSourceTerm, PeriodicGrid2D, TransientTerm

    size = first.shape[-1]
    mesh = PeriodicGrid2D(nx=size, ny=size, dx=LENGTH / size, dy=LENGTH / size)
    fields = [CellVariable(mesh=mesh, value=one.ravel(), hasOld=True) for one in first]
    mobility, barrier, kappa = constants["L"], constants["mu"], constants["kappa_op"]
    equations = []
    for own in fields:
        others = sum(other**2 for other in fields if other is not own)
        # The derivative of the cubic is taken implicitly: η³ ≈ 3η_k² η − 2η_k³.
        slope = 3 * own**2 - 1 + 3 * others
        equations.append(
            TransientTerm()
            == DiffusionTerm(coeff=mobility * kappa)
            - ImplicitSourceTerm(mobility * barrier * slope)
            + mobility * barrier * 2 * own**3
        )
    start = time.perf_counter()
    for _ in range(steps):
        for own in fields:
            own.updateOld()
        for _ in range(2):
            for own, equation in zip(fields, equations, strict=True):
                equation.sweep(own, dt=STEP)
    return time.perf_counter() - start, np.array([one.value.reshape(size, size) for one in fields])


def main() -> None:
    """Measure both and print what came out."""
    elements = int(sys.argv[1]) if len(sys.argv) > 1 else 160
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    seconds, first, _, constants = embedded(elements, steps)
    size = f"{elements} x {elements} elements, {ORDER_PARAMETERS} order parameters"
    print(f"embedded solver: {size}, {steps} steps: {seconds:.1f} s")
    peer_steps = min(steps, 5)
    _, _, compared, _ = embedded(elements, peer_steps)
    peer, fields = fipy(first, constants, peer_steps)
    ratio = peer / peer_steps / (seconds / steps)
    print(f"FiPy: {peer / peer_steps:.2f} s per step (measured over {peer_steps}), {ratio:.0f} times as long")
    difference = np.sqrt(np.mean((fields - compared) ** 2))
    print(f"difference of the fields after {peer_steps} steps: {difference:.1e} (root mean square)")


if __name__ == "__main__":
    main()
