"""The pool: a few processes that live on and run functions one after another. This is the pilot's side of it."""

import logging
import os
import resource
import selectors
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson

from towline.core.records import ExitRecord
from towline.on_worker import endings, launch
from towline.on_worker.attempts import Attempt, State
from towline.on_worker.framing import Decoder, Message
from towline.on_worker.isolation import Closeable
from towline.on_worker.pool_child import PoolChildSetup, serve
from towline.on_worker.pool_journal import append, exit_record, read_journal
from towline.on_worker.process_groups import signal_group
from towline.on_worker.timers import Timers

logger = logging.getLogger("towline.pilot")

#: Packages larger than this go through a file; the socket takes about twice as much.
_LARGEST_MESSAGE_BYTES = 100_000

#: How much work may wait in front of a busy process, so that it need not wait for us.
_AHEAD_SECONDS = 0.005
_MOST_AHEAD = 32

#: After this time a function counts as a long one: it is told as started, and what waits behind it goes elsewhere.
_LOOK_SECONDS = 0.02

_REST_SECONDS = 1.0

#: Messages keep their borders, so that each is received once, by the process or by us when we take it back.
_MESSAGES = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM


@dataclass(slots=True, eq=False)
class _Child:
    pid: int
    jobs: socket.socket
    #: The end of `jobs` that the process reads from, for taking back what it has not read.
    unread: socket.socket
    reports: socket.socket
    decoder: Decoder = field(default_factory=Decoder)
    #: Functions that it was sent and has not begun.
    sent: deque[Attempt] = field(default_factory=deque)
    running: Attempt | None = None
    told: bool = False
    journal: Path | None = None

    @property
    def idle(self) -> bool:
        return self.running is None and not self.sent

    def close(self) -> None:
        for end in (self.jobs, self.unread, self.reports):
            end.close()


