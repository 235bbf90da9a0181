"""Names inside the run folder of a job, and where that folder is."""

import re
from collections.abc import Mapping
from pathlib import PurePath, PurePosixPath
from typing import Any

from towline.errors import InvalidRequest

#: Input of the job: header, payload, outputs of its parents. See :mod:`towline.core.records`.
JOB_FILE = "towline_job.jsonl"

#: What the payload left behind; appears whole, by rename, before the process ends.
RESULT_FILE = "towline_result.jsonl"

#: ``{"pid", "process_started_at", "at", "host"}``, created by the process itself, exclusively: whoever creates it runs
#: the attempt, every other process that was started for the same attempt ends at once. Empty when its maker was killed
#: before it could write; pid null when the attempt is never to run. `process_started_at` is a mark to be compared.
STARTED_FILE = "towline_started.json"

#: :class:`towline.core.records.ExitRecord`; appears whole, by rename, last. A short job that left the result of a
#: success has none: that file says the same.
EXIT_FILE = "towline_exit.json"

#: Script of a job that needs a shell.
SCRIPT_FILE = "submit.sh"

#: Standard output and standard error of the job.
OUTPUT_FILE = "queue.out"
ERROR_FILE = "queue.err"

#: What towline put into the folder, for telling it from the files of the job.
OWN_FILES = frozenset({JOB_FILE, RESULT_FILE, STARTED_FILE, EXIT_FILE, SCRIPT_FILE, OUTPUT_FILE, ERROR_FILE})


def is_own_file(name: str) -> bool:
    """Whether a name in a run folder is one of towline's: outputs that are given as patterns leave it out."""
    return name in OWN_FILES or name.startswith(("towline_", ".towline"))


def output_files(resources: Mapping[str, Any] | None) -> tuple[str, str]:
    """Files of standard output and standard error, relative to the run folder, of a job with these resources."""
    asked = resources or {}
    output, error = (
        asked.get(word) or asked.get(portable)
        for word, portable in (("qout_path", "output_filepath"), ("qerr_path", "error_filepath"))
    )
    return str(output or OUTPUT_FILE), str(error or ERROR_FILE)


#: The last two parts of the path of a run folder.
_NAME = re.compile(r"(?P<first>[^/]{1,2})/(?P=first)[^/]*_\d+\Z")


def run_folder(uuid: str, index: int, attempt: int) -> str:
    """Run folder of an attempt, relative to the work_dir of its worker: ``xx/<uuid>_<index>``.

    The first attempt has the name that jobflow-remote gives; later ones end with ``_<attempt>``, so that nothing is
    overwritten. One level of 256 folders above it, not three: after the first jobs, making a folder makes one folder.
    """
    suffix = "" if attempt == 1 else f"_{attempt}"
    return f"{uuid[:2]}/{uuid}_{index}{suffix}"


def work_dir_of(run_dir: str, usual: str) -> str:
    """The work_dir that a run folder is in: the `usual` one of its worker, or one of the job's own."""
    pure, of_worker = PurePosixPath(run_dir), PurePosixPath(usual)
    if of_worker == pure.parent.parent or (of_worker in pure.parents and not _is_named_like_one(pure)):
        return usual
    return str(pure.parent.parent)


def path_in_work_dir(run_dir: str, usual: str) -> str:
    """A run folder, relative to the work_dir that it is in."""
    return str(PurePosixPath(run_dir).relative_to(work_dir_of(run_dir, usual)))


def may_be_deleted(run_dir: str, usual: str) -> bool:
    """Whether a folder can be a run folder: in the work_dir of its worker, or elsewhere under the name of one."""
    pure = PurePosixPath(run_dir)
    if ".." in pure.parts or not pure.is_absolute():
        return False
    return PurePosixPath(usual) in pure.parents or _is_named_like_one(pure)


def _is_named_like_one(path: PurePosixPath) -> bool:
    return _NAME.fullmatch("/".join(path.parts[-2:])) is not None


def checked_work_dir(value: object) -> str:
    """The work_dir that somebody gave for a job, in normal form; an empty text is the worker's own.

    Raises
    ------
    InvalidRequest
        It is no absolute path of a folder.
    """
    if value == "":
        return ""
    text = str(value) if isinstance(value, str | PurePath) else ""
    pure = PurePosixPath(text)
    if not pure.is_absolute() or len(pure.parts) < 2 or ".." in pure.parts or not text.isprintable():
        raise InvalidRequest(
            f"{value!r} cannot be the work_dir of a job; give the absolute path of a folder on its worker, without '..'"
        )
    return f"/{'/'.join(pure.parts[1:])}"
