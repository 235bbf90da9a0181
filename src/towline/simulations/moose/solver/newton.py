"""Newton's method with PETSc's tests of convergence and words for the ends."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from towline.simulations.moose.solver.krylov import LinearSolution, gmres
from towline.simulations.moose.solver.mesh import Array

#: A Newton step that is smaller than this part of the solution, and does not help, changes its last digits only: the
#: residual is round-off, and the tolerance asks for more than numbers can hold.
_ROUND_OFF = 1e-11


@dataclass(frozen=True)
class Tolerances:
    """When iterations end; names and defaults as in the Executioner block."""

    nl_rel_tol: float = 1e-8
    nl_abs_tol: float = 1e-50
    nl_rel_step_tol: float = 0.0
    nl_abs_step_tol: float = 0.0
    nl_div_tol: float = 1e10
    nl_max_its: int = 50
    nl_forced_its: int = 0
    l_tol: float = 1e-5
    l_abs_tol: float = 1e-50
    l_max_its: int = 10000
    #: Whether a Newton step that does not reduce the residual is shortened.
    line_search: bool = True


class Monitor(Protocol):
    """Told about every residual; the console, in a run."""

    def nonlinear(self, iteration: int, norm: float) -> None:
        """Tell the norm of a nonlinear residual."""

    def linear(self, iteration: int, norm: float) -> None:
        """Tell the norm of a linear residual."""

    def linear_end(self, solution: LinearSolution) -> None:
        """Tell how a linear solve ended."""


@dataclass(frozen=True)
class NewtonResult:
    """The end of a nonlinear solve."""

    solution: Array
    #: PETSc's reason, such as CONVERGED_FNORM_RELATIVE or DIVERGED_LINE_SEARCH.
    reason: str
    nonlinear_iterations: int
    linear_iterations: int

    @property
    def converged(self) -> bool:
        return self.reason.startswith("CONVERGED")


Residual = Callable[[Array], Array]


@dataclass(frozen=True)
class LinearProblem:
    """A Jacobian and a preconditioner, and the precision that they work in."""

    jacobian: Callable[[Array], Array]
    preconditioner: Callable[[Array], Array]
    single: bool = False


Linearise = Callable[[Array], LinearProblem]


def solve(
    residual: Residual, linearise: Linearise, start: Array, tolerances: Tolerances, monitor: Monitor
) -> NewtonResult:
    """Find the zero of ``residual``.

    Parameters
    ----------
    residual
        The residual at given unknowns.
    linearise
        The linear problem at given unknowns.
    start
        The first guess.
    """
    solution, value = start, residual(start)
    norm = first_norm = float(np.linalg.norm(value))
    monitor.nonlinear(0, norm)
    previous_norm = norm
    linear_total = 0
    reason = _reason(norm, first_norm, 0, tolerances)
    iteration = 0
    while not reason:
        problem = linearise(solution)
        sufficient = _sufficient_reduction(norm, previous_norm, first_norm, iteration, tolerances)
        linear = _solve_linear(problem, -value, replace(tolerances, l_tol=sufficient))
        _tell(monitor, linear)
        linear_total += linear.iterations
        if not np.all(np.isfinite(linear.solution)):
            reason = "DIVERGED_LINEAR_SOLVE"
            break
        accepted = _step(residual, solution, linear.solution, norm, tolerances)
        if accepted is None:
            rounded = float(np.linalg.norm(linear.solution)) <= _ROUND_OFF * float(np.linalg.norm(solution))
            reason = "CONVERGED_SNORM_RELATIVE" if rounded else "DIVERGED_LINE_SEARCH"
            break
        change = float(np.linalg.norm(accepted[0] - solution))
        solution, value = accepted
        previous_norm, norm = norm, float(np.linalg.norm(value))
        iteration += 1
        monitor.nonlinear(iteration, norm)
        reason = _reason(norm, first_norm, iteration, tolerances)
        enough = max(tolerances.nl_abs_step_tol, tolerances.nl_rel_step_tol * float(np.linalg.norm(solution)))
        if not reason and change < enough:
            reason = "CONVERGED_SNORM_RELATIVE"
    return NewtonResult(solution, reason, iteration, linear_total)


def _sufficient_reduction(
    norm: float, previous_norm: float, first_norm: float, iteration: int, tolerances: Tolerances
) -> float:
    """Return how far the linear residual has to be reduced: not beyond what Newton's step can use.

    A step leaves about the square of the last reduction (Eisenstat and Walker's second choice), and nothing below the
    goal of the whole solve counts. Never tighter than the input's l_tol.
    """
    goal = max(tolerances.nl_rel_tol * first_norm, tolerances.nl_abs_tol)
    quadratic = 0.1 * (norm / previous_norm) ** 2 if iteration else 0.0
    return max(tolerances.l_tol, min(1e-2, quadratic), min(1e-2, 0.1 * goal / norm))


def _solve_linear(
    problem: LinearProblem,
    right_side: Array,
    tolerances: Tolerances,
) -> LinearSolution:
    # Residuals are always in double precision, so that single precision costs a Newton step at worst, not digits.
    return gmres(
        problem.jacobian,
        right_side.astype(np.float32 if problem.single else np.float64),
        problem.preconditioner,
        relative_tolerance=tolerances.l_tol,
        absolute_tolerance=tolerances.l_abs_tol,
        maximum_iterations=tolerances.l_max_its,
    )


def _tell(monitor: Monitor, linear: LinearSolution) -> None:
    for iteration, norm in enumerate(linear.residual_norms):
        monitor.linear(iteration, norm)
    monitor.linear_end(linear)


def _step(
    residual: Residual, solution: Array, direction: Array, norm: float, tolerances: Tolerances
) -> tuple[Array, Array] | None:
    """Return the next unknowns and their residual, the step shortened by quadratic backtracking; None if none helps."""
    length = 1.0
    while True:
        candidate = solution + length * direction
        value = residual(candidate)
        found = float(np.linalg.norm(value))
        if not tolerances.line_search or found <= (1 - 1e-4 * length) * norm:
            return candidate, value
        if length < 1e-8:
            return None
        # The minimum of the parabola through |R|² and its slope −2|R|² at 0 and through |R|² at the tried length.
        ratio = (found / norm) ** 2 if np.isfinite(found) and norm > 0 else np.inf
        curvature = ratio - 1 + 2 * length
        best = length**2 / curvature if np.isfinite(curvature) and curvature > 0 else 0.0
        length = min(max(best, 0.1 * length), 0.5 * length)


def _reason(norm: float, first_norm: float, iteration: int, tolerances: Tolerances) -> str:
    if not np.isfinite(norm):
        return "DIVERGED_FNORM_NAN"
    if iteration < tolerances.nl_forced_its and norm > 0:
        return ""
    if norm <= tolerances.nl_abs_tol:
        return "CONVERGED_FNORM_ABS"
    if iteration > 0 and norm <= tolerances.nl_rel_tol * first_norm:
        return "CONVERGED_FNORM_RELATIVE"
    if norm == 0.0:
        return "CONVERGED_FNORM_ABS"
    if iteration > 0 and norm > tolerances.nl_div_tol * first_norm:
        return "DIVERGED_DTOL"
    return "DIVERGED_MAX_IT" if iteration >= tolerances.nl_max_its else ""
