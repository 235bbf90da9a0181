"""What the machine can do at best: the denominators.

The minimal runner moves jobs READY -> RUNNING -> DONE in one SQLite table (WAL, synchronous NORMAL), with a document
of 1 KB and a stored result; every change of state is a transaction of its own. It has no graph, no journal, no run
folders and no recovery: what a system loses against it is the price of those.
"""

import json
import operator
import os
import select
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

#: As many at a time as towline runs by default: one for each processor.
SLOTS = os.cpu_count() or 1
#: Jobs sent ahead to each warm worker, so that it does not wait for the runner's transaction.
AHEAD = 4

CLAIM = """
update job set state = 'RUNNING'
where id = (select id from job where state = 'READY' order by id limit 1) returning id, document
"""
FINISH = "update job set state = 'DONE', result = ? where id = ?"


@contextmanager
def queue(count: int) -> Iterator[sqlite3.Connection]:
    """A database in a temporary folder with `count` READY jobs."""
    folder = tempfile.mkdtemp(prefix="towline-floor-")
    connection = sqlite3.connect(Path(folder) / "queue.sqlite", isolation_level=None)
    try:
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = normal")
        connection.execute("create table job (id integer primary key, state text, document blob, result blob)")
        connection.execute("create index ready on job (id) where state = 'READY'")
        document = json.dumps({"arguments": [1, 2], "padding": "x" * 1000}).encode()
        connection.execute("begin")
        connection.executemany("insert into job (state, document) values ('READY', ?)", [(document,)] * count)
        connection.execute("commit")
        yield connection
    finally:
        connection.close()
        shutil.rmtree(folder, ignore_errors=True)


def _check_all_done(connection: sqlite3.Connection, count: int) -> None:
    done = connection.execute("select count(*) from job where state = 'DONE' and result is not null").fetchone()[0]
    if done != count:
        raise RuntimeError(f"the minimal runner finished {done} of {count} jobs")


def _processes_per_second(count: int, start: Callable[[], int]) -> float:
    """Run one process per job, SLOTS at a time; jobs per second."""
    with queue(count) as connection:
        started = time.perf_counter()
        running: dict[int, int] = {}
        for _ in range(count):
            if len(running) == SLOTS:
                _reap(connection, running)
            identifier, _document = connection.execute(CLAIM).fetchone()
            running[start()] = identifier
        while running:
            _reap(connection, running)
        seconds = time.perf_counter() - started
        _check_all_done(connection, count)
    return count / seconds


def _reap(connection: sqlite3.Connection, running: dict[int, int]) -> None:
    process, status = os.waitpid(-1, 0)
    exit_code = os.waitstatus_to_exitcode(status)
    if exit_code != 0:
        raise RuntimeError(f"a process of the floor ended with {exit_code}")
    connection.execute(FINISH, (json.dumps({"exit_code": exit_code}).encode(), running.pop(process)))


def spawned_per_second(count: int = 2000) -> float:
    """Minimal runner with ``posix_spawn /bin/true``: jobs per second."""
    true = shutil.which("true") or "/bin/true"
    return _processes_per_second(count, lambda: os.posix_spawn(true, ["true"], os.environ))


def forked_per_second(count: int = 1000) -> float:
    """Minimal runner with a fork of this small warm Python: jobs per second."""

    def fork() -> int:
        process = os.fork()
        if process == 0:
            os._exit(0)
        return process

    return _processes_per_second(count, fork)


def pooled_per_second(count: int = 3000) -> float:
    """Minimal runner with a warm Python worker per slot, over pipes: jobs per second."""
    with queue(count) as connection:
        workers = [_Worker() for _ in range(SLOTS)]
        by_descriptor = {worker.answers.fileno(): worker for worker in workers}
        poll = select.poll()
        for descriptor in by_descriptor:
            poll.register(descriptor, select.POLLIN)
        started = time.perf_counter()
        claimed = finished = 0
        for worker in workers * AHEAD:
            claimed += worker.send_next(connection)
        while finished < count:
            for descriptor, _ in poll.poll():
                worker = by_descriptor[descriptor]
                identifier, result = worker.receive()
                connection.execute(FINISH, (result, identifier))
                finished += 1
                if claimed < count:
                    claimed += worker.send_next(connection)
        seconds = time.perf_counter() - started
        # Last first: a later worker inherited the pipes of the earlier ones.
        for worker in reversed(workers):
            worker.close()
        _check_all_done(connection, count)
    return count / seconds


class _Worker:
    """A forked Python that adds what it is sent, one line per job."""

    def __init__(self) -> None:
        to_read, to_write = os.pipe()
        from_read, from_write = os.pipe()
        self.process = os.fork()
        if self.process == 0:
            os.close(to_write)
            _serve(to_read, from_write)
        os.close(to_read)
        os.close(from_write)
        self.jobs = to_write
        self.answers = os.fdopen(from_read, "rb", buffering=0)
        self.identifiers: list[int] = []

    def send_next(self, connection: sqlite3.Connection) -> int:
        row = connection.execute(CLAIM).fetchone()
        if row is None:
            return 0
        self.identifiers.append(row[0])
        os.write(self.jobs, row[1] + b"\n")
        return 1

    def receive(self) -> tuple[int, bytes]:
        # One answer at a time: the answers are shorter than a pipe's atomic write, and of one length.
        return self.identifiers.pop(0), self.answers.read(_ANSWER_BYTES) or b""

    def close(self) -> None:
        os.close(self.jobs)
        self.answers.close()
        os.waitpid(self.process, 0)


_ANSWER = b'{"output": %8d}\n'
_ANSWER_BYTES = len(_ANSWER % 0)


def _serve(jobs: int, answers: int) -> None:
    with os.fdopen(jobs, "rb") as lines:
        for line in lines:
            os.write(answers, _ANSWER % operator.add(*json.loads(line)["arguments"]))
    os._exit(0)


def python_pass_seconds() -> float:
    """Seconds that ``python -c pass`` of this environment takes."""
    return command_seconds([sys.executable, "-c", "pass"])


def command_seconds(command: list[str]) -> float:
    """Seconds from the start of a command to its end."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started
