"""Jobs inside allocations that are processes of this machine: order, places, limits, ends of all kinds."""

import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from towline.core.records import Assignment, Observation, ShellSetup
from towline.testing.batch import allocation_processes, end_allocations, pilots_of
from towline.testing.payloads import EXTRA_PAYLOADS
from towline.testing.waiting import wait_until
from towline.testing.worker_driver import WorkerDriver, assignment, lines_of, output_of
from towline.workers.batch.plan import BatchPlan
from towline.workers.batch.worker import BatchWorker
from towline.workers.remote.folders import Site
from towline.workers.remote.shell_queue import ShellQueue
from towline.workers.transports.local import LocalTransport

MakeDriver = Callable[..., WorkerDriver]


@pytest.fixture
def make_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeDriver]:
    """A function that makes a batch worker and drives it; all of them share spool and allocations."""
    monkeypatch.setenv("TOWLINE_EXTRA_PAYLOADS", EXTRA_PAYLOADS)
    # Without the imports that real jobs need, a pilot is there at once.
    monkeypatch.setattr("towline.workers.batch.plan.DEFAULT_PRELOAD", ("towline.testing.payloads",))
    workers: list[BatchWorker] = []

    def make(**options: Any) -> WorkerDriver:
        settings = {"max_allocations": 1, "parallel_jobs": 2, "max_wait": 30, "grace_seconds": 0.5} | options
        folders = (str(tmp_path / "spool"), str(tmp_path / "allocations"))
        site = Site("here", str(tmp_path), ShellQueue(0.5), sys.executable)
        workers.append(BatchWorker(site, BatchPlan(ShellQueue(0.5), *folders, **settings), LocalTransport("here")))
        return WorkerDriver(workers[-1])

    yield make
    for worker in workers:
        worker.close()
    end_allocations(tmp_path / "allocations")


def allocations(folder: Path) -> list[Path]:
    found = [path for path in (folder / "allocations").iterdir() if not path.name.startswith(".")]
    return sorted(found, key=lambda path: path.stat().st_mtime)


def records(driver: WorkerDriver) -> dict[str, str]:
    """States of the allocations, by uid."""
    assert isinstance(driver.worker, BatchWorker)
    return {record.uid: record.state for record in driver.worker.batch_news()}


def overlap(one: Observation, other: Observation) -> bool:
    assert one.exit is not None
    assert other.exit is not None
    assert one.exit.started_at is not None
    assert other.exit.started_at is not None
    return one.exit.started_at < other.exit.ended_at and other.exit.started_at < one.exit.ended_at


def test_two_hundred_jobs_share_one_allocation_and_run_once_each(make_driver: MakeDriver, tmp_path: Path) -> None:
    driver = make_driver()
    evidence = tmp_path / "evidence"
    driver.run(*[assignment(tmp_path, number, ["append", str(evidence), str(number)]) for number in range(1, 201)])
    assert sorted(map(int, lines_of(evidence))) == list(range(1, 201))
    assert len(allocations(tmp_path)) == 1
    assert isinstance(driver.worker, BatchWorker)
    # Looking goes on as long as it lasts; what is handed over and submitted is one thing for all jobs.
    assert driver.worker.transport.round_trips < 60
    assert not list((tmp_path / "spool").glob("[nc]*/*/*"))


def test_the_highest_priority_comes_first(make_driver: MakeDriver, tmp_path: Path) -> None:
    driver = make_driver(parallel_jobs=1)
    evidence = tmp_path / "evidence"
    priorities = {1: 0, 2: -3, 3: 70, 4: 5, 5: 5, 6: 1000}
    driver.run(
        *[
            assignment(tmp_path, number, ["append", str(evidence), str(number)], priority=priority)
            for number, priority in priorities.items()
        ]
    )
    assert lines_of(evidence) == ["6", "3", "4", "5", "1", "2"]


def test_a_wide_job_has_its_processors_to_itself(make_driver: MakeDriver, tmp_path: Path) -> None:
    driver = make_driver(parallel_jobs=4)
    wide = assignment(tmp_path, 9, ["sleep", 0.5], resources={"processes": 2, "threads_per_process": 2}, priority=1)
    narrow = [assignment(tmp_path, number, ["sleep", 0.5]) for number in range(1, 5)]
    ends = driver.run(wide, *narrow)
    assert not any(overlap(ends[0], other) for other in ends[1:])
    assert any(overlap(ends[1], other) for other in ends[2:])


