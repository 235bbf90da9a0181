"""What a run writes: the console in MOOSE's words, and the files that the Outputs block asks for."""

import time as clock
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from towline.simulations.moose.solver.checkpoints import UnfitCheckpoint
from towline.simulations.moose.solver.exodus import ExodusFile
from towline.simulations.moose.solver.krylov import LinearSolution
from towline.simulations.moose.solver.output_files import CsvTable, VectorTables
from towline.simulations.moose.solver.outputs import ConsoleSettings, Output
from towline.simulations.moose.solver.problem import SimulationProblem
from towline.simulations.moose.solver.state import Moment


class RunReporter:
    """Writes console and files of a run."""

    def __init__(
        self,
        problem: SimulationProblem,
        outputs: list[Output],
        console: ConsoleSettings,
        write: Callable[[str], None],
    ) -> None:
        self._problem, self._outputs, self._console, self._write = problem, outputs, console, write
        self._tables = {id(one): CsvTable(self._path(one)) for one in outputs if one.kind == "csv"}
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
        if self._console.nonlinear:
            self._write(f"{iteration:2d} Nonlinear |R| = {norm:.6e}")

    def linear(self, iteration: int, norm: float) -> None:
        """Tell the norm of a linear residual."""
        if self._console.linear:
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
            if one.due(moment, state.step, state.time):
                (self._csv if one.kind == "csv" else self._exodus)(one, moment)
        if self._console.table.due(moment, state.step, state.time):
            names = self._numbers_in(self._console.table)
            if names:
                values = {name: state.values[name] for name in sorted(names)}
                self._rows = [*self._rows[-self._console.rows :], (state.time, values)]
                self._table()

    def _numbers_in(self, one: Output) -> list[str]:
        return [number.name for number in self._problem.postprocessors if one.keeps(number.name, number.outputs)]

    def _csv(self, one: Output, moment: Moment) -> None:
        problem, state = self._problem, self._problem.state
        names = self._numbers_in(one)
        if names:
            self._tables[id(one)].write(state.time, {name: state.values[name] for name in names})
        for table in problem.tables:
            known = table.name in problem.table_values and moment in table.execute_on
            if known and one.keeps(table.name, table.outputs):
                VectorTables(one.base).write(table.name, state.step, problem.table_values[table.name])

    def _variables_in(self, one: Output) -> tuple[list[str], list[str]]:
        """The nodal and the elemental variables of an output."""
        fields, wanted = self._problem.state.fields, self._problem.variable_outputs
        nodal = [name for name in (*fields.names, *fields.nodal) if one.keeps(name, wanted.get(name, ()))]
        return nodal, [name for name in fields.elemental if one.keeps(name, wanted.get(name, ()))]

    def _open_exodus(self, one: Output, records: int | None = None) -> None:
        nodal, elemental = self._variables_in(one)
        title = f"{one.base.name}, embedded solver of towline {version('towline')}"
        names = sorted(nodal), sorted(elemental), sorted(self._numbers_in(one))
        self._snapshots[id(one)] = ExodusFile(self._path(one), self._problem.state.mesh, *names, title, records=records)

    def _exodus(self, one: Output, moment: Moment) -> None:
        state = self._problem.state
        fields, mesh = state.fields, state.mesh
        if id(one) not in self._snapshots:
            self._open_exodus(one)
        full = {name: mesh.extended(fields.nodal_values(name)[None])[0] for name in self._variables_in(one)[0]}
        self._snapshots[id(one)].write(state.time, full, fields.elemental, state.values)

    def _table(self) -> None:
        names = list(self._rows[-1][1])
        widths = [max(len(name), 14) for name in names]
        rule = "+" + "+".join("-" * (width + 2) for width in (14, *widths)) + "+"
        heads = (
            "|"
            + "|".join(f" {name:<{width}} " for name, width in zip(("time", *names), (14, *widths), strict=True))
            + "|"
        )
        self._write("\nPostprocessor Values:")
        self._write("\n".join([rule, heads, rule]))
        if len(self._rows) > self._console.rows:
            self._write("|" + "|".join(f" {':':<{width}} " for width in (14, *widths)) + "|")
        for time, values in self._rows[-self._console.rows :]:
            cells = [(time, 14), *((values[name], width) for name, width in zip(names, widths, strict=True))]
            self._write("|" + "|".join(f" {value:>{width}.6e} " for value, width in cells) + "|")
        self._write(rule + "\n")

    def files(self) -> list[Path]:
        """The files that grow with the run, as far as they are there."""
        return [path for one in self._outputs if (path := self._path(one)).exists()]

    def _path(self, one: Output) -> Path:
        return one.base.with_name(one.base.name + (".csv" if one.kind == "csv" else ".e"))

    def memory(self) -> dict[str, Any]:
        """How far the files and the table of the console are."""
        outputs = []
        for one in self._outputs:
            snapshots, path = self._snapshots.get(id(one)), self._path(one)
            outputs.append(
                {
                    "file": path.name,
                    "size": path.stat().st_size if path.exists() else 0,
                    "records": None if snapshots is None else snapshots.records,
                    "last_time": one.last_time,
                }
            )
        console = self._console
        return {"outputs": outputs, "console": console.table.last_time, "rows": self._rows[-console.rows :]}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on where an earlier run was: what it has written since then is taken away.

        Raises
        ------
        UnfitCheckpoint
            The files are not those of that run any more.
        """
        if [one["file"] for one in memory["outputs"]] != [self._path(one).name for one in self._outputs]:
            raise UnfitCheckpoint("the input has other outputs now")
        for one, then in zip(self._outputs, memory["outputs"], strict=True):
            path = self._path(one)
            size = path.stat().st_size if path.exists() else 0
            if size < then["size"]:
                raise UnfitCheckpoint(f"{path.name} has {size} bytes, and had {then['size']} when it was written")
        for one, then in zip(self._outputs, memory["outputs"], strict=True):
            one.last_time = then["last_time"]
            if one.kind == "csv":
                self._tables[id(one)].keep(then["size"])
            elif then["records"] is not None:
                self._open_exodus(one, then["records"])
        self._console.table.last_time = memory["console"]
        self._rows = [(time, values) for time, values in memory["rows"]]

    def close(self) -> None:
        """Close the files."""
        for snapshots in self._snapshots.values():
            snapshots.close()

    def finish(self) -> None:
        """Tell that the run has come to its end."""
        self._write(f"\nFinished Executing{clock.monotonic() - self._started:12.2f} s")
