"""A problem, built from an input: equations, objects, and the order in which they are computed."""

from dataclasses import dataclass, field

import numpy as np

from towline.simulations.moose.solver.auxiliary_kernels import AuxiliaryKernel, build_auxiliary_kernel
from towline.simulations.moose.solver.blocks import Block
from towline.simulations.moose.solver.boundary_conditions import PrescribedValue, add_boundary_condition
from towline.simulations.moose.solver.flood_counters import FloodCounter, build_counter
from towline.simulations.moose.solver.functions import FunctionSet
from towline.simulations.moose.solver.initial_conditions import InitialValues
from towline.simulations.moose.solver.kernels import Equations
from towline.simulations.moose.solver.materials import MaterialSet
from towline.simulations.moose.solver.mesh import UniformMesh
from towline.simulations.moose.solver.objects import (
    Declared,
    Input,
    build_fields,
    build_mesh,
    check_periodic,
    declare,
    order_parameters,
)
from towline.simulations.moose.solver.polycrystal import VoronoiPolycrystal
from towline.simulations.moose.solver.postprocessors import (
    Postprocessor,
    VectorPostprocessor,
    build_postprocessor,
    build_vector_postprocessor,
    counter_postprocessor,
)
from towline.simulations.moose.solver.spectral import SpectralBasis
from towline.simulations.moose.solver.state import Moment, State
from towline.simulations.moose.solver.terminator import Terminator, build_terminator
from towline.simulations.moose.solver.weak_form import WeakForm

_COUNTERS = ("FeatureFloodCount", "GrainTracker", "FauxGrainTracker")


@dataclass
class SimulationProblem:
    """Everything that a run computes with."""

    state: State
    form: WeakForm
    basis: SpectralBasis
    prescribed: list[PrescribedValue]
    solves: bool
    auxiliaries: list[AuxiliaryKernel] = field(default_factory=list)
    postprocessors: list[Postprocessor] = field(default_factory=list)
    tables: list[VectorPostprocessor] = field(default_factory=list)
    terminators: list[Terminator] = field(default_factory=list)
    #: Counters that aux kernels show, which are computed before those.
    shown_counters: set[str] = field(default_factory=set)
    #: What a reader of the log has to know.
    notes: list[str] = field(default_factory=list)
    #: The outputs that variables are for; none named means all.
    variable_outputs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    #: The last contents of the vector postprocessors.
    table_values: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def compute(self, moment: Moment) -> None:
        """Compute the objects of a moment, each after what it shows: shown counters, aux kernels, counters, numbers."""
        state = self.state
        self._count(moment, shown=True)
        for kernel in self.auxiliaries:
            if moment in kernel.execute_on:
                kernel.update(state)
        self._count(moment, shown=False)
        for one in self.postprocessors:
            if moment in one.execute_on:
                state.values[one.name] = one.compute(state)
        for table in self.tables:
            if moment in table.execute_on:
                self.table_values[table.name] = table.compute(state)

    def _count(self, moment: Moment, *, shown: bool) -> None:
        for counter in self.state.counters.values():
            if (counter.name in self.shown_counters) == shown and moment in counter.execute_on:
                counter.update(self.state)

    def impose(self, time: float) -> None:
        """Set the prescribed values of a time."""
        for one in self.prescribed:
            one.impose(self.state.fields, time)


def build_problem(source: Input) -> SimulationProblem:
    """Build the problem of a checked input.

    Raises
    ------
    InvalidInputFile
        Something in it is not supported or does not fit together; the message has its line.
    InvalidRequest
        The problem does not fit into memory.
    """
    mesh, declared = build_mesh(source), declare(source)
    check_periodic(source, declared.nonlinear)
    functions = FunctionSet()
    for block in source.blocks("Functions"):
        functions.add(block)
    materials = MaterialSet(functions)
    fields = build_fields(mesh, declared)
    for block in source.blocks("Materials"):
        materials.add(block)
    state = State(mesh, fields, materials, functions)
    notes = _set_initial_values(source, state, declared)
    equations, prescribed = _equations(source, state, declared)
    outer = source.block("Problem")
    solves = outer is None or outer.flag("solve", default=True)
    _check_coverage(source, outer, equations)
    form = WeakForm(
        mesh, equations.constant, equations.terms, equations.load if equations.load.any() else None, None, materials
    )
    problem = SimulationProblem(state, form, _basis(mesh, prescribed), prescribed, solves, notes=notes)
    problem.variable_outputs = declared.outputs
    _fix(problem)
    _add_objects(source, problem, declared)
    return problem


def _equations(source: Input, state: State, declared: Declared) -> tuple[Equations, list[PrescribedValue]]:
    equations = Equations(state.fields, state.materials, state.functions)
    written = [block for block in source.blocks("Kernels") if block.name != "PolycrystalKernel"]
    for block in (*written, *declared.kernels):
        equations.add(block)
    equations.finish()
    prescribed = []
    for block in source.blocks("BCs"):
        if block.name != "Periodic":
            prescribed += add_boundary_condition(block, equations)
    return equations, prescribed


