"""What a sentence asks for, as far as it was understood."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from towline.simulations.application import Scalar, Value
from towline.simulations.models.calls import ModelCall

#: Who read the sentence, when no language model did.
RULES = "rules"


@dataclass(frozen=True)
class Plan:
    """A typed plan: values for parameters, and what is done with them. Nothing in it was checked against ranges.

    Every number of the sentence stands in ``understood``, ``assumed`` or ``not_understood``.
    """

    sentence: str
    physics: str
    stated: Mapping[str, Value]
    """Values of single parameters, in the units of the parameters; what the sentence did not say is ``ASSUMED``."""
    sweep: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    """Parameters with several values each; the cases are all combinations."""
    seeds: int | None = None
    """How many random starts each case has; None: the sentence does not say."""
    solver: str = ""
    """``moose``, ``embedded``, or empty when the sentence does not say."""
    backend: str = ""
    """``local``, ``hpc``, or empty when the sentence does not say."""
    understood: tuple[str, ...] = ()
    """What was read, each with the words that say it."""
    assumed: tuple[str, ...] = ()
    """What was added or chosen among several readings."""
    not_understood: tuple[str, ...] = ()
    """What stands in the sentence and has no place in the plan. Not empty: not run unless somebody insists."""
    reader: str = RULES
    """``rules``, or provider and model."""
    model_calls: tuple[ModelCall, ...] = ()

    @property
    def cases(self) -> int:
        """How many cases the plan has, random starts included."""
        count = self.seeds or 1
        for values in self.sweep.values():
            count *= len(values)
        return count
