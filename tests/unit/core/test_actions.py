"""The table of what users may do, cell by cell as the reference for jobflow-remote's users has it."""

import pytest

from towline.core.actions import Action, Destination, Effect, Refusal, decide
from towline.core.states import IN_FLIGHT, JobState
from towline.errors import IllegalMove

#: States in which each action is possible, without force and with.
POSSIBLE = {
    Action.RERUN: ("CHECKED_OUT UPLOADED SUBMITTED RUNNING RUN_FINISHED DOWNLOADED REMOTE_ERROR FAILED",
                   "BATCH_SUBMITTED BATCH_RUNNING COMPLETED PAUSED STOPPED USER_STOPPED"),
    Action.RETRY: ("CHECKED_OUT UPLOADED SUBMITTED RUNNING RUN_FINISHED DOWNLOADED BATCH_SUBMITTED BATCH_RUNNING "
                   "REMOTE_ERROR", ""),
    Action.PAUSE: ("WAITING READY", ""),
    Action.RESUME: ("PAUSED STOPPED USER_STOPPED", ""),
    Action.STOP: ("WAITING READY PAUSED CHECKED_OUT UPLOADED SUBMITTED RUNNING RUN_FINISHED DOWNLOADED "
                  "BATCH_SUBMITTED BATCH_RUNNING REMOTE_ERROR", ""),
    Action.DELETE: (" ".join(state.value for state in JobState), ""),
    Action.SET_RUN_PROPERTIES: ("WAITING READY REMOTE_ERROR FAILED COMPLETED PAUSED STOPPED USER_STOPPED", ""),
    Action.SET_PRIORITY: (" ".join(state.value for state in JobState), ""),
    Action.DELETE_FILES: ("REMOTE_ERROR FAILED COMPLETED STOPPED USER_STOPPED", "WAITING READY PAUSED"),
    Action.APPROVE: ("READY", ""),
    Action.REJECT: ("READY", ""),
}  # fmt: skip


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("state", JobState)
def test_an_action_is_possible_exactly_where_the_table_says(action: Action, state: JobState) -> None:
    plain, forced = POSSIBLE[action]
    assert isinstance(decide(action, state), Effect) == (state.value in plain.split())
    assert isinstance(decide(action, state, force=True), Effect) == (state.value in f"{plain} {forced}".split())


@pytest.mark.parametrize("action", [Action.RERUN, Action.STOP, Action.DELETE])
@pytest.mark.parametrize("state", sorted(IN_FLIGHT))
def test_what_leaves_a_worker_is_cancelled_there(action: Action, state: JobState) -> None:
    effect = decide(action, state, force=True)
    assert isinstance(effect, Effect)
    assert effect.cancels


def test_a_rerun_always_begins_a_new_attempt() -> None:
    effects = [decide(Action.RERUN, state, force=True) for state in JobState]
    assert all(effect.new_attempt for effect in effects if isinstance(effect, Effect))


def test_a_job_in_flight_reruns_alone_and_a_finished_one_takes_its_children_along() -> None:
    light, full = decide(Action.RERUN, JobState.RUNNING), decide(Action.RERUN, JobState.FAILED)
    assert isinstance(light, Effect)
    assert isinstance(full, Effect)
    assert (light.spreads, full.spreads) == (False, True)


def test_retry_goes_back_to_the_state_whose_action_failed() -> None:
    effect = decide(Action.RETRY, JobState.REMOTE_ERROR)
    assert isinstance(effect, Effect)
    assert effect.destination is Destination.PREVIOUS


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("state", JobState)
def test_every_refusal_names_the_state_the_possible_ones_and_what_to_type(action: Action, state: JobState) -> None:
    refusal = decide(action, state)
    if not isinstance(refusal, Refusal):
        return
    error = refusal.error("12")
    assert isinstance(error, IllegalMove)
    text = str(error)
    assert f"job 12 is {state.value}" in text
    assert all(allowed.value in text for allowed in refusal.allowed)
    assert "tow job " in text
    assert "12" in text.split("tow job ")[1]


def test_a_completed_job_is_rerun_only_by_insisting() -> None:
    refusal = decide(Action.RERUN, JobState.COMPLETED)
    assert isinstance(refusal, Refusal)
    assert "tow job rerun --force ID" in refusal.advice
