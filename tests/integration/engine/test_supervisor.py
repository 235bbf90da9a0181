"""A runner that ends by itself is started again; one that was asked to stop is not."""

import contextlib
import os
import signal
import time

import pytest

import towline
from towline.errors import RunnerNotActive, WaitTimedOut
from towline.operations import runners
from towline.operations.compose import open_project
from towline.operations.processes import command_line, runs
from towline.store import leases
from towline.testing import jobs
from towline.testing.waiting import wait_until


def test_a_killed_runner_is_started_again(engine):
    first = runners.start()
    try:
        os.kill(first.pid, signal.SIGKILL)
        wait_until(
            lambda: runners.status().active and runners.status().runner_id != first.runner_id, what="another runner"
        )
    finally:
        runners.stop()
    assert runners.status().state is runners.RunnerState.SHUT_DOWN


def test_starting_a_runner_beside_a_supervisor_that_waits_takes_no_time(engine):
    present = runners.start()
    began = time.monotonic()
    try:
        for _ in range(3):
            os.kill(present.pid, signal.SIGKILL)
            wait_until(
                lambda pid=present.pid: runners.status().pid != pid or not runners.status().active, what="its end"
            )
            present = runners.status() if runners.status().active else runners.start()
    finally:
        runners.stop()
    # Far less than what the commands wait for processes that do not end.
    assert time.monotonic() - began < 25


def test_a_runner_that_is_killed_by_command_stays_away(engine):
    runners.start()
    assert runners.kill().state is runners.RunnerState.LOST
    with pytest.raises(RunnerNotActive):
        runners.stop()


def as_if_on_another_machine(engine):
    """Its record names a host that is not this one: all that other machines know of a runner is that record."""
    with open_project() as opened, opened.database.transaction() as transaction:
        transaction.execute("UPDATE runner SET host = 'elsewhere'")


def test_a_runner_on_another_machine_is_killed_through_the_database(engine):
    """It ends at once, and its supervisor does not start it again; what it had begun goes on with the next one."""
    (db_id,) = engine.submit(jobs.sleep(0.5))
    runner = runners.start()
    wait_until(lambda: engine.job(db_id)["state"] == "RUNNING", what="the job")
    as_if_on_another_machine(engine)
    assert runners.kill().state is runners.RunnerState.SHUT_DOWN
    wait_until(lambda: not runs(runner.pid), what="its end")
    assert "asked to end at once" in runners.log_file().read_text()
    with pytest.raises(RunnerNotActive):
        runners.stop()
    engine.run()
    assert engine.job(db_id)["state"] == "COMPLETED"


def test_a_runner_on_another_machine_is_stopped_through_the_database(engine):
    runner = runners.start()
    as_if_on_another_machine(engine)
    assert runners.stop().state is runners.RunnerState.SHUT_DOWN
    wait_until(lambda: not runs(runner.pid), what="its end")


def test_a_runner_on_another_machine_that_does_not_answer_is_told_with_what_to_do(engine):
    with open_project() as opened:
        with opened.database.transaction() as transaction:
            acquire_as(transaction, "elsewhere")
        with pytest.raises(WaitTimedOut, match="tow runner reset"):
            runners.kill(wait_seconds=0.1)
        assert runners.status().state is runners.RunnerState.STOPPING
        assert runners.forget_runner(opened)
    assert runners.status().state is runners.RunnerState.SHUT_DOWN


def acquire_as(transaction, host):
    leases.acquire(
        transaction,
        host=host,
        user_name="anna",
        pid=1,
        process_started_at=0,
        lease_seconds=30,
        is_gone=lambda record: False,
    )


def test_a_restarted_runner_keeps_the_options_of_the_one_before(engine):
    runners.start(log_level="debug")
    try:
        runners.restart()
        assert "debug" in command_line(runners.status().pid)
        towline.DaemonManager.from_project_name().restart()
        assert "debug" in command_line(runners.status().pid)
    finally:
        runners.stop()


def test_scripts_take_jobs_and_the_project_from_a_runner(engine):
    """Unlocking is an override: the runner of the project takes its jobs up anew, and nothing runs twice."""
    (db_id,) = engine.submit(jobs.append_line(str(engine.home / "trace"), "ran", seconds=1))
    runner = runners.start()
    try:
        wait_until(lambda: engine.job(db_id)["state"] == "RUNNING", what="the job")
        with towline.JobController.from_project_name() as controller:
            assert controller.unlock_jobs(states=towline.JobState.WAITING) == 0
            assert controller.unlock_jobs(db_ids=db_id) == 1
            assert controller.unlock_flows() <= 1
            assert towline.wait_flow(db_id, timeout_seconds=60)
            assert controller.unlock_runner() == (1, 1)
            wait_until(lambda: not runs(runner.pid), what="the end of the runner that was forgotten")
    finally:
        with contextlib.suppress(RunnerNotActive):
            runners.stop()
    assert (engine.home / "trace").read_text() == "ran\n"
