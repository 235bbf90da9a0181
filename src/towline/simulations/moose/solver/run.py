"""Run a checked input on the embedded solver."""

import sys
from collections.abc import Callable
from pathlib import Path

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from towline.errors import InvalidRequest
from towline.simulations.moose.solver.executioner import (
    TransientRun,
    read_time_settings,
    read_tolerances,
    run_steady,
)
from towline.simulations.moose.solver.exodus import ExodusFile
from towline.simulations.moose.solver.memory import keep_freed_memory, refuse_what_does_not_fit
from towline.simulations.moose.solver.objects import Input, build_mesh
from towline.simulations.moose.solver.problem import build_problem
from towline.simulations.moose.solver.reporting import RunReporter, read_outputs, sync_times
from towline.simulations.moose.solver.time_steppers import build_time_stepper
from towline.simulations.moose.tree import Section


def _print(line: str) -> None:
    print(line, flush=True)


def run(tree: Section, base: Path, *, mesh_only: bool = False, write: Callable[[str], None] = _print) -> int:
    """Run a checked input, and write its files and console.

    Parameters
    ----------
    tree
        As :func:`towline.simulations.moose.checking.check` gives it.
    base
        Folder and stem of the input: outputs begin with it.
    mesh_only
        Write the mesh to ``<base>_in.e`` and end.
    write
        Takes the lines of the console.

    Returns
    -------
    int
        The exit code: 0 if the run ended well, 1 if a step failed for good.

    Raises
    ------
    InvalidInputFile
        The input has something that is not supported; the message says where.
    InvalidRequest
        The problem does not fit into memory.
    """
    keep_freed_memory()
    source = Input(tree)
    if mesh_only:
        return _write_mesh(source, base)
    executioner = source.block("Executioner")
    if executioner is None:
        raise source.refused("missing required section '[Executioner]'")
    problem = build_problem(source)
    outputs = source.block("Outputs")
    linear = outputs is None or outputs.flag("print_linear_residuals", default=True)
    reporter = RunReporter(problem, read_outputs(source, base), write, linear=linear)
    reporter.header(executioner.type)
    tolerances = read_tolerances(executioner)
    if executioner.type == "Steady":
        converged = run_steady(problem, tolerances, reporter)
        if converged:
            reporter.finish()
        return 0 if converged else 1
    if executioner.type != "Transient":
        raise executioner.unsupported()
    settings = read_time_settings(executioner, sync_times(source))
    values = problem.state.values
    stepper = build_time_stepper(
        executioner, problem.state.functions, lambda names: [values[name] for name in names], settings.tolerance
    )
    try:
        # The products are short and bound by the memory: a second thread of BLAS waits more than it works.
        with threadpool_limits(limits=1, user_api="blas"):
            TransientRun(problem, settings, stepper, tolerances, reporter).run()
    except InvalidRequest as error:
        write(f"\n*** ERROR ***\n{error}\n")
        print(f"*** ERROR ***\n{error}", file=sys.stderr)
        return 1
    reporter.finish()
    return 0


def _write_mesh(source: Input, base: Path) -> int:
    mesh = build_mesh(source)
    refuse_what_does_not_fit(mesh, 0, 0)
    ExodusFile(base.with_name(base.name + "_in.e"), mesh, [], [], [], "mesh of the embedded solver of towline").close()
    return 0
