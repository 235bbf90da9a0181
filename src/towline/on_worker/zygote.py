"""The zygote: a fork of the pilot that does nothing but fork jobs, so that forking stays cheap.

A fork copies the page tables of its process, and a process whose memory lies on huge pages has few of them. Each page
that is written while a child lives takes a huge page apart, though, and the pilot writes all over its memory. The
zygote writes hardly any.

It talks with the pilot over two sockets, in lines of JSON: one takes requests and answers each with a process id, the
other tells how children ended. The zygote ends when the pilot does; its children then belong to the keeper.
"""

import contextlib
import os
import select
import selectors
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import NamedTuple, NoReturn

import orjson

from towline.errors import TowlineError
from towline.on_worker import isolation, launch
from towline.on_worker.endings import EndedChild, next_ended_child, reap
from towline.on_worker.huge_pages import use_huge_pages
from towline.on_worker.keeper import outcome, write_down
from towline.on_worker.process_groups import signal_group
from towline.on_worker.process_identity import start_mark

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


def _serve(
    requests: socket.socket,
    ends: socket.socket,
    closeables: Iterable[isolation.Closeable],
    gate: isolation.Closeable,
    state_dir: str,
) -> NoReturn:
    """Be the zygote."""
    told: deque[dict[str, object]] = deque(maxlen=_REMEMBERED)
    try:
        isolation.detach(closeables)
        use_huge_pages()
        wake_read, wake_write = socket.socketpair()
        wake_write.setblocking(False)
        signal.set_wakeup_fd(wake_write.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        own = [requests, ends, wake_read, wake_write]
        poll = select.poll()
        poll.register(requests, select.POLLIN)
        poll.register(wake_read, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor != requests.fileno():
                    wake_read.recv(4096)
                    _tell_ends(ends, told)
                    continue
                surroundings = launch.Surroundings(**orjson.loads(_request(requests)))
                requests.sendall(_fork(surroundings, own, gate) + b"\n")
    except (EOFError, BrokenPipeError, ConnectionResetError):
        # The pilot is gone. What it was told last it may not have read, and the next one asks the keeper's notes.
        if told:
            write_down(state_dir, list(told))
        os._exit(0)
    finally:
        # The pilot takes note of the end of the zygote and makes another one.
        os._exit(1)


def _request(requests: socket.socket) -> bytes:
    """The next request; there is never more than one on its way."""
    content = b""
    while not content.endswith(b"\n"):
        received = requests.recv(1 << 16)
        if not received:
            raise EOFError
        content += received
    return content


def _fork(surroundings: launch.Surroundings, own: Sequence[isolation.Closeable], gate: isolation.Closeable) -> bytes:
    try:
        return orjson.dumps({"pid": launch.fork(surroundings, own, gate)})
    except OSError as error:
        return orjson.dumps({"error": str(error)})


def _tell_ends(ends: socket.socket, told: deque[dict[str, object]]) -> None:
    while (child := next_ended_child()) is not None:
        signal_group(child.pid, signal.SIGKILL)
        mark = start_mark(child.pid)
        usage = reap(child)
        code = child.exit_code if child.exit_code is not None else -(child.signal or 0)
        told.append({"pid": child.pid, "mark": mark, "group": child.pid, "began_at": None, **outcome(code, usage)})
        known = (usage.ru_maxrss, usage.ru_utime, usage.ru_stime)
        ends.sendall(orjson.dumps([child.pid, child.exit_code, child.signal, known]) + b"\n")
