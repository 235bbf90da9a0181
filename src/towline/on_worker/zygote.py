"""The zygote: a fork of the pilot that does nothing but fork jobs, so that forking stays cheap.

A fork copies the page tables of its process, and a process whose memory lies on huge pages has few of them. Each page
that is written while a child lives takes a huge page apart, though, and the pilot writes all over its memory. The
zygote writes hardly any.

It always has one fork ready, which waits for its job: between the end of one job and the start of the next there is no
fork.

It talks with the pilot over two sockets, in lines of JSON: one takes requests and answers each with a process id, the
other tells how children ended. The zygote ends when the pilot does; its children then belong to the keeper.
"""

import contextlib
import gc
import os
import select
import selectors
import signal
import socket
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import NamedTuple, NoReturn

import orjson

from towline.errors import TowlineError
from towline.on_worker import isolation, launch
from towline.on_worker.attempt_files import read_started
from towline.on_worker.endings import EndedChild, next_ended_child, reap
from towline.on_worker.huge_pages import use_huge_pages
from towline.on_worker.keeper import outcome, write_down
from towline.on_worker.process_groups import signal_group
from towline.on_worker.rehearsal import rehearse
from towline.on_worker.run_job import keep_output_in_time

#: How many of the last ends the zygote can still tell when the pilot is gone; more than anybody has slots.
_REMEMBERED = 256


class ZygoteGone(TowlineError):
    """The zygote was killed."""


class Usage(NamedTuple):
    """Resource usage of an ended process, as `os.wait4` gives it."""

    ru_maxrss: int
    ru_utime: float
    ru_stime: float


