"""The solution of the equations of one time."""

from collections.abc import Callable

import numpy as np

from towline.simulations.moose.solver.fields import Fields
from towline.simulations.moose.solver.mesh import Array
from towline.simulations.moose.solver.newton import LinearProblem, Monitor, NewtonResult, Tolerances, solve
from towline.simulations.moose.solver.problem import SimulationProblem
from towline.simulations.moose.solver.spectral import ConstantCoefficientSolver
from towline.simulations.moose.solver.weak_form import Jacobian

Preconditioner = Callable[[Array], Array]

#: Linear problems are solved in single precision where their eigenvalues lie closer than this, and to no less than this
#: tolerance: then what single precision loses is below what the tolerance leaves.
_SINGLE_SPREAD, _SINGLE_TOLERANCE = 100.0, 1e-5


def time_derivative(problem: SimulationProblem, *, bdf2: bool) -> tuple[float, Array]:
    """Return (a, h) of u̇ = a·u + h for the step that is being made.

    BDF2 with variable steps; its first step is an implicit Euler step.
    """
    state = problem.state
    size, before = state.time_step_size, state.old_time_step_size
    if not bdf2 or state.step <= 1 or before <= 0:
        return 1 / size, -state.old / size
    total = size + before
    history = -(total / before) * state.old + (size**2 / (before * total)) * state.older
    return (1 + size / total) / size, history / size


class Solver:
    """Solves the equations of one time, and remembers the preconditioner."""

    def __init__(self, problem: SimulationProblem, tolerances: Tolerances, monitor: Monitor) -> None:
        self._problem, self._tolerances, self._monitor = problem, tolerances, monitor
        self._coefficients: tuple[Array, Array] | None = None
        self._preconditioner: Preconditioner | None = None
        self._single = False

    def solve(self, factor: float, history: Array) -> NewtonResult:
        """Find the unknowns at the time of the state, where u̇ = factor·u + history; the fields stay."""
        problem = self._problem
        fields, time = problem.state.fields, problem.state.time

        def with_unknowns(unknowns: Array) -> Fields:
            return Fields(fields.mesh, fields.names, unknowns, fields.nodal, fields.elemental)

        def residual(unknowns: Array) -> Array:
            with np.errstate(all="ignore"):
                return problem.form.residual(with_unknowns(unknowns), factor * unknowns + history, time)

        def linearise(unknowns: Array) -> LinearProblem:
            with np.errstate(all="ignore"):
                jacobian = problem.form.linearised(with_unknowns(unknowns), factor, time)
            return self._linear_problem(jacobian)

        return solve(residual, linearise, fields.unknowns.copy(), self._tolerances, self._monitor)

    @property
    def coefficients(self) -> tuple[Array, Array] | None:
        """Those that the preconditioner was made for; None before the first solve."""
        return self._coefficients

    def prepare(self, mass: Array, stiffness: Array) -> None:
        """Make the preconditioner of these coefficients."""
        self._coefficients = (mass, stiffness)
        inverse = ConstantCoefficientSolver(self._problem.basis, mass, stiffness)
        self._single = inverse.spread < _SINGLE_SPREAD and self._tolerances.l_tol >= _SINGLE_TOLERANCE
        self._preconditioner = _masked(inverse, self._problem)

    def _linear_problem(self, jacobian: Jacobian) -> LinearProblem:
        typical = jacobian.typical_coefficients()
        mass, stiffness = typical.mass, typical.stiffness
        known = self._coefficients
        if (
            known is None
            or self._preconditioner is None
            or not _close(mass, known[0])
            or not _close(stiffness, known[1])
        ):
            self.prepare(mass, stiffness)
        assert self._preconditioner is not None
        if self._single:
            return LinearProblem(jacobian.in_single_precision(), self._preconditioner, single=True)
        return LinearProblem(jacobian, self._preconditioner)


def _close(matrix: Array, other: Array) -> bool:
    """Return whether a preconditioner of the other coefficients still serves."""
    return bool(np.all(np.abs(matrix - other) <= 0.02 * np.abs(other).max()))


def _masked(inverse: Preconditioner, problem: SimulationProblem) -> Preconditioner:
    """Leave prescribed nodes alone."""
    fixed = problem.form.fixed
    if fixed is None:
        return inverse

    def apply(residual: Array) -> Array:
        out = inverse(np.where(fixed, 0.0, residual))
        out[fixed] = residual[fixed]
        return out

    return apply
