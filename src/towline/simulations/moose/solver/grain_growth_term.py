"""The bulk term of multi-phase-field grain growth, for all order parameters at once.

L μ (η_i³ − η_i + 2γ η_i Σ_{j≠i} η_j²) couples every order parameter to every other, but only through S = Σ η² and, in
the derivative, through Σ_j η_j δ_j: the work grows with the number of order parameters, not with its square.
"""

from dataclasses import dataclass

import numpy as np

from towline.simulations.moose.solver.fields import Points, PropertyValue
from towline.simulations.moose.solver.mesh import Array
from towline.simulations.moose.solver.weak_form import Contributions, Linearisation


@dataclass(frozen=True)
class GrainGrowthTerm:
    """ACGrGrPoly on a complete set of order parameters.

    ``rows`` are their places among the unknowns, ``mobility`` names the property L.
    """

    rows: tuple[int, ...]
    mobility: str = "L"

    def add_to(self, points: Points, out: Contributions) -> None:
        """Add L μ η_i ((1 − 2γ) η_i² − 1 + 2γ S)."""
        scale, gamma = self._coefficients(points)
        where = _selection(self.rows)
        values = points.unknowns[where]
        squares = values * values
        common = squares.sum(axis=0)
        common *= 2 * gamma
        common -= 1.0
        squares *= 1 - 2 * gamma
        squares += common
        squares *= values
        squares *= scale
        out.source[where] += squares

    def linearise(self, points: Points, out: Linearisation) -> None:
        """Add the derivative by all order parameters."""
        scale, gamma = self._coefficients(points)
        values = points.unknowns[_selection(self.rows)]
        diagonal = values * values
        common = diagonal.sum(axis=0)
        common *= 2 * gamma
        common -= 1.0
        # ∂/∂η_i: 3η_i² − 1 + 2γ(S − η_i²); the product below adds 4γη_i² to the diagonal, which is taken off here.
        diagonal *= 3 - 6 * gamma
        diagonal += common
        diagonal *= scale
        out.operators.append(
            _Coupling(self.rows, diagonal, values * np.sqrt(4 * gamma * np.abs(scale)), np.sign(scale))
        )

    def _coefficients(self, points: Points) -> tuple[PropertyValue, PropertyValue]:
        return points.material(self.mobility) * points.material("mu"), points.material("gamma_asymm")


@dataclass(frozen=True)
class _Coupling:
    """δ ↦ A_i δ_i ± B_i Σ_j B_j δ_j at every point."""

    rows: tuple[int, ...]
    diagonal: Array
    factor: Array
    sign: PropertyValue

    def add(self, direction: Array, source: Array) -> None:
        where = _selection(self.rows)
        values = direction[where]
        common = np.einsum("i...,i...->...", self.factor, values)
        common *= self.sign
        total = self.factor * common
        values = values * self.diagonal
        values += total
        source[where] += values

    def single(self) -> "_Coupling":
        return _Coupling(self.rows, self.diagonal.astype(np.float32), self.factor.astype(np.float32), self.sign)

    def mean_diagonal(self) -> dict[int, float]:
        rows = len(self.rows)
        own = self.factor.reshape(rows, -1)
        squares = np.einsum("ip,ip->i", own, own) / own.shape[1]
        means = self.diagonal.reshape(rows, -1).mean(axis=1) + float(np.mean(self.sign)) * squares
        return {row: float(mean) for row, mean in zip(self.rows, means, strict=True)}


def _selection(rows: tuple[int, ...]) -> slice | list[int]:
    """Return a slice where the rows follow each other: a view instead of a copy."""
    if rows == tuple(range(rows[0], rows[0] + len(rows))):
        return slice(rows[0], rows[0] + len(rows))
    return list(rows)
