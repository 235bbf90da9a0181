"""How long the next time step is."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from towline.errors import InvalidRequest
from towline.simulations.moose.solver.blocks import Block
from towline.simulations.moose.solver.functions import ORIGIN, FunctionSet, PiecewiseFunction


class SmallestStepFailed(InvalidRequest):
    """A step failed that is as small as the input allows."""


@dataclass(frozen=True)
class StepRecord:
    """A step that was accepted."""

    time: float
    size: float
    nonlinear_iterations: int
    linear_iterations: int


class TimeStepper(Protocol):
    """Proposes step sizes, and learns how steps went."""

    def initial(self) -> float:
        """Return the size of the first step."""

    def proposed(self, time: float) -> float:
        """Return the size of the next step before limits."""

    def limited(self, size: float, time: float, step: int) -> float:
        """Shorten a step by the stepper's own rules."""

    def accepted(self, record: StepRecord) -> None:
        """Learn of an accepted step."""

    def failed(self, size: float, smallest: float) -> float:
        """Return the size to try after a step failed.

        Raises
        ------
        SmallestStepFailed
            The step cannot become smaller.
        """


@dataclass
class ConstantStep:
    """ConstantDT: the same size, back to it by a factor after failures."""

    size: float
    growth: float = 2.0
    cutback: float = 0.5
    _current: float = field(init=False)

    def __post_init__(self) -> None:
        self._current = self.size

    def initial(self) -> float:
        return self.size

    def proposed(self, time: float) -> float:
        return min(self.size, self.growth * self._current)

    def limited(self, size: float, time: float, step: int) -> float:
        return size

    def accepted(self, record: StepRecord) -> None:
        self._current = record.size

    def failed(self, size: float, smallest: float) -> float:
        if size <= smallest:
            raise SmallestStepFailed("Solve failed and timestep already at or below dtmin, cannot continue!")
        self._current = max(self.cutback * size, smallest)
        return self._current


@dataclass
class FunctionStep:
    """FunctionDT: the size is a function of the time at the beginning of a step."""

    size_at: Callable[[float], float]
    start_time: float = 0.0
    smallest: float = 0.0
    growth: float = math.inf
    cutback: float = 0.5
    _last_size: float = math.inf

    def initial(self) -> float:
        return max(self.size_at(self.start_time), self.smallest)

    def proposed(self, time: float) -> float:
        return max(min(self.size_at(time), self.growth * self._last_size), self.smallest)

    def limited(self, size: float, time: float, step: int) -> float:
        return size

    def accepted(self, record: StepRecord) -> None:
        self._last_size = record.size

    def failed(self, size: float, smallest: float) -> float:
        if size <= smallest:
            raise SmallestStepFailed("Solve failed and timestep already at or below dtmin, cannot continue!")
        return max(self.cutback * size, smallest)


@dataclass
class IterationAdaptiveStep:
    """IterationAdaptiveDT: grows while few iterations are needed, and keeps to functions, points and postprocessors."""

    size: float
    growth: float = 2.0
    cutback: float = 0.5
    cutback_at_failure: float = 0.5
    optimal: int | None = None
    window: int = 0
    linear_ratio: int = 25
    #: Times that must be hit, with the sizes that follow them.
    times: tuple[float, ...] = ()
    sizes: tuple[float, ...] = ()
    limiting_functions: tuple[PiecewiseFunction, ...] = ()
    largest_change: float | None = None
    hits_function_points: bool = False
    size_after_point: float | None = None
    #: Current values of the limiting postprocessors.
    limiting_values: Callable[[], list[float]] = list
    tolerance: float = 1e-12
    _last: StepRecord | None = None
    _failed: bool = False
    _at_time_point: bool = False
    _after_point: bool = False
    _shortened_by_point: bool = False
    _base: float = 0.0

    def initial(self) -> float:
        return self.size

    def proposed(self, time: float) -> float:
        size = self._proposal(time)
        self._failed = self._at_time_point = self._after_point = False
        return size

    def _proposal(self, time: float) -> float:
        base = self._base
        if self._failed:
            return self._by_iterations(base, may_grow=False) if self.optimal is not None else base
        if self._at_time_point:
            return float(np.interp(time, self.times, self.sizes))
        if self._after_point:
            return self.size_after_point if self.size_after_point is not None else base
        if self.optimal is not None:
            return self._by_iterations(base, may_grow=True)
        if self.times:
            return min(float(np.interp(time, self.times, self.sizes)), self.growth * base)
        return self.growth * base

    def _by_iterations(self, size: float, *, may_grow: bool) -> float:
        assert self._last is not None
        assert self.optimal is not None
        nonlinear, linear = self._last.nonlinear_iterations, self._last.linear_iterations
        few, many = max(self.optimal - self.window, 0), self.optimal + self.window
        if may_grow and nonlinear < few and linear < self.linear_ratio * few:
            return size * self.growth
        if nonlinear > many or linear > self.linear_ratio * many:
            return size * self.cutback
        return size

    def limited(self, size: float, time: float, step: int) -> float:
        self._shortened_by_point = False
        values = self.limiting_values() if step > 1 else []
        size = min([size, *values])
        for function in self.limiting_functions:
            size = self._by_change(function, size, time)
        if self.hits_function_points:
            size = self._to_point(size, time)
        coming = [point for point in self.times if point > time + self.tolerance]
        if coming and time + size + self.tolerance >= coming[0]:
            size = coming[0] - time
        return size

    def _by_change(self, function: PiecewiseFunction, size: float, time: float) -> float:
        if self.largest_change is None:
            return size
        start = float(function.value(time, ORIGIN))
        if function.kind == "linear":
            inside = [point for point in function.points if time + self.tolerance < point < time + size]
            for point in (*inside, time + size):
                change = abs(float(function.value(point, ORIGIN)) - start)
                if change > self.largest_change:
                    return self.largest_change / change * (point - time)
            return size
        while abs(float(function.value(time + size, ORIGIN)) - start) > self.largest_change:
            size /= 2
        return size

    def _to_point(self, size: float, time: float) -> float:
        points = sorted({point for function in self.limiting_functions for point in function.points})
        coming = [point for point in points if point > time + self.tolerance]
        if coming and time + size >= coming[0] - self.tolerance:
            self._shortened_by_point = coming[0] - time < size - self.tolerance
            return coming[0] - time
        return size

    def accepted(self, record: StepRecord) -> None:
        if any(abs(record.time - point) <= self.tolerance * max(1.0, abs(point)) for point in self.times):
            self._at_time_point = True
        previous = self._last
        self._last = record
        if self._shortened_by_point:
            self._after_point = True
            self._base = previous.size if previous is not None else record.size
        else:
            self._base = record.size

    def failed(self, size: float, smallest: float) -> float:
        if size <= smallest:
            raise SmallestStepFailed("Solve failed and timestep already at dtmin, cannot continue!")
        self._failed = True
        return max(size * self.cutback_at_failure, smallest)


