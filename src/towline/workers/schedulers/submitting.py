"""The shell text that submits each of many scripts exactly once, however often and from however many places it is run.

In the run folder of each:

``towline_queue_id``
    The scheduler's id. Where it stands, nothing is submitted any more.
``towline_submit.1``, ``.2``, …
    Created exclusively before each try, so that only one of several shells makes it. A try without an id (its shell was
    killed, the scheduler did not answer) may have been accepted: the job is looked for by its mark, and only when the
    scheduler answers and has no such job, and the try is so old that its program is gone, the next try is made. The
    age is the difference of two times of the same file system, because clocks of login nodes differ.

A job that starts writes its own id into ``towline_queue_id`` (see :mod:`towline.workers.schedulers.batch`), so that
also a submission that nobody saw is recorded.
"""

import re
import shlex
from collections.abc import Callable, Sequence

from towline.workers.schedulers.frames import PRELUDE, decode
from towline.workers.schedulers.scheduler import (
    QUEUE_ID_FILE,
    SUBMIT_TIMEOUT_SECONDS,
    Outcome,
    Refusal,
    Submission,
    Submitted,
)

#: Needs `towline_program SCRIPT` (submits and prints an id on its last line), `towline_is_id WORD`,
#: `towline_is_unclear TEXT` and `towline_find MARK` (prints ids; fails when it cannot tell) of the dialect.
_BODY = r"""
# A line of less than 4096 bytes comes whole, whatever the other lanes say meanwhile.
towline_say() { # outcome id time code text
  towline_word=-; if [ -n "$5" ]; then towline_word=$(towline_encode "$(printf '%.2000s' "$5")"); fi
  printf '\n@towline@ submit %s %s %s %s %s %s\n' "$towline_number" "$1" "${2:--}" "${3:--}" "${4:--}" "$towline_word"
}
towline_record() { # outcome id
  towline_now=${EPOCHSECONDS:-$(date +%s)}
  # In one piece, so that nobody reads half of it; empty, it counts for nothing.
  printf '%s %s\n' "$2" "$towline_now" >RECORD
  towline_say "$1" "$2" "$towline_now" "" ""
}
towline_claim() { set -C; { true >"towline_submit.$1"; } 2>/dev/null; towline_code=$?; set +C; return $towline_code; }
towline_age() {
  true >"towline_clock.$$" || return 1
  towline_now=$(stat -c %Y "towline_clock.$$"); rm -f "towline_clock.$$"
  towline_then=$(stat -c %Y "towline_submit.$1") || return 1
  echo $((towline_now - towline_then))
}
towline_try() { # try script
  # One that cannot be reached takes seconds to say so: it is asked once, and not for every job.
  if [ -n "$towline_down" ]; then
    rm -f "towline_submit.$1"; towline_say refused "" "" 1 "$towline_down"; return
  fi
  towline_output=$(towline_program "$2" 2>"$towline_errors" 3>&-); towline_code=$?
  towline_id=${towline_output##*"$towline_newline"}; towline_id=${towline_id%%;*}
  if [ $towline_code = 0 ] && towline_is_id "$towline_id"; then
    towline_record submitted "$towline_id"; return
  fi
  towline_text="$(cat "$towline_errors") $towline_output"
  case $towline_code in 0|124|129|130|137|143) towline_say undecided "" "" $towline_code "$towline_text"; return;; esac
  # A program that cannot be run has submitted nothing, whatever is said about it.
  if [ $towline_code != 126 ] && [ $towline_code != 127 ] && towline_is_unclear "$towline_text"; then
    towline_say undecided "" "" $towline_code "$towline_text"; return
  fi
  rm -f "towline_submit.$1"
  case $towline_text in
    *"nable to contact"*|*"onnect failure"*|*"annot connect"*|*"onnection refused"*) towline_down=$towline_text;;
  esac
  towline_say refused "" "" $towline_code "$towline_text"
}
towline_again() { # mark script
  towline_last=1
  while [ -e "towline_submit.$((towline_last + 1))" ]; do towline_last=$((towline_last + 1)); done
  towline_ids=$(towline_find "$1" 2>"$towline_errors" 3>&-); towline_code=$?
  towline_text=$(cat "$towline_errors")
  if [ -s RECORD ]; then towline_recorded; return; fi
  if [ $towline_code != 0 ]; then towline_say undecided "" "" $towline_code "$towline_text"; return; fi
  for towline_id in $towline_ids; do towline_record found "$towline_id"; return; done
  towline_seconds=$(towline_age $towline_last) || towline_seconds=0
  if [ "$towline_seconds" -lt SETTLE ]; then
    towline_say undecided "" "" "" "an earlier submission is only $towline_seconds s old"; return
  fi
  if towline_claim $((towline_last + 1)); then towline_try $((towline_last + 1)) "$2"
  else towline_say undecided "" "" "" "another process submits it just now"; fi
}
towline_recorded() { read -r towline_id towline_now <RECORD; towline_say recorded "$towline_id" "$towline_now" "" ""; }
towline_submit() { # number folder mark script
  towline_number=$1
  if ! cd -- "$2" 2>/dev/null; then towline_say refused "" "" 1 "the run folder $2 cannot be entered"; return; fi
  # One file for all of a lane, in the first folder that is there: hundreds of jobs are submitted at a time.
  { true >"$towline_errors"; } 2>/dev/null || towline_errors=$2/towline_error.$$.$towline_lane
  if [ -s RECORD ]; then towline_recorded
  elif towline_claim 1; then towline_try 1 "$4"
  elif ! [ -e towline_submit.1 ]; then towline_say refused "" "" 1 "no file can be made in the run folder $2"
  else towline_again "$3" "$4"; fi
}
"""

