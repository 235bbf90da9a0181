"""Pause, resume, stop, retry and changes of what a job asks for, on real databases."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from towline.core.states import FINAL, IN_FLIGHT, JobState
from towline.store import actions
from towline.store.database import Database
from towline.testing.queue import add_flow, inconsistencies, put_in_state, states

CHAIN = {"a": [], "b": ["a"], "c": ["b"]}


@pytest.fixture
def database(queue_place: str | Path) -> Iterator[Database]:
    database = Database(queue_place)
    yield database
    assert inconsistencies(database) == []
    database.close()


def do(database: Database, action: Any, *arguments: Any, **options: Any) -> actions.ActionResult:
    with database.transaction() as transaction:
        result: actions.ActionResult = action(transaction, *arguments, **options)
    return result


def row(database: Database, job_id: int, *columns: str) -> tuple[Any, ...]:
    found: tuple[Any, ...] = database.read(f"SELECT {', '.join(columns)} FROM job WHERE id = ?", (job_id,))[0]
    return found


def flow_state(database: Database) -> str:
    return str(database.read("SELECT state FROM flow")[0][0])


def test_pause_holds_what_has_not_started_and_refuses_the_rest(database: Database) -> None:
    jobs = add_flow(database, CHAIN)
    put_in_state(database, jobs["a"], JobState.RUNNING, run_dir="/x", started_at=1.0)
    result = do(database, actions.pause, jobs.values())
    assert states(database, jobs) == {"a": "RUNNING", "b": "PAUSED", "c": "PAUSED"}
    assert result.changed == (jobs["b"], jobs["c"])
    assert result.refused is not None
    assert "tow job stop" in str(result.refused[jobs["a"]])
    assert flow_state(database) == "PAUSED"


def test_resume_decides_by_the_parents(database: Database) -> None:
    jobs = add_flow(database, CHAIN)
    do(database, actions.pause, jobs.values())
    do(database, actions.resume, jobs.values())
    assert states(database, jobs) == {"a": "READY", "b": "WAITING", "c": "WAITING"}


def test_a_job_resumed_after_its_parent_completed_is_ready(database: Database) -> None:
    jobs = add_flow(database, CHAIN)
    do(database, actions.pause, [jobs["b"]])
    put_in_state(database, jobs["a"], JobState.COMPLETED)
    assert states(database, jobs)["b"] == "PAUSED"
    do(database, actions.resume, [jobs["b"]])
    assert states(database, jobs)["b"] == "READY"


@pytest.mark.parametrize("state", sorted(set(JobState) - FINAL))
def test_stop_is_possible_in_every_state_that_is_not_final(database: Database, state: JobState) -> None:
    jobs = add_flow(database, CHAIN)
    if state is JobState.WAITING:
        do(database, actions.stop, [jobs["b"]])
        assert states(database, jobs)["b"] == "USER_STOPPED"
        return
    put_in_state(database, jobs["a"], state)
    do(database, actions.stop, [jobs["a"]])
    assert states(database, jobs) == {"a": "USER_STOPPED", "b": "WAITING", "c": "WAITING"}
    cancelled = database.read("SELECT job_id, attempt FROM cancellation")
    assert cancelled == ([(jobs["a"], 1)] if state in IN_FLIGHT else [])


def test_stopping_a_job_with_a_failed_step_cancels_what_may_still_run(database: Database) -> None:
    jobs = add_flow(database, {"a": []})
    put_in_state(database, jobs["a"], JobState.RUNNING, run_dir="/r", process_id="77", lease_owner=3)
    put_in_state(database, jobs["a"], JobState.REMOTE_ERROR)
    do(database, actions.stop, [jobs["a"]])
    assert database.read("SELECT run_dir, process_id, worker FROM cancellation") == [("/r", "77", "local")]
    assert row(database, jobs["a"], "lease_owner") == (None,)


def test_a_final_job_is_not_stopped(database: Database) -> None:
    jobs = add_flow(database, {"a": []})
    put_in_state(database, jobs["a"], JobState.COMPLETED)
    result = do(database, actions.stop, [jobs["a"]])
    assert result.changed == ()
    assert states(database, jobs) == {"a": "COMPLETED"}


def test_stopping_a_parent_releases_a_child_that_accepts_it(database: Database) -> None:
    jobs = add_flow(database, {"a": [], "b": ["a"]}, accepts_failed_parents=True)
    do(database, actions.stop, [jobs["a"]])
    assert states(database, jobs) == {"a": "USER_STOPPED", "b": "READY"}
    do(database, actions.resume, [jobs["a"]])
    assert states(database, jobs) == {"a": "READY", "b": "WAITING"}


def test_a_job_stopped_in_flight_resumes_as_a_new_attempt(database: Database) -> None:
    jobs = add_flow(database, {"a": []})
    put_in_state(database, jobs["a"], JobState.CHECKED_OUT)
    do(database, actions.stop, [jobs["a"]])
    do(database, actions.resume, [jobs["a"]])
    assert row(database, jobs["a"], "state", "attempt") == ("READY", 2)
    assert database.read("SELECT attempt, state FROM attempt") == [(1, "USER_STOPPED")]
    # The first attempt still has to end before the second may be claimed.
    assert database.read("SELECT attempt FROM cancellation") == [(1,)]


def test_an_attempt_whose_upload_failed_is_not_begun_again_after_a_stop(database: Database) -> None:
    jobs = add_flow(database, {"a": []})
    put_in_state(database, jobs["a"], JobState.CHECKED_OUT)
    put_in_state(database, jobs["a"], JobState.REMOTE_ERROR)
    do(database, actions.stop, [jobs["a"]])
    do(database, actions.resume, [jobs["a"]])
    assert row(database, jobs["a"], "state", "attempt") == ("READY", 2)


def test_a_job_stopped_before_its_start_keeps_its_first_attempt(database: Database) -> None:
    jobs = add_flow(database, {"a": []})
    do(database, actions.stop, [jobs["a"]])
    do(database, actions.resume, [jobs["a"]])
    assert row(database, jobs["a"], "state", "attempt") == ("READY", 1)


def test_retry_repeats_the_action_that_failed(database: Database) -> None:
    jobs = add_flow(database, {"a": []})
    put_in_state(database, jobs["a"], JobState.UPLOADED, run_dir="/r")
    put_in_state(database, jobs["a"], JobState.REMOTE_ERROR, step_attempts=4, lease_owner=None)
    do(database, actions.retry, [jobs["a"]])
    assert row(database, jobs["a"], "state", "step_attempts", "attempt", "run_dir") == ("UPLOADED", 0, 1, "/r")


def test_retry_of_a_job_that_waits_for_its_next_try_brings_it_forward(database: Database) -> None:
    jobs = add_flow(database, {"a": []})
    put_in_state(database, jobs["a"], JobState.UPLOADED, step_attempts=2, retry_at=9e9, lease_owner=5)
    do(database, actions.retry, [jobs["a"]])
    assert row(database, jobs["a"], "state", "step_attempts", "retry_at", "lease_owner") == ("UPLOADED", 0, None, None)


def test_retry_leaves_a_job_in_good_health_with_its_runner(database: Database) -> None:
    jobs = add_flow(database, {"a": []})
    put_in_state(database, jobs["a"], JobState.RUNNING, lease_owner=5)
    do(database, actions.retry, [jobs["a"]])
    assert row(database, jobs["a"], "state", "lease_owner") == ("RUNNING", 5)


def test_priority_zero_is_a_value_even_for_running_jobs(database: Database) -> None:
    jobs = add_flow(database, {"a": []}, priority=5)
    put_in_state(database, jobs["a"], JobState.RUNNING)
    assert do(database, actions.set_priority, [jobs["a"]], 0).changed == (jobs["a"],)
    assert row(database, jobs["a"], "priority") == (0,)


def test_resources_are_merged_unless_replaced(database: Database) -> None:
    jobs = add_flow(database, {"a": []}, resources={"nodes": 1, "time": 10})
    change = actions.RunProperties(resources={"time": 20})
    do(database, actions.set_run_properties, jobs.values(), change)
    assert settings(database, jobs["a"])["resources"] == {"nodes": 1, "time": 20}
    do(database, actions.set_run_properties, jobs.values(), actions.RunProperties(resources={}), replace=True)
    assert settings(database, jobs["a"])["resources"] == {}


def test_another_worker_takes_a_job_that_has_not_started_at_once(database: Database) -> None:
    jobs = add_flow(database, CHAIN)
    do(database, actions.set_run_properties, jobs.values(), actions.RunProperties(worker="other"))
    assert {row(database, job, "worker") for job in jobs.values()} == {("other",)}


def test_another_worker_takes_a_job_that_ran_with_its_next_attempt(database: Database) -> None:
    from towline.store.reruns import rerun

    jobs = add_flow(database, {"a": []})
    put_in_state(database, jobs["a"], JobState.FAILED, run_dir="/r", started_at=1.0)
    do(database, actions.set_run_properties, jobs.values(), actions.RunProperties(worker="other"))
    assert row(database, jobs["a"], "worker") == ("local",)
    do(database, rerun, jobs.values())
    assert row(database, jobs["a"], "worker", "attempt", "state") == ("other", 2, "READY")
    assert database.read("SELECT worker, run_dir FROM attempt") == [("local", "/r")]
    assert "next_worker" not in settings(database, jobs["a"])


def test_a_running_job_keeps_its_properties(database: Database) -> None:
    jobs = add_flow(database, {"a": []})
    put_in_state(database, jobs["a"], JobState.RUNNING)
    result = do(database, actions.set_run_properties, jobs.values(), actions.RunProperties(exec_config="mpi"))
    assert result.changed == ()
    assert result.refused is not None
    assert settings(database, jobs["a"])["exec_config"] is None


def test_a_forced_state_takes_flow_and_children_along(database: Database) -> None:
    jobs = add_flow(database, {"a": [], "b": ["a"]})
    do(database, actions.set_state, [jobs["a"]], JobState.COMPLETED)
    assert states(database, jobs) == {"a": "COMPLETED", "b": "READY"}
    assert flow_state(database) == "RUNNING"


def test_thousands_of_jobs_change_in_one_transaction(database: Database) -> None:
    jobs = add_flow(database, {str(number): [] for number in range(3000)})
    assert len(do(database, actions.pause, jobs.values()).changed) == 3000
    assert len(do(database, actions.resume, jobs.values()).changed) == 3000
    assert len(do(database, actions.stop, jobs.values()).changed) == 3000


def settings(database: Database, job_id: int) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(
        database.read("SELECT settings FROM job_document WHERE job_id = ?", (job_id,))[0][0]
    )
    return found
