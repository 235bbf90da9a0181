"""The pilot of one node of an allocation: takes jobs from the spool and runs them, warm where they can be.

``python -m towline.on_worker.batch.pilot SETTINGS --keeper DESCRIPTOR``, started by the keeper of the node. One
process, one thread, one event loop, as the pilot of a local worker; it has the spool in place of a connection to the
runner.
"""

import logging
import os
import selectors
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import orjson

from towline.on_worker.attempt_files import BATCH_VARIABLE
from towline.on_worker.batch import nodes
from towline.on_worker.batch.attempts import BatchDispatch
from towline.on_worker.batch.crew import Crew
from towline.on_worker.batch.node import state_folder
from towline.on_worker.batch.room import Capacity, Room, shares
from towline.on_worker.batch.seats import Seats
from towline.on_worker.batch.settings import BatchSettings
from towline.on_worker.batch.spool import Spool
from towline.on_worker.batch.wide import WideJobs
from towline.on_worker.batch.wishes import Wish, read_wish
from towline.on_worker.gate import Gate
from towline.on_worker.isolation import Closeable
from towline.on_worker.pilot import serve, warm_up
from towline.on_worker.timers import Timer, Timers

logger = logging.getLogger("towline.pilot")

#: Pauses between two looks into the spool: while jobs come and go, and by how much they grow when none come.
_SHORTEST_PAUSE_SECONDS, _GROWTH = 0.02, 1.5
#: How often the requests to end jobs are read while there are jobs, and how often the node gives a sign of life.
_STOP_SECONDS, _LIFE_SECONDS = 0.5, 5.0
#: How often the node looks whether somebody asks that the allocation ends.
_WISH_SECONDS = 1.0
#: How often the node looks after jobs over several nodes while something may happen at any moment.
_WIDE_SECONDS = 0.2
#: Besides the time that jobs get to end politely: what is left for writing it all down.
_SPARE_SECONDS = 10.0
#: Of the whole time of an allocation, at most this part is given to its end.
_LARGEST_END_SHARE = 1 / 3


