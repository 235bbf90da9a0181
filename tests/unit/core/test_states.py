import pytest

from towline.core.states import FINAL, IN_FLIGHT, RUNNER_MOVES, FlowState, JobState, check_move, flow_state
from towline.errors import IllegalMove

S = JobState


def test_a_final_job_never_moves_by_itself():
    for state in FINAL:
        for target in S:
            with pytest.raises(IllegalMove):
                check_move(state, target)


def test_every_state_has_a_row_in_the_table():
    assert set(RUNNER_MOVES) == set(S)


def test_every_job_in_flight_may_end_in_remote_error():
    for state in IN_FLIGHT:
        check_move(state, S.REMOTE_ERROR)


def test_a_refused_move_names_the_allowed_ones():
    with pytest.raises(IllegalMove, match="from DOWNLOADED to RUNNING; from there it goes to COMPLETED, FAILED"):
        check_move(S.DOWNLOADED, S.RUNNING)


@pytest.mark.parametrize(
    ("counts", "leaves_completed", "expected"),
    [
        ({S.WAITING: 2}, False, FlowState.WAITING),
        ({S.WAITING: 2, S.READY: 1}, False, FlowState.READY),
        ({S.READY: 1, S.COMPLETED: 0}, False, FlowState.READY),
        ({S.COMPLETED: 3}, True, FlowState.COMPLETED),
        ({S.COMPLETED: 3, S.FAILED: 1}, True, FlowState.COMPLETED),
        ({S.COMPLETED: 3, S.FAILED: 1}, False, FlowState.FAILED),
        ({S.COMPLETED: 1, S.STOPPED: 1, S.PAUSED: 1}, False, FlowState.STOPPED),
        ({S.COMPLETED: 1, S.USER_STOPPED: 1}, False, FlowState.STOPPED),
        ({S.WAITING: 1, S.PAUSED: 1}, False, FlowState.PAUSED),
        ({S.REMOTE_ERROR: 1}, False, FlowState.RUNNING),
        ({S.COMPLETED: 1, S.WAITING: 1}, False, FlowState.RUNNING),
    ],
)
def test_the_state_of_a_flow_follows_from_its_jobs(counts, leaves_completed, expected):
    assert flow_state(counts, leaves_completed=leaves_completed) is expected
