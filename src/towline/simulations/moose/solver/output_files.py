"""CSV files, by the rules of MOOSE: columns in ASCII order, 14 digits, a row as soon as it is known."""

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

    def write(self, time: float, values: Mapping[str, float]) -> None:
        """Append a row; the first one makes the file and its header."""
        if not self._columns:
            self._columns = tuple(sorted(values))
            self.path.write_text(",".join(["time", *self._columns]) + "\n")
        with self.path.open("a") as file:
            file.write(",".join(digits(number) for number in (time, *(values[name] for name in self._columns))) + "\n")


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
        path.write_text("\n".join(lines) + "\n")
        self.written.append(path)
