"""Finding jobs: what each filter admits, in which order, and through which index."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from towline.core.states import JobState
from towline.store.database import Database
from towline.store.job_search import (
    JobFilter,
    Page,
    Sort,
    count_jobs,
    count_states,
    find_job_ids,
    find_jobs,
)
from towline.testing.queue import add_flow, put_in_state, put_outcome


@pytest.fixture
def database(queue_place: str | Path) -> Iterator[Database]:
    times = iter(range(1_000_000, 2_000_000, 10))
    database = Database(queue_place, clock=lambda: float(next(times)))
    yield database
    database.close()


def names(database: Database, page: Page | None = None, **wanted: object) -> list[str]:
    return [job.name for job in find_jobs(database, JobFilter(**wanted), page)]  # type: ignore[arg-type]


def test_the_newest_update_comes_first(database: Database) -> None:
    jobs = add_flow(database, {"a": [], "b": [], "c": []})
    put_in_state(database, jobs["a"], JobState.RUNNING)
    assert names(database) == ["a", "c", "b"]
    assert names(database, Page(ascending=True)) == ["b", "c", "a"]
    assert names(database, Page(Sort.DB_ID)) == ["c", "b", "a"]
    assert names(database, Page(Sort.CREATED_ON, ascending=True)) == ["a", "b", "c"]


def test_pages_follow_each_other_without_gap(database: Database) -> None:
    add_flow(database, {str(number): [] for number in range(10)})
    whole = names(database)
    assert names(database, Page(limit=4)) + names(database, Page(limit=4, skip=4)) == whole[:8]


def test_every_filter_restricts(database: Database) -> None:
    first = add_flow(database, {"relax": [], "static": ["relax"]}, metadata={"formula": "Cu", "deep": {"k": 1}})
    second = add_flow(database, {"relax": [], "md": []}, worker="slurm", flow_uuid="flow-two", resources={"n": 1})
    put_in_state(database, second["md"], JobState.RUNNING, lease_owner=4)
    uuid = database.read("SELECT uuid FROM job WHERE id = ?", (first["static"],))[0][0]
    assert names(database, states=(JobState.WAITING,)) == ["static"]
    assert names(database, states=(JobState.WAITING, JobState.RUNNING)) == ["md", "static"]
    assert names(database, workers=("slurm",)) == ["md", "relax"]
    assert names(database, states=(JobState.READY,), workers=("local",)) == ["relax"]
    assert names(database, states=(JobState.FAILED,)) == []
    assert names(database, workers=("nowhere",)) == []
    assert names(database, name="static") == ["static"]
    assert names(database, name="r*x") == ["relax", "relax"]
    assert names(database, name="[!r]*") == ["md", "static"]
    assert names(database, Page(limit=5), name="m?") == ["md"]
    assert names(database, Page(limit=5), name="zzz*") == []
    assert names(database, job_ids=((uuid, 1),)) == ["static"]
    assert names(database, job_ids=((uuid, None),)) == ["static"]
    assert names(database, job_ids=((uuid, 2),)) == []
    assert names(database, db_ids=(first["relax"], second["md"])) == ["md", "relax"]
    assert names(database, job_ids=((uuid, 1),), db_ids=(second["md"],)) == []
    assert names(database, flow_ids=("flow-two",)) == ["md", "relax"]
    assert names(database, flow_ids=("none",)) == []
    assert names(database, metadata={"formula": "Cu"}) == ["static", "relax"]
    assert names(database, metadata={"deep.k": 1}) == ["static", "relax"]
    assert names(database, metadata={"deep": {"k": 1}}) == ["static", "relax"]
    assert names(database, metadata={"formula": "Au"}) == []
    assert names(database, locked=True) == ["md"]
    assert names(database, payload_kind="jobflow") == []
    assert names(database, states=(JobState.READY,), name="relax", workers=("slurm",)) == ["relax"]


def test_dates_are_about_the_last_update_and_may_be_local_or_aware(database: Database) -> None:
    jobs = add_flow(database, {"a": [], "b": []})
    put_in_state(database, jobs["b"], JobState.RUNNING)
    moved = find_jobs(database, JobFilter(name="b"))[0].updated_on
    assert moved.tzinfo is UTC
    second = timedelta(seconds=1)
    assert names(database, start_date=moved - second) == ["b"]
    assert names(database, end_date=moved - second) == ["a"]
    naive = datetime.fromtimestamp(moved.timestamp())
    assert names(database, start_date=naive - second, end_date=naive + second) == ["b"]


def test_counting_agrees_with_finding(database: Database) -> None:
    jobs = add_flow(database, {"a": [], "b": ["a"], "c": ["a"]})
    put_in_state(database, jobs["a"], JobState.COMPLETED)
    add_flow(database, {"d": []}, worker="slurm")
    for wanted in (
        JobFilter(),
        JobFilter(states=(JobState.READY,)),
        JobFilter(states=(JobState.READY, JobState.COMPLETED), workers=("local",)),
        JobFilter(name="b"),
        JobFilter(workers=("nowhere",)),
    ):
        assert count_jobs(database, wanted) == len(find_jobs(database, wanted)) == len(find_job_ids(database, wanted))
    assert count_states(database) == {JobState.COMPLETED: 1, JobState.READY: 3}
    assert count_states(database, [JobState.FAILED, JobState.READY], ["slurm"]) == {
        JobState.FAILED: 0,
        JobState.READY: 1,
    }


def test_details_are_loaded_when_asked_for(database: Database) -> None:
    jobs = add_flow(database, {"a": [], "b": ["a"]}, metadata={"k": 1}, resources={"nodes": 2}, hosts=("h",))
    put_in_state(database, jobs["b"], JobState.FAILED, started_at=100.0, ended_at=160.0)
    failure = {"reason": "error", "message": "it broke", "details": "Traceback ..."}
    put_outcome(database, jobs["b"], failure=failure, stored_data={"x": 3})
    (narrow,) = find_jobs(database, JobFilter(name="b"))
    assert (narrow.metadata, narrow.error, narrow.parents) == ({}, None, ())
    (whole,) = find_jobs(database, JobFilter(name="b"), prefix="p-", details=True)
    assert whole.db_id == f"p-{jobs['b']}"
    assert whole.metadata == {"k": 1}
    assert whole.resources == {"nodes": 2}
    assert whole.hosts == ("h",)
    assert whole.stored_data == {"x": 3}
    assert whole.error == "it broke\nTraceback ..."
    assert whole.run_time == 60.0
    assert whole.parents == tuple(row[0] for row in database.read("SELECT uuid FROM job WHERE name = 'a'"))


def test_states_and_workers_together_give_the_order_of_the_whole(database: Database) -> None:
    generator = random.Random(5)
    for number in range(30):
        jobs = add_flow(database, {f"{number}-{k}": [] for k in range(3)}, worker=generator.choice(["x", "y", "z"]))
        for job in jobs.values():
            put_in_state(database, job, generator.choice([JobState.RUNNING, JobState.FAILED, JobState.COMPLETED]))
    states = (JobState.FAILED, JobState.COMPLETED)
    for page in (Page(), Page(ascending=True), Page(limit=7, skip=5), Page(Sort.DB_ID, limit=7)):
        everything = find_jobs(database, JobFilter(), Page(page.sort, page.ascending))
        expected = [job.name for job in everything if job.state in states and job.worker != "z"]
        end = page.skip + page.limit if page.limit else None
        assert names(database, page, states=states, workers=("x", "y")) == expected[page.skip : end]


@pytest.mark.parametrize(
    ("wanted", "page", "index"),
    [
        (JobFilter(), Page(limit=20), "job_by_update"),
        (JobFilter(states=(JobState.READY,), workers=("local",)), Page(limit=20), "job_by_state"),
        (JobFilter(flow_ids=("f",)), Page(limit=20), "job_by_flow"),
    ],
)
def test_lists_come_through_an_index_of_sqlite(tmp_path: Path, wanted: JobFilter, page: Page, index: str) -> None:
    database = Database(tmp_path / "queue.db")
    add_flow(database, {"a": []}, flow_uuid="f")
    queries: list[str] = []
    database.connection.set_trace_callback(queries.append)
    find_jobs(database, wanted, page)
    database.connection.set_trace_callback(None)
    plans = [row[3] for query in queries for row in database.read(f"EXPLAIN QUERY PLAN {query}")]
    assert any(index in line for line in plans)
    scans = [line for line in plans if line.startswith("SCAN job") and "USING" not in line]
    assert scans == []
    database.close()
