"""Exodus files of a run: written step by step, whole after every step."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from towline.simulations.moose.solver.mesh import SIDES, Array, UniformMesh

_NAME_LENGTH = 33
_ELEMENTS = {1: "EDGE2", 2: "QUAD4", 3: "HEX8"}
#: Corners of an element in the order of Exodus, as steps along x, y, z.
_CORNERS = {
    1: ((0,), (1,)),
    2: ((0, 0), (1, 0), (1, 1), (0, 1)),
    3: ((0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)),
}
#: The side of an element that lies on a side of the mesh, in the order of Exodus.
_FACES = {
    "left": {1: 1, 2: 4, 3: 4},
    "right": {1: 2, 2: 2, 3: 2},
    "bottom": {2: 1, 3: 1},
    "top": {2: 3, 3: 3},
    "back": {3: 5},
    "front": {3: 6},
}


class ExodusFile:
    """A file that grows by one record per output.

    It has the classic format of netCDF, which every reader of Exodus understands. After each record it is synchronised:
    who kills the run finds all records so far. With ``records`` a file that is there goes on after so many of them.
    """

    def __init__(
        self,
        path: Path,
        mesh: UniformMesh,
        nodal: Sequence[str],
        elemental: Sequence[str],
        numbers: Sequence[str],
        title: str,
        *,
        records: int | None = None,
    ) -> None:
        self._mesh = mesh
        self._nodal, self._elemental, self._numbers = tuple(nodal), tuple(elemental), tuple(numbers)
        self._order = np.argsort(mesh.element_ids.ravel())
        if records is not None:
            _keep_records(path, records)
            self._file = netCDF4.Dataset(path, "r+")
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_OFFSET")
        self._describe(self._file, title)
        self._file.sync()

    def _describe(self, file: netCDF4.Dataset, title: str) -> None:
        file.title = title[:80]
        file.api_version, file.version = np.float32(5.14), np.float32(5.14)
        file.floating_point_word_size, file.file_size = np.int32(8), np.int32(1)
        file.createDimension("time_step", None)
        sizes = {
            "len_string": _NAME_LENGTH, "len_line": 81, "four": 4, "num_dim": self._mesh.dimension,
            "num_nodes": self._mesh.node_count, "num_elem": self._mesh.element_count, "num_el_blk": 1,
            "num_el_in_blk1": self._mesh.element_count, "num_nod_per_el1": 2**self._mesh.dimension,
            "num_side_sets": len(SIDES[self._mesh.dimension]),
        }  # fmt: skip
        for name, size in sizes.items():
            file.createDimension(name, size)
        self._mesh_variables(file)
        self._side_sets(file)
        self._value_variables(file)

    def _mesh_variables(self, file: netCDF4.Dataset) -> None:
        mesh = self._mesh
        for axis, grid in zip("xyz", np.broadcast_arrays(*mesh.full_node_coordinates()), strict=False):
            _fill(file, f"coord{axis}", "f8", ("num_nodes",), grid.ravel())
        _fill(file, "coor_names", "S1", ("num_dim", "len_string"), _texts(list("xyz"[: mesh.dimension])))
        _fill(file, "eb_status", "i4", ("num_el_blk",), [1])
        _fill(file, "eb_prop1", "i4", ("num_el_blk",), [0]).setncattr("name", "ID")
        _fill(file, "eb_names", "S1", ("num_el_blk", "len_string"), _texts([""]))
        corners = self._connectivity()[self._order]
        _fill(file, "connect1", "i4", ("num_el_in_blk1", "num_nod_per_el1"), corners).elem_type = _ELEMENTS[
            mesh.dimension
        ]

    def _connectivity(self) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        mesh = self._mesh
        index = [one.ravel() for one in np.indices(mesh.element_shape)][::-1]
        columns = []
        for corner in _CORNERS[mesh.dimension]:
            node, stride = np.ones_like(index[0]), 1
            for position, step, count in zip(index, corner, mesh.counts, strict=True):
                node = node + (position + step) * stride
                stride *= count + 1
            columns.append(node)
        return np.stack(columns, axis=1)

    def _side_sets(self, file: netCDF4.Dataset) -> None:
        mesh, sides = self._mesh, SIDES[self._mesh.dimension]
        numbers = np.empty(mesh.element_count, dtype=np.int64)
        numbers[self._order] = np.arange(1, mesh.element_count + 1)
        grid = numbers.reshape(mesh.element_shape)
        _fill(file, "ss_status", "i4", ("num_side_sets",), [1] * len(sides))
        _fill(file, "ss_prop1", "i4", ("num_side_sets",), range(len(sides))).setncattr("name", "ID")
        _fill(file, "ss_names", "S1", ("num_side_sets", "len_string"), _texts([name for name, _, _ in sides]))
        for place, (name, direction, upper) in enumerate(sides, start=1):
            edge = mesh.counts[direction] - 1 if upper else 0
            elements = grid.take(edge, axis=mesh.dimension - 1 - direction).ravel()
            file.createDimension(f"num_side_ss{place}", len(elements))
            _fill(file, f"elem_ss{place}", "i4", (f"num_side_ss{place}",), elements)
            _fill(
                file, f"side_ss{place}", "i4", (f"num_side_ss{place}",), [_FACES[name][mesh.dimension]] * len(elements)
            )

    def _value_variables(self, file: netCDF4.Dataset) -> None:
        file.createVariable("time_whole", "f8", ("time_step",))
        groups = (("nod", self._nodal, "num_nodes"), ("elem", self._elemental, "num_el_in_blk1"))
        for kind, names, dimension in groups:
            if not names:
                continue
            file.createDimension(f"num_{kind}_var", len(names))
            _fill(file, f"name_{kind}_var", "S1", (f"num_{kind}_var", "len_string"), _texts(names))
            for place in range(1, len(names) + 1):
                suffix = "" if kind == "nod" else "eb1"
                file.createVariable(f"vals_{kind}_var{place}{suffix}", "f8", ("time_step", dimension))
        if self._numbers:
            file.createDimension("num_glo_var", len(self._numbers))
            _fill(file, "name_glo_var", "S1", ("num_glo_var", "len_string"), _texts(self._numbers))
            file.createVariable("vals_glo_var", "f8", ("time_step", "num_glo_var"))

    def write(
        self, time: float, nodal: Mapping[str, Array], elemental: Mapping[str, Array], numbers: Mapping[str, float]
    ) -> None:
        """Append the values at a time; nodal ones at all nodes, elemental ones per element, both as on the mesh."""
        file = self._file
        record = len(file.dimensions["time_step"])
        file["time_whole"][record] = time
        for place, name in enumerate(self._nodal, start=1):
            file[f"vals_nod_var{place}"][record] = nodal[name].ravel()
        for place, name in enumerate(self._elemental, start=1):
            file[f"vals_elem_var{place}eb1"][record] = elemental[name].ravel()[self._order]
        if self._numbers:
            file["vals_glo_var"][record] = [numbers[name] for name in self._numbers]
        file.sync()

    @property
    def records(self) -> int:
        """How many records there are."""
        return len(self._file.dimensions["time_step"])

    def close(self) -> None:
        """Close the file; nothing can be written any more."""
        self._file.close()


def _keep_records(path: Path, records: int) -> None:
    """Let a file end after so many records; what stands behind them is written over."""
    with path.open("r+b") as stream:
        # The number of records is the second word of the classic format, most significant byte first.
        stream.seek(4)
        stream.write(records.to_bytes(4, "big"))


def _fill(file: netCDF4.Dataset, name: str, kind: str, dimensions: tuple[str, ...], values: Any) -> Any:
    variable = file.createVariable(name, kind, dimensions)
    variable[:] = np.asarray(values)
    return variable


def _texts(words: Sequence[str]) -> np.ndarray[tuple[int, ...], np.dtype[np.bytes_]]:
    out = np.zeros((len(words), _NAME_LENGTH), dtype="S1")
    for row, word in zip(out, words, strict=True):
        encoded = word.encode()[: _NAME_LENGTH - 1]
        row[: len(encoded)] = [encoded[i : i + 1] for i in range(len(encoded))]
    return out
