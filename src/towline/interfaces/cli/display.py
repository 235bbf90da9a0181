"""What commands show: tables for people, JSON for programs.

rich is loaded only where something is drawn, because it takes as long to load as a whole list takes to read.
"""

import os
import select
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from towline.core.states import FlowState, JobState

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

#: What text that may be broken keeps at least of a line, in a table that is too wide.
_LEAST_TEXT_COLUMNS = 16

#: Columns of the terminal between two columns of a table.
_GAP_COLUMNS = 3

#: Width of what goes into a file or a pipe, where nothing needs to be broken.
_WIDE_COLUMNS = 1000

_STYLES: Mapping[str, str] = {
    "WAITING": "grey50",
    "READY": "yellow",
    "CHECKED_OUT": "cyan",
    "UPLOADED": "cyan",
    "SUBMITTED": "cyan",
    "RUNNING": "bright_blue",
    "RUN_FINISHED": "cyan",
    "DOWNLOADED": "cyan",
    "BATCH_SUBMITTED": "cyan",
    "BATCH_RUNNING": "bright_blue",
    "REMOTE_ERROR": "bold magenta",
    "COMPLETED": "green",
    "FAILED": "bold red",
    "PAUSED": "magenta",
    "STOPPED": "magenta",
    "USER_STOPPED": "magenta",
}


#: Characters that a terminal would obey: in a name they are shown as ``\\x1b``.
_OBEYED = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


#: Whether to say what to type next; the setting `cli_suggestions`.
suggesting = True


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    header: str
    #: Text or rich text of a row.
    cell: Callable[[Any], Any]
    #: Cut long values instead of breaking them.
    cut: bool = False
    right: bool = False
    #: What stands there instead where the table would be wider than the terminal.
    short: Callable[[Any], Any] | None = None


def print_json(value: Any) -> None:
    """Print a value as JSON: times in ISO format with their zone, states by name."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
    write_out(orjson.dumps(value, default=_plain, option=options).decode() + "\n")


def print_table(columns: Sequence[Column], rows: Iterable[Any], title: str | None = None) -> None:
    """Print a table."""
    _draw(table(columns, rows, title))


def _draw(drawn: "RenderableType") -> None:
    out = console()
    with out.capture() as captured:
        out.print(drawn, crop=False)
    # rich fills every line up to the width of the widest one.
    lines = captured.get().splitlines()
    write_out("".join(f"{line if out.is_terminal else line.rstrip()}\n" for line in lines))


def table(columns: Sequence[Column], rows: Iterable[Any], title: str | None = None) -> "RenderableType":
    """A table, for :func:`console`; as wide as it has to be, if need be wider than the terminal."""
    from rich import box
    from rich.table import Table

    rows = list(rows)
    cells = [[_cell(column.cell(row)) for row in rows] for column in columns]
    if _width_of(columns, cells) > width():
        cells = [[_cell((column.short or column.cell)(row)) for row in rows] for column in columns]
    needed = _width_of(columns, cells)
    drawn = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, show_edge=False)
    drawn.width = needed if needed > width() else None
    for column, found in zip(columns, cells, strict=True):
        drawn.add_column(
            column.header,
            justify="right" if column.right else "left",
            no_wrap=column.cut,
            overflow="ellipsis" if column.cut else "fold",
            min_width=_least_width(column, found),
        )
    for row in zip(*cells, strict=True):
        drawn.add_row(*row)
    return drawn


def console() -> "Console":
    """Where to draw: as wide as the terminal, and wide enough for everything when nobody looks."""
    from rich.console import Console

    return Console(width=width(), highlight=False, soft_wrap=False)


def width() -> int:
    """Columns of the output."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS"):
        return shutil.get_terminal_size().columns
    return _WIDE_COLUMNS


def print_fields(fields: Iterable[tuple[str, Any]]) -> None:
    """Print names and values, one pair a line; values that are None are left out."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in fields:
        if value is not None:
            grid.add_row(name, _cell(value))
    _draw(grid)


def say(text: str) -> None:
    """Print a message for the user; it is no part of the output, and comes after what was printed before."""
    sys.stdout.flush()
    print(visible(text), file=sys.stderr)


def suggest(text: str) -> None:
    """Say what to type next, unless the user does not want to be told."""
    if suggesting:
        say(text)


def write_out(text: str) -> None:
    """Print text as it is."""
    sys.stdout.write(text)
    sys.stdout.flush()


def visible(text: str) -> str:
    """Text with the characters that a terminal would obey written out; lines and tabs stay."""
    return text.translate(_OBEYED)


def is_unread() -> bool:
    """Whether the other end of a pipe that the output goes to was closed: ``tow events --follow | head -1``."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))


def state_text(state: JobState | FlowState, *, short: bool = False) -> "Text":
    """A state in its colour."""
    from rich.text import Text

    shown = state.short_code if short and isinstance(state, JobState) else state.value
    return Text(shown, style=_STYLES[state.value])


def local_time(moment: datetime | None) -> str:
    """A time in the zone of the user, to the second."""
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def duration(seconds: float | None) -> str:
    """A duration such as ``1:02:03``; short ones with their milliseconds."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.3f} s"
    return str(timedelta(seconds=round(seconds)))


def size(number_of_bytes: int) -> str:
    """A size in bytes, KiB, MiB, ..."""
    amount = float(number_of_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    raise AssertionError("the last unit takes everything")


def plural(count: int, noun: str) -> str:
    """A number with its noun: ``1 job``, ``3 jobs``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _width_of(columns: Sequence[Column], cells: Sequence[Sequence[Any]]) -> int:
    widths = [_least_width(column, found) for column, found in zip(columns, cells, strict=True)]
    return sum(widths) + _GAP_COLUMNS * (len(widths) - 1)


def _least_width(column: Column, cells: Sequence[Any]) -> int:
    """What a column needs: text that may be broken gets along with less than its longest line."""
    most = max((cell.cell_len for cell in cells if hasattr(cell, "cell_len")), default=0)
    return max(len(column.header), most if column.cut else min(most, _LEAST_TEXT_COLUMNS))


def _cell(value: Any) -> Any:
    # Text that has square brackets is no markup of ours.
    from rich.text import Text

    if value is None:
        return Text("")
    if isinstance(value, str | int | float):
        return Text(visible(str(value)))
    if isinstance(value, Mapping | list | tuple):
        return Text(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode())
    return value


def _plain(value: Any) -> Any:
    # What the job store gives may be any object; its text is better than no answer.
    return list(value) if isinstance(value, set | frozenset | tuple) else str(value)
