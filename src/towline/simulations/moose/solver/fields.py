"""The fields of a problem, and what can be asked at the Gauss points of a band of elements."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Protocol

import numpy as np

from towline.errors import InvalidRequest
from towline.simulations.moose.solver.mesh import Array, UniformMesh
from towline.simulations.moose.solver.quadrature import gauss_coordinates, gradients_at_points, values_at_points

#: A property is a number where it is the same everywhere.
PropertyValue = float | Array


@dataclass
class Fields:
    """Values of all variables at one time.

    ``unknowns`` has the shape ``(variables, *mesh.node_shape)``; auxiliary variables stand beside it, those of first
    order at the nodes, the constant ones per element.
    """

    mesh: UniformMesh
    names: tuple[str, ...]
    unknowns: Array
    nodal: dict[str, Array] = field(default_factory=dict)
    elemental: dict[str, Array] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.names or name in self.nodal or name in self.elemental

    def index(self, name: str) -> int:
        """Return the place of an unknown.

        Raises
        ------
        InvalidRequest
            There is no such nonlinear variable.
        """
        if name not in self.names:
            raise InvalidRequest(f"Unknown variable '{name}'; the nonlinear variables are: {' '.join(self.names)}")
        return self.names.index(name)

    def nodal_values(self, name: str) -> Array:
        """Return a variable at the unknown nodes."""
        if name in self.names:
            return np.asarray(self.unknowns[self.names.index(name)])
        if name in self.nodal:
            return self.nodal[name]
        raise InvalidRequest(f"Variable '{name}' has no values at nodes, or does not exist")

    def set_nodal_values(self, name: str, values: Array) -> None:
        """Replace a variable at the unknown nodes."""
        self.nodal_values(name)[...] = values

    def copy(self) -> "Fields":
        """Return a deep copy."""
        nodal = {name: values.copy() for name, values in self.nodal.items()}
        elemental = {name: values.copy() for name, values in self.elemental.items()}
        return Fields(self.mesh, self.names, self.unknowns.copy(), nodal, elemental)


class Properties(Protocol):
    """Material properties by name."""

    def evaluate(self, points: "Points", name: str, by: tuple[str, ...]) -> PropertyValue:
        """Return a property, or its derivative by variables."""


class NoProperties:
    """A problem without materials."""

    def evaluate(self, points: "Points", name: str, by: tuple[str, ...]) -> PropertyValue:
        """Refuse."""
        raise InvalidRequest(f"Material property '{name}' is not defined on block 0; add a material that declares it")


def bands(mesh: UniformMesh, fields: int, *, elements_per_band: int = 32768) -> list[slice]:
    """Cut the slowest direction into bands whose arrays stay in the cache of a core."""
    rows = mesh.element_shape[0]
    per_row = mesh.element_count // rows * 2**mesh.dimension * max(fields, 1) // 4
    height = max(1, elements_per_band // max(per_row, 1))
    count = -(-rows // height)
    edges = np.linspace(0, rows, count + 1).astype(int)
    return [slice(int(a), int(b)) for a, b in pairwise(edges)]


class Points:
    """The Gauss points of one band of elements; everything is computed when first asked for.

    Arrays have the shape ``(2**dimension, *elements of the band)``.
    """

    def __init__(self, fields: Fields, corner: Array, band: slice, time: float, properties: Properties) -> None:
        self.fields = fields
        self.mesh = fields.mesh
        self.band = band
        self.time = time
        self._properties = properties
        self._corner = corner[:, band.start : band.stop + 1]
        self._cache: dict[tuple[str, ...], PropertyValue] = {}
        self._gradients: dict[str, list[Array]] = {}
        self._auxiliary: dict[str, Array] = {}

    @cached_property
    def unknowns(self) -> Array:
        """All unknowns, shape ``(variables, points, elements …)``."""
        return values_at_points(self._corner, self.mesh.dimension)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an array over the points."""
        rows = self.band.stop - self.band.start
        return (2**self.mesh.dimension, rows, *self.mesh.element_shape[1:])

    def value(self, name: str) -> Array:
        """Return a variable at the points."""
        if name in self.fields.names:
            return np.asarray(self.unknowns[self.fields.names.index(name)])
        if name not in self._auxiliary:
            self._auxiliary[name] = self._auxiliary_value(name)
        return self._auxiliary[name]

    def _auxiliary_value(self, name: str) -> Array:
        if name in self.fields.elemental:
            return np.broadcast_to(self.fields.elemental[name][self.band], self.shape)
        return np.asarray(values_at_points(self._corner_values(name), self.mesh.dimension)[0])

    def gradient(self, name: str) -> list[Array]:
        """Return the derivatives of a nodal variable by x, y, z."""
        if name not in self._gradients:
            self._gradients[name] = [g[0] for g in gradients_at_points(self._corner_values(name), self.mesh.spacings)]
        return self._gradients[name]

    def _corner_values(self, name: str) -> Array:
        if name in self.fields.names:
            place = self.fields.names.index(name)
            return self._corner[place : place + 1]
        extended = self.mesh.extended(self.fields.nodal_values(name)[None])
        return extended[:, self.band.start : self.band.stop + 1]

    @cached_property
    def coordinates(self) -> tuple[Array, Array, Array]:
        """Coordinates x, y, z, broadcastable to ``shape``; missing directions are zero."""
        mesh, dimension = self.mesh, self.mesh.dimension
        out = []
        for direction in range(dimension):
            slowest = direction == dimension - 1
            first = self.band.start if slowest else 0
            count = self.band.stop - self.band.start if slowest else mesh.counts[direction]
            pair = gauss_coordinates(mesh.lower[direction], mesh.spacings[direction], first, count)
            # The bits of the point number are z, y, x.
            point_bits = np.arange(2**dimension) >> direction & 1
            shape = [2**dimension] + [1] * dimension
            shape[mesh.axis(direction)] = count
            out.append(pair[point_bits].reshape(shape))
        out += [np.zeros((1,) * (dimension + 1))] * (3 - dimension)
        return out[0], out[1], out[2]

    def material(self, name: str, *by: str) -> PropertyValue:
        """Return a material property, or its derivative by variables."""
        key = (name, *by)
        if key not in self._cache:
            self._cache[key] = self._properties.evaluate(self, name, by)
        return self._cache[key]


