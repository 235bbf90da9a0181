"""What a run left, read once: its table, its console and its input, each of them perhaps missing or broken."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from towline.errors import TowlineError
from towline.simulations.application import Results, RunFiles
from towline.simulations.moose.console import ConsoleLog, read_console
from towline.simulations.moose.input_file import read as read_input
from towline.simulations.moose.output_files import Table, UnreadableOutput, read_table
from towline.simulations.moose.tree import Section

#: Of a log, from its end; more than a week of steps.
_MOST_CHARACTERS = 200_000_000


@dataclass(frozen=True)
class RunRecord:
    """Files of a run, as far as they could be read; what could not is None, and the reason stands in `troubles`."""

    table: Table | None
    console: ConsoleLog | None
    tree: Section | None
    #: Reasons, by "table", "console" and "input".
    troubles: dict[str, str]


def read_record(files: RunFiles) -> RunRecord:
    """Read the files of a run; nothing in them makes it raise."""
    troubles: dict[str, str] = {}
    table = console = tree = None
    try:
        table = table_of(files)
    except UnreadableOutput as error:
        troubles["table"] = str(error)
    text = _text(files.log)
    if text is None:
        troubles["console"] = "there is no log"
    else:
        console = read_console(text)
    try:
        resolved = read_input([files.input_file])
        tree = resolved.tree
        if resolved.errors:
            troubles["input"] = str(resolved.errors[0])
    except TowlineError as error:
        troubles["input"] = str(error)
    return RunRecord(table, console, tree, troubles)


def table_of(files: RunFiles) -> Table:
    """Read the table of the postprocessors.

    Raises
    ------
    UnreadableOutput
        There is none, or it is no table.
    """
    if files.csv is None:
        raise UnreadableOutput(f"the run in {files.folder} left no table of postprocessors (*.csv)")
    return read_table(files.csv)


def series_of(files: RunFiles) -> dict[str, list[float]]:
    """Return the columns of the table, one value per row.

    What an object that is not executed at the beginning shows in the first row, a zero, is no value: it becomes nan.

    Raises
    ------
    UnreadableOutput
        There is no table, it has no column ``time``, or no row.
    """
    table = table_of(files)
    table.column("time")
    if not len(table):
        raise UnreadableOutput(f"{table.path} has no row: the run ended before its first output")
    evaluated = _on_initial(files)
    out = {}
    for name, values in table.columns.items():
        column = values.copy()
        if name != "time" and name not in evaluated and column[0] == 0:
            column[0] = np.nan
        out[name] = column.tolist()
    return out


def column(results: Results, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return a series as an array; empty if there is none of this name."""
    return np.asarray(results.series.get(name, ()), dtype=float)


def _on_initial(files: RunFiles) -> set[str]:
    """Names of the objects that the input executes at the beginning; grain trackers are without saying so."""
    try:
        tree = read_input([files.input_file]).tree
    except TowlineError:
        return set()
    found = set()
    for section in tree.walk():
        if section.parent is None or section.parent.name not in ("Postprocessors", "UserObjects"):
            continue
        words = section.text("execute_on").lower().split()
        if "initial" in words or (not words and section.type == "GrainTracker"):
            found.add(section.name)
    return found


def _text(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            file.seek(max(0, size - _MOST_CHARACTERS))
            return file.read().decode("utf-8", errors="replace")
    except OSError:
        return None
