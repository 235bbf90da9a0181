"""Steady solves and the loop over time steps, in the order and with the decisions of MOOSE."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from towline.errors import InvalidRequest
from towline.simulations.moose.solver.blocks import Block
from towline.simulations.moose.solver.checkpoints import Checkpoints, Memory, UnfitCheckpoint, read
from towline.simulations.moose.solver.newton import Monitor, Tolerances
from towline.simulations.moose.solver.problem import SimulationProblem
from towline.simulations.moose.solver.remembering import preconditioner_of, recall, remembered
from towline.simulations.moose.solver.state import Moment
from towline.simulations.moose.solver.terminator import FailMode
from towline.simulations.moose.solver.time_solver import Solver, time_derivative
from towline.simulations.moose.solver.time_steppers import SmallestStepFailed, StepRecord, TimeStepper


class Reporter(Monitor, Protocol):
    """Told what happens; console and files, in a run."""

    def output(self, moment: Moment) -> None:
        """Write the values of now."""

    def step(self, number: int, time: float, size: float) -> None:
        """Tell that a step begins."""

    def line(self, text: str) -> None:
        """Tell anything else."""

    def files(self) -> list[Path]:
        """The files that grow with the run."""

    def memory(self) -> dict[str, Any]:
        """How far the files are."""

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on with files that are so far."""


@dataclass(frozen=True)
class TimeSettings:
    """Parameters of a transient run, by their names in the Executioner block."""

    start_time: float = 0.0
    end_time: float = 1e30
    num_steps: int | None = None
    dtmin: float = 1e-12
    dtmax: float = 1e30
    tolerance: float = 1e-12
    bdf2: bool = False
    abort_on_solve_fail: bool = False
    #: Whether a run that can make no smaller step has failed, or has only come to its end.
    error_on_dtmin: bool = True
    steady_state_detection: bool = False
    steady_state_tolerance: float = 1e-8
    steady_state_start_time: float = 0.0
    #: Times that outputs ask for.
    sync_times: tuple[float, ...] = ()


def read_tolerances(block: Block) -> Tolerances:
    """Read when iterations end."""
    return Tolerances(
        nl_rel_tol=block.number("nl_rel_tol", default=1e-8),
        nl_abs_tol=block.number("nl_abs_tol", default=1e-50),
        nl_rel_step_tol=block.number("nl_rel_step_tol", default=0.0),
        nl_abs_step_tol=block.number("nl_abs_step_tol", default=0.0),
        nl_div_tol=block.number("nl_div_tol", default=1e10),
        l_tol=block.number("l_tol", default=1e-5),
        l_abs_tol=block.number("l_abs_tol", default=1e-50),
        nl_max_its=block.integer("nl_max_its", default=50),
        nl_forced_its=block.integer("nl_forced_its", default=0),
        l_max_its=block.integer("l_max_its", default=10000),
        line_search=block.text("line_search", default="default").lower() not in ("none", "basic"),
    )


def read_time_settings(block: Block, sync_times: tuple[float, ...]) -> TimeSettings:
    """Read the parameters of a transient run."""
    integrator = next((child for child in block.children if child.name == "TimeIntegrator"), None)
    if integrator is not None and block.has("scheme"):
        raise block.refused("You cannot specify time_scheme in the Executioner and independently add a TimeIntegrator.")
    scheme = (
        integrator.type.lower() if integrator is not None else block.text("scheme", default="implicit-euler").lower()
    )
    if scheme not in ("implicit-euler", "impliciteuler", "bdf2"):
        raise block.refused(f"the embedded solver has the schemes implicit-euler and bdf2, not {scheme}", "scheme")
    return TimeSettings(
        start_time=block.number("start_time", default=0.0),
        end_time=block.number("end_time", default=1e30),
        num_steps=block.integer("num_steps") if block.has("num_steps") else None,
        dtmin=block.number("dtmin", default=1e-12),
        dtmax=block.number("dtmax", default=1e30),
        tolerance=block.number("timestep_tolerance", default=1e-12),
        bdf2=scheme == "bdf2",
        abort_on_solve_fail=block.flag("abort_on_solve_fail", default=False),
        error_on_dtmin=block.flag("error_on_dtmin", default=True),
        steady_state_detection=block.flag("steady_state_detection", "trans_ss_check", default=False),
        steady_state_tolerance=block.number("steady_state_tolerance", "ss_check_tol", default=1e-8),
        steady_state_start_time=block.number("steady_state_start_time", "ss_tmin", default=0.0),
        sync_times=sync_times,
    )


