"""Reading fields from the Exodus files of a run, of MOOSE or of the embedded solver, as values on a regular grid."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from towline.simulations.moose.output_files import UnreadableOutput

Array = NDArray[np.float64]

#: The corners of an element come before the nodes on its edges.
_CORNERS = {"EDGE": 2, "BAR": 2, "QUAD": 4, "SHELL": 4, "HEX": 8, "TRI": 3, "TET": 4}
#: Cells of a grid beyond which a finely refined corner would fill the memory.
_MOST_CELLS = 40_000_000


@dataclass(frozen=True)
class Grid:
    """A regular grid over the box of a mesh, with the element that each cell lies in."""

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    #: Of arrays: the last axis is x.
    shape: tuple[int, ...]
    elements: NDArray[np.int64]

    @property
    def spacings(self) -> tuple[float, ...]:
        """Size of a cell along x, y, z."""
        sides = zip(self.lower, self.upper, reversed(self.shape), strict=True)
        return tuple((high - low) / count for low, high, count in sides)

    @property
    def cell_volume(self) -> float:
        """Length, area or volume of a cell."""
        return float(np.prod(self.spacings))


class Snapshots:
    """The fields of a run at the times at which they were written; use it in a ``with``.

    A mesh that was adapted continues in files ``.e-s002``, ``.e-s003``; they are read as one. Values are those at the
    centres of the elements, the mean of the corners for a nodal variable. The grid has the smallest elements.

    Raises
    ------
    UnreadableOutput
        The file is missing, or is no Exodus file with a box of elements.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pieces: list[_Piece] = []
        self._records: list[tuple[int, int]] = []
        times: list[float] = []
        for part in _parts(path):
            piece = _Piece(part)
            self._pieces.append(piece)
            for record, time in enumerate(piece.whole_times()):
                # What is written again, at the end or after a restart, replaces what was there.
                while times and time <= times[-1]:
                    times.pop()
                    self._records.pop()
                times.append(time)
                self._records.append((len(self._pieces) - 1, record))
        self.times: Array = np.array(times)

    def __enter__(self) -> "Snapshots":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for piece in self._pieces:
            piece.close()

    def __len__(self) -> int:
        """Return how many times there are."""
        return len(self._records)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the variables, nodal ones first."""
        return (*self._pieces[0].nodal, *self._pieces[0].elemental)

    def names_like(self, pattern: str) -> tuple[str, ...]:
        """Return the names that a regular expression matches as a whole, ``gr2`` before ``gr10``."""
        found = [name for name in self.names if re.fullmatch(pattern, name)]
        return tuple(sorted(found, key=lambda name: (re.sub(r"\d+", "", name), *map(int, re.findall(r"\d+", name)))))

    def grid(self, index: int = 0) -> Grid:
        """Return the grid at a time."""
        return self._pieces[self._records[index][0]].grid

    def field(self, name: str, index: int) -> Array:
        """Return a variable on the grid at a time, of shape ``(y, x)`` or ``(z, y, x)``.

        Raises
        ------
        UnreadableOutput
            There is no such variable, or its values cannot be read.
        """
        place, record = self._records[index]
        return self._pieces[place].values(name, record)

    def fields(self, names: Sequence[str], index: int) -> Array:
        """Return several variables at a time, stacked along a first axis."""
        return np.stack([self.field(name, index) for name in names])


class _Piece:
    """One file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = netCDF4.Dataset(path)
            self._file.set_auto_mask(False)
            variables = self._file.variables
            self.times = np.asarray(variables["time_whole"][:], dtype=float)
            self.nodal, self.elemental = self._names("nod"), self._names("elem")
            self._blocks = [np.asarray(variables[name][:]) - 1 for name in _numbered(variables, "connect")]
            kinds = [str(variables[name].elem_type).upper() for name in _numbered(variables, "connect")]
            self._corners = [
                block[:, : next((n for kind, n in _CORNERS.items() if word.startswith(kind)), block.shape[1])]
                for block, word in zip(self._blocks, kinds, strict=True)
            ]
            self.grid = self._make_grid()
        except (OSError, RuntimeError, KeyError, ValueError, IndexError, AttributeError) as error:
            raise UnreadableOutput(f"{path} cannot be read as an Exodus file: {error}") from error

    def close(self) -> None:
        self._file.close()

    def whole_times(self) -> list[float]:
        """Return the times up to the first that falls: what a cut file misses is read as zeros."""
        falls = np.flatnonzero(~(np.diff(self.times) >= 0))
        return [float(one) for one in self.times[: falls[0] + 1 if len(falls) else None]]

    def _names(self, kind: str) -> tuple[str, ...]:
        variable = self._file.variables.get(f"name_{kind}_var")
        if variable is None:
            return ()
        return tuple(b"".join(row).decode(errors="replace").rstrip("\0 ") for row in np.asarray(variable[:]))

    def _coordinates(self) -> Array:
        variables = self._file.variables
        names = [name for name in ("coordx", "coordy", "coordz") if name in variables]
        found = [variables[name][:] for name in names] if names else list(variables["coord"][:])
        return np.array([one for one in found if np.ptp(one) > 0], dtype=float)

    def _make_grid(self) -> Grid:
        nodes = self._coordinates()
        corners = [nodes[:, block] for block in self._corners]
        sizes = np.concatenate([np.ptp(one, axis=2) for one in corners], axis=1)
        if not sizes.size or (sizes <= 0).any():
            raise ValueError("it has elements without a size; the file is cut off")
        lower, upper = nodes.min(axis=1), nodes.max(axis=1)
        counts = np.rint((upper - lower) / sizes.min(axis=1)).astype(int)
        if np.prod(counts.astype(float)) > _MOST_CELLS:
            raise ValueError(f"its finest elements would make a grid of {' x '.join(map(str, counts))} cells")
        elements = _elements_of_cells(lower, counts, (upper - lower) / counts, corners)
        return Grid(tuple(lower), tuple(upper), tuple(int(count) for count in counts[::-1]), elements)

    def values(self, name: str, record: int) -> Array:
        try:
            if name in self.nodal:
                at_nodes = np.asarray(self._file[f"vals_nod_var{self.nodal.index(name) + 1}"][record], dtype=float)
                per_element = np.concatenate([at_nodes[block].mean(axis=1) for block in self._corners])
            elif name in self.elemental:
                place = self.elemental.index(name) + 1
                names = [f"vals_elem_var{place}eb{block + 1}" for block in range(len(self._blocks))]
                per_element = np.concatenate([np.asarray(self._file[one][record], dtype=float) for one in names])
            else:
                known = ", ".join((*self.nodal, *self.elemental))
                raise UnreadableOutput(f"{self._path} has no variable '{name}'. It has: {known}")
            return np.asarray(per_element[self.grid.elements].reshape(self.grid.shape))
        except (OSError, RuntimeError, IndexError) as error:
            raise UnreadableOutput(f"{self._path}: the values of '{name}' cannot be read: {error}") from error


