"""Conditions that stop a run, or reject a step."""

from dataclasses import dataclass

from towline.simulations.moose.expressions import Expression, InvalidExpression, parse
from towline.simulations.moose.solver.blocks import Block
from towline.simulations.moose.solver.state import Moment, State, moments


@dataclass(frozen=True)
class Terminator:
    """An expression of postprocessors."""

    name: str
    expression: Expression
    #: HARD ends the run after the step; SOFT rejects the step.
    soft: bool
    message: str
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
    soft = block.choice("fail_mode", options=("HARD", "SOFT", "NONE"), default="HARD") == "SOFT"
    return Terminator(block.name, expression, soft, block.text("message", default=""), moments(block, "timestep_end"))
