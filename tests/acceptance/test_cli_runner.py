"""The command line with a runner and jobs that really run, each command a process of its own."""

import contextlib
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest

from towline.store.database import Database

TOW = Path(sys.executable).with_name("tow")

SCRIPT = """
import os, time
from jobflow import Flow, job

@job
def double(x):
    print("doubling", x, flush=True)
    return 2 * x

@job
def fail():
    raise ValueError("no convergence")

@job
def sleep():
    print("pid", os.getpid(), flush=True)
    time.sleep(600)

def chain():
    first = double(3)
    return Flow([first, double(first.output)], name="chain")

def broken():
    first = fail()
    return Flow([first, double(first.output)], name="broken")

def endless():
    return Flow([sleep()], name="endless")
"""


class CommandLine:
    """`tow` in a home of its own."""

    def __init__(self, home: Path) -> None:
        self.environment = {**os.environ, "TOWLINE_HOME": str(home / "home")}
        self.script = home / "flows.py"
        self.script.write_text(SCRIPT)

    def __call__(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [TOW, *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == code, f"tow {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments: str) -> Any:
        return orjson.loads(self(*arguments, "--json").stdout)

    def submit(self, name: str) -> list[str]:
        found: list[str] = self.json("submit", str(self.script), "--object", name)["db_ids"]
        return found

    def state(self, db_id: str) -> str:
        return str(self.json("job", "info", db_id)["state"])


def eventually(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The first true answer of `condition`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := condition():
            return answer
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


@pytest.fixture
def tow(tmp_path: Path) -> Iterator[CommandLine]:
    command_line = CommandLine(tmp_path)
    yield command_line
    for db_id in command_line.json("job", "list", "--running"):
        command_line("job", "stop", db_id["db_id"])
    if command_line.json("runner", "status")["active"]:
        # The runner has to be there to end what was stopped.
        eventually(lambda: not any(job["attempts_to_end"] for job in infos(command_line)))
        command_line("runner", "stop")
    end_pilot(tmp_path / "home" / "default" / "daemon" / "worker_local")


def end_pilot(folder: Path) -> None:
    """End the processes that wait for the next runner; the keeper first, which would start a pilot again."""
    for name in ("keeper.lock", "pilot.lock"):
        text = (folder / name).read_text() if (folder / name).exists() else ""
        if text.strip():
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(int(text)).kill()


def infos(tow: CommandLine) -> list[Any]:
    return [tow.json("job", "info", job["db_id"]) for job in tow.json("job", "list")]


def test_from_submission_to_result(tow: CommandLine) -> None:
    assert "SHUT_DOWN" in tow("runner", "status").stdout
    assert "RUNNING" in tow("runner", "start").stdout
    done = tow("submit", str(tow.script), "--object", "chain", "--wait")
    assert done.stderr.splitlines()[-1] == "2 COMPLETED"
    assert tow("job", "output", "2").stdout == "12\n"
    assert tow("job", "queue-out", "1").stdout == "doubling 3\n"
    assert tow.json("job", "list")[0]["exit_code"] == 0
    assert tow.json("runner", "info")["jobs"] == {"COMPLETED": 2}
    again = tow("runner", "start", code=1)
    assert "tow runner stop" in again.stderr
    assert "SHUT_DOWN" in tow("runner", "stop").stdout
    assert "no runner is active" in tow("runner", "stop", code=1).stderr


def test_waiting_tells_by_its_exit_code_whether_all_completed(tow: CommandLine) -> None:
    good, bad = tow.submit("chain"), tow.submit("broken")
    late = tow("wait", *good, "--timeout", "0.1", code=3)
    assert "after 0.1 s" in late.stderr
    tow("runner", "start")
    assert tow("wait", *good).stderr == "2 COMPLETED\n"
    assert tow("wait", bad[0], code=3).stderr == f"1 FAILED\nwhat became of them: tow job info {bad[0]}\n"
    # It will never start, so waiting for it ends.
    assert tow("wait", bad[1], code=3).stderr == f"1 WAITING\nwhat became of them: tow job info {bad[1]}\n"
    document = orjson.loads(tow("wait", bad[0], "--flow", "--json", code=3).stdout)
    assert document == {"completed": False, "states": {"FAILED": 1, "WAITING": 1}}
    tow("wait", tow.json("flow", "list", "-did", good[0])[0]["flow_id"])
    assert "neither a job nor a flow has the id 'nowhere'" in tow("wait", "nowhere", code=1).stderr
    info = tow("job", "info", bad[0])
    assert "no convergence" in info.stdout


def test_a_failed_job_reruns_in_a_folder_of_its_own(tow: CommandLine) -> None:
    tow("runner", "start")
    failed, _ = tow.submit("broken")
    tow("wait", failed, code=3)
    first = tow.json("job", "info", failed)
    tow("job", "rerun", failed)
    tow("wait", failed, code=3)
    second = tow.json("job", "info", failed)
    assert second["attempt"] == 2
    assert second["run_dir"] != first["run_dir"]
    assert [attempt["run_dir"] for attempt in second["earlier_attempts"]] == [first["run_dir"]]
    assert Path(first["run_dir"]).is_dir()


def process_of(tow: CommandLine, db_id: str) -> psutil.Process:
    """The process of the job itself, by what it printed."""

    def printed() -> str:
        done = subprocess.run([TOW, "job", "queue-out", db_id], env=tow.environment, capture_output=True, text=True)
        return done.stdout if done.stdout.startswith("pid ") else ""

    return psutil.Process(int(eventually(printed).split()[1]))


def test_a_stopped_job_is_gone_and_can_be_resumed(tow: CommandLine) -> None:
    tow("runner", "start")
    (db_id,) = tow.submit("endless")
    process = process_of(tow, db_id)
    tow("job", "stop", db_id)
    assert tow.state(db_id) == "USER_STOPPED"
    eventually(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
    eventually(lambda: tow.json("job", "info", db_id)["attempts_to_end"] == [])
    tow("job", "resume", db_id)
    again = process_of(tow, db_id)
    assert again.pid != process.pid
    assert tow.json("job", "info", db_id)["attempt"] == 2
    tow("flow", "delete", "--db-id", db_id, "--all", "--yes")
    eventually(lambda: not again.is_running() or again.status() == psutil.STATUS_ZOMBIE)


def test_following_what_a_job_prints_ends_with_the_job(tow: CommandLine) -> None:
    tow("runner", "start")
    (db_id,) = tow.submit("endless")
    process_of(tow, db_id)
    follower = subprocess.Popen(
        [TOW, "job", "queue-out", db_id, "--follow"], env=tow.environment, stdout=subprocess.PIPE, text=True
    )
    assert follower.stdout is not None
    assert follower.stdout.readline().startswith("pid ")
    tow("job", "stop", db_id)
    assert follower.wait(timeout=60) == 0
    follower.stdout.close()


def test_a_killed_runner_is_lost_and_the_next_one_goes_on(tow: CommandLine) -> None:
    tow("runner", "start")
    (db_id,) = tow.submit("endless")
    process = process_of(tow, db_id)
    tow("runner", "kill")
    assert tow.json("runner", "status")["state"] in ("LOST", "SHUT_DOWN")
    assert process.is_running()
    tow("runner", "restart")
    eventually(lambda: tow.state(db_id) == "RUNNING")
    assert process.is_running()


def test_a_watched_list_follows_the_queue_until_it_is_interrupted(tow: CommandLine) -> None:
    tow.submit("chain")
    # Live drawing wants a terminal.
    controller, terminal = pty.openpty()
    watcher = subprocess.Popen(
        [TOW, "job", "list", "--watch"],
        env={**tow.environment, "COLUMNS": "120", "LINES": "40", "TERM": "xterm"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    seen = b""

    def shows(text: bytes) -> bool:
        nonlocal seen
        if text not in seen:
            seen += os.read(controller, 65536)
        return text in seen

    eventually(lambda: shows(b"WAITING"))
    tow("job", "stop", "1")
    eventually(lambda: shows(b"USER_STOPPED"))
    # A terminal that nobody reads is full after some pages, and who writes to it waits.
    reader = threading.Thread(target=_read_to_the_end, args=(controller,), daemon=True)
    reader.start()
    watcher.send_signal(signal.SIGINT)
    assert watcher.wait(timeout=60) == 0
    reader.join(timeout=30)
    os.close(controller)


def _read_to_the_end(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # so ends a terminal on Linux
        while os.read(descriptor, 65536):
            pass


def test_a_stream_of_events_ends_when_nobody_reads_it_any_more(tow: CommandLine) -> None:
    tow.submit("chain")
    follower = subprocess.Popen(
        [TOW, "events", "--follow", "--since", "2020-01-01"], env=tow.environment, stdout=subprocess.PIPE, text=True
    )
    assert follower.stdout is not None
    assert "READY" in follower.stdout.readline()
    follower.stdout.close()
    assert follower.wait(timeout=60) == 0


def test_a_command_that_is_interrupted_says_so_without_a_traceback(tow: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import time\nprint('begun', flush=True)\ntime.sleep(600)\n")
    slow = subprocess.Popen(
        [TOW, "submit", tmp_path / "slow.py"],
        env=tow.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert slow.stdout is not None
    assert slow.stdout.readline() == "begun\n"
    slow.send_signal(signal.SIGINT)
    assert slow.communicate(timeout=60)[1] == "tow: interrupted\n"
    assert slow.returncode == 130


def test_the_log_of_the_runner_is_followed(tow: CommandLine) -> None:
    assert "no runner is active" in tow("runner", "foreground", code=1).stderr
    tow("runner", "start")
    follower = subprocess.Popen(
        [TOW, "runner", "foreground"], env=tow.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert follower.stderr is not None
    assert "runner.log" in follower.stderr.readline()
    tow("runner", "stop")
    _, _ = follower.communicate(timeout=60)
    assert follower.returncode == 0


def test_a_runner_is_looked_at_restarted_and_stopped_in_every_project(tow: CommandLine, tmp_path: Path) -> None:
    tow("runner", "start", "--log-level", "debug")
    eventually(lambda: tow.json("runner", "info")["workers"]["local"]["connected"], 8)
    info = tow.json("runner", "info")
    assert {process["role"] for process in info["processes"]} >= {"supervisor", "runner", "pilot of local"}
    shown = tow("runner", "info", "--pings", "-v").stdout
    assert "silent for" in shown
    assert "keeper of local" in shown
    refused = tow("runner", "update-status", code=1)
    assert "runs this project" in refused.stderr

    restarted = tow("runner", "restart").stdout
    assert "RUNNING" in restarted
    runner = tow.json("runner", "status")["pid"]
    assert psutil.Process(runner).cmdline()[-2:] == ["--log-level", "debug"]

    written = tmp_path / "stopped.json"
    tow("runner", "stop", "--all", "--json", str(written))
    assert [status["state"] for status in orjson.loads(written.read_bytes())] == ["SHUT_DOWN"]
    assert tow("runner", "stop", "--all").stderr == "no runner is active for any project\n"
    assert orjson.loads(tow("runner", "stop", "--all", "--json").stdout) == []
    assert tow("runner", "reset", "--yes").stdout == "no runner is registered\n"


def test_a_runner_that_hangs_is_told_ended_and_followed(tow: CommandLine, tmp_path: Path) -> None:
    tow("runner", "start")
    hanging = psutil.Process(tow.json("runner", "status")["pid"])
    hanging.suspend()
    # Half a minute without a sign of life.
    database = Database(tmp_path / "home" / "default" / "queue.db")
    with database.transaction() as transaction:
        transaction.execute("UPDATE runner SET heartbeat_at = 100, expires_at = 130")
    database.close()
    assert tow.json("runner", "status")["is_silent"]
    assert "hangs, or is suspended: it was last heard of" in tow("runner", "status").stdout
    assert "does not answer; `tow runner kill` ends it" in tow("runner", "start", code=1).stderr
    tow("runner", "kill")
    tow("runner", "start")
    (job,) = tow.submit("chain")[:1]
    tow("wait", job)
    assert not hanging.is_running()


def test_a_runner_that_was_forgotten_ends_by_itself(tow: CommandLine) -> None:
    tow("runner", "start")
    runner = tow.json("runner", "status")["pid"]
    assert "nothing was changed" in tow("runner", "reset", code=1).stderr
    assert tow("runner", "reset", "--yes").stdout == "the runner is forgotten\n"
    eventually(lambda: not psutil.pid_exists(runner))
    eventually(lambda: tow.json("runner", "status")["state"] == "SHUT_DOWN")


def test_jobs_in_flight_are_asked_about_without_a_runner(tow: CommandLine) -> None:
    tow("runner", "start")
    (running,) = tow.submit("endless")
    eventually(lambda: tow.state(running) == "RUNNING")
    job = tow.json("job", "info", running)
    tow("runner", "kill")
    os.killpg(int(job["remote"]["process_id"]), signal.SIGKILL)
    ready = tow.submit("chain")[0]
    updated = tow.json("runner", "update-status")
    assert updated["asked_about"] == 1
    assert updated["now"] == {"FAILED": 1}
    assert tow.state(ready) == "READY"
