"""From what users type to the jobs and flows they mean.

An id of a job is its db_id (with or without the prefix of the project), its uuid, or the beginning of its uuid.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from towline.core.records import PERSON
from towline.core.states import FlowState, JobState
from towline.errors import InvalidRequest, NoSuchFlow, NoSuchJob
from towline.store.flow_search import FlowFilter
from towline.store.job_search import JobFilter

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject
    from towline.store.queue_criteria import QueueCriteria

#: The fewest letters of a uuid that are taken for its beginning.
SHORTEST_UUID_PREFIX = 6


def job_row(opened: "OpenProject", text: str, index: int | None = None) -> int:
    """Row of the job that `text` names.

    Parameters
    ----------
    index
        Which of the replacements with that uuid, the newest by default; ignored when `text` is a db_id.

    Raises
    ------
    NoSuchJob
        No job has this id.
    InvalidRequest
        Several have uuids that begin so.
    """
    number = db_number(opened, text)
    if number is not None and opened.database.read("SELECT 1 FROM job WHERE id = ?", (number,)):
        return number
    uuid = _whole_uuid(opened, "job", text)
    if uuid is None:
        raise NoSuchJob(f"no job has the id {text!r}; `tow job list` shows the newest ones")
    rows = opened.database.read("SELECT job_index, id FROM job WHERE uuid = ? ORDER BY job_index", (uuid,))
    if index is None:
        return int(rows[-1][1])
    for found, row in rows:
        if found == index:
            return int(row)
    indexes = ", ".join(str(row[0]) for row in rows)
    raise NoSuchJob(f"the job {uuid} has no index {index}; it has {indexes}")


def flow_row(opened: "OpenProject", text: str, *, is_job: bool = False) -> int:
    """Row of the flow that `text` names: its uuid, or the db_id of any of its jobs.

    Parameters
    ----------
    is_job
        `text` is the uuid of a job.

    Raises
    ------
    NoSuchFlow
        No flow has this id.
    NoSuchJob
        No job has this id.
    """
    if is_job:
        return _flow_of(opened, job_row(opened, text))
    number = db_number(opened, text)
    if number is not None and opened.database.read("SELECT 1 FROM job WHERE id = ?", (number,)):
        return _flow_of(opened, number)
    uuid = _whole_uuid(opened, "flow", text)
    if uuid is None:
        raise NoSuchFlow(
            f"no flow has the id {text!r}, and no job the db_id; `tow flow list` shows the newest ones. "
            "For the flow of a job with this uuid, add --job to a command of `tow flow`"
        )
    return int(opened.database.read("SELECT id FROM flow WHERE uuid = ?", (uuid,))[0][0])


def _flow_of(opened: "OpenProject", row: int) -> int:
    return int(opened.database.read("SELECT flow_id FROM job WHERE id = ?", (row,))[0][0])


def db_number(opened: "OpenProject", text: str) -> int | None:
    """The number in a db_id; None when `text` is none."""
    number = text.removeprefix(opened.db_id_prefix)
    # SQLite's integers end there.
    return int(number) if number.isascii() and number.isdigit() and len(number) < 19 else None


def job_filter(
    opened: "OpenProject",
    *,
    job_ids: Iterable[str | tuple[str, int]] = (),
    db_ids: Iterable[str] = (),
    flow_ids: Iterable[str] = (),
    states: Iterable[JobState] = (),
    start_date: datetime | None = None,
    end_date: datetime | None = None,
    name: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    workers: Iterable[str] = (),
    locked: bool = False,
    query: Mapping[str, Any] | None = None,
    may_be_missing: bool = False,
) -> JobFilter:
    """A filter from ids as users type them.

    Parameters
    ----------
    query
        Criteria in the language of the job store, about the fields of :mod:`towline.store.queue_criteria`.
    may_be_missing
        A flow or worker that does not exist is no error, and nothing of it is found: for scripts.

    Raises
    ------
    ConfigurationError
        The project has no such worker, and no job of the queue has it.
    InvalidRequest
        A db_id is no db_id, a job id is not UUID:INDEX, or the criteria cannot be answered.
    NoSuchFlow
        There is no such flow.
    """
    return JobFilter(
        job_ids=tuple(_job_id(item) for item in job_ids),
        db_ids=tuple(_checked_number(opened, text) for text in db_ids),
        flow_ids=tuple(_flow_uuid(opened, text, may_be_missing=may_be_missing) for text in flow_ids),
        states=tuple(states),
        start_date=start_date,
        end_date=end_date,
        name=name,
        metadata=metadata or {},
        workers=tuple(workers) if may_be_missing else tuple(_worker(opened, name) for name in workers),
        locked=locked,
        query=_criteria("jobs", query, opened.db_id_prefix),
    )


def flow_filter(
    opened: "OpenProject",
    *,
    job_ids: Iterable[str] = (),
    db_ids: Iterable[str] = (),
    flow_ids: Iterable[str] = (),
    states: Iterable[FlowState] = (),
    start_date: datetime | None = None,
    end_date: datetime | None = None,
    name: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    locked: bool = False,
    query: Mapping[str, Any] | None = None,
    may_be_missing: bool = False,
) -> FlowFilter:
    """A filter from ids as users type them; see :func:`job_filter`."""
    return FlowFilter(
        job_ids=tuple(job_ids),
        db_ids=tuple(_checked_number(opened, text) for text in db_ids),
        flow_ids=tuple(_flow_uuid(opened, text, may_be_missing=may_be_missing) for text in flow_ids),
        states=tuple(states),
        start_date=start_date,
        end_date=end_date,
        name=name,
        metadata=metadata or {},
        locked=locked,
        query=_criteria("flows", query, opened.db_id_prefix),
    )


def _flow_uuid(opened: "OpenProject", text: str, *, may_be_missing: bool) -> str:
    try:
        row = flow_row(opened, text)
    except NoSuchFlow:
        if may_be_missing:
            return text
        raise
    return str(opened.database.read("SELECT uuid FROM flow WHERE id = ?", (row,))[0][0])


def _worker(opened: "OpenProject", name: str) -> str:
    """The name of a worker, when there is one: jobs may still have one that left the configuration."""
    is_known = name in opened.project.workers or name == PERSON
    if not is_known and not opened.database.read("SELECT 1 FROM worker_count WHERE worker = ?", (name,)):
        opened.project.worker(name)
    return name


def _criteria(about: str, query: Mapping[str, Any] | None, prefix: str) -> "QueueCriteria | None":
    if not query:
        return None
    # Most commands have no criteria, and need not load their language.
    from towline.store.queue_criteria import flow_criteria, job_criteria

    return job_criteria(query, prefix) if about == "jobs" else flow_criteria(query)


def _whole_uuid(opened: "OpenProject", table: str, text: str) -> str | None:
    """The uuid that is `text` or begins with it, among jobs or flows."""
    if opened.database.read(f"SELECT 1 FROM {table} WHERE uuid = ? LIMIT 1", (text,)):
        return text
    if len(text) < SHORTEST_UUID_PREFIX:
        return None
    # Letters, digits and dashes all come before the tilde.
    rows = opened.database.read(
        f"SELECT DISTINCT uuid FROM {table} WHERE uuid >= ? AND uuid < ? LIMIT 3", (text, f"{text}~")
    )
    if len(rows) > 1:
        some = ", ".join(row[0] for row in rows)
        raise InvalidRequest(f"several {table}s have a uuid that begins with {text!r}: {some}; type more of it")
    return str(rows[0][0]) if rows else None


def _checked_number(opened: "OpenProject", text: str) -> int:
    number = db_number(opened, str(text))
    if number is None:
        example = f"{opened.db_id_prefix}12"
        raise InvalidRequest(f"{text!r} is not the db_id of a job, which looks like {example}")
    return number


def _job_id(item: str | tuple[str, int]) -> tuple[str, int | None]:
    if not isinstance(item, str):
        return item[0], int(item[1])
    uuid, colon, index = item.rpartition(":")
    if not colon or not index.isdigit():
        raise InvalidRequest(f"{item!r} is not UUID:INDEX; the first index of a job is 1")
    return uuid, int(index)
