"""Each action of a user in each state, on a real queue: what the table says is what happens, and nothing else."""

import pytest

from towline.core.actions import Action, Destination, Effect, decide
from towline.core.states import RUNNER_MOVES, JobState, check_move
from towline.errors import IllegalMove
from towline.store import actions, deletions, reruns
from towline.store.actions import RunProperties
from towline.store.database import Database
from towline.testing.queue import add_flow, inconsistencies, put_in_state

BATCH = "BATCH_SUBMITTED BATCH_RUNNING"

#: The moves of the runner, each from the left to the right; a second copy of the table, to notice every change of it.
MOVES = {
    "WAITING": "READY STOPPED",
    "READY": "CHECKED_OUT STOPPED WAITING REMOTE_ERROR",
    "CHECKED_OUT": f"UPLOADED SUBMITTED RUNNING {BATCH} RUN_FINISHED DOWNLOADED READY REMOTE_ERROR",
    "UPLOADED": f"SUBMITTED RUNNING {BATCH} RUN_FINISHED DOWNLOADED READY REMOTE_ERROR",
    "SUBMITTED": "RUNNING RUN_FINISHED DOWNLOADED READY REMOTE_ERROR",
    "RUNNING": "RUN_FINISHED DOWNLOADED READY REMOTE_ERROR",
    "BATCH_SUBMITTED": "BATCH_RUNNING RUN_FINISHED DOWNLOADED READY REMOTE_ERROR",
    "BATCH_RUNNING": "RUN_FINISHED DOWNLOADED READY REMOTE_ERROR",
    "RUN_FINISHED": "DOWNLOADED REMOTE_ERROR",
    "DOWNLOADED": "COMPLETED FAILED REMOTE_ERROR READY",
    "PAUSED": "STOPPED",
    **dict.fromkeys(("REMOTE_ERROR", "COMPLETED", "FAILED", "STOPPED", "USER_STOPPED"), ""),
}

DO = {
    Action.RERUN: lambda transaction, job, force: reruns.rerun(transaction, [job], force=force),
    Action.RETRY: lambda transaction, job, force: actions.retry(transaction, [job]),
    Action.PAUSE: lambda transaction, job, force: actions.pause(transaction, [job]),
    Action.RESUME: lambda transaction, job, force: actions.resume(transaction, [job]),
    Action.STOP: lambda transaction, job, force: actions.stop(transaction, [job]),
    Action.DELETE: lambda transaction, job, force: deletions.delete_jobs(transaction, [job]),
    Action.SET_RUN_PROPERTIES: lambda transaction, job, force: actions.set_run_properties(
        transaction, [job], RunProperties(resources={"time_limit": 1})
    ),
    Action.SET_PRIORITY: lambda transaction, job, force: actions.set_priority(transaction, [job], 0),
}


@pytest.fixture
def database(tmp_path):
    database = Database(tmp_path / "queue.db")
    yield database
    assert inconsistencies(database) == []
    database.close()


@pytest.mark.parametrize("from_state", JobState)
def test_the_runner_moves_a_job_exactly_as_the_table_says(from_state):
    allowed = {JobState(name) for name in MOVES[from_state.value].split()}
    assert RUNNER_MOVES[from_state] == allowed
    for to_state in JobState:
        if to_state in allowed:
            check_move(from_state, to_state)
        else:
            with pytest.raises(IllegalMove, match=f"from {from_state.value} to {to_state.value}"):
                check_move(from_state, to_state)


def at(database, state):
    """A job in this state, with a child and a sibling, as it would have come there; its id."""
    jobs = add_flow(database, {"parent": [], "job": ["parent"], "child": ["job"], "other": []})
    if state is not JobState.WAITING:
        put_in_state(database, jobs["parent"], JobState.COMPLETED)
    if state is JobState.REMOTE_ERROR:
        put_in_state(database, jobs["job"], JobState.SUBMITTED, run_dir="/r", started_at=1.0)
    if state not in (JobState.WAITING, JobState.READY):
        put_in_state(database, jobs["job"], state)
    return jobs["job"]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("action", DO)
@pytest.mark.parametrize("state", JobState)
def test_an_action_does_what_the_table_says_and_a_refused_one_nothing(database, state, action, force):
    job = at(database, state)
    effect = decide(action, state, force=force and action is Action.RERUN)
    with database.transaction() as transaction:
        result = DO[action](transaction, job, force)
    rows = database.read("SELECT state, attempt, previous_state FROM job WHERE id = ?", (job,))
    if not isinstance(effect, Effect):
        assert result.changed == ()
        assert job in result.refused
        assert rows[0][:2] == (state.value, 1)
        return
    assert result.changed == (job,)
    expected = {
        Destination.SAME: state.value,
        Destination.BY_PARENTS: "READY",
        Destination.PREVIOUS: "SUBMITTED",
        Destination.PAUSED: "PAUSED",
        Destination.USER_STOPPED: "USER_STOPPED",
    }
    if effect.destination is Destination.GONE:
        assert rows == []
    else:
        assert rows[0][0] == expected[effect.destination]
        assert rows[0][1] == (2 if effect.new_attempt else 1)
    assert bool(database.read("SELECT 1 FROM cancellation WHERE job_id = ?", (job,))) == effect.cancels
