"""S10: a flat interface between the phases, on the cells of a case, against its energy ``∫√(2κΔf) dc``.

The input is one for any MOOSE executable, or for the embedded solver: one dimension, natural boundaries, and a step
between the phases that relaxes.
"""

import math
from pathlib import Path

import numpy as np

from towline.simulations.application import Case, CheckResult
from towline.simulations.moose.building import cell_lengths
from towline.simulations.moose.input_file import parse
from towline.simulations.moose.output_files import UnreadableOutput, read_table
from towline.simulations.moose.spinodal import limits
from towline.simulations.moose.spinodal.input_file import input_text
from towline.simulations.moose.spinodal.limits import S10
from towline.simulations.moose.spinodal.theory import Mixture, mixture_of
from towline.simulations.moose.tree import Section, render

#: Length over the width of the interface.
_WIDTHS = 16.0
#: Diffusion times across the width of the interface.
_RELAXATION = 40.0
#: Change of the energy in the last tenth of the run, over the energy of the interface, below which it is relaxed.
_SETTLED = 2e-3
_COPIED = ("Variables", "Kernels", "Materials", "Preconditioning")


def qualification_input(case: Case, name: str = "qualification") -> str:
    """Return the input of a flat interface with the free energy, cells and tolerances of a case.

    Parameters
    ----------
    name
        Of the files that the run writes: ``<name>.csv``.
    """
    planned, mixture = parse(input_text(case)).root, mixture_of(case)
    spacing, (low, high) = max(cell_lengths(case)), mixture.binodal
    cells = math.ceil(_WIDTHS * mixture.interface_width / spacing)
    tree = Section()
    tree.add_comment(f"A flat interface: its energy has to be {mixture.interface_energy:.6g}.")
    mesh = tree.add_section("Mesh").add("type", "GeneratedMesh").add("dim", 1)
    mesh.add("nx", cells).add("xmax", cells * spacing)
    for section in planned.sections:
        if section.name in _COPIED:
            tree.append(section.copy())
    middle, width = cells * spacing / 2, mixture.interface_width / 2.2
    profile = f"{(low + high) / 2:.10g}+{(high - low) / 2:.10g}*tanh((x-{middle:.10g})/{width:.10g})"
    tree.add_section("ICs").add_section("step").add("type", "FunctionIC").add("variable", "c").add("function", profile)
    _add_energy(tree, planned)
    executioner = tree.add_section("Executioner").add("type", "Transient").add("scheme", "implicit-euler")
    executioner.add("solve_type", "NEWTON").add("nl_max_its", 50).add("nl_rel_tol", 1e-8)
    executioner.add("nl_abs_tol", case.number("nl_abs_tol")).add("l_tol", case.number("l_tol"))
    step = 0.5 * mixture.longest_unique_step
    executioner.add("dt", float(f"{step:.6g}")).add("end_time", float(f"{end_time(mixture):.6g}"))
    tree.add_section("Outputs").add("file_base", name).add("csv", True)
    return render(tree)


def _add_energy(tree: Section, planned: Section) -> None:
    variable = tree.add_section("AuxVariables").add_section("f_density")
    variable.add("order", "CONSTANT").add("family", "MONOMIAL")
    kernels = tree.add_section("AuxKernels")
    for section in planned.walk():
        if section.type == "TotalFreeEnergy":
            kernels.append(section.copy())
    postprocessors = tree.add_section("Postprocessors")
    for name, integrated in (("total_c", "c"), ("total_energy", "f_density")):
        section = postprocessors.add_section(name).add("type", "ElementIntegralVariablePostprocessor")
        section.add("variable", integrated).add("execute_on", ["INITIAL", "TIMESTEP_END"])


def end_time(mixture: Mixture) -> float:
    """Return the time in which an interface relaxes: many diffusion times across its width."""
    low, high = mixture.binodal
    stiffness = min(mixture.curvature_at(min(max(one, 1e-6), 1 - 1e-6)) for one in (low, high))
    return _RELAXATION * mixture.interface_width**2 / (mixture.mobility * stiffness)


def qualification_check(case: Case, csv: Path) -> CheckResult:
    """S10: the energy above the common tangent, from the table of its run."""
    mixture = mixture_of(case)
    try:
        table = read_table(csv)
        energies, masses = table.column("total_energy"), table.column("total_c")
    except UnreadableOutput as error:
        return S10.undecided(str(error))
    if len(energies) < 10 or not np.isfinite(energies).all():
        return S10.undecided(f"the table of the interface has {len(energies)} rows, 10 finite ones are needed")
    spacing = max(cell_lengths(case))
    length = math.ceil(_WIDTHS * mixture.interface_width / spacing) * spacing
    low, high = mixture.binodal
    ends = mixture.energy(np.array([low, high]))
    tangent = length * ends[0] + (ends[1] - ends[0]) / (high - low) * (masses - length * low)
    excess, expected = energies - tangent, mixture.interface_energy
    change = abs(excess[-1] - excess[-max(2, len(excess) // 10)]) / expected
    ratio = float(excess[-1] / expected)
    numbers = {"ratio": ratio, "expected": expected, "cells per width": mixture.interface_width / spacing}
    if change > _SETTLED:
        return S10.undecided(
            f"the interface has not relaxed: its energy still changes by {change:.2g} of itself", numbers
        )
    reason = (
        f"the energy of a flat interface is {ratio:.4f} times ∫√(2κΔf)dc = {expected:.4g} ({limits.INTERFACE_ENERGY})"
    )
    return S10.decided(limits.INTERFACE_ENERGY.holds(ratio), reason, numbers, (0, len(energies) - 1))
