"""What commands show: tables for people, JSON for programs.

rich is loaded only where something is drawn, because it takes as long to load as a whole list takes to read.
"""

import os
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

#: Below this width, uuids are shortened to a beginning that commands still accept, and states to their codes.
NARROW_COLUMNS = 110

#: Width of tables that go into a file or a pipe.
_WIDE_COLUMNS = 220

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


def print_json(value: Any) -> None:
    """Print a value as JSON: times in ISO format with their zone, states by name."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
    write_out(orjson.dumps(value, default=_plain, option=options).decode() + "\n")


def print_table(columns: Sequence[Column], rows: Iterable[Any], title: str | None = None) -> None:
    """Print a table."""
    console().print(table(columns, rows, title))


def table(columns: Sequence[Column], rows: Iterable[Any], title: str | None = None) -> "RenderableType":
    """A table, for :func:`console`."""
    from rich import box
    from rich.table import Table

    drawn = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, show_edge=False)
    for column in columns:
        drawn.add_column(
            column.header,
            justify="right" if column.right else "left",
            no_wrap=column.cut,
            overflow="ellipsis" if column.cut else "fold",
        )
    for row in rows:
        drawn.add_row(*(_cell(column.cell(row)) for column in columns))
    return drawn


def console() -> "Console":
    """Where to draw: as wide as the terminal, and wide enough for everything when nobody looks."""
    from rich.console import Console

    return Console(width=width(), highlight=False, soft_wrap=False)


def width() -> int:
    """Columns of the output."""
    if sys.stdout.isatty() or "COLUMNS" in os.environ:
        return shutil.get_terminal_size().columns
    return _WIDE_COLUMNS


def is_narrow() -> bool:
    """Whether there is little room."""
    return width() < NARROW_COLUMNS


def print_fields(fields: Iterable[tuple[str, Any]]) -> None:
    """Print names and values, one pair a line; values that are None are left out."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in fields:
        if value is not None:
            grid.add_row(name, _cell(value))
    console().print(grid)


def say(text: str) -> None:
    """Print a message for the user; it is no part of the output."""
    print(text, file=sys.stderr)


def suggest(text: str) -> None:
    """Say what to type next, unless the user does not want to be told."""
    if suggesting:
        say(text)


def write_out(text: str) -> None:
    """Print text as it is."""
    sys.stdout.write(text)
    sys.stdout.flush()


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


def _cell(value: Any) -> Any:
    # Text that has square brackets is no markup of ours.
    from rich.text import Text

    if value is None:
        return Text("")
    if isinstance(value, str | int | float):
        return Text(str(value))
    if isinstance(value, Mapping | list | tuple):
        return Text(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode())
    return value


def _plain(value: Any) -> Any:
    # What the job store gives may be any object; its text is better than no answer.
    return list(value) if isinstance(value, set | frozenset | tuple) else str(value)
