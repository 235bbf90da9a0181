"""Reruns: numbered attempts, what goes back with a job, what leaves because the new attempt makes its own."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from towline.core.records import ExitRecord, NewJob, Result
from towline.core.states import IN_FLIGHT, JobState
from towline.store.actions import ActionResult, stop
from towline.store.completion import Completion, complete
from towline.store.database import Database
from towline.store.jobs import claim
from towline.store.reruns import rerun
from towline.testing.queue import add_flow, inconsistencies, put_in_state, put_outcome, states

CHAIN = {"a": [], "b": ["a"], "c": ["b"]}


@pytest.fixture
def database(queue_place: str | Path) -> Iterator[Database]:
    database = Database(queue_place)
    yield database
    assert inconsistencies(database) == []
    database.close()


def do(database: Database, job_ids: Any, **options: Any) -> ActionResult:
    with database.transaction() as transaction:
        return rerun(transaction, job_ids, **options)


def run(database: Database, *, result: Result | None = None, only: int | None = None) -> None:
    """Claim what is ready and complete it, as the runner does."""
    with database.transaction() as transaction:
        claimed = claim(transaction, "local", 100, 1, only)
    end = ExitRecord(exit_code=0, signal=None, reason="exited", started_at=1.0, ended_at=2.0, host="here")
    with database.transaction() as transaction:
        completions = [
            Completion(job, JobState.CHECKED_OUT, result or Result(), end, f"/run/{job.key}") for job, _ in claimed
        ]
        complete(transaction, completions, lambda _: None)


def new_job(name: str, identity: str | None = None, index: int = 1) -> NewJob:
    return NewJob(uuid=identity or str(uuid.uuid4()), name=name, payload_kind="command", payload=b"{}", index=index)


def names(database: Database) -> dict[str, str]:
    return dict(database.read("SELECT name || '.' || job_index, state FROM job ORDER BY id"))


def test_a_failed_job_runs_again_as_a_numbered_attempt(database: Database) -> None:
    jobs = add_flow(database, {"a": [], "b": ["a"]})
    columns = {"run_dir": "/r", "started_at": 1.0, "ended_at": 2.0, "exit_code": 3, "reason": "exit_code"}
    put_in_state(database, jobs["a"], JobState.FAILED, **columns)
    put_outcome(database, jobs["a"], failure={"reason": "exit_code", "message": "it broke", "details": None})
    assert do(database, [jobs["a"]]).changed == (jobs["a"],)
    assert states(database, jobs) == {"a": "READY", "b": "WAITING"}
    row = database.read("SELECT attempt, run_dir, started_at, ended_at, exit_code, reason FROM job")[0]
    assert row == (2, None, None, None, None, None)
    (kept,) = database.read("SELECT attempt, state, worker, run_dir, started_at, ended_at, outcome FROM attempt")
    assert kept[:6] == (1, "FAILED", "local", "/r", 1.0, 2.0)
    outcome = orjson.loads(kept[6])
    assert outcome["exit_code"] == 3
    assert outcome["failure"]["message"] == "it broke"
    assert database.read("SELECT * FROM job_outcome") == []


def test_every_attempt_is_kept(database: Database) -> None:
    jobs = add_flow(database, {"a": []})
    for _ in range(3):
        put_in_state(database, jobs["a"], JobState.FAILED)
        do(database, [jobs["a"]])
    assert database.read("SELECT attempt FROM attempt") == [(1,), (2,), (3,)]


@pytest.mark.parametrize("state", sorted(IN_FLIGHT))
def test_a_job_in_flight_is_ended_before_its_new_attempt_is_claimed(database: Database, state: JobState) -> None:
    jobs = add_flow(database, {"a": []})
    put_in_state(database, jobs["a"], state, run_dir="/r", process_id="9", lease_owner=1)
    do(database, [jobs["a"]], force=True)
    assert database.read("SELECT state, attempt, lease_owner, process_id FROM job") == [("READY", 2, None, None)]
    assert database.read("SELECT attempt, run_dir, process_id, delete_files FROM cancellation") == [(1, "/r", "9", 0)]
    with database.transaction() as transaction:
        assert claim(transaction, "local", 10, 1) == []


def test_a_completed_job_needs_force_and_takes_what_ran_after_it_along(database: Database) -> None:
    jobs = add_flow(database, {**CHAIN, "d": ["c"], "other": []})
    for name in "abc":
        put_in_state(database, jobs[name], JobState.COMPLETED)
    refused = do(database, [jobs["a"]]).refused
    assert refused is not None
    assert "--force" in str(refused[jobs["a"]])
    result = do(database, [jobs["a"]], force=True)
    assert (result.changed, result.also_changed) == ((jobs["a"],), (jobs["b"], jobs["c"]))
    assert states(database, jobs) == {
        "a": "READY",
        "b": "WAITING",
        "c": "WAITING",
        "d": "WAITING",
        "other": "READY",
    }
    assert database.read("SELECT name, attempt FROM job ORDER BY id") == [
        ("a", 2),
        ("b", 2),
        ("c", 2),
        ("d", 1),
        ("other", 1),
    ]


def test_a_paused_child_stays_paused(database: Database) -> None:
    jobs = add_flow(database, {"a": [], "b": ["a"]})
    put_in_state(database, jobs["b"], JobState.PAUSED)
    put_in_state(database, jobs["a"], JobState.FAILED)
    do(database, [jobs["a"]])
    assert states(database, jobs) == {"a": "READY", "b": "PAUSED"}


def test_a_failed_job_with_a_child_that_ran_needs_force(database: Database) -> None:
    jobs = add_flow(database, {"a": [], "b": ["a"]}, accepts_failed_parents=True)
    put_in_state(database, jobs["a"], JobState.FAILED)
    put_in_state(database, jobs["b"], JobState.COMPLETED)
    refused = do(database, [jobs["a"]]).refused
    assert refused is not None
    assert f"job {jobs['b']} is COMPLETED" in str(refused[jobs["a"]])
    do(database, [jobs["a"]], force=True)
    assert states(database, jobs) == {"a": "READY", "b": "WAITING"}


def test_a_running_descendant_is_ended_and_waits_again(database: Database) -> None:
    jobs = add_flow(database, CHAIN)
    put_in_state(database, jobs["a"], JobState.COMPLETED)
    put_in_state(database, jobs["b"], JobState.RUNNING, run_dir="/b")
    do(database, [jobs["a"]], force=True)
    assert states(database, jobs) == {"a": "READY", "b": "WAITING", "c": "WAITING"}
    assert database.read("SELECT job_id, attempt, run_dir FROM cancellation") == [(jobs["b"], 1, "/b")]


def test_several_jobs_of_one_chain_may_be_named_together(database: Database) -> None:
    jobs = add_flow(database, CHAIN)
    for job in jobs.values():
        put_in_state(database, job, JobState.COMPLETED)
    result = do(database, jobs.values(), force=True)
    assert result.changed == tuple(jobs.values())
    assert states(database, jobs) == {"a": "READY", "b": "WAITING", "c": "WAITING"}


def test_a_replaced_job_runs_again_and_its_replacement_leaves(database: Database) -> None:
    jobs = add_flow(database, {"a": [], "after": ["a"]})
    identity = database.read("SELECT uuid FROM job WHERE id = ?", (jobs["a"],))[0][0]
    run(database, result=Result(replace=(new_job("helper"), new_job("a", identity, 2))))
    assert names(database) == {"a.1": "COMPLETED", "after.1": "WAITING", "helper.1": "READY", "a.2": "READY"}
    run(database)
    run(database)
    assert names(database)["after.1"] == "COMPLETED"
    do(database, [jobs["a"]], force=True)
    assert names(database) == {"a.1": "READY", "after.1": "WAITING"}
    # The child that had waited for the replacement waits for the job itself again.
    run(database)
    assert names(database) == {"a.1": "COMPLETED", "after.1": "READY"}


def test_replacements_of_replacements_leave_too(database: Database) -> None:
    jobs = add_flow(database, {"a": [], "after": ["a"]})
    identity = database.read("SELECT uuid FROM job WHERE id = ?", (jobs["a"],))[0][0]
    for index in (2, 3):
        run(database, result=Result(replace=(new_job("a", identity, index),)))
    do(database, [jobs["a"]], force=True)
    assert names(database) == {"a.1": "READY", "after.1": "WAITING"}
    assert database.read("SELECT parent_id, child_id FROM edge") == [(jobs["a"], jobs["after"])]


def test_additions_and_detours_leave_when_the_job_that_made_them_runs_again(database: Database) -> None:
    jobs = add_flow(database, {"a": [], "after": ["a"]})
    run(database, result=Result(addition=(new_job("added"),), detour=(new_job("detour"),)))
    assert names(database) == {"a.1": "COMPLETED", "after.1": "WAITING", "added.1": "READY", "detour.1": "READY"}
    do(database, [jobs["a"]], force=True)
    assert names(database) == {"a.1": "READY", "after.1": "WAITING"}
    run(database)
    assert names(database)["after.1"] == "READY"


def test_jobs_made_by_a_descendant_leave_with_its_rerun(database: Database) -> None:
    jobs = add_flow(database, CHAIN)
    identity = database.read("SELECT uuid FROM job WHERE id = ?", (jobs["b"],))[0][0]
    run(database)
    run(database, result=Result(replace=(new_job("b", identity, 2),)))
    run(database)
    assert names(database) == {"a.1": "COMPLETED", "b.1": "COMPLETED", "c.1": "READY", "b.2": "COMPLETED"}
    do(database, [jobs["a"]], force=True)
    assert names(database) == {"a.1": "READY", "b.1": "WAITING", "c.1": "WAITING"}


def test_a_rerun_of_the_newest_replacement_leaves_the_first_alone(database: Database) -> None:
    jobs = add_flow(database, {"a": []})
    identity = database.read("SELECT uuid FROM job WHERE id = ?", (jobs["a"],))[0][0]
    run(database, result=Result(replace=(new_job("a", identity, 2),)))
    run(database)
    newest = database.read("SELECT id FROM job WHERE job_index = 2")[0][0]
    do(database, [newest], force=True)
    assert names(database) == {"a.1": "COMPLETED", "a.2": "READY"}


def test_the_journal_tells_of_reruns_and_of_jobs_that_left(database: Database) -> None:
    jobs = add_flow(database, {"a": []})
    run(database, result=Result(addition=(new_job("added"),)))
    do(database, [jobs["a"]], force=True)
    notes = database.read("SELECT to_state, actor, note FROM event WHERE job_id > 0 ORDER BY id DESC LIMIT 2")
    assert set(notes) == {("READY", "user", "rerun"), (None, "user", "the job that made it runs again")}


def test_a_job_stopped_twice_and_resumed_keeps_each_attempt_apart(database: Database) -> None:
    jobs = add_flow(database, {"a": []})
    put_in_state(database, jobs["a"], JobState.RUNNING, run_dir="/1")
    do(database, [jobs["a"]])
    put_in_state(database, jobs["a"], JobState.RUNNING, run_dir="/2")
    with database.transaction() as transaction:
        stop(transaction, [jobs["a"]])
    assert database.read("SELECT attempt, run_dir FROM cancellation ORDER BY attempt") == [(1, "/1"), (2, "/2")]
