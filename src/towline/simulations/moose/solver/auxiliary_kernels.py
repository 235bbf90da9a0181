"""Auxiliary variables: what is computed from the unknowns, at nodes or per element."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from towline.simulations.moose.expressions import InvalidExpression, parse
from towline.simulations.moose.solver.blocks import Block
from towline.simulations.moose.solver.fields import Points, PropertyValue
from towline.simulations.moose.solver.flood_counters import find_counter
from towline.simulations.moose.solver.functions import Coordinates, three
from towline.simulations.moose.solver.mesh import Array
from towline.simulations.moose.solver.state import Moment, PointFunction, State, moments

Compute = Callable[[State], Array]


@dataclass(frozen=True)
class AuxiliaryKernel:
    """Sets one auxiliary variable."""

    name: str
    variable: str
    compute: Compute
    execute_on: frozenset[Moment]

    def update(self, state: State) -> None:
        """Compute the variable from the fields of now."""
        values = self.compute(state)
        if self.variable in state.fields.elemental:
            state.fields.elemental[self.variable][...] = values
        else:
            state.fields.set_nodal_values(self.variable, values)


def build_auxiliary_kernel(block: Block, state: State, order_parameters: tuple[str, ...]) -> AuxiliaryKernel:
    """Build the aux kernel of a block.

    Raises
    ------
    InvalidInputFile
        There is no such aux kernel, or a variable does not exist.
    """
    variable = block.text("variable")
    if variable not in state.fields.nodal and variable not in state.fields.elemental:
        raise block.refused(f"Unknown variable '{variable}'; it must be one of the AuxVariables", "variable")
    builder = _BUILDERS.get(block.type.removeprefix("AD"))
    if builder is None:
        raise block.unsupported()
    elemental = variable in state.fields.elemental
    compute = builder(block, state, elemental, order_parameters)
    default = "initial timestep_end" if block.type == "BndsCalcAux" else "linear timestep_end"
    when = moments(block, default)
    if block.type in _OF_TIME and "linear" in block.text("execute_on", default=default).lower().split():
        # MOOSE computes them within the solve, at the time of its end: so does who computes them before it.
        when |= {Moment.TIMESTEP_BEGIN}
    return AuxiliaryKernel(block.name, variable, compute, when)


def _everywhere(elemental: bool, of_values: Callable[[Callable[[str], Array]], Array]) -> Compute:
    """Return a kernel that computes an expression of variables, at the nodes or as mean over the points."""

    def compute(state: State) -> Array:
        if not elemental:
            return of_values(state.fields.nodal_values)
        return state.element_means(lambda points: of_values(points.value))

    return compute


def _boundaries(block: Block, state: State, elemental: bool, order_parameters: tuple[str, ...]) -> Compute:
    names = block.words("v", default=()) or order_parameters
    for name in names:
        if name not in state.fields:
            raise block.refused(f"Unknown variable '{name}'", "v")

    def squares(value: Callable[[str], Array]) -> Array:
        total = value(names[0]) ** 2
        for name in names[1:]:
            total += value(name) ** 2
        return total

    return _everywhere(elemental, squares)


def _only_elemental(block: Block, elemental: bool) -> None:
    if not elemental:
        raise block.refused(
            f"{block.type} needs an elemental variable: family = MONOMIAL, order = CONSTANT", "variable"
        )


def free_energy_density(block: Block, state: State) -> PointFunction:
    """Return F + Σ ½κ_i|∇v_i|² + additional energy, from the parameters of TotalFreeEnergy."""
    energy = block.text("f_name", default="F")
    variables, kappas = block.words("interfacial_vars", default=()), block.words("kappa_names", default=())
    if len(variables) != len(kappas):
        raise block.refused("Please supply the same number of kappa_names and interfacial_vars", "kappa_names")
    extra = block.text("additional_free_energy", default="")

    def density(points: Points) -> PropertyValue:
        total: PropertyValue = points.material(energy)
        for name, kappa in zip(variables, kappas, strict=True):
            squares = sum(slope**2 for slope in points.gradient(name))
            total = total + 0.5 * points.material(kappa) * squares
        return total + points.value(extra) if extra else total

    return density


def _total_free_energy(block: Block, state: State, elemental: bool, _: tuple[str, ...]) -> Compute:
    _only_elemental(block, elemental)
    density = free_energy_density(block, state)
    return lambda now: now.element_means(density)


def _features(block: Block, state: State, elemental: bool, _: tuple[str, ...]) -> Compute:
    _only_elemental(block, elemental)
    counter = find_counter(state, block, "flood_counter")
    options = ("UNIQUE_REGION", "VARIABLE_COLORING", "GHOSTED_ENTITIES", "HALOS", "CENTROID")
    display = block.choice("field_display", options=options, default="UNIQUE_REGION")
    index = block.integer("map_index") if block.has("map_index") else None
    return lambda now: counter.map(now, display, index)


def _function(block: Block, state: State, elemental: bool, _: tuple[str, ...]) -> Compute:
    function = state.functions.find(block.text("function"), block, "function")

    def compute(now: State) -> Array:
        if elemental:
            return now.element_means(lambda points: function.value(points.time, points.coordinates))
        return np.broadcast_to(function.value(now.time, three(now.mesh.node_coordinates())), now.mesh.node_shape)

    return compute


def _constant(block: Block, state: State, elemental: bool, _: tuple[str, ...]) -> Compute:
    value = block.number("value", default=0.0)
    return lambda now: np.asarray(value)


def _parsed(block: Block, state: State, elemental: bool, _: tuple[str, ...]) -> Compute:
    names = block.words("coupled_variables", "args", default=())
    with_places = block.flag("use_xyzt", default=False)
    constants = block.words("constant_names", default=())
    numbers = [parse(text).constant for text in block.words("constant_expressions", default=())]
    text = block.text("expression", "function")
    try:
        expression = parse(text)
    except InvalidExpression as error:
        raise block.refused(str(error), "expression") from error
    fixed = {name: float(number or 0.0) for name, number in zip(constants, numbers, strict=True)}
    missing = expression.names - set(names) - set(fixed) - (set("xyzt") if with_places else set())
    if missing:
        hint = "; use_xyzt = true makes x, y, z and t known" if missing <= set("xyzt") else ""
        raise block.refused(
            f"'{min(missing)}' in '{text}' is not among coupled_variables or constant_names{hint}", "expression"
        )

    def value(of: Callable[[str], Array], time: float, where: Coordinates) -> Array:
        places: dict[str, float | Array] = {"x": where[0], "y": where[1], "z": where[2], "t": time}
        if not with_places:
            places = {}
        return np.asarray(expression.evaluate({**places, **fixed, **{name: of(name) for name in names}}))

    def compute(now: State) -> Array:
        if elemental:
            return now.element_means(lambda points: value(points.value, points.time, points.coordinates))
        return value(now.fields.nodal_values, now.time, three(now.mesh.node_coordinates()))

    return compute


def _material(block: Block, state: State, elemental: bool, _: tuple[str, ...]) -> Compute:
    _only_elemental(block, elemental)
    name = block.text("property")
    factor, offset = block.number("factor", default=1.0), block.number("offset", default=0.0)
    return lambda now: now.element_means(lambda points: factor * points.material(name) + offset)


#: What may change with time alone.
_OF_TIME = ("FunctionAux", "ParsedAux")

_BUILDERS: dict[str, Callable[[Block, State, bool, tuple[str, ...]], Compute]] = {
    "BndsCalcAux": _boundaries,
    "TotalFreeEnergy": _total_free_energy,
    "FeatureFloodCountAux": _features,
    "FunctionAux": _function,
    "ConstantAux": _constant,
    "ParsedAux": _parsed,
    "MaterialRealAux": _material,
}
