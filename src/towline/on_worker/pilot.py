"""The pilot of a worker: starts jobs cheaply, notices their ends at once, and outlives the runner.

``python -m towline.on_worker.pilot SETTINGS --keeper DESCRIPTOR``, started by :mod:`towline.on_worker.keeper`. One
process, one thread, one event loop; it has the imports done that jobs need, and runs each job in a fork of itself,
in another program, or in its pool.
"""

import gc
import importlib
import logging
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import psutil

from towline import __version__
from towline.errors import TowlineError
from towline.on_worker.attempt_files import write_whole
from towline.on_worker.dispatch import Dispatch
from towline.on_worker.framing import Message
from towline.on_worker.gate import Gate
from towline.on_worker.huge_pages import use_huge_pages
from towline.on_worker.isolation import Closeable
from towline.on_worker.keeper import REPLACED
from towline.on_worker.pilot_files import ADDRESS_FILE, GATE_FILE
from towline.on_worker.runner_port import RunnerPort
from towline.on_worker.timers import Timer, Timers

logger = logging.getLogger("towline.pilot")

#: How often the pilot looks whether its socket and its state folder are still there.
_LOOK_AROUND_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class PilotSettings:
    """What a pilot is started with."""

    state_dir: str
    #: Path of the socket; short, because the system allows about 100 bytes.
    socket: str
    #: Modules that jobs need, imported once.
    preload: tuple[str, ...]
    #: End after this time without anything to do, so that memory is held only while there is work.
    idle_seconds: float
    #: Between SIGTERM and SIGKILL.
    grace_seconds: float


