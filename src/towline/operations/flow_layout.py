"""Where the jobs of a flow stand in a drawing: in layers, parents above their children, with few crossings.

The method is Sugiyama's: nodes get layers, edges that pass a layer get a place there too, and each layer is sorted by
the middle of the neighbours in the layer before it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

#: Passes over the layers, alternately down and up; more change little.
_PASSES = 8


@dataclass(frozen=True, slots=True)
class Layout:
    """A drawing without sizes: a step per node from left to right, a step per layer down."""

    #: ``{node: (x, y)}``; every layer stands in the middle, and y is negative below the first.
    places: Mapping[int, tuple[float, float]]
    #: ``(points from the parent to the child)`` of each edge.
    edges: Sequence[tuple[tuple[float, float], ...]]
    columns: int
    rows: int


def layout(nodes: Sequence[int], edges: Sequence[tuple[int, int]]) -> Layout:
    """Places for the nodes of a graph without cycles.

    Parameters
    ----------
    nodes
        Names of the nodes, positive numbers.
    edges
        ``(parent, child)``.
    """
    depth = _depths(nodes, edges)
    paths = _paths(edges, depth)
    layers: list[list[int]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for node, layer in depth.items():
        layers[layer].append(node)
    _sort(layers, paths)
    widest = max((len(layer) for layer in layers), default=0)
    places = {
        node: (position + (widest - len(layer)) / 2, float(-number))
        for number, layer in enumerate(layers)
        for position, node in enumerate(layer)
    }
    return Layout(
        {node: places[node] for node in nodes},
        [tuple(places[node] for node in path) for path in paths],
        widest,
        len(layers),
    )


def _depths(nodes: Sequence[int], edges: Sequence[tuple[int, int]]) -> dict[int, int]:
    """The layer of each node: below the lowest of its parents."""
    children: dict[int, list[int]] = {node: [] for node in nodes}
    missing = dict.fromkeys(nodes, 0)
    for parent, child in edges:
        children[parent].append(child)
        missing[child] += 1
    depth = dict.fromkeys(nodes, 0)
    ready = [node for node in nodes if not missing[node]]
    for node in ready:  # grows while it is gone through
        for child in children[node]:
            depth[child] = max(depth[child], depth[node] + 1)
            missing[child] -= 1
            if not missing[child]:
                ready.append(child)
    return depth


def _paths(edges: Sequence[tuple[int, int]], depth: dict[int, int]) -> list[list[int]]:
    """Each edge with a node of its own, a negative number, in every layer that it passes."""
    paths = []
    passing = 0
    for parent, child in edges:
        path = [parent]
        for layer in range(depth[parent] + 1, depth[child]):
            passing -= 1
            depth[passing] = layer
            path.append(passing)
        paths.append([*path, child])
    return paths


def _sort(layers: Sequence[list[int]], paths: Sequence[Sequence[int]]) -> None:
    above: dict[int, list[int]] = {}
    below: dict[int, list[int]] = {}
    for path in paths:
        for upper, lower in pairwise(path):
            below.setdefault(upper, []).append(lower)
            above.setdefault(lower, []).append(upper)
    for number in range(_PASSES):
        down = number % 2 == 0
        neighbours = above if down else below
        place = {node: position for layer in layers for position, node in enumerate(layer)}
        for layer in layers if down else reversed(layers):
            middles = {
                node: fmean(place[near] for near in neighbours[node]) if node in neighbours else float(place[node])
                for node in layer
            }
            layer.sort(key=middles.__getitem__)
            place.update({node: position for position, node in enumerate(layer)})
