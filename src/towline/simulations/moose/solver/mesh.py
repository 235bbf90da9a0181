"""Uniform meshes of lines, quadrilaterals and hexahedra.

Arrays over nodes and elements have the axes of the mesh in reverse order (z, y, x), so that x varies fastest, as in the
numbering of a generated mesh. A periodic direction of ``n`` elements has ``n`` unknown nodes, any other ``n + 1``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from towline.errors import InvalidRequest

Array = NDArray[np.float64]

#: Names of the sides by dimension, as (name, direction, is_upper), in the order of their boundary ids.
SIDES: dict[int, tuple[tuple[str, int, bool], ...]] = {
    1: (("left", 0, False), ("right", 0, True)),
    2: (("bottom", 1, False), ("right", 0, True), ("top", 1, True), ("left", 0, False)),
    3: (
        ("back", 2, False),
        ("bottom", 1, False),
        ("right", 0, True),
        ("top", 1, True),
        ("left", 0, False),
        ("front", 2, True),
    ),
}


@dataclass(frozen=True)
class UniformMesh:
    """A box cut into equal elements, first-order Lagrange nodes at their corners."""

    #: Elements per direction x, y, z after refinement.
    counts: tuple[int, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    #: Whether opposite sides are the same, per direction.
    periodic: tuple[bool, ...]
    #: How many uniform refinements led here; only the numbering of the elements depends on it.
    refinements: int = 0

    def __post_init__(self) -> None:
        for direction, (low, high, count) in enumerate(zip(self.lower, self.upper, self.counts, strict=True)):
            if not high > low or count < 1:
                raise InvalidRequest(
                    f"direction {'xyz'[direction]} of the mesh has {count} elements between {low:g} and {high:g}; "
                    "give at least one element and a maximum above the minimum"
                )

    @property
    def dimension(self) -> int:
        return len(self.counts)

    @property
    def lengths(self) -> tuple[float, ...]:
        """Side lengths of the box."""
        return tuple(high - low for low, high in zip(self.lower, self.upper, strict=True))

    @property
    def spacings(self) -> tuple[float, ...]:
        """Side lengths of one element."""
        return tuple(length / count for length, count in zip(self.lengths, self.counts, strict=True))

    @property
    def element_volume(self) -> float:
        return float(np.prod(self.spacings))

    @property
    def volume(self) -> float:
        return float(np.prod(self.lengths))

    @property
    def element_shape(self) -> tuple[int, ...]:
        return self.counts[::-1]

    @property
    def node_shape(self) -> tuple[int, ...]:
        """Shape of an array over the unknown nodes (opposite periodic nodes once)."""
        pairs = zip(self.counts, self.periodic, strict=True)
        return tuple(count + (not periodic) for count, periodic in pairs)[::-1]

    @property
    def full_node_shape(self) -> tuple[int, ...]:
        """Shape of an array over all nodes (opposite periodic nodes twice)."""
        return tuple(count + 1 for count in self.counts)[::-1]

    @property
    def element_count(self) -> int:
        return int(np.prod(self.counts, dtype=np.int64))

    @property
    def node_count(self) -> int:
        """All nodes, opposite periodic nodes counted twice, as in a mesh file."""
        return int(np.prod([count + 1 for count in self.counts], dtype=np.int64))

    def axis(self, direction: int) -> int:
        """Array axis, counted from the end, of a direction (x is the last axis)."""
        return -1 - direction

    def extended(self, nodal: Array) -> Array:
        """Values at all nodes from those at the unknown nodes (last axes are the mesh's)."""
        if not any(self.periodic):
            return nodal
        width = [(0, 0)] * (nodal.ndim - self.dimension)
        return np.pad(nodal, [*width, *[(0, int(periodic)) for periodic in self.periodic[::-1]]], mode="wrap")

    def node_coordinates(self) -> tuple[Array, ...]:
        """Coordinates x, y, z of the unknown nodes, each broadcastable to ``node_shape``."""
        return self._grid([np.arange(n) for n in self.node_shape[::-1]])

    def full_node_coordinates(self) -> tuple[Array, ...]:
        """Coordinates x, y, z of all nodes, each broadcastable to ``full_node_shape``."""
        return self._grid([np.arange(n) for n in self.full_node_shape[::-1]])

    def centroids(self) -> tuple[Array, ...]:
        """Coordinates x, y, z of the element centres, each broadcastable to ``element_shape``."""
        return self._grid([np.arange(count) + 0.5 for count in self.counts])

    def _grid(self, positions: Sequence[NDArray[np.floating] | NDArray[np.integer]]) -> tuple[Array, ...]:
        coordinates = []
        for direction, position in enumerate(positions):
            shape = [1] * self.dimension
            shape[self.axis(direction)] = len(position)
            values = self.lower[direction] + self.lengths[direction] * (position / self.counts[direction])
            coordinates.append(np.asarray(values, dtype=float).reshape(shape))
        return tuple(coordinates)

    @cached_property
    def element_ids(self) -> NDArray[np.int64]:
        """Number of every element; refined elements are numbered parent by parent, as the refinement makes them."""
        steps = 2**self.refinements
        index = np.indices(self.element_shape, dtype=np.int64)[::-1]
        ids = np.zeros(self.element_shape, dtype=np.int64)
        stride = 1
        for coordinate, count in zip(index, self.counts, strict=True):
            ids += (coordinate // steps) * stride
            stride *= count // steps
        for level in reversed(range(self.refinements)):
            child = sum(((coordinate >> level) & 1) << bit for bit, coordinate in enumerate(index))
            ids = ids * 2**self.dimension + child
        return ids