class BatchPilot:
    """The pilot of a node."""

    def __init__(self, settings: BatchSettings, keeper_descriptor: int) -> None:
        self._settings = settings
        name = f"{settings.uid}.{settings.node}"
        os.environ[BATCH_VARIABLE] = name
        state_dir = state_folder(settings.run_dir, settings.node)
        self._state_dir = state_dir
        # Of processes of this machine, and in a folder of it: shared file systems need not have locks.
        self._gate_file = Path(tempfile.gettempdir(), f"towline-{name}.lock")
        self._gate = Gate(self._gate_file)
        self._selector = selectors.DefaultSelector()
        self._timers = Timers()
        #: At its end when the keeper is gone.
        self._keeper_pipe = open(keeper_descriptor, "rb", buffering=0)  # noqa: SIM115 - open as long as this process
        self._wake_read, self._wake_write = socket.socketpair()
        self._spool = Spool(settings.spool, name)
        cores = settings.cores[settings.node]
        slots = cores if settings.parallel_jobs is None else _share(settings.parallel_jobs, settings)
        capacity = _wide_enough(nodes.capacity(cores, settings.scheduler, os.environ), slots)
        self._crew = Crew(Path(settings.run_dir), settings, capacity)
        dispatch = BatchDispatch(
            state_dir,
            self._selector,
            self._timers,
            settings.grace_seconds,
            gate=self._gate,
            closeables=self._closeables,
            records_all=True,
        )
        dispatch.slots = 1 << 30  # what may start is decided here
        self._dispatch = dispatch
        most = None if settings.max_jobs is None else _share(settings.max_jobs, settings)
        room = Room(capacity, slots)
        node_name = nodes.own_name(settings, os.environ)
        self._wide = WideJobs(Path(settings.run_dir), settings.spool, self._crew, room, name=node_name)
        self._seats = Seats(
            self._spool,
            dispatch,
            room,
            self._crew,
            most_jobs=most,
            gpu_variable=nodes.gpu_variable(os.environ),
            wide=self._wide,
            scheduler=settings.scheduler,
            node_name=node_name,
        )
        self._pause_seconds = _SHORTEST_PAUSE_SECONDS
        self._look: Timer | None = None
        self._idle_since = time.monotonic()
        self._finished = False
        self._asked_to_end = False
        #: Why it takes nothing any more, in a word.
        self._end: str | None = None

    def run(self) -> int:
        """Work until there is nothing to do any more, or no time; return the exit code."""
        self._set_up()
        while not self._finished:
            for key, _ in self._selector.select(self._timers.timeout_seconds()):
                key.data()
            self._timers.fire()
            if self._asked_to_end:
                self._heed_signal()
            if self._seats.take_news():
                self._look_soon()
            self._seats.start_waiting()
            self._consider_ending()
        self._seats.put_back()
        self._dispatch.close()
        self._spool.leave()
        self._gate_file.unlink(missing_ok=True)
        self._tell("ended")
        return 0

    def _set_up(self) -> None:
        for end in (self._wake_read, self._wake_write):
            end.setblocking(False)
        signal.set_wakeup_fd(self._wake_write.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._ask_to_end())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._woken)
        os.set_inheritable(self._keeper_pipe.fileno(), False)
        self._selector.register(self._keeper_pipe, selectors.EVENT_READ, self._lose_keeper)
        self._tell("starting")
        warm_up(self._settings.preload)
        if self._settings.preload:
            self._dispatch.start_zygote()
        self._seats.take_over()
        self._set_limits()
        self._timers.after(0, self._give_sign)
        self._timers.after(0, self._heed_stops)
        self._heed_wish()
        if self._crew.size > 1:
            self._look_at_wide()
        self._look_soon()

    def _set_limits(self) -> None:
        settings, now = self._settings, time.time()
        if settings.max_time is not None:
            left = settings.began_at + settings.max_time - now
            self._timers.after(left, lambda: self._close("max_time", f"max_time of {settings.max_time:g} s is over"))
        if settings.ends_at is None:
            return
        whole = settings.ends_at - settings.began_at
        spare = min(settings.grace_seconds + _SPARE_SECONDS, whole * _LARGEST_END_SHARE)
        self._seats.last_moment = settings.ends_at - spare
        self._seats.longest_seconds = whole - spare
        why = f"the time limit of its allocation ({whole:.0f} s) was near"
        self._timers.after(settings.ends_at - spare - now, lambda: self._end_everything("time_limit", why))

    def _closeables(self) -> list[Closeable]:
        return [self._selector, self._wake_read, self._wake_write, self._keeper_pipe]

    def _woken(self) -> None:
        self._wake_read.recv(4096)
        self._dispatch.reap()

    def _ask_to_end(self) -> None:
        self._asked_to_end = True

    def _lose_keeper(self) -> None:
        # Nothing is left that would take care of the jobs: the whole allocation is being ended.
        self._selector.unregister(self._keeper_pipe)
        self._end_everything("ended", "the process above the pilot was gone")

    def _close(self, end: str, why: str) -> None:
        """Take no further jobs."""
        if not self._seats.closed:
            self._end = end
            logger.info("no further jobs: %s", why)
            self._seats.close()

    def _end_everything(self, end: str, why: str) -> None:
        self._asked_to_end = False
        self._close(end, why)
        if self._dispatch.interruption is None:
            self._wide.give_up()
            self._dispatch.interrupt(why)
            self._tell("draining")

    # Looking into the spool

    def _look_soon(self) -> None:
        self._pause_seconds = _SHORTEST_PAUSE_SECONDS
        if self._seats.wants_more:
            self._look_again(0.0)

    def _look_again(self, pause_seconds: float) -> None:
        if self._look is not None:
            self._look.cancel()
        self._look = self._timers.after(pause_seconds, self._look_into_spool)

    def _look_into_spool(self) -> None:
        self._look = None
        if self._seats.closed:
            return
        if self._seats.claim():
            self._pause_seconds = _SHORTEST_PAUSE_SECONDS
        else:
            self._pause_seconds = min(self._settings.sleep_time, self._pause_seconds * _GROWTH)
        self._look_again(self._pause_seconds)

    def _look_at_wide(self) -> None:
        self._seats.look_at_wide()
        pause_seconds = _WIDE_SECONDS if self._wide.waiting else min(1.0, self._settings.sleep_time)
        self._timers.after(pause_seconds, self._look_at_wide)

    def _heed_stops(self) -> None:
        if self._seats.busy:
            self._seats.stop(self._spool.to_stop())
        self._timers.after(_STOP_SECONDS, self._heed_stops)

    def _heed_wish(self) -> None:
        asked = read_wish(self._settings.run_dir)
        if asked is not None:
            wish, why = asked
            if wish is Wish.CANCEL:
                self._end_everything("cancelled", why)
                return
            self._close("drained", why)
        self._timers.after(_WISH_SECONDS, self._heed_wish)

    def _heed_signal(self) -> None:
        asked = read_wish(self._settings.run_dir)
        if asked is None or asked[0] is Wish.DRAIN:
            self._end_everything("ended", "the allocation was being ended")
        else:
            self._end_everything("cancelled", asked[1])

    def _tell(self, state: str, *, now: bool = True) -> None:
        self._crew.tell(state, {**self._seats.facts(), "end": self._end}, now=now)

    def _give_sign(self) -> None:
        self._tell("draining" if self._seats.closed else "running", now=False)
        if not self._state_dir.is_dir() and not self._seats.busy:
            self._finished = True  # somebody deleted the folder of the allocation
        self._timers.after(_LIFE_SECONDS, self._give_sign)

    def _consider_ending(self) -> None:
        now = time.monotonic()
        if self._seats.busy:
            self._idle_since = now
        elif self._seats.closed or self._seats.used_up:
            self._end = self._end or "max_jobs"
            self._finished = True
        elif now - self._idle_since >= self._settings.max_wait:
            # Only together: the allocation lasts as long as the others, and this node may still get something to do.
            if self._crew.all_idle(self._settings.max_wait):
                logger.info("nothing to do for %g seconds", self._settings.max_wait)
                self._end, self._finished = "idle", True
            else:
                self._idle_since = now - self._settings.max_wait + min(1.0, self._settings.max_wait)
        elif self._look is None:
            self._look_again(self._pause_seconds)


def _share(total: int, settings: BatchSettings) -> int:
    return shares(total, settings.cores)[settings.node]


def _wide_enough(capacity: Capacity, slots: int) -> Capacity:
    """Who asks for more jobs at a time than there are processors wants them shared."""
    if slots <= capacity.cores:
        return capacity
    return Capacity(slots, capacity.memory_megabytes, capacity.gpus)


def main(arguments: Sequence[str]) -> int:
    """Run the pilot of a node."""
    settings = BatchSettings.read(orjson.loads(arguments[0]))
    return serve(lambda: BatchPilot(settings, int(arguments[2])).run())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
