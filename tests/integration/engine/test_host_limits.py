"""Workers that share a host share its limit."""

import json

import pytest
from jobflow import Flow

from towline.testing import jobs
from towline.testing.command_line import tow
from towline.testing.waiting import wait_until

_WORKERS = {"debug": {"max_jobs": 3}, "regular": {"max_jobs": 3}}


def _most_at_once(engine):
    """The most jobs that were handed over at the same time, from the journal."""
    rows = engine.rows("SELECT to_state FROM event WHERE job_id IS NOT NULL ORDER BY id")
    there = most = 0
    for (after,) in rows:
        there += (after == "CHECKED_OUT") - (after in ("COMPLETED", "FAILED"))
        most = max(most, there)
    return most


@pytest.mark.parametrize("limit", [1, 2, 4])
def test_jobs_of_all_workers_of_a_host_count_together(engine, limit):
    engine.configure(workers=_WORKERS, max_jobs_per_host={"localhost": limit})
    for number in range(4):
        engine.submit(jobs.sleep(0.05), worker="debug" if number % 2 else "regular")
    engine.submit(Flow([jobs.sleep(0.05) for _ in range(4)]), worker="debug")
    engine.run()
    assert set(engine.states().values()) == {"COMPLETED"}
    assert _most_at_once(engine) == limit


def test_a_host_without_a_limit_has_that_of_its_workers(engine):
    engine.configure(workers=_WORKERS)
    for worker in _WORKERS:
        engine.submit(Flow([jobs.sleep(0.3) for _ in range(4)]), worker=worker)
    engine.run()
    assert _most_at_once(engine) >= 6


def test_the_places_of_a_host_go_by_priority_and_not_by_worker(engine):
    engine.configure(workers=_WORKERS, max_jobs_per_host={"localhost": 1})
    engine.submit(Flow([jobs.sleep(0) for _ in range(3)]), worker="debug", priority=1)
    (urgent,) = engine.submit(jobs.sleep(0), worker="regular", priority=2)
    (last,) = engine.submit(jobs.sleep(0), worker="regular", priority=0)
    engine.run()
    claimed = [job for (job,) in engine.rows("SELECT job_id FROM event WHERE to_state = 'CHECKED_OUT' ORDER BY id")]
    assert claimed[0] == int(urgent)
    assert claimed[-1] == int(last)
    assert sorted(claimed[1:-1]) == claimed[1:-1]


def test_a_limit_of_zero_starts_nothing_until_it_is_raised(engine):
    engine.configure(workers=_WORKERS, max_jobs_per_host={"localhost": 0})
    (db_id,) = engine.submit(jobs.sleep(0))
    runner = engine.start_runner_process()
    try:
        wait_until(lambda: "max_jobs_per_host is 0" in tow("job", "info", db_id).out, 20)
        assert engine.job(db_id)["state"] == "READY"
        engine.configure(workers=_WORKERS, max_jobs_per_host={"localhost": 1})
        wait_until(lambda: engine.job(db_id)["state"] == "COMPLETED", 20)
    finally:
        runner.terminate()
        runner.wait(20)


def test_what_waits_for_a_host_says_so(engine, tmp_path):
    engine.configure(workers=_WORKERS, max_jobs_per_host={"localhost": 1})
    gate = tmp_path / "gate"
    (first,) = engine.submit(jobs.wait_for_file(str(gate)), worker="debug")
    (second,) = engine.submit(jobs.sleep(0), worker="regular")
    runner = engine.start_runner_process()
    try:
        wait_until(lambda: engine.job(first)["state"] == "RUNNING", 20)
        shown = tow("job", "info", second).out
        assert "a free place on the host localhost: 1 of 1 taken, by jobs of its workers debug, regular" in " ".join(
            shown.split()
        )
        assert "regular: its jobs wait for a free place on this machine: 1 are there" in tow("worker", "list").err
        (report,) = [item for item in json.loads(tow("worker", "list", "--json").out) if item["name"] == "regular"]
        assert (report["host_limit"], report["jobs_on_host"]) == (1, 1)
        gate.touch()
        wait_until(lambda: engine.job(second)["state"] == "COMPLETED", 20)
    finally:
        runner.terminate()
        runner.wait(20)
