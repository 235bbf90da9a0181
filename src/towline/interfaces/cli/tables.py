"""Tables in the terminal, and text in colours.

rich draws tables too. It takes half a millisecond for each cell, which for a flow of 10,000 jobs is half a minute, and
longer to load than a list takes to be read.
"""

import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
import orjson

#: What text that may be broken keeps at least of a line, in a table that is too wide.
_LEAST_TEXT_COLUMNS = 12

#: Columns of the terminal between two columns of a table.
_GAP_COLUMNS = 3

#: Width of what goes into a file or a pipe, where nothing needs to be broken.
_WIDE_COLUMNS = 1000

#: Characters that a terminal would obey: in a name they are shown as ``\\x1b``.
_OBEYED = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


@dataclass(frozen=True, slots=True)
class Painted:
    """A line of text in colours; ``Painted("a ") + Painted("b", "green", bold=True)``."""

    text: str
    colour: str | None = None
    bold: bool = False
    #: What follows in the line.
    rest: "Painted | None" = None

    def __add__(self, other: "Painted") -> "Painted":
        return Painted(self.text, self.colour, self.bold, other if self.rest is None else self.rest + other)

    @property
    def plain(self) -> str:
        """The text alone."""
        return self.text if self.rest is None else self.text + self.rest.plain

    def __str__(self) -> str:
        """The text as it is printed; in colours where the output has some."""
        rest = "" if self.rest is None else str(self.rest)
        if not (self.colour or self.bold) or not has_colours():
            return self.text + rest
        return click.style(self.text, fg=self.colour, bold=self.bold or None) + rest


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    header: str
    #: Text, number, Painted or a document of a row.
    cell: Callable[[Any], Any]
    #: Text is never broken into several lines.
    cut: bool = False
    right: bool = False
    #: What stands there instead where the table would be wider than the terminal.
    short: Callable[[Any], Any] | None = None


def print_table(columns: Sequence[Column], rows: Iterable[Any], title: str | None = None) -> None:
    """Print a table."""
    sys.stdout.write(table(columns, rows, title))
    sys.stdout.flush()


def table(columns: Sequence[Column], rows: Iterable[Any], title: str | None = None) -> str:
    """The text of a table; as wide as it has to be, if need be wider than the terminal."""
    rows = list(rows)
    cells = [[_cell(column.cell(row)) for row in rows] for column in columns]
    if _least_width(columns, cells) > width():
        cells = [[_cell((column.short or column.cell)(row)) for row in rows] for column in columns]
    widths = _widths(columns, cells)
    lines = [] if title is None else [title]
    lines += _row([Painted(column.header, bold=True) for column in columns], columns, widths)
    lines.append("─" * (sum(widths) + _GAP_COLUMNS * (len(widths) - 1)))
    for row in zip(*cells, strict=True):
        lines += _row(row, columns, widths)
    return "".join(f"{line}\n" for line in lines)


def print_fields(fields: Iterable[tuple[str, Any]]) -> None:
    """Print names and values, one pair a line; values that are None are left out."""
    shown = [(name, _cell(value)) for name, value in fields if value is not None]
    names = max((len(name) for name, _ in shown), default=0)
    lines = []
    for name, cell in shown:
        first = Painted(name.ljust(names), bold=True)
        for line in _folded(cell, max(width() - names - 2, _LEAST_TEXT_COLUMNS)):
            lines.append(f"{first}  {line}".rstrip())
            first = Painted(" " * names)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def width() -> int:
    """Columns of the output: those of the terminal, and enough for everything when nobody looks."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS"):
        return shutil.get_terminal_size().columns
    return _WIDE_COLUMNS


def has_colours() -> bool:
    """Whether colours are wanted: on a terminal, unless ``NO_COLOR`` is set; ``FORCE_COLOR`` wants them everywhere."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (sys.stdout.isatty() and os.environ.get("TERM") != "dumb")


def columns_of(text: str) -> int:
    """Columns of the terminal that a line of text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # knows which letters are two columns wide

    return cell_len(text)


def visible(text: str) -> str:
    """Text with the characters that a terminal would obey written out; lines and tabs stay."""
    return text.translate(_OBEYED)


def _cell(value: Any) -> Painted:
    if isinstance(value, Painted):
        return value
    if isinstance(value, Mapping | list | tuple):
        return Painted(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode())
    return Painted("" if value is None else visible(str(value)).expandtabs(4))


def _least_width(columns: Sequence[Column], cells: Sequence[Sequence[Painted]]) -> int:
    pairs = zip(columns, cells, strict=True)
    return sum(_least_and_most(*pair)[0] for pair in pairs) + _GAP_COLUMNS * (len(columns) - 1)


def _least_and_most(column: Column, cells: Sequence[Painted]) -> tuple[int, int]:
    """Width that a column needs, and the one that it likes: text that may be broken gets along with less."""
    lines = (line for cell in cells for line in cell.plain.split("\n"))
    most = max((columns_of(line) for line in lines), default=0)
    least = max(len(column.header), most if column.cut else min(most, _LEAST_TEXT_COLUMNS))
    return least, max(least, most)


def _widths(columns: Sequence[Column], cells: Sequence[Sequence[Painted]]) -> list[int]:
    """Width of each column: what the terminal has left goes to those that like more, the modest first."""
    limits = [_least_and_most(*pair) for pair in zip(columns, cells, strict=True)]
    widths = [least for least, _ in limits]
    spare = max(0, width() - sum(widths) - _GAP_COLUMNS * (len(widths) - 1))
    wanting = sorted((most - least, number) for number, (least, most) in enumerate(limits) if most > least)
    for place, (wanted, number) in enumerate(wanting):
        more = min(wanted, spare // (len(wanting) - place))
        widths[number] += more
        spare -= more
    return widths


def _row(cells: Sequence[Painted], columns: Sequence[Column], widths: Sequence[int]) -> list[str]:
    """Lines of a row."""
    folded = [_folded(cell, room) for cell, room in zip(cells, widths, strict=True)]
    lines = []
    for number in range(max(map(len, folded), default=0)):
        parts = []
        for column, found, room in zip(columns, folded, widths, strict=True):
            cell = found[number] if number < len(found) else Painted("")
            blank = " " * (room - columns_of(cell.plain))
            parts.append(f"{blank}{cell}" if column.right else f"{cell}{blank}")
        lines.append((" " * _GAP_COLUMNS).join(parts).rstrip())
    return lines


def _folded(cell: Painted, room: int) -> list[Painted]:
    """Lines of a cell; one that has to be broken loses its colours."""
    if "\n" not in cell.plain and columns_of(cell.plain) <= room:
        return [cell]
    if "\n" in cell.plain:
        return [part for line in cell.plain.split("\n") for part in _folded(Painted(line), room)]
    return [Painted(line) for line in textwrap.wrap(cell.plain, room, break_on_hyphens=False)] or [Painted("")]
