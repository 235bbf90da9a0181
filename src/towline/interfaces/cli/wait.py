"""`tow wait`."""

from typing import TYPE_CHECKING, Annotated

import click

from towline.errors import NoSuchFlow, NoSuchJob
from towline.interfaces.cli.completions import complete_job
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.parameters import Argument, Option
from towline.interfaces.cli.progress import wait_and_exit
from towline.interfaces.cli.session import open_session, project_of
from towline.operations.flows import flow_uuid
from towline.operations.selection import flow_row, job_row
from towline.operations.waiting import wait_flow, wait_jobs

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject


def command(
    context: click.Context,
    ids: Annotated[
        list[str],
        Argument(metavar="IDS...", help="Jobs by db_id or uuid, or flows by uuid.", autocompletion=complete_job),
    ],
    flow: Annotated[bool, Option("--flow", "-f", help="Wait for the whole flows of the jobs.")] = False,
    timeout: Annotated[
        float | None, Option("--timeout", "-t", help="Seconds to wait at most.", metavar="SECONDS", min=0)
    ] = None,
    as_json: Json = False,
) -> None:
    """Wait until jobs or flows have ended. Exit code 0: all COMPLETED; 3: not all, or the time was over."""
    with open_session(context) as opened:
        rows = None if flow else _job_rows(opened, ids)
        if rows is not None:
            look = f"tow job info {ids[0]}" if len(ids) == 1 else "tow job list --error"
            wait_and_exit(lambda progress: wait_jobs(opened, rows, timeout, progress), look=look, as_json=as_json)
            return
        flows = sorted({flow_uuid(opened, _flow_row(opened, text)) for text in ids})
    wait_and_exit(
        lambda progress: wait_flow(flows, timeout, project_of(context), progress),
        look=f"tow flow info {ids[0]}" if len(ids) == 1 else "tow flow list",
        as_json=as_json,
    )


def _job_rows(opened: "OpenProject", ids: list[str]) -> list[int] | None:
    """Rows of the jobs; None when one of the ids is that of a flow."""
    try:
        return [job_row(opened, text) for text in ids]
    except NoSuchJob:
        return None


def _flow_row(opened: "OpenProject", text: str) -> int:
    try:
        return flow_row(opened, text, is_job=True)
    except NoSuchJob:
        pass
    try:
        return flow_row(opened, text)
    except NoSuchFlow:
        raise NoSuchJob(
            f"neither a job nor a flow has the id {text!r}; `tow job list` and `tow flow list` show the newest ones"
        ) from None
