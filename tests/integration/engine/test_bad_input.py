"""Flows, outputs, files and clocks as they should not be: each is told as what it is, and the rest goes on."""

import os
import shutil
import sqlite3
import sys
import time

import psutil
import pytest
from jobflow import Flow, JobOrder, OutputReference

import towline
from towline.configuration.choice import load_project
from towline.errors import InvalidFlow, StoreError
from towline.operations.compose import open_project
from towline.store import leases
from towline.store.database import Database
from towline.testing import hostile_jobs, jobs
from towline.testing.command_line import tow
from towline.testing.waiting import wait_until


def told(db_id):
    """What `tow job info` says."""
    answer = tow("job", "info", db_id)
    return f"{answer.out}{answer.err}"


def only_with_a_file(engine):
    if engine.queue:
        pytest.skip("the files of PostgreSQL are its own business")


def test_a_missing_reference_is_refused_by_name_and_the_rest_is_submitted(engine):
    lost = jobs.add(1, OutputReference("11111111-2222-3333-4444-555555555555"))
    with pytest.raises(InvalidFlow, match="uses the output of job 11111111-2222-3333-4444-555555555555, which is not"):
        engine.submit(Flow([jobs.add(1, 1), lost]))
    (fine,) = engine.submit(jobs.add(1, 1))
    engine.run()
    assert engine.states() == {"add.1": "COMPLETED"}
    assert engine.job(fine)["state"] == "COMPLETED"


def test_jobs_that_wait_for_each_other_are_refused_by_name(engine):
    first, second = jobs.add(1, 1), jobs.add(2, 2)
    first.function_args = (1, second.output)
    second.function_args = (1, first.output)
    with pytest.raises(InvalidFlow, match=f"wait for each other: 'add' .*{first.uuid}.*has to do without"):
        engine.submit(Flow([first, second], order=JobOrder.AUTO))
    engine.submit(jobs.add(1, 1))
    engine.run()
    assert set(engine.states().values()) == {"COMPLETED"}


def test_an_output_of_100_megabytes_is_stored(engine):
    large, beside = hostile_jobs.do("return much", 100), jobs.add(1, 1)
    engine.submit(Flow([large, beside, after := jobs.add(2, 2)]))
    after.name = "after"
    engine.run(max_seconds=200)
    assert set(engine.states().values()) == {"COMPLETED"}
    with towline.JobController.from_project_name() as controller:
        assert controller.get_job_output(job_id=large.uuid) == "x" * 100_000_000


@pytest.mark.slow
def test_a_gigabyte_of_print_stays_in_its_file_and_is_never_read_whole(engine):
    flow = Flow([printing := hostile_jobs.do("print much", 1024), jobs.add(1, 1)])
    db_id, _ = engine.submit(flow)
    runner = engine.start_runner_process()
    try:
        memory = []

        def ended():
            memory.append(psutil.Process(runner.pid).memory_info().rss)
            return engine.job(db_id)["state"] in ("COMPLETED", "FAILED")

        wait_until(ended, timeout_seconds=200, what="the end of the job")
    finally:
        runner.terminate()
        runner.wait(timeout=30)
    assert engine.job(db_id)["state"] == "COMPLETED"
    assert (engine.run_dir(db_id) / "queue.out").stat().st_size == 1 << 30
    assert max(memory) < 300e6
    shown = tow("job", "queue-out", db_id)
    assert shown.code == 0
    assert len(shown.out) < 1_000_000
    assert engine.outputs()["do"] == 1024
    assert printing.name == "do"
    shutil.rmtree(engine.run_dir(db_id))


def test_a_run_folder_that_is_deleted_while_its_job_runs_is_named(engine, tmp_path):
    mark = tmp_path / "mark"
    waiting, beside = jobs.wait_for_file(str(mark)), jobs.add(1, 1)
    db_id, other = engine.submit(Flow([waiting, beside]))
    runner = engine.start_runner_process()
    try:
        wait_until(lambda: engine.home.exists() and engine.job(db_id)["state"] == "RUNNING", what="the job running")
        shutil.rmtree(engine.run_dir(db_id))
        mark.touch()
        wait_until(lambda: engine.job(db_id)["state"] == "FAILED", what="the end of the job")
        wait_until(lambda: engine.job(other)["state"] == "COMPLETED", what="the end of the job beside it")
    finally:
        runner.terminate()
        runner.wait(timeout=30)
    assert "was deleted while it ran" in told(db_id)
    assert f"tow job rerun {db_id}" in told(db_id)
    assert tow("job", "rerun", db_id).code == 0
    engine.run()
    assert engine.job(db_id)["state"] == "COMPLETED"


