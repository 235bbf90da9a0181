"""Initial values at nodes (or element centres)."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from towline.simulations.moose.solver.blocks import Block
from towline.simulations.moose.solver.functions import FunctionSet, three
from towline.simulations.moose.solver.mesh import Array, UniformMesh
from towline.simulations.moose.solver.polycrystal import VoronoiPolycrystal, minimum_image

#: Said in the header of a run that uses RandomIC.
RANDOM_GENERATOR = "RandomIC: PCG64 of NumPy, one stream per variable; the same statistics as MOOSE's, other numbers"


@dataclass
class InitialValues:
    """What initial conditions are built from."""

    mesh: UniformMesh
    functions: FunctionSet
    voronoi: dict[str, VoronoiPolycrystal] = field(default_factory=dict)
    notes: set[str] = field(default_factory=set)
    _streams: dict[str, np.random.RandomState] = field(default_factory=dict)

    def values(self, block: Block, variable: str, where: tuple[Array, ...]) -> Array:
        """Return the values of an IC block at coordinates (broadcastable), by its type.

        Raises
        ------
        InvalidInputFile
            There is no such IC, or a parameter is wrong.
        """
        builder = _BUILDERS.get(block.type)
        if builder is None:
            raise block.unsupported()
        shape = np.broadcast_shapes(*(one.shape for one in where))
        full = [np.broadcast_to(one, shape) for one in where]
        return np.broadcast_to(builder(self, block, variable, tuple(full)), shape).astype(float)

    def global_stream(self, seed: int) -> np.random.RandomState:
        """Return the stream that all PolycrystalRandomIC share."""
        return self._streams.setdefault("global", np.random.RandomState(seed))


def _constant(values: InitialValues, block: Block, variable: str, where: tuple[Array, ...]) -> Array:
    return np.asarray(block.number("value"))


def _function(values: InitialValues, block: Block, variable: str, where: tuple[Array, ...]) -> Array:
    function = values.functions.find(block.text("function"), block, "function")
    factor = block.number("scaling", default=1.0)
    return factor * function.value(0.0, three(where))


def _random(values: InitialValues, block: Block, variable: str, where: tuple[Array, ...]) -> Array:
    low, high = block.number("min", default=0.0), block.number("max", default=1.0)
    if not low < high:
        raise block.refused("Min >= Max for RandomIC!", "max")
    seed = block.integer("seed", default=0)
    values.notes.add(RANDOM_GENERATOR)
    generator = np.random.Generator(np.random.PCG64([seed, zlib.crc32(variable.encode())]))
    return low + (high - low) * generator.random(where[0].shape)


def _bounding_box(values: InitialValues, block: Block, variable: str, where: tuple[Array, ...]) -> Array:
    inside = np.ones(where[0].shape, dtype=bool)
    for axis, position in zip("xyz", where, strict=False):
        first, second = block.number(f"{axis}1", default=0.0), block.number(f"{axis}2", default=0.0)
        inside &= (position >= min(first, second)) & (position <= max(first, second))
    # Boxes are often given with z in two dimensions too.
    block.pass_over("y1", "y2", "z1", "z2")
    return np.where(inside, block.number("inside", default=0.0), block.number("outside", default=0.0))


def _ramp(values: InitialValues, block: Block, variable: str, where: tuple[Array, ...]) -> Array:
    left, right = block.number("value_left"), block.number("value_right")
    return left + (right - left) * (where[0] - values.mesh.lower[0]) / values.mesh.lengths[0]


def _smooth_circle(values: InitialValues, block: Block, variable: str, where: tuple[Array, ...]) -> Array:
    center = [block.number(f"{axis}1", default=0.0) for axis in "xyz"]
    return _circles(values.mesh, block, where, np.array([center]), np.array([block.number("radius")]))


def _specified_circles(values: InitialValues, block: Block, variable: str, where: tuple[Array, ...]) -> Array:
    x, y = block.numbers("x_positions"), block.numbers("y_positions")
    z, radii = block.numbers("z_positions", default=(0.0,) * len(x)), block.numbers("radii")
    if not len(x) == len(y) == len(z) == len(radii):
        raise block.refused("x_positions, y_positions, z_positions and radii must be of one length", "radii")
    return _circles(values.mesh, block, where, np.stack([x, y, z], axis=1), np.asarray(radii))


def _multi_circles(values: InitialValues, block: Block, variable: str, where: tuple[Array, ...]) -> Array:
    count, radius = block.integer("numbub"), block.number("radius")
    variation = block.number("radius_variation", default=0.0)
    kind = block.choice("radius_variation_type", options=("uniform", "normal", "none"), default="none")
    stream = np.random.RandomState(block.integer("rand_seed", default=12345))
    if kind == "uniform":
        radii = radius * (1 + (1 - 2 * stream.random_sample(count)) * variation)
    elif kind == "normal":
        radii = radius + variation * stream.standard_normal(count)
    else:
        radii = np.full(count, radius)
    return _circles(values.mesh, block, where, _placed(values.mesh, block, stream, count), np.maximum(radii, 0.0))


def _placed(mesh: UniformMesh, block: Block, stream: np.random.RandomState, count: int) -> Array:
    """Place centres one by one, three random numbers per try."""
    spacing, most = block.number("bubspac"), block.integer("numtries", default=1000)
    lower, lengths = np.zeros(3), np.zeros(3)
    lower[: mesh.dimension], lengths[: mesh.dimension] = mesh.lower, mesh.lengths
    centers = np.empty((0, 3))
    while len(centers) < count:
        for _ in range(most):
            candidate = lower + lengths * stream.random_sample(3)
            apart = minimum_image(mesh, (centers - candidate)[:, : mesh.dimension])
            if np.all(np.linalg.norm(apart, axis=1) >= spacing):
                centers = np.vstack([centers, candidate])
                break
        else:
            raise block.refused("Too many tries in MultiSmoothCircleIC", "numtries")
    return centers


def _circles(mesh: UniformMesh, block: Block, where: tuple[Array, ...], centers: Array, radii: Array) -> Array:
    inside, outside = block.number("invalue"), block.number("outvalue")
    width = block.number("int_width", default=0.0)
    profile = block.choice("profile", options=("COS", "TANH"), default="COS")
    out = np.full(where[0].shape, outside)
    for center, radius in zip(centers, radii, strict=True):
        vectors = minimum_image(mesh, np.stack([one - c for one, c in zip(where, center, strict=False)], axis=-1))
        distance = np.linalg.norm(vectors, axis=-1)
        value = outside + (inside - outside) * _profile(distance, float(radius), width, profile)
        out = np.maximum(out, value) if inside >= outside else np.minimum(out, value)
    return out


def _profile(distance: Array, radius: float, width: float, profile: str) -> Array:
    """Return 1 inside, 0 outside."""
    if width == 0:
        return (distance <= radius).astype(float)
    if profile == "TANH":
        return np.asarray(0.5 * (1 + np.tanh(2 * (radius - distance) / width)))
    position = np.clip((distance - radius + width / 2) / width, 0.0, 1.0)
    return np.asarray(0.5 * (1 + np.cos(np.pi * position)))


def _polycrystal(values: InitialValues, block: Block, variable: str, where: tuple[Array, ...]) -> Array:
    name = block.text("polycrystal_ic_uo")
    if name not in values.voronoi:
        known = " ".join(values.voronoi) or "none"
        raise block.refused(f"Unable to find user object with name '{name}'; there are: {known}", "polycrystal_ic_uo")
    return values.voronoi[name].order_parameter(block.integer("op_index"))


def _polycrystal_random(values: InitialValues, block: Block, variable: str, where: tuple[Array, ...]) -> Array:
    kind = block.choice("random_type", options=("continuous", "discrete"), default="discrete")
    stream = values.global_stream(block.integer("rand_seed", default=0))
    numbers = stream.random_sample(where[0].shape)
    if kind == "continuous":
        return numbers
    return np.asarray(np.floor(block.integer("op_num") * numbers) == block.integer("op_index"), dtype=float)


_BUILDERS: dict[str, Callable[[InitialValues, Block, str, tuple[Array, ...]], Array]] = {
    "ConstantIC": _constant,
    "FunctionIC": _function,
    "RandomIC": _random,
    "BoundingBoxIC": _bounding_box,
    "RampIC": _ramp,
    "SmoothCircleIC": _smooth_circle,
    "SpecifiedSmoothCircleIC": _specified_circles,
    "MultiSmoothCircleIC": _multi_circles,
    "PolycrystalColoringIC": _polycrystal,
    "PolycrystalRandomIC": _polycrystal_random,
}
