"""What runs a job on a host without a scheduler: a shell of its own, the *keeper*, that records how the job ended.

Its arguments are the run folder, the token of the attempt, and the seconds between SIGTERM and SIGKILL; the time limit
and the files of standard output and error stand in :data:`KEEPER_FILE`. SIGTERM tells it to end the job. Everything
that the job starts has the token in its environment, by which also those are found that left its session.
"""

from towline.core.run_folder import EXIT_FILE, SCRIPT_FILE, STARTED_FILE
from towline.workers.remote.job_scripts import CLOCK, STOP_FILE, TAIL_BYTES, TAIL_FILES, filled

#: In the run folder: time limit in seconds or nothing, file of standard output, file of standard error.
KEEPER_FILE = "towline_keeper"
#: Name of the variable with the token.
TOKEN_VARIABLE = "TOWLINE_ATTEMPT"

#: `towline_mark PID`: something that another process with the same id does not have. `towline_detached PROGRAM...`
#: becomes the program, in a session of its own.
PROCESSES = r"""towline_mark() {
  towline_marked=
  if [ -d /proc/self ]; then
    { IFS= read -r towline_stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    set -f; set -- ${towline_stat##*) }; set +f; [ "$1" != Z ] && towline_marked=${20}
  else towline_marked=$(ps -o lstart= -p "$1" 2>/dev/null | tr -d ' :\n'); fi
  [ -n "$towline_marked" ]
}
towline_detached() {
  if command -v setsid >/dev/null; then exec setsid "$@"; fi
  exec perl -e 'use POSIX; POSIX::setsid(); exec @ARGV' "$@"
}
"""

_KEEPER = r"""cd -- "$1" || exit 1
towline_token=$2 towline_grace=$3 towline_job=
{ read -r towline_limit; IFS= read -r towline_out; IFS= read -r towline_err; } <@KEEPER@ || exit 1
towline_stop() { [ -e @STOP@ ] || printf '%s\n%s\n' "$1" "$2" >@STOP@; }
towline_others() { # the processes that carry the token
  if [ -d /proc/self ]; then grep -lzsxF "@TOKEN@=$towline_token" /proc/[0-9]*/environ | tr -cd '0-9\n'
  else ps -Ewwax -o pid=,command= | awk -v token=" @TOKEN@=$towline_token " 'index($0 " ", token) {print $1}'; fi
}
towline_end() { # signal
  kill -"$1" -- "-$towline_job" 2>/dev/null; kill -CONT -- "-$towline_job" 2>/dev/null
  for towline_pid in $(towline_others); do kill -"$1" "$towline_pid" 2>/dev/null; done
}
towline_ending() {
  trap '' TERM; towline_stop cancelled "it was cancelled while it ran"
  if [ -n "$towline_job" ]; then
    towline_end TERM; ( sleep "$towline_grace"; towline_end KILL ) & towline_killer=$!
  fi
}
trap towline_ending TERM; trap '' HUP INT
towline_mark $$; towline_clock; towline_began=$towline_now
(set -C; printf '{"pid":%s,"process_started_at":"%s","at":%s,"host":"%s"}' \
  $$ "$towline_marked" "$towline_began" "$HOSTNAME" >@STARTED@) 2>/dev/null || exit 0
printf '%s %s\n' "$$.$towline_marked@$HOSTNAME" "${towline_now%.*}" >towline_queue_id.$$
mv -f towline_queue_id.$$ towline_queue_id
( trap - TERM HUP INT; export @TOKEN@="$towline_token" TOWLINE_RUN_DIR="$1"
  towline_detached /bin/bash ./@SCRIPT@ >>"$towline_out" 2>>"$towline_err" </dev/null ) &
towline_job=$!
[ ! -e @STOP@ ] || towline_ending
if [ -n "$towline_limit" ]; then
  ( trap 'kill $towline_sleep; exit' TERM; sleep "$towline_limit" & towline_sleep=$!; wait $towline_sleep
    towline_stop timeout "it was ended at its time limit of $towline_limit seconds"; kill -TERM $$ ) &
  towline_timer=$!
fi
while kill -0 $towline_job 2>/dev/null; do wait $towline_job; done
wait $towline_job; towline_code=$?
[ -z "$towline_timer" ] || kill $towline_timer 2>/dev/null
towline_reason=exited towline_message=null
if [ -s @STOP@ ]; then
  { read -r towline_reason; read -r towline_message; } <@STOP@; towline_message="\"$towline_message\""
  towline_tries=0
  while kill -0 -- "-$towline_job" 2>/dev/null || [ -n "$(towline_others)" ]; do
    towline_end KILL; towline_tries=$((towline_tries + 1)); [ $towline_tries -lt 100 ] || break; sleep 0.05
  done
  [ -z "$towline_killer" ] || kill -KILL $towline_killer 2>/dev/null
fi
{ : >@TAIL_OUT@; [ ! -s "$towline_out" ] || tail -c @BYTES@ "$towline_out" >@TAIL_OUT@
: >@TAIL_ERR@; [ ! -s "$towline_err" ] || tail -c @BYTES@ "$towline_err" >@TAIL_ERR@; } 2>/dev/null
towline_clock
printf '{"exit_code":%s,"signal":null,"reason":"%s","started_at":%s,"ended_at":%s,"host":"%s","message":%s}' \
  $towline_code "$towline_reason" "$towline_began" "$towline_now" "$HOSTNAME" "$towline_message" >.@EXIT@.$$
mv -f .@EXIT@.$$ @EXIT@
"""

#: The whole text of the keeper; needs bash.
KEEPER = f"{CLOCK}\n{PROCESSES}" + filled(
    _KEEPER,
    STARTED=STARTED_FILE,
    EXIT=EXIT_FILE,
    SCRIPT=SCRIPT_FILE,
    KEEPER=KEEPER_FILE,
    STOP=STOP_FILE,
    TOKEN=TOKEN_VARIABLE,
    BYTES=str(TAIL_BYTES),
    TAIL_OUT=TAIL_FILES[0],
    TAIL_ERR=TAIL_FILES[1],
)