class Zygote:
    """The pilot's end of the zygote.

    Parameters
    ----------
    ended
        Called with each child of the zygote that has ended. It was reaped, and its process group was killed.
    closeables
        What the zygote has to close.
    gate
        What each of its children holds until it has claimed its attempt.
    state_dir
        Where the last ends are written down when the pilot is gone.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        ended: Callable[[EndedChild], None],
        closeables: Iterable[isolation.Closeable],
        gate: isolation.Closeable,
        state_dir: str,
    ) -> None:
        self._selector = selector
        self._ended = ended
        self._requests, requests = socket.socketpair()
        self._ends, ends = socket.socketpair()
        self._rest = b""
        #: Process id of the zygote.
        self.pid = os.fork()
        if self.pid == 0:
            _serve(requests, ends, [*closeables, self._requests, self._ends], gate, state_dir)
        requests.close()
        ends.close()
        self._answers = self._requests.makefile("rb")
        self._selector.register(self._ends, selectors.EVENT_READ, self.read_ends)

    def fork(self, surroundings: launch.Surroundings) -> int:
        """Run the job of a run folder in a fork of the zygote; return the process id.

        Raises
        ------
        ZygoteGone
            The zygote was killed; it may have forked before that.
        OSError
            The system has no room for another process.
        """
        try:
            self._requests.sendall(orjson.dumps(asdict(surroundings)) + b"\n")
            line = self._answers.readline()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ZygoteGone("the process that forks jobs is gone") from error
        if not line.endswith(b"\n"):
            raise ZygoteGone("the process that forks jobs is gone")
        answer = orjson.loads(line)
        if "error" in answer:
            raise OSError(answer["error"])
        return int(answer["pid"])

    def read_ends(self) -> None:
        """Pass on what the zygote told about ended children."""
        if self._ends.fileno() < 0:
            return  # its end was seen by another way in the same round of the pilot
        lines = (self._rest + self._ends.recv(1 << 16)).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            pid, exit_code, number, usage = orjson.loads(line)
            self._ended(EndedChild(pid, exit_code, number, Usage(*usage)))

    def end(self) -> None:
        """Let the zygote end, and wait for that: the keeper must not take it for a job that was left."""
        self.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def close(self) -> None:
        """Close the sockets; the zygote ends when the pilot has done that."""
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(self._ends)
        self._answers.close()
        self._requests.close()
        self._ends.close()


class _Spare:
    """A fork of the zygote that waits for its job, so that no job waits for a fork."""

    def __init__(self, closeables: Iterable[isolation.Closeable], gate: isolation.Closeable) -> None:
        self._socket, other = socket.socketpair()
        try:
            self.pid = launch.fork(lambda: _await(other), [*closeables, self._socket], gate)
        except OSError:
            self._socket.close()
            raise
        finally:
            other.close()

    def begin(self, request: bytes) -> None:
        """Let it run the job of a request; BrokenPipeError when it was killed."""
        self._socket.sendall(request)
        self._socket.close()

    def end(self) -> None:
        """Let it end, and take note of that."""
        self._socket.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


class _Server:
    """What the zygote does.

    Parameters
    ----------
    requests, ends
        The sockets to the pilot.
    """

    def __init__(self, requests: socket.socket, ends: socket.socket, gate: isolation.Closeable, state_dir: str) -> None:
        self._requests = requests
        self._ends = ends
        self._gate = gate
        self._state_dir = state_dir
        #: What was asked for, by the process that does it.
        self._asked: dict[int, bytes] = {}
        #: Requests, how their processes ended, what those used, and when that was noticed.
        self._told: deque[tuple[bytes, EndedChild, tuple[int, float, float], float]] = deque(maxlen=_REMEMBERED)
        self._spare: _Spare | None = None
        self._wake_read, wake_write = socket.socketpair()
        wake_write.setblocking(False)
        signal.set_wakeup_fd(wake_write.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._closeables = [requests, ends, self._wake_read, wake_write]

    def run(self) -> None:
        """Work until the pilot is gone."""
        poll = select.poll()
        poll.register(self._requests, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        try:
            while True:
                self._have_spare()
                for descriptor, _ in poll.poll():
                    if descriptor == self._requests.fileno():
                        self._requests.sendall(self._fork(_line(self._requests)) + b"\n")
                    else:
                        self._wake_read.recv(4096)
                        self._tell_ends()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            if self._spare is not None:
                self._spare.end()
            # The pilot is gone. What it was told last it may not have read, and the next one asks the keeper's notes.
            if self._told:
                write_down(self._state_dir, [_noted(*told) for told in self._told])

    def _have_spare(self) -> None:
        # Without one, the next request says why.
        if self._spare is None:
            with contextlib.suppress(OSError):
                self._spare = _Spare(self._closeables, self._gate)

    def _fork(self, request: bytes) -> bytes:
        spare, self._spare = self._spare, None
        try:
            if spare is not None:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    return self._begin(spare, request)
            return self._begin(_Spare(self._closeables, self._gate), request)
        except OSError as error:
            return orjson.dumps({"error": str(error)})

    def _begin(self, spare: _Spare, request: bytes) -> bytes:
        spare.begin(request)
        self._asked[spare.pid] = request
        return orjson.dumps({"pid": spare.pid})

    # Nothing more than this is done for each end: the pages that this process writes while a fork lives are copied.
    def _tell_ends(self) -> None:
        while (child := next_ended_child()) is not None:
            signal_group(child.pid, signal.SIGKILL)
            used = reap(child)
            if self._spare is not None and child.pid == self._spare.pid:
                self._spare = None
            request = self._asked.pop(child.pid, None)
            if request is None:
                continue  # a spare that was killed before it had a job
            usage = (used.ru_maxrss, used.ru_utime, used.ru_stime)
            self._told.append((request, child, usage, time.time()))
            self._ends.sendall(orjson.dumps([child.pid, child.exit_code, child.signal, usage]) + b"\n")


def _noted(request: bytes, child: EndedChild, usage: tuple[int, float, float], ended_at: float) -> dict[str, object]:
    """An end as the keeper notes it."""
    started = read_started(orjson.loads(request)["run_dir"])
    mark = started.mark if started is not None and started.pid == child.pid else None
    code = child.exit_code if child.exit_code is not None else -(child.signal or 0)
    facts = {"pid": child.pid, "mark": mark, "group": child.pid, "began_at": None}
    return facts | outcome(code, Usage(*usage), ended_at)


def _serve(
    requests: socket.socket,
    ends: socket.socket,
    closeables: Iterable[isolation.Closeable],
    gate: isolation.Closeable,
    state_dir: str,
) -> NoReturn:
    """Be the zygote."""
    code = 1  # the pilot takes note of the end of the zygote and makes another one
    try:
        isolation.detach(closeables)
        keep_output_in_time()
        rehearse(state_dir)
        gc.freeze()
        use_huge_pages()
        _Server(requests, ends, gate, state_dir).run()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _await(requests: socket.socket) -> launch.Surroundings:
    """The job of a spare."""
    with requests:
        try:
            return launch.Surroundings(**orjson.loads(_line(requests)))
        except (EOFError, ConnectionResetError):
            raise SystemExit(0) from None


def _line(connection: socket.socket) -> bytes:
    """The next line; there is never more than one on its way."""
    content = b""
    while not content.endswith(b"\n"):
        received = connection.recv(1 << 16)
        if not received:
            raise EOFError
        content += received
    return content
