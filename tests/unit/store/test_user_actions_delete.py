"""Jobs and flows that leave the queue."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from towline.core.states import JobState
from towline.store.database import Database
from towline.store.deletions import delete_flows, delete_jobs, run_folders
from towline.store.reruns import rerun
from towline.testing.queue import add_flow, inconsistencies, put_in_state, put_outcome, states


@pytest.fixture
def database(queue_place: str | Path) -> Iterator[Database]:
    database = Database(queue_place)
    yield database
    assert inconsistencies(database) == []
    database.close()


def test_a_deleted_job_leaves_only_its_journal(database: Database) -> None:
    jobs = add_flow(database, {"a": [], "b": ["a"], "c": []})
    put_in_state(database, jobs["a"], JobState.COMPLETED)
    put_outcome(database, jobs["a"], exit_record={"exit_code": 0})
    with database.transaction() as transaction:
        delete_jobs(transaction, [jobs["a"]])
    assert states(database, jobs) == {"b": "READY", "c": "READY"}
    last = database.read("SELECT from_state, to_state, note FROM event WHERE job_id = ? ORDER BY id DESC", (jobs["a"],))
    assert last[0] == ("COMPLETED", None, "deleted")


def test_children_of_a_deleted_job_count_their_parents_anew(database: Database) -> None:
    jobs = add_flow(database, {"a": [], "b": [], "c": ["a", "b"]})
    with database.transaction() as transaction:
        delete_jobs(transaction, [jobs["a"]])
    assert states(database, jobs) == {"b": "READY", "c": "WAITING"}
    assert database.read("SELECT missing FROM job WHERE id = ?", (jobs["c"],)) == [(1,)]


def test_a_running_job_is_cancelled_before_it_goes(database: Database) -> None:
    jobs = add_flow(database, {"a": [], "b": []})
    put_in_state(database, jobs["a"], JobState.RUNNING, run_dir="/r", process_id="5")
    with database.transaction() as transaction:
        delete_jobs(transaction, [jobs["a"]], delete_files=True)
    assert database.read("SELECT job_id, run_dir, process_id, delete_files FROM cancellation") == [
        (jobs["a"], "/r", "5", 1)
    ]


def test_the_last_job_goes_only_with_its_flow(database: Database) -> None:
    jobs = add_flow(database, {"a": [], "b": []})
    with database.transaction() as transaction:
        result = delete_jobs(transaction, jobs.values())
    assert result.changed == ()
    assert result.refused is not None
    assert "tow flow delete" in str(result.refused[jobs["a"]])
    assert len(states(database, jobs)) == 2


def test_a_flow_goes_with_everything_that_counted_it(database: Database) -> None:
    gone, stays = add_flow(database, {"a": [], "b": ["a"]}), add_flow(database, {"c": []})
    flow_id = database.read("SELECT flow_id FROM job WHERE id = ?", (gone["a"],))[0][0]
    put_in_state(database, gone["a"], JobState.RUNNING, run_dir="/r")
    with database.transaction() as transaction:
        delete_flows(transaction, [flow_id])
    assert (states(database, gone), states(database, stays)) == ({}, {"c": "READY"})
    assert database.read("SELECT count(*) FROM flow") == [(1,)]
    assert database.read("SELECT * FROM flow_count WHERE flow_id = ?", (flow_id,)) == []
    assert database.read("SELECT count(*) FROM cancellation") == [(1,)]


def test_a_child_in_another_flow_is_released(database: Database) -> None:
    first = add_flow(database, {"a": []})
    second = add_flow(database, {"b": []})
    with database.transaction() as transaction:
        transaction.execute("INSERT INTO edge (parent_id, child_id) VALUES (?, ?)", (first["a"], second["b"]))
        transaction.execute("UPDATE job SET missing = 1, state = 'WAITING' WHERE id = ?", (second["b"],))
        transaction.record(second["b"], 2, "local", JobState.READY, JobState.WAITING)
    with database.transaction() as transaction:
        delete_flows(transaction, [1])
    assert states(database, second) == {"b": "READY"}


def test_the_folders_of_all_attempts_are_known(database: Database) -> None:
    jobs = add_flow(database, {"a": []})
    put_in_state(database, jobs["a"], JobState.FAILED, run_dir="/1")
    with database.transaction() as transaction:
        rerun(transaction, jobs.values())
    put_in_state(database, jobs["a"], JobState.FAILED, run_dir="/2")
    with database.transaction() as transaction:
        folders = run_folders(transaction, jobs.values())
    assert {folder.path for folder in folders} == {"/1", "/2"}
