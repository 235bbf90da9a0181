"""Preconditioned GMRES for operators that are given as functions."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular  # type: ignore[import-untyped]  # ships no types

from towline.simulations.moose.solver.mesh import Array

Operator = Callable[[Array], Array]


@dataclass(frozen=True)
class LinearSolution:
    """An approximate solution and how it was reached."""

    solution: Array
    iterations: int
    #: Norm of the residual before the first and after every iteration.
    residual_norms: tuple[float, ...]
    #: PETSc's word for the end: CONVERGED_RTOL, CONVERGED_ATOL, DIVERGED_ITS, DIVERGED_BREAKDOWN or DIVERGED_NANORINF.
    reason: str

    @property
    def converged(self) -> bool:
        return self.reason.startswith("CONVERGED")


def gmres(
    operator: Operator,
    right_side: Array,
    preconditioner: Operator,
    *,
    relative_tolerance: float,
    absolute_tolerance: float,
    maximum_iterations: int,
    restart: int = 30,
) -> LinearSolution:
    """Solve ``A x = b`` from x = 0, preconditioned from the right, so that the norms are those of the true residual.

    The preconditioner may be inexact or nonlinear (flexible GMRES): the preconditioned directions are kept.
    """
    shape = right_side.shape
    solution = np.zeros(right_side.size, dtype=right_side.dtype)
    residual = right_side.ravel()
    norm = float(np.linalg.norm(residual))
    norms = [norm]
    goal = max(relative_tolerance * norm, absolute_tolerance)
    while True:
        reason = _stop_reason(norms[-1], goal, len(norms) - 1, maximum_iterations, absolute_tolerance)
        if reason:
            return LinearSolution(solution.reshape(shape), len(norms) - 1, tuple(norms), reason)
        steps = min(restart, maximum_iterations - len(norms) + 1)
        update = _cycle(operator, preconditioner, residual, shape, steps, goal, norms)
        solution = solution + update
        if norms[-1] > goal and len(norms) - 1 < maximum_iterations:
            residual = right_side.ravel() - operator(solution.reshape(shape)).ravel()
            true_norm = float(np.linalg.norm(residual))
            if true_norm >= 0.9 * norm:
                return LinearSolution(solution.reshape(shape), len(norms) - 1, tuple(norms), "DIVERGED_BREAKDOWN")
            norm = norms[-1] = true_norm


def _cycle(
    operator: Operator,
    preconditioner: Operator,
    residual: Array,
    shape: tuple[int, ...],
    steps: int,
    goal: float,
    norms: list[float],
) -> Array:
    """One cycle between restarts: returns the correction and appends the norm after every iteration."""
    basis = np.empty((steps + 1, residual.size), dtype=residual.dtype)
    directions: list[Array] = []
    hessenberg = np.zeros((steps + 1, steps))
    rotations: list[tuple[float, float]] = []
    remainder = np.zeros(steps + 1)
    remainder[0] = np.linalg.norm(residual)
    basis[0] = residual / float(remainder[0])
    used = 0
    for used in range(1, steps + 1):
        k = used - 1
        directions.append(preconditioner(basis[k].reshape(shape)).ravel())
        image = operator(directions[k].reshape(shape)).ravel()
        column = hessenberg[:, k]
        _orthogonalise(basis[:used], image, column)
        column[used] = length = float(np.linalg.norm(image))
        if not np.isfinite(length):
            norms.append(float("nan"))
            return np.full(residual.size, np.nan)
        if length > 0:
            np.divide(image, length, out=basis[used])
        norms.append(_rotate(column, rotations, remainder, k))
        if norms[-1] <= goal or length == 0:
            break
    weights = solve_triangular(hessenberg[:used, :used], remainder[:used])
    correction: Array = float(weights[0]) * directions[0]
    for weight, direction in zip(weights[1:], directions[1:], strict=True):
        correction += float(weight) * direction
    return correction


def _orthogonalise(basis: Array, vector: Array, coefficients: Array) -> None:
    """Remove the basis from the vector by classical Gram–Schmidt, a second time where cancellation was strong."""
    before = float(np.linalg.norm(vector))
    for _ in range(2):
        projections = basis @ vector
        vector -= projections @ basis
        coefficients[: len(basis)] += projections
        after = float(np.linalg.norm(vector))
        if after > 0.7 * before:
            return
        before = after


def _rotate(column: Array, rotations: list[tuple[float, float]], remainder: Array, k: int) -> float:
    """Apply the Givens rotations so far to a new column, add one, and return the norm of the residual."""
    for i, (cosine, sine) in enumerate(rotations):
        column[i], column[i + 1] = cosine * column[i] + sine * column[i + 1], cosine * column[i + 1] - sine * column[i]
    radius = float(np.hypot(column[k], column[k + 1])) or np.finfo(float).tiny
    cosine, sine = column[k] / radius, column[k + 1] / radius
    rotations.append((cosine, sine))
    column[k], column[k + 1] = radius, 0.0
    remainder[k], remainder[k + 1] = cosine * remainder[k], -sine * remainder[k]
    return abs(float(remainder[k + 1]))


def _stop_reason(norm: float, goal: float, iterations: int, maximum_iterations: int, absolute: float) -> str | None:
    if not np.isfinite(norm):
        return "DIVERGED_NANORINF"
    if norm <= goal:
        return "CONVERGED_ATOL" if norm <= absolute else "CONVERGED_RTOL"
    return "DIVERGED_ITS" if iterations >= maximum_iterations else None
