"""What a run is at a moment: fields, time, and the values of everything that was computed from them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from towline.simulations.moose.solver.blocks import Block
from towline.simulations.moose.solver.features import centroid_values
from towline.simulations.moose.solver.fields import Fields, Points, PropertyValue, element_means, integrate
from towline.simulations.moose.solver.functions import FunctionSet
from towline.simulations.moose.solver.materials import MaterialSet
from towline.simulations.moose.solver.mesh import Array, UniformMesh

if TYPE_CHECKING:
    from towline.simulations.moose.solver.flood_counters import FloodCounter


#: A function of the Gauss points of a band.
PointFunction = Callable[[Points], PropertyValue]


class Moment(Enum):
    """When objects are computed; the words of execute_on."""

    INITIAL = "initial"
    TIMESTEP_BEGIN = "timestep_begin"
    TIMESTEP_END = "timestep_end"
    FINAL = "final"


#: Words of execute_on that mean a moment of this solver; the others never come.
_WORDS = {
    "initial": {Moment.INITIAL},
    "timestep_begin": {Moment.TIMESTEP_BEGIN},
    "timestep_end": {Moment.TIMESTEP_END},
    "final": {Moment.FINAL},
    "linear": {Moment.INITIAL, Moment.TIMESTEP_END},
    "nonlinear": {Moment.TIMESTEP_END},
    "always": set(Moment),
    "none": set(),
    "custom": set(),
    "failed": set(),
}


def moments(block: Block, default: str, *names: str) -> frozenset[Moment]:
    """Return the moments that a block's execute_on names; words with a sign change the default.

    Raises
    ------
    InvalidInputFile
        A word of it means nothing.
    """
    words = block.words(*(names or ("execute_on",)), default=tuple(default.split()))
    found: set[Moment] = set()
    if words and all(word[0] in "+-" for word in words):
        found = set().union(*(_WORDS[word] for word in default.split()))
    for word in words:
        named = _WORDS.get(word.lstrip("+-").lower())
        if named is None:
            valid = " ".join(_WORDS).upper()
            raise block.refused(
                f'Invalid option "{word}" in MultiMooseEnum. Valid options are "{valid}".', "execute_on"
            )
        found = found - named if word.startswith("-") else found | named
    return frozenset(found)


@dataclass
class State:
    """The state of a run."""

    mesh: UniformMesh
    fields: Fields
    materials: MaterialSet
    functions: FunctionSet
    time: float = 0.0
    time_step_size: float = 0.0
    step: int = 0
    #: Unknowns one and two steps ago, and the size of the step before.
    old: Array = field(default_factory=lambda: np.zeros(0))
    older: Array = field(default_factory=lambda: np.zeros(0))
    old_time_step_size: float = 0.0
    #: Values of the postprocessors, 0 before they are computed.
    values: dict[str, float] = field(default_factory=dict)
    counters: "dict[str, FloodCounter]" = field(default_factory=dict)
    nonlinear_iterations: int = 0
    linear_iterations: int = 0
    #: Lines for the console that objects leave behind.
    messages: list[str] = field(default_factory=list)

    def integral(self, density: PointFunction) -> float:
        """Return the integral of a density over the mesh."""
        return integrate(self.fields, self.time, self.materials, [density])[0]

    def element_means(self, density: PointFunction) -> Array:
        """Return the mean of a density over every element."""
        return element_means(self.fields, self.time, self.materials, density)

    def at_centroids(self, variable: str) -> Array:
        """Return a variable at the element centres, which for a nodal one is its mean over the element."""
        if variable in self.fields.elemental:
            return self.fields.elemental[variable]
        return centroid_values(self.mesh, self.fields.nodal_values(variable))
