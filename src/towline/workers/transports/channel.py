"""A script that runs at the other end of three pipes: what it is fed, what it answers, how it ended."""

import contextlib
import fcntl
import os
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from towline.errors import OutcomeUnknown, WorkerError
from towline.workers.transports.shell_text import Marks

_CHUNK_BYTES = 1 << 18
#: So much of an answer is kept until somebody reads it; the rest waits in the pipes.
_BUFFER_BYTES = 4 << 20
#: What a shell prints before a script begins, and a script on standard error, is kept up to this size.
_NOISE_BYTES = 1 << 20
#: A connection may end by itself for this time after the script has said its last word.
_LEAVING_SECONDS = 0.5
#: The two words may come apart on standard output and standard error.
_LAST_WORD_SECONDS = 5.0

#: Tells why a connection ended too early: whether the script had begun, the exit code of what was the connection (None
#: when it had to be ended), and everything that was said instead of an answer.
Explain = Callable[[bool, int | None, str], WorkerError]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a script may take."""

    #: From its start until the end of everything; None for no limit.
    total_seconds: float | None = None
    #: Without a single byte in either direction; None for no limit.
    stall_seconds: float | None = None


@dataclass(slots=True)
class _Stream:
    """One of the two outputs, as far as it was read. Pieces are handed on as they came, because copies take time."""

    marks: Marks
    #: Between the marks, and how many bytes that is.
    pieces: deque[bytes] = field(default_factory=deque)
    size: int = 0
    #: What may be the beginning of a mark.
    pending: bytes = b""
    begun: bool = False
    #: What follows the marks in their lines.
    begin_text: bytes = b""
    end_text: bytes | None = None

    def feed(self, data: bytes) -> None:
        """Take note of what was read."""
        data = self.pending + data if self.pending else data
        self.pending = b""
        if not self.begun:
            data = self._after_begin(data)
        if self.begun and self.end_text is None:
            self._until_end(data)

    def take(self, limit: int) -> bytes:
        """The first piece, or so much of it."""
        piece = self.pieces.popleft()
        if len(piece) > limit:
            self.pieces.appendleft(piece[limit:])
            piece = piece[:limit]
        self.size -= len(piece)
        return piece

    def drop(self, kept: int) -> None:
        """Forget what came first, until about so many bytes are left."""
        while self.size > kept:
            self.take(self.size - kept)

    def everything(self) -> bytes:
        """What was read and not taken, a mark that is not complete included."""
        return b"".join(self.pieces) + self.pending

    def _after_begin(self, data: bytes) -> bytes:
        mark = self.marks.begin
        at = data.find(mark)
        stop = data.find(b"\n", at + len(mark)) if at >= 0 else -1
        if stop < 0:
            self.pending = data if at >= 0 else data[-_NOISE_BYTES:]
            return b""
        self.begun = True
        self.begin_text = data[at + len(mark) : stop]
        return data[stop + 1 :]

    def _until_end(self, data: bytes) -> None:
        mark = self.marks.end
        at = data.find(mark)
        stop = data.find(b"\n", at + len(mark)) if at >= 0 else -1
        if stop >= 0:
            self.end_text = data[at + len(mark) : stop]
        elif at < 0:
            # The mark may be cut between two pieces; only its first byte is a line end.
            at = data.rfind(b"\n", max(0, len(data) - len(mark)))
        if at >= 0:
            self.pending = b"" if stop >= 0 else data[at:]
            data = data[:at]
        if data:
            self.pieces.append(data)
            self.size += len(data)


class Channel:
    """Talks with a script until it has ended.

    Parameters
    ----------
    name
        Name of the worker, for messages.
    process
        The leader of a process group; reads what it is fed, and answers, through pipes.
    feed
        What goes to standard input, piece by piece.
    explain
        Makes the error when the connection ends before the script does.
    """

    def __init__(
        self,
        name: str,
        process: "subprocess.Popen[bytes]",
        marks: Marks,
        feed: Iterator[bytes],
        explain: Explain,
        limits: Limits,
    ) -> None:
        self._name = name
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._process = process
        self._explain = explain
        self._feed = feed
        self._unsent = memoryview(b"")
        self._out, self._err = _Stream(marks), _Stream(marks)
        self._moved_at = time.monotonic()
        self._limits = limits
        self._deadline = None if limits.total_seconds is None else self._moved_at + limits.total_seconds
        self._selector = selectors.DefaultSelector()
        self._open: set[int] = set()
        self._left = False
        for pipe, events in ((process.stdin, 2), (process.stdout, 1), (process.stderr, 1)):
            os.set_blocking(pipe.fileno(), False)
            _widen(pipe.fileno())
            self._selector.register(pipe.fileno(), events)
            self._open.add(pipe.fileno())
        self._stdin, self._stdout, self._stderr = (
            process.stdin.fileno(),
            process.stdout.fileno(),
            process.stderr.fileno(),
        )

    @property
    def home(self) -> str:
        """The home folder at the other end; known as soon as something was read."""
        return os.fsdecode(self._out.begin_text)

    def wait_until_begun(self) -> None:
        """Wait for the first word of the script."""
        while not self._out.begun:
            self._pump()

    def read(self, size: int) -> bytes:
        """Up to `size` bytes of standard output, as many unless it ends; empty at its end.

        Raises
        ------
        ConnectionFailed
            It could not be begun.
        OutcomeUnknown
            The connection ended or time ran out before the script did.
        """
        out = self._out
        while out.size < size and out.end_text is None:
            self._pump()
        taken: list[bytes] = []
        left = size
        while left and out.pieces:
            taken.append(out.take(left))
            left -= len(taken[-1])
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def read_piece(self, limit: int) -> bytes:
        """Standard output as it comes, at least one byte and at most `limit`; empty at its end.

        Raises as :meth:`read` does.
        """
        out = self._out
        while not out.pieces and out.end_text is None:
            self._pump()
        return out.take(limit) if out.pieces else b""

    def finish(self) -> tuple[int, bytes]:
        """Wait for the end of the script; return its exit code and its standard error.

        What it says on standard output from now on is dropped.
        """
        while self._out.end_text is None:
            self._out.drop(0)
            self._pump()
        late = time.monotonic() + _LAST_WORD_SECONDS
        while self._err.end_text is None and self._stderr in self._open and time.monotonic() < late:
            self._pump(least_seconds=0.05)
        code = int(self._out.end_text)
        errors = self._err.everything()
        self._leave(_LEAVING_SECONDS)
        return code, errors

    def abandon(self) -> None:
        """End the connection of this script, whatever it is doing."""
        self._leave(0)

    def _pump(self, least_seconds: float | None = None) -> None:
        """Wait until a byte moves, and move it."""
        ready = self._selector.select(self._patience() if least_seconds is None else least_seconds)
        for key, _ in ready:
            if key.fd == self._stdin:
                self._write()
            elif key.fd == self._stdout:
                self._receive(self._stdout, self._out)
            else:
                self._receive(self._stderr, self._err)
        if ready:
            self._moved_at = time.monotonic()
        if least_seconds is None:
            self._check_time()
        if self._stdout not in self._open and self._out.end_text is None:
            self._broken()

    def _patience(self) -> float | None:
        now = time.monotonic()
        ends = [] if self._deadline is None else [self._deadline]
        if self._limits.stall_seconds is not None:
            ends.append(self._moved_at + self._limits.stall_seconds)
        return max(0.0, min(ends) - now) if ends else None

    def _check_time(self) -> None:
        if self._patience() != 0.0:
            return
        seconds = self._limits.stall_seconds if self._deadline is None else self._limits.total_seconds
        begun = "what was asked for had begun" if self._out.begun else "it may or may not have begun"
        self.abandon()
        raise OutcomeUnknown(f"{self._name}: no answer in {seconds:g} s; {begun}, and its outcome is not known")

    def _write(self) -> None:
        try:
            if not self._unsent:
                self._unsent = memoryview(next(self._feed))
            self._unsent = self._unsent[os.write(self._stdin, self._unsent) :]
        except StopIteration:
            self._close_stdin()
        except BlockingIOError:
            pass
        except BrokenPipeError:
            # The script has ended without reading everything, or the connection has: its last words tell.
            self._close_stdin()
        except BaseException:
            # What is to be sent cannot be read; the other end must not take the part for the whole.
            self.abandon()
            raise

    def _close_stdin(self) -> None:
        self._drop(self._stdin)
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def _receive(self, descriptor: int, stream: _Stream) -> None:
        try:
            data = os.read(descriptor, _CHUNK_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._drop(descriptor)
            return
        stream.feed(data)
        if stream is self._err:
            stream.drop(_NOISE_BYTES)

    def _drop(self, descriptor: int) -> None:
        if descriptor in self._open:
            self._open.discard(descriptor)
            self._selector.unregister(descriptor)

    def _broken(self) -> None:
        late = time.monotonic() + _LAST_WORD_SECONDS
        while self._stderr in self._open and time.monotonic() < late:
            if not self._selector.select(0.02):
                if self._process.poll() is not None:
                    break
            else:
                self._receive(self._stderr, self._err)
        code: int | None = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(_LEAVING_SECONDS)
        # Before its first word a shell may complain on standard output as well.
        noise = b"" if self._out.begun else self._out.pending
        said = (self._err.everything() + noise).decode(errors="replace")
        begun = self._out.begun
        self.abandon()
        raise self._explain(begun, code, said)

    def _leave(self, patience_seconds: float) -> None:
        if self._left:
            return
        self._left = True
        if self._process.poll() is None:
            self._close_stdin()
            with contextlib.suppress(subprocess.TimeoutExpired):
                if patience_seconds:
                    self._process.wait(patience_seconds)
        if self._process.returncode is None:
            # A process that the script left behind keeps the connection open, or the other end is gone.
            self._kill(everything=not patience_seconds)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._open.clear()
        self._selector.close()

    def _kill(self, *, everything: bool) -> None:
        with contextlib.suppress(ProcessLookupError):
            if everything:
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        self._process.wait()


def _widen(descriptor: int) -> None:
    # Fewer switches between the processes; other systems than Linux have pipes of their own size.
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _BUFFER_BYTES // 4)