def test_names_of_any_letters_are_kept_and_shown(engine):
    names = ['it\'s "quoted"', "two\nlines", "$(touch HOSTILE)", "`touch HOSTILE`", "ünïcödé 原子 🧪", "x" * 5000]
    ids = []
    for name in names:
        job = jobs.add(1, 1)
        job.name = name
        ids += engine.submit(Flow([job], name=name))
    engine.run()
    assert [engine.job(db_id)["state"] for db_id in ids] == ["COMPLETED"] * len(names)
    with towline.JobController.from_project_name() as controller:
        assert [controller.get_job_info(db_id=db_id).name for db_id in ids] == names
        assert controller.count_jobs(name="ünïcödé*") == 1
    assert tow("job", "list").code == tow("flow", "list").code == tow("job", "list", "--json").code == 0
    assert not list(engine.home.rglob("HOSTILE"))


@pytest.mark.parametrize("name", ["a\0b", "half a letter: \ud800"])
def test_names_that_are_no_text_are_refused(engine, name):
    job = jobs.add(1, 1)
    job.name = name
    with pytest.raises(InvalidFlow, match="no text that can be stored; give it another name"):
        engine.submit(job)
    with pytest.raises(InvalidFlow, match="no text that can be stored; give it another name"):
        engine.submit(Flow([jobs.add(1, 1)], name=name))
    engine.submit(jobs.add(2, 2))
    engine.run()
    assert engine.states() == {"add.1": "COMPLETED"}


def test_arguments_that_are_no_numbers_arrive_as_they_are(engine):
    engine.submit(hostile_jobs.do("return", [float("nan"), float("inf"), {"x": -float("inf")}]))
    engine.run()
    nan, infinite, nested = engine.outputs()["do"]
    assert nan != nan
    assert infinite == float("inf")
    assert nested == {"x": -float("inf")}


def test_a_corrupt_project_file_is_told_with_its_line_and_harms_no_other_project(engine, monkeypatch):
    monkeypatch.setenv("TOWLINE_PROJECT", "default")
    engine.configure()
    (engine.home / "broken.yaml").write_text("name: broken\nworkers:\n  local: {max_jobs: [\n")
    (engine.home / "unknown.yaml").write_text("name: unknown\nworker:\n  local: {}\n")
    broken, unknown = tow("-p", "broken", "job", "list"), tow("-p", "unknown", "job", "list")
    assert broken.code != 0
    assert "broken.yaml" in broken.err
    assert "line 4" in broken.err or "line 3" in broken.err
    assert unknown.code != 0
    assert "workers" in unknown.err
    assert "Traceback" not in broken.err + unknown.err
    (db_id,) = engine.submit(jobs.add(1, 1), project="default")
    towline.Runner("default").run_all_jobs(max_seconds=60)
    with towline.JobController.from_project_name("default") as controller:
        assert controller.get_job_info(db_id=db_id).state is towline.JobState.COMPLETED


@pytest.mark.parametrize("damage", ["garbage", "torn", "empty pages"])
def test_a_corrupt_database_is_told_with_what_to_do(engine, damage):
    only_with_a_file(engine)
    engine.submit(Flow([jobs.add(1, 1) for _ in range(50)]))
    path = load_project().queue_path
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = path.read_bytes()
    damaged = {
        "garbage": b"this is no database\n" * 500,
        "torn": content[: len(content) // 2 // 4096 * 4096 + 100],
        "empty pages": content[:4096] + bytes(len(content) - 4096),
    }
    path.write_bytes(damaged[damage])
    answer = tow("job", "list")
    assert answer.code != 0
    assert "damaged" in answer.err
    assert str(path) in answer.err.replace("\n", "")
    assert "recover" in answer.err
    assert "Traceback" not in answer.err
    with pytest.raises(StoreError):
        engine.submit(jobs.add(1, 1))
    runner = engine.start_runner_process()
    assert runner.wait(timeout=60) != 0
    # A database that is moved aside makes room for a new one.
    for file in path.parent.glob(f"{path.name}*"):
        file.rename(file.with_name(f"damaged-{file.name}"))
    (db_id,) = engine.submit(jobs.add(1, 1))
    engine.run()
    assert engine.job(db_id)["state"] == "COMPLETED"


def test_a_torn_write_ahead_log_loses_no_more_than_what_is_torn(engine):
    only_with_a_file(engine)
    first = engine.submit(jobs.add(1, 1))
    path = load_project().queue_path
    keeper = sqlite3.connect(path)
    keeper.execute("SELECT count(*) FROM job").fetchone()
    engine.submit(jobs.add(2, 2))
    log = path.with_name(f"{path.name}-wal")
    content = log.read_bytes()
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    copy.with_name("copy.db-wal").write_bytes(content[: len(content) - 2000] + os.urandom(2000))
    keeper.close()
    for suffix in ("", "-wal", "-shm"):
        path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)
    copy.with_name("copy.db-wal").rename(log)
    copy.rename(path)
    (db_id,) = engine.submit(jobs.add(3, 3))
    engine.run()
    assert engine.job(first[0])["state"] == "COMPLETED"
    assert engine.job(db_id)["state"] == "COMPLETED"


