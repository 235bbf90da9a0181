"""Run a checked input on the embedded solver."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from towline.errors import InvalidRequest
from towline.simulations.moose.solver.blocks import refuse_unused
from towline.simulations.moose.solver.checkpoints import Checkpoints, find
from towline.simulations.moose.solver.executioner import (
    TimeSettings,
    TransientRun,
    read_time_settings,
    read_tolerances,
    run_steady,
)
from towline.simulations.moose.solver.exodus import ExodusFile
from towline.simulations.moose.solver.memory import keep_freed_memory, refuse_what_does_not_fit
from towline.simulations.moose.solver.newton import Tolerances
from towline.simulations.moose.solver.objects import Input, build_mesh
from towline.simulations.moose.solver.outputs import read_checkpoints, read_console, read_outputs, sync_times
from towline.simulations.moose.solver.problem import SimulationProblem, build_problem
from towline.simulations.moose.solver.reporting import RunReporter
from towline.simulations.moose.solver.time_steppers import TimeStepper, build_time_stepper
from towline.simulations.moose.tree import Section


def _print(line: str) -> None:
    print(line, flush=True)


@dataclass(frozen=True)
class Recovery:
    """A wish to go on from a checkpoint."""

    #: Such as ``case_out_cp/0042``; None: the newest one.
    checkpoint: Path | None = None


def run(
    tree: Section,
    base: Path,
    *,
    mesh_only: bool = False,
    notes: Sequence[str] = (),
    recovery: Recovery | None = None,
    write: Callable[[str], None] = _print,
) -> int:
    """Run a checked input, and write its files and console.

    Parameters
    ----------
    tree
        As :func:`towline.simulations.moose.checking.check` gives it.
    base
        Folder and stem of the input: outputs begin with it.
    mesh_only
        Write the mesh to ``<base>_in.e`` and end.
    notes
        What a reader of the log has to know about the input, such as what of it is ignored.
    recovery
        Where to go on; None begins at the beginning.
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
    prepared = prepare(source, base, write)
    refuse_unused(tree)
    prepared.problem.notes.extend(notes)
    reporter = prepared.reporter
    try:
        ended_well = prepared.carry_out(recovery)
    except InvalidRequest as error:
        write(f"\n*** ERROR ***\n{error}\n")
        print(f"*** ERROR ***\n{error}", file=sys.stderr)
        return 1
    finally:
        reporter.close()
    reporter.finish()
    return 0 if ended_well else 1


@dataclass(frozen=True)
class PreparedRun:
    """Everything of an input, read and built."""

    executioner: str
    problem: SimulationProblem
    tolerances: Tolerances
    reporter: RunReporter
    #: None for a steady problem.
    steps: tuple[TimeSettings, TimeStepper] | None
    checkpoints: tuple[Checkpoints, ...] = ()

    def carry_out(self, recovery: Recovery | None = None) -> bool:
        """Solve; returns whether the run ended well.

        Raises
        ------
        InvalidRequest
            A step failed for good, or there is no checkpoint to go on from.
        """
        self.reporter.header(self.executioner)
        # The products are short and bound by the memory: a second thread of BLAS waits more than it works.
        with threadpool_limits(limits=1, user_api="blas"):
            if self.steps is None:
                if recovery is not None:
                    raise InvalidRequest("a steady problem has no checkpoints; leave --recover out")
                return run_steady(self.problem, self.tolerances, self.reporter)
            transient = TransientRun(self.problem, *self.steps, self.tolerances, self.reporter, self.checkpoints)
            if recovery is not None:
                transient.recover(find(recovery.checkpoint, [one.folder for one in self.checkpoints]))
            return transient.run()


def prepare(source: Input, base: Path, write: Callable[[str], None] = _print) -> PreparedRun:
    """Read and build everything of an input.

    Raises
    ------
    InvalidInputFile
        Something in it is not supported; the message says where.
    InvalidRequest
        The problem does not fit into memory.
    """
    executioner = source.block("Executioner")
    if executioner is None:
        raise source.refused("missing required section '[Executioner]'")
    problem = build_problem(source)
    reporter = RunReporter(problem, read_outputs(source, base), read_console(source, base), write)
    steps = None
    if executioner.type == "Transient":
        settings = read_time_settings(executioner, sync_times(source))
        values = problem.state.values
        functions = problem.state.functions
        stepper = build_time_stepper(
            executioner, functions, lambda names: [values[name] for name in names], settings.tolerance
        )
        steps = settings, stepper
    elif executioner.type != "Steady":
        raise executioner.unsupported()
    checkpoints = tuple(Checkpoints(one) for one in read_checkpoints(source, base))
    return PreparedRun(executioner.type, problem, read_tolerances(executioner), reporter, steps, checkpoints)


def _write_mesh(source: Input, base: Path) -> int:
    mesh = build_mesh(source)
    refuse_what_does_not_fit(mesh, 0, 0)
    ExodusFile(base.with_name(base.name + "_in.e"), mesh, [], [], [], "mesh of the embedded solver of towline").close()
    return 0
