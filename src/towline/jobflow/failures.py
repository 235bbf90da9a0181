"""What went wrong in a job, for its user: a sentence, and the traceback below towline and jobflow."""

import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

import jobflow
from jobflow import Job
from monty.json import jsanitize

from towline.core.documents import UnwritableValue, encode, path_text
from towline.core.records import Failure
from towline.errors import TowlineError

#: What stands above the function of the user in a traceback.
_OWN_FOLDERS = (str(Path(__file__).parent), str(Path(jobflow.__file__).parent))


def failure_of(error: BaseException, job: Job | None) -> Failure:
    """Why a job failed, from the exception that ended it."""
    returned = _returned(error)
    culprit = None if returned is None else find_unwritable(returned.output)
    if job is not None and culprit is not None:
        return output_failure(job, *culprit, details=_details(error))
    if isinstance(error, TowlineError):
        return Failure("error", str(error), _details(error))
    where = "" if job is None else f" (in {_function_name(job)})"
    reason = "out_of_memory" if isinstance(error, MemoryError) else "error"
    return Failure(reason, f"{_summary(error)}{where}", _details(error))


def output_failure(job: Job, path: tuple[Any, ...], reason: str, details: str | None = None) -> Failure:
    """The failure of a job that returned something that cannot be stored."""
    where = f"its output, at {path_text(path)}," if path else "its output"
    return Failure(
        "output",
        f"{_function_name(job)} returned something that cannot be stored: {where} {reason}; return plain values, "
        "arrays or MSONable objects, or write a file and return its path",
        details,
    )


def find_unwritable(value: Any, path: tuple[Any, ...] = ()) -> tuple[tuple[Any, ...], str] | None:
    """Path and type of the innermost part of an output that cannot be stored; None when all of it can."""
    try:
        encode(jsanitize(value, strict=True, enum_values=True, allow_bson=True))
    except UnwritableValue as error:
        own = (error.path, error.reason)
    except Exception:
        # Any error of the user's own as_dict.
        own = ((), f"is of type {type(value).__module__}.{type(value).__qualname__}")
    else:
        return None
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, item in items:
        found = find_unwritable(item, (*path, key))
        if found is not None:
            return found
    return (*path, *own[0]), own[1]


def _returned(error: BaseException) -> Any:
    """The response of the function, when it had returned before `error` came."""
    frame = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code is Job.run.__code__:
            response = frame.tb_frame.f_locals.get("response")
            return response if isinstance(response, jobflow.Response) else None
        frame = frame.tb_next
    return None


def _summary(error: BaseException) -> str:
    kind = type(error)
    module = "" if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}."
    name = f"{module}{kind.__qualname__}"
    try:
        text = str(error)
    except Exception:  # the exception is the user's own, and so is its __str__
        text = ""
    first_line = text.strip().split("\n", 1)[0]
    return f"{name}: {first_line}" if first_line else name


def _function_name(job: Job) -> str:
    function = job.function
    return str(getattr(function, "__qualname__", type(function).__name__))


def _details(error: BaseException) -> str:
    frames = error.__traceback__
    while frames is not None and _is_own(frames):
        frames = frames.tb_next
    # Without a frame of the user the error came from jobflow, and the whole way there is worth knowing.
    return "".join(traceback.format_exception(type(error), error, frames or error.__traceback__))


def _is_own(frame: TracebackType) -> bool:
    return frame.tb_frame.f_code.co_filename.startswith(_OWN_FOLDERS)