def _check_coverage(source: Input, outer: Block | None, equations: Equations) -> None:
    text = "true" if outer is None else outer.text("kernel_coverage_check", default="true")
    lacking = [name for row, name in enumerate(equations.fields.names) if row not in equations.covered]
    solves = outer is None or outer.flag("solve", default=True)
    if lacking and solves and text.lower() in ("true", "on", "yes", "1"):
        raise source.refused(
            "Each variable must be referenced by at least one active Kernel.\n"
            f"The following variable(s) lack an active kernel: {', '.join(lacking)}"
        )


def _basis(mesh: UniformMesh, prescribed: list[PrescribedValue]) -> SpectralBasis:
    fixed = [[False, False] for _ in range(mesh.dimension)]
    for one in prescribed:
        fixed[one.direction][int(one.upper)] = True
    return SpectralBasis(mesh, tuple((low, high) for low, high in fixed))


def _fix(problem: SimulationProblem) -> None:
    if problem.prescribed:
        mask = np.zeros(problem.state.fields.unknowns.shape, dtype=bool)
        for one in problem.prescribed:
            mask[one.row][one.where] = True
        problem.form.fixed = mask


def _set_initial_values(source: Input, state: State, declared: Declared) -> list[str]:
    """Set the fields by the initial conditions; returns notes about them."""
    values = InitialValues(state.mesh, state.functions)
    for block in source.blocks("UserObjects"):
        if block.type == "PolycrystalVoronoi":
            values.voronoi[block.name] = _voronoi(block, state)
    written = [(block.text("variable"), block) for block in source.blocks("ICs") if block.name != "PolycrystalICs"]
    for group in source.blocks("ICs/PolycrystalICs"):
        written += list(_polycrystal_blocks(source, group))
    for variable, block in (*declared.initial, *written):
        fields = state.fields
        if variable in fields.elemental:
            fields.elemental[variable][...] = values.values(block, variable, state.mesh.centroids())
        elif variable in fields:
            fields.set_nodal_values(variable, values.values(block, variable, state.mesh.node_coordinates()))
        else:
            raise block.refused(f"Unknown variable '{variable}'", "variable")
    return sorted(values.notes)


def _polycrystal_blocks(source: Input, group: Block) -> list[tuple[str, Block]]:
    names = order_parameters(group)
    out = []
    for index, name in enumerate(names):
        if group.name == "PolycrystalColoringIC":
            owner = group.text("polycrystal_ic_uo")
            out.append((name, source.made(name, group.name, polycrystal_ic_uo=owner, op_index=index)))
        else:
            kind, seed = group.text("random_type", default="discrete"), group.integer("seed", "rand_seed", default=0)
            made = source.made(
                name, "PolycrystalRandomIC", random_type=kind, op_index=index, op_num=len(names), rand_seed=seed
            )
            out.append((name, made))
    return out


def _voronoi(block: Block, state: State) -> VoronoiPolycrystal:
    mesh = state.mesh
    grains = block.integer("grain_num")
    centers = VoronoiPolycrystal.random_centers(mesh, grains, block.integer("rand_seed", default=0))
    coloring = block.text("coloring_algorithm", default="jp").lower()
    numbers = len(block.words("variable", default=()) or order_parameters(block)) or grains
    return VoronoiPolycrystal(mesh, centers, numbers, block.number("int_width", default=0.0), coloring)


def _add_objects(source: Input, problem: SimulationProblem, declared: Declared) -> None:
    state = problem.state
    shared = source.block("GlobalParams")
    operators = order_parameters(shared) if shared is not None else ()
    blocks = [*source.blocks("UserObjects"), *source.blocks("Postprocessors")]
    counters: dict[str, FloodCounter] = {}
    for block in blocks:
        if block.type in _COUNTERS:
            if block.name in counters:
                raise block.refused(f'A UserObject with the name "{block.name}" already exists')
            counters[block.name] = build_counter(block, state, order_parameters(block) or operators)
    state.counters.update(counters)
    for block in (*source.blocks("AuxKernels"), *declared.auxiliary_kernels):
        problem.auxiliaries.append(build_auxiliary_kernel(block, state, order_parameters(block) or operators))
        if block.has("flood_counter"):
            problem.shown_counters.add(block.text("flood_counter"))
    for block in blocks:
        _add_number(block, problem, order_parameters(block) or operators)
    for block in source.blocks("VectorPostprocessors"):
        problem.tables.append(build_vector_postprocessor(block, state))
    state.values.update({one.name: 0.0 for one in problem.postprocessors})


def _add_number(block: Block, problem: SimulationProblem, operators: tuple[str, ...]) -> None:
    if block.type in _COUNTERS:
        problem.postprocessors.append(counter_postprocessor(problem.state.counters[block.name], block))
    elif block.type == "Terminator":
        problem.terminators.append(build_terminator(block))
    elif block.type != "PolycrystalVoronoi":
        problem.postprocessors.append(build_postprocessor(block, problem.state, operators))
