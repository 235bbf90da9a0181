"""Waiting at the terminal: one line that says how many jobs are in each state."""

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import click

from towline.core.states import JobState
from towline.errors import WorkerError
from towline.interfaces.cli.display import print_json, say, suggest
from towline.operations.waiting import Waited

Progress = Callable[[Mapping[JobState, int]], None]


def wait_and_exit(wait: Callable[[Progress], Waited], *, look: str, as_json: bool) -> None:
    """Wait with a progress line; exit with code 3 unless all jobs are COMPLETED.

    Parameters
    ----------
    look
        The command that shows what became of them.

    Raises
    ------
    WaitTimedOut
        As `wait` does.
    """
    line = Line()
    try:
        waited = wait(lambda states: line.show(counted(states)))
    except KeyboardInterrupt:
        line.end()
        say("The jobs go on.")
        raise click.exceptions.Exit(130) from None
    finally:
        line.end()
    if as_json:
        print_json({"completed": waited.completed, "states": {state.value: n for state, n in waited.states.items()}})
    else:
        say(counted(waited.states))
    if not waited.completed:
        suggest(f"what became of them: {look}")
        raise click.exceptions.Exit(3)


def counted(states: Mapping[JobState, int]) -> str:
    """Numbers of jobs by state, in the order of a job's life."""
    return ", ".join(f"{states[state]} {state.value}" for state in JobState if states.get(state))


class Bar:
    """A bar on the terminal for work on many things; nothing when nobody looks, or it is done before one could look.

    Parameters
    ----------
    text
        What is done.
    """

    #: rich takes as long to load as a small piece of work takes to be done.
    _FEWEST = 500

    def __init__(self, text: str) -> None:
        self._text = text
        self._drawn: Any = None
        self._task: Any = None

    def show(self, done: int, total: int) -> None:
        """So many of so many are done."""
        if total < self._FEWEST or not sys.stderr.isatty():
            return
        if self._drawn is None:
            self._begin()
        self._drawn.update(self._task, completed=done, total=total)

    def _begin(self) -> None:
        from rich.console import Console
        from rich.progress import Progress as Drawn

        self._drawn = Drawn(console=Console(stderr=True), transient=True)
        self._task = self._drawn.add_task(self._text)
        self._drawn.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._drawn is not None:
            self._drawn.stop()


def goes_on(error: WorkerError, pause_seconds: float) -> None:
    """Say that a transfer was cut and is about to go on."""
    say(f"tow: {error}. It goes on where it stopped, in {pause_seconds:.0f} s.")


def tell_changed(files: Sequence[Path]) -> None:
    """Say which files are not what their job left."""
    for path in files:
        say(f"tow: {path} is not what the job left (its checksum is another one): it was changed there, or on the way")


class BytesBar:
    """A bar on the terminal for bytes that go over, with their speed; nothing when nobody looks, or they are few.

    Parameters
    ----------
    text
        Where they go.
    """

    _FEWEST = 1 << 22

    def __init__(self, text: str) -> None:
        self._text = text
        self._drawn: Any = None
        self._task: Any = None

    def show(self, done: int, total: int | None) -> None:
        """So many of so many bytes are over."""
        if not sys.stderr.isatty() or (total or done) < self._FEWEST:
            return
        if self._drawn is None:
            self._begin(done)
        self._drawn.update(self._task, completed=done, total=total)

    def _begin(self, done: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
        from rich.progress import Progress as Drawn

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self._drawn = Drawn(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
        # What was there before is no speed of this transfer.
        self._task = self._drawn.add_task(self._text, completed=done)
        self._drawn.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._drawn is not None:
            self._drawn.stop()
            self._drawn = None


class Line:
    """A line of the terminal that is written again and again; nothing when nobody looks, or where it cannot be."""

    def __init__(self) -> None:
        self.active = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._shown = False

    def show(self, text: str) -> None:
        """Show a text in the place of the one before, as much as there is room for."""
        if self.active:
            room = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"\r\x1b[K{text[:room]}")
            sys.stderr.flush()
            self._shown = True

    def end(self) -> None:
        """Clear the line."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = False
