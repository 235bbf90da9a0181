"""The shell of a host as a scheduler: jobs start at once, each under a keeper that records its end.

It is a :class:`towline.workers.remote.queues.Queue`, as batch schedulers are. The id
of a job is ``<process id>.<mark of the process>@<host>``.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from towline.core.run_folder import EXIT_FILE, STARTED_FILE, output_files
from towline.workers.remote.shell_keeper import KEEPER, KEEPER_FILE, PROCESSES, TOKEN_VARIABLE
from towline.workers.schedulers import shell
from towline.workers.schedulers.frames import PRELUDE, decode
from towline.workers.schedulers.scheduler import (
    QUEUE_ID_FILE,
    BatchScript,
    JobStatus,
    Outcome,
    QueuedJob,
    QueueState,
    Refusal,
    SchedulerFacts,
    StatusAnswer,
    Submission,
    Submitted,
)

_SUBMIT = """towline_submit() { # number folder token grace
  towline_text=
  if ! cd -- "$2" 2>/dev/null || ! [ -e submit.sh ]; then
    towline_text="the run folder $2 cannot be entered, or has no script"
    printf '@towline@ submit %s refused - %s\\n' "$1" "$(towline_encode "$towline_text")"; return
  fi
  if ! [ -e @STARTED@ ] && ! [ -e @EXIT@ ]; then
    ( towline_detached /bin/bash -c "$towline_keeper" towline "$2" "$3" "$4" ) \\
      </dev/null >/dev/null 2>&1 3>&- &
    printf '@towline@ submit %s submitted - -\\n' "$1"; return
  fi
  towline_id=-; [ -s @QUEUE_ID@ ] && read -r towline_id towline_when <@QUEUE_ID@
  printf '@towline@ submit %s recorded %s -\\n' "$1" "${towline_id:--}"
}
"""

_STATUS = """towline_look() { # id pid mark host
  towline_said=unknown
  if [ "$4" = "$HOSTNAME" ]; then
    towline_said=gone; if towline_mark "$2" && [ "$towline_marked" = "$3" ]; then towline_said=running; fi
  fi
  printf '@towline@ shell %s %s\\n' "$1" "$towline_said"
}
"""

#: The job goes on when its keeper was killed; it is found by its token.
_ORPHANS = """towline_of_token() { # token
  if [ -d /proc/self ]; then grep -lzsxF "@TOKEN@=$1" /proc/[0-9]*/environ | tr -cd '0-9\\n'
  else ps -Ewwax -o pid=,command= | awk -v token=" @TOKEN@=$1 " 'index($0 " ", token) {print $1}'; fi
}
towline_look_closely() { # id pid mark host token
  if [ "$4" = "$HOSTNAME" ] && ! { towline_mark "$2" && [ "$towline_marked" = "$3" ]; } \\
    && [ -n "$(towline_of_token "$5")" ]; then printf '@towline@ shell %s running\\n' "$1"
  else towline_look "$1" "$2" "$3" "$4"; fi
}
towline_end_orphans() { # pid mark host token grace
  if [ "$3" != "$HOSTNAME" ] || { towline_mark "$1" && [ "$towline_marked" = "$2" ]; }; then return; fi
  towline_pids=$(towline_of_token "$4"); [ -n "$towline_pids" ] || return
  kill -TERM $towline_pids
  ( sleep "$5"; towline_pids=$(towline_of_token "$4"); [ -z "$towline_pids" ] || kill -KILL $towline_pids ) \\
    </dev/null >/dev/null 2>&1 3>&- &
}
"""

_CANCEL = """towline_cancel() { # pid mark host
  [ "$3" = "$HOSTNAME" ] || return
  if towline_mark "$1" && [ "$towline_marked" = "$2" ]; then kill -TERM "$1" 2>/dev/null; fi
}
"""

_SUBMITTED = re.compile(r"^@towline@ submit (\d+) (\w+) (\S+) (\S+)$", re.MULTILINE)
_LOOKED = re.compile(r"^@towline@ shell (\S+) (\w+)$", re.MULTILINE)
_ID = re.compile(r"(\d+)\.([A-Za-z0-9]+)@(\S+)\Z")


class ShellQueue:
    """Starts jobs by way of keepers.

    Parameters
    ----------
    grace_seconds
        Between SIGTERM and SIGKILL, when a job has to end.
    """

    name = "shell"
    spools_output = False
    #: Beside the script of a job.
    extra_file = KEEPER_FILE

    def __init__(self, grace_seconds: float = 10.0) -> None:
        self._grace_seconds = grace_seconds

    def script(self, batch: BatchScript) -> str:
        """The script of a job. Its exit code is that of the command."""
        resources = shell.read_resources(batch.resources)
        return shell.script(
            batch.run_dir,
            batch.command,
            batch.setup,
            variables=batch.variables,
            job_name=resources.job_name or batch.name,
            verbatim=resources.qverbatim,
            last=batch.last,
        )

    def keeper_file(self, resources: Mapping[str, Any]) -> bytes:
        """Content of the extra file in the run folder: time limit in seconds, and files of output and error."""
        limit = shell.read_resources(resources).time_limit
        return "\n".join(["" if limit is None else f"{limit:g}", *output_files(resources), ""]).encode()

    def submit_command(self, submissions: Sequence[Submission]) -> str:
        """Start each of them; one that was started before is left alone."""
        grace = f"{self._grace_seconds:g}"
        calls = [
            f"towline_submit {shlex.join([str(number), one.run_dir, one.mark, grace])}\n"
            for number, one in enumerate(submissions)
        ]
        body = (
            _SUBMIT.replace("@STARTED@", STARTED_FILE).replace("@EXIT@", EXIT_FILE).replace("@QUEUE_ID@", QUEUE_ID_FILE)
        )
        return f"{PRELUDE}{PROCESSES}towline_keeper={shlex.quote(KEEPER)}\n{body}{''.join(calls)}"

    def read_submissions(self, output: str, submissions: Sequence[Submission]) -> list[Submitted]:
        """What came of each submission, in the same order."""
        lines = {int(match[1]): match for match in _SUBMITTED.finditer(output)}
        return [_submitted(one, lines.get(number)) for number, one in enumerate(submissions)]

    def status_command(self, jobs: Sequence[QueuedJob]) -> str:
        """One look at all keepers."""
        calls = [
            f"towline_look {shlex.join([job.queue_id, *match.groups()])}\n"
            for job in jobs
            if (match := _ID.match(job.queue_id))
        ]
        return f"{PROCESSES}{_STATUS}{''.join(calls)}echo '@towline@ shell all seen'\n"

    def read_status(self, output: str, jobs: Sequence[QueuedJob]) -> StatusAnswer:
        """Which jobs run. A keeper that is not there any more is `missing`."""
        said = {match[1]: match[2] for match in _LOOKED.finditer(output)}
        if said.get("all") != "seen":
            unknown = {job.queue_id: JobStatus(job.queue_id, QueueState.UNKNOWN) for job in jobs}
            return StatusAnswer(unknown, problem="the look at the processes was cut off")
        statuses, missing = {}, []
        for job in jobs:
            what = said.get(job.queue_id)
            state = QueueState.RUNNING if what == "running" else QueueState.UNKNOWN
            statuses[job.queue_id] = JobStatus(job.queue_id, state, what)
            if what == "gone":
                missing.append(job.queue_id)
        return StatusAnswer(statuses, tuple(missing))

    def accounting_command(self, jobs: Sequence[QueuedJob]) -> str:
        """There is no accounting, but a job may live on when its keeper does not."""
        calls = [
            f"towline_look_closely {shlex.join([job.queue_id, *match.groups(), job.mark])}\n"
            for job in jobs
            if (match := _ID.match(job.queue_id))
        ]
        functions = f"{PROCESSES}{_STATUS}{_ORPHANS.replace('@TOKEN@', TOKEN_VARIABLE)}"
        return f"{functions}{''.join(calls)}echo '@towline@ shell all seen'\n"

    def read_accounting(self, output: str, jobs: Sequence[QueuedJob]) -> StatusAnswer:
        """Nothing that is final."""
        return self.read_status(output, jobs)

    def cancel_command(self, queue_ids: Sequence[str]) -> str:
        """Tell the keepers to end their jobs."""
        calls = [f"towline_cancel {shlex.join(match.groups())}\n" for item in queue_ids if (match := _ID.match(item))]
        return f"{PROCESSES}{_CANCEL}{''.join(calls)}echo '@towline@ shell all told'\n"

    def orphans_command(self, jobs: Sequence[QueuedJob]) -> str:
        """End jobs whose keepers are gone."""
        grace = f"{self._grace_seconds:g}"
        calls = [
            f"towline_end_orphans {shlex.join([*match.groups(), job.mark, grace])}\n"
            for job in jobs
            if (match := _ID.match(job.queue_id))
        ]
        return f"{PROCESSES}{_ORPHANS.replace('@TOKEN@', TOKEN_VARIABLE)}{''.join(calls)}"

    def read_cancellation(self, output: str) -> str | None:
        """Why cancelling did not work; None when it did."""
        return None if "@towline@ shell all told" in output else "the answer to the cancellation was cut off"

    def check_command(self) -> str:
        """Whether the programs are there that keepers need."""
        return (
            "for towline_program in /bin/bash tail mv sleep grep base64 tr; do\n"
            '  command -v $towline_program >/dev/null || echo "@towline@ missing $towline_program"\ndone\n'
            "command -v setsid >/dev/null || command -v perl >/dev/null || echo '@towline@ missing setsid'\n"
            'echo "@towline@ bash $BASH_VERSION"\n'
        )

    def read_check(self, output: str) -> SchedulerFacts:
        """What is missing."""
        missing = re.findall(r"^@towline@ missing (\S+)$", output, re.MULTILINE)
        version = re.search(r"^@towline@ bash (\S+)", output, re.MULTILINE)
        problems = [f"there is no program {name} on the host: install it, jobs cannot start" for name in missing]
        return SchedulerFacts(f"bash {version[1]}" if version else None, has_accounting=False, problems=tuple(problems))


def _submitted(one: Submission, line: "re.Match[str] | None") -> Submitted:
    if line is None:
        return Submitted(one, Outcome.UNDECIDED, message="there was no answer about this submission")
    if line[2] == "refused":
        refusal = Refusal(
            decode(line[4]) or "the run folder cannot be entered",
            "check work_dir of the worker, its disk space and quota",
            True,
            1,
        )
        return Submitted(one, Outcome.REFUSED, refusal=refusal)
    return Submitted(one, Outcome(line[2]), None if line[3] == "-" else line[3])
