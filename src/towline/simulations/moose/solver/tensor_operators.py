"""Mass and stiffness matrices of a uniform mesh, applied direction by direction, never assembled.

In one direction of spacing h the consistent mass matrix is h(W + D/6) and the stiffness matrix −D/h. D is the second
difference; W is 1, but ½ at the ends of a direction that is not periodic. The matrices of the mesh are tensor products.
"""

import numpy as np

from towline.simulations.moose.solver.mesh import Array, UniformMesh


def mass_and_stiffness(mesh: UniformMesh, mass_input: Array, stiffness_input: Array | None) -> Array:
    """Return ``M·mass_input + K·stiffness_input``.

    Parameters
    ----------
    mass_input, stiffness_input
        Nodal values, shape ``(fields, *mesh.node_shape)``; None stands for zero.
    """
    # With M_d and K_d of direction d, (total, pending) → (M_d·total + K_d·pending, M_d·pending) builds the sum of the
    # products that hold exactly one stiffness, and the product of all masses, in one sweep.
    total, pending = mass_input, stiffness_input
    for direction in range(mesh.dimension):
        axis, spacing, periodic = mesh.axis(direction), mesh.spacings[direction], mesh.periodic[direction]
        differenced = total * (spacing / 6)
        if pending is not None:
            differenced -= pending * (1 / spacing)
        total = _weighted(total, axis, spacing, periodic)
        _add_second_difference(total, differenced, axis, periodic)
        if pending is not None and direction + 1 < mesh.dimension:
            smoothed = _weighted(pending, axis, spacing, periodic)
            _add_second_difference(smoothed, pending * (spacing / 6), axis, periodic)
            pending = smoothed
    return total


def _weighted(values: Array, axis: int, spacing: float, periodic: bool) -> Array:
    out = values * spacing
    if not periodic:
        out[_at(values.ndim, axis, 0)] *= 0.5
        out[_at(values.ndim, axis, -1)] *= 0.5
    return out


def _add_second_difference(out: Array, values: Array, axis: int, periodic: bool) -> None:
    low, high = [slice(None)] * values.ndim, [slice(None)] * values.ndim
    low[axis], high[axis] = slice(None, -1), slice(1, None)
    step = values[tuple(high)] - values[tuple(low)]
    out[tuple(low)] += step
    out[tuple(high)] -= step
    if periodic:
        first, last = _at(values.ndim, axis, 0), _at(values.ndim, axis, -1)
        wrapped = values[first] - values[last]
        out[last] += wrapped
        out[first] -= wrapped


def _at(dimensions: int, axis: int, index: int) -> tuple[slice | int, ...]:
    where: list[slice | int] = [slice(None)] * dimensions
    where[axis] = index
    return tuple(where)


def lumped_weights(mesh: UniformMesh) -> Array:
    """Return the integral of every shape function; shape ``mesh.node_shape``."""
    return np.asarray(mass_and_stiffness(mesh, np.ones((1, *mesh.node_shape)), None)[0])
