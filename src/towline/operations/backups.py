"""Backing a queue up, and filling a queue from a backup."""

from pathlib import Path
from typing import TYPE_CHECKING

from towline.operations.project_removal import refuse_while_active
from towline.store import backup
from towline.store.backup import Manifest, Progress

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject

__all__ = ["Manifest", "create_backup", "read_backup", "restore_backup", "rows_in_queue"]


def create_backup(
    opened: "OpenProject", folder: Path, *, compress: bool = False, progress: Progress | None = None
) -> Manifest:
    """Write the queue and its SQL job store to a folder, as they are at this moment. The runner may go on.

    Raises
    ------
    StoreError
        There is a backup already, or the folder cannot be written.
    """
    return backup.write(opened.database, folder, compress=compress, progress=progress)


def read_backup(folder: Path) -> Manifest:
    """What is in a backup.

    Raises
    ------
    StoreError
        There is none, it is damaged, or a newer towline wrote it.
    """
    return backup.read_manifest(folder)


def rows_in_queue(opened: "OpenProject") -> int:
    """Number of rows that a restore would replace."""
    return backup.rows_in(opened.database)


def restore_backup(opened: "OpenProject", folder: Path, progress: Progress | None = None) -> Manifest:
    """Put what a backup holds in the place of everything in the queue and its SQL job store.

    Raises
    ------
    RunnerAlreadyActive
        A runner works on the project.
    StoreError
        The backup is damaged; nothing was changed.
    """
    refuse_while_active(opened.project)
    return backup.restore(opened.database, folder, progress=progress)
