"""`tow events`."""

from datetime import datetime
from typing import Annotated

import click
import orjson

from towline.errors import InvalidRequest
from towline.interfaces.cli.display import is_unread, local_time, write_out
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.session import open_session
from towline.operations.events import QueueEvent, stream


def command(
    context: click.Context,
    follow: Annotated[bool, Option("--follow", "-f", help="Go on with what happens, until Ctrl-C.")] = False,
    flow: Annotated[
        str | None, Option("--flow", "-fid", help="Only in this flow: its uuid, or the id of one of its jobs.")
    ] = None,
    job: Annotated[str | None, Option("--job", "-j", help="Only to this job, by db_id or uuid.")] = None,
    on: Annotated[
        list[str] | None,
        Option("--on", help="Only this: FAILED, 'flow finished', ...; may be repeated.", metavar="WHAT"),
    ] = None,
    since: Annotated[
        str | None, Option("--since", help="Only from this time on, such as 2026-11-21T08:00:00.", metavar="TIME")
    ] = None,
    max_results: Annotated[
        int, Option("--max-results", "-m", help="How many of the last events; 0 is all.", min=0)
    ] = 100,
    as_json: Json = False,
) -> None:
    """What happened to jobs and flows, oldest first; with --json, one JSON object per line."""
    with open_session(context) as opened:
        try:
            found = stream(
                opened,
                flow=flow,
                job=job,
                on=on or ["any"],
                since=_time(since),
                follow=follow,
                last=max_results,
                given_up=is_unread,
            )
            for event in found:
                write_out(orjson.dumps(event.document()).decode() + "\n" if as_json else _line(event))
        except (KeyboardInterrupt, BrokenPipeError):
            return


def _line(event: QueueEvent) -> str:
    what = f"job {event.db_id} {event.name or ''}".rstrip()
    if event.is_flow:
        what = f"flow {event.flow_name or event.flow_id}"
    move = ""
    if event.from_state or event.to_state:
        move = f"  {event.from_state or '·'} → {event.to_state or '·'}"
    note = f"  {event.note}" if event.note else ""
    return f"{local_time(event.at)}  {what}{move}  by {event.actor}{note}\n"


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest(f"--since is {text!r}; write a time such as 2026-11-21 or 2026-11-21T08:00:00") from error
