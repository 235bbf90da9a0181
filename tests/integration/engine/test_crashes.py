"""Processes are killed at random moments, and every job still runs exactly once."""

import collections
import os
import random
import signal

import psutil
import pytest
from jobflow import Flow

import towline
from towline.testing import jobs
from towline.testing.waiting import wait_until

JOBS = 500
RUNNER_KILLS = 200
PILOT_KILLS = 25


def submit_traced_jobs(engine, count, execution):
    """Jobs that each leave a line when they really run, in chains of 5 and fans."""
    trace = engine.home.parent / "trace"
    trace.touch()
    flow, last = [], None
    for number in range(count):
        last = jobs.append_line(str(trace), str(number), after=last.output if last is not None and number % 5 else None)
        flow.append(last)
    return trace, engine.submit(Flow(flow), resources={"execution": execution})


def unfinished(engine):
    return engine.rows("SELECT COUNT(*) FROM job WHERE state <> 'COMPLETED'")[0][0]


def assert_each_ran_once(engine, trace, count):
    assert unfinished(engine) == 0, engine.rows("SELECT id, state, reason FROM job WHERE state <> 'COMPLETED'")
    lines = collections.Counter(trace.read_text().splitlines())
    assert lines == collections.Counter(str(number) for number in range(count))
    assert engine.rows("SELECT COUNT(*) FROM document") == [(count,)]
    completions = engine.rows("SELECT COUNT(*) FROM event WHERE to_state = 'COMPLETED'")
    assert completions == [(count,)]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("execution", ["warm", "pooled"])
def test_the_runner_is_killed_again_and_again(engine, execution):
    randomness = random.Random(20261121)
    trace, _ = submit_traced_jobs(engine, JOBS, execution)
    kills = 0
    while unfinished(engine):
        runner = engine.start_runner_process()
        pause_seconds = randomness.uniform(0.15, 0.6) if kills < RUNNER_KILLS else 60
        try:
            runner.wait(timeout=pause_seconds)
        except Exception:  # noqa: BLE001
            pass
        kills += 1
    assert_each_ran_once(engine, trace, JOBS)
