"""The shell text with which a runner works on the spool, and how its answers are read."""

import base64
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from towline.on_worker.batch.crew import LIFE_FILE
from towline.on_worker.batch.spool import CLAIMED, ENTRY_FILE, NEW, STOP, UNFIT, Entry

#: In the folder of an allocation: everything that its end brings was done.
CLOSED_FILE = "towline_closed"
#: In the run folder: it was, or may have been, put into the spool.
_TRIED_FILE = "towline_submit.1"

#: Entries are written beside the spool and appear together, by rename. One that a pilot has is not put there again;
#: where that cannot be seen in time, the job runs once all the same.
_PUT = """towline_put() { # folder
  { IFS= read -r towline_name && IFS= read -r towline_content; } <"$1/@ENTRY@" || return
  : >"$1/@TRIED@" || return
  for towline_there in @CLAIMED@/*/"$towline_name"; do [ -e "$towline_there" ] && return; done
  printf '%s' "$towline_content" >"$towline_tmp/$towline_name" || towline_failed=x
}
"""

_STATE = """if cd -- {spool} 2>/dev/null; then
set -- {new}/*; [ -e "$1" ] || set --
echo "@towline@ spool free $#"
for towline_file in {unfit}/*; do
  [ -e "$towline_file" ] || continue
  towline_text=$(base64 <"$towline_file" | tr -d '\\n')
  printf '@towline@ spool unfit %s %s\\n' "${{towline_file##*/}}" "$towline_text"
done
{listing}{lives}echo '@towline@ spool seen'
fi
"""

_LISTING = """for towline_file in {new}/* {claimed}/*/*; do
  [ -e "$towline_file" ] && printf '@towline@ spool has tow%s\\n' "${{towline_file##*.tow}}"
done
"""

_LIFE = """for towline_file in {folder}/{life}*.json; do
  if [ -e "$towline_file" ]; then
    IFS= read -r towline_text <"$towline_file"; printf '@towline@ spool life %s %s\\n' {uid} "$towline_text"
  fi
done
"""

_LINE = re.compile(r"^@towline@ spool (\w+) ?(\S*) ?(.*)$", re.MULTILINE)


def put_script(spool: str, run_dirs: Sequence[str]) -> str:
    """Put the entries of jobs into the spool."""
    functions = _PUT.replace("@ENTRY@", ENTRY_FILE).replace("@TRIED@", _TRIED_FILE).replace("@CLAIMED@", CLAIMED)
    calls = "".join(f"towline_put {shlex.quote(path)}\n" for path in run_dirs)
    folders = " ".join((NEW, CLAIMED, STOP, UNFIT))
    return (
        f"( umask 077; mkdir -p -- {shlex.quote(spool)} && cd -- {shlex.quote(spool)} && mkdir -p {folders} || exit\n"
        f"towline_tmp=put.$$.${{RANDOM:-0}} towline_failed=; mkdir $towline_tmp || exit\n{functions}{calls}"
        f'set -- "$towline_tmp"/*; if [ -e "$1" ]; then mv -f -- "$@" {NEW}/ || towline_failed=x; fi\n'
        "rm -rf $towline_tmp; [ -n \"$towline_failed\" ] || echo '@towline@ spool put' )\n"
    )


def was_put(said: str) -> bool:
    """Whether all entries are there."""
    return "@towline@ spool put" in said


def stop_script(spool: str, marks: Sequence[str]) -> str:
    """Tell the pilots to end jobs."""
    files = shlex.join(f"{STOP}/{mark}" for mark in marks)
    return f"( cd -- {shlex.quote(spool)} 2>/dev/null && touch -- {files} )\n" if marks else ""


def take_out_script(spool: str, marks: Sequence[str]) -> str:
    """Take jobs that are to end out of the spool."""
    patterns = " ".join(f"{NEW}/*.{shlex.quote(mark)} {UNFIT}/*.{shlex.quote(mark)}" for mark in marks)
    return f"( cd -- {shlex.quote(spool)} 2>/dev/null && rm -f -- {patterns} )\n" if marks else ""


def close_script(spool: str, allocations: str, uids: Sequence[str]) -> str:
    """Let go of what allocations had that have ended."""
    lines = [
        f"rm -rf -- {shlex.quote(spool)}/{CLAIMED}/{uid}.*; : >{shlex.quote(f'{allocations}/{uid}/{CLOSED_FILE}')}\n"
        for uid in uids
    ]
    return "".join(f"( {line.strip()} ) 2>/dev/null\n" for line in lines)


def known_script(allocations: str) -> str:
    """Tell the allocations that are not closed."""
    return (
        f"mkdir -p -- {shlex.quote(allocations)} && cd -- {shlex.quote(allocations)} && for towline_file in */; do\n"
        f'  if [ -e "$towline_file" ] && ! [ -e "${{towline_file}}{CLOSED_FILE}" ]; then\n'
        "    printf '@towline@ spool allocation %s\\n' \"${towline_file%/}\"; fi\n"
        "done && echo '@towline@ spool seen'\n"
    )


def state_script(spool: str, allocations: str, uids: Sequence[str], *, listing: bool) -> str:
    """Tell what is in the spool, and how the pilots of allocations fare."""
    lives = "".join(_LIFE.format(folder=shlex.quote(f"{allocations}/{uid}"), life=LIFE_FILE, uid=uid) for uid in uids)
    names = _LISTING.format(new=NEW, claimed=CLAIMED) if listing else ""
    text = _STATE.format(spool=shlex.quote(spool), new=NEW, unfit=UNFIT, listing=names, lives=lives)
    return f"( {text})\n"


@dataclass(slots=True)
class SpoolState:
    """What was seen of the spool."""

    #: Entries that no pilot has.
    free: int = 0
    #: Why entries can never run, by the mark of the job.
    unfit: dict[str, str] = field(default_factory=dict)
    #: Signs of life of the nodes, by allocation.
    lives: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    #: Marks of all entries, when they were asked for.
    marks: set[str] = field(default_factory=set)
    #: Uids of allocations that are not closed, when they were asked for.
    allocations: list[str] = field(default_factory=list)


def read_state(said: str) -> SpoolState | None:
    """What a script told; None when it was cut off, or there is no spool yet."""
    state, whole = SpoolState(), False
    for match in _LINE.finditer(said):
        kind, word, rest = match.groups()
        if kind == "free":
            state.free = int(word)
        elif kind == "unfit":
            entry = Entry.read(word)
            if entry is not None:
                state.unfit[entry.mark] = base64.b64decode(rest).decode(errors="replace")
        elif kind == "has":
            state.marks.add(word)
        elif kind == "life":
            _read_life(state, word, rest)
        elif kind == "allocation":
            state.allocations.append(word)
        elif kind == "seen":
            whole = True
    return state if whole else None


def _read_life(state: SpoolState, uid: str, text: str) -> None:
    try:
        state.lives.setdefault(uid, []).append(orjson.loads(text))
    except ValueError:
        return
