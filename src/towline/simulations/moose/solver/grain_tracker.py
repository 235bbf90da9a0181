"""Grains that keep their identity from step to step, and their way from one order parameter to another."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from towline.errors import InvalidRequest
from towline.simulations.moose.solver.features import NOTHING, Feature, FloodRule, centroid, flood, id_map
from towline.simulations.moose.solver.mesh import Array, UniformMesh
from towline.simulations.moose.solver.polycrystal import minimum_image

REMAPPING_FAILED = "Unable to find any suitable grains for remapping. Perhaps you need more op variables?\n"


@dataclass(frozen=True)
class Remapping:
    """A grain that moves to another order parameter, in the layers around it too."""

    grain: Feature
    target: int
    #: The elements whose nodal values are exchanged, flat indices.
    elements: NDArray[np.int64] = field(repr=False)


@dataclass
class GrainTracker:
    """Follows grains; `update` is called with the order parameters of every step.

    ``halo_layers`` is the number of layers of elements around a grain that must stay free of others of its variable.
    """

    mesh: UniformMesh
    rule: FloodRule = field(default_factory=lambda: FloodRule(0.1, 0.09))
    halo_layers: int = 2
    remaps: bool = True
    reserved: int = 0
    error_on_creation: bool = False
    tolerates_failure: bool = False
    #: Grains that may be moved out of the way of one that moves.
    most_moves: int = 3
    #: What happened in the last update, in MOOSE's words.
    messages: list[str] = field(default_factory=list)
    features: tuple[Feature, ...] = ()
    _next_id: int = 0
    _started: bool = False

    def update(self, values: list[Array]) -> list[Remapping]:
        """Find the grains, give them their ids, and return the moves that have to be made.

        Parameters
        ----------
        values
            Every order parameter at the element centres.

        Raises
        ------
        InvalidRequest
            No order parameter can take a grain, or a grain appeared although that was declared an error.
        """
        self.messages = []
        found = flood(self.mesh, values, self.rule)
        if not self._started:
            self.features, self._next_id, self._started = found, len(found), True
        else:
            self.features = self._tracked(found)
        return self._remapped(len(values)) if self.remaps else []

    def memory(self) -> dict[str, int | bool]:
        """What it knows besides the features of now."""
        return {"next_id": self._next_id, "started": self._started}

    def recall(self, features: tuple[Feature, ...], memory: Mapping[str, int | bool]) -> None:
        """Go on where another tracker was."""
        self.features = features
        self._next_id, self._started = int(memory["next_id"]), bool(memory["started"])

    def _tracked(self, found: tuple[Feature, ...]) -> tuple[Feature, ...]:
        """Give each new feature the id of the old grain of its variable that it shares most elements with."""
        names: dict[int, int] = {}
        taken: set[int] = set()
        for _, old_id, place in self._candidates(found):
            if old_id not in taken and place not in names:
                names[place] = old_id
                taken.add(old_id)
        for place in range(len(found)):
            if place not in names:
                names[place] = self._created(found[place])
        for old in self.features:
            if old.id not in taken:
                self.messages.append(f"Marking Grain {old.id} as INACTIVE (variable index: {old.variable})")
        return tuple(feature.renamed(names[place]) for place, feature in enumerate(found))

    def _candidates(self, found: tuple[Feature, ...]) -> list[tuple[float, int, int]]:
        """Return (rank, old id, place of the new feature): first by shared elements, then by distance."""
        pairs: list[tuple[float, int, int]] = []
        for variable in {feature.variable for feature in found}:
            olds = tuple(feature for feature in self.features if feature.variable == variable)
            where = id_map(self.mesh, olds).ravel()
            for place, feature in enumerate(found):
                if feature.variable != variable:
                    continue
                ids, counts = np.unique(where[feature.elements], return_counts=True)
                pairs += [(-float(n), int(i), place) for i, n in zip(ids, counts, strict=True) if i != NOTHING]
                if np.all(ids == NOTHING):
                    pairs += self._nearby(feature, place, olds)
        return sorted(pairs)

    def _nearby(self, feature: Feature, place: int, olds: tuple[Feature, ...]) -> list[tuple[float, int, int]]:
        """Return old grains whose centre is within the size of the new one: small grains may move by their width."""
        own = np.asarray(centroid(self.mesh, feature))[: self.mesh.dimension]
        size = (len(feature.elements) * self.mesh.element_volume) ** (1 / self.mesh.dimension)
        reach = size + self.halo_layers * max(self.mesh.spacings)
        out = []
        for old in olds:
            other = np.asarray(centroid(self.mesh, old))[: self.mesh.dimension]
            distance = float(np.linalg.norm(minimum_image(self.mesh, other - own)))
            if distance <= reach:
                out.append((distance, old.id, place))
        return out

    def _created(self, feature: Feature) -> int:
        message = f"Couldn't find a matching grain while working on variable index: {feature.variable}"
        if self.error_on_creation:
            raise InvalidRequest(f"{message}\nCreating new unique grain: {self._next_id}")
        self.messages.append(message)
        self._next_id += 1
        return self._next_id - 1

    def _remapped(self, variables: int) -> list[Remapping]:
        """Move grains until no two of one variable are close."""
        moves: list[Remapping] = []
        for variable in range(variables):
            while True:
                pairs = self._close_pairs(variable)
                if not pairs:
                    break
                first, second = pairs[0]
                self.messages.append(f"Grain #{first} intersects Grain #{second} (variable index: {variable})")
                found = self._separated(first, second, variables)
                if found is None:
                    if self.tolerates_failure:
                        break
                    raise InvalidRequest(REMAPPING_FAILED)
                moves += found
        return moves

    def _close_pairs(self, variable: int) -> list[tuple[int, int]]:
        """Return the ids of grains of a variable whose halos share an element."""
        own = tuple(feature for feature in self.features if feature.variable == variable)
        if len(own) < 2:
            return []
        labels = id_map(self.mesh, own)
        pairs: set[tuple[int, int]] = set()
        for _ in range(self.halo_layers):
            labels = spread(self.mesh, labels, pairs)
        return sorted(pairs)

    def _separated(self, first: int, second: int, variables: int) -> list[Remapping] | None:
        """Move one of two grains, the smaller one if possible, to another variable."""
        by_id = {feature.id: feature for feature in self.features}
        for grain in sorted((by_id[first], by_id[second]), key=lambda feature: len(feature.elements)):
            moves = self._moves(grain, variables, frozenset({grain.variable}), self.most_moves)
            if moves is not None:
                return moves
        return None

    def _moves(self, grain: Feature, variables: int, closed: frozenset[int], depth: int) -> list[Remapping] | None:
        """Move a grain to an open variable, after what is there has moved out of its way; None if that is too much."""
        blockers: dict[int, list[Feature]] = {place: [] for place in range(variables - self.reserved)}
        near = np.zeros(self.mesh.element_count, dtype=bool)
        near[self._with_halo(grain, 2 * self.halo_layers)] = True
        for other in self.features:
            if other.id != grain.id and other.variable in blockers and near[other.elements].any():
                blockers[other.variable].append(other)
        counts = [sum(one.variable == place for one in self.features) for place in range(variables)]
        targets = sorted(set(blockers) - closed, key=lambda place: (len(blockers[place]), counts[place], place))
        for target in targets:
            if len(blockers[target]) > depth:
                return None
            before = self.features
            cleared = self._cleared(blockers[target], variables, closed | {target}, depth)
            if cleared is not None:
                return [*cleared, self._moved(grain, target)]
            self.features = before
        return None

    def _cleared(
        self, grains: list[Feature], variables: int, closed: frozenset[int], depth: int
    ) -> list[Remapping] | None:
        moves: list[Remapping] = []
        for grain in grains:
            found = self._moves(grain, variables, closed | {grain.variable}, depth - 1)
            if found is None:
                return None
            moves += found
        return moves

    def _moved(self, grain: Feature, target: int) -> Remapping:
        self.messages.append(f"Remapping grain #{grain.id} from variable index {grain.variable} to {target}")
        moved = replace(grain, variable=target)
        self.features = tuple(moved if one.id == grain.id else one for one in self.features)
        return Remapping(grain, target, self._with_halo(grain, self.halo_layers))

    def _with_halo(self, grain: Feature, layers: int) -> NDArray[np.int64]:
        labels = id_map(self.mesh, (grain,))
        for _ in range(layers):
            labels = spread(self.mesh, labels, set())
        return np.flatnonzero(labels.ravel() != NOTHING)


def spread(mesh: UniformMesh, labels: NDArray[np.int64], meetings: set[tuple[int, int]]) -> NDArray[np.int64]:
    """Add one layer of face neighbours to every label, and note the labels that meet."""
    out = labels.copy()
    for direction in range(mesh.dimension):
        axis = mesh.dimension - 1 - direction
        for step in (-1, 1):
            shifted = np.roll(labels, step, axis)
            if not mesh.periodic[direction]:
                edge = [slice(None)] * mesh.dimension
                edge[axis] = slice(0, 1) if step == 1 else slice(-1, None)
                shifted[tuple(edge)] = NOTHING
            clash = (shifted != NOTHING) & (out != NOTHING) & (shifted != out)
            for a, b in {*zip(shifted[clash].tolist(), out[clash].tolist(), strict=True)}:
                meetings.add((min(a, b), max(a, b)))
            out = np.where((out == NOTHING) & (shifted != NOTHING), shifted, out)
    return out


def exchange(mesh: UniformMesh, unknowns: Array, rows: list[int], move: Remapping) -> None:
    """Exchange the nodal values of a grain between its order parameter and the one it moves to.

    ``rows`` are the places of the tracked variables in ``unknowns``.
    """
    mask = np.zeros(mesh.element_count, dtype=bool)
    mask[move.elements] = True
    nodes = nodes_of_elements(mesh, mask.reshape(mesh.element_shape))
    source, target = unknowns[rows[move.grain.variable]], unknowns[rows[move.target]]
    source[nodes], target[nodes] = target[nodes], source[nodes].copy()


def nodes_of_elements(mesh: UniformMesh, elements: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the unknown nodes of elements."""
    out = np.zeros(mesh.node_shape, dtype=bool)
    index = np.nonzero(elements)
    for corner in range(2**mesh.dimension):
        shifted = []
        for axis in range(mesh.dimension):
            step = corner >> (mesh.dimension - 1 - axis) & 1
            shifted.append(
                (index[axis] + step) % mesh.node_shape[axis]
                if mesh.periodic[mesh.dimension - 1 - axis]
                else index[axis] + step
            )
        out[tuple(shifted)] = True
    return out
