"""Terms of the weak form that are integrated at the Gauss points, with their exact derivatives."""

from dataclasses import dataclass

import numpy as np

from towline.simulations.moose.solver.fields import Points, PropertyValue
from towline.simulations.moose.solver.functions import Function
from towline.simulations.moose.solver.mesh import Array
from towline.simulations.moose.solver.weak_form import Contributions, Linearisation

#: A material property, differentiated by variables: (name, variables).
Factor = tuple[str, tuple[str, ...]]


def product(points: Points, factors: tuple[Factor, ...], *by: str) -> PropertyValue:
    """Return a product of properties, or its derivative by variables (product rule)."""
    if not by:
        value: PropertyValue = 1.0
        for name, taken in factors:
            value = value * points.material(name, *taken)
        return value
    total: PropertyValue = 0.0
    for place, (name, taken) in enumerate(factors):
        inner = (*factors[:place], (name, (*taken, by[0])), *factors[place + 1 :])
        total = total + product(points, inner, *by[1:])
    return total


@dataclass(frozen=True)
class PropertySource:
    """scale · (product of properties) · ψ: reaction terms of a free energy."""

    row: int
    factors: tuple[Factor, ...]
    #: The unknowns that the factors depend on, as (name, column).
    columns: tuple[tuple[str, int], ...]
    scale: float = 1.0

    def add_to(self, points: Points, out: Contributions) -> None:
        """Add the source."""
        out.source[self.row] += self.scale * product(points, self.factors)

    def linearise(self, points: Points, out: Linearisation) -> None:
        """Add the derivative by every unknown."""
        for name, column in self.columns:
            out.source_by_value.append((self.row, column, self.scale * product(points, self.factors, name)))


@dataclass(frozen=True)
class PropertyDiffusion:
    """(product of properties) · ∇v · ∇ψ."""

    row: int
    variable: str
    #: Column of the variable, None if it is no unknown.
    column: int | None
    factors: tuple[Factor, ...]
    columns: tuple[tuple[str, int], ...]

    def add_to(self, points: Points, out: Contributions) -> None:
        """Add the flux."""
        coefficient = product(points, self.factors)
        out.add_flux(self.row, [coefficient * slope for slope in points.gradient(self.variable)])

    def linearise(self, points: Points, out: Linearisation) -> None:
        """Add the derivatives by the gradient and by what the coefficient depends on."""
        if self.column is not None:
            out.flux_by_gradient.append((self.row, self.column, product(points, self.factors)))
        for name, column in self.columns:
            derivative = product(points, self.factors, name)
            slopes = points.gradient(self.variable)
            out.flux_by_value.append((self.row, column, [derivative * slope for slope in slopes]))


@dataclass(frozen=True)
class MobilityGradient:
    """κ ∇η · ∇L ψ: the part of the interface term that comes from a mobility that varies, with ∇L = Σ_v ∂L/∂v ∇v."""

    row: int
    variable: str
    column: int
    kappa: str
    mobility: str
    #: The variables v with their columns; None for those that are no unknowns.
    columns: tuple[tuple[str, int | None], ...]

    def add_to(self, points: Points, out: Contributions) -> None:
        """Add the source."""
        kappa, own = points.material(self.kappa), points.gradient(self.variable)
        for name, _ in self.columns:
            slope = points.material(self.mobility, name)
            out.source[self.row] += kappa * slope * _dot(own, points.gradient(name))

    def linearise(self, points: Points, out: Linearisation) -> None:
        """Add the derivatives by the gradients and by the variables of the mobility."""
        kappa, own = points.material(self.kappa), points.gradient(self.variable)
        for name, column in self.columns:
            scale = kappa * points.material(self.mobility, name)
            other = points.gradient(name)
            out.source_by_gradient.append((self.row, self.column, [scale * part for part in other]))
            if column is not None:
                out.source_by_gradient.append((self.row, column, [scale * part for part in own]))
            for second, place in self.columns:
                curvature = points.material(self.mobility, name, second)
                if place is not None:
                    out.source_by_value.append((self.row, place, kappa * curvature * _dot(own, other)))


def _dot(left: list[Array], right: list[Array]) -> Array:
    total = left[0] * right[0]
    for a, b in zip(left[1:], right[1:], strict=True):
        total += a * b
    return total


@dataclass(frozen=True)
class FunctionSource:
    """−value · f(t, x) ψ: a body force."""

    row: int
    function: Function
    value: float

    def add_to(self, points: Points, out: Contributions) -> None:
        """Add the source."""
        out.source[self.row] -= self.value * self.function.value(points.time, points.coordinates)

    def linearise(self, points: Points, out: Linearisation) -> None:
        """Add nothing: the force does not depend on the unknowns."""


@dataclass(frozen=True)
class CubicSource:
    """factor · (v³ − v) ψ: the derivative of the double well ¼(1 − v²)²."""

    row: int
    variable: str
    column: int | None
    factor: float

    def add_to(self, points: Points, out: Contributions) -> None:
        """Add the source."""
        value = points.value(self.variable)
        out.source[self.row] += self.factor * value * (value * value - 1)

    def linearise(self, points: Points, out: Linearisation) -> None:
        """Add the derivative by the variable."""
        if self.column is not None:
            value = points.value(self.variable)
            out.source_by_value.append((self.row, self.column, self.factor * (3 * value * value - 1)))


@dataclass(frozen=True)
class CoupledGrainSource:
    """L μ (η³ − η + 2γ η Σ v²) ψ of one order parameter, where the set of order parameters is not complete."""

    row: int
    variable: str
    others: tuple[tuple[str, int | None], ...]
    mobility: str

    def add_to(self, points: Points, out: Contributions) -> None:
        """Add the source."""
        value, squares = points.value(self.variable), self._squares(points)
        bracket = value * value - 1 + 2 * points.material("gamma_asymm") * squares
        out.source[self.row] += self._scale(points) * value * bracket

    def linearise(self, points: Points, out: Linearisation) -> None:
        """Add the derivatives by the order parameter and by the others."""
        value, gamma, scale = points.value(self.variable), points.material("gamma_asymm"), self._scale(points)
        own = scale * (3 * value * value - 1 + 2 * gamma * self._squares(points))
        out.source_by_value.append((self.row, self.row, own))
        for name, column in self.others:
            if column is not None:
                out.source_by_value.append((self.row, column, 4 * gamma * scale * value * points.value(name)))

    def _scale(self, points: Points) -> PropertyValue:
        return points.material(self.mobility) * points.material("mu")

    def _squares(self, points: Points) -> Array:
        total = np.zeros(points.shape)
        for name, _ in self.others:
            total += points.value(name) ** 2
        return total
