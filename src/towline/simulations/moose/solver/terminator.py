"""Conditions that stop a run, or reject a step."""

from dataclasses import dataclass
from enum import Enum

from towline.simulations.moose.expressions import Expression, InvalidExpression, parse
from towline.simulations.moose.solver.blocks import Block
from towline.simulations.moose.solver.state import Moment, State, moments


class FailMode(Enum):
    """What a terminator does when its expression holds."""

    #: Ends the run after the step.
    HARD = "HARD"
    #: Rejects the step.
    SOFT = "SOFT"
    #: Says so.
    NONE = "NONE"


@dataclass(frozen=True)
class Terminator:
    """An expression of postprocessors."""

    name: str
    expression: Expression
    mode: FailMode
    message: str
    #: Whether the run has failed then.
    is_error: bool
    execute_on: frozenset[Moment]

    def holds(self, state: State) -> bool:
        """Return whether the expression is true for the values of now."""
        return self.expression.evaluate_number(state.values) != 0.0


def build_terminator(block: Block) -> Terminator:
    """Build a Terminator.

    Raises
    ------
    InvalidInputFile
        Its expression cannot be read.
    """
    try:
        expression = parse(block.text("expression"))
    except InvalidExpression as error:
        raise block.refused(str(error), "expression") from error
    mode = FailMode(block.choice("fail_mode", options=tuple(one.value for one in FailMode), default="HARD"))
    levels = ("INFO", "WARNING", "ERROR", "NONE")
    is_error = block.choice("error_level", options=levels, default="INFO") == "ERROR"
    message = block.text("message", default="")
    return Terminator(block.name, expression, mode, message, is_error, moments(block, "timestep_end"))
