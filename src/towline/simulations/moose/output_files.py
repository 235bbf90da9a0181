"""Reading the tables that MOOSE, or the embedded solver, wrote: postprocessors, and vector postprocessors."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from towline.errors import InvalidRequest
from towline.simulations.moose.problems import suggestion


class UnreadableOutput(InvalidRequest):
    """An output file is missing, empty, or no table."""


@dataclass(frozen=True)
class Table:
    """Columns of numbers, all of one length."""

    #: Where it was read from.
    path: Path
    columns: Mapping[str, NDArray[np.float64]]
    #: False if the file ends within a line, as that of a run that goes on, or was killed. A last line with too few
    #: values is left out; the last number of one with enough may lack digits.
    complete: bool = True

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def column(self, name: str) -> NDArray[np.float64]:
        """Return a column.

        Raises
        ------
        UnreadableOutput
            There is none of this name.
        """
        if name not in self.columns:
            known = ", ".join(self.columns)
            raise UnreadableOutput(
                f"{self.path} has no column '{name}'{suggestion(name, self.columns) or '.'} It has: {known}"
            )
        return self.columns[name]

    def series(self, name: str, *, on_initial: bool = False) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return times and values of a column.

        Parameters
        ----------
        on_initial
            Whether its object is executed at the beginning; if not, the zero that stands in the first row is no value
            and is left out.

        Raises
        ------
        UnreadableOutput
            There is no such column, or no column ``time``.
        """
        times, values = self.column("time"), self.column(name)
        skipped = 1 if not on_initial and len(values) and values[0] == 0 else 0
        return times[skipped:], values[skipped:]


def read_table(path: Path) -> Table:
    """Read a CSV file of postprocessors (with ``time``) or of a vector postprocessor (without).

    Empty lines, a missing last line break, ``nan`` and ``inf`` are accepted.

    Raises
    ------
    UnreadableOutput
        The file is missing or empty, or a line other than the last one does not fit the header.
    """
    try:
        text = path.read_bytes().decode("utf-8", errors="replace")
    except OSError as error:
        raise UnreadableOutput(f"{path} cannot be read: {error.strerror}") from error
    lines = [(number, line.strip("\r ")) for number, line in enumerate(text.split("\n"), start=1)]
    filled = [(number, line) for number, line in lines if line]
    if not filled:
        raise UnreadableOutput(f"{path} is empty: the run has not written its header, or the disk was full")
    names = [name.strip() for name in filled[0][1].split(",")]
    _check_header(path, names)
    complete = text.endswith("\n")
    if len(filled) == 1 and not complete:
        raise UnreadableOutput(f"{path} ends within its header: the run was interrupted, or is just beginning")
    rows = []
    for number, line in filled[1:]:
        last = number == filled[-1][0] and not complete
        row = _row(line, len(names))
        if row is not None:
            rows.append(row)
        elif not last:
            raise UnreadableOutput(f"{path}, line {number}: expected {len(names)} numbers, got {_shortened(line)!r}")
    values = np.array(rows, dtype=float).reshape(len(rows), len(names))
    return Table(path, {name: values[:, index] for index, name in enumerate(names)}, complete)


def _check_header(path: Path, names: list[str]) -> None:
    if _row(",".join(names), len(names)) is not None or not all(name.isprintable() for name in names):
        raise UnreadableOutput(f"{path} does not begin with the names of its columns: {_shortened(','.join(names))!r}")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UnreadableOutput(f"{path} has the column {twice[0]!r} more than once")


def _row(line: str, count: int) -> list[float] | None:
    words = line.split(",")
    if len(words) != count:
        return None
    try:
        return [float(word) for word in words]
    except ValueError:
        return None


def _shortened(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."