def test_jobs_that_fit_nowhere_are_told_so(make_driver: MakeDriver, tmp_path: Path) -> None:
    driver = make_driver(time_limit=600)
    jobs = {
        "asks for 500 cores, and a node of the allocation has": {"processes": 500},
        "asks for 3 GPUs": {"gpus_per_job": 3},
        "MB of memory, and a node": {"memory_gigabytes": 100000},
        "its time limit is 3600 s, and an allocation has": {"time_limit": 3600},
    }
    asked = [
        assignment(tmp_path, number, ["return", 1], resources=resources)
        for number, resources in enumerate(jobs.values(), 1)
    ]
    fitting = assignment(tmp_path, 9, ["return", 1])
    driver.hand_over(*asked, fitting)
    for job, text in zip(asked, jobs, strict=True):
        refused = driver.wait_for(job.key, "step_failed")
        assert refused.failure is not None
        assert text in refused.failure.message
        assert not refused.may_retry
    driver.wait_for(fitting.key, "ended")
    wait_until(lambda: not list((tmp_path / "spool" / "unfit").iterdir()), 10)


def test_gpus_are_split(make_driver: MakeDriver, tmp_path: Path) -> None:
    driver = make_driver(parallel_jobs=4, shell=ShellSetup(export={"CUDA_VISIBLE_DEVICES": "GPU-a,GPU-b"}))
    one = [
        assignment(tmp_path, number, ["sleep", 0.3], ["facts"], resources={"gpus_per_job": 1}) for number in (1, 2, 3)
    ]
    both = assignment(tmp_path, 4, ["facts"], resources={"gpus_per_job": 2})
    ends = driver.run(*one, both)
    seen = [
        output_of(job, end)["environment"]["CUDA_VISIBLE_DEVICES"] for job, end in zip([*one, both], ends, strict=True)
    ]
    assert sorted(seen[:2]) == ["GPU-a", "GPU-b"]
    assert seen[2] in ("GPU-a", "GPU-b")
    assert seen[3] == "GPU-a,GPU-b"
    assert not overlap(ends[3], ends[0])


def test_an_allocation_ends_after_its_number_of_jobs(make_driver: MakeDriver, tmp_path: Path) -> None:
    driver = make_driver(max_jobs_per_batch=3)
    evidence = tmp_path / "evidence"
    driver.run(*[assignment(tmp_path, number, ["append", str(evidence), str(number)]) for number in range(1, 8)])
    assert len(lines_of(evidence)) == 7
    assert len(allocations(tmp_path)) == 3


def test_there_are_as_many_allocations_as_jobs_call_for(make_driver: MakeDriver, tmp_path: Path) -> None:
    driver = make_driver(max_allocations=2, parallel_jobs=2)
    jobs = [assignment(tmp_path, number, ["wait_for", str(tmp_path / "go")]) for number in range(1, 7)]
    driver.hand_over(*jobs)
    driver.wait(lambda: sum("started" in driver.events(job.key) for job in jobs) == 4, "the start of four jobs")
    assert len(allocations(tmp_path)) == 2
    (tmp_path / "go").touch()
    for job in jobs:
        driver.wait_for(job.key, "ended")
    assert len(allocations(tmp_path)) == 2


def test_an_idle_allocation_ends_and_the_next_job_has_another(make_driver: MakeDriver, tmp_path: Path) -> None:
    driver = make_driver(max_wait=0.5)
    driver.run(assignment(tmp_path, 1, ["return", 1]))
    driver.wait(lambda: "FINISHED" in records(driver).values(), "the end of the allocation")
    driver.run(assignment(tmp_path, 2, ["return", 1]))
    assert len(allocations(tmp_path)) == 2


def test_no_job_begins_after_max_time(make_driver: MakeDriver, tmp_path: Path) -> None:
    driver = make_driver(max_time=3, max_wait=1, parallel_jobs=1)
    first = assignment(tmp_path, 1, ["wait_for", str(tmp_path / "go")], priority=1)
    second = assignment(tmp_path, 2, ["return", 2])
    driver.hand_over(first, second)
    driver.wait_for(first.key, "started")
    time.sleep(3)
    (tmp_path / "go").touch()
    ends = [driver.wait_for(job.key, "ended") for job in (first, second)]
    assert [end.exit and end.exit.reason for end in ends] == ["exited", "exited"]
    assert len(allocations(tmp_path)) == 2


