"""A runner that ends by itself is started again; one that was asked to stop is not."""

import os
import signal
import time

import pytest

from towline.errors import RunnerNotActive
from towline.operations import runners
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
    assert time.monotonic() - began < 15


def test_a_runner_that_is_killed_by_command_stays_away(engine):
    runners.start()
    assert runners.kill().state is runners.RunnerState.LOST
    with pytest.raises(RunnerNotActive):
        runners.stop()
