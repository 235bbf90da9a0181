"""Ends of the files that declared values are read from, kept apart by the job so that they come with its traces."""

import shlex
from collections.abc import Mapping
from typing import Any

from towline.on_worker.command_payload import Command
from towline.on_worker.command_values import READ_BYTES, value_files, values_of

#: Followed by the number of the file.
VALUE_FILE = "towline_value."


def value_lines(run_dir: str, command: Command) -> tuple[str, ...]:
    """Shell lines after a command that keep the ends of the files."""
    copies = (
        f"tail -c {READ_BYTES} {shlex.quote(f'./{name}')} >{VALUE_FILE}{number} 2>/dev/null"
        for number, name in enumerate(value_files(command))
    )
    lines = "; ".join(copies)
    return (f"( cd -- {shlex.quote(run_dir)} && {{ {lines}; }} )",) if lines else ()


def read_values(command: Command, files: Mapping[str, bytes]) -> dict[str, Any]:
    """The values of a command from what it left behind.

    Raises
    ------
    UnusableCommand
        A value is not there.
    """
    numbers = {name: number for number, name in enumerate(value_files(command))}
    return values_of(command, lambda name: files.get(f"{VALUE_FILE}{numbers[name]}", b""))
