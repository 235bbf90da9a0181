"""From the options of a command to the jobs and flows it is about."""

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from towline.core.documents import decode
from towline.errors import InvalidRequest
from towline.interfaces.cli.display import plural, say
from towline.interfaces.cli.options import FlowQuery, JobQuery, MaybeOneJob, OneJob, Sorting, When
from towline.operations.job_lists import JobFilter, Page, rows_of
from towline.operations.selection import flow_filter, job_filter, job_row

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject
    from towline.operations.flows import FlowFilter


class Declined(InvalidRequest):
    """The user did not confirm."""


def wanted_jobs(opened: "OpenProject", query: JobQuery, *, locked: bool = False) -> JobFilter:
    """The jobs that a query means."""
    start, end = _dates(query)
    return job_filter(
        opened,
        job_ids=query.job_id or (),
        db_ids=query.db_id or (),
        flow_ids=query.flow_id or (),
        states=query.state or (),
        start_date=start,
        end_date=end,
        name=query.name,
        metadata=None if query.metadata is None else pairs(query.metadata, "--metadata"),
        workers=query.worker or (),
        locked=locked,
        query=_criteria(query.query),
    )


def wanted_flows(opened: "OpenProject", query: FlowQuery, *, locked: bool = False) -> "FlowFilter":
    """The flows that a query means."""
    start, end = _dates(query)
    return flow_filter(
        opened,
        job_ids=query.job_id or (),
        db_ids=query.db_id or (),
        flow_ids=query.flow_id or (),
        states=query.state or (),
        start_date=start,
        end_date=end,
        name=query.name,
        metadata=None if query.metadata is None else pairs(query.metadata, "--metadata"),
        locked=locked,
        query=_criteria(query.query),
    )


def _criteria(text: str | None) -> Any:
    """Criteria from the command line; ``{"$date": "2024-03-01"}`` in them is a time."""
    return None if text is None else decode(json.dumps(pairs(text, "--query")).encode())


def page_of(sorting: Sorting) -> Page:
    """The part of a list that is wanted."""
    return Page(sorting.sort, sorting.reverse_sort, sorting.max_results)


def one_job(opened: "OpenProject", chosen: OneJob) -> int:
    """Row of the job that is named."""
    return job_row(opened, chosen.job_db_id, chosen.job_index)


def jobs_to_change(opened: "OpenProject", chosen: MaybeOneJob, query: JobQuery, verb: str, *, yes: bool) -> list[int]:
    """Rows of the jobs that a command shall act on; asks when that is every job.

    Raises
    ------
    InvalidRequest
        Both a job and a query are given, or the user did not confirm.
    """
    wanted = wanted_jobs(opened, query)
    if chosen.job_db_id is not None:
        if not wanted.is_empty:
            raise InvalidRequest(f"either name the job {chosen.job_db_id} or give options that choose jobs, not both")
        return [job_row(opened, chosen.job_db_id, chosen.job_index)]
    rows = rows_of(opened, wanted)
    if wanted.is_empty and rows:
        confirm(f"No job was chosen: {verb} all {plural(len(rows), 'job')} of the project?", yes=yes)
    return rows


def confirm(question: str, *, yes: bool) -> None:
    """Ask the user, unless `yes`.

    Raises
    ------
    Declined
        The answer was not yes, or nobody can be asked.
    """
    if yes:
        return
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        say("")
        agreed = False
    if not agreed:
        raise Declined("nothing was changed; choose with options, or add --yes")


def pairs(text: str, option: str) -> dict[str, Any]:
    """Keys and values from ``a=1,b=text`` or a JSON object.

    Raises
    ------
    InvalidRequest
        It is neither.
    """
    try:
        if text.lstrip().startswith("{"):
            found: dict[str, Any] = json.loads(text)
            return found
        return {key.strip(): _value(value) for key, value in _split(text)}
    except ValueError as error:
        raise InvalidRequest(
            f"{option} is {text!r}; give key=value pairs with commas between them, or a JSON object ({error})"
        ) from error


def _split(text: str) -> list[tuple[str, str]]:
    split = []
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise ValueError(f"{part!r} has no =")
        split.append((key, value.strip()))
    return split


def _value(text: str) -> Any:
    """A number, true, false or null where it reads like one, else text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _dates(when: When) -> tuple[datetime | None, datetime | None]:
    """First and last time of the last update.

    Raises
    ------
    InvalidRequest
        A date cannot be read, or limits exclude each other.
    """
    relative = [name for name, value in (("--days", when.days), ("--hours", when.hours)) if value is not None]
    absolute = [
        name for name, value in (("--start-date", when.start_date), ("--end-date", when.end_date)) if value is not None
    ]
    if len(relative) > 1 or (relative and absolute):
        raise InvalidRequest(f"{' and '.join(relative + absolute)} exclude each other; give one of them")
    if relative:
        span = timedelta(days=when.days) if when.days is not None else timedelta(hours=when.hours or 0)
        return datetime.now().astimezone() - span, None
    return _date(when.start_date, "--start-date"), _date(when.end_date, "--end-date", end=True)


def _date(text: str | None, option: str, *, end: bool = False) -> datetime | None:
    if text is None:
        return None
    for pattern in ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%H:%M:%S"):
        try:
            found = datetime.strptime(text, pattern)
        except ValueError:
            continue
        if pattern == "%H:%M:%S":
            found = datetime.combine(datetime.now().date(), found.time())
        if pattern == "%Y-%m-%d" and end:
            # The whole day is meant.
            found += timedelta(days=1)
        return found.astimezone()
    raise InvalidRequest(f"{option} is {text!r}; write 2024-03-01, 2024-03-01T14:30:00 or, for today, 14:30:00")
