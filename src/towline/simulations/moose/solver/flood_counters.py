"""FeatureFloodCount and GrainTracker as objects of a run."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from towline.simulations.moose.solver.blocks import Block
from towline.simulations.moose.solver.features import (
    NOTHING,
    Feature,
    FloodRule,
    centroid,
    flood,
    id_map,
    touched_sides,
)
from towline.simulations.moose.solver.grain_tracker import GrainTracker, exchange, spread
from towline.simulations.moose.solver.mesh import Array
from towline.simulations.moose.solver.state import Moment, State, moments


@dataclass
class FloodCounter:
    """Counts connected regions of variables, and remembers them."""

    name: str
    variables: tuple[str, ...]
    rule: FloodRule
    execute_on: frozenset[Moment]
    #: A number or the name of a postprocessor that is added to the thresholds.
    threshold_shift: str = ""
    primary_sides: frozenset[str] = frozenset()
    secondary_sides: frozenset[str] = frozenset()
    specified_sides: frozenset[str] = frozenset()
    tracker: GrainTracker | None = None
    tracking_step: int = 0
    features: tuple[Feature, ...] = ()
    _maps: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The number of features, as a postprocessor tells it."""
        return float(len(self.features))

    def update(self, state: State) -> None:
        """Find the features in the fields of now; a tracker may move grains between the variables.

        Raises
        ------
        InvalidRequest
            The tracker cannot go on.
        """
        self._maps.clear()
        if self.tracker is not None and state.step < self.tracking_step:
            return
        values = [state.at_centroids(name) for name in self.variables]
        if self.tracker is None:
            self.features = flood(state.mesh, values, self._shifted(state))
            return
        rows = [state.fields.index(name) for name in self.variables]
        for move in self.tracker.update(values):
            for unknowns in (state.fields.unknowns, state.old, state.older):
                if unknowns.size:
                    exchange(state.mesh, unknowns, rows, move)
        state.messages.extend(self.tracker.messages)
        self.features = self.tracker.features

    def _shifted(self, state: State) -> FloodRule:
        if not self.threshold_shift:
            return self.rule
        shift = state.values.get(self.threshold_shift)
        shift = float(self.threshold_shift) if shift is None else shift
        connecting = None if self.rule.connecting is None else self.rule.connecting + shift
        return FloodRule(self.rule.threshold + shift, connecting, self.rule.above)

    def map(self, state: State, display: str, map_index: int | None = None) -> Array:
        """Return what FeatureFloodCountAux shows, per element; −1 where there is nothing."""
        mesh = state.mesh
        if display == "UNIQUE_REGION":
            chosen = [one for one in self.features if map_index is None or one.variable == map_index]
            return id_map(mesh, tuple(chosen)).astype(float)
        if display == "VARIABLE_COLORING":
            colored = tuple(feature.renamed(feature.variable) for feature in self.features)
            return id_map(mesh, colored).astype(float)
        if display == "CENTROID":
            return self._centroids(state)
        if display == "HALOS":
            return self._halos(state, map_index)
        return np.full(mesh.element_shape, float(NOTHING))  # GHOSTED_ENTITIES: one process has none

    def _centroids(self, state: State) -> Array:
        mesh = state.mesh
        out = np.zeros(mesh.element_shape)
        for feature in self.features:
            where = centroid(mesh, feature)
            place = []
            for direction in reversed(range(mesh.dimension)):
                cell = int((where[direction] - mesh.lower[direction]) / mesh.spacings[direction])
                place.append(min(cell, mesh.counts[direction] - 1))
            out[tuple(place)] = 1.0
        return out

    def _halos(self, state: State, map_index: int | None) -> Array:
        """Return the ids of features in the two layers of elements around them."""
        out = np.full(state.mesh.element_shape, NOTHING, dtype=np.int64)
        for variable in range(len(self.variables)):
            if map_index is not None and variable != map_index:
                continue
            own = id_map(state.mesh, tuple(one for one in self.features if one.variable == variable))
            grown = own
            for _ in range(self.tracker.halo_layers if self.tracker else 2):
                grown = spread(state.mesh, grown, set())
            out = np.where((own == NOTHING) & (grown != NOTHING), grown, out)
        return out.astype(float)

    def volumes(self, state: State) -> list[float]:
        """Return, for each feature, the integral of its variable over its elements."""
        flat = [state.at_centroids(name).ravel() for name in self.variables]
        volume = state.mesh.element_volume
        return [float(flat[one.variable][one.elements].sum()) * volume for one in self.features]

    def flags(self, state: State, feature: Feature) -> tuple[bool, bool, bool]:
        """Return whether a feature touches any side, one of the specified sides, and both percolation sides."""
        sides = touched_sides(state.mesh, feature)
        percolates = bool(sides & self.primary_sides) and bool(sides & self.secondary_sides)
        return bool(sides), bool(sides & self.specified_sides), percolates


def build_counter(block: Block, state: State, order_parameters: tuple[str, ...]) -> FloodCounter:
    """Build a FeatureFloodCount or GrainTracker.

    Raises
    ------
    InvalidInputFile
        A variable does not exist, or an option is not supported.
    """
    tracked = block.type == "GrainTracker"
    variables = block.words("variable", default=()) or order_parameters
    for name in variables:
        if name not in state.fields:
            raise block.refused(f"Unknown variable '{name}'", "variable")
    threshold = block.number("threshold", default=0.1 if tracked else 0.5)
    connecting = block.number("connecting_threshold", default=0.09 if tracked else threshold)
    above = block.flag("use_less_than_threshold_comparison", default=True)
    rule = FloodRule(threshold, connecting, above)
    primary, secondary, specified = (frozenset(block.words(name, default=())) for name in _SIDE_PARAMETERS)
    tracker = _tracker(block, state, rule) if tracked else None
    default = "initial timestep_end" if tracked else "timestep_end"
    return FloodCounter(
        block.name,
        variables,
        rule,
        moments(block, default),
        block.text("elem_avg_value", default=""),
        primary,
        secondary,
        specified,
        tracker,
        block.integer("tracking_step", default=0) if tracked else 0,
    )


_SIDE_PARAMETERS = ("primary_percolation_boundaries", "secondary_percolation_boundaries", "specified_boundaries")


def _tracker(block: Block, state: State, rule: FloodRule) -> GrainTracker:
    return GrainTracker(
        state.mesh,
        rule,
        block.integer("halo_level", default=2),
        block.flag("remap_grains", default=True),
        block.integer("reserve_op", default=0),
        block.flag("error_on_grain_creation", default=False),
        block.flag("tolerate_failure", default=False),
    )


def find_counter(state: State, block: Block, parameter: str) -> FloodCounter:
    """Return the counter that a parameter names.

    Raises
    ------
    InvalidInputFile
        There is none of this name.
    """
    name = block.text(parameter)
    if name not in state.counters:
        known = " ".join(state.counters) or "none"
        raise block.refused(f"Unable to find user object with name '{name}'; there are: {known}", parameter)
    return state.counters[name]
