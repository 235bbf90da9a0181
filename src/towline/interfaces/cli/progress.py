"""Waiting at the terminal: one line that says how many jobs are in each state."""

import shutil
import sys
from collections.abc import Callable, Mapping

import click

from towline.core.states import JobState
from towline.interfaces.cli.display import print_json, say
from towline.operations.waiting import Waited

Progress = Callable[[Mapping[JobState, int]], None]


def wait_and_exit(wait: Callable[[Progress], Waited], *, as_json: bool) -> None:
    """Wait with a progress line; exit with code 3 unless all jobs are COMPLETED.

    Raises
    ------
    WaitTimedOut
        As `wait` does.
    """
    line = _Line()
    try:
        waited = wait(line.show)
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
        raise click.exceptions.Exit(3)


def counted(states: Mapping[JobState, int]) -> str:
    """Numbers of jobs by state, in the order of a job's life."""
    return ", ".join(f"{states[state]} {state.value}" for state in JobState if states.get(state))


class _Line:
    """A line of the terminal that is written again and again; nothing when nobody looks."""

    def __init__(self) -> None:
        self._active = sys.stderr.isatty()
        self._shown = False

    def show(self, states: Mapping[JobState, int]) -> None:
        if self._active:
            room = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"\r\x1b[K{counted(states)[:room]}")
            sys.stderr.flush()
            self._shown = True

    def end(self) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = False
