"""An attempt that asks the handler of a job what to do about a failure.

A handler is an importable function with one argument, a :class:`FailedAttempt`. It returns

- None or False: the job has failed for good;
- text: the same, and why;
- True: the job runs again, as its policy proposes;
- a mapping: it runs again with these ``resources`` (they come to those it had), after ``delay_seconds``, bringing along
  the files of the patterns in ``keep``; a ``message`` is for the journal.
"""

import importlib
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from towline.core.records import Failure, Result
from towline.core.run_folder import ERROR_FILE, OUTPUT_FILE
from towline.errors import InvalidRequest

_TAIL_BYTES = 20000

#: Keys of a mapping that a handler returns.
_ANSWER_KEYS = frozenset({"resources", "delay_seconds", "keep", "message"})


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """What a handler is told about an attempt that failed."""

    db_id: str
    uuid: str
    index: int
    name: str
    #: Number of the attempt that failed.
    attempt: int
    #: error, exit_code, signal, timeout, out_of_memory, ...
    reason: str
    message: str
    #: Traceback or the end of stderr, when there is one.
    details: str | None
    #: exit_code, signal, reason, started_at, ended_at, host, peak_memory_bytes, cpu_seconds, message.
    exit: Mapping[str, Any]
    #: Where the attempt ran and left its files; None for a pooled function.
    run_dir: str | None
    #: What it had.
    resources: Mapping[str, Any]
    #: What the next attempt would have by the policy of the job; None for the same.
    proposed_resources: Mapping[str, Any] | None
    #: The ends of what it printed.
    stdout_tail: str
    stderr_tail: str


def run_payload(header: Mapping[str, Any], payload: bytes, references: Mapping[str, tuple[int, bytes]]) -> Result:
    """Ask the handler; its answer is in the stored data of the result."""
    question = orjson.loads(payload)
    try:
        for folder in reversed(question["python_path"]):
            if folder not in sys.path:
                sys.path.insert(0, folder)
        module, _, name = question["handler"].partition(":")
        function = getattr(importlib.import_module(module), name)
        answer = function(_failed_attempt(header, question))
        return Result(stored_data={"decision": decision_of(answer, question["handler"])})
    # Whatever user code raises: the job fails for the reason that it had, and the journal says this too.
    except Exception as error:
        return Result(failure=Failure("error", f"{type(error).__name__}: {error}", traceback.format_exc()))


def decision_of(answer: object, name: str) -> dict[str, Any]:
    """What a handler returned, as the runner takes it.

    Raises
    ------
    InvalidRequest
        It is none of the answers that are possible.
    """
    if answer is None or answer is False:
        return {"retry": False}
    if answer is True:
        return {"retry": True}
    if isinstance(answer, str):
        return {"retry": False, "message": answer}
    if not isinstance(answer, Mapping) or not _ANSWER_KEYS.issuperset(answer):
        raise InvalidRequest(
            f"{name} returned {answer!r}; return None, True, a text, or a mapping with "
            f"{', '.join(sorted(_ANSWER_KEYS))}"
        )
    found = dict(answer)
    if isinstance(found.get("keep"), str):
        found["keep"] = [found["keep"]]
    return {"retry": True, **orjson.loads(orjson.dumps(found))}


def _failed_attempt(header: Mapping[str, Any], question: Mapping[str, Any]) -> FailedAttempt:
    run_dir, failure = question["run_dir"], question["failure"]
    return FailedAttempt(
        db_id=header["db_id"],
        uuid=header["uuid"],
        index=header["index"],
        name=header["name"],
        attempt=question["attempt"],
        reason=failure["reason"],
        message=failure["message"],
        details=failure["details"],
        exit=question["exit"],
        run_dir=run_dir,
        resources=question["resources"],
        proposed_resources=question["proposed"],
        stdout_tail=_tail(run_dir, OUTPUT_FILE),
        stderr_tail=_tail(run_dir, ERROR_FILE),
    )


def _tail(run_dir: str | None, name: str) -> str:
    if run_dir is None:
        return ""
    try:
        with Path(run_dir, name).open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - _TAIL_BYTES))
            return stream.read().decode(errors="replace")
    except OSError:
        return ""
