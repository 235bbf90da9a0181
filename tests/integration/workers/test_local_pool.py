"""Functions in the pool of the local worker."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from towline.core.records import Assignment, ShellSetup
from towline.testing.worker_driver import WorkerDriver, assignment, is_alive, lines_of, output_of, process_ids

MakeLocal = Callable[..., WorkerDriver]


@pytest.fixture
def pool(make_local: MakeLocal) -> WorkerDriver:
    """A worker that pools."""
    return make_local(execution="pooled")


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., Assignment]:
    """A function that makes jobs."""

    def make(number: int, *actions: list[Any], **details: Any) -> Assignment:
        return assignment(tmp_path / "work", number, *actions, **details)

    return make


def test_functions_run_in_few_processes_and_without_folders(
    pool: WorkerDriver, job: Callable[..., Assignment], tmp_path: Path
) -> None:
    jobs = [job(number, ["print", "hello"], ["facts"]) for number in range(1, 31)]
    outputs = [output_of(item, end) for item, end in zip(jobs, pool.run(*jobs), strict=True)]
    assert len({output["pid"] for output in outputs}) <= 2
    assert not (tmp_path / "work").exists()
    assert "hello" in (tmp_path / "state" / "pool.log").read_text()


def test_a_large_function_comes_through(pool: WorkerDriver, job: Callable[..., Assignment], tmp_path: Path) -> None:
    text = "x" * 3_000_000
    large = job(1, ["return", text])
    (end,) = pool.run(large)
    assert output_of(large, end) == text
    pool.wait(lambda: not list((tmp_path / "state" / "pool").glob("*.package")), "the removal of the package")


@pytest.mark.parametrize("action", [["exit", 3], ["kill", int(signal.SIGKILL)], ["kill", int(signal.SIGSEGV)]])
def test_a_process_that_dies_costs_only_the_function_that_it_ran(
    pool: WorkerDriver, job: Callable[..., Assignment], tmp_path: Path, action: list[Any]
) -> None:
    evidence = str(tmp_path / "evidence")
    good = [job(number, ["append", evidence, str(number)], ["return", number]) for number in range(1, 201)]
    deadly = job(1000, ["append", evidence, "1000"], action)
    *ends, last = pool.run(*good[:100], *good[100:], deadly)
    ends_of_good = ends
    assert [output_of(item, end) for item, end in zip(good, ends_of_good, strict=True)] == list(range(1, 201))
    assert last.exit is not None
    assert last.result is None
    assert (last.exit.exit_code, last.exit.signal) == ((3, None) if action[0] == "exit" else (None, action[1]))
    assert sorted(map(int, lines_of(tmp_path / "evidence"))) == [*range(1, 201), 1000]


def test_short_functions_do_not_wait_behind_a_long_one(
    pool: WorkerDriver, job: Callable[..., Assignment], tmp_path: Path
) -> None:
    short = [job(number, ["return", number]) for number in range(1, 101)]
    pool.run(*short)  # from here on the pool expects short ones
    long = job(101, ["wait_for", str(tmp_path / "go")])
    more = [job(number, ["return", number]) for number in range(102, 202)]
    pool.hand_over(*more[:50], long, *more[50:])
    for item in more:
        pool.wait_for(item.key, "ended")
    assert "ended" not in pool.events(long.key)
    pool.wait_for(long.key, "started")
    (tmp_path / "go").touch()
    pool.wait_for(long.key, "ended")


def test_a_running_function_is_cancelled_and_no_other_one(
    pool: WorkerDriver, job: Callable[..., Assignment], tmp_path: Path
) -> None:
    bad = job(1, ["ignore_signals"], ["sleep", 300])
    good = [job(number, ["append", str(tmp_path / "evidence"), str(number)]) for number in range(2, 102)]
    pool.hand_over(bad, *good)
    pid = int(pool.wait_for(bad.key, "started").process_id or 0)
    pool.cancel(bad)
    end = pool.wait_for(bad.key, "ended")
    pool.wait_for(bad.key, "cancelled")
    assert end.exit is not None
    assert end.exit.reason == "cancelled"
    for item in good:
        pool.wait_for(item.key, "ended")
    assert not is_alive(pid)
    assert sorted(map(int, lines_of(tmp_path / "evidence"))) == list(range(2, 102))


def test_waiting_functions_are_cancelled_wherever_they_wait(
    pool: WorkerDriver, job: Callable[..., Assignment], tmp_path: Path
) -> None:
    pool.run(*(job(number, ["return", 1]) for number in range(1, 101)))
    busy = [job(number, ["wait_for", str(tmp_path / "go")]) for number in (101, 102)]
    waiting = [job(number, ["append", str(tmp_path / "evidence"), "ran"]) for number in range(103, 203)]
    pool.hand_over(*busy, *waiting)
    for item in busy:
        pool.wait_for(item.key, "started")
    pool.cancel(*waiting)
    for item in waiting:
        pool.wait_for(item.key, "cancelled")
    (tmp_path / "go").touch()
    for item in busy:
        pool.wait_for(item.key, "ended")
    assert not (tmp_path / "evidence").exists()


def test_a_time_limit_ends_a_function(pool: WorkerDriver, job: Callable[..., Assignment]) -> None:
    (end,) = pool.run(job(1, ["sleep", 300], resources={"time_limit": 0.1}))
    assert end.exit is not None
    assert end.exit.reason == "timeout"


def test_variables_of_one_function_are_not_those_of_the_next(
    make_local: MakeLocal, job: Callable[..., Assignment]
) -> None:
    driver = make_local(execution="pooled", slots=1)
    first = job(1, ["facts"], shell=ShellSetup(export={"ONLY_HERE": "1"}))
    second = job(2, ["facts"])
    outputs = [
        output_of(item, end)["environment"]
        for item, end in zip((first, second), driver.run(first, second), strict=True)
    ]
    assert outputs[0]["ONLY_HERE"] == "1"
    assert "ONLY_HERE" not in outputs[1]


def test_journals_go_when_everything_in_them_is_acknowledged(
    make_local: MakeLocal, job: Callable[..., Assignment], tmp_path: Path
) -> None:
    driver = make_local(execution="pooled")
    driver.run(*(job(number, ["return", 1]) for number in range(1, 21)))
    journals = tmp_path / "state" / "pool"
    assert list(journals.glob("*.journal"))
    before = process_ids(tmp_path / "state")["pilot"]
    os.kill(before, signal.SIGKILL)
    driver.wait(lambda: driver.worker.status()["pilot_process_id"] not in (None, before), "a new pilot")

    def gone() -> bool:
        # As the runner does when it is told about what it does not hold any more.
        driver.worker.acknowledge([item.key for item in driver.told if item.event == "ended"])
        return not list(journals.glob("*.journal"))

    driver.wait(gone, "the removal of the journals")


def test_a_pool_that_cannot_start_is_tried_again_slowly(
    pool: WorkerDriver, job: Callable[..., Assignment], tmp_path: Path
) -> None:
    pool.wait(lambda: pool.worker.status()["connected"])
    (tmp_path / "state" / "pool.log").mkdir()  # no process can write its log
    waiting = job(1, ["return", 1])
    pool.hand_over(waiting)
    log = tmp_path / "state" / "pilot.log"
    pool.wait(lambda: "ended before it was ready" in log.read_text(), "the notice")
    (tmp_path / "state" / "pool.log").rmdir()
    assert output_of(waiting, pool.wait_for(waiting.key, "ended")) == 1
    assert log.read_text().count("ended before it was ready") < 5