def test_an_allocation_ends_before_its_time_limit_and_hands_back(make_driver: MakeDriver, tmp_path: Path) -> None:
    driver = make_driver(time_limit=6, resources={"time_limit": 6}, parallel_jobs=1)
    long = assignment(tmp_path, 1, ["sleep", 300], priority=1)
    waiting = assignment(tmp_path, 2, ["return", 2])
    began = time.time()
    driver.hand_over(long, waiting)
    end = driver.wait_for(long.key, "ended")
    assert end.exit is not None
    assert end.exit.reason == "interrupted"
    assert "the time limit of its allocation (6 s) was near" in (end.exit.message or "")
    assert end.exit.ended_at - began < 7
    driver.wait_for(waiting.key, "ended")
    assert len(allocations(tmp_path)) == 2
    first = allocations(tmp_path)[0]
    assert '"reason":"exited"' in (first / "towline_exit.json").read_text()


def test_what_was_done_when_the_end_came_counts_as_done(make_driver: MakeDriver, tmp_path: Path) -> None:
    driver = make_driver(time_limit=12, resources={"time_limit": 12}, grace_seconds=5)
    job = assignment(tmp_path, 1, ["ignore_signals"], ["wait_for", str(tmp_path / "go")], ["return", 5])
    driver.hand_over(job)
    driver.wait(
        lambda: any("draining" in life.read_text() for life in tmp_path.glob("allocations/*/towline_node*.json")),
        "the end of the allocation",
    )
    (tmp_path / "go").touch()
    assert output_of(job, driver.wait_for(job.key, "ended")) == 5


def test_a_pilot_that_is_killed_comes_back_and_loses_nothing(make_driver: MakeDriver, tmp_path: Path) -> None:
    driver = make_driver()
    evidence = tmp_path / "evidence"
    held = [
        assignment(tmp_path, number, ["append", str(evidence), str(number)], ["wait_for", str(tmp_path / "go")])
        for number in (1, 2)
    ]
    others = [assignment(tmp_path, number, ["append", str(evidence), str(number)]) for number in range(3, 20)]
    driver.hand_over(*held, *others)
    for job in held:
        driver.wait_for(job.key, "started")
    for pid in pilots_of(tmp_path / "allocations"):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(pilots_of(tmp_path / "allocations")) > 0, 20)
    (tmp_path / "go").touch()
    ends = [driver.wait_for(job.key, "ended") for job in (*held, *others)]
    assert {end.exit and end.exit.reason for end in ends} == {"exited"}
    assert sorted(map(int, lines_of(evidence))) == list(range(1, 20))
    assert len(allocations(tmp_path)) == 1


def test_an_allocation_that_is_killed_hands_back(make_driver: MakeDriver, tmp_path: Path) -> None:
    driver = make_driver()
    evidence = tmp_path / "evidence"
    held = [
        assignment(tmp_path, number, ["append", str(evidence), str(number)], ["sleep", 300], priority=1)
        for number in (1, 2)
    ]
    others = [assignment(tmp_path, number, ["append", str(evidence), str(number)]) for number in range(3, 20)]
    driver.hand_over(*held, *others)
    for job in held:
        driver.wait_for(job.key, "started")
    kill_all(tmp_path / "allocations")
    ends = [driver.wait_for(job.key, "ended") for job in (*held, *others)]
    assert [end.exit and end.exit.reason for end in ends[:2]] == ["interrupted", "interrupted"]
    assert {end.exit and end.exit.reason for end in ends[2:]} == {"exited"}
    assert sorted(map(int, lines_of(evidence))) == list(range(1, 20))
    assert len(allocations(tmp_path)) == 2


def test_a_signal_to_everybody_is_no_failure_of_the_jobs(make_driver: MakeDriver, tmp_path: Path) -> None:
    driver = make_driver()
    job = assignment(tmp_path, 1, ["sleep", 300])
    driver.hand_over(job)
    driver.wait_for(job.key, "started")
    # As a scheduler does it: the job may be gone before the pilot has heard of anything.
    for process in reversed(allocation_processes(tmp_path / "allocations")):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)
    end = driver.wait_for(job.key, "ended")
    assert end.exit is not None
    assert end.exit.reason == "interrupted"


