"""Any jobs, any criteria: what the database and the documents decide together is what plain Python decides on all jobs.

The function of plain Python is compared with MongoDB's language, through MemoryStore, in test_criteria_memory_store.py.
"""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from towline.core.states import FlowState, JobState
from towline.store import flow_search, job_search
from towline.store.criteria import matcher
from towline.store.database import Database
from towline.store.flow_search import FlowFilter, find_flows
from towline.store.job_search import JobFilter, Page, find_job_ids, find_jobs
from towline.store.queue_criteria import QueueCriteria, _document_of, flow_criteria, job_criteria
from towline.testing.queue import add_flow, put_in_state, put_outcome

fuzz = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60, derandomize=True
)

texts = st.sampled_from(["", "p", "pq", "é", "2", "it's", 'say "p"', "p\0q", "?", "x" * 500, "$1"])
numbers = st.sampled_from([0, 1, -3, 5, 5.0, 2.5, 0.1, 1e-300, 1e300, 2**53, 2**53 + 1, -(2**63)])
scalars = st.none() | st.booleans() | numbers | texts
names = st.sampled_from(["x", "y", "a b"])
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=2),
    max_leaves=4,
)
mappings = st.dictionaries(names, documents, max_size=3)
jobs = st.fixed_dictionaries(
    {
        "name": texts.filter(lambda text: "\0" not in text),
        "metadata": mappings,
        "resources": st.none() | mappings,
        "exec_config": st.none() | st.sampled_from(["p", "env"]) | mappings,
        "stored_data": st.none() | mappings,
        "failure": st.none() | st.sampled_from(["p", "no such file", "ValueError: pq"]),
        "priority": st.sampled_from([0, 5, -3]),
        "state": st.sampled_from([JobState.READY, JobState.FAILED, JobState.COMPLETED]),
    }
)