def run_steady(problem: SimulationProblem, tolerances: Tolerances, reporter: Reporter) -> bool:
    """Solve once; returns whether that converged."""
    state = problem.state
    state.old = state.older = np.zeros_like(state.fields.unknowns)
    problem.compute(Moment.INITIAL)
    reporter.output(Moment.INITIAL)
    state.step, state.time = 1, 1.0
    if problem.solves:
        problem.impose(0.0)
        state.time = 0.0
        result = Solver(problem, tolerances, reporter).solve(0.0, np.zeros_like(state.fields.unknowns))
        reporter.line(" Solve Converged!" if result.converged else " Solve Did NOT Converge!")
        state.time = 1.0
        if not result.converged:
            reporter.line(
                f"Nonlinear solve did not converge due to {result.reason} iterations {result.nonlinear_iterations}"
            )
            return False
        state.fields.unknowns[...] = result.solution
        state.nonlinear_iterations, state.linear_iterations = result.nonlinear_iterations, result.linear_iterations
    problem.compute(Moment.TIMESTEP_END)
    reporter.output(Moment.TIMESTEP_END)
    state.time = 2.0
    problem.compute(Moment.FINAL)
    reporter.output(Moment.FINAL)
    return True


class TransientRun:
    """The loop over time steps."""

    def __init__(
        self,
        problem: SimulationProblem,
        settings: TimeSettings,
        stepper: TimeStepper,
        tolerances: Tolerances,
        reporter: Reporter,
        checkpoints: Sequence[Checkpoints] = (),
    ) -> None:
        self._problem, self._settings, self._stepper = problem, settings, stepper
        self._reporter = reporter
        self._solver = Solver(problem, tolerances, reporter)
        self._checkpoints = checkpoints
        self._finished = False
        self._recovered = False

    def recover(self, candidates: Sequence[Path]) -> None:
        """Go on from the first of the checkpoints that can be used, instead of beginning.

        Raises
        ------
        InvalidRequest
            None of them can.
        """
        refused = []
        for path in candidates:
            try:
                self._recall(read(path))
            except UnfitCheckpoint as error:
                refused.append(f"{path.name}: {error}")
                continue
            state = self._problem.state
            for one in refused:
                self._reporter.line(f"*** Warning *** a checkpoint was passed over: {one}")
            self._reporter.line(f"Recovering from step {state.step}, time = {state.time:.10g} ({path})")
            self._recovered = True
            return
        raise InvalidRequest("no checkpoint can be used:\n" + "\n".join(refused))

    def _recall(self, memory: Memory) -> None:
        recall(memory, self._problem.state, self._stepper)
        self._reporter.recall(memory.document["files"])
        coefficients = preconditioner_of(memory)
        if coefficients is not None:
            self._solver.prepare(*coefficients)

    def _save(self) -> None:
        state = self._problem.state
        at_end = self._at_end()
        for one in self._checkpoints:
            if not one.due(state.step, state.time, at_end=at_end):
                continue
            found = remembered(state, self._stepper, self._solver.coefficients)
            memory = Memory({**found.document, "files": self._reporter.memory()}, found.arrays)
            try:
                one.save(state.step, memory, self._reporter.files())
            except OSError as error:
                # It is there for bad times; in good ones the run does without.
                self._reporter.line(f"*** Warning *** the checkpoint of step {state.step} was not written: {error}")

    def run(self) -> bool:
        """Step until the end; returns False if that came too early, by a step that cannot be made smaller.

        Raises
        ------
        InvalidRequest
            A step failed and cannot become smaller, or the input says to stop then.
        """
        if not self._recovered:
            self._begin()
        ended_well = self._steps()
        self._problem.compute(Moment.FINAL)
        self._reporter.output(Moment.FINAL)
        if ended_well:
            for one in self._checkpoints:
                if not one.asked_for:
                    one.remove()
        return ended_well

    def _begin(self) -> None:
        state = self._problem.state
        state.time = self._settings.start_time
        state.older = state.fields.unknowns.copy()
        state.old = state.fields.unknowns.copy()
        self._problem.compute(Moment.INITIAL)
        self._flush_messages()
        self._reporter.output(Moment.INITIAL)

    def _steps(self) -> bool:
        failed_size: float | None = None
        try:
            while not self._at_end():
                failed_size = self._step(failed_size)
        except SmallestStepFailed as error:
            if self._settings.error_on_dtmin:
                raise
            self._reporter.line(str(error))
            return False
        return True

    def _at_end(self) -> bool:
        state, settings = self._problem.state, self._settings
        done = settings.num_steps is not None and state.step >= settings.num_steps
        return self._finished or done or state.time >= settings.end_time - settings.tolerance

    def _step(self, failed_size: float | None) -> float | None:
        """Try one step; returns the size that failed and has to be made smaller, or None."""
        state = self._problem.state
        begin, number = state.time, state.step + 1
        size = self._size(begin, number, failed_size)
        size_before = state.time_step_size
        state.step, state.time, state.time_step_size = number, begin + size, size
        state.old_time_step_size = size_before
        self._reporter.step(number, state.time, size)
        self._problem.compute(Moment.TIMESTEP_BEGIN)
        if not self._solved():
            return self._rejected(begin, size, size_before)
        self._problem.compute(Moment.TIMESTEP_END)
        self._flush_messages()
        if self._terminated():
            return self._rejected(begin, size, size_before)
        record = StepRecord(state.time, size, state.nonlinear_iterations, state.linear_iterations)
        self._stepper.accepted(record)
        self._reporter.output(Moment.TIMESTEP_END)
        self._detect_steady_state()
        # What was current becomes old. The tracker has exchanged grains in the old fields too.
        state.older, state.old = state.old, state.fields.unknowns.copy()
        self._save()
        return None

    def _size(self, time: float, number: int, failed_size: float | None) -> float:
        settings = self._settings
        if failed_size is not None:
            size = self._stepper.failed(failed_size, settings.dtmin)
        else:
            size = self._stepper.initial() if number == 1 else self._stepper.proposed(time)
        size = max(min(size, settings.dtmax), settings.dtmin)
        for point in (settings.end_time, *settings.sync_times):
            if time + settings.tolerance < point < time + size + settings.tolerance:
                size = point - time
        return self._stepper.limited(size, time, number)

    def _solved(self) -> bool:
        problem, state = self._problem, self._problem.state
        if not problem.solves:
            self._reporter.line(" Solve Skipped!")
            return True
        factor, history = time_derivative(problem, bdf2=self._settings.bdf2)
        problem.impose(state.time)
        result = self._solver.solve(factor, history)
        state.nonlinear_iterations, state.linear_iterations = result.nonlinear_iterations, result.linear_iterations
        if not result.converged:
            count = result.nonlinear_iterations
            self._reporter.line(f"Nonlinear solve did not converge due to {result.reason} iterations {count}")
            self._reporter.line(" Solve Did NOT Converge!")
            return False
        self._reporter.line(" Solve Converged!")
        state.fields.unknowns[...] = result.solution
        return True

    def _rejected(self, begin: float, size: float, size_before: float) -> float:
        if self._settings.abort_on_solve_fail:
            raise InvalidRequest("Aborting as solve did not converge and input selected to abort")
        self._reporter.line("Aborting as solve did not converge")
        self._reporter.line("Solve failed, cutting timestep.")
        state = self._problem.state
        # The old values, not those of before the step: a tracker may have exchanged grains in them.
        state.fields.unknowns[...] = state.old
        state.step, state.time, state.time_step_size = state.step - 1, begin, size_before
        return size

    def _terminated(self) -> bool:
        """Carry out the terminators; returns whether the step is rejected."""
        for one in self._problem.terminators:
            if Moment.TIMESTEP_END in one.execute_on and one.holds(self._problem.state):
                if one.is_error:
                    raise InvalidRequest(
                        one.message or f"Terminator '{one.name}' is causing the execution to terminate."
                    )
                if one.mode is FailMode.NONE:
                    self._reporter.line(one.message or f"Terminator '{one.name}' holds.")
                    continue
                self._reporter.line(one.message or f"Terminator '{one.name}' is causing the execution to terminate.")
                if one.mode is FailMode.SOFT:
                    self._reporter.line("Aborting by a Terminator")
                    return True
                self._finished = True
        return False

    def _flush_messages(self) -> None:
        state = self._problem.state
        for message in state.messages:
            self._reporter.line(message)
        state.messages.clear()

    def _detect_steady_state(self) -> None:
        settings, state = self._settings, self._problem.state
        if not settings.steady_state_detection or state.time < settings.steady_state_start_time:
            return
        change = float(np.linalg.norm(state.fields.unknowns - state.old))
        norm = float(np.linalg.norm(state.fields.unknowns))
        if change / (norm or 1.0) < settings.steady_state_tolerance * state.time_step_size:
            self._reporter.line(f"Steady-State Solution Achieved at time: {state.time:g}")
            self._finished = True
