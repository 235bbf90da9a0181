"""The discrete equations: residual, exact Jacobian-vector products, and coefficients for a preconditioner.

The weak form of row i is the sum of constant-coefficient terms, which are applied as exact matrices, and of terms that
are integrated at the Gauss points: a source s tested with ψ and a flux q tested with ∇ψ.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

import numpy as np

from towline.simulations.moose.solver.fields import Fields, Points, Properties, PropertyValue, bands
from towline.simulations.moose.solver.mesh import Array, UniformMesh
from towline.simulations.moose.solver.quadrature import (
    gradients_at_points,
    tested_with_gradients,
    tested_with_values,
    values_at_points,
)
from towline.simulations.moose.solver.tensor_operators import mass_and_stiffness


@dataclass
class ConstantCoefficients:
    """Coefficients of M·u̇ (rate), M·u (mass) and K·u (stiffness), shape ``(variables, variables)`` each."""

    rate: Array
    mass: Array
    stiffness: Array

    @classmethod
    def zeros(cls, variables: int) -> "ConstantCoefficients":
        """Return no terms."""
        return cls(*(np.zeros((variables, variables)) for _ in range(3)))


@dataclass
class Contributions:
    """Sources and fluxes at the points of a band, by row."""

    source: Array
    flux: dict[int, list[Array]] = field(default_factory=dict)

    def add_flux(self, row: int, components: Sequence[Array]) -> None:
        """Add a vector that is tested with the gradient."""
        if row in self.flux:
            self.flux[row] = [a + b for a, b in zip(self.flux[row], components, strict=True)]
        else:
            self.flux[row] = list(components)


class PointOperator(Protocol):
    """A linear map of all unknowns at the points to sources, for couplings with a structure of their own."""

    def add(self, direction: Array, source: Array) -> None:
        """Add the image of a direction, both of shape ``(variables, points, elements …)``."""

    def mean_diagonal(self) -> dict[int, float]:
        """Return a typical coefficient of every row on itself."""

    def single(self) -> "PointOperator":
        """Return it in single precision."""


@dataclass
class Linearisation:
    """Derivatives of sources and fluxes at the points of one band, as (row, column, coefficient)."""

    source_by_value: list[tuple[int, int, PropertyValue]] = field(default_factory=list)
    source_by_gradient: list[tuple[int, int, Sequence[PropertyValue]]] = field(default_factory=list)
    flux_by_value: list[tuple[int, int, Sequence[PropertyValue]]] = field(default_factory=list)
    flux_by_gradient: list[tuple[int, int, PropertyValue]] = field(default_factory=list)
    operators: list[PointOperator] = field(default_factory=list)

    def _columns_with_gradients(self) -> set[int]:
        terms = [*self.source_by_gradient, *self.flux_by_gradient]
        return {column for _, column, _ in terms}

    def apply(self, corner: Array, spacings: tuple[float, ...]) -> Contributions:
        """Return sources and fluxes for a direction given at the nodes of the band."""
        values = values_at_points(corner, len(spacings))
        gradients = {
            column: [g[0] for g in gradients_at_points(corner[column : column + 1], spacings)]
            for column in self._columns_with_gradients()
        }
        out = Contributions(np.zeros_like(values))
        for operator in self.operators:
            operator.add(values, out.source)
        for row, column, coefficient in self.source_by_value:
            out.source[row] += coefficient * values[column]
        for row, column, vector in self.source_by_gradient:
            for part, slope in zip(vector, gradients[column], strict=True):
                out.source[row] += part * slope
        for row, column, vector in self.flux_by_value:
            out.add_flux(row, [part * values[column] for part in vector])
        for row, column, coefficient in self.flux_by_gradient:
            out.add_flux(row, [coefficient * slope for slope in gradients[column]])
        return out

    def single(self) -> "Linearisation":
        """Return it in single precision."""
        return Linearisation(
            [(row, column, _single(one)) for row, column, one in self.source_by_value],
            [(row, column, [_single(part) for part in one]) for row, column, one in self.source_by_gradient],
            [(row, column, [_single(part) for part in one]) for row, column, one in self.flux_by_value],
            [(row, column, _single(one)) for row, column, one in self.flux_by_gradient],
            [operator.single() for operator in self.operators],
        )

    def add_typical(self, coefficients: ConstantCoefficients, share: float) -> None:
        """Add mean coefficients, weighted with the share of this band in the mesh."""
        for row, column, coefficient in self.source_by_value:
            coefficients.mass[row, column] += share * float(np.mean(coefficient))
        for row, column, coefficient in self.flux_by_gradient:
            coefficients.stiffness[row, column] += share * float(np.mean(coefficient))
        for operator in self.operators:
            for row, mean in operator.mean_diagonal().items():
                coefficients.mass[row, row] += share * mean


def _single(value: PropertyValue) -> PropertyValue:
    if isinstance(value, np.ndarray) and value.ndim:
        return np.asarray(value, dtype=np.float32)
    return float(value)


class PointTerm(Protocol):
    """A part of the weak form that is integrated at the Gauss points."""

    def add_to(self, points: Points, out: Contributions) -> None:
        """Add sources and fluxes."""

    def linearise(self, points: Points, out: Linearisation) -> None:
        """Add the derivatives."""


@dataclass
class WeakForm:
    """All equations of a problem."""

    mesh: UniformMesh
    constant: ConstantCoefficients
    terms: list[PointTerm]
    #: Right sides that do not change, shape ``(variables, *node_shape)`` or None.
    load: Array | None = None
    #: Nodes whose equation is replaced by a prescribed value, same shape, or None.
    fixed: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] | None = None
    properties: Properties | None = None

    def residual(self, fields: Fields, rates: Array, time: float) -> Array:
        """Return the residual at given unknowns and time derivatives, shape ``(variables, *node_shape)``."""
        unknowns = fields.unknowns
        mass_input = _mixed(self.constant.mass, unknowns, _mixed(self.constant.rate, rates))
        stiffness_input = _mixed(self.constant.stiffness, unknowns)
        if mass_input is None:
            mass_input = np.zeros_like(unknowns)
        out = mass_and_stiffness(self.mesh, mass_input, stiffness_input)
        if self.load is not None:
            out -= self.load
        if self.terms:
            corner = self.mesh.extended(unknowns)
            out += self._over_bands(corner, lambda band: self._evaluate(fields, corner, band, time))
        return self._without_fixed(out)

    def _evaluate(self, fields: Fields, corner: Array, band: slice, time: float) -> Array:
        assert self.properties is not None
        points = Points(fields, corner, band, time, self.properties)
        out = Contributions(np.zeros((len(corner), *points.shape)))
        for term in self.terms:
            term.add_to(points, out)
        return self._to_nodes(out)

    def _to_nodes(self, contributions: Contributions) -> Array:
        weight = self.mesh.element_volume / 2**self.mesh.dimension
        out = tested_with_values(contributions.source, self.mesh.dimension)
        for row, components in contributions.flux.items():
            shape = contributions.source.shape[1:]
            full = [np.broadcast_to(component, shape)[None] for component in components]
            out[row] += tested_with_gradients(full, self.mesh.spacings)[0]
        out *= weight
        return out

    def _over_bands(self, corner: Array, compute: "BandFunction") -> Array:
        # One after the other: measured on two cores, threads lost more to the memory than they won.
        total = np.zeros_like(corner)
        for band in bands(self.mesh, len(corner)):
            total[:, band.start : band.stop + 1] += compute(band)
        return _folded(self.mesh, total)

    def _without_fixed(self, values: Array) -> Array:
        if self.fixed is not None:
            values[self.fixed] = 0.0
        return values

    def linearised(self, fields: Fields, rate_factor: float, time: float) -> "Jacobian":
        """Return the Jacobian where u̇ = rate_factor·u + history."""
        corner = self.mesh.extended(fields.unknowns)

        def compute(band: slice) -> Linearisation:
            assert self.properties is not None
            out = Linearisation()
            points = Points(fields, corner, band, time, self.properties)
            for term in self.terms:
                term.linearise(points, out)
            return out

        cut = bands(self.mesh, len(corner)) if self.terms else []
        return Jacobian(self, rate_factor, {band.start: compute(band) for band in cut})


class BandFunction(Protocol):
    """A function of a band of elements that returns values at its nodes."""

    def __call__(self, band: slice, /) -> Array: ...


class Jacobian:
    """The derivative of the residual by the unknowns."""

    def __init__(self, form: WeakForm, rate_factor: float, parts: dict[int, Linearisation]) -> None:
        self._form = form
        self._parts = parts
        self._mass = form.constant.mass + rate_factor * form.constant.rate

    def __call__(self, direction: Array) -> Array:
        """Return the product with a direction, shape ``(variables, *node_shape)``."""
        form = self._form
        free = direction if form.fixed is None else np.where(form.fixed, 0.0, direction)
        mass_input = _mixed(self._mass, free)
        if mass_input is None:
            mass_input = np.zeros_like(free)
        out = mass_and_stiffness(form.mesh, mass_input, _mixed(form.constant.stiffness, free))
        if self._parts:
            corner = form.mesh.extended(free)
            out += form._over_bands(corner, lambda band: self._band(corner, band))
        if form.fixed is not None:
            out[form.fixed] = direction[form.fixed]
        return out

    def _band(self, corner: Array, band: slice) -> Array:
        part = corner[:, band.start : band.stop + 1]
        return self._form._to_nodes(self._parts[band.start].apply(part, self._form.mesh.spacings))

    def in_single_precision(self) -> "Jacobian":
        """Return it for directions in single precision, which take half the time."""
        out = Jacobian(self._form, 0.0, {start: part.single() for start, part in self._parts.items()})
        out._mass = self._mass
        return out

    def typical_coefficients(self) -> ConstantCoefficients:
        """Return constant coefficients that resemble this operator: the exact ones plus means of the others."""
        variables = len(self._mass)
        out = ConstantCoefficients.zeros(variables)
        rows = self._form.mesh.element_shape[0]
        starts = [*sorted(self._parts), rows]
        for start, stop in pairwise(starts):
            self._parts[start].add_typical(out, (stop - start) / rows)
        out.mass += self._mass
        out.stiffness += self._form.constant.stiffness
        return out


def _mixed(matrix: Array, values: Array | None, added: Array | None = None) -> Array | None:
    """Return ``matrix @ values + added`` over the first axis, None for zero."""
    if values is None or not matrix.any():
        return added
    diagonal = matrix.diagonal()
    if np.count_nonzero(matrix) == np.count_nonzero(diagonal):
        if np.all(diagonal == diagonal[0]):
            out = values * float(diagonal[0])
        else:
            out = values * diagonal.reshape(-1, *[1] * (values.ndim - 1)).astype(values.dtype)
    else:
        out = np.tensordot(matrix.astype(values.dtype), values, axes=1)
    return out if added is None else out + added


def _folded(mesh: UniformMesh, corner: Array) -> Array:
    """Add the values of the upper periodic nodes to the lower ones they are the same as."""
    out = corner
    for direction in range(mesh.dimension):
        if mesh.periodic[direction]:
            out = np.moveaxis(out, mesh.axis(direction), 0)
            out[0] += out[-1]
            out = np.moveaxis(out[:-1], 0, mesh.axis(direction))
    return np.ascontiguousarray(out)
