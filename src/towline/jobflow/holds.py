"""A step of a flow that waits for a person."""

import sys
from collections.abc import Mapping
from typing import Any

from jobflow import Job

from towline.core.documents import UnwritableValue, encode
from towline.errors import InvalidFlow, WorkerError
from towline.jobflow.encoding import Encoder


def hold(text: str, *, shows: Any = None, name: str = "hold", metadata: Mapping[str, Any] | None = None) -> Job:
    """A step that waits until a person approves or rejects it: ``tow job approve``, ``tow job reject``.

    Its output is ``{"approved", "message", "by", "at"}``. Jobs that are to wait for it use it, or stand after it in a
    flow with ``order="linear"``. A rejected step is a FAILED job: what comes after it does not run, unless it accepts
    failed parents.

    Parameters
    ----------
    text
        What the person has to decide; it is shown by ``tow job info``.
    shows
        Outputs of jobs that have to be there before: the step waits for them.
    name
        Name of the step in lists.

    Raises
    ------
    InvalidFlow
        There is no text.
    """
    if not isinstance(text, str) or not text.strip():
        raise InvalidFlow("a hold needs a text that says what is to be decided")
    keywords = {"text": text} if shows is None else {"text": text, "shows": shows}
    return Job(function=ask_person, function_kwargs=keywords, name=name, metadata=dict(metadata or {}))


def is_hold(job: Job) -> bool:
    """Whether a job was made by :func:`hold`."""
    return job.function is ask_person


def hold_payload(job: Job) -> bytes:
    """Payload of a hold: ``{"text", "shows"}``, with serialized references.

    Raises
    ------
    InvalidFlow
        What it shows cannot be written as JSON.
    """
    try:
        return encode(Encoder().encode(job.function_kwargs))
    except UnwritableValue as error:
        raise InvalidFlow(f"hold {job.name!r} ({job.uuid}): {error}") from error


def ask_person(*, text: str, shows: Any = None) -> dict[str, Any]:
    """Ask at the terminal, as `jobflow.run_locally` needs it.

    Raises
    ------
    WorkerError
        Nobody is there, or the answer is no.
    """
    if not sys.stdin.isatty():
        raise WorkerError(f"this step waits for a person ({text}); submit the flow to towline, or run it in a terminal")
    if shows is not None:
        print(shows)
    answer = input(f"{text} [y/N] ")
    if answer.strip().lower() not in ("y", "yes"):
        raise WorkerError(f"rejected: {text}")
    return {"approved": True, "message": None, "by": None, "at": None}
