"""Finding out about attempts that this pilot did not start, and following those that still run."""

import functools
import time
from collections.abc import Callable
from dataclasses import replace

from towline.core.records import ExitRecord
from towline.on_worker.attempt_files import Started, has_result
from towline.on_worker.attempts import Attempt, State
from towline.on_worker.command import result_of_ended
from towline.on_worker.endings import not_started, stop_message
from towline.on_worker.evidence import Evidence, Finding, judge_gone, look
from towline.on_worker.orphans import Orphans
from towline.on_worker.pool import Pool
from towline.on_worker.pool_leftovers import Leftover, Leftovers
from towline.on_worker.timers import Timers
from towline.on_worker.watch import Watch

#: How long the keeper may take to write down an end that it saw.
_KEEPER_SECONDS = 1.0
_LOOK_AGAIN_SECONDS = 0.02
#: Between two looks for news of an attempt that runs on another machine.
_LOOK_ELSEWHERE_SECONDS = 1.0
#: How long what it left waits for the pilot of that machine to make an exit record of it.
_OTHER_PILOT_SECONDS = 5.0


class Adoption:
    """Takes over attempts of earlier pilots.

    Parameters
    ----------
    finish
        Called with an attempt whose process is gone, and what is known of its end; it writes the record.
    started, ended
        Called with an attempt that turns out to run, or to have ended.
    waits_for_others
        Whether what was started on another machine may still run there.
    """

    def __init__(
        self,
        orphans: Orphans,
        leftovers: Leftovers,
        pool: Pool,
        watch: Watch,
        timers: Timers,
        finish: Callable[[Attempt, ExitRecord], None],
        started: Callable[[Attempt], None],
        ended: Callable[[Attempt], None],
        *,
        waits_for_others: bool = True,
    ) -> None:
        self._orphans = orphans
        self._leftovers = leftovers
        self._pool = pool
        self._remember_journals()
        self._watch = watch
        self._timers = timers
        self._finish = finish
        self._started, self._ended = started, ended
        self._waits_for_others = waits_for_others

    def adopt(self, attempt: Attempt) -> bool:
        """Take over an attempt; False when it was never started, and nothing is about to start it.

        What became of it is told now or later.
        """
        leftover = self._leftovers.find(attempt.key)
        if leftover is not None:
            self._adopt_pooled(attempt, leftover)
            return True
        if not attempt.run_dir:
            return False
        evidence = look(attempt.run_dir, self._orphans)
        if evidence.finding is Finding.NOT_STARTED:
            return False
        self._act(attempt, evidence)
        return True

    def _act(self, attempt: Attempt, evidence: Evidence) -> None:
        if evidence.started is not None:
            attempt.started_at = evidence.started.at
        if evidence.finding is Finding.ELSEWHERE and self._waits_for_others and evidence.started is not None:
            attempt.state, attempt.elsewhere = State.WATCHED, f"{evidence.started.pid}@{evidence.started.host}"
            self._started(attempt)
            self._look_elsewhere(attempt, evidence.started, None)
        elif evidence.finding is Finding.ENDED:
            attempt.exit, attempt.state = evidence.exit, State.ENDED
            if attempt.is_command and evidence.exit is not None:
                attempt.result = result_of_ended(attempt.run_dir, evidence.exit)
            self._ended(attempt)
        elif evidence.exit is not None:
            self._finish(attempt, self._with_reason(attempt, evidence.exit))
        elif evidence.pid is not None and evidence.started is not None:
            self._follow(attempt, evidence.pid, evidence.started)
        elif evidence.started is not None:
            self._await_keeper(attempt, evidence.started, time.monotonic() + _KEEPER_SECONDS)

    def _follow(self, attempt: Attempt, pid: int, started: Started) -> None:
        attempt.state, attempt.pid = State.WATCHED, pid
        self._started(attempt)
        known = Started(pid, started.mark, started.at)
        self._watch.add(
            pid, started.mark, lambda: self._await_keeper(attempt, known, time.monotonic() + _KEEPER_SECONDS)
        )

    def _look_elsewhere(self, attempt: Attempt, started: Started, left_since: float | None) -> None:
        """Wait for evidence on the disk that both machines see: that its processes are not here says nothing."""
        evidence = look(attempt.run_dir, self._orphans)
        if evidence.finding is Finding.ENDED:
            self._act(attempt, evidence)
            return
        now = time.monotonic()
        has_left = evidence.finding is Finding.PENDING or has_result(attempt.run_dir)
        left_since = (left_since or now) if has_left else None
        if left_since is not None and now - left_since > _OTHER_PILOT_SECONDS:
            self._finish(attempt, evidence.exit or judge_gone(attempt.run_dir, started))
            return
        again = functools.partial(self._look_elsewhere, attempt, started, left_since)
        self._timers.after(_LOOK_ELSEWHERE_SECONDS, again)

    def _await_keeper(self, attempt: Attempt, started: Started, deadline: float) -> None:
        """The process is gone; the keeper may be about to say how."""
        attempt.state = State.ENDING
        record = self._orphans.end_of(started)
        # The keeper cannot tell more about the end of a process than a result that it left.
        if record is None and time.monotonic() < deadline and not has_result(attempt.run_dir):
            self._timers.after(_LOOK_AGAIN_SECONDS, functools.partial(self._await_keeper, attempt, started, deadline))
            return
        self._finish(attempt, self._with_reason(attempt, record or judge_gone(attempt.run_dir, started)))

    def _with_reason(self, attempt: Attempt, record: ExitRecord) -> ExitRecord:
        if attempt.stop_reason is None:
            return record
        return replace(record, reason=attempt.stop_reason, message=stop_message(attempt))

    def _adopt_pooled(self, attempt: Attempt, leftover: Leftover) -> None:
        attempt.started_at = leftover.started_at
        if leftover.runs and leftover.pid is not None:
            attempt.state, attempt.pid = State.WATCHED, leftover.pid
            self._started(attempt)
            self._watch.add(leftover.pid, leftover.mark, lambda: self._pool_process_gone(attempt, leftover))
            return
        self._pool_process_gone(attempt, leftover)

    def _remember_journals(self) -> None:
        for journal, keys, written in self._leftovers.journals():
            self._pool.remember(journal, keys, written=written)

    def _pool_process_gone(self, attempt: Attempt, leftover: Leftover) -> None:
        self._leftovers.read_again(leftover.journal)
        self._remember_journals()
        found = self._leftovers.find(attempt.key)
        attempt.state = State.ENDED
        if found is not None and found.exit is not None:
            attempt.exit, attempt.result = found.exit, found.result
        else:
            started = Started(leftover.pid, leftover.mark, leftover.started_at or time.time())
            record = self._orphans.end_of(started) or not_started("vanished", "nobody saw the end of its process")
            attempt.exit = self._with_reason(attempt, record)
        self._ended(attempt)