def _elements_of_cells(lower: Array, counts: NDArray[np.int64], spacings: Array, corners: Sequence[Array]) -> Any:
    """Return the element of each cell, x fastest; elements of several sizes are painted size by size.

    ``corners`` has an array of shape (axis, element, corner) per block.
    """
    first = np.concatenate([one.min(axis=2) for one in corners], axis=1)
    last = np.concatenate([one.max(axis=2) for one in corners], axis=1)
    begin = np.rint((first - lower[:, None]) / spacings[:, None]).astype(int)
    cells = np.maximum(np.rint((last - first) / spacings[:, None]).astype(int), 1)
    out = np.full(tuple(counts[::-1]), -1)
    for size in np.unique(cells, axis=1).T:
        chosen = np.flatnonzero((cells == size[:, None]).all(axis=0))
        for offset in np.ndindex(*size):
            place = np.minimum(begin[:, chosen] + np.array(offset)[:, None], counts[:, None] - 1)
            out[tuple(place[::-1])] = chosen
    if (out < 0).any():
        raise ValueError("its elements leave holes in the box")
    return out.ravel()


def _numbered(variables: dict[str, Any], prefix: str) -> list[str]:
    found = [name for name in variables if re.fullmatch(rf"{prefix}\d+", name)]
    return sorted(found, key=lambda name: int(name[len(prefix) :]))


def _parts(path: Path) -> Iterator[Path]:
    yield path
    more = [one for one in path.parent.glob(f"{path.name}-s*") if one.name[len(path.name) + 2 :].isdigit()]
    yield from sorted(more, key=lambda one: int(one.name[len(path.name) + 2 :]))