def test_a_signal_to_one_job_is_its_own_business(make_driver: MakeDriver, tmp_path: Path) -> None:
    driver = make_driver()
    job = assignment(tmp_path, 1, ["kill", int(signal.SIGTERM)])
    end = driver.run(job)[0]
    assert end.exit is not None
    assert end.exit.signal == signal.SIGTERM
    assert end.exit.reason == "signal"


def test_runners_come_and_go_without_a_storm_of_allocations(make_driver: MakeDriver, tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    jobs = [
        assignment(tmp_path, number, ["append", str(evidence), str(number)], ["sleep", 0.2]) for number in range(1, 41)
    ]
    driver = make_driver()
    driver.hand_over(*jobs)
    ended: dict[str, Assignment] = {}
    for pause_seconds in (0.1, 0.8, 1.5, 2.0):
        deadline = time.monotonic() + pause_seconds
        while time.monotonic() < deadline:
            driver.look()
        ended |= {job.key: job for job in jobs if driver.find(job.key, "ended")}
        driver.worker.close()
        driver = make_driver()
        left = [job for job in jobs if job.key not in ended]
        driver.worker.adopt(left)
        for job in left:
            driver.look(0.0)
            if "returned" in driver.events(job.key):
                driver.hand_over(job)
    for job in jobs:
        if job.key in ended:
            continue
        driver.wait(lambda key=job.key: driver.find(key, "ended") or driver.find(key, "returned"))  # type: ignore[misc]
        if not driver.find(job.key, "ended"):
            driver.hand_over(job)
            driver.wait_for(job.key, "ended")
    assert sorted(map(int, lines_of(evidence))) == list(range(1, 41))
    assert len(allocations(tmp_path)) == 1


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_in_a_storm_no_job_is_lost_and_none_runs_twice(make_driver: MakeDriver, tmp_path: Path, seed: int) -> None:
    chance, evidence = random.Random(seed), tmp_path / "evidence"
    jobs = {
        job.key: job
        for number in range(1, 61)
        if (job := assignment(tmp_path, number, ["append", str(evidence), str(number)], ["sleep", 0.1]))
    }
    driver, told = make_driver(max_allocations=2), {}
    driver.hand_over(*jobs.values())
    for _ in range(6):
        deadline = time.monotonic() + chance.uniform(0.2, 2.5)
        while time.monotonic() < deadline:
            driver.look(0.05)
        what = chance.choice(["pilot", "allocations", "signal", "runner", "runner"])
        if what == "pilot":
            for pid in pilots_of(tmp_path / "allocations"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        elif what == "allocations":
            kill_all(tmp_path / "allocations")
        elif what == "signal":
            for process in allocation_processes(tmp_path / "allocations"):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.terminate()
        else:
            told |= {key: end for key in jobs if (end := driver.find(key, "ended")) is not None}
            driver.worker.close()
            driver = make_driver(max_allocations=2)
            driver.worker.adopt([job for key, job in jobs.items() if key not in told])
    left = [key for key in jobs if key not in told]
    for key in left:
        driver.wait(lambda key=key: driver.find(key, "ended") or driver.find(key, "returned"), key)  # type: ignore[misc]
        if driver.find(key, "ended") is None:
            driver.hand_over(jobs[key])
        told[key] = driver.wait_for(key, "ended")
    ran = lines_of(evidence)
    assert len(ran) == len(set(ran))
    reasons = {key: end.exit.reason for key, end in told.items() if end.exit is not None}
    assert set(reasons.values()) <= {"exited", "interrupted", "vanished", "signal"}
    assert all(str(jobs[key].job_id) in ran for key, reason in reasons.items() if reason == "exited")
    assert len(reasons) == 60


def test_a_python_without_towline_is_a_problem_of_the_worker(
    make_driver: MakeDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = make_driver(shell=ShellSetup(pre_run=("export PYTHONPATH=/nowhere PYTHONHOME=/nowhere",)))
    job = assignment(tmp_path, 1, ["return", 1])
    driver.hand_over(job)
    driver.wait(lambda: driver.worker.status()["problem"], "a problem of the worker")
    assert "ended without telling of a job that ended" in driver.worker.status()["problem"]
    assert driver.events(job.key) == ["uploaded", "submitted"]
    assert len(allocations(tmp_path)) == 1


def kill_all(folder: Path) -> None:
    """As when a node loses its power."""
    processes = allocation_processes(folder)
    for act in (psutil.Process.suspend, psutil.Process.kill):
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                act(process)
    psutil.wait_procs(processes, 10)
