"""What is wrong with an input although each of its values is right."""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

from towline.simulations.moose.blocks import Block
from towline.simulations.moose.problems import Problem
from towline.simulations.moose.references import Scope, operator_variables

#: Parameters that have as many items as another one of the same object.
_SAME_LENGTH = (
    ("prop_names", "prop_values"),
    ("constant_names", "constant_expressions"),
    ("symbol_names", "symbol_values"),
    ("interfacial_vars", "kappa_names"),
    ("x", "y"),
    ("time_t", "time_dt"),
    ("x_positions", "y_positions"),
    ("x_positions", "radii"),
)

#: Objects that work on a list of variables, said in one of two ways.
_ON_VARIABLES = {
    "PolycrystalVoronoi": "variable",
    "GrainTracker": "variable",
    "FauxGrainTracker": "variable",
    "FeatureFloodCount": "variable",
    "GrainBoundaryArea": "v",
    "BndsCalcAux": "v",
}


def check_consistency(blocks: list[Block], scope: Scope) -> list[Problem]:
    """Return the contradictions within and between the objects of an input."""
    problems = [problem for block in blocks for check in _OF_ONE for problem in check(block, scope)]
    return problems + [problem for check_all in _OF_ALL for problem in check_all(blocks, scope)]


def _problem(block: Block, text: str, parameter: str = "") -> Problem:
    one = block.section.own_field(parameter) if parameter else None
    return Problem(text, one.position if one is not None and one.line else block.section.position)


def _number(block: Block, name: str, default: float) -> float:
    try:
        return float(block.text(name, str(default)))
    except ValueError:
        return default  # told where the value is checked


def _lengths(block: Block, scope: Scope) -> Iterator[Problem]:
    for first, second in _SAME_LENGTH:
        one, other = block.section.own_field(first), block.section.own_field(second)
        if (one is None) != (other is None) and first in ("x", "symbol_names", "constant_names", "time_t"):
            present, missing = (first, second) if one is not None else (second, first)
            yield _problem(block, f"'{block.section.path}': {present} needs {missing}", present)
        elif one is not None and other is not None and len(one.as_strings()) != len(other.as_strings()):
            counts = f"{first} has {len(one.as_strings())} items, {second} has {len(other.as_strings())}"
            yield _problem(block, f"'{block.section.path}': {counts}", second)


def _operators(block: Block, scope: Scope) -> Iterator[Problem]:
    name = _ON_VARIABLES.get(block.type)
    if name and not block.text(name) and not operator_variables(block):
        text = f"missing required parameter '{block.section.path}/{name}': give it, or var_name_base and op_num"
        yield _problem(block, text)


def _grain_boundaries(block: Block, scope: Scope) -> Iterator[Problem]:
    if block.type == "GBEvolution" and not block.text("GBMobility") and not (block.text("GBmob0") and block.text("Q")):
        yield _problem(block, "Either a value for GBMobility or for GBmob0 and Q must be provided")


def _random(block: Block, scope: Scope) -> Iterator[Problem]:
    if block.type == "RandomIC" and _number(block, "min", 0) >= _number(block, "max", 1):
        yield _problem(block, "Min >= Max for RandomIC!", "min")


def _piecewise(block: Block, scope: Scope) -> Iterator[Problem]:
    if not block.type.startswith("Piecewise"):
        return
    if not block.text("x") and not block.text("xy_data"):
        yield _problem(block, f"'{block.section.path}' needs x and y, or xy_data")
    words = block.text("x").replace(",", " ").split() or block.text("xy_data").replace(",", " ").split()[::2]
    try:
        points = [float(word) for word in words]
    except ValueError:
        return
    if any(later <= earlier for earlier, later in pairwise(points)):
        yield _problem(block, f"'{block.section.path}': the points of x have to increase", "x")


def _families(block: Block, scope: Scope) -> Iterator[Problem]:
    order, family = block.text("order").upper(), block.text("family").upper()
    known = order in ("FIRST", "CONSTANT") and family in ("LAGRANGE", "MONOMIAL")  # others are refused by name
    if known and (order, family) not in (("FIRST", "LAGRANGE"), ("CONSTANT", "MONOMIAL")):
        text = f"'{block.section.path}': {order} {family} is not supported by the embedded solver"
        yield _problem(block, f"{text}: FIRST LAGRANGE or CONSTANT MONOMIAL", "order")
    elif family == "MONOMIAL" and block.system != "AuxVariables":
        text = f"'{block.section.path}': only auxiliary variables can be CONSTANT MONOMIAL in the embedded solver"
        yield _problem(block, text, "family")


