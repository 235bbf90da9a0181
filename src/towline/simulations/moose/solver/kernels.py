"""Kernels of an input as terms of the weak form."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from towline.errors import InvalidRequest
from towline.simulations.moose.solver.blocks import Block
from towline.simulations.moose.solver.fields import Fields
from towline.simulations.moose.solver.functions import FunctionSet
from towline.simulations.moose.solver.grain_growth_term import GrainGrowthTerm
from towline.simulations.moose.solver.materials import MaterialSet
from towline.simulations.moose.solver.point_terms import (
    CoupledGrainSource,
    CubicSource,
    Factor,
    FunctionSource,
    MobilityGradient,
    PropertyDiffusion,
    PropertySource,
)
from towline.simulations.moose.solver.tensor_operators import lumped_weights
from towline.simulations.moose.solver.weak_form import ConstantCoefficients, PointTerm


@dataclass
class Equations:
    """The equations while they are collected from kernels."""

    fields: Fields
    materials: MaterialSet
    functions: FunctionSet
    constant: ConstantCoefficients = field(init=False)
    terms: list[PointTerm] = field(default_factory=list)
    load: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = field(init=False)
    #: Rows that some kernel acts on.
    covered: set[int] = field(default_factory=set)
    _grains: list[tuple[int, frozenset[str], str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.constant = ConstantCoefficients.zeros(len(self.fields.names))
        self.load = np.zeros_like(self.fields.unknowns)

    def add(self, block: Block) -> None:
        """Add the kernel of a block.

        Raises
        ------
        InvalidInputFile
            The embedded solver has no such kernel, or something that it names does not exist.
        """
        kind = block.type
        builder = KERNELS.get(kind) or KERNELS.get(kind.removeprefix("AD"))
        if builder is None:
            raise block.unsupported()
        row = self.row(block, "variable")
        self.covered.add(row)
        try:
            builder(self, block, row)
        except InvalidRequest as error:
            raise error if hasattr(error, "problems") else block.refused(str(error)) from error

    def row(self, block: Block, parameter: str) -> int:
        """Return the place of the unknown that a parameter names."""
        name = block.text(parameter)
        if name not in self.fields.names:
            raise block.refused(f"Unknown variable '{name}'", parameter)
        return self.fields.index(name)

    def column(self, block: Block, *parameters: str) -> tuple[str, int | None]:
        """Return the variable that a parameter names, and its place if it is an unknown."""
        name = block.text(*parameters)
        if name not in self.fields:
            raise block.refused(f"Unknown variable '{name}'", *parameters)
        return name, self.fields.names.index(name) if name in self.fields.names else None

    def dependencies(self, *properties: str) -> tuple[tuple[str, int], ...]:
        """Return the unknowns that properties depend on, with their places."""
        names = frozenset[str]().union(*(self.materials.find(name).depends for name in properties))
        return tuple((name, place) for place, name in enumerate(self.fields.names) if name in names)

    def product_constant(self, *properties: str) -> float | None:
        """Return the product of properties that are all constant, else None."""
        values = [self.materials.find(name).constant for name in properties]
        return None if any(value is None for value in values) else float(np.prod([v for v in values if v is not None]))

    def add_diffusion(self, row: int, variable: str, column: int | None, *properties: str) -> None:
        """Add (product of properties) ∇v·∇ψ: an exact matrix where everything is constant."""
        value = self.product_constant(*properties)
        if value is not None and column is not None:
            self.constant.stiffness[row, column] += value
            return
        factors: tuple[Factor, ...] = tuple((name, ()) for name in properties)
        self.terms.append(PropertyDiffusion(row, variable, column, factors, self.dependencies(*properties)))

    def add_grain(self, row: int, others: tuple[str, ...], mobility: str) -> None:
        """Note an ACGrGrPoly kernel; `finish` joins those that form a complete set."""
        self._grains.append((row, frozenset(others), mobility))

    def finish(self) -> None:
        """Join the grain-growth kernels of complete sets of order parameters; the others stand alone."""
        names = self.fields.names
        sets: dict[tuple[frozenset[str], str], list[int]] = {}
        for row, others, mobility in self._grains:
            sets.setdefault((others | {names[row]}, mobility), []).append(row)
        for (members, mobility), rows in sets.items():
            complete = len(set(rows)) == len(rows) and {names[row] for row in rows} == members
            if complete and not self.dependencies(mobility, "mu", "gamma_asymm"):
                self.terms.append(GrainGrowthTerm(tuple(sorted(rows)), mobility))
                continue
            for row in rows:
                rest = sorted(members - {names[row]})
                places = tuple((name, names.index(name) if name in names else None) for name in rest)
                self.terms.append(CoupledGrainSource(row, names[row], places, mobility))


def _time_derivative(equations: Equations, block: Block, row: int) -> None:
    equations.constant.rate[row, row] += 1.0


def _coupled_time_derivative(equations: Equations, block: Block, row: int) -> None:
    name, column = equations.column(block, "v")
    if column is None:
        raise block.refused(f"v = {name} must be a nonlinear variable", "v")
    equations.constant.rate[row, column] += 1.0


def _diffusion(equations: Equations, block: Block, row: int) -> None:
    equations.constant.stiffness[row, row] += 1.0


def _coefficient_diffusion(equations: Equations, block: Block, row: int) -> None:
    equations.constant.stiffness[row, row] += block.number("coef", default=0.0)


def _reaction(equations: Equations, block: Block, row: int) -> None:
    equations.constant.mass[row, row] += block.number("rate", default=1.0)


def _body_force(equations: Equations, block: Block, row: int) -> None:
    value = block.number("value", default=1.0)
    function = equations.functions.find(block.text("function", default="1"), block, "function")
    number = equations.functions.constant(function)
    if number is None:
        equations.terms.append(FunctionSource(row, function, value))
    else:
        equations.load[row] += value * number * lumped_weights(equations.fields.mesh)


def _allen_cahn(equations: Equations, block: Block, row: int) -> None:
    energy, mobility = block.text("f_name", default="F"), block.text("mob_name", default="L")
    factors: tuple[Factor, ...] = ((mobility, ()), (energy, (equations.fields.names[row],)))
    equations.terms.append(PropertySource(row, factors, equations.dependencies(mobility, energy)))


def _interface(equations: Equations, block: Block, row: int) -> None:
    mobility, kappa = block.text("mob_name", default="L"), block.text("kappa_name", default="kappa_op")
    variable = equations.fields.names[row]
    equations.add_diffusion(row, variable, row, mobility, kappa)
    varies = block.flag("variable_L", default=True)
    coupled = set(block.words("coupled_variables", "args", default=())) | {variable}
    depends = equations.materials.find(mobility).depends & coupled
    if varies and depends:
        names = equations.fields.names
        columns = tuple((name, names.index(name) if name in names else None) for name in sorted(depends))
        equations.terms.append(MobilityGradient(row, variable, row, kappa, mobility, columns))


def _grain_growth(equations: Equations, block: Block, row: int) -> None:
    others = block.words("v", default=())
    for name in others:
        if name not in equations.fields:
            raise block.refused(f"Unknown variable '{name}'", "v")
    equations.add_grain(row, others, block.text("mob_name", default="L"))


def _split_parsed(equations: Equations, block: Block, row: int) -> None:
    energy = block.text("f_name", default="F")
    factors: tuple[Factor, ...] = ((energy, (equations.fields.names[row],)),)
    equations.terms.append(PropertySource(row, factors, equations.dependencies(energy)))
    _split_common(equations, block, row)


def _split_math(equations: Equations, block: Block, row: int) -> None:
    equations.terms.append(CubicSource(row, equations.fields.names[row], row, 1.0))
    _split_common(equations, block, row)


def _split_common(equations: Equations, block: Block, row: int) -> None:
    equations.constant.mass[row, equations.row(block, "w")] -= 1.0
    equations.add_diffusion(row, equations.fields.names[row], row, block.text("kappa_name"))


def _split_mobility(equations: Equations, block: Block, row: int) -> None:
    variable, column = equations.fields.names[row], row
    if block.has("w"):
        variable = block.text("w")
        column = equations.row(block, "w")
    equations.add_diffusion(row, variable, column, block.text("mob_name", default="mobtemp"))


def _material_diffusion(equations: Equations, block: Block, row: int) -> None:
    variable, column = equations.fields.names[row], row
    if block.has("v"):
        variable, place = equations.column(block, "v")
        equations.add_diffusion(row, variable, place, block.text("diffusivity", "D_name", default="D"))
        return
    equations.add_diffusion(row, variable, column, block.text("diffusivity", "D_name", default="D"))


def _double_well(equations: Equations, block: Block, row: int) -> None:
    name, column = equations.column(block, "c")
    equations.terms.append(CubicSource(row, name, column, block.number("prefactor", default=1.0)))


#: The kernels by type; each also answers to its name with AD before it.
KERNELS: dict[str, Callable[[Equations, Block, int], None]] = {
    "TimeDerivative": _time_derivative,
    "CoupledTimeDerivative": _coupled_time_derivative,
    "Diffusion": _diffusion,
    "CoefDiffusion": _coefficient_diffusion,
    "Reaction": _reaction,
    "BodyForce": _body_force,
    "AllenCahn": _allen_cahn,
    "ACInterface": _interface,
    "ACGrGrPoly": _grain_growth,
    "SplitCHParsed": _split_parsed,
    "SplitCHMath": _split_math,
    "SplitCHWRes": _split_mobility,
    "MatDiffusion": _material_diffusion,
    "PhaseFieldCoupledDoubleWellPotential": _double_well,
}
