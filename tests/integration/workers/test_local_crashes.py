"""Whoever is killed, a job runs once, its end is told, and nothing is lost."""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import psutil
import pytest

from towline.core.records import Assignment, pack_job
from towline.testing.worker_driver import (
    WorkerDriver,
    assignment,
    is_alive,
    lines_of,
    output_of,
    process_ids,
)

MakeLocal = Callable[..., WorkerDriver]

JOBS = 150
KILLS = 8

# Where orphans are not given to the keeper, nobody knows the exit code of a command whose pilot was killed.
needs_subreaper = pytest.mark.skipif(sys.platform != "linux", reason="orphans go to the keeper only on Linux")


def _kill(state_dir: Path, name: str) -> None:
    pid = process_ids(state_dir)[name]
    os.kill(pid, signal.SIGKILL)
    while is_alive(pid):
        time.sleep(0.001)


def _kill_and_wait(driver: WorkerDriver, state_dir: Path) -> None:
    """Kill the pilot, and wait until the next one has found the jobs that run."""
    running = driver.worker.status()["running"]
    before = process_ids(state_dir)["pilot"]
    _kill(state_dir, "pilot")
    driver.wait(lambda: driver.worker.status()["pilot_process_id"] not in (None, before), "a new pilot")
    driver.wait(lambda: driver.worker.status()["running"] == running, "the adoption of what runs")


def _functions(work_dir: Path, evidence: Path, execution: str) -> list[Assignment]:
    actions = [["append", str(evidence)], ["sleep", 0.002]]
    return [
        assignment(
            work_dir,
            number,
            [*actions[0], str(number)],
            actions[1],
            ["return", number],
            resources={"execution": execution},
        )
        for number in range(1, JOBS + 1)
    ]


def command_job(work_dir: Path, number: int, **payload: object) -> Assignment:
    """A command as a job."""
    facts = {"db_id": str(number), "uuid": f"u{number}", "index": 1, "name": "command", "payload_kind": "command"}
    content = pack_job({**facts, "metadata": {}, "hosts": []}, orjson.dumps(payload), [])
    return assignment(work_dir, number, content=content, kind="command")


def _commands(work_dir: Path, evidence: Path) -> list[Assignment]:
    return [
        command_job(work_dir, number, shell=f"echo {number} >> {evidence}; echo {number}")
        for number in range(1, JOBS + 1)
    ]


def _end_under_fire(driver: WorkerDriver, jobs: list[Assignment], state_dir: Path, names: list[str]) -> None:
    """Run jobs while processes are killed at random moments."""
    moments = random.Random(5)
    driver.hand_over(*jobs)
    driver.wait_for(jobs[0].key, "ended")
    for name in names:
        pause_until = time.monotonic() + moments.uniform(0.0, 0.1)
        driver.wait(lambda until=pause_until: time.monotonic() > until)
        driver.wait(lambda: driver.worker.status()["connected"], "a new pilot")
        if all("ended" in driver.events(job.key) for job in jobs):
            break
        _kill(state_dir, name)
    for job in jobs:
        driver.wait_for(job.key, "ended")
        driver.worker.acknowledge([job.key])


@pytest.mark.parametrize("execution", ["warm", "pooled"])
def test_a_killed_pilot_costs_no_function_and_repeats_none(
    make_local: MakeLocal, tmp_path: Path, execution: str
) -> None:
    driver, evidence = make_local(), tmp_path / "evidence"
    jobs = _functions(tmp_path / "work", evidence, execution)
    _end_under_fire(driver, jobs, tmp_path / "state", ["pilot"] * KILLS)
    assert sorted(map(int, lines_of(evidence))) == list(range(1, JOBS + 1))
    assert [output_of(job, driver.wait_for(job.key, "ended")) for job in jobs] == list(range(1, JOBS + 1))


@needs_subreaper
def test_a_killed_pilot_costs_no_command_and_repeats_none(make_local: MakeLocal, tmp_path: Path) -> None:
    driver, evidence = make_local(), tmp_path / "evidence"
    jobs = _commands(tmp_path / "work", evidence)
    _end_under_fire(driver, jobs, tmp_path / "state", ["pilot"] * KILLS)
    assert sorted(map(int, lines_of(evidence))) == list(range(1, JOBS + 1))
    ends = [driver.wait_for(job.key, "ended") for job in jobs]
    assert {end.exit.exit_code for end in ends if end.exit} == {0}
    assert [output_of(job, end)["stdout_tail"] for job, end in zip(jobs, ends, strict=True)] == [
        f"{number}\n" for number in range(1, JOBS + 1)
    ]


@needs_subreaper
def test_exit_codes_of_functions_survive_the_pilot(make_local: MakeLocal, tmp_path: Path) -> None:
    driver, evidence = make_local(), tmp_path / "evidence"
    jobs = [
        assignment(tmp_path / "work", number, ["append", str(evidence), str(number)], ["exit", 5])
        for number in range(1, JOBS + 1)
    ]
    _end_under_fire(driver, jobs, tmp_path / "state", ["pilot"] * KILLS)
    assert sorted(map(int, lines_of(evidence))) == list(range(1, JOBS + 1))
    ends = [driver.wait_for(job.key, "ended").exit for job in jobs]
    assert {(end.reason, end.exit_code) for end in ends if end} == {("exited", 5)}


