"""Which attempts the pilot has, which of them start when, and what is told about them."""

import contextlib
import logging
import selectors
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from towline.core.records import ExitRecord, Failure, unpack_job
from towline.core.run_folder import ERROR_FILE, OUTPUT_FILE, SCRIPT_FILE
from towline.on_worker import command, endings, launch
from towline.on_worker.adoption import Adoption
from towline.on_worker.attempt_files import claim, read_job, read_started, write_exit
from towline.on_worker.attempts import Attempt, AttemptQueue, Mode, State
from towline.on_worker.gate import Gate
from towline.on_worker.isolation import JOB_VARIABLE, RUN_DIR_VARIABLE, Closeable
from towline.on_worker.orphans import Orphans
from towline.on_worker.pool import Pool
from towline.on_worker.pool_leftovers import Leftovers
from towline.on_worker.process_groups import in_group, members, signal_each, signal_group
from towline.on_worker.run_job import command_line
from towline.on_worker.timers import Timers
from towline.on_worker.watch import Watch
from towline.on_worker.zygote import Zygote, ZygoteGone

logger = logging.getLogger("towline.pilot")


class Dispatch:
    """All attempts of a pilot.

    Parameters
    ----------
    closeables
        Descriptors of the pilot that forked children have to close, the gate excepted.
    records_all
        Write an exit record for every attempt.
    """

    def __init__(
        self,
        state_dir: Path,
        selector: selectors.BaseSelector,
        timers: Timers,
        grace_seconds: float,
        *,
        gate: Gate,
        closeables: Callable[[], list[Closeable]],
        records_all: bool = False,
    ) -> None:
        #: How many attempts may run at the same time.
        self.slots = 0
        self._state_dir = state_dir
        self._selector = selector
        self._timers = timers
        self._grace_seconds = grace_seconds
        self._gate = gate
        self._pilot_closeables = closeables
        self._queue = AttemptQueue()
        #: Attempts that have not ended, and those whose end is not acknowledged.
        self._active: dict[str, Attempt] = {}
        self._ended: dict[str, Attempt] = {}
        self._children: dict[int, Attempt] = {}
        self._zygote: Zygote | None = None
        self._watched: set[str] = set()
        self._observations: list[dict[str, Any]] = []
        self._results: list[bytes] = []
        self._watch = Watch(selector, timers)
        self._endings = endings.Endings(timers, self._on_ended, self._closeables, records_all=records_all)
        self._pool = Pool(
            state_dir, selector, timers, self._on_started, self._on_ended, self._queue.push, self._closeables
        )
        self._leftovers = Leftovers(self._pool.folder)
        self._adoption = Adoption(
            Orphans(state_dir),
            self._leftovers,
            self._pool,
            self._watch,
            timers,
            self._finish_adopted,
            self._on_started,
            self._on_ended,
            # The pilots of allocations tell each other otherwise who runs what.
            waits_for_others=not records_all,
        )
        self._remember_ended()

    @property
    def busy(self) -> bool:
        """Whether an attempt waits or runs."""
        return bool(self._active)

    def submit(self, items: Sequence[Mapping[str, Any]], packages: Sequence[bytes]) -> None:
        """Take attempts that are to run; those that are known already are only told about."""
        rest = iter(packages)
        pairs = [(item, next(rest) if item.get("has_package") else None) for item in items]
        for item, package in sorted(pairs, key=lambda pair: _asks_last(pair[0])):
            known = self._active.get(item["key"]) or self._ended.get(item["key"])
            if known is not None:
                self._tell_state(known)
                continue
            attempt = Attempt.from_message(item, package)
            self._active[attempt.key] = attempt
            if not (item.get("again") and self._adopt(attempt)):
                self._queue.push(attempt)

    def adopt(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Find out about attempts that may have been handed over before; `returned` when they never started."""
        for item in sorted(items, key=_asks_last):
            known = self._active.get(item["key"]) or self._ended.get(item["key"])
            if known is not None:
                self._tell_state(known)
            elif not self._take_over(item):
                self._tell(item["key"], "returned")

    def cancel(self, items: Sequence[Mapping[str, Any]]) -> None:
        """End attempts: those that wait never start, those that run are stopped. `cancelled` when nothing is left."""
        for item in items:
            key, run_dir = item["key"], item["run_dir"]
            if key not in self._active and key not in self._ended and not self._take_over(item):
                _never(run_dir, endings.not_started("cancelled", "it was cancelled before it started"))
                self._tell(key, "cancelled")
                continue
            if key in self._ended:
                self._tell_state(self._ended[key])
                self._tell(key, "cancelled")
                continue
            attempt = self._active[key]
            attempt.cancel_asked = True
            self._cancel(attempt)

    def acknowledge(self, keys: Sequence[str]) -> None:
        """The ends of these attempts are stored: forget them."""
        for key in keys:
            self._ended.pop(key, None)
        self._pool.acknowledge(keys)
        self._leftovers.forget(set(keys))

    def start_waiting(self) -> None:
        """Start what waits, as far as there are slots: strictly in the order of the queue."""
        while (attempt := self._queue.first()) is not None:
            taken = len(self._children) + len(self._watched)
            if attempt.pooled:
                if self.slots <= taken or not self._pool.offer(attempt, self.slots - taken):
                    return
                self._queue.remove(attempt)
            elif taken + self._pool.busy < self.slots:
                self._queue.remove(attempt)
                self._start(attempt)
            else:
                return

    def reap(self) -> None:
        """Take note of all children that have ended."""
        while (child := endings.next_ended_child()) is not None:
            attempt = self._children.pop(child.pid, None)
            if attempt is not None:
                signal_group(child.pid, signal.SIGKILL)
                # The slot is free: the next job starts before the books of this one are kept.
                self.start_waiting()
                self._process_ended(attempt, child)
            elif self._zygote is not None and child.pid == self._zygote.pid:
                self._replace_zygote(self._zygote)
            elif not self._endings.collector_ended(child) and not self._pool.child_ended(child):
                endings.reap(child)

    def start_zygote(self) -> None:
        """From now on fork jobs from a process that has nothing else to do. Call it when the imports are done."""
        try:
            self._zygote = Zygote(
                self._selector, self._zygote_child_ended, self._process_closeables(), self._gate, str(self._state_dir)
            )
        except OSError as error:
            logger.error("there is no room for the process that forks jobs: %s", error)

    def take_observations(self) -> tuple[list[dict[str, Any]], list[bytes]]:
        """What happened since the last call, and the results that go with it."""
        taken = self._observations, self._results
        self._observations, self._results = [], []
        return taken

    def tell_everything(self) -> None:
        """Tell a new runner how far every attempt is."""
        self.take_observations()
        for attempt in (*self._active.values(), *self._ended.values()):
            self._tell_state(attempt)

    def close(self) -> None:
        """Let go; what runs goes on running."""
        self._pool.close()
        if self._zygote is not None:
            self._zygote.end()

    def _closeables(self) -> list[Closeable]:
        return [self._gate, *self._process_closeables()]

    def _process_closeables(self) -> list[Closeable]:
        zygote = [] if self._zygote is None else [self._zygote]
        return [*self._pilot_closeables(), *self._pool.sockets(), self._watch, *zygote]

    def _remember_ended(self) -> None:
        """Ends that an earlier pilot may not have told: a runner that stored them acknowledges them again."""
        for key, leftover in self._leftovers.ended().items():
            attempt = self._ended[key] = Attempt(key, "", Mode.POOL, "")
            attempt.state, attempt.started_at = State.ENDED, leftover.started_at
            attempt.exit, attempt.result = leftover.exit, leftover.result

    def _take_over(self, item: Mapping[str, Any]) -> bool:
        """Adopt an attempt that this pilot does not know; False when it was never started."""
        kind = item.get("payload_kind") or _kind_of(item["run_dir"])
        attempt = Attempt(item["key"], item["run_dir"], Mode.FORK, kind)
        attempt.time_limit_seconds = item.get("time_limit_seconds")
        self._active[attempt.key] = attempt
        if self._adopt(attempt):
            return True
        del self._active[attempt.key]
        return False

    def _start(self, attempt: Attempt) -> None:
        try:
            pid = self._launch(attempt)
        except ZygoteGone:
            self._queue.push(attempt)
            if self._zygote is not None:
                self._replace_zygote(self._zygote)
        except launch.AlreadyStarted:
            if not self._adopt(attempt):
                self._queue.push(attempt)
        except command.UnusableCommand as error:
            attempt.result = command.write_failure(attempt.run_dir, Failure("error", str(error)))
            self._end_unstarted(attempt, "exited", str(error))
        except launch.CannotStart as error:
            self._end_unstarted(attempt, "not_started", str(error))
        except OSError as error:
            logger.error("%s cannot be started: %s", attempt.key, error)
            del self._active[attempt.key]
            failure = Failure("not_started", f"the job could not be started in {attempt.run_dir}: {error}")
            self._tell(attempt.key, "step_failed", failure=failure)
        else:
            attempt.state, attempt.pid, attempt.started_at = State.RUNNING, pid, time.time()
            self._children[pid] = attempt
            self._on_started(attempt)

    def _launch(self, attempt: Attempt) -> int:
        variables = {**attempt.export, JOB_VARIABLE: attempt.key, RUN_DIR_VARIABLE: attempt.run_dir}
        if attempt.is_command:
            attempt.command = command.parse(attempt.package or read_job(attempt.run_dir) or b"")
            attempt.package = None
            words = command.arguments(attempt.command)
            variables |= command.environment(attempt.command)
        surroundings = launch.Surroundings(
            attempt.run_dir,
            variables,
            attempt.output or OUTPUT_FILE,
            attempt.error or ERROR_FILE,
            attempt.processors,
        )
        if attempt.mode is Mode.FORK:
            if self._zygote is not None:
                return self._zygote.fork(surroundings)
            return launch.fork(lambda: surroundings, self._process_closeables(), self._gate)
        if attempt.mode is Mode.SCRIPT:
            words = ["/bin/bash", SCRIPT_FILE]
        elif attempt.mode is Mode.COLD:
            words = command_line(sys.executable, attempt.run_dir)
        return launch.spawn(words, surroundings)

    def _zygote_child_ended(self, child: endings.EndedChild) -> None:
        attempt = self._children.pop(child.pid, None)
        if attempt is not None:
            self.start_waiting()
            self._process_ended(attempt, child)

    def _replace_zygote(self, gone: Zygote) -> None:
        """The zygote was killed. Its children go on under the keeper, and are watched from here."""
        logger.warning("the process that forks jobs was killed; making another one")
        # Until there is one again, jobs are forked from here.
        self._zygote = None
        gone.read_ends()
        gone.end()
        self.start_zygote()
        for pid, attempt in list(self._children.items()):
            if attempt.mode is Mode.FORK:
                del self._children[pid]
                # One that has not claimed its attempt yet is about to: it or the next one will find it claimed.
                if not self._adopt(attempt):
                    self._queue.push(attempt)

    def _adopt(self, attempt: Attempt) -> bool:
        """Take over an attempt that another process may have started; False when nobody did."""
        return self._adoption.adopt(attempt)

    def _finish_adopted(self, attempt: Attempt, record: ExitRecord) -> None:
        """The process of an attempt that was taken over is gone."""
        self._endings.finish(attempt, record)

    def _process_ended(self, attempt: Attempt, child: endings.EndedChild) -> None:
        if child.exit_code == launch.CLAIM_LOST:
            started = read_started(attempt.run_dir)
            if started is not None and started.pid != child.pid:
                endings.reap(child)
                self._adopt(attempt)
                return
        attempt.state = State.ENDING
        self._endings.process_ended(attempt, child)

    def _cancel(self, attempt: Attempt) -> None:
        if attempt.pooled and attempt.state is State.RUNNING:
            self._pool.stop(attempt, "cancelled")
        if attempt.state is State.QUEUED:
            self._queue.remove(attempt)
            self._end_unstarted(attempt, "cancelled", "it was cancelled before it started")
        elif attempt.state is State.WATCHED or (attempt.state is State.RUNNING and not attempt.pooled):
            self._stop(attempt, "cancelled")

    def _stop(self, attempt: Attempt, reason: str) -> None:
        """End the processes of an attempt, politely at first."""
        if attempt.stop_reason is not None:
            return
        attempt.stop_reason = reason
        self._signal(attempt, signal.SIGTERM)
        self._timers.after(self._grace_seconds, lambda: self._signal(attempt, signal.SIGKILL))

    def _signal(self, attempt: Attempt, number: int) -> None:
        if attempt.pid is None or attempt.state not in (State.RUNNING, State.WATCHED):
            return
        others = members(attempt.pid, attempt.run_dir) - {attempt.pid}
        signal_group(attempt.pid, number)
        signal_each((pid for pid in others if not in_group(pid, attempt.pid)), number)
        # A stopped process would not take note of the polite one.
        signal_group(attempt.pid, signal.SIGCONT)

    def _end_unstarted(self, attempt: Attempt, reason: str, message: str) -> None:
        attempt.exit = endings.not_started(reason, message)
        if not attempt.pooled:
            _never(attempt.run_dir, attempt.exit)
        attempt.state = State.ENDED
        self._on_ended(attempt)

    def _on_started(self, attempt: Attempt) -> None:
        if attempt.state is State.WATCHED:
            self._watched.add(attempt.key)
        limit = attempt.time_limit_seconds
        if limit is not None and not (attempt.pooled or attempt.elsewhere) and attempt.time_limit is None:
            elapsed = time.time() - (attempt.started_at or time.time())
            attempt.time_limit = self._timers.after(limit - elapsed, lambda: self._stop(attempt, "timeout"))
        self._tell_state(attempt)

    def _on_ended(self, attempt: Attempt) -> None:
        self._active.pop(attempt.key, None)
        self._watched.discard(attempt.key)
        self._ended[attempt.key] = attempt
        attempt.package = attempt.command = None
        if attempt.time_limit is not None:
            attempt.time_limit.cancel()
        self._tell_state(attempt)
        if attempt.cancel_asked:
            self._tell(attempt.key, "cancelled")

    def _tell_state(self, attempt: Attempt) -> None:
        if attempt.state is State.ENDED:
            if attempt.result is not None:
                self._results.append(attempt.result)
            self._tell(attempt.key, "ended", exit=attempt.exit, has_result=attempt.result is not None)
        elif attempt.pid is not None and attempt.state in (State.RUNNING, State.WATCHED):
            self._tell(attempt.key, "started", process_id=str(attempt.pid))
        elif attempt.elsewhere is not None:
            self._tell(attempt.key, "started", process_id=attempt.elsewhere, is_elsewhere=True)

    def _tell(self, key: str, event: str, **details: object) -> None:
        self._observations.append({"key": key, "event": event, "at": time.time(), **details})


def _never(run_dir: str, record: ExitRecord) -> None:
    """Make sure that an attempt never starts."""
    # Without a run folder it cannot start anyway.
    with contextlib.suppress(OSError):
        claim(run_dir, never=True)
        write_exit(run_dir, record)


def _kind_of(run_dir: str) -> str:
    content = read_job(run_dir) if run_dir else None
    try:
        return "" if content is None else str(unpack_job(content)[0]["payload_kind"])
    except (ValueError, KeyError, IndexError):
        return ""


def _asks_last(item: Mapping[str, Any]) -> bool:
    """Whether nobody wrote down which process runs the attempt: it is what remains when the others have been found."""
    if not (item.get("again", True) and item["run_dir"]):
        return False
    started = read_started(item["run_dir"])
    return started is not None and started.pid is None
