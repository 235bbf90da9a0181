"""Processes are killed at random moments, and every job still runs exactly once."""

import collections
import contextlib
import os
import random
import signal
import subprocess
import sys

import psutil
import pytest
from jobflow import Flow

import towline
from towline.errors import StoreFull
from towline.testing import jobs
from towline.testing.forked_runners import ForkedRunners
from towline.testing.waiting import wait_until

#: The same pauses in every run of the tests.
SEED = 20261121

UNFINISHED = "SELECT COALESCE(SUM(jobs), 0) FROM flow_count WHERE state <> 'COMPLETED'"


def submit_traced_jobs(engine, count, execution, seconds):
    """Jobs that each leave a line when they really run, most of them in chains of five."""
    trace = engine.home.parent / "trace"
    trace.touch()
    flow, last = [], None
    for number in range(count):
        after = last.output if last is not None and number % 5 else None
        last = jobs.append_line(str(trace), str(number), after=after, seconds=seconds)
        flow.append(last)
    return trace, engine.submit(Flow(flow), resources={"execution": execution})


def unfinished(engine):
    return engine.rows(UNFINISHED)[0][0]


def assert_each_ran_once(engine, trace, count):
    problems = engine.rows(
        "SELECT id, state, reason, failure FROM job LEFT JOIN job_outcome ON job_id = id WHERE state <> 'COMPLETED'"
    )
    assert problems == []
    lines = collections.Counter(trace.read_text().splitlines())
    assert lines == collections.Counter(str(number) for number in range(count))
    assert engine.rows("SELECT COUNT(*) FROM document") == [(count,)]
    assert engine.rows("SELECT COUNT(*) FROM event WHERE job_id > 0 AND to_state = 'COMPLETED'") == [(count,)]
    assert engine.rows("SELECT COUNT(*) FROM job WHERE attempt > 1") == [(0,)]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("execution", "count", "kills"), [("warm", 500, 200), ("pooled", 150, 60)])
def test_the_runner_is_killed_at_random_moments(engine, execution, count, kills):
    randomness, longest_life = random.Random(SEED), 0.4
    # A runner that lives for a moment hands over few jobs of this length: some are left for every kill.
    engine.configure(workers={"local": {"max_jobs": 2}})
    trace, _ = submit_traced_jobs(engine, count, execution, seconds=0.4)
    left = count
    with ForkedRunners(engine.home.parent / "runner_process.log") as runners:
        for number in range(kills):
            if number % 20 == 19:
                # On a busy machine it takes longer to begin.
                longest_life = 2 * longest_life if unfinished(engine) == left else longest_life
                left = unfinished(engine)
            runner = runners.start()
            with contextlib.suppress(psutil.TimeoutExpired):
                runner.wait(timeout=randomness.uniform(0.0, longest_life))
                pytest.fail("the runner ended by itself")
            runner.kill()
            runner.wait(timeout=30)
    assert 0 < unfinished(engine) < count
    # What is left need not take as long.
    engine.configure(workers={"local": {"max_jobs": 12}})
    engine.run(max_seconds=300)
    assert_each_ran_once(engine, trace, count)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("execution", "count", "kills"), [("warm", 500, 200), ("cold", 60, 10), ("pooled", 100, 15)])
def test_the_fork_server_is_killed_at_random_moments(engine, execution, count, kills):
    randomness = random.Random(SEED)
    engine.configure(workers={"local": {"max_jobs": 2}})
    trace, ids = submit_traced_jobs(engine, count, execution, seconds=0.3)
    runner = engine.start_runner_process()

    def both_pids():
        return pids if all(pids := engine.pilot_pids()) else None

    try:
        wait_until(lambda: unfinished(engine) < count, what="the first job")
        for _ in range(kills):
            # Most kills meet a pilot that begins, the others one that has jobs.
            longest_pause = randomness.choice((0.3, 0.3, 0.3, 2.0))
            with contextlib.suppress(subprocess.TimeoutExpired):
                runner.wait(timeout=randomness.uniform(0.0, longest_pause))
            # After the pause: the pilot of before, killed, is named until the keeper has seen its end.
            keeper, pilot = wait_until(both_pids, what="keeper and pilot")
            for pid in randomness.choice(((pilot,), (pilot,), (keeper,), (keeper, pilot))):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        assert unfinished(engine) > 0
        # What is left need not take as long.
        engine.configure(workers={"local": {"max_jobs": 12}})
        assert towline.wait_flow(ids, timeout_seconds=300)
    finally:
        runner.terminate()
        runner.wait(timeout=30)
    assert_each_ran_once(engine, trace, count)


