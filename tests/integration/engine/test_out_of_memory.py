"""Jobs that take more memory than there is: refused at their own limit, or killed by the system."""

import contextlib
import os
import sys
from pathlib import Path

import pytest
from jobflow import Flow

import towline
from towline.testing import jobs
from towline.testing.command_line import tow
from towline.testing.waiting import wait_until

MEGABYTE = 1024**2

needs_limits = pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps limits of memory")


def python(code):
    return towline.command([sys.executable, "-c", code])


@needs_limits
def test_a_command_that_fills_its_memory_is_told_from_one_that_fails(engine):
    fill = "x = []\nwhile True: x.append(bytearray(1_000_000))"
    filled, at_once, failed = engine.submit(
        Flow([python(fill), python("bytearray(10**11)"), python("raise SystemExit(3)")]),
        resources={"memory_gigabytes": 0.15},
    )
    engine.run()
    for db_id in (filled, at_once):
        found = engine.job(db_id)
        assert (found["state"], found["reason"]) == ("FAILED", "out_of_memory")
        assert "of the 0.15 GB that it may take" in tow("job", "info", db_id).out.replace("\n", " ")
    assert engine.job(failed)["reason"] == "exit_code"


@needs_limits
def test_a_command_gets_more_memory_by_policy_until_it_has_enough(engine):
    command = python("bytearray(200_000_000); print('enough')")
    towline.set_run_config(command, retry={"oom": {"times": 5, "multiply": {"memory_gigabytes": 4}}})
    (db_id,) = engine.submit(command, resources={"memory_gigabytes": 0.1})
    engine.run()
    assert engine.job(db_id)["state"] == "COMPLETED", engine.failure(db_id)
    assert tow("job", "info", db_id, "--json").json["resources"]["memory_gigabytes"] == 0.4


@contextlib.contextmanager
def group_of_processes(limit_bytes):
    """A control group with a limit of memory, as a batch system makes one for each allocation; in either version."""
    first = Path("/sys/fs/cgroup/memory")
    root, limit = (first, "memory.limit_in_bytes") if first.is_dir() else (Path("/sys/fs/cgroup"), "memory.max")
    folder = root / f"towline-test-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / limit).write_text(str(limit_bytes))
    except OSError as error:
        with contextlib.suppress(OSError):
            folder.rmdir()
        pytest.skip(f"no control group with a limit of memory can be made here: {error}")
    try:
        yield folder
    finally:
        wait_until(lambda: removed(folder, root), what="the end of the group")


def removed(folder, root):
    """Processes that end hold the folder of their group a moment longer."""
    for pid in (folder / "cgroup.procs").read_text().split():
        with contextlib.suppress(OSError):
            (root / "cgroup.procs").write_text(pid)
    with contextlib.suppress(OSError):
        folder.rmdir()
    return not folder.exists()


@needs_limits
def test_a_job_that_the_system_kills_for_want_of_memory_is_told_from_one_that_somebody_kills(engine):
    """The whole worker is in a group with 1.2 GB, as in an allocation; the system kills the largest process of it."""
    engine.submit(jobs.add(1, 1))
    with group_of_processes(1200 * MEGABYTE) as group:
        runner = engine.start_runner_process()
        try:
            (group / "cgroup.procs").write_text(str(runner.pid))
            taking, taken, killed = engine.submit(
                Flow(
                    [
                        jobs.fill_memory(3000),
                        python("x = bytearray(3 * 10**9)\nfor i in range(0, len(x), 4096): x[i] = 1"),
                        jobs.end_process(signal_number=9),
                    ]
                )
            )
            wait_until(
                lambda: all(engine.job(item)["state"] == "FAILED" for item in (taking, taken, killed)),
                what="the ends of the jobs",
                timeout_seconds=60,
            )
        finally:
            runner.terminate()
            runner.wait(timeout=30)
            engine.end_processes()
    assert [engine.job(item)["reason"] for item in (taking, taken, killed)] == [
        *("out_of_memory", "out_of_memory", "signal")
    ]
    assert "the system ran out of memory and killed it" in tow("job", "info", taking).out.replace("\n", " ")
