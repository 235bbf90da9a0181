"""Slurm: sbatch, squeue, sacct, scancel. Tried with 22.05."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from towline.core.resources import split_resources, whole_megabytes
from towline.workers.schedulers import slurm_answers
from towline.workers.schedulers.batch import BatchScheduler
from towline.workers.schedulers.frames import PRELUDE, read_frames
from towline.workers.schedulers.qtoolkit_adapter import scheduler_words
from towline.workers.schedulers.refusals import RefusalTable
from towline.workers.schedulers.scheduler import QueuedJob, QueueFacts, SchedulerFacts, StatusAnswer
from towline.workers.schedulers.submitting import limited
from towline.workers.schedulers.words import Vocabulary

_NAMED_LIKE_THEIR_OPTION = (  # noqa: SIM905 - a list of sixty strings is harder to read
    "partition nodes ntasks ntasks_per_node ntasks_per_core ntasks_per_socket ntasks_per_gpu cpus_per_task "
    "cpus_per_gpu mem mem_per_cpu mem_per_gpu hint time time_min account mail_user mail_type constraint gres "
    "gres_flags nodelist propagate licenses qos priority array gpus gpus_per_node gpus_per_task gpus_per_socket "
    "gpu_bind gpu_freq dependency reservation comment clusters cluster_constraint signal begin deadline nice switches "
    "threads_per_core sockets_per_node cores_per_socket wckey distribution tmp bb bbf export open_mode mincpus "
    "core_spec thread_spec cpu_freq network profile mem_bind acctg_freq delay_boot container"
).split()

_CHANGED = {
    "job_name": "--job-name={}",
    "exclude_nodes": "--exclude={}",
    "qout_path": "--output={}",
    "qerr_path": "--error={}",
    # NERSC asks for file systems as licences.
    "filesystems": "--licenses={}",
    "exclusive": "--exclusive={}",
}

_FLAGS = {
    # A job that Slurm starts again by itself would run twice; what is to be run again is the policy of the job.
    "requeue": ("--requeue", "--no-requeue"),
    "exclusive": ("--exclusive", None),
    "oversubscribe": ("--oversubscribe", None),
    "overcommit": ("--overcommit", None),
    "contiguous": ("--contiguous", None),
    "spread_job": ("--spread-job", None),
    "use_min_nodes": ("--use-min-nodes", None),
    "no_kill": ("--no-kill", None),
    "reboot": ("--reboot", None),
    "wait_all_nodes": ("--wait-all-nodes=1", "--wait-all-nodes=0"),
    "kill_on_invalid_dep": ("--kill-on-invalid-dep=yes", "--kill-on-invalid-dep=no"),
}

_SYNONYMS = {
    "exclude": "exclude_nodes",
    "output": "qout_path",
    "error": "qerr_path",
    "queue": "partition",
    "walltime": "time",
    "gpu": "gpus",
    "licences": "licenses",
    "depend": "dependency",
}


def quote(text: str) -> str:
    """A value as sbatch reads it in a directive: in double quotes, with a backslash before quotes and backslashes."""
    if re.fullmatch(r"[A-Za-z0-9_@%+=:,./&*|()\[\]~^!?-]+", text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


VOCABULARY = Vocabulary(
    scheduler="Slurm",
    prefix="#SBATCH",
    options={word: f"--{word.replace('_', '-')}={{}}" for word in _NAMED_LIKE_THEIR_OPTION} | _CHANGED,
    flags=_FLAGS,
    synonyms=_SYNONYMS,
    quote=quote,
)

#: `-t all` also lists jobs that ended in the last minutes; the accounting is asked for those that ended before. `%F`
#: and the part of JobID before `_` are the id of the array of a task.
_SUBMITTING = f"""towline_program() {{
  {limited('sbatch --parsable "$1"')}
}}
towline_is_id() {{ case $1 in ''|*[!0-9]*) return 1;; esac; }}
towline_is_unclear() {{
  case $1 in
    *"connect failure"*) return 1;;
    *"Unable to contact"*|*"imed out"*|*"Zero Bytes"*|*"nexpected message"*|*"ommunication"*) return 0;;
  esac
  return 1
}}
towline_find() {{
  if [ -z "$towline_listing" ]; then
    towline_listing=$(squeue -h -t all -u "$(id -u)" -o '%F %j') || return 1
    towline_ended=$(sacct -n -X -P --delimiter=' ' -u "$(id -u)" -S now-7days -o JobID,JobName 2>&1)
    if [ $? != 0 ]; then
      case $towline_ended in *"torage is disabled"*) towline_ended=;; *) echo "$towline_ended" >&2; return 1;; esac
    fi
    towline_listing="$towline_listing
