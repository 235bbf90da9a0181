"""What a run writes: the console in MOOSE's words, and the files that the Outputs block asks for."""

import time as clock
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from towline.simulations.moose.solver.blocks import Block
from towline.simulations.moose.solver.exodus import ExodusFile
from towline.simulations.moose.solver.krylov import LinearSolution
from towline.simulations.moose.solver.objects import Input
from towline.simulations.moose.solver.output_files import CsvTable, VectorTables
from towline.simulations.moose.solver.problem import SimulationProblem
from towline.simulations.moose.solver.state import Moment, moments

_DEFAULT = "initial timestep_end"
_TABLE_ROWS = 15


@dataclass
class FileOutput:
    """One output of files: what kind, where, and when."""

    kind: str
    base: Path
    moments: frozenset[Moment]
    interval: int = 1
    hidden: frozenset[str] = frozenset()
    shown: frozenset[str] = frozenset()

    def wants(self, moment: Moment, step: int) -> bool:
        """Return whether it is written at a moment."""
        return moment in self.moments and (moment is not Moment.TIMESTEP_END or step % self.interval == 0)

    def keeps(self, name: str) -> bool:
        """Return whether show and hide leave a name."""
        return name not in self.hidden and (not self.shown or name in self.shown)


def read_outputs(source: Input, base: Path) -> list[FileOutput]:
    """Read the Outputs block: its short forms csv and exodus, and its sections."""
    outer = source.block("Outputs")
    if outer is None:
        return []
    found = [
        _output(kind, outer, outer, Path(str(base) + "_out"))
        for kind in ("csv", "exodus")
        if outer.flag(kind, default=False)
    ]
    for block in outer.children:
        if block.type.lower() in ("csv", "exodus"):
            found.append(_output(block.type.lower(), block, outer, Path(f"{base}_{block.name}")))
    return found


def _output(kind: str, block: Block, outer: Block, default: Path) -> FileOutput:
    named = block if block.has("file_base") else outer
    base = default.parent / named.text("file_base") if named.has("file_base") else default
    when = block if block.has("execute_on") else outer
    words = moments(when, _DEFAULT, "execute_on", "output_on", "output_initial")
    if block.has("additional_execute_on"):
        words |= moments(block, "none", "additional_execute_on")
    interval = block if block.has("time_step_interval", "interval") else outer
    return FileOutput(
        kind,
        base,
        words,
        interval.integer("time_step_interval", "interval", default=1),
        frozenset(block.words("hide", default=outer.words("hide", default=()))),
        frozenset(block.words("show", default=outer.words("show", default=()))),
    )


def sync_times(source: Input) -> tuple[float, ...]:
    """Return the times that outputs ask the steps to hit."""
    outer = source.block("Outputs")
    blocks = () if outer is None else (outer, *outer.children)
    return tuple(sorted({time for block in blocks for time in block.numbers("sync_times", default=())}))


