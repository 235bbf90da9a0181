"""The mesh of an input as an Exodus file, for a look at it before anything is solved."""

from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from towline.errors import InvalidRequest
from towline.simulations.moose.checking import CheckedInput
from towline.simulations.moose.tree import Section

#: More nodes than this are refused: the file would have gigabytes.
_MOST_NODES = 50_000_000

_CELLS = {1: "line", 2: "quad", 3: "hexahedron"}
#: Corners of an element of the box, counter-clockwise at the bottom, then at the top.
_CORNERS = ((0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1))


def write_mesh(checked: CheckedInput, path: Path) -> int:
    """Write the generated mesh of an input and return the number of its elements.

    Parameters
    ----------
    path
        Of the Exodus file; it is replaced.

    Raises
    ------
    InvalidRequest
        The mesh has more than 50 million nodes, or its box has no size.
    """
    section = _generated(checked.tree)
    dimension = int(section.text("dim", "1"))
    refinement = 2 ** int(checked.tree.text("Mesh/uniform_refine", "0"))
    counts = tuple(int(section.text(f"n{axis}", "1")) * refinement for axis in "xyz"[:dimension])
    nodes = prod(count + 1 for count in counts)
    if nodes > _MOST_NODES:
        gigabytes = nodes * 8 * (3 + 2**dimension) / 1e9
        raise InvalidRequest(f"a mesh of {nodes:g} nodes is not written: it would need {gigabytes:.3g} GB of memory")
    axes = [_axis(section, axis, count) for axis, count in zip("xyz", counts, strict=False)]
    _write(path, dimension, axes)
    return prod(counts)


def _generated(tree: Section) -> Section:
    """Return the section that describes the mesh: [Mesh], or its generator."""
    mesh = tree.section("Mesh")
    if mesh is None:
        raise InvalidRequest("the input has no section [Mesh]")
    return mesh if mesh.own_field("dim") is not None or not mesh.sections else mesh.sections[0]


def _axis(section: Section, axis: str, count: int) -> NDArray[np.float64]:
    low, high = float(section.text(f"{axis}min", "0")), float(section.text(f"{axis}max", "1"))
    if not high > low:
        raise InvalidRequest(f"the mesh ends at {axis}max = {high:g}, which is not above {axis}min = {low:g}")
    return np.linspace(low, high, count + 1)


def _write(path: Path, dimension: int, axes: list[NDArray[np.float64]]) -> None:
    import meshio  # type: ignore[import-untyped]  # with its formats a third of a second, which a run does not need

    grids = np.meshgrid(*axes[::-1], indexing="ij")
    points = np.zeros((grids[0].size, 3))
    for direction, grid in enumerate(grids[::-1]):
        points[:, direction] = grid.ravel()
    numbers = np.arange(grids[0].size).reshape(grids[0].shape)
    corners = []
    for corner in _CORNERS[: 2**dimension]:
        # Arrays have their axes in the order z, y, x.
        parts = tuple(slice(one, None) if one else slice(None, -1) for one in corner[:dimension][::-1])
        corners.append(numbers[parts].ravel())
    meshio.write(path, meshio.Mesh(points, [(_CELLS[dimension], np.stack(corners, axis=1))]), file_format="exodus")
