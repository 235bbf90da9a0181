"""What a user may do to a job in which state, in one table, and what happens then."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from towline.core.states import FINAL, HELD, IN_FLIGHT, NOT_STARTED, JobState
from towline.errors import IllegalMove


class Action(str, Enum):
    """A request of the user, by the words of the command line."""

    RERUN = "rerun"  #: run it again, as a new attempt
    RETRY = "retry"  #: repeat the action of the runner that failed
    PAUSE = "pause"  #: hold it before its start
    RESUME = "resume"  #: undo pause and stop
    STOP = "stop"  #: end it, wherever it is
    DELETE = "delete"  #: take it out of the queue
    SET_RUN_PROPERTIES = "set"  #: change its worker, exec_config, resources or work_dir
    SET_PRIORITY = "set priority"  #: change its priority
    DELETE_FILES = "files delete"  #: remove its run folder
    APPROVE = "approve"  #: let the flow go on after a step that waits for a person
    REJECT = "reject"  #: fail such a step


class Destination(Enum):
    """Where an action takes a job."""

    SAME = "same"  #: the state stays
    BY_PARENTS = "by parents"  #: READY when every parent has finished, else WAITING
    PREVIOUS = "previous"  #: the state whose action failed
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    USER_STOPPED = "USER_STOPPED"
    GONE = "gone"  #: the job leaves the queue


@dataclass(frozen=True, slots=True)
class Effect:
    """What an action does to a job in a certain state."""

    destination: Destination
    #: The processes of the present attempt have to end.
    cancels: bool = False
    #: The present attempt goes to the history, and a new one begins.
    new_attempt: bool = False
    #: What depends on the job goes back too: its children wait again, and with force whatever ran after it runs again.
    spreads: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """An action that the rules forbid in this state."""

    action: Action
    state: JobState
    #: States in which the action is possible.
    allowed: tuple[JobState, ...]
    #: What to do instead; ``ID`` stands for the job.
    advice: str

    def error(self, job: str) -> IllegalMove:
        """The refusal as an error about `job`."""
        allowed = ", ".join(state.value for state in self.allowed)
        advice = self.advice.replace("ID", job)
        return IllegalMove(f"job {job} is {self.state.value}: `{self.action.value}` is for jobs in {allowed}. {advice}")


_S = JobState
_BATCH = frozenset({_S.BATCH_SUBMITTED, _S.BATCH_RUNNING})

_LIGHT_RERUN = Effect(Destination.BY_PARENTS, cancels=True, new_attempt=True)
_FULL_RERUN = Effect(Destination.BY_PARENTS, new_attempt=True, spreads=True)
_FULL_RERUN_IN_FLIGHT = Effect(Destination.BY_PARENTS, cancels=True, new_attempt=True, spreads=True)
_CLEAR_RETRIES = Effect(Destination.SAME)
_IN_PLACE = Effect(Destination.SAME)


def _each(states: frozenset[JobState], effect: Effect) -> dict[JobState, Effect]:
    return dict.fromkeys(sorted(states, key=list(JobState).index), effect)


#: The table. A state that is missing under an action is refused.
EFFECTS: Mapping[Action, Mapping[JobState, Effect]] = {
    Action.RERUN: {
        **_each(IN_FLIGHT - _BATCH, _LIGHT_RERUN),
        # Its last attempt may still be alive on the worker: the action that failed may have been the look at it.
        _S.REMOTE_ERROR: _FULL_RERUN_IN_FLIGHT,
        _S.FAILED: _FULL_RERUN,
    },
    Action.RETRY: {
        _S.REMOTE_ERROR: Effect(Destination.PREVIOUS),
        **_each(IN_FLIGHT, _CLEAR_RETRIES),
    },
    Action.PAUSE: _each(NOT_STARTED, Effect(Destination.PAUSED)),
    Action.RESUME: _each(HELD, Effect(Destination.BY_PARENTS)),
    Action.STOP: {
        **_each(NOT_STARTED | {_S.PAUSED}, Effect(Destination.USER_STOPPED)),
        **_each(IN_FLIGHT | {_S.REMOTE_ERROR}, Effect(Destination.USER_STOPPED, cancels=True)),
    },
    Action.DELETE: {
        **_each(frozenset(JobState) - IN_FLIGHT - {_S.REMOTE_ERROR}, Effect(Destination.GONE)),
        **_each(IN_FLIGHT | {_S.REMOTE_ERROR}, Effect(Destination.GONE, cancels=True)),
    },
    Action.SET_RUN_PROPERTIES: _each(frozenset(JobState) - IN_FLIGHT, _IN_PLACE),
    Action.SET_PRIORITY: _each(frozenset(JobState), _IN_PLACE),
    Action.DELETE_FILES: _each(FINAL | {_S.REMOTE_ERROR}, _IN_PLACE),
    # Of steps that wait for a person alone: towline.store.holds.
    Action.APPROVE: {_S.READY: Effect(Destination.COMPLETED)},
    Action.REJECT: {_S.READY: Effect(Destination.FAILED)},
}

#: What else becomes possible with force.
FORCED_EFFECTS: Mapping[Action, Mapping[JobState, Effect]] = {
    Action.RERUN: {
        **_each(_BATCH, _FULL_RERUN_IN_FLIGHT),
        **_each(HELD | {_S.COMPLETED}, _FULL_RERUN),
    },
    Action.DELETE_FILES: _each(NOT_STARTED | {_S.PAUSED}, _IN_PLACE),
}

_ADVICE: Mapping[Action, Mapping[JobState, str]] = {
    Action.RERUN: {
        _S.COMPLETED: "To run it and what came after it again: tow job rerun --force ID",
        **dict.fromkeys(HELD, "To let it run: tow job resume ID"),
        **dict.fromkeys(NOT_STARTED, "It has not run yet, and will by itself: tow job info ID"),
        **dict.fromkeys(_BATCH, "To end it and run it again: tow job rerun --force ID"),
    },
    Action.RETRY: {
        _S.FAILED: "The job itself failed; to run it again: tow job rerun ID",
        **dict.fromkeys(HELD, "To let it run: tow job resume ID"),
    },
    Action.PAUSE: {
        **dict.fromkeys(IN_FLIGHT | {_S.REMOTE_ERROR}, "To end it: tow job stop ID"),
    },
    Action.RESUME: {
        _S.REMOTE_ERROR: "To repeat the action that failed: tow job retry ID",
        _S.FAILED: "To run it again: tow job rerun ID",
        _S.COMPLETED: "To run it again: tow job rerun --force ID",
    },
    Action.STOP: {},
    Action.DELETE: {},
    Action.SET_RUN_PROPERTIES: dict.fromkeys(IN_FLIGHT, "Stop it first: tow job stop ID"),
    Action.SET_PRIORITY: {},
    Action.DELETE_FILES: dict.fromkeys(IN_FLIGHT, "Stop it first: tow job stop ID"),
    Action.APPROVE: {
        _S.WAITING: "What comes before it has not finished: tow job info ID",
        _S.FAILED: "To have it decided again: tow job rerun ID",
        _S.COMPLETED: "It was approved; to have it decided again: tow job rerun --force ID",
        **dict.fromkeys(HELD, "Let it go on first: tow job resume ID"),
    },
    Action.REJECT: {
        _S.WAITING: "What comes before it has not finished: tow job info ID",
        _S.FAILED: "It was rejected; to have it decided again: tow job rerun ID",
        _S.COMPLETED: "To have it decided again: tow job rerun --force ID",
        **dict.fromkeys(HELD, "Let it go on first: tow job resume ID"),
    },
}


def decide(action: Action, state: JobState, *, force: bool = False) -> Effect | Refusal:
    """What `action` does to a job in `state`, or why it may not.

    Parameters
    ----------
    force
        Also what needs the user's insistence, such as running a COMPLETED job again.
    """
    effects = dict(EFFECTS[action])
    if force:
        effects.update(FORCED_EFFECTS.get(action, {}))
    if state in effects:
        return effects[state]
    allowed = tuple(known for known in JobState if known in effects)
    return Refusal(action, state, allowed, _ADVICE[action].get(state, "To look at it: tow job info ID"))
