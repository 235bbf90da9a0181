"""Finding, counting and reading jobs.

Lists read only narrow rows, and the newest of any state or worker come through an index, however many jobs there are.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from towline.core.states import IN_FLIGHT, JobState
from towline.store import metadata_index, metadata_search
from towline.store.conditions import MANY_NAMES, NO_LIMIT, Conditions, in_order, name_condition, name_range
from towline.store.database import Database
from towline.store.job_details import with_details
from towline.store.job_filter import JobFilter, Page, Sort
from towline.store.job_info import JOB_COLUMNS, JobInfo, job_info

if TYPE_CHECKING:
    # Lists without criteria need nothing of it.
    from towline.store.criteria_sql import Prefilter
    from towline.store.queue_criteria import QueueCriteria

__all__ = ["JobFilter", "Page", "Sort", "count_jobs", "count_states", "find_job_ids", "find_jobs"]

#: Jobs whose documents are in memory at a time while criteria are decided on them.
_DECIDED_AT_ONCE = 2_000

#: How many of the newest jobs are looked at before the index of names is.
_NEWEST = 2_000

#: How many jobs are listed one after the other to find enough; 0 is all the others.
_LOOKED_AT = (200, 2_000, 20_000, 200_000, 0)


def find_jobs(
    database: Database, wanted: JobFilter, page: Page | None = None, *, prefix: str = "", details: bool = False
) -> list[JobInfo]:
    """Jobs that `wanted` admits, newest first unless `page` says otherwise.

    Parameters
    ----------
    prefix
        Text before the number in the ids that users see.
    details
        Load failure, metadata, stored data, parents and the like too.
    """
    page = page or Page()
    wanted = _resolved(database, wanted, page)
    chosen, parameters = _chosen_ids(database, wanted, page)
    order = _order(page)
    rows = database.read(
        f"SELECT {JOB_COLUMNS} FROM ({chosen}) AS chosen JOIN job ON job.id = chosen.id "
        f"JOIN flow ON flow.id = job.flow_id ORDER BY {order}",
        parameters,
    )
    jobs = [job_info(row, prefix) for row in rows]
    return with_details(database, jobs) if details else jobs


def find_job_ids(database: Database, wanted: JobFilter) -> list[int]:
    """Ids of all jobs that `wanted` admits, oldest first."""
    page = Page(Sort.DB_ID, ascending=True)
    chosen, parameters = _chosen_ids(database, _resolved(database, wanted, page), page)
    return sorted(row[0] for row in database.read(chosen, parameters))


def count_jobs(database: Database, wanted: JobFilter) -> int:
    """Number of jobs that `wanted` admits. For states and workers alone no job is read."""
    if wanted == JobFilter(states=wanted.states, workers=wanted.workers):
        return sum(count_states(database, wanted.states, wanted.workers).values())
    conditions = _conditions(database, _resolved(database, wanted, Page()), page=None)
    return int(database.read(f"SELECT count(*) FROM job WHERE {conditions.where}", conditions.parameters)[0][0])


def count_states(
    database: Database, states: Sequence[JobState] = (), workers: Sequence[str] = ()
) -> dict[JobState, int]:
    """Number of jobs in each state, from the counters; states without jobs are missing unless asked for."""
    conditions = Conditions()
    _add_states_and_workers(conditions, states, workers)
    rows = database.read(
        "SELECT state, CAST(sum(jobs) AS BIGINT) FROM worker_count AS job "
        f"WHERE jobs > 0 AND {conditions.where} GROUP BY state",
        conditions.parameters,
    )
    return dict.fromkeys(states, 0) | {JobState(state): int(jobs) for state, jobs in rows}


def _resolved(database: Database, wanted: JobFilter, page: Page) -> JobFilter:
    """The same filter, as far as `page` goes, with (uuid, index), metadata and criteria turned into ids of rows."""
    wanted = _with_ids(database, wanted)
    if wanted.query is not None:
        wanted = _with_named_states(wanted, wanted.query)
    wanted = _with_metadata(database, wanted, page)
    if _is_exact(database, wanted):
        return wanted
    return _only(_met(database, wanted, page))


def _met(database: Database, wanted: JobFilter, page: Page) -> list[int]:
    """Jobs on `page` and before it that meet criteria which only documents decide.

    They are decided along the order of the list, a few at a time, until there are enough: what is frequent is found at
    once, and what is rare takes a look at every job.
    """
    enough, done, found = page.skip + page.limit, 0, list[int]()
    if page.limit and _names(database, wanted) is not None:
        newest, parameters = _chosen_ids(
            database, replace(wanted, query=None), Page(page.sort, page.ascending, _NEWEST)
        )
        met = _decided(database, wanted, [row[0] for row in database.read(newest, parameters)])
        if len(met) >= enough:
            return met
        wanted = _with_few_names_met(database, wanted)
    for number in _LOOKED_AT if page.limit else (0,):
        chosen, parameters = _chosen_ids(database, wanted, replace(page, limit=number, skip=done))
        ids = [row[0] for row in database.read(chosen, parameters)]
        for start in range(0, len(ids), _DECIDED_AT_ONCE):
            found += _decided(database, wanted, ids[start : start + _DECIDED_AT_ONCE])
            if page.limit and len(found) >= enough:
                return found
        done += len(ids)
        if len(ids) < number:
            break
    return found


def _names(database: Database, wanted: JobFilter) -> "Prefilter | None":
    """What criteria about columns mean for the names of jobs, if these are not named otherwise."""
    query = wanted.query
    if query is None or wanted.names_jobs or query.columns() is None:
        return None
    named = {name: operand for name, operand in query.criteria.items() if name in ("name", "job.name")}
    condition = replace(query, criteria=named).condition(database)
    return condition if condition.sql else None


def _with_few_names_met(database: Database, wanted: JobFilter) -> JobFilter:
    """The same filter with names that may meet its criteria, if few jobs have them, turned into ids of rows.

    The index of names is read through in a fraction of the time that all jobs take in the order of the list.
    """
    names = _names(database, wanted)
    if names is None:
        return wanted
    rows = database.read(f"SELECT id FROM job WHERE {names.sql} LIMIT {MANY_NAMES}", names.parameters)
    return wanted if len(rows) == MANY_NAMES else replace(wanted, db_ids=_only(row[0] for row in rows).db_ids)


def _is_exact(database: Database, wanted: JobFilter) -> bool:
    """Whether the database decides which jobs are meant."""
    return wanted.query is None or wanted.query.condition(database).exact


def _decided(database: Database, wanted: JobFilter, job_ids: Sequence[int]) -> list[int]:
    """Those of some jobs that meet the criteria."""
    if wanted.query is None or not job_ids:
        return list(job_ids)
    columns = wanted.query.columns()
    if columns is not None:
        # A tenth of the time that whole jobs take.
        rows = database.read(
            f"SELECT {', '.join(['job.id', *columns.values()])} FROM job "
            "WHERE job.id IN (SELECT value FROM json_each(?)) ORDER BY job.id",
            (orjson.dumps(list(job_ids)).decode(),),
        )
        return wanted.query.decide_rows(list(columns), rows)
    jobs = find_jobs(database, JobFilter(db_ids=tuple(job_ids)), details=wanted.query.needs_documents)
    return wanted.query.decide(jobs)


def _only(job_ids: Iterable[int]) -> JobFilter:
    # No row has the id 0: nothing is found then, instead of everything.
    return JobFilter(db_ids=tuple(sorted(job_ids)) or (0,))


def _with_metadata(database: Database, wanted: JobFilter, page: Page) -> JobFilter:
    """The same filter with the jobs that the index of metadata names, if there is a value to look for."""
    tokens = metadata_index.wanted_tokens(wanted.metadata)
    if wanted.query is not None:
        tokens += metadata_index.tokens_of_criteria(wanted.query.criteria)
    if not tokens or wanted.names_jobs:
        return wanted
    if not page.limit or page.ascending or page.sort is not Sort.UPDATED_ON:
        few = metadata_search.few_job_ids(database, tokens)
        return wanted if few is None else replace(wanted, db_ids=_only(few).db_ids)
    found: list[tuple[float, int]] = []
    enough = page.skip + page.limit
    for candidates in metadata_search.newest_first(database, tokens):
        met = _newest_meeting(database, wanted, candidates.job_ids, enough)
        found = sorted([*found, *met], reverse=True)[:enough]
        until = candidates.rest_until
        if until is None or (len(found) == enough and found[-1][0] > until):
            break
    return _only(job_id for _, job_id in found)


def _newest_meeting(
    database: Database, wanted: JobFilter, job_ids: Sequence[int], enough: int
) -> list[tuple[float, int]]:
    """What :func:`_meeting` gives, or the newest part of it if that is enough: hardly any candidate is none."""
    if len(job_ids) > 2 * enough:
        maybe = _conditions(database, replace(wanted, db_ids=tuple(job_ids), metadata={}, query=None), None)
        newest = f"ORDER BY updated_at DESC, id DESC LIMIT {2 * enough:d}"
        rows = database.read(f"SELECT id FROM job WHERE {maybe.where} {newest}", maybe.parameters)
        found = _meeting(database, wanted, [job_id for (job_id,) in rows])
        if len(found) >= enough or len(rows) < 2 * enough:
            return found
    return _meeting(database, wanted, job_ids)


def _meeting(database: Database, wanted: JobFilter, job_ids: Sequence[int]) -> list[tuple[float, int]]:
    """``(time of the last change, id)`` of those among some jobs that are meant."""
    conditions = _conditions(database, replace(wanted, db_ids=tuple(job_ids) or (0,)), None)
    rows = database.read(f"SELECT updated_at, id FROM job WHERE {conditions.where}", conditions.parameters)
    if not rows or _is_exact(database, wanted):
        return rows
    decided = set(_decided(database, wanted, [job_id for _, job_id in rows]))
    return [row for row in rows if row[1] in decided]


def _with_named_states(wanted: JobFilter, query: "QueueCriteria") -> JobFilter:
    """The same filter with the states and workers that its criteria name, for which there is an index."""
    rest = dict(query.criteria)
    states, workers = _texts(rest.get("state")), _texts(rest.get("worker"))
    if states and not wanted.states:
        wanted = replace(wanted, states=tuple(JobState(state) for state in states))
        del rest["state"]
    if workers and not wanted.workers:
        wanted = replace(wanted, workers=tuple(workers))
        del rest["worker"]
    return replace(wanted, query=replace(query, criteria=rest) if rest else None)


def _texts(operand: Any) -> list[str]:
    """The texts of which a field has to be one; none where it may be something else."""
    if isinstance(operand, Mapping) and len(operand) == 1:
        operand = operand.get("$in", operand.get("$eq"))
    listed = operand if isinstance(operand, list) else [operand]
    return list(dict.fromkeys(listed)) if all(isinstance(item, str) for item in listed) else []


def _with_ids(database: Database, wanted: JobFilter) -> JobFilter:
    """The same filter with (uuid, index) turned into ids of rows."""
    if not wanted.job_ids:
        return wanted
    rows = database.read(
        "SELECT id, uuid, job_index FROM job WHERE uuid IN (SELECT value FROM json_each(?)) ORDER BY job_index",
        (orjson.dumps([uuid for uuid, _ in wanted.job_ids]).decode(),),
    )
    ids = {(uuid, index): job_id for job_id, uuid, index in rows} | {(uuid, None): job_id for job_id, uuid, _ in rows}
    found = {ids[key] for key in wanted.job_ids if key in ids}
    if wanted.db_ids:
        found &= set(wanted.db_ids)
    # No row has the id 0: nothing is found then, instead of everything.
    return replace(wanted, job_ids=(), db_ids=tuple(sorted(found)) or (0,))


def _chosen_ids(database: Database, wanted: JobFilter, page: Page) -> tuple[str, list[Any]]:
    """A query for the ids of the jobs on `page`."""
    wanted = _with_few_names(database, wanted, page)
    pairs = _pairs(database, wanted, page)
    order = _order(page)
    # Numbers in the text, not as parameters: PostgreSQL keeps a plan only if it knows how few rows are wanted.
    limit = page.skip + page.limit if page.limit else NO_LIMIT
    shown = f"LIMIT {page.limit or NO_LIMIT:d} OFFSET {page.skip:d}"
    if pairs is None:
        conditions = _conditions(database, wanted, page)
        query = f"SELECT job.id FROM job WHERE {conditions.where} ORDER BY {order} {shown}"
        return query, conditions.parameters
    # The index has the order within one state of one worker only: take the first of each pair, and the first of these.
    rest = _conditions(database, replace(wanted, states=(), workers=(), start_date=None, end_date=None), None)
    times = Conditions()
    times.add_times("job.updated_at", wanted.start_date, wanted.end_date)
    meets = rest.where if rest.texts else ""
    kind = database.dialect.kind
    parts = [f"{in_order(kind, _literal(state), times.where, meets, order)} LIMIT {limit:d}" for state, _ in pairs]
    union = (
        " UNION ALL ".join(f"SELECT * FROM ({part}) AS part" for part in parts)
        or "SELECT 0 AS id, 0 AS updated_at LIMIT 0"
    )
    parameters = [value for _, worker in pairs for value in (worker, *times.parameters, *rest.parameters)]
    return f"SELECT job.id FROM ({union}) AS job ORDER BY {order} {shown}", parameters


def _pairs(database: Database, wanted: JobFilter, page: Page) -> list[tuple[str, str]] | None:
    """The (state, worker) that have jobs, when the list is best put together from them; else None."""
    if not (wanted.states or wanted.workers) or wanted.names_jobs or page.sort is not Sort.UPDATED_ON:
        return None
    conditions = Conditions()
    _add_states_and_workers(conditions, wanted.states, wanted.workers)
    rows = database.read(
        f"SELECT state, worker FROM worker_count AS job WHERE jobs > 0 AND {conditions.where}", conditions.parameters
    )
    # SQLite takes 500 parts in one query.
    return rows if len(rows) <= 400 else None


def _conditions(database: Database, wanted: JobFilter, page: Page | None) -> Conditions:
    conditions = Conditions()
    conditions.add_listed("job.id", wanted.db_ids)
    if wanted.flow_ids:
        listed = orjson.dumps(wanted.flow_ids).decode()
        conditions.add("job.flow_id IN (SELECT id FROM flow WHERE uuid IN (SELECT value FROM json_each(?)))", listed)
    # Those that are named are fewer than those in any state.
    decided = wanted.names_jobs or _walks(database, wanted, page)
    _add_states_and_workers(conditions, wanted.states, wanted.workers, decided=decided)
    conditions.add_times("job.updated_at", wanted.start_date, wanted.end_date)
    if wanted.name is not None:
        operator, operand = name_condition(wanted.name)
        # The + keeps SQLite from the index of names: walking along the order of the list finds a page of many sooner.
        sign = "+" if page is not None and page.limit and not _in_order_of_names(wanted, page) else ""
        conditions.add(f"{sign}job.name {operator} ?", operand)
    conditions.add_metadata(_METADATA, "$.metadata", wanted.metadata)
    if wanted.locked:
        conditions.add("job.lease_owner IS NOT NULL")
        conditions.add_one_of("job.state", [state.value for state in sorted(IN_FLIGHT)])
    if wanted.payload_kind is not None:
        conditions.add("job.payload_kind = ?", wanted.payload_kind)
    if wanted.query is not None:
        conditions.add_prefilter(wanted.query.condition(database))
    return conditions


_METADATA = "(SELECT json_extract(CAST(settings AS TEXT), {path}) FROM job_document WHERE job_id = job.id)"


def _add_states_and_workers(
    conditions: Conditions, states: Sequence[JobState], workers: Sequence[str], *, decided: bool = False
) -> None:
    # The + keeps SQLite from the index of states where it is decided that another way is shorter.
    sign = "+" if decided else ""
    if states:
        # In the text, not as parameters: PostgreSQL keeps a plan only if it knows how many jobs are in these states.
        conditions.add(f"{sign}job.state IN ({', '.join(_literal(state) for state in states)})")
    conditions.add_one_of(f"{sign}job.worker", workers)


def _literal(state: JobState | str) -> str:
    return f"'{JobState(state).value}'"


def _walks(database: Database, wanted: JobFilter, page: Page | None) -> bool:
    """Whether a page in the order of ids is best found by walking along all jobs, instead of sorting those meant."""
    if page is None or not page.limit or wanted.names_jobs or not (wanted.states or wanted.workers):
        return False
    meant = sum(count_states(database, wanted.states, wanted.workers).values())
    return meant * meant > (page.limit + page.skip) * sum(count_states(database).values())


def _in_order_of_names(wanted: JobFilter, page: Page) -> bool:
    """Whether the index of names has the whole list in its order: that of changes, within one name."""
    exact = wanted.name is not None and name_condition(wanted.name)[0] == "="
    return exact and page.sort is Sort.UPDATED_ON and not (wanted.states or wanted.workers)


def _with_few_names(database: Database, wanted: JobFilter, page: Page) -> JobFilter:
    """The same filter with a name that few jobs have turned into ids of rows, where the name gives no order."""
    if wanted.name is None or not page.limit or wanted.names_jobs or _in_order_of_names(wanted, page):
        return wanted
    operator, operand = name_condition(wanted.name)
    within, bounds = ("1 = 1", []) if operator == "=" else name_range("name", operand)
    rows = database.read(
        f"SELECT id FROM job WHERE name {operator} ? AND {within} LIMIT {MANY_NAMES}", (operand, *bounds)
    )
    if len(rows) == MANY_NAMES:
        return wanted
    # No row has the id 0: nothing is found then, instead of everything.
    return replace(wanted, name=None, db_ids=tuple(row[0] for row in rows) or (0,))


def _order(page: Page) -> str:
    direction = "ASC" if page.ascending else "DESC"
    if page.sort is Sort.UPDATED_ON:
        return f"job.updated_at {direction}, job.id {direction}"
    # Ids are given in the order of creation.
    return f"job.id {direction}"
