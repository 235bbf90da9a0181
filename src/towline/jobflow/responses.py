"""What a job asked for besides its output: new jobs, stored data, stops."""

from typing import Any

import orjson
from jobflow import Flow, Job, OnMissing, Response
from monty.json import jsanitize

from towline.core.records import NewJob
from towline.errors import InvalidRequest
from towline.jobflow.convert import flow_to_records
from towline.jobflow.graph import jobs_of


class UnusableResponse(InvalidRequest):
    """A response asks for something that cannot be carried out."""


def requests(response: Response[Any], job: Job) -> dict[str, Any]:
    """The fields of a :class:`~towline.core.records.Result` that carry out `response`.

    Raises
    ------
    InvalidFlow
        A new job cannot be stored.
    UnusableResponse
        `stored_data` is no mapping, or is not JSON.
    """
    return {
        "stored_data": _stored_data(response.stored_data),
        "stop_children": bool(response.stop_children),
        "stop_jobflow": bool(response.stop_jobflow),
        "replace": _new_jobs(response.replace, job),
        "addition": _new_jobs(response.addition, job),
        "detour": _new_jobs(response.detour, job),
    }


def _new_jobs(flow: object, creator: Job) -> tuple[NewJob, ...]:
    """The jobs of what :meth:`jobflow.Job.run` has made a flow."""
    if not isinstance(flow, Flow):
        return ()
    on_missing = creator.config.on_missing_references
    if on_missing != OnMissing.ERROR:
        # A job that does without missing parents makes jobs that do, unless they say something else.
        for job in jobs_of(flow):
            if job.config.on_missing_references == OnMissing.ERROR:
                job.config.on_missing_references = on_missing
    # New jobs may use outputs of any job of the flow they come into.
    return flow_to_records(flow, allow_external_references=True).jobs


def _stored_data(value: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise UnusableResponse(f"stored_data is a {type(value).__name__}; give a dictionary")
    for key, item in value.items():
        try:
            orjson.dumps(jsanitize(item, strict=True, enum_values=True))
        except Exception as error:  # any error of the user's own as_dict
            raise UnusableResponse(
                f"stored_data[{key!r}] is of type {type(item).__qualname__}, which is not JSON; give plain values"
            ) from error
    return dict(jsanitize(value, strict=True, enum_values=True))
