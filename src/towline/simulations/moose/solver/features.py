"""Connected regions where a variable is above a threshold."""

from dataclasses import dataclass, field, replace

import numpy as np
import scipy.ndimage  # type: ignore[import-untyped]  # ships no types
from numpy.typing import NDArray
from scipy.sparse import coo_array  # type: ignore[import-untyped]
from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]

from towline.simulations.moose.solver.mesh import SIDES, Array, UniformMesh

#: No feature.
NOTHING = -1


@dataclass(frozen=True)
class FloodRule:
    """What belongs to a feature."""

    threshold: float = 0.5
    #: What a feature that has begun extends through; None: the threshold.
    connecting: float | None = None
    #: Features are above the thresholds, not below.
    above: bool = True

    def starts(self, values: Array) -> NDArray[np.bool_]:
        """Return where a feature may begin."""
        return values >= self.threshold if self.above else values <= self.threshold

    def extends(self, values: Array) -> NDArray[np.bool_]:
        """Return where a feature may extend."""
        limit = self.threshold if self.connecting is None else self.connecting
        return values >= limit if self.above else values <= limit


@dataclass(frozen=True)
class Feature:
    """One connected region of one variable."""

    #: Unique; as sorted by the smallest element, unless a tracker keeps it.
    id: int
    variable: int
    #: Flat indices of its elements in an array of ``mesh.element_shape``, ascending.
    elements: NDArray[np.int64] = field(repr=False)
    smallest_element: int = 0

    def renamed(self, new_id: int) -> "Feature":
        """Return it with another id."""
        return replace(self, id=new_id)


def centroid_values(mesh: UniformMesh, nodal: Array) -> Array:
    """Return a nodal variable at the element centres: the mean of the corners, and of the element."""
    out = mesh.extended(nodal[None])[0]
    for axis in range(mesh.dimension):
        low, high = [slice(None)] * mesh.dimension, [slice(None)] * mesh.dimension
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        out = 0.5 * (out[tuple(low)] + out[tuple(high)])
    return np.asarray(out)


def flood(mesh: UniformMesh, values: list[Array], rule: FloodRule) -> tuple[Feature, ...]:
    """Return all features of several variables, sorted by their smallest element id.

    Parameters
    ----------
    values
        One array over the elements per variable.
    """
    found = [feature for place, one in enumerate(values) for feature in _of_variable(mesh, one, rule, place)]
    found.sort(key=lambda feature: (feature.smallest_element, feature.variable))
    return tuple(feature.renamed(place) for place, feature in enumerate(found))


def _of_variable(mesh: UniformMesh, values: Array, rule: FloodRule, variable: int) -> list[Feature]:
    labels, count = _periodic_labels(mesh, rule.extends(values))
    if count == 0:
        return []
    flat = labels.ravel()
    started = np.zeros(count + 1, dtype=bool)
    started[flat[rule.starts(values).ravel()]] = True
    started[0] = False
    order = np.argsort(flat, kind="stable")
    edges = np.searchsorted(flat[order], np.arange(1, count + 2))
    ids = mesh.element_ids.ravel()
    features = []
    for label in np.flatnonzero(started):
        elements = order[edges[label - 1] : edges[label]]
        features.append(Feature(0, variable, elements, int(ids[elements].min())))
    return features


def _periodic_labels(mesh: UniformMesh, mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], int]:
    """Label face-connected regions, also across periodic sides; 0 is outside."""
    labels, count = scipy.ndimage.label(mask)
    labels = labels.astype(np.int64)
    pairs = [_wrapped_pairs(mesh, labels, direction) for direction in range(mesh.dimension) if mesh.periodic[direction]]
    if not pairs or count == 0:
        return labels, int(count)
    first, second = np.concatenate(pairs, axis=1)
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(count + 1, count + 1))
    _, joined = connected_components(graph, directed=False)
    # The background stays 0, whatever number its component has.
    joined = np.where(joined == joined[0], 0, joined + 1)
    _, dense = np.unique(joined, return_inverse=True)
    return dense[labels], int(dense.max())


def _wrapped_pairs(mesh: UniformMesh, labels: NDArray[np.int64], direction: int) -> NDArray[np.int64]:
    axis = mesh.dimension - 1 - direction
    first, last = labels.take(0, axis=axis).ravel(), labels.take(-1, axis=axis).ravel()
    both = (first > 0) & (last > 0)
    return np.stack([first[both], last[both]])


def id_map(mesh: UniformMesh, features: tuple[Feature, ...]) -> NDArray[np.int64]:
    """Return the id of the feature at every element, `NOTHING` where there is none."""
    out = np.full(mesh.element_count, NOTHING, dtype=np.int64)
    for feature in features:
        out[feature.elements] = feature.id
    return out.reshape(mesh.element_shape)


def touched_sides(mesh: UniformMesh, feature: Feature) -> frozenset[str]:
    """Return the names of the sides of the mesh that elements of the feature lie on."""
    index = np.unravel_index(feature.elements, mesh.element_shape)
    found = set()
    for name, direction, upper in SIDES[mesh.dimension]:
        edge = mesh.counts[direction] - 1 if upper else 0
        if np.any(index[mesh.axis(direction)] == edge):
            found.add(name)
    return frozenset(found)


def centroid(mesh: UniformMesh, feature: Feature) -> tuple[float, float, float]:
    """Return the plain mean of the element centres; wrong across periodic sides, as in MOOSE."""
    index = np.unravel_index(feature.elements, mesh.element_shape)
    out = [0.0, 0.0, 0.0]
    for direction in range(mesh.dimension):
        mean = float(np.mean(index[mesh.axis(direction)])) + 0.5
        out[direction] = mesh.lower[direction] + mesh.spacings[direction] * mean
    return out[0], out[1], out[2]
