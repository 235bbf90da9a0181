"""G10: a round grain, on the cells and with the steps of a case, against ``dA/dt = −2πMσ``.

This tells whether a solver, a mesh and time steps are good enough for a material before its polycrystals are trusted.
The input is one for any MOOSE executable, or for the embedded solver: a quarter of a disc, its centre in a corner of
the box, natural boundaries.
"""

import math
from pathlib import Path

import numpy as np

from towline.simulations.analysis.regression import fit_line
from towline.simulations.application import Case, CheckResult
from towline.simulations.moose.building import cell_lengths
from towline.simulations.moose.grain_growth import limits
from towline.simulations.moose.grain_growth.input_file import input_text
from towline.simulations.moose.grain_growth.limits import G10
from towline.simulations.moose.grain_growth.theory import boundary_of, mean_radius
from towline.simulations.moose.input_file import parse
from towline.simulations.moose.output_files import UnreadableOutput, read_table
from towline.simulations.moose.tree import Section, render

#: Radius of the disc over the width of its boundary, at least.
_WIDTHS = 6.0
#: Share of its area that it may lose.
_LOSS = 0.5
_FEWEST_POINTS = 8


def qualification_input(case: Case, name: str = "qualification") -> str:
    """Return the input of a disc with the boundaries, cells, tolerances and steps of a case; two-dimensional.

    Parameters
    ----------
    name
        Of the files that the run writes: ``<name>.csv``.
    """
    planned = parse(input_text(case)).root
    one, spacing = boundary_of(case), max(cell_lengths(case))
    radius = circle_radius(case)
    cells = math.ceil((radius + 3 * one.width) / spacing)
    tree = Section()
    tree.add_comment(f"A disc of {radius:g} nm on cells of {spacing:g} nm: dA/dt = {circle_rate(case):.6g} nm^2/ns")
    mesh = tree.add_section("Mesh").add("type", "GeneratedMesh").add("dim", 2)
    for axis in "xy":
        mesh.add(f"n{axis}", cells).add(f"{axis}max", cells * spacing)
    tree.add_section("GlobalParams").add("op_num", 2).add("var_name_base", "gr")
    tree.add_section("Modules").add_section("PhaseField").add_section("GrainGrowth")
    conditions = tree.add_section("ICs")
    for place, (inside, outside) in enumerate(((1, 0), (0, 1))):
        disc = conditions.add_section(f"disc{place}").add("type", "SmoothCircleIC").add("variable", f"gr{place}")
        disc.add("x1", 0).add("y1", 0).add("radius", radius).add("int_width", one.width).add("profile", "TANH")
        disc.add("invalue", inside).add("outvalue", outside)
    materials = tree.add_section("Materials")
    for section in planned.walk():
        if section.type == "GBEvolution":
            materials.append(section.copy())
    area = tree.add_section("Postprocessors").add_section("area").add("type", "ElementIntegralVariablePostprocessor")
    area.add("variable", "gr0").add("execute_on", ["INITIAL", "TIMESTEP_END"])
    tree.append(_executioner(planned, case))
    tree.add_section("Outputs").add("file_base", name).add("csv", True)
    return render(tree)


def _executioner(planned: Section, case: Case) -> Section:
    """The executioner of the plan, with the end of the disc."""
    found = planned.section("Executioner")
    if found is None:
        raise UnreadableOutput("the input of the case has no Executioner")
    executioner = found.copy()
    for name in ("end_time", "num_steps"):
        field = executioner.own_field(name)
        if field is not None:
            executioner.remove(field)
    # A quarter of the disc loses its share of the area at a quarter of the rate.
    end = _LOSS * math.pi * circle_radius(case) ** 2 / -circle_rate(case)
    executioner.add("end_time", float(f"{end:.6g}"))
    return executioner


def circle_radius(case: Case) -> float:
    """Return the radius of the disc in nm: that of a mean grain, or several widths of its boundary if that is more."""
    volume = math.prod(case.number(f"{axis}max") for axis in "xy")
    grain = mean_radius(volume, case.number("num_grains"), 2)
    return float(f"{max(grain, _WIDTHS * case.number('wGB')):.6g}")


def circle_rate(case: Case) -> float:
    """Return ``−2πMσ``, in nm²/ns."""
    return -2 * math.pi * boundary_of(case).kinetic_coefficient


def qualification_check(case: Case, csv: Path) -> CheckResult:
    """G10: the rate at which the area of the disc falls, from the table of its run."""
    try:
        table = read_table(csv)
        times, areas = table.series("time", on_initial=True)[1], table.series("area", on_initial=True)[1]
    except UnreadableOutput as error:
        return G10.undecided(str(error))
    rows = np.flatnonzero((times >= boundary_of(case).settling_time) & np.isfinite(areas) & (areas > 0))
    line = fit_line(times[rows], 4 * areas[rows])
    if len(rows) < _FEWEST_POINTS or line is None:
        return G10.undecided(f"{len(rows)} rows lie after the boundary has settled, {_FEWEST_POINTS} are needed")
    expected = circle_rate(case)
    ratio = line.slope / expected
    numbers = {"ratio": ratio, "ratio_error": abs(line.slope_error / expected), "expected": expected}
    numbers["radius"] = circle_radius(case)
    reason = f"the area of a disc falls at {ratio:.4f} times 2πMσ = {-expected:.4g} nm²/ns ({limits.CIRCLE})"
    return G10.decided(limits.CIRCLE.holds(ratio), reason, numbers, (int(rows[0]), int(rows[-1])))
