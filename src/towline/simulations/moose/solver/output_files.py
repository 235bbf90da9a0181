"""CSV files, by the rules of MOOSE: columns in ASCII order, 14 digits, a row as soon as it is known.

A run can be killed at any moment: a table of rows grows by whole rows, a table of one step is there as a whole or not.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


def digits(value: float) -> str:
    """Return a number with 14 significant digits in general format."""
    return f"{value:.14g}"


@dataclass
class CsvTable:
    """The postprocessors of a run: one row per output."""

    path: Path
    _columns: tuple[str, ...] = ()

    def keep(self, size: int) -> None:
        """Go on with the file after so many bytes, where an earlier run had come to; 0 is none."""
        self._columns = ()
        if size:
            os.truncate(self.path, size)
            with self.path.open() as file:
                self._columns = tuple(file.readline().rstrip("\n").split(",")[1:])

    def write(self, time: float, values: Mapping[str, float]) -> None:
        """Append a row; the first one makes the file and its header."""
        if not self._columns:
            self._columns = tuple(sorted(values))
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(",".join(["time", *self._columns]) + "\n")
        row = ",".join(digits(number) for number in (time, *(values[name] for name in self._columns))) + "\n"
        # Without a buffer, so that a row goes out in one piece however long it is.
        with self.path.open("ab", buffering=0) as file:
            file.write(row.encode())


@dataclass(frozen=True)
class VectorTables:
    """The vector postprocessors of a run: one file per table and output."""

    base: Path
    written: list[Path] = field(default_factory=list)

    def write(self, name: str, step: int, table: Mapping[str, Iterable[float]]) -> None:
        """Write the table of a step; its columns keep their order."""
        path = self.base.with_name(f"{self.base.name}_{name}_{step:04d}.csv")
        rows = zip(*table.values(), strict=True)
        lines = [",".join(table), *(",".join(digits(value) for value in row) for row in rows)]
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.part")
        unfinished.write_text("\n".join(lines) + "\n")
        unfinished.replace(path)
        self.written.append(path)