def integrate(
    fields: Fields,
    time: float,
    properties: Properties,
    densities: Sequence[Callable[[Points], PropertyValue]],
) -> list[float]:
    """Return the integrals of densities over the mesh, by the Gauss points of the elements."""
    corner = fields.mesh.extended(fields.unknowns)
    totals = [0.0] * len(densities)
    weight = fields.mesh.element_volume / 2**fields.mesh.dimension
    for band in bands(fields.mesh, 1):
        points = Points(fields, corner, band, time, properties)
        for place, density in enumerate(densities):
            totals[place] += weight * float(np.sum(np.broadcast_to(density(points), points.shape)))
    return totals


def element_means(
    fields: Fields, time: float, properties: Properties, density: Callable[[Points], PropertyValue]
) -> Array:
    """Return the mean of a density over the Gauss points of every element, shape ``mesh.element_shape``."""
    corner = fields.mesh.extended(fields.unknowns)
    out = np.empty(fields.mesh.element_shape)
    for band in bands(fields.mesh, 1):
        points = Points(fields, corner, band, time, properties)
        out[band] = np.broadcast_to(density(points), points.shape).mean(axis=0)
    return out


def extreme(fields: Fields, time: float, density: Callable[[Points], PropertyValue], *, largest: bool) -> float:
    """Return the largest or the smallest value of a density at the Gauss points."""
    corner = fields.mesh.extended(fields.unknowns)
    choose = np.max if largest else np.min
    found = []
    for band in bands(fields.mesh, 1):
        points = Points(fields, corner, band, time, NoProperties())
        found.append(float(choose(np.asarray(density(points)))))
    return max(found) if largest else min(found)