@needs_subreaper
def test_a_killed_zygote_costs_nothing(make_local: MakeLocal, tmp_path: Path) -> None:
    driver, evidence = make_local(), tmp_path / "evidence"
    jobs = _functions(tmp_path / "work", evidence, "warm")
    driver.wait(lambda: driver.worker.status()["connected"], "the pilot")
    driver.hand_over(*jobs)
    for job in jobs[:: JOBS // 4]:
        driver.wait_for(job.key, "ended")
        pilot = psutil.Process(driver.worker.status()["pilot_process_id"])
        # The only child that the pilot has while no program runs.
        pilot.children()[0].kill()
    for job in jobs:
        driver.wait_for(job.key, "ended")
    assert sorted(map(int, lines_of(evidence))) == list(range(1, JOBS + 1))
    assert [output_of(job, driver.wait_for(job.key, "ended")) for job in jobs] == list(range(1, JOBS + 1))


def test_a_killed_keeper_costs_nothing(make_local: MakeLocal, tmp_path: Path) -> None:
    driver, evidence = make_local(), tmp_path / "evidence"
    jobs = _functions(tmp_path / "work", evidence, "warm")
    _end_under_fire(driver, jobs, tmp_path / "state", ["keeper"])
    assert sorted(map(int, lines_of(evidence))) == list(range(1, JOBS + 1))
    before = process_ids(tmp_path / "state")["keeper"]
    driver.wait(lambda: process_ids(tmp_path / "state").get("keeper", before) != before, "a new keeper")
    job = assignment(tmp_path / "work", JOBS + 1, ["return", 1])
    driver.run(job)


def test_a_job_outlives_keeper_and_pilot_and_its_result_is_the_evidence(make_local: MakeLocal, tmp_path: Path) -> None:
    driver = make_local()
    jobs = [
        assignment(tmp_path / "work", 1, ["wait_for", str(tmp_path / "go")], ["return", 1]),
        assignment(tmp_path / "work", 2, ["wait_for", str(tmp_path / "go")], ["exit", 0]),
    ]
    driver.hand_over(*jobs)
    for job in jobs:
        driver.wait_for(job.key, "started")
    _kill(tmp_path / "state", "keeper")
    _kill_and_wait(driver, tmp_path / "state")
    (tmp_path / "go").touch()
    finished, silent = (driver.wait_for(job.key, "ended") for job in jobs)
    assert output_of(jobs[0], finished) == 1
    assert finished.exit is not None
    assert finished.exit.exit_code == 0
    assert silent.exit is not None
    assert silent.exit.reason == "vanished"


@needs_subreaper
def test_the_exit_code_of_a_job_whose_pilot_was_killed_is_kept(make_local: MakeLocal, tmp_path: Path) -> None:
    driver = make_local()
    job = assignment(tmp_path / "work", 1, ["wait_for", str(tmp_path / "go")], ["exit", 5])
    driver.hand_over(job)
    driver.wait_for(job.key, "started")
    _kill_and_wait(driver, tmp_path / "state")
    (tmp_path / "go").touch()
    end = driver.wait_for(job.key, "ended")
    assert end.exit is not None
    assert end.exit.exit_code == 5


def test_a_job_of_a_killed_pilot_can_be_cancelled(make_local: MakeLocal, tmp_path: Path) -> None:
    driver = make_local()
    jobs = [
        assignment(tmp_path / "work", 1, ["sleep", 300]),
        command_job(tmp_path / "work", 2, argv=["sleep", "300"]),
        assignment(tmp_path / "work", 3, ["sleep", 300], resources={"execution": "pooled"}),
    ]
    driver.worker.set_slots(3)  # type: ignore[attr-defined]
    driver.hand_over(*jobs)
    pids = [int(driver.wait_for(job.key, "started").process_id or 0) for job in jobs]
    _kill_and_wait(driver, tmp_path / "state")
    driver.cancel(*jobs)
    for job in jobs:
        end = driver.wait_for(job.key, "ended")
        assert end.exit is not None
        assert end.exit.reason == "cancelled"
        driver.wait_for(job.key, "cancelled")
    assert not any(is_alive(pid) for pid in pids)


def test_a_time_limit_outlives_the_pilot(make_local: MakeLocal, tmp_path: Path) -> None:
    driver = make_local()
    job = assignment(tmp_path / "work", 1, ["sleep", 300], resources={"time_limit": 1})
    driver.hand_over(job)
    driver.wait_for(job.key, "started")
    _kill_and_wait(driver, tmp_path / "state")
    end = driver.wait_for(job.key, "ended")
    assert end.exit is not None
    assert end.exit.reason == "timeout"


def test_runners_come_and_go_while_jobs_run(make_local: MakeLocal, tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    jobs = _functions(tmp_path / "work", evidence, "pooled")[:50] + _functions(tmp_path / "work", evidence, "warm")[50:]
    ended: set[str] = set()
    driver = make_local()
    driver.hand_over(*jobs)
    while len(ended) < JOBS:
        driver.wait(lambda seen=driver: len([item for item in seen.told if item.event == "ended"]) >= 20 or _all(seen))
        news = [item.key for item in driver.told if item.event == "ended"]
        # Only some are acknowledged: the runner was killed before it stored the others.
        driver.worker.acknowledge(news[::2])
        ended.update(news[::2])
        driver.worker.close()
        driver = make_local()
        driver.worker.adopt([job for job in jobs if job.key not in ended])
        if any(item.event == "returned" for item in driver.look(0.2)):
            again = {item.key for item in driver.told if item.event == "returned"}
            driver.hand_over(*(job for job in jobs if job.key in again))
    assert sorted(map(int, lines_of(evidence))) == list(range(1, JOBS + 1))


def _all(driver: WorkerDriver) -> bool:
    status = driver.worker.status()
    return bool(status["connected"]) and status["running"] + status["waiting"] == 0 and bool(driver.told)
