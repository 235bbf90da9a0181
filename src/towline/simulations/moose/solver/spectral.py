"""Transforms in which the mass and stiffness matrices of a uniform mesh are diagonal, and solvers built on them.

A periodic direction has Fourier modes. A natural one has cosine modes: with W = diag(½, 1, …, 1, ½) the pair (M, K) has
the generalised eigenvectors cos(πkj/n), so a right side is divided by W and transformed by the DCT of type I. The modes
of a direction with Dirichlet sides are those of the inner nodes; such directions are done with dense matrices.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.fft  # type: ignore[import-untyped]  # ships no types
from numpy.typing import NDArray

from towline.simulations.moose.solver.mesh import Array, UniformMesh

Modes = NDArray[Any]

#: Threads of one transform.
WORKERS = 2


@dataclass(frozen=True)
class SpectralBasis:
    """Simultaneous diagonalisation of mass and stiffness.

    ``fixed`` says, per direction, whether the lower and the upper side have a Dirichlet condition.
    """

    mesh: UniformMesh
    fixed: tuple[tuple[bool, bool], ...]

    @cached_property
    def symbols(self) -> tuple[Array, Array]:
        """Eigenvalues of M and K relative to the weights W, shaped as the modes."""
        mass, stiffness = np.ones((1,) * self.mesh.dimension), np.zeros((1,) * self.mesh.dimension)
        real_axis = self._fourier_axes[-1] if self._fourier_axes else None
        for direction in range(self.mesh.dimension):
            axis = self.mesh.axis(direction)
            difference = self._second_difference(direction, halved=axis == real_axis)
            shape = [1] * self.mesh.dimension
            shape[axis] = len(difference)
            spacing = self.mesh.spacings[direction]
            one_mass = (spacing * (1 - difference / 6)).reshape(shape)
            one_stiffness = (difference / spacing).reshape(shape)
            mass, stiffness = mass * one_mass, stiffness * one_mass + mass * one_stiffness
        return mass, stiffness

    def _second_difference(self, direction: int, *, halved: bool) -> Array:
        """Eigenvalues of −D along one direction."""
        count = self.mesh.counts[direction]
        if self.mesh.periodic[direction]:
            modes = np.arange(count // 2 + 1) if halved else np.arange(count)
            angles = 2 * np.pi * modes / count
        elif any(self.fixed[direction]):
            return self._dense[direction][0]
        else:
            angles = np.pi * np.arange(count + 1) / count
        return np.asarray(2 - 2 * np.cos(angles))

    @cached_property
    def _dense(self) -> dict[int, tuple[Array, Array]]:
        """Eigenvalues of −D and eigenvectors in the directions with a fixed side, zero on the fixed nodes."""
        found = {}
        for direction, (low, high) in enumerate(self.fixed):
            if not (low or high):
                continue
            size = self.mesh.counts[direction] + 1
            inner = slice(int(low), size - int(high))
            weights = np.ones(size)
            weights[[0, -1]] = 0.5
            matrix = 2 * np.eye(size) - np.eye(size, k=1) - np.eye(size, k=-1)
            matrix[0, 0] = matrix[-1, -1] = 1
            scale = 1 / np.sqrt(weights[inner])
            values, vectors = np.linalg.eigh(scale[:, None] * matrix[inner, inner] * scale)
            full = np.zeros((size, len(values)))
            full[inner] = scale[:, None] * vectors
            found[direction] = (values, full)
        return found

    @cached_property
    def _fourier_axes(self) -> tuple[int, ...]:
        return tuple(sorted(self.mesh.axis(d) for d in range(self.mesh.dimension) if self.mesh.periodic[d]))

    @cached_property
    def _cosine_axes(self) -> tuple[int, ...]:
        natural = (d for d in range(self.mesh.dimension) if not self.mesh.periodic[d] and not any(self.fixed[d]))
        return tuple(sorted(self.mesh.axis(d) for d in natural))

    def forward(self, residual: Array) -> Modes:
        """Transform right sides, shape ``(fields, *node_shape)``, after division by W."""
        out: Modes = residual
        for axis in self._cosine_axes:
            out = np.array(out) if out is residual else out
            for end in (0, -1):
                out[_at(out.ndim, axis, end)] *= 2
        for direction, (_, vectors) in self._dense.items():
            out = _contract(out, vectors.T, self.mesh.axis(direction))
        if self._cosine_axes:
            out = scipy.fft.dctn(out, type=1, axes=self._cosine_axes, workers=WORKERS)
        if self._fourier_axes:
            out = scipy.fft.rfftn(out, axes=self._fourier_axes, workers=WORKERS)
        return out

    def backward(self, modes: Modes) -> Array:
        """Transform back to nodal values, shape ``(fields, *node_shape)``."""
        out: Modes = modes
        if self._fourier_axes:
            shape = [self.mesh.node_shape[axis] for axis in self._fourier_axes]
            out = scipy.fft.irfftn(out, s=shape, axes=self._fourier_axes, workers=WORKERS, overwrite_x=True)
        if self._cosine_axes:
            out = scipy.fft.idctn(out, type=1, axes=self._cosine_axes, workers=WORKERS, overwrite_x=True)
        for direction, (_, vectors) in self._dense.items():
            out = _contract(out, vectors, self.mesh.axis(direction))
        return out


def _contract(array: Modes, matrix: Array, axis: int) -> Modes:
    return np.moveaxis(np.tensordot(matrix, array, axes=(1, axis)), 0, axis)


def _at(dimensions: int, axis: int, index: int) -> tuple[slice | int, ...]:
    where: list[slice | int] = [slice(None)] * dimensions
    where[axis] = index
    return tuple(where)


class ConstantCoefficientSolver:
    """Exact inverse of the operator ``A_ij = mass_ij·M + stiffness_ij·K`` between fields, mode by mode.

    Parameters
    ----------
    basis
        The modes.
    mass, stiffness
        Coefficients, shape ``(fields, fields)``.
    """

    def __init__(self, basis: SpectralBasis, mass: Array, stiffness: Array) -> None:
        self._basis = basis
        self._blocks = [
            (block, _inverse(basis, mass[np.ix_(block, block)], stiffness[np.ix_(block, block)]))
            for block in _coupled_blocks((mass != 0) | (stiffness != 0))
        ]

    @property
    def spread(self) -> float:
        """Ratio of the largest to the smallest eigenvalue, infinite if fields are coupled."""
        if any(len(block) > 1 for block, _ in self._blocks):
            return float("inf")
        sizes = np.concatenate([np.abs(inverse).ravel() for _, inverse in self._blocks])
        return float(sizes.max() / sizes.min())

    def __call__(self, residual: Array) -> Array:
        """Solve for right sides of shape ``(fields, *node_shape)``."""
        modes = self._basis.forward(residual)
        for block, exact in self._blocks:
            inverse = exact.astype(modes.real.dtype, copy=False)
            if len(block) == 1:
                modes[block[0]] *= inverse[0, 0]
            else:
                modes[block] = np.einsum("ij...,j...->i...", inverse, modes[block])
        return self._basis.backward(modes)


def _inverse(basis: SpectralBasis, mass: Array, stiffness: Array) -> Array:
    mass_symbol, stiffness_symbol = basis.symbols
    if len(mass) == 1:
        single = mass[0, 0] * mass_symbol + stiffness[0, 0] * stiffness_symbol
        largest = np.abs(single).max() or 1.0
        return np.asarray(1 / np.where(np.abs(single) < 1e-14 * largest, largest, single))[None, None]
    symbol = np.multiply.outer(mass_symbol, mass) + np.multiply.outer(stiffness_symbol, stiffness)
    # A mode without any stiffness of its own (the constant in a pure Neumann problem) is left alone.
    scale = np.abs(symbol).max()
    singular = np.abs(np.linalg.det(symbol)) < 1e-14 * scale ** len(mass)
    symbol[singular] = np.eye(len(mass)) * (scale or 1.0)
    return np.ascontiguousarray(np.moveaxis(np.linalg.inv(symbol), (-2, -1), (0, 1)))


def _coupled_blocks(coupled: NDArray[np.bool_]) -> list[list[int]]:
    """Sets of fields that are connected by any coefficient."""
    remaining = set(range(len(coupled)))
    blocks = []
    while remaining:
        block = _reach(min(remaining), coupled | coupled.T)
        remaining -= block
        blocks.append(sorted(block))
    return blocks


def _reach(start: int, linked: NDArray[np.bool_]) -> set[int]:
    found, pending = {start}, [start]
    while pending:
        for other in np.flatnonzero(linked[pending.pop()]):
            if int(other) not in found:
                found.add(int(other))
                pending.append(int(other))
    return found