$towline_ended
."
  fi
  printf '%s\\n' "$towline_listing" | awk -v mark=".$1" '
    {{ start = length($2) - length(mark) + 1; sub("_.*", "", $1) }}
    start > 0 && substr($2, start) == mark && !seen[$1]++ {{ print $1 }}'
}}
"""

_REFUSALS = RefusalTable(
    "sbatch",
    (
        (
            r"Invalid account",
            "check the resources account and partition; "
            "`sacctmgr show associations user=$USER` lists what you may charge",
            False,
        ),
        (r"Invalid qos", "check the resource qos; `sacctmgr show qos` lists them", False),
        (r"invalid partition", "check the resource partition (queue_name); `sinfo -s` lists them", False),
        (r"Invalid feature", "check the resource constraint; `sinfo -o '%P %f'` lists features", False),
        (
            r"Memory specification|node configuration is not available",
            "no node has that much: ask for less memory, fewer GPUs or tasks per node, or for another GPU type or "
            "partition; `sinfo -o '%P %c %m %G'` lists what nodes have",
            False,
        ),
        (
            r"time limit is invalid",
            "ask for less time (time_limit), or for another partition or qos; `sinfo -o '%P %l'` lists limits",
            False,
        ),
        (r"Invalid --time specification", "write the time as [days-]hours:minutes:seconds", False),
        (r"Node count specification", "ask for fewer nodes, or for another partition; `sinfo -s` counts them", False),
        (r"dependency problem", "check the resource dependency: Slurm knows no such job, or it cannot read it", False),
        (r"Invalid job array", "check the resource array; `scontrol show config` has the limit MaxArraySize", False),
        (r"reservation", "check the resource reservation; `scontrol show reservation` lists them", False),
        (r"license", "check the resource licenses; `scontrol show licenses` lists them", False),
        (
            r"QOSMaxSubmitJob|AssocMaxSubmitJob|MaxSubmitJobs|job submit limit|policy.*limit|Job violates",
            "you have as many jobs in the queue as you may, or ask for more than the policy allows; "
            "lower max_jobs of the worker, or ask for less",
            True,
        ),
        (
            r"Unable to contact|timed out|temporarily unavailable|try again|Zero Bytes|Slurm controller",
            "the controller of Slurm does not answer; towline tries again",
            True,
        ),
        (r"expired|not permitted to use|permission denied|User.*not", "ask the site about your account", False),
        (r"unrecognized option|Invalid --|invalid option", "check the resources and qverbatim of the job", False),
        (r"DOS line breaks|does not look like a batch script", "check qverbatim and pre_run", False),
        (r"Unable to open file", "the run folder has no script: check work_dir of the worker", True),
    ),
)


class Slurm(BatchScheduler):
    """Slurm."""

    name = "slurm"
    # Slurm expands patterns in whole paths of output files, the folder of submission included.
    unusable_in_paths = "\\%"
    own_id = '"${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}"'
    array_id = '"$SLURM_ARRAY_JOB_ID"'
    submitting_dialect = _SUBMITTING
    refusals = _REFUSALS

    def directives(self, resources: Mapping[str, Any], *, job_name: str) -> list[str]:
        """Lines for the top of a script."""
        portable, own = split_resources(resources)
        rerunnable = {} if portable.rerunnable is None else {"requeue": portable.rerunnable}
        charged = {} if portable.project is None else {"account": portable.project}
        asked = portable.memory_gigabytes
        memory = {} if asked is None else {"mem": f"{whole_megabytes(asked)}M"}
        words = {
            "requeue": False,
            **({"kill_on_invalid_dep": True} if own.keys() & {"dependency", "depend"} else {}),
            **rerunnable,
            **charged,
            **memory,
            **scheduler_words("slurm", replace(portable, rerunnable=None, project=None, memory_gigabytes=None)),
            **own,
            "job_name": job_name,
        }
        return VOCABULARY.directives(words)

    def status_command(self, jobs: Sequence[QueuedJob]) -> str:
        """One query for all jobs of a worker."""
        return slurm_answers.STATUS_COMMAND

    def read_status(self, output: str, jobs: Sequence[QueuedJob]) -> StatusAnswer:
        """What the scheduler says of jobs that wait or run."""
        return slurm_answers.read_status(output, jobs)

    def accounting_command(self, jobs: Sequence[QueuedJob]) -> str:
        """One query for all jobs that left the queue."""
        return slurm_answers.accounting_command(jobs)

    def read_accounting(self, output: str, jobs: Sequence[QueuedJob]) -> StatusAnswer:
        """How jobs ended that left the queue."""
        return slurm_answers.read_accounting(output, jobs)

    def cancel_command(self, queue_ids: Sequence[str]) -> str:
        """End many jobs; those that have ended already do no harm."""
        return f"{PRELUDE}towline_ask scancel scancel {' '.join(map(checked_id, queue_ids))}\n"

    def read_cancellation(self, output: str) -> str | None:
        """Why cancelling did not work, so that it has to be repeated; None when it did."""
        frame = read_frames(output).get("scancel")
        if frame is None:
            return "scancel gave no answer, or it was cut off"
        # Ids that it does not know any more have ended.
        if frame.exit_code == 0 or re.search(r"Invalid job id|already complet", frame.error):
            return None
        return f"scancel ended with exit code {frame.exit_code}: {frame.text}"

    def check_command(self) -> str:
        """Ask for version, queues and accounts."""
        return (
            f"{PRELUDE}towline_ask version sbatch --version\n"
            "towline_ask sinfo sinfo -h -o '%P|%a|%l'\n"
            "towline_ask sacct sacct -n -X -P -S now -o JobID\n"
            'towline_ask accounts sacctmgr -n -P show associations user="$(id -un)" format=account\n'
        )

    def read_check(self, output: str) -> SchedulerFacts:
        """Version, queues and accounts."""
        frames = read_frames(output)
        version, sinfo = frames.get("version"), frames.get("sinfo")
        problems = []
        if version is None or version.exit_code:
            said = "no answer" if version is None else version.text
            problems.append(f"sbatch does not work on this host ({said}): check host and login_shell of the worker")
        elif sinfo is None or sinfo.exit_code:
            said = "no answer" if sinfo is None else sinfo.text
            problems.append(f"the controller of Slurm does not answer ({said}): jobs wait until it does")
        sacct, accounts = frames.get("sacct"), frames.get("accounts")
        has_accounting = sacct is not None and sacct.exit_code == 0
        if not problems and not has_accounting:
            said = "no answer" if sacct is None else sacct.text
            problems.append(
                f"sacct does not work ({said}): how a job ended is then known only from the job's own exit record"
            )
        good = accounts is not None and accounts.exit_code == 0
        return SchedulerFacts(
            version=None if version is None or version.exit_code else version.output.strip(),
            queues=_queues(sinfo.output) if sinfo is not None and sinfo.exit_code == 0 else (),
            accounts=tuple(sorted(set(accounts.output.split()))) if accounts is not None and good else (),
            has_accounting=has_accounting,
            problems=tuple(problems),
        )


def _queues(output: str) -> tuple[QueueFacts, ...]:
    rows = [line.split("|") for line in output.splitlines() if line.count("|") == 2]
    return tuple(QueueFacts(name.rstrip("*"), state == "up", limit) for name, state, limit in rows)


def checked_id(queue_id: str) -> str:
    """An id that may stand in a command line.

    Raises
    ------
    ValueError
        It is none of Slurm's.
    """
    if not re.fullmatch(r"\d+(_\d+)?", queue_id):
        raise ValueError(f"{queue_id!r} is no id of a job in Slurm")
    return queue_id