class RunReporter:
    """Writes console and files of a run."""

    def __init__(
        self,
        problem: SimulationProblem,
        outputs: list[FileOutput],
        write: Callable[[str], None],
        *,
        linear: bool = True,
    ) -> None:
        self._problem, self._outputs, self._write, self._linear = problem, outputs, write, linear
        self._tables = {id(one): CsvTable(one.base.with_name(one.base.name + ".csv")) for one in outputs}
        self._snapshots: dict[int, ExodusFile] = {}
        self._rows: list[tuple[float, dict[str, float]]] = []
        self._started = clock.monotonic()

    def header(self, executioner: str) -> None:
        """Tell versions, sizes, and that this is not MOOSE."""
        problem, mesh = self._problem, self._problem.state.mesh
        counts = " × ".join(str(count) for count in mesh.counts)
        periodic = "".join(axis for axis, wraps in zip("xyz", mesh.periodic, strict=False) if wraps) or "none"
        nodes = len(problem.state.fields.names) * mesh.node_count
        lines = [
            "", "Framework Information:",
            f"towline Version:         {version('towline')}",
            "Solver:                  embedded solver of towline (not MOOSE)",
            "", "Mesh:",
            f"  Dimension:             {mesh.dimension}",
            f"  Nodes:                 {mesh.node_count}",
            f"  Elems:                 {mesh.element_count} ({counts}, uniform, periodic directions: {periodic})",
            "", "Nonlinear System:",
            f"  Num DOFs:              {nodes}",
            f"  Variables:             {' '.join(problem.state.fields.names)}",
            "", "Execution Information:",
            f"  Executioner:           {executioner}",
            "  Solver Mode:           matrix-free Newton, preconditioned in Fourier and cosine modes",
        ]  # fmt: skip
        lines += [f"  Note:                  {note}" for note in problem.notes]
        for line in (*lines, ""):
            self._write(line)

    def nonlinear(self, iteration: int, norm: float) -> None:
        """Tell the norm of a nonlinear residual."""
        self._write(f"{iteration:2d} Nonlinear |R| = {norm:.6e}")

    def linear(self, iteration: int, norm: float) -> None:
        """Tell the norm of a linear residual."""
        if self._linear:
            self._write(f"{iteration:7d} Linear |R| = {norm:.6e}")

    def linear_end(self, solution: LinearSolution) -> None:
        """Tell how a linear solve ended."""
        verb = "converged" if solution.converged else "did not converge"
        self._write(f"  Linear solve {verb} due to {solution.reason} iterations {solution.iterations}")

    def step(self, number: int, time: float, size: float) -> None:
        """Tell that a step begins."""
        self._write(f"\nTime Step {number}, time = {time:.10g}, dt = {size:.10g}")

    def line(self, text: str) -> None:
        """Tell anything else."""
        self._write(text)

    def output(self, moment: Moment) -> None:
        """Write the files of a moment, and the table of the postprocessors."""
        state = self._problem.state
        for one in self._outputs:
            if one.wants(moment, state.step):
                (self._csv if one.kind == "csv" else self._exodus)(one, moment)
        if moment is not Moment.FINAL and state.values:
            self._rows = [*self._rows[-_TABLE_ROWS:], (state.time, dict(state.values))]
            self._table()

    def _csv(self, one: FileOutput, moment: Moment) -> None:
        problem, state = self._problem, self._problem.state
        shown = [number.name for number in problem.postprocessors if number.shown and one.keeps(number.name)]
        if shown:
            self._tables[id(one)].write(state.time, {name: state.values[name] for name in shown})
        for table in problem.tables:
            if (
                table.shown
                and one.keeps(table.name)
                and table.name in problem.table_values
                and moment in table.execute_on
            ):
                VectorTables(one.base).write(table.name, state.step, problem.table_values[table.name])

    def _exodus(self, one: FileOutput, moment: Moment) -> None:
        state = self._problem.state
        fields, mesh = state.fields, state.mesh
        nodal = [name for name in (*fields.names, *fields.nodal) if one.keeps(name)]
        elemental = [name for name in fields.elemental if one.keeps(name)]
        numbers = [number.name for number in self._problem.postprocessors if number.shown and one.keeps(number.name)]
        if id(one) not in self._snapshots:
            path = one.base.with_name(one.base.name + ".e")
            title = f"{one.base.name}, embedded solver of towline {version('towline')}"
            self._snapshots[id(one)] = ExodusFile(path, mesh, sorted(nodal), sorted(elemental), sorted(numbers), title)
        full = {name: mesh.extended(fields.nodal_values(name)[None])[0] for name in nodal}
        self._snapshots[id(one)].write(state.time, full, fields.elemental, state.values)

    def _table(self) -> None:
        names = sorted(self._problem.state.values)
        widths = [max(len(name), 14) for name in names]
        rule = "+" + "+".join("-" * (width + 2) for width in (14, *widths)) + "+"
        heads = (
            "|"
            + "|".join(f" {name:<{width}} " for name, width in zip(("time", *names), (14, *widths), strict=True))
            + "|"
        )
        self._write("\nPostprocessor Values:")
        self._write("\n".join([rule, heads, rule]))
        if len(self._rows) > _TABLE_ROWS:
            self._write("|" + "|".join(f" {':':<{width}} " for width in (14, *widths)) + "|")
        for time, values in self._rows[-_TABLE_ROWS:]:
            cells = [(time, 14), *((values[name], width) for name, width in zip(names, widths, strict=True))]
            self._write("|" + "|".join(f" {value:>{width}.6e} " for value, width in cells) + "|")
        self._write(rule + "\n")

    def finish(self) -> None:
        """Tell that the run has ended well, and close the files."""
        for snapshots in self._snapshots.values():
            snapshots.close()
        self._write(f"\nFinished Executing{clock.monotonic() - self._started:12.2f} s")
