"""Values in metadata find their jobs and flows through an index, on every way into the queue and out of it."""

import pytest

from towline.core.states import JobState
from towline.store import deletions, metadata_index, metadata_search
from towline.store.database import Database
from towline.store.flow_search import FlowFilter, find_flows
from towline.store.job_search import JobFilter, Page, Sort, count_jobs, find_jobs
from towline.store.queue_criteria import job_criteria
from towline.testing.queue import add_flow, put_in_state


@pytest.fixture
def database(queue_place):
    database = Database(queue_place)
    yield database
    database.close()


def found(database, page=None, query=None, **metadata):
    wanted = JobFilter(metadata=metadata, query=None if query is None else job_criteria(query))
    return [job.name for job in find_jobs(database, wanted, page)]


def rows(database):
    return database.read("SELECT token, flow_id, job_id FROM metadata_index")


@pytest.mark.parametrize("page", [None, Page(limit=5), Page(limit=5, ascending=True), Page(Sort.DB_ID, limit=5)])
@pytest.mark.parametrize(
    ("metadata", "key", "value"),
    [
        ({"k": "v"}, "k", "v"),
        ({"k": 1}, "k", 1.0),
        ({"k": 1.0}, "k", True),
        ({"k": True}, "k", 1),
        ({"k": 0}, "k", -0.0),
        ({"k": 2**62}, "k", 2**62),
        ({"a": {"b": {"c": "é"}}}, "a.b.c", "é"),
        ({"a": {"b": 1}}, "a", {"b": 1}),
        ({"k": "x" * 1000}, "k", "x" * 1000),
        ({"k": None}, "k", None),
        ({str(number): number for number in range(100)}, "77", 77),
    ],
)
def test_a_value_finds_the_job_that_has_it(database, page, metadata, key, value):
    add_flow(database, {"other": []}, metadata={"z": [1], "k": "another"})
    add_flow(database, {"wanted": []}, metadata=metadata)
    assert found(database, page, **{key: value}) == ["wanted"]
    assert count_jobs(database, JobFilter(metadata={key: value})) == 1
    assert found(database, page, **{key: "nothing of the kind"}) == []


def test_texts_that_begin_alike_are_told_apart(database):
    add_flow(database, {"a": []}, metadata={"k": "x" * 300 + "a"})
    add_flow(database, {"b": []}, metadata={"k": "x" * 300 + "b"})
    assert found(database, Page(limit=5), k="x" * 300 + "b") == ["b"]


@pytest.mark.parametrize(
    "criteria", [{"metadata.k": 2}, {"metadata.k.1": 2}, {"job.metadata.k": {"$eq": 2}}, {"$and": [{"metadata.k": 2}]}]
)
def test_criteria_find_items_of_lists(database, criteria):
    add_flow(database, {"list": []}, metadata={"k": [1, 2]})
    add_flow(database, {"other": []}, metadata={"k": [1, 3]})
    assert found(database, Page(limit=5), query=criteria) == ["list"]


def test_what_all_jobs_of_a_flow_have_is_stored_once(database):
    jobs = add_flow(database, {str(number): [] for number in range(20)}, metadata={"campaign": 7, "n": {"m": "x"}})
    assert len(rows(database)) == 2
    assert {job_id for _, _, job_id in rows(database)} == {metadata_index.WHOLE_FLOW}
    assert len(found(database, campaign=7)) == len(jobs)


@pytest.mark.parametrize("many", [1000, 3])
def test_the_newest_come_first_whether_few_or_many_have_the_value(database, many, monkeypatch):
    monkeypatch.setattr(metadata_search, "MANY_ROWS", many)
    jobs = {}
    for number in range(12):
        flow = {f"{number}.{job}": [] for job in range(number % 3 + 1)}
        jobs |= add_flow(database, flow, metadata={"campaign": number % 2})
    # What changed last is not what came last.
    for name in ("3.0", "1.1", "7.0"):
        put_in_state(database, jobs[name], JobState.RUNNING)
    everything = [job.name for job in find_jobs(database, JobFilter())]
    odd = [name for name in everything if int(name.split(".")[0]) % 2]
    assert odd[:3] == ["7.0", "1.1", "3.0"]
    for limit, skip in ((1, 0), (4, 0), (4, 4), (50, 0), (3, 50)):
        assert found(database, Page(limit=limit, skip=skip), campaign=1) == odd[skip : skip + limit]
    running = JobFilter(metadata={"campaign": 1}, states=(JobState.RUNNING,))
    assert [job.name for job in find_jobs(database, running, Page(limit=2))] == ["7.0", "1.1"]


def test_flows_are_found_by_their_own_metadata(database, monkeypatch):
    for many in (1000, 2):
        monkeypatch.setattr(metadata_search, "MANY_ROWS", many)
        add_flow(database, {"a": []}, name=f"wanted {many}", flow_metadata={"label": {"id": many}})
        add_flow(database, {"b": []}, name="jobs only", metadata={"label": {"id": many}})
        flows = find_flows(database, FlowFilter(metadata={"label.id": many}), Page(limit=5))
        assert [flow.name for flow in flows] == [f"wanted {many}"]


def test_nothing_is_left_of_what_is_deleted(database):
    kept = add_flow(database, {"kept": []}, metadata={"k": 1})
    before = rows(database)
    jobs = add_flow(database, {"a": [], "b": []}, metadata={"k": 1, "deep": [1, 2]}, flow_metadata={"f": 1})
    flow_id = database.read("SELECT flow_id FROM job WHERE id = ?", (jobs["a"],))[0][0]
    with database.transaction() as transaction:
        deletions.delete_jobs(transaction, [jobs["a"]])
    assert found(database, k=1) == ["b", "kept"]
    with database.transaction() as transaction:
        deletions.delete_flows(transaction, [flow_id])
    assert rows(database) == before
    assert found(database, k=1) == list(kept)
