"""Material properties: constants, grain boundaries, and parsed expressions with their derivatives."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from towline.errors import InvalidRequest
from towline.simulations.moose.expressions import Expression, InvalidExpression, parse
from towline.simulations.moose.solver.blocks import Block
from towline.simulations.moose.solver.fields import Points, PropertyValue
from towline.simulations.moose.solver.functions import Function, FunctionSet

#: J in eV, and Boltzmann's constant in eV/K, as MOOSE has them.
JOULE_IN_ELECTRONVOLT = 6.24150974e18
BOLTZMANN = 8.617343e-5

_DERIVATIVE_NAME = re.compile(r"d(\w+)/d(\w+)|d\^2(\w+)/d(\w+)\^2|d\^2(\w+)/d(\w+)d(\w+)")


@dataclass
class Property:
    """One material property.

    ``compute`` gets the points and the variables it is differentiated by (none for the value). ``depends`` names the
    variables that it depends on.
    """

    compute: Callable[[Points, tuple[str, ...]], PropertyValue]
    depends: frozenset[str] = frozenset()
    constant: float | None = None


class MaterialSet:
    """All material properties of an input."""

    def __init__(self, functions: FunctionSet) -> None:
        self._functions = functions
        self._properties: dict[str, Property] = {}

    def add(self, block: Block) -> None:
        """Build the material of a block below [Materials]."""
        kind = block.type.removeprefix("AD")
        builder = _BUILDERS.get(kind)
        if builder is None:
            raise block.unsupported()
        builder(block, self)

    def define(self, name: str, entry: Property, block: Block) -> None:
        """Add a property.

        Raises
        ------
        InvalidInputFile
            Another material declares it too.
        """
        if name in self._properties:
            raise block.refused(f"The following properties are declared on block 0 by multiple materials: {name}")
        self._properties[name] = entry

    def __contains__(self, name: str) -> bool:
        return name in self._properties or _as_number(name) is not None

    def find(self, name: str) -> Property:
        """Return a property; a number stands for a property that has this value.

        Raises
        ------
        InvalidRequest
            No material declares it.
        """
        if name in self._properties:
            return self._properties[name]
        number = _as_number(name)
        if number is not None:
            return constant_property(number)
        match = _DERIVATIVE_NAME.fullmatch(name)
        if match is not None:
            words = [word for word in match.groups() if word]
            by = (words[1], words[1]) if match.group(3) else tuple(words[1:])
            inner = self.find(words[0])
            return Property(lambda points, more: inner.compute(points, by + more), inner.depends)
        known = " ".join(sorted(self._properties)) or "none"
        raise InvalidRequest(f"Material property '{name}' is not defined on block 0; the materials declare: {known}")

    def evaluate(self, points: Points, name: str, by: tuple[str, ...]) -> PropertyValue:
        """Return a property, or its derivative by variables."""
        return self.find(name).compute(points, by)

    def function(self, text: str, block: Block, parameter: str) -> Function:
        """Return a function of the input by its name or expression."""
        return self._functions.find(text, block, parameter)

    def constant_of(self, function: Function) -> float | None:
        """Return the value of a function that never changes."""
        return self._functions.constant(function)


def constant_property(value: float) -> Property:
    """Return a property that is the same everywhere."""
    return Property(lambda points, by: 0.0 if by else value, constant=value)


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _generic_constant(block: Block, materials: MaterialSet) -> None:
    names, values = block.words("prop_names"), block.numbers("prop_values")
    if len(names) != len(values):
        raise block.refused(
            "GenericConstantMaterial: Must have the same number of property names and values", "prop_values"
        )
    for name, value in zip(names, values, strict=True):
        materials.define(name, constant_property(value), block)


def _generic_function(block: Block, materials: MaterialSet) -> None:
    names, texts = block.words("prop_names"), block.words("prop_values")
    if len(names) != len(texts):
        raise block.refused("Must have the same number of property names and values", "prop_values")
    for name, text in zip(names, texts, strict=True):
        function = materials.function(text, block, "prop_values")
        value = materials.constant_of(function)
        materials.define(name, constant_property(value) if value is not None else _of_function(function), block)


def _of_function(function: Function) -> Property:
    def compute(points: Points, by: tuple[str, ...]) -> PropertyValue:
        return 0.0 if by else function.value(points.time, points.coordinates)

    return Property(compute)


@dataclass(frozen=True)
class GrainBoundaries:
    """Grain-boundary parameters in the units of the input; the formulas are those of moose.md §8."""

    energy: float
    width: float
    mobility_prefactor: float
    activation_energy: float

    def mobility(self, temperature: PropertyValue) -> PropertyValue:
        """Return M_GB at a temperature in K."""
        return self.mobility_prefactor * np.exp(-self.activation_energy / (BOLTZMANN * temperature))


def _gb_evolution(block: Block, materials: MaterialSet) -> None:
    length, time = block.number("length_scale", default=1e-9), block.number("time_scale", default=1e-9)
    bulk = block.number("f0s", default=0.125)
    width, energy = block.number("wGB"), block.number("GBenergy")
    unit = time / (JOULE_IN_ELECTRONVOLT * length**4)
    if block.has("GBMobility"):
        boundaries = GrainBoundaries(energy, width, block.number("GBMobility") * unit, 0.0)
        block.pass_over("GBmob0", "Q")
    elif block.has("GBmob0") and block.has("Q"):
        boundaries = GrainBoundaries(energy, width, block.number("GBmob0") * unit, block.number("Q"))
    else:
        raise block.refused("Either a value for GBMobility or for GBmob0 and Q must be provided")
    sigma = energy * JOULE_IN_ELECTRONVOLT * length**2
    constants = {
        "sigma": sigma,
        "l_GB": width,
        "kappa_op": 0.75 * sigma * width,
        "mu": 0.75 * sigma / (bulk * width),
        "gamma_asymm": 1.5,
        "entropy_diff": 8e3 * JOULE_IN_ELECTRONVOLT,
        "molar_volume": block.number("molar_volume", default=24.62e-6) / length**3,
        "act_wGB": 0.5e-9 / length,
    }
    for name, value in constants.items():
        materials.define(name, constant_property(value), block)
    mobility = _temperature_property(block, boundaries.mobility)
    materials.define("M_GB", mobility, block)
    materials.define("L", _scaled(mobility, 4.0 / (3.0 * width)), block)


def _temperature_property(block: Block, compute: Callable[[PropertyValue], PropertyValue]) -> Property:
    text = block.text("T")
    number = _as_number(text)
    if number is not None:
        if not number > 0:
            raise block.refused(f"the temperature T = {number:g} K must be positive", "T")
        return constant_property(float(compute(number)))

    def of_variable(points: Points, by: tuple[str, ...]) -> PropertyValue:
        return 0.0 if by else compute(points.value(text))

    return Property(of_variable)


def _scaled(entry: Property, factor: float) -> Property:
    if entry.constant is not None:
        return constant_property(factor * entry.constant)
    return Property(lambda points, by: factor * entry.compute(points, by), entry.depends)


@dataclass
class ParsedProperty:
    """A property that an expression of variables, constants and other properties gives."""

    expression: Expression
    variables: tuple[str, ...]
    #: For each symbol that is a property: its name, the derivatives taken, and the variables it depends on.
    properties: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]]
    _derivatives: dict[tuple[str, ...], tuple[Callable[..., PropertyValue], list[str]]] = field(default_factory=dict)

    def compute(self, points: Points, by: tuple[str, ...]) -> PropertyValue:
        """Return the value or a derivative at the points."""
        key = tuple(sorted(by))
        if key not in self._derivatives:
            expression = self.expression
            for variable in key:
                expression = self._derivative(expression, variable)
            names = sorted(name for name in expression.names)
            self._derivatives[key] = (expression.compiled(names), names)
        function, names = self._derivatives[key]
        return function(*(self._symbol(points, name) for name in names))

    def _symbol(self, points: Points, name: str) -> PropertyValue:
        if name in self.variables:
            return points.value(name)
        if name in self.properties:
            real, by, _ = self.properties[name]
            return points.material(real, *by)
        return {"t": np.asarray(points.time), "x": points.coordinates[0], "y": points.coordinates[1]}.get(
            name, points.coordinates[2]
        )

    def _derivative(self, expression: Expression, variable: str) -> Expression:
        """Differentiate by a variable, through the properties that are declared to depend on it."""
        total = expression.derivative(variable)
        for symbol, (real, by, depends) in list(self.properties.items()):
            if variable not in depends or symbol not in expression.names:
                continue
            inner = f"{symbol}__by__{variable}"
            self.properties[inner] = (real, (*by, variable), depends)
            parts = {"total__": total, "outer__": expression.derivative(symbol), "inner__": parse(inner)}
            total = parse("total__ + outer__*inner__").substitute(parts)
        return total


def _parsed(block: Block, materials: MaterialSet) -> None:
    name = block.text("property_name", "f_name", default="F")
    variables = block.words("coupled_variables", "args", default=())
    text = block.text("expression", "function")
    properties = _declared_properties(block)
    try:
        expression = parse(text).substitute(_constants(block))
    except InvalidExpression as error:
        raise block.refused(str(error), "expression", "function") from error
    known = {*variables, *properties, "x", "y", "z", "t"}
    unknown = expression.names - known
    if unknown:
        raise block.refused(
            f"'{min(unknown)}' in '{text}' is not among coupled_variables, constant_names or material_property_names",
            "expression",
            "function",
        )
    if expression.constant is not None:
        materials.define(name, constant_property(expression.constant), block)
        return
    depends = frozenset(variables).union(*(entry[2] for entry in properties.values()))
    materials.define(name, Property(ParsedProperty(expression, variables, properties).compute, depends), block)


def _constants(block: Block) -> dict[str, Expression | float]:
    names = block.words("constant_names", default=())
    texts = block.words("constant_expressions", default=())
    if len(names) != len(texts):
        raise block.refused(
            "The number of constant_names must match the number of constant_expressions", "constant_names"
        )
    found: dict[str, Expression | float] = {}
    for name, text in zip(names, texts, strict=True):
        value = parse(text).substitute(found).constant
        if value is None:
            raise block.refused(f"the constant {name} = '{text}' depends on something unknown", "constant_expressions")
        found[name] = value
    return found


_DECLARATION = re.compile(r"(?:(?P<symbol>\w+):=)?(?:D\[(?P<inner>[^\]]+)\]|(?P<name>\w+))(?:\((?P<by>[^)]*)\))?")


def _declared_properties(block: Block) -> dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Read material_property_names: ``p``, ``p(a,b)``, ``q:=p``, ``D[p,a]``."""
    found = {}
    for word in block.words("material_property_names", default=()):
        match = _DECLARATION.fullmatch(word)
        if match is None:
            raise block.refused(
                f"the embedded solver does not understand the material property '{word}'; it knows p, p(a,b), q:=p and "
                "D[p,a], but no Old[ ] or Older[ ]",
                "material_property_names",
            )
        inner = match["inner"].split(",") if match["inner"] else [match["name"]]
        depends = tuple(part.strip() for part in match["by"].split(",")) if match["by"] else ()
        symbol = match["symbol"] or "".join(inner)
        found[symbol] = (inner[0].strip(), tuple(part.strip() for part in inner[1:]), depends)
    return found


_BUILDERS: dict[str, Callable[[Block, MaterialSet], None]] = {
    "GBEvolution": _gb_evolution,
    "GenericConstantMaterial": _generic_constant,
    "GenericFunctionMaterial": _generic_function,
    "ParsedMaterial": _parsed,
    "DerivativeParsedMaterial": _parsed,
}