paths = st.builds(
    lambda root, rest: ".".join([root, *rest]),
    st.sampled_from(["metadata", "job.metadata", "resources", "exec_config", "stored_data", "exit_record"]),
    st.lists(st.sampled_from(["x", "y", "a b", "0"]), max_size=2),
)
columns = st.sampled_from(["name", "priority", "worker", "error", "reason", "exit_code", "flow_id", "job.index"])
comparable = st.booleans() | numbers | texts
expressions = st.sampled_from(
    ["p", "^p", "q$", "P", "^(?i:P)q", 'y "', "é", "x{450}", "x+", "^x", "^$", "t's", "2|p", r"\?", "\0"]
)
conditions = st.one_of(
    documents,
    *(st.builds(lambda value, name=name: {name: value}, documents) for name in ("$eq", "$ne")),
    *(st.builds(lambda value, name=name: {name: value}, comparable) for name in ("$gt", "$gte", "$lt", "$lte")),
    *(st.builds(lambda value, name=name: {name: value}, st.lists(scalars, max_size=3)) for name in ("$in", "$nin")),
    st.builds(lambda value: {"$exists": value}, st.booleans()),
    st.builds(lambda value: {"$regex": value}, expressions),
    st.builds(lambda value: {"$regex": value, "$options": "i"}, expressions),
    st.builds(lambda value: {"$in": [value, "pq"]}, expressions.map(re.compile)),
    st.builds(lambda value: {"$not": {"$regex": value}}, expressions),
    st.builds(lambda value: {"$not": {"$gte": value}}, comparable),
    st.builds(lambda value: {"$size": value}, st.integers(0, 3)),
    st.builds(lambda value: {"$elemMatch": {"$gte": value}}, comparable),
)
parts = st.dictionaries(paths | columns, conditions, max_size=2) | st.builds(
    lambda state: {"state": state}, st.sampled_from(["READY", "FAILED", "WAITING"])
)
criteria = st.recursive(
    parts,
    lambda inner: st.builds(
        lambda name, branches: {name: branches},
        st.sampled_from(["$and", "$or", "$nor"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=4,
)


@pytest.fixture
def database(queue_place, monkeypatch):
    # Small enough that there are several rounds.
    monkeypatch.setattr(job_search, "_DECIDED_AT_ONCE", 3)
    monkeypatch.setattr(flow_search, "_DECIDED_AT_ONCE", 3)
    database = Database(queue_place)
    yield database
    database.close()


def empty(database):
    with database.transaction() as transaction:
        for table in ("edge", "job_document", "job_outcome", "event", "flow_count", "worker_count", "job", "flow"):
            transaction.execute(f"DELETE FROM {table}")


def put(database, job):
    """A flow of one job, whose outcome and name are like that."""
    given = {name: job[name] for name in ("resources", "exec_config")}
    about = job["metadata"]
    ids = add_flow(database, {"job": []}, name=job["name"], metadata=about, flow_metadata=about, **given)
    with database.transaction() as transaction:
        transaction.execute(
            "UPDATE job SET name = ?, priority = ? WHERE id = ?", (job["name"], job["priority"], ids["job"])
        )
    outcome = {}
    if job["stored_data"] is not None:
        outcome["stored_data"] = outcome["exit_record"] = job["stored_data"]
    if job["failure"] is not None:
        outcome["failure"] = {"reason": "error", "message": job["failure"], "details": None}
    if outcome:
        put_outcome(database, ids["job"], **outcome)
    put_in_state(database, ids["job"], job["state"])


@fuzz
@given(st.lists(jobs, min_size=1, max_size=8), st.lists(criteria, min_size=1, max_size=6))
def test_jobs_that_are_found_are_those_that_meet_the_criteria(database, given_jobs, wanted):
    empty(database)
    for job in given_jobs:
        put(database, job)
    everything = find_jobs(database, JobFilter(), details=True)
    for one in wanted:
        checked = job_criteria(one)
        meets = matcher(checked.criteria)
        expected = sorted(job.id for job in everything if meets(_document_of(job)))
        assert sorted(find_job_ids(database, JobFilter(query=checked))) == expected, one
        page = [job.id for job in find_jobs(database, JobFilter(query=checked), Page(limit=2, skip=1))]
        assert page == [job.id for job in everything if job.id in expected][1:3], one
        some = sorted(job.id for job in everything if job.state is JobState.READY and job.id in expected)
        assert sorted(find_job_ids(database, JobFilter(query=checked, states=(JobState.READY,)))) == some, one


flow_parts = st.dictionaries(
    st.builds(lambda rest: ".".join(["metadata", *rest]), st.lists(names, max_size=2)) | st.just("name"),
    conditions,
    max_size=2,
)


@fuzz
@given(st.lists(jobs, min_size=1, max_size=8), st.lists(flow_parts, min_size=1, max_size=6))
def test_flows_that_are_found_are_those_that_meet_the_criteria(database, given_jobs, wanted):
    empty(database)
    for job in given_jobs:
        put(database, job)
    everything = find_flows(database, FlowFilter())
    for one in wanted:
        meets = matcher(flow_criteria(one).criteria)
        expected = sorted(flow.id for flow in everything if meets(_document_of(flow)))
        found = find_flows(database, FlowFilter(query=flow_criteria(one)))
        assert sorted(flow.id for flow in found) == expected, one
        assert flow_search.count_flows(database, FlowFilter(query=flow_criteria(one))) == len(expected)
        failed = FlowFilter(query=flow_criteria(one), states=(FlowState.FAILED,))
        assert {flow.id for flow in find_flows(database, failed)} == {
            flow.id for flow in everything if flow.id in expected and flow.state is FlowState.FAILED
        }


def test_the_database_says_something_about_values_in_documents(database):
    """Otherwise the documents of every job would be read."""
    for one in (
        {"metadata.x": 5},
        {"metadata.x.y": {"$gt": 5}},
        {"stored_data.energy": {"$lt": -1.5}},
        {"resources.time_limit": {"$in": [1, 2]}},
        {"error": {"$regex": "memory"}},
        {"exec_config": "env"},
    ):
        assert QueueCriteria("jobs", job_criteria(one).criteria).condition(database).sql, one
