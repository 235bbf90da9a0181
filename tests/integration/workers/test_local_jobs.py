"""What jobs may do on a local worker, and what they cannot do to it."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from towline.core.ports import Step
from towline.core.records import ShellSetup
from towline.testing.worker_driver import (
    WorkerDriver,
    assignment,
    is_alive,
    lines_of,
    output_of,
    process_ids,
    result_of,
)
from towline.workers.socket_place import socket_path

MakeLocal = Callable[..., WorkerDriver]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Folder for run folders."""
    return tmp_path / "work"


@pytest.mark.parametrize("execution", ["warm", "cold", "pooled"])
@pytest.mark.parametrize(
    ("action", "message"),
    [(["system_exit", 3], "sys.exit(3)"), (["recurse"], "RecursionError"), (["raise", "no"], "no")],
)
def test_whatever_a_function_raises_becomes_its_failure(
    local: WorkerDriver, work: Path, execution: str, action: list[Any], message: str
) -> None:
    job = assignment(work, 1, action, resources={"execution": execution})
    (end,) = local.run(job)
    failure = result_of(job, end).failure
    assert failure is not None
    assert message in failure.message


def test_long_output_is_kept_whole(local: WorkerDriver, work: Path) -> None:
    job = assignment(work, 1, ["print", "0123456789" * 1000, 1000])
    local.run(job)
    assert Path(job.run_dir, "queue.out").stat().st_size == 10_000_001


def test_output_before_a_sudden_end_is_kept(local: WorkerDriver, work: Path) -> None:
    job = assignment(work, 1, ["print", "so far"], ["exit", 1])
    local.run(job)
    assert Path(job.run_dir, "queue.out").read_text() == "so far\n"


def test_a_job_may_close_its_output(local: WorkerDriver, work: Path) -> None:
    job = assignment(work, 1, ["close_output"], ["return", 1])
    (end,) = local.run(job)
    assert output_of(job, end) == 1


def test_a_job_that_forks_has_one_result(local: WorkerDriver, work: Path) -> None:
    job = assignment(work, 1, ["append", str(work / "evidence"), "ran"], ["fork_and_return"], ["return", 1])
    (end,) = local.run(job)
    assert output_of(job, end) == 1
    assert lines_of(work / "evidence") == ["ran"]


@pytest.mark.parametrize("execution", ["warm", "cold"])
def test_a_process_left_in_the_background_is_ended_with_the_job(
    local: WorkerDriver, work: Path, execution: str
) -> None:
    work.mkdir()
    job = assignment(
        work, 1, ["background", str(work / "pid"), "attached"], ["return", 1], resources={"execution": execution}
    )
    local.run(job)
    pid = int((work / "pid").read_text())
    local.wait(lambda: not is_alive(pid), "the end of the process")


