"""Lines that surround a job on the other side: they tell that it started, what it left, and how it ended.

They are shell lines and nothing else, so that a command needs no Python there. The script of a job runs them:

1. ``towline_started.json`` is created exclusively; where somebody has written ``"pid": null`` into it, the attempt was
   cancelled before it started, and the script ends.
2. The job runs.
3. ``towline_outputs`` lists the declared outputs with sizes and checksums, ``towline_tail.out`` and
   ``towline_tail.err`` have the ends of what was printed, and ``towline_exit.json`` appears last, by rename.
"""

import re
import shlex
from collections.abc import Sequence

from towline.core.run_folder import EXIT_FILE, STARTED_FILE
from towline.errors import InvalidRequest

#: Per line: number of the pattern, size in bytes, SHA-256, name in base64.
OUTPUTS_FILE = "towline_outputs"
#: The last bytes of standard output and standard error.
TAIL_FILES = ("towline_tail.out", "towline_tail.err")
TAIL_BYTES = 4096
#: Why a job is being ended: its first line is the reason, its second one a sentence.
STOP_FILE = "towline_stop"

#: Needs bash. Sets `towline_now` to the seconds since the epoch.
CLOCK = """towline_clock() {
  towline_now=${EPOCHREALTIME:-$(date +%s)}; towline_now=${towline_now/,/.}
}"""

_TASKS = re.compile(r"(\d+)(?:-(\d+)(?::(\d+))?)?")

_STARTED = """towline_clock; towline_began=$towline_now
towline_text="{\\"pid\\":$$,\\"process_started_at\\":null,\\"at\\":$towline_began,\\"host\\":\\"$HOSTNAME\\"}"
set -C; { printf '%s' "$towline_text" >@STARTED@; } 2>/dev/null; towline_code=$?; set +C
if [ $towline_code != 0 ]; then
  read -r towline_other <@STARTED@
  case $towline_other in *'"pid":null'*) trap - EXIT HUP INT TERM; exit 0;; esac
  # The scheduler starts it again: what its last run said of its end is not true any more.
  rm -f @EXIT@ @OUTPUTS@ @TAIL_OUT@ @TAIL_ERR@
  printf '%s' "$towline_text" >@STARTED@.$$ && mv -f @STARTED@.$$ @STARTED@
fi"""

_EXIT = """cd -- @FOLDER@ && towline_clock
printf '{"exit_code":%s,"signal":null,"reason":"exited","started_at":%s,"ended_at":%s,"host":"%s"}' \\
  "$towline_exit_code" "${towline_began:-null}" "$towline_now" "$HOSTNAME" >.@EXIT@.$$ && mv -f .@EXIT@.$$ @EXIT@"""

#: No program is started for an empty file: of hundreds of short jobs at a time, each one counts.
_TAILS = """cd -- @FOLDER@ && {
: >@TAIL_OUT@; [ ! -s @OUT@ ] || tail -c @BYTES@ @OUT@ >@TAIL_OUT@
: >@TAIL_ERR@; [ ! -s @ERR@ ] || tail -c @BYTES@ @ERR@ >@TAIL_ERR@
} 2>/dev/null"""

#: The task of an array that ends last speaks for all: with the largest exit code, and from the first start on.
_TASK_ENDED = """towline_task_code=$towline_exit_code; set --; cd -- @FOLDER@ && {
towline_task=${SLURM_ARRAY_TASK_ID:-${PBS_ARRAY_INDEX:-$SGE_TASK_ID}}
echo "$towline_exit_code $towline_began" >".towline_task.$towline_task" && mv -f ".towline_task.$towline_task" \
  "towline_task.$towline_task"
set -- towline_task.*
}
if [ $# -ge @TASKS@ ]; then
towline_exit_code=$(cat "$@" | cut -d' ' -f1 | sort -n | tail -n 1)
towline_began=$(cat "$@" | cut -d' ' -f2 | sort -n | head -n 1)"""