def test_two_runners_of_which_the_second_is_told_who_runs(engine):
    engine.submit(jobs.add(1, 1))
    first = engine.start_runner_process()
    try:
        wait_until(lambda: engine.rows("SELECT 1 FROM runner"), what="a runner")
        second = tow("runner", "run")
        assert second.code != 0
        assert f"pid {first.pid}" in second.err
        assert "tow runner stop" in second.err
        (db_id,) = engine.submit(jobs.add(2, 2))
        assert towline.wait_flow(db_id, timeout_seconds=60)
    finally:
        first.terminate()
        first.wait(timeout=30)


@pytest.mark.parametrize("hours", [-24, 24])
def test_a_clock_that_is_put_back_or_forward_loses_no_lease_of_a_living_runner(engine, hours):
    """A database whose clock is wrong: what a runner wrote a moment ago is a day old, or of tomorrow."""
    moved = [0.0]
    engine.submit(jobs.add(1, 1))
    database = Database(load_project().queue_place, clock=lambda: time.time() + moved[0])
    try:
        with database.transaction() as transaction:
            runner = leases.acquire(
                transaction,
                host="here",
                user_name="anna",
                pid=os.getpid(),
                process_started_at=0,
                lease_seconds=30,
                is_gone=lambda record: False,
            )
        moved[0] = hours * 3600.0
        with database.transaction() as transaction:
            leases.check(transaction, runner)
            assert leases.renew(transaction, runner, 30, b"{}") is None
        holder = leases.holder(database)
        assert holder.id == runner
        # Renewed by the clock as it is now: a runner that dies is replaced after 30 seconds of that clock.
        assert holder.expires_at == pytest.approx(database.clock() + 30, abs=5)
        with database.transaction() as transaction:
            leases.release(transaction, runner)
    finally:
        database.close()
    with open_project() as opened:
        assert leases.holder(opened.database) is None
    engine.run()
    assert set(engine.states().values()) == {"COMPLETED"}


def test_jobs_of_yesterday_and_of_tomorrow_run_all_the_same(engine):
    """The clock was put back: jobs were made in the future, and were to be tried again then."""
    ids = engine.submit(Flow([first := jobs.add(1, 1), jobs.add(first.output, 1)]))
    with open_project() as opened, opened.database.transaction() as transaction:
        transaction.execute("UPDATE job SET created_at = created_at + 86400, updated_at = updated_at + 86400")
    engine.run()
    assert [engine.job(db_id)["state"] for db_id in ids] == ["COMPLETED"] * 2
    assert "COMPLETED" in told(ids[0])


def test_python_is_named_in_no_traceback_for_any_of_the_users_mistakes(engine):
    """Mistakes at the command line end with a sentence."""
    engine.submit(jobs.add(1, 1))
    for arguments in (
        ["job", "info", "no-such-job"],
        ["job", "info", "99999999999999999999999"],
        ["job", "list", "--query", "{"],
        ["job", "list", "--start-date", "yesterday-ish"],
        ["-p", "no\0such", "job", "list"],
        ["job", "list", "--name", "\ud800"],
        ["submit", "no-such-file.py"],
    ):
        answer = tow(*arguments)
        assert answer.code != 0 or arguments[-1] == "\ud800", arguments
        assert "Traceback" not in answer.err, answer.err
        assert sys.executable not in answer.err
