"""Values at the Gauss points of a uniform mesh, and the way back to its nodes.

First-order elements are integrated with two Gauss points per direction, which is exact for products of two shape
functions. Everything is done direction by direction on arrays of shape ``(…, points, z, y, x)``.
"""

import math

import numpy as np

from towline.simulations.moose.solver.mesh import Array

#: Distance of a Gauss point from the middle of an element, as a part of the element's length: 1/(2√3).
GAUSS_OFFSET = 0.5 / math.sqrt(3.0)

# Both ends of an interval add up to sum ± √⅓·difference, times ½. The halves of all directions are applied at once to
# the nodes, which are fewer than the points.
_SLOPE = 2 * GAUSS_OFFSET


def values_at_points(corner: Array, dimension: int) -> Array:
    """Interpolate nodal values to the Gauss points.

    Parameters
    ----------
    corner
        Shape ``(fields, nodes …)`` with one node more than elements in each of the last ``dimension`` axes.

    Returns
    -------
    Array
        Shape ``(fields, 2**dimension, elements …)``; the bits of the point number are z, y, x.
    """
    out = corner[:, None] * 0.5**dimension
    for axis in range(-dimension, 0):
        out = _both_points(out, axis)
    return out


def _both_points(array: Array, axis: int) -> Array:
    """Return twice the values at both points of every interval."""
    low, high = _pair(array, axis)
    fields, points = array.shape[:2]
    out = np.empty((fields, points, 2, *low.shape[2:]), dtype=array.dtype)
    first, second = out[:, :, 0], out[:, :, 1]
    np.subtract(high, low, out=second)
    second *= _SLOPE
    total = low + high
    np.subtract(total, second, out=first)
    second += total
    return out.reshape(fields, points * 2, *low.shape[2:])


def gradients_at_points(corner: Array, spacings: tuple[float, ...]) -> list[Array]:
    """Return the derivatives by x, y, z at the Gauss points, each shaped as by `values_at_points`."""
    dimension = len(spacings)
    derivatives = []
    for direction, spacing in enumerate(spacings):
        out = corner[:, None] * 0.5 ** (dimension - 1)
        for axis in range(-dimension, 0):
            if axis == -1 - direction:
                low, high = _pair(out, axis)
                slope = (high - low) / spacing
                out = np.repeat(slope, 2, axis=1)
            else:
                out = _both_points(out, axis)
        derivatives.append(out)
    return derivatives


def tested_with_values(density: Array, dimension: int) -> Array:
    """Sum a density at the points times the shape functions into the nodes (weights not included).

    The transpose of `values_at_points`.
    """
    out = density
    for axis in range(-1, -dimension - 1, -1):
        out = _to_corners(out, axis)
    return out[:, 0] * 0.5**dimension


def tested_with_gradients(flux: list[Array], spacings: tuple[float, ...]) -> Array:
    """Sum a flux at the points times the gradients of the shape functions into the nodes (weights not included)."""
    dimension = len(spacings)
    total: Array | None = None
    for direction, component in enumerate(flux):
        out = component
        for axis in range(-1, -dimension - 1, -1):
            out = _slopes_to_corners(out, axis) if axis == -1 - direction else _to_corners(out, axis)
        out *= 0.5 ** (dimension - 1) / spacings[direction]
        total = out if total is None else total + out
    assert total is not None
    return total[:, 0]


def _to_corners(array: Array, axis: int) -> Array:
    """Contract the fastest bit of the point number along ``axis``: twice the sums at the nodes of all intervals."""
    first, second = _points(array)
    slope = second - first
    slope *= _SLOPE
    total = first + second
    return _at_ends(total - slope, np.add(total, slope, out=total), axis)


def _slopes_to_corners(array: Array, axis: int) -> Array:
    """Contract as `_to_corners`, but tested with the derivative of the shape functions (times the spacing)."""
    first, second = _points(array)
    total = first + second
    return _at_ends(-total, total, axis)


def _points(array: Array) -> tuple[Array, Array]:
    pairs = array.reshape(array.shape[0], array.shape[1] // 2, 2, *array.shape[2:])
    return pairs[:, :, 0], pairs[:, :, 1]


def _at_ends(low: Array, high: Array, axis: int) -> Array:
    """Sum the values that belong to the low and to the high end of every interval at the nodes."""
    shape = list(low.shape)
    shape[axis] += 1
    out = np.empty(shape, dtype=low.dtype)
    inner, first, last = [slice(None)] * low.ndim, [slice(None)] * low.ndim, [slice(None)] * low.ndim
    inner[axis], first[axis], last[axis] = slice(1, -1), slice(0, 1), slice(-1, None)
    upper_low, lower_high = _pair(high, axis)[0], _pair(low, axis)[1]
    np.add(lower_high, upper_low, out=out[tuple(inner)])
    out[tuple(first)], out[tuple(last)] = low[tuple(first)], high[tuple(last)]
    return out


def _pair(array: Array, axis: int) -> tuple[Array, Array]:
    """Views of the low and the high end of every interval along an axis."""
    low = [slice(None)] * array.ndim
    high = [slice(None)] * array.ndim
    low[axis], high[axis] = slice(None, -1), slice(1, None)
    return array[tuple(low)], array[tuple(high)]


def gauss_coordinates(lower: float, spacing: float, first: int, count: int) -> Array:
    """Return the coordinates of the two Gauss points of ``count`` elements from number ``first``; shape (2, count)."""
    middle = lower + spacing * (first + np.arange(count) + 0.5)
    return np.stack([middle - GAUSS_OFFSET * spacing, middle + GAUSS_OFFSET * spacing])