@pytest.mark.parametrize("execution", ["warm", "cold"])
def test_a_job_is_a_process_of_its_own(
    local: WorkerDriver, work: Path, execution: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = ShellSetup(export={"GREETING": "it's $HOME\n"})
    jobs = [assignment(work, number, ["facts"], resources={"execution": execution}, shell=shell) for number in (1, 2)]
    first, second = (output_of(job, end) for job, end in zip(jobs, local.run(*jobs), strict=True))
    assert first["pid"] == first["group"]
    assert first["pid"] != second["pid"]
    assert first["random"] != second["random"]
    assert first["signals"]
    assert first["stdin"] == ""
    assert first["environment"]["GREETING"] == "it's $HOME\n"
    assert first["environment"]["PWD"] == jobs[0].run_dir
    # Standard streams, and what listing them takes.
    assert len(first["descriptors"]) <= 4


def test_a_variable_that_is_read_at_the_start_gets_a_new_interpreter(local: WorkerDriver, work: Path) -> None:
    jobs = [
        assignment(work, 1, ["facts"], shell=ShellSetup(export={"GREETING": "1"})),
        assignment(work, 2, ["facts"], shell=ShellSetup(export={"OMP_NUM_THREADS": "1"})),
    ]
    assert [output_of(job, end)["program"] for job, end in zip(jobs, local.run(*jobs), strict=True)] == [
        "pilot",
        "run_job",
    ]


def test_an_attempt_that_another_worker_started_is_not_started_again(
    make_local: MakeLocal, local: WorkerDriver, work: Path, tmp_path: Path
) -> None:
    job = assignment(work, 1, ["append", str(tmp_path / "evidence"), "ran"], ["wait_for", str(tmp_path / "go")])
    local.hand_over(job)
    local.wait_for(job.key, "started")
    local.wait(lambda: lines_of(tmp_path / "evidence"))
    other = WorkerDriver(
        type(local.worker)(name="other", work_dir=work, state_dir=tmp_path / "other state", slots=1, idle_seconds=1)
    )
    other.hand_over(job)
    other.wait_for(job.key, "started")
    (tmp_path / "go").touch()
    local.wait_for(job.key, "ended")
    other.wait_for(job.key, "ended")
    assert lines_of(tmp_path / "evidence") == ["ran"]
    other.worker.close()


def test_a_program_in_the_run_folder_is_never_started_twice(local: WorkerDriver, work: Path, tmp_path: Path) -> None:
    job = assignment(work, 1, ["append", str(tmp_path / "evidence"), "ran"], resources={"execution": "cold"})
    local.run(job)
    again = assignment(
        work, 1, ["append", str(tmp_path / "evidence"), "again"], resources={"execution": "cold"}, again=True
    )
    local.hand_over(again)
    local.wait(lambda: local.events(job.key).count("ended") == 2)
    assert lines_of(tmp_path / "evidence") == ["ran"]


@pytest.mark.parametrize("execution", ["warm", "pooled"])
def test_no_more_jobs_run_than_there_are_slots(make_local: MakeLocal, work: Path, execution: str) -> None:
    driver = make_local(slots=3, execution=execution)
    evidence = work.parent / "evidence"
    steps = [["append", str(evidence), "+"], ["sleep", 0.03], ["append", str(evidence), "-"]]
    driver.run(*(assignment(work, number, *steps) for number in range(1, 21)))
    at_once = [0]
    for line in lines_of(evidence):
        at_once.append(at_once[-1] + (1 if line == "+" else -1))
    assert max(at_once) == 3
    assert at_once[-1] == 0


def test_the_number_of_slots_can_change_while_jobs_run(make_local: MakeLocal, work: Path) -> None:
    driver = make_local(slots=0)
    jobs = [assignment(work, number, ["wait_for", str(work / "go")]) for number in (1, 2)]
    driver.hand_over(*jobs)
    other = assignment(work, 3, ["return", 1])
    driver.cancel(other)
    driver.wait_for(other.key, "cancelled")
    assert driver.worker.status()["running"] == 0
    driver.worker.set_slots(2)  # type: ignore[attr-defined]
    for job in jobs:
        driver.wait_for(job.key, "started")
    (work / "go").touch()
    for job in jobs:
        driver.wait_for(job.key, "ended")


@pytest.mark.parametrize("execution", ["warm", "pooled"])
def test_high_priority_starts_first_then_the_oldest_job(make_local: MakeLocal, work: Path, execution: str) -> None:
    driver = make_local(slots=0, execution=execution)
    evidence = work.parent / "evidence"
    jobs = [
        assignment(work, number, ["append", str(evidence), str(number)], priority=priority)
        for number, priority in ((1, 0), (4, 0), (3, 7), (2, 0), (5, 7))
    ]
    driver.hand_over(*jobs)
    driver.worker.set_slots(1)  # type: ignore[attr-defined]
    for job in jobs:
        driver.wait_for(job.key, "ended")
    assert lines_of(evidence) == ["3", "5", "1", "2", "4"]


class TestShell:
    def test_lines_around_a_job_run_in_order(self, local: WorkerDriver, work: Path) -> None:
        shell = ShellSetup(
            pre_run=("echo one >> order", "FROM_PRE=yes; export FROM_PRE"),
            export={"EXPORTED": "a 'b' $(touch injected)"},
            post_run=("echo two >> order",),
        )
        job = assignment(work, 1, ["append", "order", "job"], ["facts"], shell=shell)
        (end,) = local.run(job)
        facts = output_of(job, end)
        assert facts["environment"]["FROM_PRE"] == "yes"
        assert facts["environment"]["EXPORTED"] == "a 'b' $(touch injected)"
        assert lines_of(Path(job.run_dir, "order")) == ["one", "job", "two"]
        assert not Path(job.run_dir, "injected").exists()

    def test_the_exit_code_of_the_job_survives_what_follows_it(self, local: WorkerDriver, work: Path) -> None:
        shell = ShellSetup(post_run=("echo after >> order", "exit 0"))
        job = assignment(work, 1, ["exit", 7], shell=shell)
        (end,) = local.run(job)
        assert end.exit is not None
        assert end.exit.exit_code == 7
        assert lines_of(Path(job.run_dir, "order")) == ["after"]

    def test_what_follows_a_job_runs_when_it_is_ended_by_its_time_limit(self, local: WorkerDriver, work: Path) -> None:
        shell = ShellSetup(post_run=("echo after >> order",))
        job = assignment(work, 1, ["sleep", 60], shell=shell, resources={"time_limit": 0.5})
        (end,) = local.run(job)
        assert end.exit is not None
        assert end.exit.reason == "timeout"
        assert lines_of(Path(job.run_dir, "order")) == ["after"]

    def test_verbatim_lines_and_other_output_files(self, local: WorkerDriver, work: Path) -> None:
        resources = {"qverbatim": "ulimit -c 0", "qout_path": "out.txt", "qerr_path": "err.txt", "job_name": "a\nb"}
        job = assignment(work, 1, ["print", "here"], resources=resources)
        local.run(job)
        assert lines_of(Path(job.run_dir, "out.txt")) == ["here"]
        assert "ulimit -c 0\n" in Path(job.run_dir, "submit.sh").read_text()


class TestTrouble:
    def test_a_pilot_that_cannot_start_fails_the_step_with_the_reason(self, make_local: MakeLocal, work: Path) -> None:
        driver = make_local(python="/nonexistent/python")
        job = assignment(work, 1, ["return", 1])
        driver.hand_over(job)
        failed = driver.wait_for(job.key, "step_failed")
        assert failed.may_retry
        assert failed.failure is not None
        assert "/nonexistent/python" in failed.failure.message
        assert driver.worker.status()["problem"]

    def test_a_run_folder_that_is_gone_fails_the_step(self, local: WorkerDriver, work: Path) -> None:
        jobs = [
            assignment(work, 1, ["return", 1], resources={"execution": "cold"}),
            assignment(work, 2, ["return", 1]),
        ]
        local.worker.advance(Step.SUBMIT, jobs)
        local.wait_for(jobs[0].key, "step_failed")
        end = local.wait_for(jobs[1].key, "ended")
        assert end.exit is not None
        assert end.exit.exit_code != 0

    def test_a_run_folder_that_cannot_be_made_fails_the_step(self, local: WorkerDriver, work: Path) -> None:
        work.write_text("a file stands here")
        job = assignment(work, 1, ["return", 1])
        local.worker.advance(Step.UPLOAD, [job])
        failed = local.wait_for(job.key, "step_failed")
        assert failed.failure is not None
        assert job.run_dir in failed.failure.message

    def test_a_stale_socket_is_no_obstacle(self, make_local: MakeLocal, work: Path) -> None:
        first = make_local()
        first.run(assignment(work, 1, ["return", 1]))
        state_dir = work.parent / "state"
        socket = towline_socket(state_dir)
        for name in ("keeper", "pilot"):
            os.kill(process_ids(state_dir)[name], 9)
        first.worker.close()
        assert socket.exists()
        make_local().run(assignment(work, 2, ["return", 1]))

    def test_the_newest_runner_has_the_pilot(self, make_local: MakeLocal, work: Path) -> None:
        older = make_local()
        older.run(assignment(work, 1, ["return", 1]))
        newer = make_local()
        newer.run(assignment(work, 2, ["return", 1]))
        older.wait(lambda: older.worker.status()["problem"], "the notice")
        assert "another runner" in older.worker.status()["problem"]
        newer.run(assignment(work, 3, ["return", 1]))

    def test_a_pilot_with_nothing_to_do_ends_and_the_next_job_starts_another(
        self, make_local: MakeLocal, work: Path
    ) -> None:
        driver = make_local(idle_seconds=0.1)
        driver.run(assignment(work, 1, ["return", 1]))
        pids = process_ids(work.parent / "state")
        driver.worker.close()
        deadline = time.monotonic() + 20
        while any(is_alive(pid) for pid in pids.values()):
            assert time.monotonic() < deadline, "keeper and pilot go on"
            time.sleep(0.01)
        make_local(idle_seconds=0.1).run(assignment(work, 2, ["return", 1]))

    def test_it_ends_also_while_a_runner_is_connected_and_stays_away_until_there_is_work(
        self, make_local: MakeLocal, work: Path
    ) -> None:
        driver = make_local(idle_seconds=0.3)
        driver.run(assignment(work, 1, ["return", 1]))
        pids = process_ids(work.parent / "state")
        driver.wait(lambda: not any(is_alive(pid) for pid in pids.values()), "the end of keeper and pilot")
        status = driver.worker.status()
        assert (status["connected"], status["problem"], status["pilot_process_id"]) == (True, None, None)
        assert driver.worker.next_look_seconds() is None, "the runner would look for a pilot that nobody needs"
        driver.worker.observe()
        assert process_ids(work.parent / "state") == pids, "a pilot was started without work"
        driver.run(assignment(work, 2, ["return", 1]))
        assert process_ids(work.parent / "state")["pilot"] != pids["pilot"]

    def test_a_pilot_with_other_settings_is_replaced_when_it_is_free(
        self, make_local: MakeLocal, work: Path, tmp_path: Path
    ) -> None:
        first = make_local()
        busy = assignment(work, 1, ["wait_for", str(tmp_path / "go")])
        first.hand_over(busy)
        first.wait_for(busy.key, "started")
        first.worker.close()
        old = process_ids(tmp_path / "state")["pilot"]
        second = make_local(preload=["decimal"])
        second.worker.adopt([busy])
        second.wait_for(busy.key, "started")
        assert process_ids(tmp_path / "state")["pilot"] == old
        (tmp_path / "go").touch()
        second.wait_for(busy.key, "ended")
        second.worker.acknowledge([busy.key])
        second.wait(lambda: second.worker.status()["pilot_process_id"] not in (old, None), "the replacement")
        second.run(assignment(work, 2, ["return", 1]))

    def test_a_module_that_cannot_be_preloaded_stops_nobody(self, make_local: MakeLocal, work: Path) -> None:
        driver = make_local(preload=["no_such_module_anywhere"])
        driver.run(assignment(work, 1, ["return", 1]))


def test_nobody_else_can_reach_the_pilot(local: WorkerDriver, work: Path) -> None:
    local.run(assignment(work, 1, ["return", 1]))
    assert towline_socket(work.parent / "state").parent.stat().st_mode & 0o777 == 0o700
    assert (work.parent / "state").stat().st_mode & 0o777 == 0o700


def towline_socket(state_dir: Path) -> Path:
    """Where the pilot of a state folder listens."""
    return socket_path(state_dir)
