"""The process that keeps a runner running: when it starts it again, and when it does not."""

import signal
import subprocess
import sys
import time
from itertools import pairwise

import pytest

from towline.runner import supervisor
from towline.testing.waiting import wait_until

#: A runner that notes when it was started, and ends with an exit code.
RUNNER = "import sys, time; open(sys.argv[1], 'a').write(f'{time.time()}\\n'); sys.exit(int(sys.argv[2]))"


@pytest.fixture
def supervise(tmp_path):
    """Starts a supervisor in the foreground of this test; gives the process, and the times of the starts so far."""
    started = []

    def start(exit_code):
        times = tmp_path / "starts"
        words = [sys.executable, "-c", RUNNER, str(times), str(exit_code)]
        code = "import sys; from pathlib import Path; from towline.runner.supervisor import supervise; "
        code += f"sys.exit(supervise(Path({str(tmp_path / 'pid')!r}), {words!r}))"
        process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
        started.append(process)
        return process, lambda: [float(line) for line in times.read_text().split()] if times.exists() else []

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_runner_that_crashes_again_and_again_is_started_with_growing_waits(supervise):
    process, starts = supervise(1)
    wait_until(lambda: len(starts()) >= 4, what="four starts")
    found = starts()
    waits = [after - before for before, after in pairwise(found)]
    assert waits[0] >= 0.2
    assert waits[1] >= 0.4
    assert waits[2] >= 0.8
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    process.wait(timeout=10)
    # It was waiting to start the next one, and does not wait for that.
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("exit_code", sorted(supervisor.FINAL_EXIT_CODES))
def test_a_runner_that_ended_for_good_is_not_started_again(supervise, exit_code):
    process, starts = supervise(exit_code)
    assert process.wait(timeout=20) == exit_code
    assert len(starts()) == 1
