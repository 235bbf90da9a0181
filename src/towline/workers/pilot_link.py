"""The runner's end of the connection to the pilot of a worker: starts it, greets it, and comes back when it is lost."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import orjson

import towline
from towline.errors import WorkerError
from towline.on_worker.framing import Decoder, Message, encode
from towline.on_worker.isolation import JOB_VARIABLE, RUN_DIR_VARIABLE
from towline.on_worker.keeper import LOG_FILE
from towline.on_worker.pilot_files import ADDRESS_FILE
from towline.workers.socket_place import socket_path

#: How long it may take until a pilot listens, and until it answers: it imports what jobs need first.
_PATIENCE_SECONDS = 30.0
_IMPORT_SECONDS = 300.0

#: How long to wait before a keeper is started again: one that was about to end may have stood in its way.
_START_AGAIN_SECONDS = 1.0

#: Rest after a pilot could not be started, or another runner took it over.
_REST_SECONDS = 5.0

_LOOK_AGAIN_SECONDS = 0.005
_RECEIVE_BYTES = 1 << 20

#: Runs the keeper without site packages; it is told where towline is.
_KEEPER = "import sys; sys.path.insert(0, sys.argv[1]); from towline.on_worker.keeper import main; main(sys.argv[2])"


@dataclass(frozen=True, slots=True)
class PilotWish:
    """The pilot that a worker wants."""

    state_dir: Path
    python: str
    preload: tuple[str, ...]
    idle_seconds: float
    grace_seconds: float

    def matches(self, facts: Mapping[str, Any]) -> bool:
        """Whether a pilot with these facts will do."""
        wanted = (towline.__version__, self.python, list(self.preload), True)
        return wanted == (facts["version"], facts["python"], facts["preload"], facts["kept"])


class _Phase(Enum):
    DOWN = "down"
    STARTING = "starting"
    GREETED = "greeted"
    READY = "ready"


@dataclass(slots=True)
class _Connection:
    end: socket.socket
    decoder: Decoder = field(default_factory=Decoder)
    unsent: bytearray = field(default_factory=bytearray)


class PilotLink:
    """The connection to the pilot of one state folder."""

    def __init__(self, wish: PilotWish, slots: int) -> None:
        self.slots = slots
        #: Facts that the pilot told about itself.
        self.facts: Mapping[str, Any] = {}
        #: Why there is no connection, when something is wrong.
        self.problem: str | None = None
        #: Whether the pilot has ended because there was nothing to do.
        self.asleep = False
        self._wish = wish
        self._phase = _Phase.DOWN
        self._connection: _Connection | None = None
        self._keeper: subprocess.Popen[bytes] | None = None
        #: Since when a pilot is wanted and has not answered.
        self._trying_since: float | None = None
        self._keeper_started = 0.0
        self._rest_until = 0.0

    @property
    def ready(self) -> bool:
        """Whether the pilot answered."""
        return self._phase is _Phase.READY

    @property
    def resting(self) -> bool:
        """Whether there is no pilot, and none is being started just now."""
        return self._phase is _Phase.DOWN and time.monotonic() < self._rest_until

    def file_descriptors(self) -> list[int]:
        """What becomes readable when the pilot says something."""
        return [] if self._connection is None else [self._connection.end.fileno()]

    def next_look_seconds(self) -> float | None:
        """When :meth:`poll` should be called without anything to read."""
        if self._phase is _Phase.STARTING or (self._connection is not None and self._connection.unsent):
            return _LOOK_AGAIN_SECONDS
        if self._phase is _Phase.DOWN and self._rest_until:
            return max(0.0, self._rest_until - time.monotonic())
        return None

    def poll(self, *, wanted: bool) -> list[Message]:
        """Everything the pilot said. The first message of a new connection has the key `pilot`.

        Parameters
        ----------
        wanted
            Whether a pilot is to be started when there is none.
        """
        if self._keeper is not None and self._keeper.poll() is not None:
            self._keeper = None
        if self._phase is _Phase.DOWN and wanted and time.monotonic() >= self._rest_until:
            self._phase, self._rest_until, self.asleep = _Phase.STARTING, 0.0, False
            self._trying_since = self._trying_since or time.monotonic()
        if self._phase is _Phase.STARTING and not self._connect():
            self._start_again()
        if self._phase in (_Phase.STARTING, _Phase.GREETED):
            self._lose_patience()
        if self._connection is None:
            return []
        self._flush(self._connection)
        return [message for message in self._receive() if self._is_for_worker(message)]

    def send(self, header: Mapping[str, Any], attachments: Sequence[bytes] = ()) -> None:
        """Send a message; it is lost when the connection is."""
        if self._connection is not None:
            self._connection.unsent += encode(header, attachments)
            self._flush(self._connection)

    def replace_if_outdated(self) -> None:
        """Let a pilot with another configuration make room; it does when it has nothing to do."""
        if self.ready and not self._wish.matches(self.facts):
            self.send({"end": True})

    def close(self) -> None:
        """Let go of the pilot."""
        if self._connection is not None:
            self._connection.end.close()
        self._connection = None
        self._phase = _Phase.DOWN
        if self._keeper is not None:
            self._keeper.wait()
            self._keeper = None

    def _connect(self) -> bool:
        path = self._address()
        if path is None:
            return False
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        end.setblocking(False)
        try:
            end.connect(path)
        except OSError:
            end.close()
            return False
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            end.setsockopt(socket.SOL_SOCKET, option, _RECEIVE_BYTES)
        self._connection = _Connection(end)
        self._phase = _Phase.GREETED
        self.send({"hello": {"slots": self.slots, "pid": os.getpid()}})
        return True

    def _address(self) -> str | None:
        try:
            return str(orjson.loads((self._wish.state_dir / ADDRESS_FILE).read_bytes())["socket"])
        except (OSError, ValueError, KeyError):
            return None

    def _start(self) -> None:
        """Start the keeper, which starts the pilot; a keeper that finds another one ends at once."""
        state_dir = self._wish.state_dir
        try:
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            settings = {
                "state_dir": str(state_dir),
                "socket": str(socket_path(state_dir)),
                "preload": self._wish.preload,
                "idle_seconds": self._wish.idle_seconds,
                "grace_seconds": self._wish.grace_seconds,
            }
            pilot = [self._wish.python, "-P", "-m", "towline.on_worker.pilot", orjson.dumps(settings).decode()]
            arguments = orjson.dumps({"state_dir": str(state_dir), "pilot": pilot}).decode()
            source = str(Path(towline.__file__).parent.parent)
            environment = {k: v for k, v in os.environ.items() if k not in (JOB_VARIABLE, RUN_DIR_VARIABLE)}
            with (state_dir / LOG_FILE).open("ab") as log:
                self._keeper = subprocess.Popen(
                    [self._wish.python, "-I", "-S", "-c", _KEEPER, source, arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environment,
                )
        except (OSError, WorkerError) as error:
            self._fail(f"the pilot cannot be started with {self._wish.python}: {error}")

    def _start_again(self) -> None:
        now = time.monotonic()
        if self._keeper is None and now - self._keeper_started > _START_AGAIN_SECONDS:
            self._keeper_started = now
            self._start()

    def _lose_patience(self) -> None:
        patience_seconds = _PATIENCE_SECONDS if self._connection is None else _IMPORT_SECONDS
        if self._trying_since is not None and time.monotonic() - self._trying_since > patience_seconds:
            log = self._wish.state_dir / LOG_FILE
            self._fail(f"no pilot answers after {patience_seconds:g} seconds; {log} ends with: {_tail(log)}")

    def _fail(self, problem: str) -> None:
        self.problem = problem
        self._trying_since = None
        self._lose(_REST_SECONDS)

    def _lose(self, rest_seconds: float) -> None:
        if self._connection is not None:
            self._connection.end.close()
        self._connection = None
        self._phase = _Phase.DOWN
        self._rest_until = time.monotonic() + rest_seconds

    def _receive(self) -> list[Message]:
        messages: list[Message] = []
        while self._connection is not None:
            try:
                data = self._connection.end.recv(_RECEIVE_BYTES)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self._lose(0.0)
                break
            messages += self._connection.decoder.feed(data)
            if len(data) < _RECEIVE_BYTES // 8:
                break
        return messages

    def _is_for_worker(self, message: Message) -> bool:
        header = message[0]
        if "pilot" in header:
            self.facts = header["pilot"]
            if not self._wish.matches(self.facts) and not self.facts["busy"]:
                # It ends, the connection with it, and the next one is started as we want it.
                self.send({"end": True})
                return False
            self._phase, self.problem, self._trying_since = _Phase.READY, None, None
        elif "resting" in header:
            self._lose(0.0)
            self._rest_until, self.asleep = 0.0, True
            return False
        elif "replaced" in header:
            self._fail("another runner has connected to the pilot of this worker")
            return False
        return self.ready

    def _flush(self, connection: _Connection) -> None:
        try:
            while connection.unsent:
                sent = connection.end.send(connection.unsent[:_RECEIVE_BYTES])
                del connection.unsent[:sent]
        except BlockingIOError:
            return
        except OSError:
            connection.unsent.clear()


def _tail(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_bytes()[-1500:].decode(errors="replace").strip() or "nothing"
    return "nothing"
