"""Prescribed values and fluxes on whole sides of the mesh."""

from dataclasses import dataclass

import numpy as np

from towline.simulations.moose.solver.blocks import Block
from towline.simulations.moose.solver.fields import Fields
from towline.simulations.moose.solver.functions import ConstantFunction, Function, three
from towline.simulations.moose.solver.kernels import Equations
from towline.simulations.moose.solver.mesh import SIDES, Array, UniformMesh
from towline.simulations.moose.solver.tensor_operators import lumped_weights


@dataclass(frozen=True)
class PrescribedValue:
    """A Dirichlet condition of one variable on one side."""

    row: int
    #: Selects the nodes of the side in an array over the unknown nodes.
    where: tuple[slice | int, ...]
    direction: int
    upper: bool
    function: Function

    def impose(self, fields: Fields, time: float) -> None:
        """Set the values of the side."""
        mesh = fields.mesh
        side = tuple(np.broadcast_to(one, mesh.node_shape)[self.where] for one in mesh.node_coordinates())
        fields.unknowns[self.row][self.where] = self.function.value(time, three(side))


def add_boundary_condition(block: Block, equations: Equations) -> list[PrescribedValue]:
    """Add a flux to the equations, or return the prescribed values of a block.

    Raises
    ------
    InvalidInputFile
        There is no such condition, or a side does not exist.
    """
    mesh, row = equations.fields.mesh, equations.row(block, "variable")
    sides = [_side(name, mesh, block) for name in block.words("boundary")]
    if block.type == "NeumannBC":
        for direction, upper in sides:
            equations.load[row] += block.number("value", default=0.0) * _side_weights(mesh, direction, upper)
        return []
    if block.type == "DirichletBC":
        function: Function = ConstantFunction(block.number("value"))
    elif block.type == "FunctionDirichletBC":
        function = equations.functions.find(block.text("function"), block, "function")
    else:
        raise block.unsupported()
    return [
        PrescribedValue(row, _nodes(mesh, direction, upper), direction, upper, function) for direction, upper in sides
    ]


def _side(name: str, mesh: UniformMesh, block: Block) -> tuple[int, bool]:
    for number, (known, direction, upper) in enumerate(SIDES[mesh.dimension]):
        if name in (known, str(number)):
            if mesh.periodic[direction]:
                raise block.refused(f"the side '{name}' is periodic and cannot have another condition", "boundary")
            return direction, upper
    known_names = " ".join(known for known, _, _ in SIDES[mesh.dimension])
    raise block.refused(f"the mesh has no boundary '{name}'; it has: {known_names}", "boundary")


def _nodes(mesh: UniformMesh, direction: int, upper: bool) -> tuple[slice | int, ...]:
    where: list[slice | int] = [slice(None)] * mesh.dimension
    where[mesh.axis(direction)] = -1 if upper else 0
    return tuple(where)


def _side_weights(mesh: UniformMesh, direction: int, upper: bool) -> Array:
    """Return the integrals of the shape functions over a side."""
    # The weights of the volume are products over directions; half a spacing stands for this one at its ends.
    out = np.zeros(mesh.node_shape)
    where = _nodes(mesh, direction, upper)
    out[where] = lumped_weights(mesh)[where] / (0.5 * mesh.spacings[direction])
    return out
