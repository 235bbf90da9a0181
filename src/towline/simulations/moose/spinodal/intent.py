"""What the input of a spinodal run says of free energy, gradient energy and mobility, read anew from its text."""

from collections.abc import Iterator

import numpy as np

from towline.errors import TowlineError
from towline.simulations.application import Case
from towline.simulations.moose.expressions import parse
from towline.simulations.moose.run_checks import Comparison
from towline.simulations.moose.spinodal.theory import mixture_of
from towline.simulations.moose.tree import Section

_COMPOSITIONS = (0.1, 0.25, 0.4677, 0.6, 0.9)
_CONSTANTS = ("GenericConstantMaterial", "GenericFunctionMaterial")
_ENERGIES = ("ParsedMaterial", "DerivativeParsedMaterial")


def comparisons(case: Case, tree: Section) -> list[Comparison]:
    """Compare the material of an input with that of the plan: κ, M, and the free energy at several compositions."""
    mixture = mixture_of(case)
    kappa, mobility = _name(tree, "SplitCHParsed", "kappa_name"), _name(tree, "SplitCHWRes", "mob_name")
    found = [
        Comparison("the gradient energy", _constant(tree, kappa), mixture.kappa),
        Comparison("the mobility", _constant(tree, mobility), mixture.mobility),
    ]
    energy = _name(tree, "SplitCHParsed", "f_name")
    for c in _COMPOSITIONS:
        wanted = float(mixture.energy(np.asarray(c)))
        found.append(Comparison(f"the free energy at c = {c:g}", _energy(tree, energy, c), wanted))
    return found


def _name(tree: Section, kind: str, parameter: str) -> str:
    return next((section.text(parameter) for section in tree.walk() if section.type == kind), "")


def _constant(tree: Section, name: str) -> float | None:
    for section in tree.walk():
        if section.type in _CONSTANTS:
            names = section.text("prop_names").split()
            values = section.text("prop_values").split()
            if name in names and len(names) == len(values):
                return _number(values[names.index(name)], {})
    return None


def _energy(tree: Section, name: str, c: float) -> float | None:
    for section in tree.walk():
        if section.type in _ENERGIES and section.text("property_name", section.text("f_name")) == name:
            values = {section.text("coupled_variables", section.text("args")): c}
            for constant, text in _constants(section):
                value = _number(text, values)
                if value is None:
                    return None
                values[constant] = value
            return _number(section.text("expression", section.text("function")), values)
    return None


def _constants(section: Section) -> Iterator[tuple[str, str]]:
    names, texts = section.text("constant_names").split(), section.text("constant_expressions").split()
    return zip(names, texts, strict=False)


def _number(text: str, values: dict[str, float]) -> float | None:
    try:
        return float(parse(text).evaluate_number(values))
    except (TowlineError, ArithmeticError, KeyError, ValueError):
        return None
