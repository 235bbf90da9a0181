"""Finding, counting and reading flows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from towline.core.states import IN_FLIGHT, FlowState, JobState
from towline.store import metadata_index, metadata_search
from towline.store.attention import attention
from towline.store.conditions import MANY_NAMES, NO_LIMIT, Conditions, name_condition, name_range
from towline.store.database import Database
from towline.store.job_details import parents_of, with_details
from towline.store.job_info import FlowInfo, JobInfo
from towline.store.job_search import JobFilter, Page, Sort, find_jobs
from towline.store.readiness import id_list

if TYPE_CHECKING:
    # Lists without criteria need nothing of it.
    from towline.store.queue_criteria import QueueCriteria

#: Flows whose documents are in memory at a time while criteria are decided on them.
_DECIDED_AT_ONCE = 2_000

#: The index of names has the flows of one name in the order of a list; those of a rare name are listed by their ids.
_MANY_OF_A_NAME = 200


@dataclass(frozen=True, slots=True)
class FlowFilter:
    """Which flows; what is empty or None does not restrict."""

    #: Uuids of jobs in the flows.
    job_ids: tuple[str, ...] = ()
    #: Ids of jobs in the flows.
    db_ids: tuple[int, ...] = ()
    #: Uuids of flows.
    flow_ids: tuple[str, ...] = ()
    states: tuple[FlowState, ...] = ()
    #: First and last time of the last update; local time when naive.
    start_date: datetime | None = None
    end_date: datetime | None = None
    #: Exact name, or a pattern with ``*``, ``?`` and ``[...]``.
    name: str | None = None
    #: Values of the flow's metadata by key; ``a.b`` is `b` inside of `a`.
    metadata: Mapping[str, Any] = field(default_factory=dict)
    #: Only flows with a job that a runner holds.
    locked: bool = False
    #: Criteria in the language of the job store.
    query: "QueueCriteria | None" = None

    @property
    def is_empty(self) -> bool:
        """Whether it restricts nothing: every flow is meant."""
        return self == FlowFilter()


def find_flows(
    database: Database, wanted: FlowFilter, page: Page | None = None, *, prefix: str = "", with_jobs: bool = False
) -> list[FlowInfo]:
    """Flows that `wanted` admits, newest first unless `page` says otherwise.

    Parameters
    ----------
    prefix
        Text before the number in the ids of jobs that users see.
    with_jobs
        Load the ids, names, states, workers and parents of the jobs too.
    """
    page = page or Page()
    wanted = _resolved(database, wanted)
    near = _newest_with_metadata(database, wanted, page)
    rows = [] if near is None else _rows(database, near, page)
    if near is None or len(rows) < page.limit:
        rows = _rows(database, wanted, page)
    counts = _state_counts(database, [row[0] for row in rows])
    reasons = attention(database, counts, prefix)
    flows = [
        replace(_flow_info(row, counts.get(row[0], {}), prefix), attention=reasons.get(row[0], ())) for row in rows
    ]
    return with_job_lists(database, flows, prefix=prefix) if with_jobs else flows


def _rows(database: Database, wanted: FlowFilter, page: Page) -> list[Any]:
    conditions = _conditions(database, wanted)
    return database.read(
        "SELECT flow.id, uuid, name, state, created_at, updated_at, jobstore, metadata, "
        "(SELECT min(id) FROM job WHERE flow_id = flow.id) "
        f"FROM flow WHERE {conditions.where} ORDER BY {_order(page)} "
        # In the text, not as parameters: PostgreSQL keeps a plan only if it knows how few rows are wanted.
        f"LIMIT {page.limit or NO_LIMIT:d} OFFSET {page.skip:d}",
        conditions.parameters,
    )


def _newest_with_metadata(database: Database, wanted: FlowFilter, page: Page) -> FlowFilter | None:
    """The same filter among the newest of the flows that may have its metadata: hardly any of these has not.

    None where they are few enough to look into each, or so many that they are found along the order of the list.
    """
    if not page.limit or page.ascending or page.sort is not Sort.UPDATED_ON or wanted.flow_ids:
        return None
    few = metadata_search.few_flow_ids(database, _tokens(wanted))
    enough = 2 * (page.skip + page.limit)
    if few is None or len(few) <= enough:
        return None
    rows = database.read(
        f"SELECT uuid FROM flow WHERE id IN (SELECT value FROM json_each(?)) ORDER BY {_order(page)} LIMIT {enough:d}",
        (id_list(few),),
    )
    return replace(wanted, flow_ids=tuple(uuid for (uuid,) in rows))


def count_flows(database: Database, wanted: FlowFilter) -> int:
    """Number of flows that `wanted` admits. For states alone no flow is read."""
    if wanted == FlowFilter(states=wanted.states):
        return sum(count_flow_states(database, wanted.states).values())
    conditions = _conditions(database, _resolved(database, wanted))
    return int(database.read(f"SELECT count(*) FROM flow WHERE {conditions.where}", conditions.parameters)[0][0])


def count_flow_states(database: Database, states: Sequence[FlowState] = ()) -> dict[FlowState, int]:
    """Number of flows in each state, from the counters; states without flows are missing unless asked for."""
    rows = database.read("SELECT state, flows FROM flow_state_count WHERE flows > 0")
    counts = {FlowState(state): int(flows) for state, flows in rows}
    return {state: counts.get(state, 0) for state in states} if states else counts


def with_job_lists(
    database: Database, flows: Sequence[FlowInfo], *, prefix: str = "", page: Page | None = None, details: bool = False
) -> list[FlowInfo]:
    """The same flows with their jobs.

    Parameters
    ----------
    page
        Order of the jobs; the one of their creation by default.
    details
        Load the details of every job too.
    """
    page = page or Page(Sort.DB_ID, ascending=True)
    jobs = find_jobs(database, JobFilter(flow_ids=tuple(flow.flow_id for flow in flows)), page, prefix=prefix)
    parents = parents_of(database, [job.id for job in jobs])
    hosts = _hosts(database, jobs)
    jobs = with_details(database, jobs) if details else jobs
    by_flow: dict[str, list[JobInfo]] = {}
    for job in jobs:
        job = replace(job, parents=parents.get(job.id, ()), hosts=hosts.get(job.id, ()))
        by_flow.setdefault(job.flow_id, []).append(job)
    return [_with_jobs(flow, by_flow.get(flow.flow_id, ())) for flow in flows]


def additional_stores_of_flow(database: Database, flow_row: int) -> list[tuple[str, list[str]]]:
    """``(name of the job, additional stores it saves in)`` of the jobs that say so."""
    rows = database.read(
        "SELECT name, settings FROM job JOIN job_document ON job_document.job_id = job.id WHERE flow_id = ? "
        "ORDER BY job.id",
        (flow_row,),
    )
    found = [(name, orjson.loads(settings).get("additional_stores")) for name, settings in rows]
    return [(name, stores) for name, stores in found if stores]


def flow_rows(database: Database, wanted: FlowFilter) -> list[int]:
    """Ids of the rows of all flows that `wanted` admits."""
    conditions = _conditions(database, _resolved(database, wanted))
    query = f"SELECT id FROM flow WHERE {conditions.where} ORDER BY id"
    return [row[0] for row in database.read(query, conditions.parameters)]


def edges_of_flow(database: Database, flow_row: int) -> list[tuple[int, int]]:
    """``(parent id, child id)`` of every dependency of a job in the flow, also on jobs of other flows."""
    return [
        (parent, child)
        for parent, child in database.read(
            "SELECT parent_id, child_id FROM job JOIN edge ON child_id = job.id WHERE flow_id = ? "
            "ORDER BY child_id, parent_id",
            (flow_row,),
        )
    ]


def job_states_of_flows(database: Database, flow_rows: Sequence[int]) -> dict[int, JobState]:
    """``{job id: state}`` of all jobs of these flows, oldest first."""
    rows = database.read(
        "SELECT id, state FROM job WHERE flow_id IN (SELECT value FROM json_each(?)) ORDER BY id", (id_list(flow_rows),)
    )
    return {job_id: JobState(state) for job_id, state in rows}


def _with_jobs(flow: FlowInfo, jobs: Sequence[JobInfo]) -> FlowInfo:
    return replace(
        flow,
        db_ids=tuple(job.db_id for job in jobs),
        job_ids=tuple(job.uuid for job in jobs),
        job_indexes=tuple(job.index for job in jobs),
        job_names=tuple(job.name for job in jobs),
        job_states=tuple(job.state for job in jobs),
        workers=tuple(job.worker for job in jobs),
        parents=tuple(job.parents for job in jobs),
        hosts=tuple(job.hosts for job in jobs),
        jobs_info=tuple(jobs),
    )


def _hosts(database: Database, jobs: Sequence[JobInfo]) -> dict[int, tuple[str, ...]]:
    rows = database.read(
        "SELECT job_id, settings FROM job_document WHERE job_id IN (SELECT value FROM json_each(?))",
        (id_list(job.id for job in jobs),),
    )
    return {job_id: tuple(orjson.loads(settings).get("hosts") or ()) for job_id, settings in rows}


def _flow_info(row: Sequence[Any], counts: Mapping[JobState, int], prefix: str) -> FlowInfo:
    flow_row, uuid, name, state, created, updated, jobstore, metadata, first_job = row
    return FlowInfo(
        db_id=f"{prefix}{first_job}",
        flow_id=uuid,
        name=name,
        state=FlowState(state),
        created_on=datetime.fromtimestamp(created, UTC),
        updated_on=datetime.fromtimestamp(updated, UTC),
        state_counts=counts,
        jobstore=jobstore,
        flow_metadata=orjson.loads(metadata) if metadata else {},
        id=flow_row,
    )


def _state_counts(database: Database, flow_ids: Sequence[int]) -> dict[int, dict[JobState, int]]:
    rows = database.read(
        "SELECT flow_id, state, jobs FROM flow_count WHERE jobs > 0 AND flow_id IN (SELECT value FROM json_each(?))",
        (id_list(flow_ids),),
    )
    counts: dict[int, dict[JobState, int]] = {}
    for flow_id, state, jobs in rows:
        counts.setdefault(flow_id, {})[JobState(state)] = jobs
    # In the order of a job's life.
    order = list(JobState)
    return {
        flow_id: dict(sorted(found.items(), key=lambda item: order.index(item[0]))) for flow_id, found in counts.items()
    }


def _resolved(database: Database, wanted: FlowFilter) -> FlowFilter:
    """The same filter with criteria that no column decides turned into uuids."""
    if wanted.query is None or wanted.query.condition(database).exact:
        return wanted
    conditions = _conditions(database, wanted)
    condition = f"flow.id > ? AND {conditions.where}"
    query = f"SELECT flow.id, flow.uuid FROM flow WHERE {condition} ORDER BY flow.id LIMIT {_DECIDED_AT_ONCE}"
    uuids: list[str] = []
    last = 0
    while rows := database.read(query, [last, *conditions.parameters]):
        last = rows[-1][0]
        found = set(wanted.query.decide(find_flows(database, FlowFilter(flow_ids=tuple(uuid for _, uuid in rows)))))
        uuids.extend(uuid for row, uuid in rows if row in found)
    # No flow has an empty uuid: nothing is found then, instead of everything.
    return FlowFilter(flow_ids=tuple(uuids) or ("",))


def _conditions(database: Database, wanted: FlowFilter) -> Conditions:
    conditions = Conditions()
    conditions.add_listed("flow.uuid", wanted.flow_ids)
    for column, ids in (("uuid", wanted.job_ids), ("id", wanted.db_ids)):
        if ids:
            listed = orjson.dumps(ids).decode()
            conditions.add(
                f"flow.id IN (SELECT flow_id FROM job WHERE {column} IN (SELECT value FROM json_each(?)))", listed
            )
    conditions.add_one_of("flow.state", [state.value for state in wanted.states])
    conditions.add_times("flow.updated_at", wanted.start_date, wanted.end_date)
    if wanted.name is not None:
        operator, operand = name_condition(wanted.name)
        _add_name(database, conditions, operator, operand)
    conditions.add_metadata("json_extract(CAST(flow.metadata AS TEXT), {path})", "$", wanted.metadata)
    _add_tokens(database, conditions, wanted)
    if wanted.locked:
        # Only jobs in flight are held, and these are few.
        states = ", ".join(f"'{state.value}'" for state in sorted(IN_FLIGHT))
        held = f"SELECT flow_id FROM job WHERE state IN ({states}) AND lease_owner IS NOT NULL"
        conditions.add(f"flow.id IN ({held})")
    if wanted.query is not None:
        conditions.add_prefilter(wanted.query.condition(database))
    return conditions


def _add_tokens(database: Database, conditions: Conditions, wanted: FlowFilter) -> None:
    """What the index of metadata tells of the flows that are meant."""
    tokens = _tokens(wanted)
    if not tokens or wanted.flow_ids:
        return
    few = metadata_search.few_flow_ids(database, tokens)
    if few is not None:
        # No row has the id 0: nothing is found then, instead of everything.
        conditions.add_listed("flow.id", few or [0])
        return
    for token in tokens:
        look = metadata_index.LOOK_AT_FLOW
        conditions.add(
            f"EXISTS (SELECT 1 FROM metadata_index WHERE token IN (?, {look}) AND flow_id = flow.id AND job_id = 0)",
            token,
        )


def _tokens(wanted: FlowFilter) -> list[int]:
    tokens = list(metadata_index.wanted_tokens(wanted.metadata, of_flow=True))
    if wanted.query is not None:
        tokens += metadata_index.tokens_of_criteria(wanted.query.criteria, of_flow=True)
    return tokens


def _add_name(database: Database, conditions: Conditions, operator: str, operand: str) -> None:
    is_pattern = operator == "GLOB"
    # As a range, because PostgreSQL takes every name for a frequent one, and would look through all flows.
    within, bounds = name_range("name", operand) if is_pattern else ("name >= ? AND name <= ?", [operand, operand])
    many = MANY_NAMES if is_pattern else _MANY_OF_A_NAME
    rows = []
    # Where the range says it all, one entry far in tells that there are many.
    is_range = is_pattern and operand.endswith("*") and not any(character in operand[:-1] for character in "*?[")
    are_many = is_range and bool(database.read(f"SELECT 1 FROM flow WHERE {within} LIMIT 1 OFFSET {many - 1}", bounds))
    if not are_many:
        where = f"name {operator} ? AND {within}"
        rows = database.read(f"SELECT id FROM flow WHERE {where} LIMIT {many}", (operand, *bounds))
    if not are_many and len(rows) < many:
        # No row has the id 0: nothing is found then, instead of everything.
        conditions.add_listed("flow.id", [row[0] for row in rows] or [0])
    else:
        # The + keeps SQLite from the index of names: walking along the order of the list finds a page of many sooner.
        conditions.add(f"{'+' if is_pattern else ''}flow.name {operator} ?", operand)


def _order(page: Page) -> str:
    direction = "ASC" if page.ascending else "DESC"
    first = f"flow.updated_at {direction}, " if page.sort is Sort.UPDATED_ON else ""
    return f"{first}flow.id {direction}"