class Pilot:
    """The pilot of one state folder."""

    def __init__(self, settings: PilotSettings, keeper_descriptor: int) -> None:
        self._settings = settings
        self._state_dir = Path(settings.state_dir)
        self._gate = Gate(self._state_dir / GATE_FILE)
        self._selector = selectors.DefaultSelector()
        self._timers = Timers()
        #: At its end when the keeper is gone.
        self._keeper_pipe = open(keeper_descriptor, "rb", buffering=0)  # noqa: SIM115 - open as long as this process
        self._exit_code: int | None = None
        self._keeper_lost = False
        self._idle_timer: Timer | None = None
        self._wake_read, self._wake_write = socket.socketpair()
        self._port = RunnerPort(Path(settings.socket), self._selector, self._received, self._connection_changed)
        self._dispatch = Dispatch(
            self._state_dir,
            self._selector,
            self._timers,
            settings.grace_seconds,
            gate=self._gate,
            closeables=self._closeables,
        )

    def run(self) -> int:
        """Work until there is nothing to do any more; return the exit code."""
        self._set_up()
        while self._exit_code is None:
            for key, _ in self._selector.select(self._timers.timeout_seconds()):
                key.data()
            self._timers.fire()
            self._dispatch.start_waiting()
            self._tell()
            self._consider_ending()
        self._dispatch.close()
        self._port.close()
        self._port.path.unlink(missing_ok=True)
        return self._exit_code

    def _set_up(self) -> None:
        for end in (self._wake_read, self._wake_write):
            end.setblocking(False)
        signal.set_wakeup_fd(self._wake_write.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._end(0))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._woken)
        os.set_inheritable(self._keeper_pipe.fileno(), False)
        self._selector.register(self._keeper_pipe, selectors.EVENT_READ, self._lose_keeper)
        address = {"pid": os.getpid(), "socket": self._settings.socket, "version": __version__}
        write_whole(str(self._state_dir / ADDRESS_FILE), orjson.dumps(address))
        self._timers.after(_LOOK_AROUND_SECONDS, self._look_around)
        warm_up(self._settings.preload)
        if self._settings.preload:
            self._dispatch.start_zygote()

    def _closeables(self) -> list[Closeable]:
        return [self._port, self._selector, self._wake_read, self._wake_write, self._keeper_pipe]

    def _woken(self) -> None:
        self._wake_read.recv(4096)
        self._dispatch.reap()

    def _received(self, message: Message) -> None:
        header, attachments = message
        if "hello" in header:
            self._dispatch.slots = header["hello"]["slots"]
            self._port.send({"pilot": self._facts()})
            self._dispatch.tell_everything()
        if "slots" in header:
            self._dispatch.slots = header["slots"]
        if "acknowledge" in header:
            self._dispatch.acknowledge(header["acknowledge"])
        if "adopt" in header:
            self._dispatch.adopt(header["adopt"])
        if "submit" in header:
            self._dispatch.submit(header["submit"], attachments)
        if "cancel" in header:
            self._dispatch.cancel(header["cancel"])
        if "end" in header and not self._dispatch.busy:
            self._end(REPLACED)

    def _facts(self) -> dict[str, object]:
        return {
            "pid": os.getpid(),
            "version": __version__,
            "python": sys.executable,
            "preload": self._settings.preload,
            "kept": not self._keeper_lost,
            "busy": self._dispatch.busy,
        }

    def _tell(self) -> None:
        observations, results = self._dispatch.take_observations()
        if observations:
            self._port.send({"observations": observations}, results)

    def _connection_changed(self) -> None:
        logger.info("a runner is connected" if self._port.connected else "no runner is connected")

    def _lose_keeper(self) -> None:
        logger.warning("the keeper is gone; this pilot ends when it has nothing to do")
        self._selector.unregister(self._keeper_pipe)
        self._keeper_lost = True

    def _look_around(self) -> None:
        if self._state_dir.is_dir():
            self._port.listen_again_if_gone()
        elif not self._dispatch.busy:
            self._end(0)
        self._timers.after(_LOOK_AROUND_SECONDS, self._look_around)

    def _consider_ending(self) -> None:
        busy = self._dispatch.busy
        if self._keeper_lost and not busy:
            # Whoever needs a pilot starts one, and that one has a keeper.
            self._end(0)
        if busy:
            if self._idle_timer is not None:
                self._idle_timer.cancel()
                self._idle_timer = None
        elif self._idle_timer is None:
            self._idle_timer = self._timers.after(self._settings.idle_seconds, self._end_if_nothing_runs)

    def _end_if_nothing_runs(self) -> None:
        self._idle_timer = None
        # Jobs of an earlier pilot, of which no runner has told us yet, are children of the keeper.
        if len(psutil.Process(os.getppid()).children()) <= 1:
            logger.info("nothing to do for %g seconds", self._settings.idle_seconds)
            # Lost if the runner does not read it; then it takes this for an accident and starts another pilot.
            self._port.send({"resting": True})
            self._end(0)

    def _end(self, exit_code: int) -> None:
        self._exit_code = exit_code


def warm_up(modules: Sequence[str]) -> None:
    """Import what jobs need, and make this process cheap to fork."""
    for module in modules:
        try:
            importlib.import_module(module)
        # Whatever a module does when it is imported: the jobs that need it will say so themselves.
        except Exception as error:
            logger.warning("the module %s cannot be preloaded: %s: %s", module, type(error).__name__, error)
    gc.collect()
    gc.freeze()
    logger.info("%d modules loaded, %d MB on huge pages", len(sys.modules), use_huge_pages() >> 20)


def serve(pilot: Callable[[], int]) -> int:
    """Run a pilot, with its log on standard error; return the exit code."""
    # Not the root logger: jobs run in forks of this process, and their logging is their own.
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s pilot %(process)d: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        return pilot()
    except TowlineError as error:
        logger.error("%s", error)
        return 1


def main(arguments: Sequence[str]) -> int:
    """Run the pilot of a state folder."""
    content = orjson.loads(arguments[0])
    settings = PilotSettings(**{**content, "preload": tuple(content["preload"])})
    return serve(lambda: Pilot(settings, int(arguments[2])).run())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