class Pool:
    """Runs functions.

    Parameters
    ----------
    started, ended
        Called with an attempt when it runs for a while, and when it has ended.
    returned
        Called with an attempt that was not begun and may start elsewhere.
    closeables
        What forked children have to close.
    """

    def __init__(
        self,
        state_dir: Path,
        selector: selectors.BaseSelector,
        timers: Timers,
        started: Callable[[Attempt], None],
        ended: Callable[[Attempt], None],
        returned: Callable[[Attempt], None],
        closeables: Callable[[], Iterable[Closeable]],
    ) -> None:
        self._folder = state_dir / "pool"
        self._scratch = state_dir / "scratch"
        self._log = state_dir / "pool.log"
        self._selector = selector
        self._timers = timers
        self._started, self._ended, self._returned = started, ended, returned
        self._closeables = closeables
        self._children: dict[int, _Child] = {}
        #: By journal, the functions in it whose ends are not acknowledged.
        self._unacknowledged: dict[Path, set[str]] = {}
        self._journal_of: dict[str, Path] = {}
        #: Journals that processes of earlier pilots write into.
        self._in_use: set[Path] = set()
        self._mean_seconds = 0.01
        self._looking = False
        self._rest_until = 0.0

    @property
    def busy(self) -> int:
        """How many processes have something to do."""
        return sum(not child.idle for child in self._children.values())

    @property
    def folder(self) -> Path:
        """Where the journals are."""
        return self._folder

    def sockets(self) -> list[Closeable]:
        """What forked children have to close."""
        return list(self._children.values())

    def offer(self, attempt: Attempt, capacity: int) -> bool:
        """Give a function to a process, if one may take it.

        Parameters
        ----------
        capacity
            How many processes may be busy.
        """
        child = self._idle_child() if self.busy < capacity else self._child_with_room()
        if child is None or not self._send(child, attempt):
            return False
        attempt.state = State.RUNNING
        child.sent.append(attempt)
        self._keep_looking()
        return True

    def stop(self, attempt: Attempt, reason: str) -> None:
        """End the process that runs a function, or take the function back from where it waits."""
        for child in list(self._children.values()):
            if attempt in child.sent:
                self._take_back(child)
            if child.running is attempt:
                attempt.stop_reason = reason
                self._kill(child, attempt)
            elif attempt in child.sent:
                # Received, and not yet begun as far as we know: it is ended when it is looked at next.
                attempt.stop_reason = reason

    def child_ended(self, ended: endings.EndedChild) -> bool:
        """Take the end of a process of the pool; False when it is none."""
        child = self._children.pop(ended.pid, None)
        if child is None:
            return False
        self._read_reports(child)
        self._read_journal(child)
        self._selector.unregister(child.reports)
        signal_group(child.pid, signal.SIGKILL)
        attempt = child.running
        if attempt is not None:
            attempt.exit = endings.exit_record(attempt, ended)
            if child.journal is not None:
                append(child.journal, {"died": attempt.key, "exit": asdict(attempt.exit)})
        usage = endings.reap(ended)
        if child.journal is None:
            self._rest(f"one ended before it was ready ({ended}); see {self._log}")
        if attempt is not None and attempt.exit is not None:
            self._settle(child, attempt, endings.with_usage(attempt.exit, usage), None)
        for waiting in child.sent:
            self._returned(waiting)
        child.close()
        self._remove_if_done(child.journal)
        return True

    def acknowledge(self, keys: Iterable[str]) -> None:
        """The ends of these functions are stored: their journals may go."""
        by_journal: dict[Path, list[str]] = {}
        for key in keys:
            journal = self._journal_of.pop(key, None)
            if journal is not None:
                by_journal.setdefault(journal, []).append(key)
        for journal, group in by_journal.items():
            self._unacknowledged[journal].difference_update(group)
            if not self._remove_if_done(journal):
                append(journal, {"acknowledged": group})

    def remember(self, journal: Path, keys: Iterable[str], *, written: bool = False) -> None:
        """A journal that holds the ends of these functions; it is removed when they are acknowledged.

        Parameters
        ----------
        written
            Whether a process of an earlier pilot still writes into it, so that it has to stay.
        """
        self._in_use.discard(journal)
        if written:
            self._in_use.add(journal)
        for key in keys:
            self._journal_of[key] = journal
            self._unacknowledged.setdefault(journal, set()).add(key)
        self._remove_if_done(journal)

    def close(self) -> None:
        """Let the processes end when they are done."""
        for child in self._children.values():
            child.close()

    def _idle_child(self) -> _Child | None:
        for child in self._children.values():
            if child.idle:
                return child
        return self._fork()

    def _child_with_room(self) -> _Child | None:
        most = min(_MOST_AHEAD, int(_AHEAD_SECONDS / max(self._mean_seconds, 1e-6)))
        busy = (child for child in self._children.values() if not child.idle and not child.told)
        return min((child for child in busy if len(child.sent) < most), key=lambda child: len(child.sent), default=None)

    def _fork(self) -> _Child | None:
        for folder in (self._folder, self._scratch):
            folder.mkdir(parents=True, exist_ok=True)
        if time.monotonic() < self._rest_until:
            return None
        jobs, unread = socket.socketpair(socket.AF_UNIX, _MESSAGES)
        # Some systems take only small messages otherwise.
        jobs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * _LARGEST_MESSAGE_BYTES)
        unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * _LARGEST_MESSAGE_BYTES)
        reports, reports_in = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        setup = PoolChildSetup(unread, reports_in, self._folder, self._scratch, self._log, os.getpid())
        try:
            pid = launch.fork_task(lambda: serve(setup), [*self._closeables(), jobs, reports])
        except OSError as error:
            self._rest(f"there is no room for another process: {error}")
            for end in (jobs, unread, reports, reports_in):
                end.close()
            return None
        reports_in.close()
        reports.setblocking(False)
        child = self._children[pid] = _Child(pid, jobs, unread, reports)
        self._selector.register(reports, selectors.EVENT_READ, lambda: self._read_reports(child))
        return child

    def _rest(self, problem: str) -> None:
        """Do not try again at once what fails at once."""
        logger.error("no process for the pool: %s", problem)
        self._rest_until = time.monotonic() + _REST_SECONDS
        # Only so that the loop looks again.
        self._timers.after(_REST_SECONDS, lambda: None)

    def _send(self, child: _Child, attempt: Attempt) -> bool:
        package = attempt.package or b""
        header: dict[str, object] = {"key": attempt.key}
        if attempt.export:
            header["export"] = attempt.export
        try:
            if len(package) > _LARGEST_MESSAGE_BYTES:
                path = self._package_file(attempt)
                path.write_bytes(package)
                header["file"], package = str(path), b""
            child.jobs.send(orjson.dumps(header) + b"\n" + package, socket.MSG_DONTWAIT)
        # It has no room, or has ended: the function goes elsewhere or waits.
        except OSError:
            return False
        return True

    def _package_file(self, attempt: Attempt) -> Path:
        return self._folder / f"{attempt.key}.package"

    def _read_reports(self, child: _Child) -> None:
        while True:
            try:
                data = child.reports.recv(1 << 18)
            except (BlockingIOError, ConnectionResetError):
                return
            if not data:
                return
            for message in child.decoder.feed(data):
                self._take(child, message)

    def _take(self, child: _Child, message: Message) -> None:
        header, attachments = message
        if "begin" in header:
            attempt = child.sent.popleft()
            attempt.started_at, attempt.pid = header["at"], child.pid
            child.running, child.told = attempt, False
        elif "end" in header and child.running is not None:
            record = exit_record(header)
            self._mean_seconds += 0.2 * (record.ended_at - header["began"] - self._mean_seconds)
            self._settle(child, child.running, record, attachments[0])
        elif "journal" in header:
            before, child.journal = child.journal, Path(header["journal"])
            self._remove_if_done(before)
        elif "back" in header and child.running is not None:
            child.sent.appendleft(child.running)
            child.running = None

    def _settle(self, child: _Child, attempt: Attempt, record: ExitRecord, result: bytes | None) -> None:
        child.running, child.told = None, False
        if attempt.package is not None and len(attempt.package) > _LARGEST_MESSAGE_BYTES:
            self._package_file(attempt).unlink(missing_ok=True)
        attempt.exit, attempt.result, attempt.package = record, result, None
        attempt.state = State.ENDED
        if child.journal is not None:
            self.remember(child.journal, [attempt.key])
        self._ended(attempt)

    def _read_journal(self, child: _Child) -> None:
        """What a dead process wrote down and did not get to tell us."""
        if child.journal is None:
            return
        journal = read_journal(child.journal)
        while child.sent and child.running is None and journal.running == child.sent[0].key:
            self._take(child, ({"begin": journal.running, "at": journal.running_since}, []))
        running = child.running
        if running is not None and running.key in journal.ended:
            record, result = journal.ended[running.key]
            self._settle(child, running, record, result)

    def _remove_if_done(self, journal: Path | None) -> bool:
        current = any(child.journal == journal for child in self._children.values())
        if journal is None or current or journal in self._in_use or self._unacknowledged.get(journal):
            return False
        self._unacknowledged.pop(journal, None)
        journal.unlink(missing_ok=True)
        return True

    def _take_back(self, child: _Child) -> None:
        """Take back what a process was sent and has not received."""
        waiting = {attempt.key: attempt for attempt in child.sent}
        while True:
            try:
                message = child.unread.recv(1 << 20, socket.MSG_DONTWAIT)
            except (BlockingIOError, OSError):
                return
            attempt = waiting[orjson.loads(message.partition(b"\n")[0])["key"]]
            child.sent.remove(attempt)
            self._returned(attempt)

    def _kill(self, child: _Child, attempt: Attempt) -> None:
        """Kill a process, but only while it runs this function and no other one."""
        self._take_back(child)
        signal_group(child.pid, signal.SIGSTOP)
        _, status = os.waitpid(child.pid, os.WUNTRACED)
        self._read_reports(child)
        if not os.WIFSTOPPED(status):
            # It is reaped already; what it used is lost.
            self.child_ended(endings.from_status(child.pid, status, resource.struct_rusage((0.0,) * 16)))
            return
        if child.running is attempt:
            signal_group(child.pid, signal.SIGKILL)
        signal_group(child.pid, signal.SIGCONT)

    def _keep_looking(self) -> None:
        if not self._looking:
            self._looking = True
            self._timers.after(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Find functions that run for long."""
        self._looking = False
        now = time.time()
        for child in list(self._children.values()):
            attempt = child.running
            if attempt is None or attempt.started_at is None:
                continue
            if attempt.stop_reason is not None:
                self._kill(child, attempt)
                continue
            if now - attempt.started_at < _LOOK_SECONDS:
                continue
            if not child.told:
                child.told = True
                self._started(attempt)
            if child.sent:
                self._take_back(child)
            limit = attempt.time_limit_seconds
            if limit is not None and now - attempt.started_at > limit:
                self.stop(attempt, "timeout")
        if self.busy:
            self._keep_looking()
