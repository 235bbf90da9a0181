"""Voronoi polycrystals and the distribution of their grains over order parameters."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from towline.errors import InvalidRequest
from towline.simulations.moose.solver.mesh import Array, UniformMesh

COLORING_FAILED = (
    "Unable to find a valid grain to op coloring, Make sure you have created enough variables to hold a\n"
    "valid polycrystal initial condition (no grains represented by the same variable should be allowed to\n"
    "touch, ~8 for 2D, ~25 for 3D)?"
)
#: Points whose distances to all centres are computed at once.
_CHUNK = 8192
#: Steps of the search for a colouring before it counts as impossible.
_MOST_STEPS = 2_000_000


def minimum_image(mesh: UniformMesh, vectors: Array) -> Array:
    """Shorten vectors, shape ``(…, dimension)``, by whole periods of the mesh; in place."""
    for direction, length in enumerate(mesh.lengths):
        if mesh.periodic[direction]:
            vectors[..., direction] -= length * np.round(vectors[..., direction] / length)
    return vectors


@dataclass(frozen=True)
class VoronoiPolycrystal:
    """Grains around centres."""

    mesh: UniformMesh
    #: Shape ``(grains, dimension)``.
    centers: Array
    op_num: int
    interface_width: float = 0.0
    #: bt is MOOSE's backtracking; any other name is a colouring by saturation.
    coloring: str = "jp"
    _values: dict[int, Array] = field(default_factory=dict)

    @classmethod
    def random_centers(cls, mesh: UniformMesh, grains: int, seed: int) -> Array:
        """Return MOOSE's centres: three numbers of a Mersenne twister per grain, in two dimensions too."""
        numbers = np.random.RandomState(seed).random_sample((grains, 3))[:, : mesh.dimension]
        return np.asarray(mesh.lower) + np.asarray(mesh.lengths) * numbers

    @cached_property
    def node_grains(self) -> NDArray[np.int64]:
        """The grain with the nearest centre, at every unknown node."""
        points = self._node_points()
        nearest = [
            np.argmin(self._squares(points[start : start + _CHUNK])[0], axis=1)
            for start in range(0, len(points), _CHUNK)
        ]
        return np.concatenate(nearest).reshape(self.mesh.node_shape)

    def _node_points(self) -> Array:
        grids = np.broadcast_arrays(*self.mesh.node_coordinates())
        return np.stack([grid.ravel() for grid in grids], axis=1)

    def _squares(self, points: Array) -> tuple[Array, Array]:
        """Return squared distances (points, centres), and the vectors to the centres."""
        vectors = minimum_image(self.mesh, self.centers[None] - points[:, None])
        return np.einsum("pgd,pgd->pg", vectors, vectors), vectors

    @cached_property
    def grain_ops(self) -> NDArray[np.int64]:
        """The order parameter of every grain.

        Raises
        ------
        InvalidRequest
            There are too few order parameters.
        """
        adjacency = self.adjacency()
        found = _backtracked(adjacency, self.op_num) if self.coloring == "bt" else _saturated(adjacency, self.op_num)
        if found is None:
            raise InvalidRequest(COLORING_FAILED)
        return found

    def adjacency(self) -> NDArray[np.bool_]:
        """Return which grains are close: the two layers of elements around them touch.

        The elements of a grain are all that have a node in it.
        """
        mesh, grains = self.mesh, len(self.centers)
        corners = mesh.extended(self.node_grains[None].astype(float))[0].astype(np.int64)
        reached = [_dilated(mesh, _owned(mesh, corners == grain), layers=2) for grain in range(grains)]
        flat = np.stack([np.packbits(one) for one in reached])
        touching = np.zeros((grains, grains), dtype=bool)
        for grain in range(grains):
            touching[grain] = (flat & flat[grain]).any(axis=1)
            touching[grain, grain] = False
        return touching

    def order_parameter(self, index: int) -> Array:
        """Return the initial values of an order parameter at the unknown nodes."""
        if self.interface_width == 0:
            return np.asarray(self.grain_ops[self.node_grains] == index, dtype=float)
        if not self._values:
            self._values.update(enumerate(self._diffuse()))
        return self._values[index]

    def _diffuse(self) -> Array:
        points = self._node_points()
        out = np.zeros((self.op_num, len(points)))
        for start in range(0, len(points), _CHUNK):
            part = slice(start, start + _CHUNK)
            self._diffuse_part(points[part], out[:, part])
        return out.reshape(self.op_num, *self.mesh.node_shape)

    def _diffuse_part(self, points: Array, out: Array) -> None:
        """Multiply, for each grain near a point, a factor for every other near grain: ½(1 − tanh(2d/width))."""
        squares, vectors = self._squares(points)
        candidates = min(len(self.centers), 10)
        order = np.argsort(squares, axis=1)[:, :candidates]
        rows = np.arange(len(points))[:, None]
        near_squares, near_vectors = squares[rows, order], vectors[rows, order]
        difference = near_vectors[:, :, None] - near_vectors[:, None]
        apart = np.sqrt(np.einsum("pabd,pabd->pab", difference, difference))
        apart[apart == 0] = np.inf
        # Distance beyond the plane halfway between grain a and grain b, positive on the side of b.
        beyond = (near_squares[:, :, None] - near_squares[:, None]) / (2 * apart)
        near = -beyond[:, 0] < self.interface_width
        near[:, 0] = True
        factors = 0.5 * (1 - np.tanh(2 * beyond / self.interface_width))
        factors[:, np.arange(candidates), np.arange(candidates)] = 1.0
        factors = np.where(near[:, None], factors, 1.0)
        values = np.where(near, factors.prod(axis=2), 0.0)
        ops = self.grain_ops[order]
        for index in range(self.op_num):
            out[index] = np.where(ops == index, values, 0.0).max(axis=1)


