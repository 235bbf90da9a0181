"""What was unlocked."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from towline.interfaces.cli.display import plural, print_json, write_out

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject


def show_freed(opened: "OpenProject", job_ids: Sequence[int], *, as_json: bool) -> None:
    """Tell how many jobs were taken from their runner."""
    if as_json:
        print_json({"unlocked": [opened.db_id(job_id) for job_id in job_ids]})
        return
    write_out(f"{plural(len(job_ids), 'job')} unlocked\n")
