"""Which jobs of the spool a pilot takes, where on its node they run, and what happens to their entries at the end."""

import contextlib
import heapq
import logging
import math
import os
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from towline.core.records import ExitRecord
from towline.core.run_folder import EXIT_FILE
from towline.on_worker.attempt_files import write_exit
from towline.on_worker.batch.attempts import BatchDispatch
from towline.on_worker.batch.crew import Crew
from towline.on_worker.batch.placement import place
from towline.on_worker.batch.room import Room, Seat
from towline.on_worker.batch.spool import Entry, Need, Spool
from towline.on_worker.batch.wide import WideJobs

logger = logging.getLogger("towline.pilot")

#: Work that is held ready beyond what runs, in seconds, so that a free slot does not wait for the spool; and at most.
_READY_SECONDS, _MOST_READY = 0.1, 64
#: Share of the newest duration in the running average.
_NEWEST_SHARE = 0.1
#: A listing of the spool is used for so long: what comes later with a higher priority waits no longer than that.
_LISTING_SECONDS = 0.1
#: A job that does not fit now, and was passed over for so long, is waited for: nothing else is taken.
_PATIENCE_SECONDS = 60.0


class _Verdict(Enum):
    """What came of looking at an entry."""

    TAKEN = "taken"
    GONE = "gone"  #: somebody else was first, or it can never run
    WAITS = "waits"  #: there is no room for it now
    NOT_HERE = "not here"  #: another node has to take it, or another allocation


@dataclass(slots=True)
class _Held:
    """An entry that this pilot has taken."""

    entry: Entry
    message: dict[str, Any]
    #: Its place, as soon as it was handed on.
    seat: Seat | None = None


