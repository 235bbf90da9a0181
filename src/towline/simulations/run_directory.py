"""Run directories: one folder per attempt of a simulation, with everything that belongs to it.

``<run_name>.i``, ``run.sh``, ``run.log``, CSV and Exodus files, ``figures/``, ``report.html``, and

- ``metadata.json``: what was planned, by whom, with what; written once, before the run;
- ``record.json``: what became of it; always whole, because it is replaced by rename;
- ``events.jsonl``: what happened when, one line each, only ever appended to.
"""

import fnmatch
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from towline.errors import InvalidRequest
from towline.simulations.application import RunFiles

METADATA, RECORD, EVENTS = "metadata.json", "record.json", "events.jsonl"
LOG, EXIT_CODE, SCRIPT, REPORT = "run.log", "exit_code", "run.sh", "report.html"
#: One line per start of the run: when, and from where.
STARTS = "starts.txt"
#: Where what was computed elsewhere, or collected by a submit script, may stand.
RESULTS = "results"

#: Tables of vector postprocessors have a number of four digits or more.
_VECTOR = re.compile(r".*_\d{4,}\.csv")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class NewRun:
    """A run directory that was just made."""

    run_id: str
    folder: Path


def create(parent: Path, run_name: str, label: str, now: datetime) -> NewRun:
    """Make a run directory, ``<time>__<run_name>__<label>``; its name is in use by nobody else.

    Parameters
    ----------
    parent
        Folder of the run directories; it is made.
    now
        With a zone; the name has the local time.

    Raises
    ------
    InvalidRequest
        The folder cannot be made.
    """
    moment = now.astimezone()
    words = "__".join(_UNSAFE.sub("-", word).strip(".-") for word in (run_name, label) if word)
    for attempt in range(10_000):
        # Ten-thousandths of a second; the next one if it is taken.
        fraction = (moment.microsecond // 100 + attempt) % 10_000
        stamp = f"{moment:%Y%m%d_%H%M%S}_{fraction:04d}"
        folder = parent.absolute() / f"{stamp}__{words}"
        try:
            parent.mkdir(parents=True, exist_ok=True)
            if not any(parent.glob(f"{stamp}__*")):
                folder.mkdir()
                return NewRun(f"run_{stamp}", folder)
        except FileExistsError:
            continue
        except OSError as error:
            raise InvalidRequest(
                f"the run directory {folder} cannot be made: {error.strerror}; name another folder with RUNS_DIR"
            ) from error
    raise InvalidRequest(f"no name is free in {parent}; name another folder with RUNS_DIR")


def find_files(folder: Path, run_name: str) -> RunFiles:
    """The files of a run, whatever MOOSE called them: ``<run_name>.csv``, ``*_out.csv``, in ``results/`` or beside it.

    Raises
    ------
    InvalidRequest
        There is no such run directory.
    """
    if not folder.is_dir():
        raise InvalidRequest(f"the run directory {folder} is gone; to see the others: tow simulation list")
    return RunFiles(
        folder=folder,
        input_file=_first(folder, [f"{run_name}.i", "*.i"]) or folder / f"{run_name}.i",
        log=_first(folder, [LOG, "moose.log", "slurm-*.out"]),
        csv=_first(folder, [f"{run_name}.csv", f"{run_name}_out.csv", "*_out.csv", "*.csv"]),
        exodus=_first(folder, [f"{run_name}.e", f"{run_name}_out.e", "*_out.e", "*.e", "*.exo"]),
        exit_code=exit_code_of(folder),
    )


def _first(folder: Path, patterns: Sequence[str]) -> Path | None:
    found = [path for place in (folder, folder / RESULTS) if place.is_dir() for path in sorted(place.iterdir())]
    for pattern in patterns:
        for path in found:
            # The name of the run is no pattern, whatever is in it: names have only letters, digits and ._-
            if fnmatch.fnmatchcase(path.name, pattern) and path.is_file() and not _VECTOR.fullmatch(path.name):
                return path
    return None


def exit_code_of(folder: Path) -> int | None:
    """The exit code that the script of a run left; None if it left none, so far."""
    for place in (folder, folder / RESULTS):
        try:
            return int((place / EXIT_CODE).read_text())
        except (OSError, ValueError):
            continue
    return None


def starts_of(folder: Path) -> list[str]:
    """Where each start of a run began: ``the beginning``, or a checkpoint as ``case_cp/0042``."""
    try:
        lines = (folder / STARTS).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return [line.partition(" ")[2] for line in lines]


def continuations(record: Mapping[str, Any]) -> list[str]:
    """How a run went on after interruptions: ``continued from step 1280 after timeout``."""
    found = []
    for one in record.get("continued") or ():
        number = str(one["from"]).rpartition("/")[2]
        start = f"step {int(number)}" if number.isdecimal() else one["from"]
        # The script tells the signal that its program got as an exit code.
        after = "a kill" if one["after"] in ("exit_code", "signal") else one["after"]
        found.append(f"continued from {start} after {after}")
    return found


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Replace a JSON file as a whole: whoever reads it finds the old or the new one.

    Raises
    ------
    InvalidRequest
        It cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            json.dump(document, stream, indent=2, ensure_ascii=False, default=str)
            stream.write("\n")
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InvalidRequest(f"{path} cannot be written: {error.strerror}") from error


def read_json(path: Path) -> dict[str, Any]:
    """The content of a JSON file.

    Raises
    ------
    InvalidRequest
        It is missing or broken.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read ({error.strerror}); is {path.parent} a run directory?") from error
    except ValueError as error:
        raise InvalidRequest(f"{path} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidRequest(f"{path} holds no record")
    return found


def update_record(folder: Path, changes: Mapping[str, Any], name: str = RECORD) -> dict[str, Any]:
    """Add to the record of a run, or make it; returns all of it."""
    path = folder / name
    record = (read_json(path) if path.exists() else {}) | dict(changes)
    write_json(path, record)
    return record


def append_event(folder: Path, what: str, **details: object) -> None:
    """Add a line to the log of events."""
    line = json.dumps(
        {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": what, **details}, default=str
    )
    with (folder / EVENTS).open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")


def read_events(folder: Path) -> list[dict[str, Any]]:
    """The log of events; a last line that is not whole is left out."""
    try:
        lines = (folder / EVENTS).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def runs_in(parent: Path) -> list[Path]:
    """The run directories in a folder, the newest first."""
    if not parent.is_dir():
        return []
    return sorted((path.parent for path in parent.glob(f"*/{METADATA}")), key=lambda path: path.name, reverse=True)
