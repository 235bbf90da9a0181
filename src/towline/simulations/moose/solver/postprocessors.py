"""Numbers, and tables of numbers, that are computed from the fields."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from towline.simulations.moose.solver.blocks import Block
from towline.simulations.moose.solver.features import centroid
from towline.simulations.moose.solver.fields import Points, PropertyValue, extreme
from towline.simulations.moose.solver.flood_counters import FloodCounter, find_counter
from towline.simulations.moose.solver.functions import three
from towline.simulations.moose.solver.mesh import Array
from towline.simulations.moose.solver.state import Moment, State, moments

Compute = Callable[[State], float]


@dataclass(frozen=True)
class Postprocessor:
    """One number, a column of the CSV file."""

    name: str
    compute: Compute
    execute_on: frozenset[Moment]
    #: The outputs that it is for; none named means all, `none` is no output's name.
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class VectorPostprocessor:
    """A table: a CSV file per step."""

    name: str
    compute: Callable[[State], dict[str, list[float]]]
    execute_on: frozenset[Moment]
    outputs: tuple[str, ...] = ()


def build_postprocessor(block: Block, state: State, order_parameters: tuple[str, ...]) -> Postprocessor:
    """Build the postprocessor of a block.

    Raises
    ------
    InvalidInputFile
        There is no such postprocessor, or something that it names does not exist.
    """
    builder = _BUILDERS.get(block.type)
    if builder is None:
        raise block.unsupported()
    compute = builder(block, state, order_parameters)
    return Postprocessor(block.name, compute, moments(block, "timestep_end"), block.words("outputs", default=()))


def counter_postprocessor(counter: FloodCounter, block: Block) -> Postprocessor:
    """Return the number of features of a counter as a postprocessor."""
    outputs = block.words("outputs", default=())
    return Postprocessor(counter.name, lambda state: counter.value, counter.execute_on, outputs)


def _variable(block: Block, state: State) -> str:
    name = block.text("variable")
    if name not in state.fields:
        raise block.refused(f"Unknown variable '{name}'", "variable")
    return name


def _time_step_size(block: Block, state: State, _: tuple[str, ...]) -> Compute:
    return lambda now: now.time_step_size


def _degrees_of_freedom(block: Block, state: State, _: tuple[str, ...]) -> Compute:
    system = block.choice("system", options=("ALL", "NL", "AUX"), default="ALL")

    def count(now: State) -> float:
        nonlinear = len(now.fields.names) * now.mesh.node_count
        auxiliary = len(now.fields.nodal) * now.mesh.node_count + len(now.fields.elemental) * now.mesh.element_count
        return float({"ALL": nonlinear + auxiliary, "NL": nonlinear, "AUX": auxiliary}[system])

    return count


def _integral(block: Block, state: State, _: tuple[str, ...]) -> Compute:
    name = _variable(block, state)
    return lambda now: now.integral(lambda points: points.value(name))


def _average(block: Block, state: State, _: tuple[str, ...]) -> Compute:
    name = _variable(block, state)
    return lambda now: now.integral(lambda points: points.value(name)) / now.mesh.volume


def _extreme(block: Block, state: State, _: tuple[str, ...]) -> Compute:
    name = _variable(block, state)
    largest = block.choice("value_type", options=("max", "min"), default="max") == "max"
    return lambda now: extreme(now.fields, now.time, lambda points: points.value(name), largest=largest)


def _element_error(block: Block, state: State, _: tuple[str, ...]) -> Compute:
    name, function = _variable(block, state), state.functions.find(block.text("function"), block, "function")

    def squared(points: Points) -> PropertyValue:
        difference: Array = points.value(name) - function.value(points.time, points.coordinates)
        return difference**2

    return lambda now: math.sqrt(now.integral(squared))


def _nodal_error(block: Block, state: State, _: tuple[str, ...]) -> Compute:
    name, function = _variable(block, state), state.functions.find(block.text("function"), block, "function")

    def error(now: State) -> float:
        values = now.mesh.extended(now.fields.nodal_values(name)[None])[0]
        return float(np.sqrt(np.sum((values - function.value(now.time, three(now.mesh.full_node_coordinates()))) ** 2)))

    return error


def _element_value(block: Block, state: State, _: tuple[str, ...]) -> Compute:
    name, element = _variable(block, state), block.integer("elementid")
    if element >= state.mesh.element_count:
        raise block.refused(f"there is no element {element}: the mesh has {state.mesh.element_count}", "elementid")
    place = int(np.flatnonzero(state.mesh.element_ids.ravel() == element)[0])
    return lambda now: float(now.at_centroids(name).ravel()[place])


def _point_value(block: Block, state: State, _: tuple[str, ...]) -> Compute:
    name, point, mesh = _variable(block, state), block.numbers("point"), state.mesh
    inside = all(low <= p <= high for low, p, high in zip(mesh.lower, point, mesh.upper, strict=False))
    if not inside:
        raise block.refused(f"the point {point} is outside of the mesh", "point")

    def value(now: State) -> float:
        out = now.at_centroids(name) if name in now.fields.elemental else None
        nodal = None if out is not None else mesh.extended(now.fields.nodal_values(name)[None])[0]
        for direction in reversed(range(mesh.dimension)):
            position = (point[direction] - mesh.lower[direction]) / mesh.spacings[direction]
            cell = min(int(position), mesh.counts[direction] - 1)
            if nodal is None:
                out = out[cell] if out is not None else None
            else:
                nodal = nodal[cell] + (position - cell) * (nodal[cell + 1] - nodal[cell])
        return float(out if nodal is None and out is not None else nodal)  # type: ignore[arg-type]  # one of both is there

    return value


def _function_value(block: Block, state: State, _: tuple[str, ...]) -> Compute:
    function = state.functions.find(block.text("function"), block, "function")
    point = (*block.numbers("point", default=(0.0, 0.0, 0.0)), 0.0, 0.0)[:3]
    where = (np.asarray(point[0]), np.asarray(point[1]), np.asarray(point[2]))
    factor = block.number("scale_factor", default=1.0)
    return lambda now: factor * float(function.value(now.time, where))


def _boundary_area(block: Block, state: State, order_parameters: tuple[str, ...]) -> Compute:
    names = block.words("v", default=()) or order_parameters
    scale = block.number("grains_per_side", default=2.0) * block.number("op_range", default=1.0)

    def density(points: Points) -> PropertyValue:
        total: PropertyValue = 0.0
        for name in names:
            slopes = points.gradient(name)
            total = total + np.sqrt(sum(slope**2 for slope in slopes))
        return total

    return lambda now: now.integral(density) / scale


def _average_grain_volume(block: Block, state: State, order_parameters: tuple[str, ...]) -> Compute:
    if block.has("feature_counter"):
        counter = find_counter(state, block, "feature_counter")

        def mean(now: State) -> float:
            volumes = counter.volumes(now)
            return sum(volumes) / len(volumes) if volumes else 0.0

        return mean
    names, grains = block.words("variable", "v", default=()) or order_parameters, block.integer("grain_num")
    return lambda now: now.integral(lambda points: sum(points.value(name) for name in names)) / grains


_BUILDERS: dict[str, Callable[[Block, State, tuple[str, ...]], Compute]] = {
    "TimestepSize": _time_step_size,
    "NumDOFs": _degrees_of_freedom,
    "NumElements": lambda block, state, _: lambda now: float(now.mesh.element_count),
    "NumElems": lambda block, state, _: lambda now: float(now.mesh.element_count),
    "NumNodes": lambda block, state, _: lambda now: float(now.mesh.node_count),
    "NumNonlinearIterations": lambda block, state, _: lambda now: float(now.nonlinear_iterations),
    "NumLinearIterations": lambda block, state, _: lambda now: float(now.linear_iterations),
    "ElementIntegralVariablePostprocessor": _integral,
    "ElementAverageValue": _average,
    "ElementExtremeValue": _extreme,
    "ElementL2Error": _element_error,
    "NodalL2Error": _nodal_error,
    "ElementalVariableValue": _element_value,
    "PointValue": _point_value,
    "FunctionValuePostprocessor": _function_value,
    "GrainBoundaryArea": _boundary_area,
    "AverageGrainVolume": _average_grain_volume,
}


def build_vector_postprocessor(block: Block, state: State) -> VectorPostprocessor:
    """Build the vector postprocessor of a block.

    Raises
    ------
    InvalidInputFile
        There is no such one, or its counter does not exist.
    """
    if block.type != "FeatureVolumeVectorPostprocessor":
        raise block.unsupported()
    counter = find_counter(state, block, "flood_counter")
    centers = block.flag("output_centroids", default=False)
    return VectorPostprocessor(
        block.name,
        lambda now: _feature_table(counter, now, centers),
        moments(block, "timestep_end"),
        block.words("outputs", default=()),
    )


def _feature_table(counter: FloodCounter, state: State, centers: bool) -> dict[str, list[float]]:
    flags = [counter.flags(state, one) for one in counter.features]
    table = {
        "var_num": [float(one.variable) for one in counter.features],
        "feature_volumes": counter.volumes(state),
        "intersects_bounds": [float(one[0]) for one in flags],
        "intersects_specified_bounds": [float(one[1]) for one in flags],
        "percolated": [float(one[2]) for one in flags],
    }
    if centers:
        where = [centroid(state.mesh, one) for one in counter.features]
        for direction, axis in enumerate("xyz"):
            table[f"centroid_{axis}"] = [one[direction] for one in where]
    return table
