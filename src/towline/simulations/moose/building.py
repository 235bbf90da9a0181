"""Blocks that the inputs of every physics have, built over the input tree."""

import math
from collections.abc import Sequence

from towline.simulations.application import Case
from towline.simulations.moose.tree import Section
from towline.simulations.resolving import Resolution

_AXES = "xyz"
_LARGEST_SMOOTH = 100_000


def dimension_of(case: Case) -> int:
    """Dimensions of a case."""
    return int(case.number("dim"))


def cells(case: Case) -> tuple[int, ...]:
    """Cells along each axis, refinement included."""
    halvings = 2 ** int(case.number("uniform_refine"))
    return tuple(int(case.number(f"n{axis}")) * halvings for axis in _AXES[: dimension_of(case)])


def cell_lengths(case: Case) -> tuple[float, ...]:
    """Lengths of a cell along each axis, in the unit of the box."""
    axes = zip(_AXES, cells(case), strict=False)
    return tuple(case.number(f"{axis}max") / count for axis, count in axes)


def fast_count(count: int) -> int:
    """The next even number whose only factors are 2, 3 and 5: transforms of such lengths are fast."""
    if count > _LARGEST_SMOOTH:
        # Such numbers are rare among large ones, and no machine transforms so many.
        return count + count % 2
    while True:
        rest = count
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1 and count % 2 == 0:
            return count
        count += 1


def derive_cells(values: Resolution, dimension: int, cell: float, note: str) -> None:
    """Give the numbers of cells that are not stated: cells of this length, or as long as those of an axis that is.

    Parameters
    ----------
    cell
        The longest one, before refinement.
    note
        What the length follows from.
    """
    axes = _AXES[:dimension]
    stated = [axis for axis in axes if values.is_stated(f"n{axis}")]
    if stated:
        cell = values.number(f"{stated[0]}max") / values.number(f"n{stated[0]}")
    for axis in axes:
        count = values.number(f"{axis}max") / cell
        if stated:
            values.derive(f"n{axis}", max(1, round(count)), f"cells as long as those along {stated[0]}")
        else:
            values.derive(f"n{axis}", fast_count(max(2, math.ceil(count - 1e-9))), note)


def add_mesh(tree: Section, case: Case) -> None:
    """The block Mesh: a box of equal cells."""
    dimension = dimension_of(case)
    mesh = tree.add_section("Mesh")
    mesh.add("type", "GeneratedMesh").add("dim", dimension)
    mesh.add("elem_type", "QUAD4" if dimension == 2 else "HEX8")
    for axis in _AXES[:dimension]:
        mesh.add(f"n{axis}", int(case.number(f"n{axis}"))).add(f"{axis}max", case.number(f"{axis}max"))
    if case["uniform_refine"]:
        mesh.add("uniform_refine", int(case.number("uniform_refine")))
    if dimension == 3:
        mesh.add("parallel_type", "distributed")


def periodic_axes(case: Case) -> list[str]:
    """Axes along which the box is periodic."""
    return [axis for axis in _AXES[: dimension_of(case)] if case[f"periodic_{axis}"]]


def add_periodic(tree: Section, case: Case) -> None:
    """The block BCs; none when nothing is periodic, which leaves the natural boundaries."""
    axes = periodic_axes(case)
    if axes:
        tree.add_section("BCs").add_section("Periodic").add_section("all").add("auto_direction", axes)


def add_preconditioner(executioner: Section, case: Case) -> None:
    """Options of PETSc for the preconditioner; the embedded solver has its own and passes over them."""
    if case["preconditioner"] == "asm":
        executioner.add(
            "petsc_options_iname",
            ["-pc_type", "-ksp_gmres_restart", "-sub_ksp_type", "-sub_pc_type", "-pc_asm_overlap"],
        )
        executioner.add("petsc_options_value", ["asm", "31", "preonly", "lu", "2"])
    else:
        executioner.add("petsc_options_iname", ["-pc_type", "-pc_hypre_type", "-ksp_gmres_restart"])
        executioner.add("petsc_options_value", ["hypre", "boomeramg", "31"])


def add_solver(executioner: Section, case: Case) -> None:
    """Tolerances and limits of Newton and of the linear solver."""
    executioner.add("nl_max_its", int(case.number("nl_max_its")))
    executioner.add("nl_rel_tol", case.number("nl_rel_tol"))
    executioner.add("nl_abs_tol", case.number("nl_abs_tol"))
    executioner.add("l_max_its", int(case.number("l_max_its")))
    executioner.add("l_tol", case.number("l_tol"))
    if case["automatic_scaling"]:
        executioner.add("automatic_scaling", True)


def add_times(executioner: Section, case: Case, unit: str) -> Section:
    """What ends the run, the limits of the steps, and the stepper, which is returned."""
    end = str(case["time_mode"])
    if end == "num_steps":
        executioner.add(end, int(case.number(end)))
    else:
        executioner.add(end, case.number(end), comment=unit)
    executioner.add("dtmin", case.number("dtmin")).add("dtmax", case.number("dtmax"))
    stepper = executioner.add_section("TimeStepper")
    stepper.add("type", "IterationAdaptiveDT").add("dt", case.number("dt_start"))
    stepper.add("growth_factor", case.number("dt_growth"))
    stepper.add("cutback_factor", case.number("dt_cutback"))
    # Since 2021 failed steps have a factor of their own.
    stepper.add("cutback_factor_at_failure", case.number("dt_cutback"))
    stepper.add("optimal_iterations", int(case.number("optimal_iterations")))
    return stepper


def add_adaptivity(executioner: Section, case: Case) -> None:
    """Adaptivity of the mesh, where the case asks for it."""
    if case["use_adaptivity"]:
        adaptivity = executioner.add_section("Adaptivity")
        adaptivity.add("initial_adaptivity", int(case.number("initial_adaptivity")))
        adaptivity.add("refine_fraction", case.number("refine_fraction"))
        adaptivity.add("coarsen_fraction", case.number("coarsen_fraction"))
        adaptivity.add("max_h_level", int(case.number("max_h_level")))


def add_outputs(tree: Section, case: Case, fields: Sequence[str] = ()) -> None:
    """The block Outputs: ``<run_name>.csv`` at every step, ``<run_name>.e`` at some, the console.

    Parameters
    ----------
    fields
        The fields that the Exodus file has; all of them when empty.
    """
    name = str(case["run_name"])
    outputs = tree.add_section("Outputs")
    outputs.add("file_base", name).add("csv", True).add("console", True)
    exodus = outputs.add_section("exodus")
    exodus.add("type", "Exodus").add("file_base", name)
    exodus.add("time_step_interval", int(case.number("exodus_interval")))
    # The last state is wanted whatever its number.
    exodus.add("execute_on", ["INITIAL", "TIMESTEP_END", "FINAL"])
    if fields:
        exodus.add("show", list(fields))
    if "use_checkpoint" in case.values and case["use_checkpoint"]:
        outputs.add("checkpoint", True)
