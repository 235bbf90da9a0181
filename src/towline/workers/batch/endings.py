"""Asking allocations to end, from beside the runner: with a file for their pilots, and through their scheduler."""

import re
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass

from towline.core.records import BatchRecord
from towline.core.run_folder import STARTED_FILE
from towline.on_worker.batch.wishes import WISH_FILE, Wish
from towline.workers.batch.allocations import Allocations, AllocationState
from towline.workers.batch.plan import BatchPlan
from towline.workers.remote.folders import Site
from towline.workers.remote.job_scripts import filled
from towline.workers.transports.transport import Transport

_LONGEST_PAUSE_SECONDS = 0.5

#: An allocation that has not begun and takes no jobs is of no use: where nobody has its started file, nobody gets it.
_ASK = """towline_ask() ( # folder wish who never
  cd -- "$1" 2>/dev/null || exit
  printf '%s\\n%s\\n' "$2" "$3" >".@WISH@.$$" && mv -f ".@WISH@.$$" @WISH@ || exit
  if [ -n "$4" ]; then
    (set -C; printf '{"pid":null,"process_started_at":null,"at":%s,"host":"%s"}' "$(date +%s)" "$(uname -n)" \\
      >@STARTED@) 2>/dev/null && printf '@towline@ ending never %s\\n' "${1##*/}"
  fi
  printf '@towline@ ending asked %s\\n' "${1##*/}"
)
"""
_SAID = re.compile(r"^@towline@ ending (\w+) (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of it."""

    #: Uids of the allocations that were told, of those that had not begun and never will, and of those that are over.
    told: frozenset[str]
    never_began: frozenset[str]
    over: frozenset[str]
    #: What is known of them now.
    records: tuple[BatchRecord, ...]


class AllocationEndings:
    """Ends allocations of a worker.

    Parameters
    ----------
    site, batch, transport
        As of the worker itself.
    """

    def __init__(self, site: Site, batch: BatchPlan, transport: Transport) -> None:
        self._batch = batch
        self._transport = transport
        self._allocations = Allocations(site, batch, transport, None)

    def ask(self, uids: Sequence[str], wish: Wish, who: str, *, wait_seconds: float) -> Asked:
        """Ask allocations to end, and wait for those that are cancelled.

        Raises
        ------
        WorkerError
            The worker cannot be reached, or did not answer.
        """
        answer = self._transport.run(_script(self._batch.allocations, uids, wish, who))
        said = _SAID.findall(answer.stdout.decode(errors="replace"))
        told = frozenset(uid for word, uid in said if word == "asked")
        never = frozenset(uid for word, uid in said if word == "never")
        to_cancel = sorted(told if wish is Wish.CANCEL else never)
        try:
            over = self._cancel(to_cancel, time.monotonic() + wait_seconds)
            records = tuple(self._allocations.news())
        finally:
            self._allocations.shut()
        return Asked(told, never, over, records)

    def _cancel(self, uids: Sequence[str], until: float) -> frozenset[str]:
        found = {uid: self._allocations.adopt(uid) for uid in uids}
        self._allocations.cancel(uids)
        while True:
            due = self._allocations.round() if found else None
            over = frozenset(uid for uid, item in found.items() if item.state is AllocationState.FINISHED)
            if len(over) == len(found) or time.monotonic() >= until:
                return over
            time.sleep(_LONGEST_PAUSE_SECONDS if due is None else min(due, _LONGEST_PAUSE_SECONDS))


def _script(allocations: str, uids: Sequence[str], wish: Wish, who: str) -> str:
    never = "never" if wish is Wish.DRAIN else ""
    calls = [f"towline_ask {shlex.join([f'{allocations}/{uid}', wish.value, who, never])}\n" for uid in uids]
    return filled(_ASK, WISH=WISH_FILE, STARTED=STARTED_FILE) + "".join(calls)