def _adaptive_steps(block: Block, scope: Scope) -> Iterator[Problem]:
    if block.type != "IterationAdaptiveDT":
        return
    if not block.text("optimal_iterations"):
        for name in ("iteration_window", "linear_iteration_ratio"):
            if block.text(name):
                yield _problem(block, f"{name} needs optimal_iterations", name)
    limits = block.text("timestep_limiting_function").split()
    for name in ("max_function_change", "force_step_every_function_point"):
        if not limits and block.text(name, "false").lower() not in ("false", "off", "no", "0"):
            yield _problem(block, f"{name} needs timestep_limiting_function", name)
    for name in limits:
        if not scope.functions.get(name, "Piecewise").startswith("Piecewise"):
            text = f"timestep_limiting_function must be a PiecewiseBase function: '{name}' is none"
            yield _problem(block, text, "timestep_limiting_function")


_OF_ONE: tuple[Callable[[Block, Scope], Iterable[Problem]], ...] = (
    _lengths,
    _operators,
    _grain_boundaries,
    _random,
    _piecewise,
    _families,
    _adaptive_steps,
)


def _present(blocks: list[Block], scope: Scope) -> Iterator[Problem]:
    for system in ("Mesh", "Executioner"):
        if not any(block.system == system for block in blocks):
            yield Problem(f"missing section '[{system}]'")
    meshes = [block for block in blocks if block.system == "MeshGenerators" or block.type == "GeneratedMesh"]
    for block in meshes[1:]:
        yield _problem(block, f"more than one mesh: '{block.section.path}' beside '{meshes[0].section.path}'")


def _names(blocks: list[Block], scope: Scope) -> Iterator[Problem]:
    seen: dict[str, Block] = {}
    for block in blocks:
        if block.system in ("UserObjects", "Postprocessors", "VectorPostprocessors"):
            if block.name in seen:
                other = seen[block.name].section
                text = f'A UserObject with the name "{block.name}" already exists: {other.path} ({other.position})'
                yield _problem(block, text)
            seen.setdefault(block.name, block)
    for name in sorted(set(scope.nonlinear) & set(scope.auxiliary)):
        text = f"Cannot have an auxiliary variable and a nonlinear variable with the same name: '{name}'"
        section = next(
            block for block in blocks if block.system == "AuxVariables" or block.type == "GrainGrowth"
        ).section
        yield Problem(text, section.position)


def _coverage(blocks: list[Block], scope: Scope) -> Iterator[Problem]:
    """Complain about variables without kernels, unless nothing is solved or the input says not to."""
    problem = next((block for block in blocks if block.system == "Problem"), None)
    no = ("false", "off", "no", "0", "skip_list", "only_list")
    if problem is not None and any(problem.text(name).lower() in no for name in ("solve", "kernel_coverage_check")):
        return
    covered: set[str] = set()
    for block in blocks:
        if block.type in ("PolycrystalKernel", "GrainGrowth"):
            covered.update(operator_variables(block))
        elif block.system == "Kernels":
            covered.add(block.text("variable"))
        elif block.system in ("Conserved", "Nonconserved"):
            covered.update((block.name, f"chem_pot_{block.name}"))
    lacking = [name for name in scope.nonlinear if name not in covered]
    if lacking:
        section = next((block.section for block in blocks if block.name == lacking[0]), None)
        text = "Each variable must be referenced by at least one active Kernel"
        listed = f"The following variable(s) lack an active kernel: {', '.join(lacking)}"
        yield Problem(f"{text}. {listed}", section.position if section is not None else None)


def _schemes(blocks: list[Block], scope: Scope) -> Iterator[Problem]:
    integrator = next((block for block in blocks if block.system == "TimeIntegrators"), None)
    for block in blocks:
        if block.system == "Executioner" and block.text("scheme") and integrator is not None:
            text = "You cannot specify time_scheme in the Executioner and independently add a TimeIntegrator."
            yield _problem(block, text, "scheme")


_OF_ALL: tuple[Callable[[list[Block], Scope], Iterable[Problem]], ...] = (_present, _names, _coverage, _schemes)
