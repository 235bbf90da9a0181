"""What the objects of an input call each other: variables, functions, material properties, user objects, boundaries."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from towline.simulations.moose import expressions
from towline.simulations.moose.blocks import Block
from towline.simulations.moose.problems import Problem, suggestion
from towline.simulations.moose.registry import Parameter
from towline.simulations.moose.tree import Field

#: Names of boundaries of a generated mesh, in the order of their numbers.
_SIDES = {1: "left right", 2: "bottom right top left", 3: "back bottom right top left front"}

_GB_EVOLUTION = "sigma M_GB l_GB L dLdT kappa_op mu gamma_asymm act_wGB entropy_diff molar_volume tgrad_corr_mult"

#: Properties that an object takes from the materials without being told their names.
_IMPLIED_PROPERTIES = {
    "ACGrGrPoly": ("mu", "gamma_asymm"),
    "PolycrystalKernel": ("L", "kappa_op", "mu", "gamma_asymm"),
    "GrainGrowth": ("mu", "gamma_asymm"),
}

_WRAPPED = re.compile(r"(?:D|Old|Older)\[([^,\]]+)[^\]]*\]")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Scope:
    """The names that the objects of one input give to things."""

    nonlinear: tuple[str, ...]
    auxiliary: tuple[str, ...]
    #: Name and type.
    functions: Mapping[str, str]
    postprocessors: frozenset[str]
    #: User objects, and the postprocessors, which are user objects too.
    objects: frozenset[str]
    properties: frozenset[str]
    boundaries: frozenset[str]

    @property
    def variables(self) -> tuple[str, ...]:
        """All variables."""
        return (*self.nonlinear, *self.auxiliary)


def scope_of(blocks: Iterable[Block]) -> Scope:
    """Collect the names that objects give."""
    blocks = list(blocks)
    postprocessors = {one.name for one in blocks if one.system == "Postprocessors"}
    users = {one.name for one in blocks if one.system in ("UserObjects", "VectorPostprocessors")}
    # A tracker among the user objects has a column too.
    columns = {one.name for one in blocks if one.system == "UserObjects" and "Grain" in one.type + "Feature"}
    properties = {name for one in blocks if one.system == "Materials" for name in declared_properties(one)}
    return Scope(
        tuple(dict.fromkeys(name for one in blocks for name in _nonlinear(one))),
        tuple(dict.fromkeys(name for one in blocks for name in _auxiliary(one))),
        {one.name: one.type for one in blocks if one.system == "Functions"},
        frozenset(postprocessors | columns),
        frozenset(postprocessors | users),
        frozenset(properties),
        frozenset(_boundaries(blocks)),
    )


def operator_variables(block: Block) -> list[str]:
    """Return the names that ``var_name_base`` and ``op_num`` of an object make."""
    base, count = block.text("var_name_base"), block.text("op_num")
    # Sizes that are no numbers are complained about elsewhere; huge ones would fill the memory with names.
    return [f"{base}{index}" for index in range(min(int(count), 1000))] if base and count.isdigit() else []


def _nonlinear(block: Block) -> list[str]:
    if block.type in ("PolycrystalVariables", "GrainGrowth"):
        return operator_variables(block)
    if block.type == "Conserved":
        return [block.name, f"chem_pot_{block.name}"]
    return [block.name] if block.system in ("Variables", "Nonconserved") else []


def _auxiliary(block: Block) -> list[str]:
    if block.type == "GrainGrowth":
        return ["bnds"]
    return [block.name] if block.system == "AuxVariables" else []


def _boundaries(blocks: Iterable[Block]) -> set[str]:
    for block in blocks:
        if block.type in ("GeneratedMesh", "GeneratedMeshGenerator") and block.text("dim") in ("1", "2", "3"):
            names = _SIDES[int(block.text("dim"))].split()
            return {*names, *(str(number) for number in range(len(names)))}
    return set()


def declared_properties(block: Block) -> list[str]:
    """Return the properties that a material declares, without derivatives."""
    if block.type == "GBEvolution":
        return _GB_EVOLUTION.split()
    return block.text("prop_names").split() or block.text("property_name", "F").split()


def is_number(text: str) -> bool:
    """Return whether a name is a number, which stands for a constant."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def check_references(block: Block, parameters: Iterable[Parameter], scope: Scope) -> list[Problem]:
    """Return what an object refers to and nobody has defined."""
    problems: list[Problem] = []
    for parameter in parameters:
        one = block.section.own_field(parameter.name)
        if one is not None and (check := _CHECKS.get(parameter.kind)) is not None:
            for word in one.as_strings():
                problems += check(block, parameter, one, word.rstrip(","), scope)
    problems += _missing_operators(block, scope)
    for name in _IMPLIED_PROPERTIES.get(block.type, ()):
        problems += _undefined_property(block, name, None, scope)
    return problems + check_symbols(block, scope)


def _check_variable(block: Block, parameter: Parameter, one: Field, word: str, scope: Scope) -> list[Problem]:
    own = parameter.name == "variable" and parameter.kind == "variable"
    if is_number(word) and not own:
        return []
    known = scope.variables
    if own and block.system == "Kernels":
        known = scope.nonlinear
    elif own and block.system == "AuxKernels":
        known = scope.auxiliary
    if word in known:
        return []
    hint = suggestion(word, known)
    if word in scope.variables:
        hint = f"; [{block.system}] needs {'a nonlinear' if block.system == 'Kernels' else 'an auxiliary'} variable"
    return [Problem(f"Unknown variable '{word}', requested by '{block.section.path}'{hint}", one.position)]


