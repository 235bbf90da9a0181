"""Names inside the run folder of a job, and where that folder is."""

from collections.abc import Mapping
from typing import Any

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


def run_folder(uuid: str, index: int, attempt: int) -> str:
    """Run folder of an attempt, relative to the work_dir of its worker: ``xx/<uuid>_<index>``.

    The first attempt has the name that jobflow-remote gives; later ones end with ``_<attempt>``, so that nothing is
    overwritten. One level of 256 folders above it, not three: after the first jobs, making a folder makes one folder.
    """
    suffix = "" if attempt == 1 else f"_{attempt}"
    return f"{uuid[:2]}/{uuid}_{index}{suffix}"
