"""What happens in a project, as a stream."""

import select
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from towline.core.event_filter import ANY, read_wanted
from towline.operations.compose import open_project
from towline.operations.selection import flow_row, job_row
from towline.store.database import Database
from towline.store.events import QueueEvent, newest_event, read_events

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject

__all__ = ["QueueEvent", "events", "stream"]

#: Events that are read at once.
_BATCH = 1000

#: Naps between two looks at the number that a file of SQLite changes with every commit, which cost microseconds. A
#: PostgreSQL server tells by itself.
_FIRST_NAP_SECONDS = 0.002
_LONGEST_NAP_SECONDS = 0.1
_LONGEST_WAIT_SECONDS = 1.0


def events(
    *,
    flow: str | None = None,
    job: str | None = None,
    on: Sequence[str] = (ANY,),
    since: datetime | None = None,
    follow: bool = False,
    timeout_seconds: float | None = None,
    project: str | None = None,
) -> Iterator[QueueEvent]:
    """Everything that happened to jobs and flows, oldest first.

    Parameters
    ----------
    flow
        Only in this flow: its uuid, or the db_id of one of its jobs.
    job
        Only to this job: its db_id or uuid.
    on
        Only these: states of jobs (``"FAILED"``), states of flows (``"flow COMPLETED"``), ``"flow finished"``,
        ``"attempt failed"``, ``"any"``.
    since
        Only from this time on; local time when naive.
    follow
        Go on with what happens from now on; without `since`, only with that.
    timeout_seconds
        With `follow`: end when nothing happened for so long. None goes on for ever.

    Raises
    ------
    NoSuchJob, NoSuchFlow
        There is no such job or flow.
    InvalidRequest
        `on` names no kind of event.
    """
    with open_project(project) as opened:
        yield from stream(
            opened, flow=flow, job=job, on=on, since=since, follow=follow, timeout_seconds=timeout_seconds
        )


def stream(
    opened: "OpenProject",
    *,
    flow: str | None = None,
    job: str | None = None,
    on: Sequence[str] = (ANY,),
    since: datetime | None = None,
    follow: bool = False,
    timeout_seconds: float | None = None,
    last: int = 0,
    given_up: Callable[[], bool] = lambda: False,
) -> Iterator[QueueEvent]:
    """As :func:`events`, of an open project.

    Parameters
    ----------
    given_up
        With `follow`: asked now and then whether nobody wants more.
    last
        Without `since` and `follow`: how many of the last events; 0 is all.
    """
    wanted, database = read_wanted(on), opened.database
    flow_rows = () if flow is None else (flow_row(opened, flow),)
    job_rows = () if job is None else (job_row(opened, job),)
    after = newest_event(database) if follow and since is None else 0
    if last and not follow and since is None:
        # The last ones that are wanted are not known to be among the last of all.
        found = read_events(database, flow_rows=flow_rows, job_rows=job_rows, prefix=opened.db_id_prefix, newest=True)
        yield from [event for event in found if _admits(wanted.admits, event)][-last:]
        return
    quiet_since = time.monotonic()
    while True:
        version = database.data_version()
        found = read_events(
            database,
            after=after,
            limit=_BATCH,
            since=since,
            flow_rows=flow_rows,
            job_rows=job_rows,
            prefix=opened.db_id_prefix,
        )
        for event in found:
            if _admits(wanted.admits, event):
                yield event
        if found:
            after, quiet_since = found[-1].id, time.monotonic()
        if len(found) < _BATCH:
            if not follow or given_up():
                return
            if timeout_seconds is not None and time.monotonic() - quiet_since > timeout_seconds:
                return
            wait_for_change(database, version, given_up)


def wait_for_change(database: Database, version: int, given_up: Callable[[], bool]) -> None:
    """Return when somebody else changed the database since it had `version`, or after a while."""
    deadline = time.monotonic() + _LONGEST_WAIT_SECONDS
    nap_seconds = _FIRST_NAP_SECONDS
    while database.data_version() == version and not given_up() and time.monotonic() < deadline:
        descriptors = database.file_descriptors()
        if descriptors:
            select.select(descriptors, [], [], _LONGEST_NAP_SECONDS)
        else:
            time.sleep(nap_seconds)
            nap_seconds = min(_LONGEST_NAP_SECONDS, nap_seconds * 1.5)


def _admits(admits: Callable[..., bool], event: QueueEvent) -> bool:
    return admits(is_flow=event.is_flow, from_state=event.from_state, to_state=event.to_state)
