"""Grid Engine: qsub, qstat, qacct, qdel. Tried with Son of Grid Engine 8.1.9."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from towline.core.resources import PortableResources, split_resources, whole_megabytes
from towline.errors import InvalidRequest
from towline.workers.schedulers import sge_answers
from towline.workers.schedulers.batch import BatchScheduler
from towline.workers.schedulers.frames import PRELUDE, read_frames
from towline.workers.schedulers.refusals import RefusalTable
from towline.workers.schedulers.scheduler import QueuedJob, QueueFacts, SchedulerFacts, StatusAnswer
from towline.workers.schedulers.shell import seconds
from towline.workers.schedulers.submitting import limited
from towline.workers.schedulers.words import Vocabulary

_ENVIRONMENT_AND_SLOTS = re.compile(r"[A-Za-z][\w.-]* \d+(-\d*)?")


def quote(text: str) -> str:
    """A value as qsub reads it in a directive: in one kind of quotes, but for a parallel environment and its slots."""
    if re.fullmatch(r"[A-Za-z0-9_@%+=:,./&*()\[\]^~-]+", text) or _ENVIRONMENT_AND_SLOTS.fullmatch(text):
        return text
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    raise ValueError("Grid Engine cannot read a value with double quotes or backslashes")


VOCABULARY = Vocabulary(
    scheduler="Grid Engine",
    prefix="#$",
    options={
        "queue": "-q {}",
        "job_name": "-N {}",
        "account": "-A {}",
        "project": "-P {}",
        "device": "-P {}",
        "select": "-l {}",
        "soft_select": "-soft -l {}",
        "walltime": "-l h_rt={}",
        "soft_walltime": "-l s_rt={}",
        "memory": "-l h_vmem={}",
        "model": "-pe {}",
        "place": "-binding {}",
        "group_list": "-W group_list={}",
        "mail_user": "-M {}",
        "mail_type": "-m {}",
        "qout_path": "-o {}",
        "qerr_path": "-e {}",
        "priority": "-p {}",
        "rerunnable": "-r {}",
        "array": "-t {}",
        "array_at_once": "-tc {}",
        "dependency": "-hold_jid {}",
        "reservation": "-ar {}",
        "begin": "-a {}",
        "shell": "-S {}",
        "job_share": "-js {}",
    },
    flags={
        "cwd": ("-cwd", None),
        "rerunnable": ("-r y", "-r n"),
        "hold": ("-h", None),
        "exclusive": ("-l exclusive=true", None),
        "reserve": ("-R y", "-R n"),
        "notify": ("-notify", None),
    },
    synonyms={
        "partition": "queue",
        "time": "walltime",
        "h_rt": "walltime",
        "h_vmem": "memory",
        "mem": "memory",
        "parallel_environment": "model",
        "pe": "model",
        "hold_jid": "dependency",
        "depend": "dependency",
        "output": "qout_path",
        "error": "qerr_path",
        "requeue": "rerunnable",
    },
    quote=quote,
)

#: What qacct says when it has nothing; its exit code is the same as when it does not work.
_NOTHING = '*"not found"*|*"no jobs running since startup"*'

_SUBMITTING = f"""towline_program() {{
  {limited('qsub -terse "$1"')}
}}
towline_is_id() {{ towline_id=${{1%%.*}}; case $towline_id in ''|*[!0-9]*) return 1;; esac; }}
towline_is_unclear() {{
  case $1 in
    *"imed out"*|*"imeout"*|*"got no connection"*|*"communication error"*|*"can't get response"*) return 0;;
  esac
  return 1
}}
towline_find() {{
  if [ -z "$towline_listing" ]; then
    towline_listing=$(qstat -xml -u "$(id -un)") || return 1
  fi
  printf '%s\\n' "$towline_listing" | awk -F '[<>]' -v mark=".$1" '
    $2 == "JB_job_number" {{ id = $3 }}
    $2 == "JB_name" {{
      start = length($3) - length(mark) + 1
      if (start > 0 && substr($3, start) == mark && !seen[id]++) print id
    }}'
  towline_ended=$(qacct -o "$(id -un)" -j "*.$1" 2>&1)
  if [ $? != 0 ]; then
    case $towline_ended in {_NOTHING}) return 0;; *) echo "$towline_ended" >&2; return 1;; esac
  fi
  printf '%s\\n' "$towline_ended" | awk '$1 == "jobnumber" && !seen[$2]++ {{ print $2 }}'
}}
"""

_REFUSALS = RefusalTable(
    "qsub",
    (
        (r"unknown queue|no such queue", "check the resource queue (queue_name); `qconf -sql` lists queues", False),
        (r"unknown resource", "check select: the site knows no such resource; `qconf -sc` lists them", False),
        (
            r"no suitable queues",
            "no queue has that much: ask for less time, memory or slots, or for another queue; `qstat -g c` lists them",
            False,
        ),
        (r"project", "check the resource project; `qconf -sprjl` lists projects", False),
        (r"parallel environment", "check the resource parallel_environment; `qconf -spl` lists them", False),
        (r"invalid option|is not a valid|[Uu]nknown option|syntax error", "check the resources and qverbatim", False),
        (
            r"maximum number|quota|exceeds|max_u_jobs|job limit",
            "you have as many jobs as you may; lower max_jobs",
            True,
        ),
        (
            r"unable to contact qmaster|unable to send message|got no connection|timed? ?out|can't get response",
            "the master of Grid Engine does not answer; towline tries again",
            True,
        ),
        (r"submit host|not a submit|denied: host", "this host may not submit: check host of the worker", False),
        (
            r"SGE_ROOT|SGE_CELL|cell directory",
            "set SGE_ROOT and SGE_CELL, or use a login shell (login_shell: true)",
            False,
        ),
        (r"Unable to read script|No such file", "the run folder has no script: check work_dir of the worker", True),
        (r"not allowed|access denied|no permission|denied:", "ask the site about your account", False),
    ),
)


class GridEngine(BatchScheduler):
    """Grid Engine."""

    name = "sge"
    # The list of files of a job has one line for each.
    unusable_in_paths = "\n"
    own_id = '"$JOB_ID$(case ${SGE_TASK_ID:-undefined} in undefined) ;; *) echo ".$SGE_TASK_ID" ;; esac)"'
    array_id = '"$JOB_ID"'
    submitting_dialect = _SUBMITTING
    refusals = _REFUSALS

    def directives(self, resources: Mapping[str, Any], *, job_name: str) -> list[str]:
        """Lines for the top of a script."""
        portable, own = split_resources(resources)
        words = {
            # The folder of submission, a shell that knows the script, and no second run by the scheduler itself.
            "cwd": True,
            "shell": "/bin/bash",
            "rerunnable": False,
            **_portable_words(portable, own),
            **own,
            "job_name": job_name,
        }
        return VOCABULARY.directives(words)

    def status_command(self, jobs: Sequence[QueuedJob]) -> str:
        """One query for all jobs of a worker."""
        return sge_answers.STATUS_COMMAND

    def read_status(self, output: str, jobs: Sequence[QueuedJob]) -> StatusAnswer:
        """What the scheduler says of jobs that wait or run."""
        return sge_answers.read_status(output, jobs)

    def accounting_command(self, jobs: Sequence[QueuedJob]) -> str:
        """One query for all jobs that left the queue."""
        return sge_answers.accounting_command([checked_id(job.queue_id) for job in jobs])

    def read_accounting(self, output: str, jobs: Sequence[QueuedJob]) -> StatusAnswer:
        """How jobs ended that left the queue."""
        return sge_answers.read_accounting(output, jobs)

    def cancel_command(self, queue_ids: Sequence[str]) -> str:
        """End many jobs; those that have ended already do no harm."""
        # Tasks are named by -t, which stands behind the id of their array.
        words = [checked_id(one) for one in queue_ids]
        whole = [one for one in words if "." not in one]
        lines = [f"towline_ask qdel qdel {' '.join(whole)}"] if whole else []
        for number, one in enumerate(one for one in words if "." in one):
            job, _, task = one.partition(".")
            lines.append(f"towline_ask qdel{number} qdel {job} -t {task}")
        return "\n".join([PRELUDE.rstrip("\n"), *lines, "printf '\\n@towline@ qdel done\\n'", ""])

    def read_cancellation(self, output: str) -> str | None:
        """Why cancelling did not work, so that it has to be repeated; None when it did."""
        if "\n@towline@ qdel done\n" not in output:
            return "qdel gave no answer, or it was cut off"
        for frame in read_frames(output).values():
            said = [line for line in f"{frame.output}\n{frame.error}".splitlines() if line.strip()]
            wrong = [line for line in said if not re.search(r"does not exist|has (deleted|registered)", line)]
            if frame.exit_code and (wrong or not said):
                return f"qdel ended with exit code {frame.exit_code}: {' '.join(wrong) or 'it said nothing'}"
        return None

    def check_command(self) -> str:
        """Ask for version, queues and accounts."""
        return (
            f"{PRELUDE}towline_ask version qstat -help\n"
            "towline_ask queues qstat -g c\n"
            "towline_ask environments qconf -spl\n"
            'towline_ask qacct qacct -o "$(id -un)" -d 1\n'
        )

    def read_check(self, output: str) -> SchedulerFacts:
        """Version, queues and accounts."""
        frames = read_frames(output)
        version, queues, qacct = frames.get("version"), frames.get("queues"), frames.get("qacct")
        # `-help` ends with an exit code that differs between releases.
        said = "" if version is None else version.output.strip().partition("\n")[0]
        problems = []
        if not re.search(r"\d+\.\d+", said):
            why = "no answer" if version is None else version.text[:200]
            problems.append(f"qstat does not work on this host ({why}): check host and login_shell of the worker")
        elif queues is None or queues.exit_code:
            why = "no answer" if queues is None else queues.text
            problems.append(f"the master of Grid Engine does not answer ({why}): jobs wait until it does")
        works = qacct is not None and (
            qacct.exit_code == 0 or "since startup" in qacct.text or "not found" in qacct.text
        )
        if not problems and not works:
            why = "no answer" if qacct is None else qacct.text
            problems.append(f"qacct does not work ({why}): how a job ended is known only from its own exit record")
        return SchedulerFacts(
            version=None if problems and not said else said or None,
            queues=_queues(queues.output) if queues is not None and queues.exit_code == 0 else (),
            has_accounting=works,
            problems=tuple(problems),
        )


def _portable_words(portable: PortableResources, own: Mapping[str, Any]) -> dict[str, Any]:
    if portable.qos is not None:
        raise InvalidRequest("Grid Engine has no qos; give a queue, or the resource project")
    if portable.gpus_per_job is not None:
        raise InvalidRequest(
            "Grid Engine has no word of its own for GPUs; give the resource of the site in select: 'gpu=1'"
        )
    words = {
        "queue": portable.queue_name,
        "project": portable.project,
        "rerunnable": portable.rerunnable,
        "mail_user": portable.email_address,
        "mail_type": "abe" if portable.email_address else None,
        "walltime": None if portable.time_limit is None else _clock(seconds(portable.time_limit)),
        "memory": _memory(portable),
        "array": f"1-{portable.njobs}" if portable.njobs and portable.njobs > 1 else None,
    }
    slots = _slots(portable)
    named = {"model", "pe", "parallel_environment"} & own.keys()
    if slots > 1 and not named:
        raise InvalidRequest(
            f"{slots} processors need the name of a parallel environment in Grid Engine: add "
            f"parallel_environment: 'NAME {slots}'; `qconf -spl` lists them"
        )
    return {word: value for word, value in words.items() if value is not None}


def _memory(portable: PortableResources) -> str | None:
    # h_vmem counts for each slot.
    if portable.memory_gigabytes is not None:
        slots_per_node = _slots(portable) // (portable.nodes or 1)
        return f"{-(-whole_megabytes(portable.memory_gigabytes) // max(1, slots_per_node))}M"
    return None if portable.memory_per_thread is None else f"{portable.memory_per_thread}M"


def _slots(portable: PortableResources) -> int:
    processes = portable.processes or (portable.nodes or 1) * (portable.processes_per_node or 1)
    return processes * (portable.threads_per_process or 1)


def _clock(duration_seconds: float) -> str:
    minutes, rest = divmod(round(duration_seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _queues(output: str) -> tuple[QueueFacts, ...]:
    rows = [line.split() for line in output.splitlines()[2:]]
    # CLUSTER QUEUE, CQLOAD, USED, RES, AVAIL, TOTAL, …
    return tuple(QueueFacts(row[0], row[5] != "0") for row in rows if len(row) > 5)


def checked_id(queue_id: str) -> str:
    """An id that may stand in a command line.

    Raises
    ------
    ValueError
        It is none of Grid Engine's.
    """
    if not re.fullmatch(r"\d+(\.\d+)?", queue_id):
        raise ValueError(f"{queue_id!r} is no id of a job in Grid Engine")
    return queue_id