#: Submissions of many jobs are under way beside each other, because a scheduler takes tens of milliseconds for each one
#: and hardly works meanwhile; few are made in their order.
_LANES, _JOBS_IN_A_LANE = 4, 8

_LINE = re.compile(r"^@towline@ submit (\d+) (\S+) (\S+) (\S+) (\S+) (\S+)\n", re.MULTILINE)

#: What a refusal says that comes from the folder and not from the scheduler.
_FOLDER_REFUSALS = ("the run folder ", "no file can be made in the run folder ")


def submitting_script(dialect: str, submissions: Sequence[Submission], settle_seconds: float) -> str:
    """The whole shell text.

    Parameters
    ----------
    dialect
        Shell functions of the scheduler.
    """
    body = _BODY.replace("RECORD", QUEUE_ID_FILE).replace("SETTLE", str(int(settle_seconds)))
    calls = [
        f"towline_submit {number} {shlex.quote(one.run_dir)} {shlex.quote(one.mark)} {shlex.quote(one.script)}\n"
        for number, one in enumerate(submissions)
    ]
    count = max(1, min(_LANES, len(calls) // _JOBS_IN_A_LANE))
    lanes = [f'towline_lane={lane}\n{"".join(calls[lane::count])}rm -f "$towline_errors"\n' for lane in range(count)]
    work = lanes[0] if count == 1 else "".join(f"{{ {lane}}} &\n" for lane in lanes) + "wait\n"
    return f"{PRELUDE}towline_newline='\n' towline_errors= towline_down=\n{dialect}{body}{work}"


def limited(program: str) -> str:
    """The end of a shell that becomes a program, which is ended when it takes too long, where there is `timeout`."""
    patience = f"timeout -k 5 {SUBMIT_TIMEOUT_SECONDS}"
    return f"if command -v timeout >/dev/null; then exec {patience} {program}; else exec {program}; fi"


def read_submissions(
    output: str, submissions: Sequence[Submission], explain: Callable[[int, str], Refusal]
) -> list[Submitted]:
    """What came of each submission, in the same order."""
    lines = {int(match[1]): match.groups()[1:] for match in _LINE.finditer(output)}
    return [_read_one(one, lines.get(number), explain) for number, one in enumerate(submissions)]


def _read_one(
    submission: Submission, line: tuple[str, ...] | None, explain: Callable[[int, str], Refusal]
) -> Submitted:
    if line is None or (text := decode(line[4])) is None:
        return Submitted(submission, Outcome.UNDECIDED, message="there was no answer about this submission")
    outcome, queue_id, at, code, _ = line
    said = " ".join(text.split())
    if outcome == Outcome.REFUSED.value:
        return Submitted(submission, Outcome.REFUSED, refusal=_refusal(int(code), said, explain))
    if outcome == Outcome.UNDECIDED.value:
        return Submitted(submission, Outcome.UNDECIDED, message=said or f"it ended with exit code {code}")
    return Submitted(submission, Outcome(outcome), queue_id, float(at) if at.isdigit() else None)


def _refusal(exit_code: int, said: str, explain: Callable[[int, str], Refusal]) -> Refusal:
    if said.startswith(_FOLDER_REFUSALS):
        return Refusal(said, "check work_dir of the worker, its disk space and quota", True, exit_code)
    return explain(exit_code, said)
