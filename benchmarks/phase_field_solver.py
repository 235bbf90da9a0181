"""Grain growth on the embedded solver and on FiPy: the same polycrystal, mesh and steps.

Run ``python benchmarks/phase_field_solver.py [elements per side] [steps]``; the peer is FiPy (``pip install fipy``).
Both codes make implicit Euler steps of the same size on the same mesh, so that their errors are of the same order; the
difference of their fields is printed beside the times.
"""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from towline.simulations.moose import checking, input_file
from towline.simulations.moose.solver.objects import Input
from towline.simulations.moose.solver.run import prepare

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
    """Return the seconds, the fields at the start and the end, and the constants of the material."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "growth.i"
        path.write_text(TEXT.format(elements=elements, steps=steps))
        run = prepare(Input(checking.check(input_file.read([path]).tree).tree), path, lambda line: None)
    state = run.problem.state
    first = state.fields.unknowns.copy()
    start = time.perf_counter()
    run.carry_out()
    seconds = time.perf_counter() - start
    constants = {name: state.materials.find(name).constant for name in ("L", "mu", "kappa_op")}
    return seconds, first, state.fields.unknowns, constants


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
    """Measure both in turn, and print what came out."""
    elements = int(sys.argv[1]) if len(sys.argv) > 1 else 160
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    peer_steps = min(steps, 5)
    embedded(elements, 1)
    own, peer = [], []
    for _ in range(3):
        own.append(embedded(elements, peer_steps))
        peer.append(fipy(own[-1][1], own[-1][3], peer_steps))
    began = time.process_time()
    seconds = embedded(elements, steps)[0]
    of_processor = time.process_time() - began
    size = f"{elements} x {elements} elements, {ORDER_PARAMETERS} order parameters"
    print(f"embedded solver: {size}, {steps} steps: {seconds:.1f} s ({of_processor:.1f} s of processor)")
    per_step = median(one[0] for one in own) / peer_steps, median(one[0] for one in peer) / peer_steps
    ratio = median(there[0] / here[0] for here, there in zip(own, peer, strict=True))
    print(f"first {peer_steps} steps, medians of 3: {per_step[0]:.3f} s per step, FiPy {per_step[1]:.2f} s per step")
    print(f"FiPy takes {ratio:.0f} times as long (median of the ratios of runs made one after the other)")
    difference = np.sqrt(np.mean((peer[-1][1] - own[-1][2]) ** 2))
    print(f"difference of the fields after {peer_steps} steps: {difference:.1e} (root mean square)")


if __name__ == "__main__":
    main()
