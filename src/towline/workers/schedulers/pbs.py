"""PBS: qsub, qstat, qdel of OpenPBS and PBS Professional. Written after what 23.06 prints."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from towline.core.resources import PortableResources, split_resources, whole_megabytes
from towline.errors import InvalidRequest
from towline.workers.schedulers import pbs_answers
from towline.workers.schedulers.batch import BatchScheduler
from towline.workers.schedulers.frames import PRELUDE, read_frames
from towline.workers.schedulers.qtoolkit_adapter import scheduler_words
from towline.workers.schedulers.refusals import RefusalTable
from towline.workers.schedulers.scheduler import QueuedJob, QueueFacts, SchedulerFacts, StatusAnswer
from towline.workers.schedulers.submitting import limited
from towline.workers.schedulers.words import Vocabulary


def quote(text: str) -> str:
    """A value as qsub reads it in a directive: in one kind of quotes, since there is nothing to escape them with."""
    if re.fullmatch(r"[A-Za-z0-9_@%+=:,./&*()\[\]^~-]+", text):
        return text
    if '"' not in text:
        return f'"{text}"'
    if "'" not in text:
        return f"'{text}'"
    raise ValueError("PBS cannot read a value with both kinds of quotes")


VOCABULARY = Vocabulary(
    scheduler="PBS",
    prefix="#PBS",
    options={
        "queue": "-q {}",
        "job_name": "-N {}",
        "account": "-A {}",
        "project": "-P {}",
        "select": "-l {}",
        "walltime": "-l walltime={}",
        "min_walltime": "-l min_walltime={}",
        "max_walltime": "-l max_walltime={}",
        "model": "-l model={}",
        "place": "-l place={}",
        "filesystems": "-l filesystems={}",
        "software": "-l software={}",
        "licenses": "-l {}",
        "ncpus": "-l ncpus={}",
        "mem": "-l mem={}",
        "resources": "-l {}",
        "group_list": "-W group_list={}",
        "dependency": "-W depend={}",
        "umask": "-W umask={}",
        "mail_user": "-M {}",
        "mail_type": "-m {}",
        "qout_path": "-o {}",
        "qerr_path": "-e {}",
        "priority": "-p {}",
        "rerunnable": "-r {}",
        "array": "-J {}",
        "begin": "-a {}",
        "keep": "-k {}",
        "shell": "-S {}",
    },
    flags={"rerunnable": ("-r y", "-r n"), "hold": ("-h", None), "exclusive": ("-l place=excl", None)},
    synonyms={
        "partition": "queue",
        "time": "walltime",
        "depend": "dependency",
        "reservation": "queue",
        "requeue": "rerunnable",
        "output": "qout_path",
        "error": "qerr_path",
    },
    quote=quote,
)

#: `-x` also lists jobs that ended, where the server keeps them.
_SUBMITTING = f"""towline_program() {{
  {limited('qsub "$1"')}
}}
towline_is_id() {{ case $1 in [0-9]*.[A-Za-z]*) return 0;; esac; return 1; }}
towline_is_unclear() {{
  case $1 in
    *"annot connect to server"*|*"onnection refused"*) return 1;;
    *"imed out"*|*"imeout"*|*"ommunication"*|*"End of File"*|*"rotocol"*) return 0;;
  esac
  return 1
}}
towline_find() {{
  if [ -z "$towline_listing" ]; then
    towline_listing="$(qstat -x -f) ." || return 1
  fi
  printf '%s\\n' "$towline_listing" | awk -v mark=".$1" '
    /^Job Id: / {{ id = $3 }}
    $1 == "Job_Name" && $2 == "=" {{
      start = length($3) - length(mark) + 1
      if (start > 0 && substr($3, start) == mark) print id
    }}'
}}
"""

_REFUSALS = RefusalTable(
    "qsub",
    (
        (r"Unknown queue", "check the resource queue (queue_name); `qstat -Q` lists queues", False),
        (r"Unknown resource", "check select and resources: the site knows no such resource", False),
        (
            r"Illegal attribute or resource value",
            "check the value of the resource that it names; times are written hours:minutes:seconds",
            False,
        ),
        (
            r"would exceed|limit on number of jobs|exceeds? .*limit.* jobs|Maximum number of jobs",
            "you have as many jobs in the queue as you may; lower max_jobs of the worker",
            True,
        ),
        (
            r"violates queue and/or server resource limits|exceeds|too (many|much)",
            "ask for less time, fewer nodes or less memory, or for another queue; `qstat -Qf` has the limits",
            False,
        ),
        (
            r"Invalid account|not (authorized|allowed)|Unauthorized|access denied|project",
            "check the resources account and project, and whether you may use the queue",
            False,
        ),
        (r"[Ii]llegal dependency|depend", "check the resource dependency: afterok:ID and the like", False),
        (r"invalid option|usage: qsub|directive error", "check the resources and qverbatim of the job", False),
        (
            r"cannot connect to server|Connection refused|timed? ?out|No active server",
            "the server of PBS does not answer; towline tries again",
            True,
        ),
        (r"No such file", "the run folder has no script: check work_dir of the worker", True),
        (r"cannot send environment", "remove variables with quotes, commas or backslashes from -v in qverbatim", False),
    ),
)

_ID = re.compile(r"\d+(\[\d*\])?(\.[A-Za-z0-9._-]+)?")


class Pbs(BatchScheduler):
    """OpenPBS and PBS Professional."""

    name = "pbs"
    own_id = '"$PBS_JOBID"'
    # 14[2].server is task 2 of 14[].server.
    array_id = '"$(echo "$PBS_JOBID" | sed "s/\\[[0-9]*\\]/[]/")"'
    # qsub makes whole paths of output files, and a colon in them ends the name of a host.
    unusable_in_paths = ":"
    spools_output = True
    submitting_dialect = _SUBMITTING
    refusals = _REFUSALS

    def directives(self, resources: Mapping[str, Any], *, job_name: str) -> list[str]:
        """Lines for the top of a script."""
        portable, own = split_resources(resources)
        words = {
            # A job that PBS starts again by itself would run twice.
            "rerunnable": "n",
            **_portable_words(portable),
            **own,
            "job_name": job_name,
        }
        return VOCABULARY.directives(_with_prefix(words))

    def status_command(self, jobs: Sequence[QueuedJob]) -> str:
        """One query for all jobs of a worker."""
        return pbs_answers.command("qstat", "-f -F json -t", [checked_id(job.queue_id) for job in jobs])

    def read_status(self, output: str, jobs: Sequence[QueuedJob]) -> StatusAnswer:
        """What the scheduler says of jobs that wait or run."""
        return pbs_answers.read_status(output, jobs)

    def accounting_command(self, jobs: Sequence[QueuedJob]) -> str:
        """One query for all jobs that left the queue."""
        return pbs_answers.command("history", "-x -f -F json -t", [checked_id(job.queue_id) for job in jobs])

    def read_accounting(self, output: str, jobs: Sequence[QueuedJob]) -> StatusAnswer:
        """How jobs ended that left the queue."""
        return pbs_answers.read_accounting(output, jobs)

    def cancel_command(self, queue_ids: Sequence[str]) -> str:
        """End many jobs; those that have ended already do no harm."""
        return f"{PRELUDE}towline_ask qdel qdel {' '.join(shlex.quote(checked_id(one)) for one in queue_ids)}\n"

    def read_cancellation(self, output: str) -> str | None:
        """Why cancelling did not work, so that it has to be repeated; None when it did."""
        frame = read_frames(output).get("qdel")
        if frame is None:
            return "qdel gave no answer, or it was cut off"
        # One line for each job that it could not delete.
        wrong = [line for line in frame.error.splitlines() if line and not pbs_answers.ABOUT_ENDED.search(line)]
        if frame.exit_code == 0 or (frame.error and not wrong):
            return None
        return f"qdel ended with exit code {frame.exit_code}: {' '.join(wrong) or frame.text or 'it said nothing'}"

    def check_command(self) -> str:
        """Ask for version, queues and accounts."""
        return (
            f"{PRELUDE}towline_ask version qsub --version\n"
            "towline_ask queues qstat -Q -f\n"
            "towline_ask server qstat -B -f\n"
        )

    def read_check(self, output: str) -> SchedulerFacts:
        """Version, queues and accounts."""
        frames = read_frames(output)
        version, queues, server = frames.get("version"), frames.get("queues"), frames.get("server")
        problems = []
        if version is None or version.exit_code:
            said = "no answer" if version is None else version.text
            problems.append(f"qsub does not work on this host ({said}): check host and login_shell of the worker")
        elif queues is None or queues.exit_code:
            said = "no answer" if queues is None else queues.text
            problems.append(f"the server of PBS does not answer ({said}): jobs wait until it does")
        has_history = server is not None and re.search(r"job_history_enable = True", server.output) is not None
        if not problems and not has_history:
            problems.append(
                "the server of PBS keeps no history (job_history_enable is off): how a job ended is known only from "
                "the job's own exit record"
            )
        return SchedulerFacts(
            version=None if version is None or version.exit_code else version.text,
            queues=_queues(queues.output) if queues is not None and queues.exit_code == 0 else (),
            has_accounting=has_history,
            problems=tuple(problems),
        )


def _portable_words(portable: PortableResources) -> dict[str, Any]:
    if portable.gpus_per_job and portable.nodes and portable.nodes > 1:
        raise InvalidRequest("gpus_per_job on several nodes has no word in PBS; give select, with ngpus for each chunk")
    words = scheduler_words("pbs", replace(portable, gpus_per_job=None, project=None, qos=None, memory_gigabytes=None))
    if portable.qos is not None:
        raise InvalidRequest("PBS has no qos; give a queue, or the resources account and project")
    if portable.project is not None:
        words["project"] = portable.project
    if portable.memory_gigabytes is not None:
        words["select"] = f"{words.get('select', 'select=1')}:mem={whole_megabytes(portable.memory_gigabytes)}mb"
    if portable.gpus_per_job:
        words["select"] = f"{words.get('select', 'select=1')}:ngpus={portable.gpus_per_job}"
    return words


def _with_prefix(words: Mapping[str, Any]) -> dict[str, Any]:
    """qtoolkit's word `select` has `select=` in it; people leave it away."""
    found = dict(words)
    if isinstance(found.get("select"), str | int) and not re.match(r"(select|nodes)=", str(found["select"])):
        found["select"] = f"select={found['select']}"
    return found


def _queues(output: str) -> tuple[QueueFacts, ...]:
    found = []
    for block in re.split(r"^Queue: ", output, flags=re.MULTILINE)[1:]:
        name, _, rest = block.partition("\n")
        facts = dict(re.findall(r"^ {4}(\S+) = (.*)$", rest, re.MULTILINE))
        is_open = facts.get("enabled") == "True" and facts.get("started") == "True"
        found.append(QueueFacts(name.strip(), is_open, facts.get("resources_max.walltime")))
    return tuple(found)


def checked_id(queue_id: str) -> str:
    """An id that may stand in a command line.

    Raises
    ------
    ValueError
        It is none of PBS's.
    """
    if not _ID.fullmatch(queue_id):
        raise ValueError(f"{queue_id!r} is no id of a job in PBS")
    return queue_id
