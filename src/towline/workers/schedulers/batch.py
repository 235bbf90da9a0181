"""What all batch schedulers have in common: scripts, and reading the framed answers."""

import abc
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from towline.core.run_folder import ERROR_FILE, OUTPUT_FILE
from towline.errors import InvalidRequest
from towline.workers.schedulers import shell, submitting
from towline.workers.schedulers.frames import read_frames
from towline.workers.schedulers.refusals import RefusalTable
from towline.workers.schedulers.scheduler import (
    QUEUE_ID_FILE,
    SETTLE_SECONDS,
    BatchScript,
    JobStatus,
    QueuedJob,
    QueueState,
    Refusal,
    StatusAnswer,
    Submission,
    Submitted,
    job_name,
)

#: The job tells its own id, so that also a submission that nobody saw is recorded; and of two submissions of the same
#: attempt, however they came about, only the first one runs.
#: Of hundreds of short jobs at a time every process counts that is started for nothing but this.
_SELF_RECORD = """towline_own_id={own_id}
towline_claim={folder}/towline_queue_claim
set -C; {{ echo "$towline_own_id" >"$towline_claim"; }} 2>/dev/null; towline_code=$?; set +C
if [ $towline_code != 0 ] && [ -s "$towline_claim" ]; then
  read -r towline_other <"$towline_claim"
  if [ "$towline_other" != "$towline_own_id" ]; then
    echo "towline: this attempt runs already as job $towline_other; job $towline_own_id ends" >&2; exit 0
  fi
fi
{record}"""

_RECORD = """towline_other=; {{ read -r towline_other towline_now <{path}; }} 2>/dev/null
if [ "$towline_other" != "$towline_own_id" ]; then
  echo "$towline_own_id ${{EPOCHSECONDS:-$(date +%s)}}" >{path}."$towline_own_id" && \\
    mv -f {path}."$towline_own_id" {path}
fi"""


class BatchScheduler(abc.ABC):
    """A scheduler that is told by scripts with directives."""

    name: ClassVar[str]
    #: Shell words in a running job: its id as it is asked about, and that of its array.
    own_id: ClassVar[str]
    array_id: ClassVar[str]
    #: Characters that no path of a run folder may have.
    unusable_in_paths: ClassVar[str] = ""
    #: Whether standard output stands on the node while a job runs, and takes the place of the file at the end.
    spools_output: ClassVar[bool] = False
    #: Shell functions that :mod:`towline.workers.schedulers.submitting` needs.
    submitting_dialect: ClassVar[str]
    refusals: ClassVar[RefusalTable]

    @abc.abstractmethod
    def directives(self, resources: Mapping[str, Any], *, job_name: str) -> list[str]:
        """Lines for the top of a script; see :class:`towline.workers.schedulers.scheduler.Scheduler`."""

    def script(self, batch: BatchScript) -> str:
        """The script of a job. Its exit code is that of the command."""
        self._check_path(batch.run_dir)
        directives = self.directives(
            {"qout_path": OUTPUT_FILE, "qerr_path": ERROR_FILE, **_output_words(batch.resources)},
            job_name=job_name(_readable(batch), batch.mark),
        )
        return shell.script(
            batch.run_dir,
            batch.command,
            batch.setup,
            variables=batch.variables,
            verbatim="\n".join([*directives, self._self_record(batch)]),
            last=batch.last,
        )

    def submit_command(self, submissions: Sequence[Submission], *, settle_seconds: float = SETTLE_SECONDS) -> str:
        """Submit each of them exactly once, however often and from however many places this is run."""
        return submitting.submitting_script(self.submitting_dialect, submissions, settle_seconds)

    def read_submissions(self, output: str, submissions: Sequence[Submission]) -> list[Submitted]:
        """What came of each submission, in the same order."""
        return submitting.read_submissions(output, submissions, self.explain_refusal)

    def explain_refusal(self, exit_code: int, text: str) -> Refusal:
        """What a refusal of the scheduler means, and what to do about it."""
        return self.refusals.explain(exit_code, text)

    def _check_path(self, run_dir: str) -> None:
        for letter in self.unusable_in_paths:
            if letter in run_dir:
                raise InvalidRequest(
                    f"the run folder {run_dir} has a {letter!r} in its path, which {self.name} does not take in the "
                    "names of output files; choose another work_dir for the worker"
                )

    def _self_record(self, batch: BatchScript) -> str:
        own_id, run_dir = self.array_id if "array" in batch.resources else self.own_id, batch.run_dir
        return _SELF_RECORD.format(own_id=own_id, folder=shlex.quote(run_dir), record=_record(run_dir))


def _record(folder: str) -> str:
    return _RECORD.format(path=shlex.quote(f"{folder}/{QUEUE_ID_FILE}"))


def no_answer(output: str, name: str, jobs: Sequence[QueuedJob]) -> StatusAnswer:
    """An answer that says nothing about any job, and why."""
    frame = read_frames(output).get(name)
    if frame is None:
        problem = f"{name} gave no answer, or it was cut off"
    else:
        problem = f"{name} ended with exit code {frame.exit_code}: {frame.text or 'it said nothing'}"
    return StatusAnswer({job.queue_id: unknown(job) for job in jobs}, problem=problem)


def unknown(job: QueuedJob, reason: str | None = None) -> JobStatus:
    """Nothing is known of a job."""
    return JobStatus(job.queue_id, QueueState.UNKNOWN, reason=reason)


def with_missing(jobs: Sequence[QueuedJob], found: Mapping[str, JobStatus], reason: str) -> StatusAnswer:
    """A good answer: what was found, and the rest, of which it said nothing."""
    missing = tuple(job.queue_id for job in jobs if job.queue_id not in found)
    rest = {job.queue_id: unknown(job, reason) for job in jobs if job.queue_id not in found}
    return StatusAnswer({**found, **rest}, missing)


#: Of the tasks of an array that was asked about as a whole: the first of these decides.
_LIVELY = (QueueState.UNKNOWN, QueueState.RUNNING, QueueState.QUEUED, QueueState.HELD)


def combined(queue_id: str, tasks: Sequence[JobStatus]) -> JobStatus:
    """The status of a job from the statuses of its tasks; the worst end counts."""
    for state in _LIVELY:
        for task in tasks:
            if task.state is state:
                return replace(task, queue_id=queue_id)
    ended = [task for task in tasks if task.end is not None]
    worst = next((task for task in ended if task.end and task.end.reason.value != "completed"), ended[0])
    return replace(
        worst,
        queue_id=queue_id,
        ended_at=max((task.ended_at for task in ended if task.ended_at is not None), default=None),
    )


def _readable(batch: BatchScript) -> str:
    return str(batch.resources.get("job_name") or batch.name)


def _output_words(resources: Mapping[str, Any]) -> dict[str, Any]:
    """Without the name, which carries the mark, and with the portable words for files in place of the default ones."""
    words = {key: value for key, value in resources.items() if key != "job_name" and value is not None}
    for portable, word in (("output_filepath", "qout_path"), ("error_filepath", "qerr_path")):
        if portable in words:
            words[word] = str(words.pop(portable))
    return words