def _owned(mesh: UniformMesh, nodes: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the elements with at least one of the nodes (shape of all nodes)."""
    out = nodes
    for axis in range(mesh.dimension):
        low, high = [slice(None)] * mesh.dimension, [slice(None)] * mesh.dimension
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        out = out[tuple(low)] | out[tuple(high)]
    return out


def _dilated(mesh: UniformMesh, elements: NDArray[np.bool_], layers: int) -> NDArray[np.bool_]:
    """Add layers of face neighbours."""
    for _ in range(layers):
        grown = elements.copy()
        for direction in range(mesh.dimension):
            axis = mesh.dimension - 1 - direction
            for step in (-1, 1):
                shifted = np.roll(elements, step, axis)
                if not mesh.periodic[direction]:
                    edge = [slice(None)] * mesh.dimension
                    edge[axis] = slice(0, 1) if step == 1 else slice(-1, None)
                    shifted[tuple(edge)] = False
                grown |= shifted
        elements = grown
    return elements


def _backtracked(adjacency: NDArray[np.bool_], colors: int) -> NDArray[np.int64] | None:
    """Grain v tries the colours (v + k) mod colours, k = 0, 1, …, and goes back where none is free."""
    grains = len(adjacency)
    tried = np.zeros(grains, dtype=np.int64)
    chosen = np.full(grains, -1, dtype=np.int64)
    grain = 0
    for _ in range(_MOST_STEPS):
        if grain == grains:
            return chosen
        taken = set(chosen[:grain][adjacency[grain, :grain]].tolist())
        chosen[grain] = -1
        while tried[grain] < colors:
            color = (grain + int(tried[grain])) % colors
            tried[grain] += 1
            if color not in taken:
                chosen[grain] = color
                break
        if chosen[grain] >= 0:
            grain += 1
            if grain < grains:
                tried[grain] = 0
        elif grain == 0:
            return None
        else:
            grain -= 1
    return None


def _saturated(adjacency: NDArray[np.bool_], colors: int) -> NDArray[np.int64] | None:
    """Colour the grain whose neighbours have the most colours next, with the least used free colour.

    Falls back to the search with backtracking where that ends in a dead end.
    """
    grains = len(adjacency)
    chosen = np.full(grains, -1, dtype=np.int64)
    forbidden = np.zeros((grains, colors), dtype=bool)
    used = np.zeros(colors, dtype=np.int64)
    degrees = adjacency.sum(axis=1)
    for _ in range(grains):
        open_grains = np.flatnonzero(chosen < 0)
        saturation = forbidden[open_grains].sum(axis=1)
        grain = open_grains[np.lexsort((-degrees[open_grains], -saturation))[0]]
        free = np.flatnonzero(~forbidden[grain])
        if len(free) == 0:
            return _backtracked(adjacency, colors)
        color = free[np.argmin(used[free])]
        chosen[grain] = color
        used[color] += 1
        forbidden[adjacency[grain], color] = True
    return chosen
