"""Matrices, transforms and derivatives of the embedded solver against each other."""

import numpy as np
import pytest

from towline.simulations.moose.solver.fields import Fields
from towline.simulations.moose.solver.grain_growth_term import GrainGrowthTerm
from towline.simulations.moose.solver.krylov import gmres
from towline.simulations.moose.solver.mesh import UniformMesh
from towline.simulations.moose.solver.quadrature import gradients_at_points, values_at_points
from towline.simulations.moose.solver.spectral import ConstantCoefficientSolver, SpectralBasis
from towline.simulations.moose.solver.tensor_operators import mass_and_stiffness
from towline.simulations.moose.solver.weak_form import ConstantCoefficients, WeakForm

MESHES = [
    ((7,), (False,)),
    ((6,), (True,)),
    ((5, 8), (True, False)),
    ((4, 6), (False, False)),
    ((4, 5, 6), (True, False, True)),
]


def mesh_of(counts, periodic):
    size = tuple(1.0 + direction for direction in range(len(counts)))
    return UniformMesh(counts, (0.0,) * len(counts), size, periodic)


@pytest.mark.parametrize(("counts", "periodic"), MESHES)
def test_mass_and_stiffness_are_the_quadratic_forms_of_the_elements(counts, periodic):
    mesh, random = mesh_of(counts, periodic), np.random.default_rng(0)
    u, v = random.random((2, 1, *mesh.node_shape))
    weight = mesh.element_volume / 2**mesh.dimension
    at_points = [values_at_points(mesh.extended(one), mesh.dimension) for one in (u, v)]
    slopes = [gradients_at_points(mesh.extended(one), mesh.spacings) for one in (u, v)]
    assert np.sum(v * mass_and_stiffness(mesh, u, None)) == pytest.approx(weight * np.sum(at_points[0] * at_points[1]))
    stiff = weight * sum(np.sum(a * b) for a, b in zip(*slopes, strict=True))
    assert np.sum(v * mass_and_stiffness(mesh, np.zeros_like(u), u)) == pytest.approx(stiff)


@pytest.mark.parametrize(("counts", "periodic"), MESHES)
def test_coupled_constant_coefficients_are_inverted_exactly(counts, periodic):
    mesh = mesh_of(counts, periodic)
    u = np.random.default_rng(1).random((2, *mesh.node_shape))
    mass, stiffness = np.array([[1.0, 2.0], [0.3, 4.0]]), np.array([[1.0, 0.0], [0.5, 2.0]])
    image = mass_and_stiffness(mesh, np.tensordot(mass, u, 1), np.tensordot(stiffness, u, 1))
    basis = SpectralBasis(mesh, ((False, False),) * mesh.dimension)
    np.testing.assert_allclose(ConstantCoefficientSolver(basis, mass, stiffness)(image), u, atol=1e-12)


def test_fixed_sides_are_inverted_exactly_on_the_free_nodes():
    mesh = mesh_of((6, 5), (False, True))
    u = np.random.default_rng(2).random((1, *mesh.node_shape))
    u[..., 0] = 0
    image = mass_and_stiffness(mesh, 2 * u, 3 * u)
    image[..., 0] = 0
    basis = SpectralBasis(mesh, ((True, False), (False, False)))
    np.testing.assert_allclose(
        ConstantCoefficientSolver(basis, np.array([[2.0]]), np.array([[3.0]]))(image), u, atol=1e-12
    )


class Copper:
    """Properties of a made-up metal."""

    def evaluate(self, points, name, by):
        return {"L": 0.3, "mu": 1.7, "gamma_asymm": 1.5}[name]


def test_the_jacobian_of_grain_growth_is_the_derivative_of_the_residual():
    mesh, random = mesh_of((9, 7), (True, False)), np.random.default_rng(3)
    names = ("a", "b", "c")
    form = WeakForm(
        mesh,
        ConstantCoefficients(np.eye(3), np.zeros((3, 3)), 0.2 * np.eye(3)),
        [GrainGrowthTerm((0, 1, 2))],
        properties=Copper(),
    )
    u, direction = random.random((2, 3, *mesh.node_shape))

    def residual(values):
        return form.residual(Fields(mesh, names, values), 2.0 * values, 0.0)

    difference = (residual(u + 1e-5 * direction) - residual(u - 1e-5 * direction)) / 2e-5
    product = form.linearised(Fields(mesh, names, u), 2.0, 0.0)(direction)
    np.testing.assert_allclose(product, difference, rtol=1e-6, atol=1e-8)


def test_gmres_solves_across_restarts_and_tells_true_residuals():
    random = np.random.default_rng(4)
    matrix = np.diag(np.linspace(1, 50, 60)) + 0.1 * random.random((60, 60))
    right = random.random(60)
    found = gmres(
        lambda x: matrix @ x,
        right,
        lambda x: x,
        relative_tolerance=1e-10,
        absolute_tolerance=0,
        maximum_iterations=500,
        restart=12,
    )
    assert found.reason == "CONVERGED_RTOL"
    assert np.linalg.norm(right - matrix @ found.solution) <= 1.1e-10 * np.linalg.norm(right)
