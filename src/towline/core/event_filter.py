"""Which events somebody wants to hear of, in the words of users: ``FAILED``, ``flow finished``, ``attempt failed``."""

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from towline.core.states import FlowState, JobState
from towline.errors import InvalidRequest

#: Notes of these events begin so: an attempt failed, and another one follows by itself.
_FLOW = "flow "
FLOW_FINISHED = "flow finished"
ATTEMPT_FAILED = "attempt failed"
ANY = "any"

#: States in which nothing of a flow moves any more by itself.
_FINISHED = frozenset({FlowState.COMPLETED, FlowState.FAILED, FlowState.STOPPED})


@dataclass(frozen=True, slots=True)
class Wanted:
    """Kinds of events."""

    job_states: frozenset[str] = frozenset()
    flow_states: frozenset[str] = frozenset()
    failed_attempts: bool = False
    everything: bool = False

    def admits(self, *, is_flow: bool, from_state: str | None, to_state: str | None) -> bool:
        """Whether an event is of these kinds."""
        if self.everything:
            return True
        if is_flow:
            return to_state in self.flow_states
        if self.failed_attempts and from_state == "DOWNLOADED" and to_state in ("READY", "FAILED"):
            return True
        return to_state in self.job_states


def read_wanted(words: Iterable[str]) -> Wanted:
    """The kinds of events that words name.

    Raises
    ------
    InvalidRequest
        A word names no kind of event.
    """
    job_states: set[str] = set()
    flow_states: set[str] = set()
    failed_attempts = everything = False
    for word in words:
        if word == ANY:
            everything = True
        elif word == FLOW_FINISHED:
            flow_states.update(state.value for state in _FINISHED)
        elif word == ATTEMPT_FAILED:
            failed_attempts = True
        elif word.startswith(_FLOW) and word.removeprefix(_FLOW) in FlowState.__members__:
            flow_states.add(word.removeprefix(_FLOW))
        elif word in JobState.__members__:
            job_states.add(word)
        else:
            raise InvalidRequest(_unknown(word))
    return Wanted(frozenset(job_states), frozenset(flow_states), failed_attempts, everything)


def hook_problems(hook: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    """What is wrong with a hook as it stands in a project file, beside the types of its values."""
    problems: list[tuple[tuple[str, ...], str]] = []
    words = hook.get("on")
    if isinstance(words, list | tuple) and all(isinstance(word, str) for word in words):
        try:
            read_wanted(words)
        except InvalidRequest as error:
            problems.append((("on",), str(error)))
    if (hook.get("run") is None) == (hook.get("call") is None):
        problems.append(((), "a hook has either `run`, a shell command, or `call`, module:function"))
    return problems


def _unknown(word: str) -> str:
    known: Collection[str] = (
        *JobState.__members__,
        *(f"{_FLOW}{state}" for state in FlowState.__members__),
        *(FLOW_FINISHED, ATTEMPT_FAILED, ANY),
    )
    near = difflib.get_close_matches(word, known, 1, 0.4)
    meant = f"; did you mean {near[0]!r}?" if near else "."
    return f"no event is called {word!r}{meant} Known are states of jobs, `flow STATE`, `{FLOW_FINISHED}`, `any`"
