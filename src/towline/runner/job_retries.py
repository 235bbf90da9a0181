"""Jobs that go on by themselves after a failure: what their policy says, and what their handlers decided.

A handler is user code, so it never runs in the runner: the next attempt of the job is that of its handler, in a process
of its own on the worker, and what it returns decides about the attempt after it. What an attempt is for stands in the
settings of the job under :data:`~towline.core.records.AUTOMATIC`.
"""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from towline.core.records import AUTOMATIC, ExitRecord, Failure, Result
from towline.core.retry_policy import Again, Rule, next_attempt, read_policy
from towline.core.states import JobState
from towline.errors import ConfigurationError
from towline.runner.results import out_of_memory_instead
from towline.runner.setup import Setup
from towline.store.completion import Completion, Continuation
from towline.store.jobs import QueuedJob

logger = logging.getLogger(__name__)

#: A job that no allocation is long enough for must not run for ever.
_HANDED_BACK = {"interrupted": Rule(times=10)}


@dataclass(frozen=True, slots=True)
class _Past:
    """What led to the present attempt of a job."""

    #: How often each rule was used.
    used: Mapping[str, int]
    #: What the handler that runs was asked about; None in an attempt of the job itself.
    handling: Mapping[str, Any] | None


def continued(completion: Completion, setup: Setup, now: float) -> Completion:
    """The same completion, with another attempt after it where the policy or the handler of the job says so."""
    job = completion.job
    past = _past(job)
    if past.handling is not None:
        return _after_handler(completion, past, past.handling, now)
    failure = completion.result.failure
    if failure is None:
        return completion
    resources = _resources(job, setup)
    failure = out_of_memory_instead(failure, completion.exit, resources.get("memory_gigabytes"))
    completion = replace(completion, result=replace(completion.result, failure=failure))
    try:
        again = next_attempt(_policy(job, setup), failure.reason, past.used, resources)
    except ConfigurationError as error:
        logger.error("job %s%s does not run again: %s", setup.db_id_prefix, job.id, error)
        return completion
    if again is None:
        return completion
    return replace(completion, continuation=_continuation(completion, failure, again, past, resources, now))


def _continuation(
    completion: Completion, failure: Failure, again: Again, past: _Past, resources: Mapping[str, Any], now: float
) -> Continuation:
    automatic: dict[str, Any] = {"used": {**past.used, again.rule: again.count}}
    settings: dict[str, Any] = {AUTOMATIC: automatic}
    if again.handler is not None:
        automatic["handling"] = {
            "handler": again.handler,
            "python_path": again.python_path,
            "failure": asdict(failure),
            "exit": asdict(completion.exit),
            "run_dir": completion.run_dir,
            "attempt": completion.job.attempt,
            "resources": dict(resources),
            "proposed": None if again.resources is None else dict(again.resources),
            "keep": again.keep,
            "reason": again.describe(failure.reason),
        }
    else:
        if again.resources is not None:
            settings["resources"] = dict(again.resources)
        if again.keep:
            automatic["continue"] = {"folder": completion.run_dir, "patterns": again.keep}
    due = now + again.delay_seconds if again.delay_seconds else None
    return Continuation(again.describe(failure.reason), due, settings, JobState.FAILED)


def _after_handler(completion: Completion, past: _Past, handling: Mapping[str, Any], now: float) -> Completion:
    """What a handler decided."""
    answer, failure = completion.result.stored_data, completion.result.failure
    name = handling["handler"]
    if failure is not None or answer is None:
        why = "it gave no answer" if failure is None else failure.message
        return _given_up(completion, handling, f"its handler {name} failed: {why}")
    decision = answer["decision"]
    if not decision["retry"]:
        said = f": {decision['message']}" if decision.get("message") else ""
        return _given_up(completion, handling, f"its handler {name} gave up{said}")
    automatic: dict[str, Any] = {"used": dict(past.used)}
    settings: dict[str, Any] = {AUTOMATIC: automatic}
    parts = [f"{name} lets it run again"]
    resources = decision.get("resources") or handling["proposed"]
    if resources is not None:
        # What a handler returns comes to what the job had.
        settings["resources"] = {**handling["resources"], **resources}
        parts.append("with " + ", ".join(f"{key}={value}" for key, value in resources.items()))
    keep = decision.get("keep") or handling["keep"]
    if keep:
        automatic["continue"] = {"folder": handling["run_dir"], "patterns": keep}
        parts.append("keeping " + ", ".join(keep))
    if decision.get("message"):
        parts.append(str(decision["message"]))
    delay_seconds = float(decision.get("delay_seconds") or 0)
    due = now + delay_seconds if delay_seconds else None
    return replace(completion, continuation=Continuation(", ".join(parts), due, settings, JobState.COMPLETED))


def _given_up(completion: Completion, handling: Mapping[str, Any], why: str) -> Completion:
    """The job has failed for good, for the reason that it had before anybody asked its handler."""
    first = Failure(**handling["failure"])
    failure = replace(first, message=f"{first.message}; {why}")
    exit_record = ExitRecord(**handling["exit"])
    return replace(completion, result=Result(failure=failure), exit=exit_record, run_dir=handling["run_dir"])


def _past(job: QueuedJob) -> _Past:
    automatic = job.settings.get(AUTOMATIC) or {}
    return _Past(automatic.get("used") or {}, automatic.get("handling"))


def _policy(job: QueuedJob, setup: Setup) -> Mapping[str, Rule]:
    """The policy of the job, else that of its worker, else that of the project.

    The end of an allocation is no failure of the jobs in it, so they run again without having been asked about it.
    """
    return {**_HANDED_BACK, **_declared(job, setup)}


def _declared(job: QueuedJob, setup: Setup) -> Mapping[str, Rule]:
    own = job.settings.get("retry")
    if own is not None:
        return read_policy(own)
    place = setup.places.get(job.worker)
    if place is not None and place.retry is not None:
        return place.retry
    return setup.retry


def _resources(job: QueuedJob, setup: Setup) -> Mapping[str, Any]:
    resources = job.settings.get("resources")
    place = setup.places.get(job.worker)
    return (place.resources if place is not None else {}) if resources is None else resources