def _check_function(block: Block, parameter: Parameter, one: Field, word: str, scope: Scope) -> list[Problem]:
    # One function may be an expression with spaces; in a list each word is one.
    text = one.text.strip() if parameter.kind == "function" else word
    if text in scope.functions or is_number(text):
        return []
    hint = suggestion(text, scope.functions)
    if not _IDENTIFIER.fullmatch(text):
        try:
            unknown = expressions.parse(text).names - set("xyzt")
        except expressions.InvalidExpression as error:
            hint = f": {error}"
        else:
            if not unknown:
                return []
            hint = f": as an expression it may depend on x, y, z and t, not on {sorted(unknown)[0]}"
    elif text in ("x", "y", "z", "t", "pi", "e"):
        return []
    return [Problem(f"Unable to find function '{text}', requested by '{block.section.path}'{hint}", one.position)]


def _check_property(block: Block, parameter: Parameter, one: Field, word: str, scope: Scope) -> list[Problem]:
    return _undefined_property(block, word, one, scope)


def _undefined_property(block: Block, name: str, one: Field | None, scope: Scope) -> list[Problem]:
    if name in scope.properties or is_number(name) or re.fullmatch(r"d(\^\d)?.+/d.+", name):
        return []
    text = f"Material property '{name}', requested by '{block.name}' is not defined on block 0"
    position = block.section.position if one is None or one.line == 0 else one.position
    return [Problem(text + suggestion(name, scope.properties), position)]


def _check_object(block: Block, parameter: Parameter, one: Field, word: str, scope: Scope) -> list[Problem]:
    if word in scope.objects or is_number(word):
        return []
    text = f"Unable to find user object with name '{word}', requested by '{block.section.path}'"
    return [Problem(text + suggestion(word, scope.objects), one.position)]


def _check_postprocessor(block: Block, parameter: Parameter, one: Field, word: str, scope: Scope) -> list[Problem]:
    if word in scope.postprocessors or is_number(word):
        return []
    text = f"A Postprocessor with the name '{word}', requested by '{block.section.path}', was not found"
    return [Problem(text + suggestion(word, scope.postprocessors), one.position)]


def _check_boundary(block: Block, parameter: Parameter, one: Field, word: str, scope: Scope) -> list[Problem]:
    if word in scope.boundaries or not scope.boundaries:
        return []
    text = f"The boundary '{word}' of '{block.section.path}' does not exist on the mesh"
    return [Problem(text + suggestion(word, scope.boundaries), one.position)]


def _check_block(block: Block, parameter: Parameter, one: Field, word: str, scope: Scope) -> list[Problem]:
    if word in ("0", "ANY_BLOCK_ID"):
        return []
    text = f"The block '{word}' of '{block.section.path}' does not exist on the mesh, which is block 0"
    return [Problem(text, one.position)]


_CHECKS: dict[str, Callable[[Block, Parameter, Field, str, Scope], list[Problem]]] = {
    "variable": _check_variable,
    "variables": _check_variable,
    "function": _check_function,
    "functions": _check_function,
    "property": _check_property,
    "properties": _check_property,
    "object": _check_object,
    "postprocessors": _check_postprocessor,
    "boundaries": _check_boundary,
    "blocks": _check_block,
}


def _missing_operators(block: Block, scope: Scope) -> list[Problem]:
    if block.type in ("PolycrystalVariables", "GrainGrowth") or block.section.own_field("variable") is not None:
        return []
    missing = [name for name in operator_variables(block) if name not in scope.variables]
    if not missing:
        return []
    text = f"Unknown variable '{missing[0]}', requested by '{block.section.path}' through var_name_base and op_num"
    return [Problem(text + suggestion(missing[0], scope.variables), block.section.position)]


def check_symbols(block: Block, scope: Scope) -> list[Problem]:
    """Complain about names in the expression of an object that mean nothing there."""
    one = block.section.own_field("expression")
    if one is None:
        return []
    try:
        names = expressions.parse(one.text).names
    except expressions.InvalidExpression:
        return []  # told where the value is checked
    problems: list[Problem] = []
    known = {"x", "y", "z", "t", *block.text("coupled_variables").split()}
    if block.type == "ParsedFunction":
        known |= set(block.text("symbol_names").split())
    elif block.type == "Terminator":
        known |= scope.postprocessors
    else:
        known |= set(block.text("constant_names").split())
        problems, requested = _requested_properties(block, scope)
        known |= requested
    for name in sorted(names - known):
        text = f"unknown identifier '{name}' in '{one.path}'{suggestion(name, known)}"
        problems.append(Problem(text, one.position))
    return problems


def _requested_properties(block: Block, scope: Scope) -> tuple[list[Problem], set[str]]:
    """Return the names that ``material_property_names`` gives: ``f``, ``D[f,c]``, ``Old[x]``, ``a:=b``."""
    one = block.section.own_field("material_property_names")
    problems: list[Problem] = []
    names: set[str] = set()
    for word in re.findall(r"[^\s\[]+(?:\[[^\]]*\])?", one.text if one is not None else ""):
        alias, _, source = word.rpartition(":=")
        wrapped = _WRAPPED.fullmatch(source)
        name = wrapped[1] if wrapped else source.partition("(")[0]
        names.add(alias or name)
        problems += _undefined_property(block, name, one, scope)
    return problems, names
