"""Mesh, variables and actions of an input: what exists before there are equations."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from towline.simulations.moose.problems import InvalidInputFile, Problem
from towline.simulations.moose.solver.blocks import Block
from towline.simulations.moose.solver.fields import Fields
from towline.simulations.moose.solver.memory import refuse_what_does_not_fit
from towline.simulations.moose.solver.mesh import UniformMesh
from towline.simulations.moose.tree import Section


class Input:
    """The sections of a checked input."""

    def __init__(self, tree: Section) -> None:
        self._tree = tree
        self._shared = tree.section("GlobalParams")

    def block(self, path: str) -> Block | None:
        """Return a section as a block; None if the input has none."""
        section = self._tree.section(path)
        return None if section is None else Block(section, self._shared)

    def blocks(self, path: str) -> tuple[Block, ...]:
        """Return the active blocks directly below a section."""
        found = self.block(path)
        return () if found is None else found.children

    def made(self, path: str, kind: str, **parameters: str | float | tuple[str, ...]) -> Block:
        """Return a block that an action makes, as if it stood in the input."""
        section = Section(path)
        section.add("type", kind)
        for name, value in parameters.items():
            section.add(name, value)
        return Block(section, self._shared)

    def refused(self, text: str) -> InvalidInputFile:
        """Return an error about the input as a whole."""
        return Problem(text).error()


def periodic_directions(source: Input, dimension: int) -> tuple[bool, ...]:
    """Return the directions that [BCs/Periodic] names."""
    names = {word for block in source.blocks("BCs/Periodic") for word in block.words("auto_direction", default=())}
    return tuple(axis in names for axis in "xyz"[:dimension])


def check_periodic(source: Input, names: tuple[str, ...]) -> None:
    """Refuse boundaries that are periodic for some variables only.

    Raises
    ------
    InvalidInputFile
        A block of [BCs/Periodic] leaves a variable out.
    """
    for block in source.blocks("BCs/Periodic"):
        missing = sorted(set(names) - set(block.words("variable", default=names)))
        if missing:
            text = f"the embedded solver has boundaries that are periodic for all variables; '{missing[0]}' is left out"
            raise block.refused(text, "variable")


def build_mesh(source: Input, periodic: tuple[bool, ...] | None = None) -> UniformMesh:
    """Build the generated mesh of an input, refined as it says.

    Raises
    ------
    InvalidInputFile
        The mesh is not one that is generated.
    """
    outer = source.block("Mesh")
    if outer is None:
        raise source.refused("missing required section '[Mesh]'")
    inner = outer if outer.type == "GeneratedMesh" else next(iter(outer.children), outer)
    if inner.type not in ("GeneratedMesh", "GeneratedMeshGenerator"):
        raise inner.unsupported()
    dimension = inner.integer("dim")
    levels = outer.integer("uniform_refine", default=0)
    _check_element(inner, dimension)
    # Meshes are often given with the counts of more dimensions than they have.
    inner.pass_over(*(name for axis in "xyz"[dimension:] for name in (f"n{axis}", f"{axis}min", f"{axis}max")))
    counts = tuple(inner.integer(f"n{axis}", default=1) * 2**levels for axis in "xyz"[:dimension])
    lower = tuple(inner.number(f"{axis}min", default=0.0) for axis in "xyz"[:dimension])
    upper = tuple(inner.number(f"{axis}max", default=1.0) for axis in "xyz"[:dimension])
    sides = periodic_directions(source, dimension) if periodic is None else periodic
    return UniformMesh(counts, lower, upper, sides, levels)


def _check_element(block: Block, dimension: int) -> None:
    shape = ("EDGE", "QUAD", "HEX")[dimension - 1]
    if not block.text("elem_type", default=shape).upper().startswith(shape):
        raise block.refused(f"a mesh of dimension {dimension} has elements of type {shape}", "elem_type")


@dataclass(frozen=True)
class Declared:
    """The variables of an input and the kernels and aux kernels that its actions make."""

    nonlinear: tuple[str, ...]
    nodal: tuple[str, ...]
    elemental: tuple[str, ...]
    kernels: tuple[Block, ...]
    auxiliary_kernels: tuple[Block, ...]
    #: The outputs that a variable is for, if it says so.
    outputs: dict[str, tuple[str, ...]]
    #: Initial conditions that stand in the block of a variable: (variable, block).
    initial: tuple[tuple[str, Block], ...]


def order_parameters(block: Block) -> tuple[str, ...]:
    """Return the names that op_num and var_name_base give; none without them."""
    if not block.has("op_num") or not block.has("var_name_base"):
        return ()
    base = block.text("var_name_base")
    return tuple(f"{base}{index}" for index in range(block.integer("op_num")))


def declare(source: Input) -> Declared:
    """Collect the variables, and carry out the actions."""
    names: list[str] = []
    kernels: list[Block] = []
    auxiliaries: list[Block] = []
    initial: list[tuple[str, Block]] = []
    outputs: dict[str, tuple[str, ...]] = {}
    for block in source.blocks("Variables"):
        found = order_parameters(block) if block.name == "PolycrystalVariables" else (block.name,)
        names += found
        outputs |= {name: block.words("outputs", default=()) for name in found}
        initial += [(name, one) for name in found for one in _initial(source, block)]
    nodal: list[str] = []
    elemental: list[str] = []
    for block in source.blocks("AuxVariables"):
        constant = block.text("family", default="LAGRANGE").upper() == "MONOMIAL"
        (elemental if constant else nodal).append(block.name)
        initial += [(block.name, one) for one in _initial(source, block)]
        outputs[block.name] = block.words("outputs", default=())
    for variables, own, extra in _actions(source):
        names += [name for name in variables if name not in names]
        kernels += own
        auxiliaries += extra
        if extra and "bnds" not in (*nodal, *elemental):
            nodal.append("bnds")
    made = tuple(kernels), tuple(auxiliaries)
    return Declared(tuple(names), tuple(nodal), tuple(elemental), *made, outputs, tuple(initial))


def _initial(source: Input, block: Block) -> Iterator[Block]:
    own = next((child for child in block.children if child.name == "InitialCondition"), None)
    if own is not None:
        yield own
    elif block.has("initial_condition"):
        yield source.made("initial_condition", "ConstantIC", value=block.number("initial_condition"))


def _actions(source: Input) -> Iterator[tuple[tuple[str, ...], list[Block], list[Block]]]:
    growth = source.block("Modules/PhaseField/GrainGrowth")
    if growth is not None:
        names = order_parameters(growth)
        boundaries = source.made("bnds", "BndsCalcAux", variable="bnds", v=names, execute_on="initial timestep_end")
        yield names, list(_grain_growth(source, growth, names)), [boundaries]
    kernel = source.block("Kernels/PolycrystalKernel")
    if kernel is not None:
        yield (), list(_grain_growth(source, kernel, order_parameters(kernel))), []
    for block in source.blocks("Modules/PhaseField/Conserved"):
        yield (block.name, f"chem_pot_{block.name}"), list(_conserved(source, block)), []
    for block in source.blocks("Modules/PhaseField/Nonconserved"):
        yield (block.name,), list(_nonconserved(source, block)), []


def _grain_growth(source: Input, block: Block, names: tuple[str, ...]) -> Iterator[Block]:
    mobility, kappa = block.text("mobility", default="L"), block.text("kappa", default="kappa_op")
    varies = block.flag("variable_mobility", default=True)
    for name in names:
        others = tuple(other for other in names if other != name)
        yield source.made(f"time_{name}", "TimeDerivative", variable=name)
        yield source.made(f"bulk_{name}", "ACGrGrPoly", variable=name, v=others, mob_name=mobility)
        interface = {"mob_name": mobility, "kappa_name": kappa, "variable_L": "true" if varies else "false"}
        yield source.made(f"interface_{name}", "ACInterface", variable=name, **interface)


def _conserved(source: Input, block: Block) -> Iterator[Block]:
    block.choice("solve_type", options=("REVERSE_SPLIT",))
    name, potential = block.name, f"chem_pot_{block.name}"
    energy, kappa = block.text("free_energy"), block.text("kappa")
    yield source.made("parsed", "SplitCHParsed", variable=name, w=potential, f_name=energy, kappa_name=kappa)
    yield source.made("mobility", "SplitCHWRes", variable=potential, mob_name=block.text("mobility"))
    yield source.made("time", "CoupledTimeDerivative", variable=potential, v=name)


def _nonconserved(source: Input, block: Block) -> Iterator[Block]:
    name, mobility = block.name, block.text("mobility", default="L")
    kappa, varies = block.text("kappa", default="kappa_op"), block.flag("variable_mobility", default=True)
    coupled = block.words("coupled_variables", "args", default=())
    yield source.made("time", "TimeDerivative", variable=name)
    yield source.made("bulk", "AllenCahn", variable=name, f_name=block.text("free_energy"), mob_name=mobility)
    parameters = {"mob_name": mobility, "kappa_name": kappa, "variable_L": "true" if varies else "false"}
    yield source.made("interface", "ACInterface", variable=name, coupled_variables=coupled, **parameters)


def build_fields(mesh: UniformMesh, declared: Declared) -> Fields:
    """Return fields of zeros, after a look at the memory that they and the solution need.

    Raises
    ------
    InvalidRequest
        The machine has too little memory.
    """
    refuse_what_does_not_fit(mesh, len(declared.nonlinear), len(declared.nodal) + len(declared.elemental))
    return Fields(
        mesh,
        declared.nonlinear,
        np.zeros((len(declared.nonlinear), *mesh.node_shape)),
        {name: np.zeros(mesh.node_shape) for name in declared.nodal},
        {name: np.zeros(mesh.element_shape) for name in declared.elemental},
    )
