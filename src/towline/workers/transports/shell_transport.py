"""What all transports do the same way, given a way to run a script with pipes to it."""

import itertools
import math
import secrets
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from towline.errors import ConnectionFailed, TransferFailed, WorkerError
from towline.workers.transports import file_readings, large_files
from towline.workers.transports.channel import Channel, Limits
from towline.workers.transports.fetching import Unpacking, check_apart, packing_script
from towline.workers.transports.sending import UNPACKED, tar_stream, unpacking_script
from towline.workers.transports.shell_text import Marks, Shell, framed, with_arguments
from towline.workers.transports.transport import Fetched, Health, Progress, ScriptResult, Selection, Tail, Tree

_PIECE_BYTES = 1 << 18

Feed = Callable[[], Iterator[bytes]]


def _nothing() -> Iterator[bytes]:
    return iter(())


class ShellTransport(ABC):
    """A transport that does every operation with one shell script and pipes to it.

    Parameters
    ----------
    name
        Name of the worker, for messages.
    shell
        What runs the scripts.
    timeout_seconds
        For a script that is given no other limit, and for a transfer in which no byte moves.
    """

    def __init__(self, name: str, shell: Shell, timeout_seconds: float) -> None:
        self.name = name
        self.round_trips = 0
        self._shell = shell
        self._timeout_seconds = timeout_seconds
        self._counting = threading.Lock()

    @abstractmethod
    def _session(self) -> AbstractContextManager[object]:
        """What has to be held while a script runs."""

    @abstractmethod
    def _start(self, argv: Sequence[str]) -> "subprocess.Popen[bytes]":
        """Start a program on the worker in a process group of its own, with pipes to it."""

    @abstractmethod
    def _explain(self, begun: bool, code: int | None, said: str) -> WorkerError:
        """The error for a connection that ended before the script did."""

    @abstractmethod
    def _may_try_again(self, error: ConnectionFailed, spent_seconds: float) -> bool:
        """Whether a script that certainly was not begun is to be tried again now; waits as long as needed."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the connection."""

    @contextmanager
    def channel(self, script: str, *, feed: Feed = _nothing, timeout_seconds: float | None = None) -> Iterator[Channel]:
        """A script that runs, to talk with.

        Parameters
        ----------
        feed
            Gives what goes to standard input; called again when the script has to be started again.
        timeout_seconds
            For everything; None limits only the time in which no byte moves.
        """
        token = secrets.token_hex(8)
        text = framed(script, token)
        limits = Limits(timeout_seconds, self._timeout_seconds if timeout_seconds is None else None)
        with self._session():
            channel = self._begin(text, Marks.of(token), feed, limits)
            try:
                yield channel
            except BaseException:
                channel.abandon()
                raise

    def _begin(self, text: bytes, marks: Marks, feed: Feed, limits: Limits) -> Channel:
        begun_at = time.monotonic()
        while True:
            process = self._start(self._shell.argv(len(text)))
            with self._counting:
                self.round_trips += 1
            channel = Channel(self.name, process, marks, itertools.chain([text], feed()), self._explain, limits)
            try:
                channel.wait_until_begun()
            except ConnectionFailed as error:
                if not self._may_try_again(error, time.monotonic() - begun_at):
                    raise
            except BaseException:
                channel.abandon()
                raise
            else:
                return channel

    def run(
        self,
        script: str,
        *,
        arguments: Sequence[str] = (),
        stdin: bytes = b"",
        timeout_seconds: float | None = None,
    ) -> ScriptResult:
        """Run a POSIX shell script, with arguments as ``$1``, ``$2``, …; any exit code is a result."""
        limit = self._timeout_seconds if timeout_seconds is None else timeout_seconds
        text, feed = with_arguments(script, arguments), lambda: iter([stdin])
        with self.channel(text, feed=feed, timeout_seconds=None if limit == math.inf else limit) as channel:
            output = b"".join(iter(lambda: channel.read(_PIECE_BYTES), b""))
            code, errors = channel.finish()
        return ScriptResult(code, output, errors)

    def send(
        self, root: str, trees: Sequence[Tree], *, then: str = "", progress: Progress | None = None
    ) -> ScriptResult:
        """Bring trees to the folder `root`, each of them under its final name only when complete."""
        script = unpacking_script(root, trees, secrets.token_hex(8), then)
        with self.channel(script, feed=lambda: tar_stream(trees, progress)) as channel:
            output = b"".join(iter(lambda: channel.read(_PIECE_BYTES), b""))
            code, errors = channel.finish()
        if not output.startswith(UNPACKED):
            said = errors.decode(errors="replace").strip()[-1000:] or f"exit code {code}"
            raise TransferFailed(f"{self.name}: files cannot be written to {root}: {said}")
        return ScriptResult(code, output[len(UNPACKED) :], errors)

    def fetch(self, selections: Sequence[Selection], *, progress: Progress | None = None) -> Sequence[Fetched]:
        """Bring files here, each of them under its final name only when complete."""
        if not selections:
            return []
        with self.channel(packing_script(selections)) as channel:
            check_apart(selections, channel.home)
            arrived = Unpacking(selections, channel, secrets.token_hex(8), progress).run()
            code, errors = channel.finish()
        if code:
            said = errors.decode(errors="replace").strip()[-1000:] or f"exit code {code}"
            raise TransferFailed(f"{self.name}: files cannot be read: {said}")
        return arrived

    def fetch_file(self, path: str, target: Path, *, verify: bool = False, progress: Progress | None = None) -> int:
        """Bring one large file here; go on where an earlier attempt was cut. Return its size in bytes."""
        return large_files.fetch(self.name, self.channel, path, target, verify=verify, progress=progress)

    def send_file(self, source: Path, path: str, *, verify: bool = False, progress: Progress | None = None) -> None:
        """Bring one large file there; go on where an earlier attempt was cut."""
        large_files.send(self.name, self.channel, source, path, verify=verify, progress=progress)

    def tail(self, offsets: Mapping[str, int], *, limit_bytes: int = 1 << 20) -> Mapping[str, Tail]:
        """What stands in files from an offset on, at most `limit_bytes` of each."""
        if not offsets:
            return {}
        token = secrets.token_hex(8)
        answer = self._answer(file_readings.tail_script(offsets, limit_bytes, token))
        return file_readings.tails(answer, list(offsets), token)

    def checksums(self, paths: Sequence[str]) -> Mapping[str, str | None]:
        """SHA-256 of files, as hexadecimal digits; None where there is no such file."""
        if not paths:
            return {}
        return file_readings.checksums(self._answer(file_readings.checksum_script(paths)), paths)

    def _answer(self, script: str) -> bytes:
        with self.channel(script) as channel:
            output = b"".join(iter(lambda: channel.read(_PIECE_BYTES), b""))
            code, errors = channel.finish()
        if code:
            raise TransferFailed(
                f"{self.name}: files cannot be read: {errors.decode(errors='replace').strip()[-1000:]}"
            )
        return output

    def check(self) -> Health:
        """Try the connection now, whatever happened before."""
        try:
            self.run(":")
            begun_at = time.monotonic()
            self.run(":")
        except ConnectionFailed as error:
            return Health(False, str(error), reason=error.reason)
        except WorkerError as error:
            return Health(False, str(error))
        return Health(True, f"{self.name} answers", round_trip_seconds=time.monotonic() - begun_at)