class Seats:
    """The jobs of a pilot.

    Parameters
    ----------
    most_jobs
        How many it takes in all; None for any number.
    gpu_variable
        Name of the variable that tells a job its GPUs.
    wide
        Jobs over several nodes.
    node_name
        Of this node, as `scheduler` knows it.
    """

    def __init__(
        self,
        spool: Spool,
        dispatch: BatchDispatch,
        room: Room,
        crew: Crew,
        *,
        most_jobs: int | None,
        gpu_variable: str,
        wide: WideJobs,
        scheduler: str,
        node_name: str,
    ) -> None:
        #: When every job has to have ended, in seconds since the epoch, and what a job may take at most.
        self.last_moment: float | None = None
        self.longest_seconds: float | None = None
        #: Whether nothing is taken any more.
        self.closed = False
        self._spool, self._dispatch, self._room, self._crew, self._wide = spool, dispatch, room, crew, wide
        self._scheduler, self._node_name = scheduler, node_name
        self._jobs_left = most_jobs
        self._gpu_variable = gpu_variable
        self._held: dict[str, _Held] = {}
        self._waiting: list[tuple[str, str]] = []
        self._average_seconds: float | None = None
        self._listing: list[str] = []
        self._listed_at = 0.0
        self._passed_over: dict[str, float] = {}
        self._ended = 0
        self._idle_since: float | None = time.time()

    @property
    def busy(self) -> bool:
        """Whether a job waits here or runs."""
        return bool(self._held) or self._wide.busy

    @property
    def used_up(self) -> bool:
        """Whether it has taken as many jobs as it may."""
        return self._jobs_left == 0

    @property
    def wants_more(self) -> bool:
        """Whether it would take another job."""
        return not self.closed and not self.used_up and (not self._room.is_full or len(self._waiting) < self._ready())

    def facts(self) -> dict[str, Any]:
        """For the sign of life."""
        return {
            "running": len(self._held) - len(self._waiting),
            "waiting": len(self._waiting),
            "ended": self._ended,
            "idle_since": None if self.busy else self._idle_since,
            "free": self._room.free,
        }

    def claim(self) -> int:
        """Take jobs from the spool as far as there is room for them; return how many."""
        if not self.wants_more:
            return 0
        now = time.monotonic()
        if not self._listing or now - self._listed_at > _LISTING_SECONDS:
            self._listing, self._listed_at = self._spool.waiting(), now
        taken = 0
        rest = []
        for position, name in enumerate(self._listing):
            if not self.wants_more or (self._wide.limit is not None and name > self._wide.limit):
                rest += self._listing[position:]
                break
            entry = Entry.read(name)
            verdict = _Verdict.GONE if entry is None else self._consider(entry)
            taken += verdict is _Verdict.TAKEN
            if verdict in (_Verdict.WAITS, _Verdict.NOT_HERE):
                rest.append(name)
            if self._has_waited_enough(name, verdict, now):
                rest += self._listing[position + 1 :]
                break
        self._listing = rest
        if not rest:
            self._passed_over.clear()
        self.start_waiting()
        return taken

    def _has_waited_enough(self, name: str, verdict: "_Verdict", now: float) -> bool:
        """Whether an entry was passed over for so long that nothing may be taken before it."""
        if verdict is not _Verdict.WAITS:
            self._passed_over.pop(name, None)
            return False
        return now - self._passed_over.setdefault(name, now) > _PATIENCE_SECONDS

    def start_waiting(self) -> None:
        """Hand on what waits here and has room now: the first one first."""
        started = False
        while self._waiting:
            held = self._held[self._waiting[0][1]]
            if not self._room.fits(held.entry.need):
                break
            heapq.heappop(self._waiting)
            self._start(held)
            started = True
        if started:
            self._dispatch.start_waiting()

    def take_over(self) -> None:
        """After an earlier pilot of this node: find out what became of the jobs that it had."""
        items = []
        for entry, message in self._spool.claimed():
            held = self._held[message["key"]] = _Held(entry, message)
            held.seat = self._room.take(entry.need)
            hosts = self._wide.resume(entry.mark) if entry.need.nodes > 1 else ()
            items.append({**self._message(held, held.seat, hosts), "again": True})
        if items:
            logger.info("%d jobs of an earlier pilot", len(items))
            self._dispatch.adopt(items)

    def take_news(self) -> bool:
        """Take in what the dispatch tells; return whether there was anything."""
        news, _ = self._dispatch.take_observations()
        for item in news:
            held = self._held.get(item["key"])
            if held is None:
                continue
            if item["event"] == "ended":
                self._end(held, item["exit"])
            elif item["event"] == "dropped":
                self._drop(held)
            elif item["event"] == "returned":
                self._return(held)
            elif item["event"] == "step_failed":
                self._fail(held, item["failure"].message)
        return bool(news)

    def stop(self, marks: Collection[str]) -> None:
        """End the jobs with these marks, as far as they are here."""
        for held in list(self._held.values()) if marks else ():
            # What has not begun was claimed for nobody: that is found out when it begins.
            if held.entry.mark in marks and held.seat is not None:
                self._dispatch.cancel([held.message])

    def look_at_wide(self) -> None:
        """Give room to jobs over several nodes, and start those that have theirs."""
        for start in self._wide.look(closed=self.closed, may_start=not self.closed and not self.used_up):
            message = None if self.closed else self._spool.claim(start.entry)
            if message is None:
                # Another allocation has it, or nobody shall have it any more.
                self._room.give_back(start.seat)
                self._wide.finish(start.entry.mark)
                continue
            self._take(_Held(start.entry, message, start.seat))
            self._dispatch.submit([self._message(self._held[message["key"]], start.seat, start.hosts)], [])
            self._dispatch.start_waiting()

    def close(self) -> None:
        """Take nothing any more, and give back what has not begun."""
        self.closed = True
        self._wide.leave()
        self.put_back()

    def put_back(self) -> None:
        """Give back what has not begun."""
        for _, key in self._waiting:
            self._spool.put_back(self._held.pop(key).entry)
        self._waiting.clear()

    def _ready(self) -> int:
        """How many jobs to hold ready."""
        average = self._average_seconds
        if average is None or average > _READY_SECONDS:
            return 0
        return min(_MOST_READY, math.ceil(self._room.slots * _READY_SECONDS / max(average, 1e-4)))

    def _consider(self, entry: Entry) -> "_Verdict":
        """Take an entry if there is room for it."""
        need = entry.need
        refusal = self._refusal(need)
        if refusal is not None:
            self._spool.set_aside(entry, refusal)
            return _Verdict.GONE
        if need.nodes > 1:
            return self._consider_wide(entry)
        if self._ends_too_late(need) or self._room.capacity.refusal(need) is not None:
            return _Verdict.NOT_HERE
        # Only the smallest jobs are held ready: any slot that becomes free is one for them.
        if not self._room.fits(need) and (need.gpus or need.cores > 1 or need.memory_megabytes):
            return _Verdict.WAITS
        message = self._spool.claim(entry)
        if message is None:
            return _Verdict.GONE
        known = self._held.get(message["key"])
        if known is not None:
            # Put there twice; or of another project, which has a spool of its own, or should have.
            if known.entry.name != entry.name:
                self._spool.put_back(entry)
            return _Verdict.NOT_HERE
        held = self._take(_Held(entry, message))
        if self._waiting or not self._room.fits(entry.need):
            heapq.heappush(self._waiting, (entry.name, message["key"]))
        else:
            self._start(held)
            self._dispatch.start_waiting()
        return _Verdict.TAKEN

    def _consider_wide(self, entry: Entry) -> "_Verdict":
        """It begins when enough nodes have room for it; this one may ask for that."""
        if self._crew.number != 0 or self._ends_too_late(entry.need):
            return _Verdict.NOT_HERE
        passed_over = time.monotonic() - self._passed_over.get(entry.name, math.inf)
        self._wide.nominate(entry, patient=passed_over <= _PATIENCE_SECONDS)
        return _Verdict.WAITS

    def _ends_too_late(self, need: Need) -> bool:
        return bool(need.seconds) and self.last_moment is not None and time.time() + need.seconds > self.last_moment

    def _take(self, held: _Held) -> _Held:
        self._held[held.message["key"]] = held
        if self._jobs_left is not None:
            self._jobs_left -= 1
        self._idle_since = None
        return held

    def _refusal(self, need: Need) -> str | None:
        if self.longest_seconds is not None and need.seconds > self.longest_seconds:
            return (
                f"its time limit is {need.seconds} s, and an allocation has {self.longest_seconds:.0f} s for jobs; "
                "give the worker a longer one in its resources, or the job a shorter one"
            )
        why = self._crew.refusal(need) if need != Need() else None
        return None if why is None else f"{why}; give the worker larger nodes in its resources, or ask for less"

    def _start(self, held: _Held) -> None:
        seat = held.seat = self._room.take(held.entry.need)
        self._dispatch.submit([self._message(held, seat)], [])

    def _message(self, held: _Held, seat: Seat, hosts: Sequence[str] = ()) -> dict[str, Any]:
        """What the dispatch is told of a job that has its place."""
        need, message = held.entry.need, {**held.message, "processors": seat.processors}
        variables = dict(message.get("export") or {})
        if seat.gpus:
            variables[self._gpu_variable] = ",".join(seat.gpus)
        # Where there is one node, or the job is one process, what the scheduler says of the nodes is right.
        if hosts or (need.cores > 1 and self._crew.size > 1):
            variables |= place(
                message["run_dir"],
                self._scheduler,
                hosts or (self._node_name,),
                processes=int(message.get("processes") or need.nodes),
                threads=int(message.get("threads") or 1),
                cores=need.cores,
            )
        return message | {"export": variables}

    def _end(self, held: _Held, record: ExitRecord | None) -> None:
        key, run_dir = held.message["key"], held.message["run_dir"]
        self._dispatch.acknowledge([key])
        self._let_go(held)
        # What is handed back has not come to its end.
        self._ended += record is None or record.reason != "interrupted"
        if record is not None and record.started_at is not None:
            self._learn(record.ended_at - record.started_at)
        # The record was written where that was possible; where it was not, nothing here knows better.
        if record is not None and not os.path.exists(f"{run_dir}/{EXIT_FILE}"):  # noqa: PTH110
            with contextlib.suppress(OSError):
                write_exit(run_dir, record)
        self._spool.forget(held.entry)
        self._spool.stopped(held.entry.mark)

    def _let_go(self, held: _Held) -> None:
        if held.seat is not None:
            self._room.give_back(held.seat)
        del self._held[held.message["key"]]
        if held.entry.need.nodes > 1:
            self._wide.finish(held.entry.mark)
        if not self._held:
            self._idle_since = time.time()

    def _drop(self, held: _Held) -> None:
        self._let_go(held)
        self._spool.forget(held.entry)
        self._spool.stopped(held.entry.mark)

    def _return(self, held: _Held) -> None:
        self._let_go(held)
        self._spool.put_back(held.entry)

    def _fail(self, held: _Held, message: str) -> None:
        """It could not be started, perhaps because the node is short of something: another one may do better."""
        logger.error("%s", message)
        if not os.path.isdir(held.message["run_dir"]):  # noqa: PTH112
            self._drop(held)
            return
        self._return(held)
        self.close()

    def _learn(self, duration_seconds: float) -> None:
        if self._average_seconds is None:
            self._average_seconds = duration_seconds
        else:
            self._average_seconds += _NEWEST_SHARE * (duration_seconds - self._average_seconds)