_OUTPUTS = """cd -- @FOLDER@ && case " @CODES@ " in *" $towline_exit_code "*)
( towline_number=0; IFS=; shopt -s globstar 2>/dev/null
for towline_pattern in @PATTERNS@; do
  if [ -f "$towline_pattern" ]; then set -- "$towline_pattern"; else set -- $towline_pattern; fi
  for towline_file in "$@"; do
    if [ -f "$towline_file" ]; then
      if command -v sha256sum >/dev/null; then towline_sum=$(sha256sum <"$towline_file")
      else towline_sum=$(shasum -a 256 <"$towline_file"); fi
      towline_name=$(printf %s "$towline_file" | base64 | tr -d '\\n')
      echo "$towline_number $(wc -c <"$towline_file") ${towline_sum%% *} $towline_name"
    fi
  done
  towline_number=$((towline_number + 1))
done ) >.@OUTPUTS@.$$ 2>/dev/null; mv -f .@OUTPUTS@.$$ @OUTPUTS@;;
esac"""


def filled(template: str, **words: str) -> str:
    """A template with its marks ``@NAME@`` replaced in one pass, so that what is put in is not looked at again."""
    return re.sub("@([A-Z_]+)@", lambda match: words[match[1]], template)


def array_tasks(text: str) -> int:
    """Number of tasks of an array, from ``1-9``, ``0-90:10``, ``1,3,5-7``; a cap behind ``%`` changes nothing.

    Raises
    ------
    InvalidRequest
        It says no such thing.
    """
    tasks = 0
    for part in text.partition("%")[0].split(","):
        match = _TASKS.fullmatch(part.strip())
        first, last, step = (int(match[1]), int(match[2] or match[1]), int(match[3] or 1)) if match else (1, 0, 1)
        if last < first or step < 1:
            raise InvalidRequest(
                f"the resource array is {text!r}; write it as 1-9, 0-90:10 or 1,3,5-7, with %2 for two at a time"
            )
        tasks += (last - first) // step + 1
    return tasks


def started_lines() -> tuple[str, ...]:
    """Lines before everything else of a job that a batch scheduler runs."""
    files = {"EXIT": EXIT_FILE, "OUTPUTS": OUTPUTS_FILE, "TAIL_OUT": TAIL_FILES[0], "TAIL_ERR": TAIL_FILES[1]}
    return (CLOCK, filled(_STARTED, STARTED=STARTED_FILE, **files))


def exit_lines(run_dir: str) -> tuple[str, ...]:
    """Lines after everything else of a job that a batch scheduler runs."""
    return (filled(_EXIT, EXIT=EXIT_FILE, FOLDER=shlex.quote(run_dir)),)


def array_lines(run_dir: str, tasks: int, last: Sequence[str]) -> tuple[str, ...]:
    """Lines after everything else of a job that is an array: `last` once, when all its tasks have ended."""
    ended = filled(_TASK_ENDED, FOLDER=shlex.quote(run_dir), TASKS=str(tasks))
    return (ended, *last, "fi", "towline_exit_code=$towline_task_code")


def tail_lines(run_dir: str, output: str, error: str) -> tuple[str, ...]:
    """Lines that keep the ends of what a job printed."""
    words = {"OUT": shlex.quote(output), "ERR": shlex.quote(error), "FOLDER": shlex.quote(run_dir)}
    return (filled(_TAILS, BYTES=str(TAIL_BYTES), TAIL_OUT=TAIL_FILES[0], TAIL_ERR=TAIL_FILES[1], **words),)


def output_lines(run_dir: str, patterns: Sequence[str], success_exit_codes: Sequence[int]) -> tuple[str, ...]:
    """Lines that list the declared outputs of a command that succeeded."""
    if not patterns:
        return ()
    codes = " ".join(map(str, success_exit_codes))
    return (
        filled(_OUTPUTS, CODES=codes, OUTPUTS=OUTPUTS_FILE, PATTERNS=shlex.join(patterns), FOLDER=shlex.quote(run_dir)),
    )
