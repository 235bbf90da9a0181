"""A process of the pool: runs functions one after another, without a run folder for each."""

import contextlib
import os
import socket
import struct
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from towline.on_worker import isolation
from towline.on_worker.framing import encode
from towline.on_worker.pool_journal import SUFFIX, open_to_append
from towline.on_worker.process_identity import start_mark
from towline.on_worker.run_job import execute, keep_output_in_time, pack

#: More than any message that fits into the socket; larger packages come in a file.
RECEIVE_BYTES = 1 << 20

#: A new journal is begun after this size, so that the old one can be removed.
_LARGEST_JOURNAL_BYTES = 8_000_000

#: How often an idle process looks whether the pilot is still there, where the end of a socket does not tell.
_IDLE_LOOK_SECONDS = 10


@dataclass(frozen=True, slots=True)
class PoolChildSetup:
    """What a process of the pool is given."""

    #: One message for each function, from the pilot.
    jobs: socket.socket
    #: What goes into the journal goes here too, to the pilot.
    reports: socket.socket
    folder: Path
    scratch: Path
    log: Path
    pilot_pid: int


def serve(setup: PoolChildSetup) -> int:
    """Run functions until the pilot closes the socket or is gone."""
    isolation.redirect(str(setup.log), str(setup.log))
    keep_output_in_time()
    os.chdir(setup.scratch)
    # Portable: not every system tells the reader of such a socket that the writer is gone.
    setup.jobs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", _IDLE_LOOK_SECONDS, 0))
    _Server(setup).run()
    return 0


class _Server:
    def __init__(self, setup: PoolChildSetup) -> None:
        self._setup = setup
        self._journals = 0
        self._journal = self._begin_journal()
        self._written_bytes = 0

    def run(self) -> None:
        """Take one function after another."""
        waiting = b""
        report = b""
        while True:
            if not waiting:
                self._write(report)
                report = b""
                waiting = self._wait()
                if not waiting:
                    return
            header, _, package = waiting.partition(b"\n")
            job = orjson.loads(header)
            key = job["key"]
            began = time.time()
            # One write for the end of the last function and the begin of this one: both before it runs.
            self._write(report + encode({"begin": key, "at": began}))
            if os.getppid() != self._setup.pilot_pid:
                # In this order: a pilot that finds no entry for a function knows that it will not run here.
                self._write(encode({"back": key}))
                return
            report = self._run(job, package, began)
            waiting = self._next_if_there()

    def _run(self, job: Mapping[str, Any], package: bytes, began: float) -> bytes:
        if "file" in job:
            package = Path(job["file"]).read_bytes()
        cpu_began = time.process_time()
        export = job.get("export")
        before = dict(os.environ) if export else None
        if export:
            os.environ.update(export)
        result = pack(execute(package))
        if before is not None:
            os.environ.clear()
            os.environ.update(before)
        os.chdir(self._setup.scratch)
        cpu_seconds = round(time.process_time() - cpu_began, 6)
        entry = {"end": job["key"], "began": began, "at": time.time(), "cpu_seconds": cpu_seconds}
        return encode(entry, [result])

    def _wait(self) -> bytes:
        while os.getppid() == self._setup.pilot_pid:
            try:
                return self._setup.jobs.recv(RECEIVE_BYTES)
            except BlockingIOError:
                continue
        return b""

    def _next_if_there(self) -> bytes:
        try:
            return self._setup.jobs.recv(RECEIVE_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return b""

    def _write(self, entries: bytes) -> None:
        if not entries:
            return
        try:
            os.write(self._journal, entries)
        # A full disk. The pilot is told all the same; only its own sudden death now could cost the result.
        except OSError as error:
            print(f"the journal of the pool cannot be written: {error}", file=sys.stderr)
        self._report(entries)
        self._written_bytes += len(entries)
        if self._written_bytes > _LARGEST_JOURNAL_BYTES:
            os.close(self._journal)
            self._journal = self._begin_journal()

    def _begin_journal(self) -> int:
        path = self._setup.folder / f"{os.getpid()}-{time.time_ns()}-{self._journals}{SUFFIX}"
        self._journals += 1
        self._written_bytes = 0
        descriptor = open_to_append(path)
        first = encode({"child": os.getpid(), "mark": start_mark(os.getpid())})
        os.write(descriptor, first)
        self._report(encode({"journal": str(path)}))
        return descriptor

    def _report(self, entries: bytes) -> None:
        # When the pilot is gone, the next one reads the journal.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._setup.reports.sendall(entries)