def test_the_process_that_forks_jobs_is_killed(engine):
    engine.configure(workers={"local": {"max_jobs": 2}})
    trace, ids = submit_traced_jobs(engine, 12, "warm", seconds=0.3)
    runner = engine.start_runner_process()
    try:
        for left in (10, 6):
            wait_until(lambda left=left: unfinished(engine) <= left, what="some jobs")
            _, pilot = engine.pilot_pids()
            (zygote,) = [child for child in psutil.Process(pilot).children() if child.children()]
            zygote.kill()
        assert towline.wait_flow(ids, timeout_seconds=60)
    finally:
        runner.terminate()
        runner.wait(timeout=30)
    assert_each_ran_once(engine, trace, 12)


def test_a_job_that_vanished_with_everything_that_watched_it_is_said_to_have(engine, tmp_path):
    (db_id,) = engine.submit(jobs.wait_for_file(str(tmp_path / "never")))
    runner = engine.start_runner_process()
    try:
        wait_until(lambda: engine.job(db_id)["state"] == "RUNNING", what="the job")
        process = int(engine.job(db_id)["process_id"])
        engine.end_processes()
        os.kill(process, signal.SIGKILL)
        wait_until(lambda: engine.job(db_id)["state"] == "FAILED", what="the end of the job")
    finally:
        runner.kill()
        runner.wait()
    assert engine.job(db_id)["reason"] in ("vanished", "signal")
    assert "tow job rerun" in engine.failure(db_id)["message"] or engine.job(db_id)["exit_signal"] == signal.SIGKILL


def test_a_locked_database_delays_the_runner_and_nothing_else(engine):
    trace = engine.home.parent / "trace"
    runner = engine.start_runner_process()
    try:
        ids = engine.submit(jobs.append_line(str(trace), "x", seconds=0.2))
        wait_until(trace.exists, what="the job")
        with engine.locked_database():
            wait_until(lambda: list(engine.home.rglob("towline_result.jsonl")), what="the end of the job")
        assert towline.wait_flow(ids, timeout_seconds=60)
    finally:
        runner.terminate()
        runner.wait(timeout=30)
    assert trace.read_text() == "x\n"


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 24 MB, with room for the log of the database."""
    folder = tmp_path / "small disk"
    folder.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a small disk can be mounted only by root on Linux")
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder]
    mounted = subprocess.run(mount, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk):
    """Leave no byte free; return the file that takes it all."""
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 1024)
    return ballast


def test_a_full_disk_is_said_and_work_goes_on_when_there_is_space(engine, small_disk):
    engine.configure(queue={"store": {"url": f"sqlite:///{small_disk}/queue.db"}}, workers={"local": {"max_jobs": 2}})
    trace, ids = submit_traced_jobs(engine, 20, "warm", seconds=0.2)
    runner = engine.start_runner_process()
    try:
        wait_until(lambda: unfinished(engine) < 18, what="the first jobs")
        ballast = fill(small_disk)
        log = engine.home / "default" / "log" / "runner.log"
        wait_until(lambda: "no space left on the disk" in log.read_text(), what="a complaint")
        with pytest.raises(StoreFull, match="free some space"):
            engine.submit(Flow([jobs.with_large_data(100_000)]))
        ballast.unlink()
        assert towline.wait_flow(ids, timeout_seconds=60)
    finally:
        runner.terminate()
        runner.wait(timeout=30)
    assert_each_ran_once(engine, trace, 20)
