"""States of jobs and flows, and the one table of the moves between them."""

from collections.abc import Mapping
from enum import Enum

from towline.errors import IllegalMove


class JobState(str, Enum):
    """State of a job; names and short codes are those of jobflow-remote."""

    WAITING = "WAITING"  #: a parent has not finished
    READY = "READY"  #: may be claimed by the runner
    CHECKED_OUT = "CHECKED_OUT"  #: claimed by the runner
    UPLOADED = "UPLOADED"  #: its run folder is on the worker, it waits for a slot there
    SUBMITTED = "SUBMITTED"  #: handed to the scheduler of the worker
    RUNNING = "RUNNING"  #: its process runs
    RUN_FINISHED = "RUN_FINISHED"  #: its process ended, its results are on the worker
    DOWNLOADED = "DOWNLOADED"  #: its results are on this machine
    REMOTE_ERROR = "REMOTE_ERROR"  #: an action of the runner failed; `retry` repeats it
    COMPLETED = "COMPLETED"  #: its output is in the job store
    FAILED = "FAILED"  #: the job itself failed
    PAUSED = "PAUSED"  #: held by the user before its start
    STOPPED = "STOPPED"  #: stopped by another job of its flow
    USER_STOPPED = "USER_STOPPED"  #: stopped by the user
    BATCH_SUBMITTED = "BATCH_SUBMITTED"  #: in the spool of a batch worker
    BATCH_RUNNING = "BATCH_RUNNING"  #: runs inside a batch allocation

    @property
    def short_code(self) -> str:
        """One to four letters for narrow tables."""
        return _SHORT_CODES[self]


class FlowState(str, Enum):
    """State of a flow, derived from its jobs by :func:`flow_state`."""

    WAITING = "WAITING"
    READY = "READY"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    PAUSED = "PAUSED"
    STOPPED = "STOPPED"


_SHORT_CODES = {
    JobState.WAITING: "W",
    JobState.READY: "R",
    JobState.CHECKED_OUT: "CE",
    JobState.UPLOADED: "U",
    JobState.SUBMITTED: "SU",
    JobState.RUNNING: "RU",
    JobState.RUN_FINISHED: "RF",
    JobState.DOWNLOADED: "D",
    JobState.REMOTE_ERROR: "RERR",
    JobState.COMPLETED: "C",
    JobState.FAILED: "F",
    JobState.PAUSED: "P",
    JobState.STOPPED: "ST",
    JobState.USER_STOPPED: "CA",
    JobState.BATCH_SUBMITTED: "BS",
    JobState.BATCH_RUNNING: "BR",
}

#: States in which the runner or a worker holds the job.
IN_FLIGHT = frozenset(
    {
        JobState.CHECKED_OUT,
        JobState.UPLOADED,
        JobState.SUBMITTED,
        JobState.RUNNING,
        JobState.RUN_FINISHED,
        JobState.DOWNLOADED,
        JobState.BATCH_SUBMITTED,
        JobState.BATCH_RUNNING,
    }
)

#: States that a job leaves only when the user asks for it.
FINAL = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.STOPPED, JobState.USER_STOPPED})

#: Not started and not held: what `pause`, `stop_children` and `stop_jobflow` act on.
NOT_STARTED = frozenset({JobState.WAITING, JobState.READY})

#: Held by somebody; `resume` (also called `play`) undoes it.
HELD = frozenset({JobState.PAUSED, JobState.STOPPED, JobState.USER_STOPPED})

#: Parents in these states release a child that accepts missing references.
FAILED_BUT_ACCEPTABLE = frozenset({JobState.FAILED, JobState.USER_STOPPED})

_S = JobState

#: Where a job may be found that was handed over, also by a runner that was killed before it could note that.
_ON_THE_WORKER = (
    *(_S.SUBMITTED, _S.RUNNING, _S.BATCH_SUBMITTED, _S.BATCH_RUNNING),
    *(_S.RUN_FINISHED, _S.DOWNLOADED),
)

#: The moves that the runner makes by itself. What a user may do is in :mod:`towline.core.actions`.
#: A worker without files to move (pooled functions) skips UPLOADED and SUBMITTED; a worker on this machine skips
#: RUN_FINISHED, because its results are already here. A job that ends between two looks skips RUNNING.
RUNNER_MOVES: Mapping[JobState, frozenset[JobState]] = {
    _S.WAITING: frozenset({_S.READY, _S.STOPPED}),
    _S.READY: frozenset({_S.CHECKED_OUT, _S.STOPPED, _S.WAITING, _S.REMOTE_ERROR}),
    _S.CHECKED_OUT: frozenset({_S.UPLOADED, *_ON_THE_WORKER, _S.READY, _S.REMOTE_ERROR}),
    _S.UPLOADED: frozenset({*_ON_THE_WORKER, _S.READY, _S.REMOTE_ERROR}),
    _S.SUBMITTED: frozenset({_S.RUNNING, _S.RUN_FINISHED, _S.DOWNLOADED, _S.READY, _S.REMOTE_ERROR}),
    _S.RUNNING: frozenset({_S.RUN_FINISHED, _S.DOWNLOADED, _S.READY, _S.REMOTE_ERROR}),
    _S.BATCH_SUBMITTED: frozenset({_S.BATCH_RUNNING, _S.RUN_FINISHED, _S.DOWNLOADED, _S.READY, _S.REMOTE_ERROR}),
    _S.BATCH_RUNNING: frozenset({_S.RUN_FINISHED, _S.DOWNLOADED, _S.READY, _S.REMOTE_ERROR}),
    _S.RUN_FINISHED: frozenset({_S.DOWNLOADED, _S.REMOTE_ERROR}),
    # READY: the policy of the job has it run again after a failure.
    _S.DOWNLOADED: frozenset({_S.COMPLETED, _S.FAILED, _S.REMOTE_ERROR, _S.READY}),
    _S.REMOTE_ERROR: frozenset(),
    _S.COMPLETED: frozenset(),
    _S.FAILED: frozenset(),
    _S.PAUSED: frozenset({_S.STOPPED}),
    _S.STOPPED: frozenset(),
    _S.USER_STOPPED: frozenset(),
}


def check_move(from_state: JobState, to_state: JobState) -> None:
    """Refuse a move of the runner that is not in the table.

    Raises
    ------
    IllegalMove
        The table has no such move.
    """
    if to_state not in RUNNER_MOVES[from_state]:
        allowed = ", ".join(sorted(state.value for state in RUNNER_MOVES[from_state])) or "nothing"
        raise IllegalMove(
            f"a job does not go from {from_state.value} to {to_state.value}; from there it goes to {allowed}"
        )


def flow_state(counts: Mapping[JobState, int], *, leaves_completed: bool) -> FlowState:
    """State of a flow from how many of its jobs are in each state; the first rule that holds wins.

    Parameters
    ----------
    counts
        Number of jobs in each state; states without jobs may be missing.
    leaves_completed
        Whether every job without children is COMPLETED. It differs from "all jobs are COMPLETED" only where a job
        accepted a failed parent.
    """
    present = {state for state, count in counts.items() if count > 0}
    if present == {JobState.WAITING}:
        return FlowState.WAITING
    if present and present <= NOT_STARTED:
        return FlowState.READY
    if present and (leaves_completed or present == {JobState.COMPLETED}):
        return FlowState.COMPLETED
    if JobState.FAILED in present:
        return FlowState.FAILED
    if present & {JobState.STOPPED, JobState.USER_STOPPED}:
        return FlowState.STOPPED
    if JobState.PAUSED in present:
        return FlowState.PAUSED
    return FlowState.RUNNING if present else FlowState.READY