def build_time_stepper(
    executioner: Block, functions: FunctionSet, values: Callable[[tuple[str, ...]], list[float]], tolerance: float
) -> TimeStepper:
    """Build the time stepper of the Executioner block.

    Raises
    ------
    InvalidInputFile
        There is no such stepper, or its parameters do not go together.
    """
    block = next((child for child in executioner.children if child.name == "TimeStepper"), None)
    if block is None:
        return ConstantStep(executioner.number("dt", default=1.0))
    executioner.pass_over("dt")
    if block.type == "ConstantDT":
        factors = (block.number("growth_factor", default=2.0), block.number("cutback_factor_at_failure", default=0.5))
        return ConstantStep(block.number("dt"), *factors)
    if block.type == "FunctionDT":
        function = functions.find(block.text("function"), block, "function")
        return FunctionStep(
            lambda time: float(function.value(time, ORIGIN)),
            executioner.number("start_time", default=0.0),
            block.number("min_dt", default=0.0),
            block.number("growth_factor", default=math.inf),
            block.number("cutback_factor_at_failure", default=0.5),
        )
    if block.type != "IterationAdaptiveDT":
        raise block.unsupported()
    return _adaptive(block, functions, values, tolerance)


def _adaptive(
    block: Block, functions: FunctionSet, values: Callable[[tuple[str, ...]], list[float]], tolerance: float
) -> IterationAdaptiveStep:
    optimal = block.integer("optimal_iterations") if block.has("optimal_iterations") else None
    if optimal is None and block.has("iteration_window", "linear_iteration_ratio"):
        raise block.refused(
            "'optimal_iterations' must be used for 'iteration_window' or 'linear_iteration_ratio' to be used"
        )
    limiting = tuple(
        _limiting(name, block, functions) for name in block.words("timestep_limiting_function", default=())
    )
    if not limiting and (
        block.has("max_function_change") or block.flag("force_step_every_function_point", default=False)
    ):
        raise block.refused("'timestep_limiting_function' must be used for 'max_function_change' to be used")
    names = block.words("timestep_limiting_postprocessor", "postprocessor_dtlim", default=())
    return IterationAdaptiveStep(
        block.number("dt"),
        block.number("growth_factor", default=2.0),
        block.number("cutback_factor", default=0.5),
        block.number("cutback_factor_at_failure", default=0.5),
        optimal,
        block.integer("iteration_window", default=math.ceil((optimal or 0) / 5)),
        block.integer("linear_iteration_ratio", default=25),
        block.numbers("time_t", default=()),
        block.numbers("time_dt", default=()),
        limiting,
        block.number("max_function_change") if block.has("max_function_change") else None,
        block.flag("force_step_every_function_point", default=False),
        block.number("post_function_sync_dt") if block.has("post_function_sync_dt") else None,
        lambda: values(names),
        tolerance,
    )


def _limiting(name: str, block: Block, functions: FunctionSet) -> PiecewiseFunction:
    function = functions.find(name, block, "timestep_limiting_function")
    if not isinstance(function, PiecewiseFunction):
        raise block.refused("timestep_limiting_function must be a Piecewise function", "timestep_limiting_function")
    return function
