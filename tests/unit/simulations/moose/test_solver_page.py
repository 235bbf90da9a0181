"""The page about the embedded solver names everything that it runs."""

from pathlib import Path

from towline.simulations.moose.registry import SUPPORTED, known_objects

PAGE = Path(__file__).resolve().parents[4] / "docs" / "guide" / "phase-field-solver.md"
#: Parents of other types in the registry, and no types of MOOSE.
PARENTS = {"SmoothCircleBase", "PiecewiseBase", "FieldPostprocessor", "OperatorVariables", "SplitCHBase"}


def test_every_supported_type_stands_on_the_page():
    text = PAGE.read_text()
    supported = {one.name for one in known_objects().types.values() if one.support == SUPPORTED} - PARENTS
    assert {name for name in supported if f"`{name}`" not in text} == set()
