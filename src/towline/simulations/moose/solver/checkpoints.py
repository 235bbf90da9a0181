"""Checkpoints: what a run needs to go on from a step as if nothing had happened, in one file per step.

``<base>_cp/0042-towline.npz`` stands where MOOSE has its ``0042-…``. A file is there as a whole or not at all, and what
it relies on (tables, Exodus files) is on the disk before it. Old ones are taken away.
"""

import contextlib
import json
import os
import time as clock
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from towline.errors import InvalidRequest
from towline.simulations.moose.solver.mesh import Array
from towline.simulations.moose.solver.outputs import CheckpointSettings
from towline.simulations.moose.solver.state import Moment

#: Of what is in a file; another number is another meaning.
FORMAT = 1
_SUFFIX = "-towline.npz"
_DOCUMENT = "document"
#: A checkpoint is left out if the run has not worked so many times as long as the last one took to write.
_WORK_PER_CHECKPOINT = 100.0


class UnfitCheckpoint(InvalidRequest):
    """A checkpoint cannot be used: it is damaged, or of another problem, or the files beside it have changed."""


@dataclass(frozen=True)
class Memory:
    """What a checkpoint holds."""

    #: JSON-like values.
    document: Mapping[str, Any]
    arrays: Mapping[str, Array]


class Checkpoints:
    """Saves a run every now and then."""

    def __init__(self, settings: CheckpointSettings) -> None:
        self._settings = settings
        self._last = clock.monotonic()
        self._last_took = 0.0

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self._settings.folder

    @property
    def asked_for(self) -> bool:
        """Whether the input wants them, so that they stay when the run has ended well."""
        return self._settings.schedule is not None

    def due(self, step: int, time: float, *, at_end: bool) -> bool:
        """Return whether a step is to be saved."""
        settings, passed = self._settings, clock.monotonic() - self._last
        if at_end and settings.schedule is not None:
            return True
        if settings.thrifty and passed < _WORK_PER_CHECKPOINT * self._last_took:
            return False
        wanted = settings.schedule is not None and settings.schedule.wants(Moment.TIMESTEP_END, step, time)
        return wanted or passed >= settings.wall_time_interval

    def save(self, step: int, memory: Memory, files: Iterable[Path]) -> None:
        """Save a step; the files that it relies on are on the disk before.

        Raises
        ------
        OSError
            It cannot be written; those before it are still there.
        """
        began = clock.monotonic()
        for path in files:
            _to_disk(path)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{step:04d}{_SUFFIX}"
        unfinished = self.folder / f".{path.name}.part"
        try:
            with unfinished.open("wb") as stream:
                text: Array = np.frombuffer(json.dumps(memory.document).encode(), dtype=np.uint8)
                np.savez(stream, allow_pickle=False, **{**memory.arrays, _DOCUMENT: text})
                stream.flush()
                os.fsync(stream.fileno())
            unfinished.replace(path)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        _to_disk(self.folder)
        for old in checkpoints_in(self.folder)[self._settings.num_files :]:
            old.unlink(missing_ok=True)
        self._last = clock.monotonic()
        self._last_took = self._last - began

    def remove(self) -> None:
        """Take them away: the run has come to its end, and nobody asked for them."""
        for path in checkpoints_in(self.folder):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # there is none, or MOOSE has its own there
            self.folder.rmdir()


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints of a folder, the newest first."""
    return sorted(folder.glob(f"*{_SUFFIX}"), key=step_of, reverse=True)


def step_of(path: Path) -> int:
    """The step that a checkpoint was written after; -1 where its name says none."""
    number = path.name.split("-")[0]
    return int(number) if number.isdecimal() else -1


def find(named: Path | None, folders: Iterable[Path]) -> list[Path]:
    """The checkpoints to go on from, the best first.

    Parameters
    ----------
    named
        A checkpoint as ``--recover`` takes it, such as ``case_out_cp/0042``; None is the newest one.
    folders
        Where this input has its checkpoints.

    Raises
    ------
    InvalidRequest
        There is none.
    """
    if named is not None:
        found = [path for path in (named, Path(f"{named}{_SUFFIX}")) if path.is_file()]
        where = str(named)
    else:
        asked = list(folders)
        found = sorted((path for one in asked for path in checkpoints_in(one)), key=step_of, reverse=True)
        where = ", ".join(map(str, asked)) or "any folder: the input switches them off"
    if not found:
        raise InvalidRequest(
            f"Unable to find suitable recovery file! There is no checkpoint in {where}; "
            "leave --recover out to begin at the beginning"
        )
    return found


def read(path: Path) -> Memory:
    """Read a checkpoint.

    Raises
    ------
    UnfitCheckpoint
        It is damaged, or of another version of the solver.
    """
    try:
        with np.load(path, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        document = json.loads(arrays.pop(_DOCUMENT).tobytes())
        known = document["format"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UnfitCheckpoint(f"{path} is no checkpoint, or is damaged: {error}") from error
    if known != FORMAT:
        raise UnfitCheckpoint(f"{path} has the format {known}; this version of the solver reads {FORMAT}")
    return Memory(document, arrays)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
