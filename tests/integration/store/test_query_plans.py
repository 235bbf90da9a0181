"""What the queue is asked goes through indexes, whatever the number of jobs: the databases tell how they find the rows.

Without statistics, which nobody makes by default, SQLite plans a small queue as it plans a large one. PostgreSQL plans
by the size of the tables; it is asked to go without scans where an index can be used at all.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import orjson
import pytest

from towline.configuration.choice import load_project
from towline.core.records import PERSON, ExitRecord, Failure, Result
from towline.core.states import IN_FLIGHT, FlowState, JobState
from towline.operations import flows, jobs, reports, selection
from towline.operations.compose import OpenProject, open_project
from towline.runner import cancellations
from towline.store import events
from towline.store import jobs as queue
from towline.store.completion import Completion, complete
from towline.store.database import Database
from towline.store.documents import SqlOutputs
from towline.store.flow_search import FlowFilter
from towline.store.holds import waiting_holds
from towline.store.job_search import JobFilter, Page, Sort
from towline.store.maintenance import rebuild_indexes
from towline.testing.queue import add_flow, inconsistencies, put_in_state

#: Tables with a row, or more, for each job or flow.
_GROWING = (
    *("job", "flow", "event", "edge", "job_document", "metadata_index", "job_outcome", "document", "attempt"),
    "flow_count",
)
_SCAN = re.compile(rf"SCAN (?:{'|'.join(_GROWING)})\b")
#: A page of a list is the first rows of a walk along its order.
_WALK = re.compile(r"SCAN \w+ USING (?:COVERING )?INDEX \w+_by_update|SCAN (?:job|event)$")
_PAGE = re.compile(r"ORDER BY [^()]*(?:updated_at|\bid\b)[^()]* LIMIT")
#: All jobs in a state, when others are meant.
_WHOLE_STATE = re.compile(r"job_by_state \(state=\?\)")
_TWENTY = Page(limit=20)


@pytest.fixture
def opened(tmp_path, monkeypatch) -> Iterator[OpenProject]:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path))
    with open_project() as opened:
        yield opened


@pytest.fixture
def ids_of() -> Callable[[OpenProject], dict[str, int]]:
    """Makes a flow in which something has happened, beside another one."""

    def make(opened: OpenProject) -> dict[str, int]:
        add_flow(opened.database, {"other": []})
        graph = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "e": []}
        ids = add_flow(opened.database, graph, name="main", metadata={"k": 1})
        put_in_state(opened.database, ids["a"], JobState.COMPLETED, process_id="4711", lease_owner=None)
        put_in_state(opened.database, ids["e"], JobState.FAILED)
        return ids

    return make


@pytest.fixture
def ids(opened, ids_of) -> dict[str, int]:
    return ids_of(opened)


@contextmanager
def statements(connection: sqlite3.Connection) -> Iterator[list[str]]:
    """The statements that a connection runs meanwhile."""
    seen: list[str] = []
    connection.set_trace_callback(seen.append)
    try:
        yield seen
    finally:
        connection.set_trace_callback(None)


def plans(connection: sqlite3.Connection, seen: list[str]) -> list[tuple[str, str]]:
    """``(statement, step)`` of how each statement finds its rows."""
    asked = [sql for sql in dict.fromkeys(seen) if re.match("SELECT|UPDATE|DELETE|INSERT|WITH", sql)]
    return [(sql, row[3]) for sql in asked for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]


def scans(connection: sqlite3.Connection, seen: list[str]) -> list[tuple[str, str]]:
    """Steps that go through a table whose size grows with the queue, unless they stop after a page."""
    return [
        (step, sql)
        for sql, step in plans(connection, seen)
        # The counters of workers go by the name of what they count.
        if _SCAN.search(step) and "worker_count AS job" not in sql and not (_WALK.search(step) and _PAGE.search(sql))
    ]


HOUR_AGO = datetime.now() - timedelta(hours=1)

ASKED: dict[str, Callable[[OpenProject, dict[str, int]], object]] = {
    "newest": lambda opened, ids: jobs.list_jobs(opened, JobFilter(), _TWENTY, details=True),
    "newest by id": lambda opened, ids: jobs.list_jobs(opened, JobFilter(), Page(Sort.DB_ID, limit=20)),
    "state": lambda opened, ids: jobs.list_jobs(opened, JobFilter(states=(JobState.FAILED,)), _TWENTY),
    "worker": lambda opened, ids: jobs.list_jobs(opened, JobFilter(workers=("local",)), _TWENTY),
    "in flight": lambda opened, ids: jobs.list_jobs(opened, JobFilter(states=tuple(sorted(IN_FLIGHT))), _TWENTY),
    "locked": lambda opened, ids: jobs.list_jobs(opened, JobFilter(locked=True), _TWENTY),
    "name": lambda opened, ids: jobs.list_jobs(opened, JobFilter(name="a"), _TWENTY),
    "name and state": lambda opened, ids: jobs.list_jobs(
        opened, JobFilter(name="a", states=(JobState.COMPLETED,)), _TWENTY
    ),
    "beginning of the name": lambda opened, ids: jobs.list_jobs(opened, JobFilter(name="a*"), _TWENTY),
    "since": lambda opened, ids: jobs.list_jobs(opened, JobFilter(start_date=HOUR_AGO), _TWENTY),
    "flow": lambda opened, ids: jobs.list_jobs(
        opened, selection.job_filter(opened, flow_ids=[str(ids["a"])]), Page(limit=100)
    ),
    "criteria": lambda opened, ids: jobs.list_jobs(
        opened, selection.job_filter(opened, query={"state": "COMPLETED", "priority": {"$gte": 0}}), _TWENTY
    ),
    "metadata": lambda opened, ids: jobs.list_jobs(opened, JobFilter(metadata={"k": 1}), _TWENTY),
    "criteria about metadata": lambda opened, ids: jobs.list_jobs(
        opened, selection.job_filter(opened, query={"metadata.k": 1}), _TWENTY
    ),
    "number of jobs with metadata": lambda opened, ids: jobs.count_jobs(opened, JobFilter(metadata={"k": 1})),
    "metadata of flows": lambda opened, ids: flows.list_flows(opened, FlowFilter(metadata={"k": 1}), _TWENTY),
    "process": lambda opened, ids: jobs.job_of_process(opened, "4711"),
    "uuid": lambda opened, ids: selection.job_row(opened, jobs.get_job(opened, ids["a"]).uuid),
    "beginning of the uuid": lambda opened, ids: selection.job_row(opened, jobs.get_job(opened, ids["a"]).uuid[:13]),
    "info": lambda opened, ids: jobs.job_info(opened, ids["d"]),
    "counts": lambda opened, ids: (
        jobs.count_jobs_by_state(opened),
        jobs.count_jobs(opened, JobFilter()),
        jobs.count_jobs(opened, JobFilter(states=(JobState.FAILED,), workers=("local",))),
        flows.count_flows(opened, FlowFilter()),
        flows.count_flows(opened, FlowFilter(states=(FlowState.FAILED,))),
    ),
    "flows": lambda opened, ids: flows.list_flows(opened, FlowFilter(), _TWENTY, with_jobs=True),
    "flows by state": lambda opened, ids: flows.list_flows(opened, FlowFilter(states=(FlowState.FAILED,)), _TWENTY),
    "flows by name": lambda opened, ids: flows.list_flows(opened, FlowFilter(name="main"), _TWENTY),
    "flows by the beginning of the name": lambda opened, ids: flows.list_flows(opened, FlowFilter(name="ma*"), _TWENTY),
    "locked flows": lambda opened, ids: flows.list_flows(opened, FlowFilter(locked=True), _TWENTY),
    "flow info": lambda opened, ids: flows.flow_info(opened, selection.flow_row(opened, str(ids["a"])), details=True),
    "job report": lambda opened, ids: reports.jobs_report(opened),
    "flow report": lambda opened, ids: reports.flows_report(opened, reports.Interval.MONTHS),
    "events": lambda opened, ids: (
        events.read_events(opened.database, limit=20, newest=True),
        events.read_events(opened.database, after=3, limit=20),
        events.read_events(opened.database, since=HOUR_AGO, limit=20),
        events.read_events(opened.database, flow_rows=[1, 2], limit=20),
        events.read_events(opened.database, job_rows=[ids["a"]], limit=20),
    ),
    "the runner's looks": lambda opened, ids: (
        queue.next_delayed(opened.database, 0.0),
        queue.any_to_take_over(opened.database, 7, ["local"]),
        cancellations.pending(opened.database, {}, set()),
        waiting_holds(opened.database),
    ),
}


@pytest.mark.parametrize("question", ASKED)
def test_what_is_asked_is_found_through_an_index(opened, ids, question) -> None:
    connection = opened.database.connection
    with statements(connection) as seen:
        ASKED[question](opened, ids)
    assert scans(connection, seen) == []


def test_a_name_that_few_jobs_have_is_not_looked_for_among_all_jobs_of_a_state(opened, ids) -> None:
    connection = opened.database.connection
    with statements(connection) as seen:
        found = jobs.list_jobs(opened, JobFilter(name="a", states=(JobState.COMPLETED,)), _TWENTY)
    assert [job.id for job in found] == [ids["a"]]
    assert [step for _, step in plans(connection, seen) if "job_by_state" in step] == []


def test_rebuilding_the_indexes_leaves_no_statistics_that_would_change_the_plans(opened, ids) -> None:
    opened.database.connection.execute("ANALYZE")
    rebuild_indexes(opened.database)
    assert opened.database.read("SELECT name FROM sqlite_master WHERE name GLOB 'sqlite_stat*'") == []
    connection = opened.database.connection
    with statements(connection) as seen:
        ASKED["the runner's looks"](opened, ids)
    assert scans(connection, seen) == []


def claim(opened: OpenProject, number: int) -> list[queue.QueuedJob]:
    with opened.database.transaction() as transaction:
        return [job for job, _ in queue.claim(transaction, "local", number, owner=1)]


def next_to_claim(opened: OpenProject, number: int) -> None:
    with opened.database.transaction() as transaction:
        queue.next_to_claim(transaction, "local", number)


def end(opened: OpenProject, claimed: list[queue.QueuedJob], failure: Failure | None = None) -> None:
    """Complete jobs, or fail them."""
    now = opened.database.clock()
    output = None if failure else orjson.dumps({"uuid": claimed[0].uuid, "index": 1, "output": 1})
    ended = [
        Completion(
            job, JobState.CHECKED_OUT, Result(failure, output), ExitRecord(0, None, "exited", now, now, "h"), "/run"
        )
        for job in claimed
    ]
    with opened.database.transaction() as transaction:
        complete(transaction, ended, lambda _: SqlOutputs())


DONE: dict[str, Callable[[OpenProject, dict[str, int]], object]] = {
    "submission": lambda opened, ids: add_flow(opened.database, {"x": [], "y": ["x"]}),
    "claim": lambda opened, ids: claim(opened, 10),
    "next to claim": lambda opened, ids: next_to_claim(opened, 10),
    "completion": lambda opened, ids: end(opened, claim(opened, 3)),
    "failure": lambda opened, ids: end(opened, claim(opened, 3), Failure("error", "no")),
    "pause and resume": lambda opened, ids: (
        jobs.pause_jobs(opened, [ids["b"]]),
        jobs.resume_jobs(opened, [ids["b"]]),
    ),
    "stop": lambda opened, ids: jobs.stop_jobs(opened, [ids["b"]]),
    "rerun": lambda opened, ids: jobs.rerun_jobs(opened, [ids["e"]]),
    "forced rerun": lambda opened, ids: jobs.rerun_jobs(opened, [ids["a"]], force=True),
    "priority": lambda opened, ids: jobs.set_priority(opened, [ids["b"]], 3),
    "set state": lambda opened, ids: jobs.set_job_states(opened, [ids["b"]], JobState.COMPLETED),
    "resume flow": lambda opened, ids: (
        jobs.stop_jobs(opened, [ids["b"]]),
        flows.resume_flow(opened, selection.flow_row(opened, str(ids["a"]))),
    ),
    "delete job": lambda opened, ids: jobs.delete_jobs(opened, [ids["d"]]),
    "delete flow": lambda opened, ids: flows.delete_flows(opened, [selection.flow_row(opened, str(ids["a"]))]),
}


@pytest.mark.parametrize("action", DONE)
def test_what_is_done_to_a_few_jobs_touches_no_others(opened, ids, action) -> None:
    connection = opened.database.connection
    with statements(connection) as seen:
        DONE[action](opened, ids)
    assert scans(connection, seen) == []
    # The journal of the claims is asked by state and worker, or by id; a state alone may have a million jobs.
    assert [step for _, step in plans(connection, seen) if _WHOLE_STATE.search(step)] == []
    assert inconsistencies(opened.database) == []


_VALUE = re.compile(r"'(?:[^']|'')*'|-?\b\d[\d.e+]*\b|\bNULL\b|x'[^']*'")


def shape(seen: list[str]) -> list[str]:
    """Statements without their values."""
    return [_VALUE.sub("?", sql) for sql in seen]


def test_completing_a_job_takes_as_many_statements_in_a_large_queue_and_a_large_flow(opened) -> None:
    graph = {"parent": [], "child": ["parent"]}
    add_flow(opened.database, graph)
    first = claim(opened, 1)
    with statements(opened.database.connection) as alone:
        end(opened, first)
    jobs.stop_jobs(opened, [row for (row,) in opened.database.read("SELECT id FROM job WHERE state = 'READY'")])
    add_flow(opened.database, {f"other {number}": [] for number in range(3000)}, worker=PERSON)
    add_flow(opened.database, {**graph, **{f"later {number}": ["child"] for number in range(3000)}})
    second = claim(opened, 1)
    with statements(opened.database.connection) as among_many:
        end(opened, second)
    assert sorted(shape(alone)) == sorted(shape(among_many))


def test_submission_takes_a_few_kinds_of_statements_whatever_the_number_of_jobs(opened) -> None:
    kinds = []
    for number in (10, 1000):
        graph = {"first": [], **{f"job {index}": ["first"] for index in range(number)}}
        with statements(opened.database.connection) as seen:
            add_flow(opened.database, graph)
        kinds.append(set(shape(seen)))
        # One for each row that is stored (job, document, edge, event), and a few for all of them.
        assert len(seen) < 4 * (number + 1) + 30
    assert kinds[0] == kinds[1]


@pytest.fixture
def on_server(postgresql, tmp_path, monkeypatch):
    """An open project on PostgreSQL, and its statements with their parameters, in the order in which they are made."""
    pytest.importorskip("psycopg")
    from towline.store.postgresql_dialect import PostgreSQLConnection
    from towline.store.postgresql_sql import translated

    class Recording(PostgreSQLConnection):
        def execute(self, sql, parameters=()):
            statement = translated(sql)
            made.append((statement.text, statement.parameters(parameters)))
            return super().execute(sql, parameters)

    made = []
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path))
    with postgresql.schema() as url:
        database = Database(url)
        database._local.connection = Recording(database.connection.driver)
        with OpenProject(load_project(None), database) as opened:
            yield opened, made


@pytest.mark.parametrize("name", [*ASKED, *DONE])
def test_the_server_finds_it_through_an_index_too(on_server, ids_of, name) -> None:
    opened, made = on_server
    ids = ids_of(opened)
    made.clear()
    {**ASKED, **DONE}[name](opened, ids)
    driver = opened.database.connection.driver
    driver.execute("SET enable_seqscan = off")
    for text, parameters in list(made):
        if re.match("SELECT|UPDATE|DELETE|WITH", text):
            rows = driver.execute(f"EXPLAIN {text}".encode(), parameters or None).fetchall()
            scanned = [row[0] for row in rows if re.search(rf"Seq Scan on (?:{'|'.join(_GROWING)})\b", row[0])]
            assert (scanned, text) == ([], text)
