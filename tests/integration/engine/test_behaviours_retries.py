"""Jobs that run again by themselves: policies by reason, changed resources, checkpoints, handlers."""

import json
import sys

import pytest
from jobflow import Flow

import towline
from towline.errors import ConfigurationError
from towline.operations.compose import open_project
from towline.store.job_history import earlier_attempts
from towline.testing import jobs


def attempts(db_id):
    with open_project() as opened:
        return earlier_attempts(opened.database, int(db_id))


def resources(engine, db_id):
    return json.loads(engine.rows("SELECT settings FROM job_document WHERE job_id = ?", int(db_id))[0][0])["resources"]


def failing_until(tmp_path, times):
    """A command that fails as often as told, then succeeds."""
    count = tmp_path / "count"
    return f"n=$(cat {count} 2>/dev/null || echo 0); echo $((n + 1)) > {count}; test $n -ge {times}"


def test_a_failed_job_runs_again_as_often_as_its_policy_says(engine, tmp_path):
    job = towline.command(failing_until(tmp_path, 2), retry={"exit_code": 3})
    (db_id,) = engine.submit(job)
    engine.run()
    assert engine.job(db_id)["state"] == "COMPLETED"
    found = attempts(db_id)
    assert [(item.attempt, item.state.value, item.outcome["reason"]) for item in found] == [
        (1, "FAILED", "exit_code"),
        (2, "FAILED", "exit_code"),
    ]
    assert found[1].outcome["followed_by"] == "runs again after exit_code (2 of 3)"
    assert len({item.run_dir for item in found} | {engine.job(db_id)["run_dir"]}) == 3


def test_a_job_fails_for_good_when_its_policy_is_used_up_and_its_children_wait_until_then(engine, tmp_path):
    job = towline.command(failing_until(tmp_path, 5), retry={"any": 2})
    child = jobs.add(1, job.output)
    first, second = engine.submit(Flow([job, child]))
    engine.run()
    assert engine.job(first)["state"] == "FAILED"
    assert engine.job(second)["state"] == "WAITING"
    assert (tmp_path / "count").read_text().strip() == "3"
    assert engine.rows("SELECT count(*) FROM event WHERE job_id = ? AND to_state = 'FAILED'", int(first)) == [(1,)]


def test_each_reason_has_its_own_rule(engine):
    flow = Flow([jobs.fail("never again"), jobs.end_process(exit_code=3)])
    towline.set_run_config(flow, retry={"exit_code": 1})
    failed, ended = engine.submit(flow)
    engine.run()
    assert len(attempts(failed)) == 0
    assert len(attempts(ended)) == 1


def test_a_job_that_ran_into_its_time_limit_gets_more_time(engine):
    job = towline.command("sleep 0.6", retry={"walltime": {"times": 5, "multiply": {"time_limit": 3}}})
    (db_id,) = engine.submit(job, resources={"time_limit": 0.2})
    engine.run()
    assert engine.job(db_id)["state"] == "COMPLETED"
    assert attempts(db_id)[0].outcome["reason"] == "timeout"
    assert resources(engine, db_id)["time_limit"] >= 0.6


def test_more_memory_is_given_up_to_a_limit(engine):
    policy = {"oom": {"times": 5, "multiply": {"memory_gigabytes": 2}, "limits": {"memory_gigabytes": 0.5}}}
    flow = Flow([jobs.take_memory(300), jobs.take_memory(3000)])
    towline.set_run_config(flow, retry=policy)
    enough, never = engine.submit(flow, resources={"memory_gigabytes": 0.2})
    engine.run()
    assert engine.job(enough)["state"] == "COMPLETED"
    assert resources(engine, enough)["memory_gigabytes"] == 0.4
    found = engine.job(never)
    assert (found["state"], found["reason"]) == ("FAILED", "out_of_memory")
    # At the limit, the same again would only fail again.
    assert resources(engine, never)["memory_gigabytes"] == 0.5
    assert [item.outcome["reason"] for item in attempts(never)] == ["out_of_memory"] * 2


@pytest.mark.parametrize("kind", ["command", "python"])
def test_the_next_attempt_continues_from_the_files_of_the_last(engine, kind, tmp_path):
    policy = {"exit_code": {"times": 3, "keep": ["step *.chk", "data"]}}
    if kind == "command":
        script = "mkdir -p data; ls > data/seen; touch 'step 1.chk' other; test -e 'step 2.chk' && exit 0; "
        script += "test -e 'step 1.chk' && test -s data/before && touch 'step 2.chk'; cp data/seen data/before; exit 1"
        job = towline.command(script, retry=policy)
    else:
        job = jobs.continue_from_checkpoint()
        towline.set_run_config(job, retry=policy)
    (db_id,) = engine.submit(job)
    engine.run()
    assert engine.job(db_id)["state"] == "COMPLETED", engine.failure(db_id)
    before = attempts(db_id)
    assert len(before) == 2
    assert "other" not in [path.name for path in engine.run_dir(db_id).iterdir()] or kind == "command"
    # Nothing in the folders of the earlier attempts changed.
    assert sorted(path.name for path in type(tmp_path)(before[0].run_dir).glob("*.chk")) == ["step 1.chk"]


HANDLERS = '''
def more_time(failed):
    """Doubles the time when the program said that it was near."""
    assert failed.reason == "timeout", failed
    assert "almost there" in failed.stdout_tail
    return {"resources": {"time_limit": failed.resources["time_limit"] * 10}, "message": "it was almost there"}

def never(failed):
    return f"exit code {failed.exit['exit_code']} cannot be helped"

def broken(failed):
    raise RuntimeError("of its own")

def as_proposed(failed):
    return failed.attempt == 1
'''


@pytest.fixture
def handlers(tmp_path, monkeypatch):
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "remedies.py").write_text(HANDLERS)
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    yield
    sys.modules.pop("remedies", None)


@pytest.mark.usefixtures("handlers")
def test_a_handler_changes_the_resources_of_the_next_attempt(engine):
    job = towline.command(
        "echo almost there; sleep 0.6", retry={"timeout": {"times": 2, "handler": "remedies:more_time"}}
    )
    (db_id,) = engine.submit(job, resources={"time_limit": 0.3})
    engine.run()
    assert engine.job(db_id)["state"] == "COMPLETED", engine.failure(db_id)
    failed, asked = attempts(db_id)
    assert (failed.state.value, failed.outcome["reason"]) == ("FAILED", "timeout")
    assert "remedies:more_time" in failed.outcome["followed_by"]
    assert asked.state.value == "COMPLETED"
    assert "it was almost there" in asked.outcome["followed_by"]
    assert resources(engine, db_id)["time_limit"] == 3


@pytest.mark.usefixtures("handlers")
def test_a_handler_may_give_up_and_the_job_keeps_its_first_failure(engine):
    job = towline.command("exit 5", retry={"exit_code": {"handler": "remedies:never"}})
    (db_id,) = engine.submit(job)
    engine.run()
    found = engine.job(db_id)
    assert (found["state"], found["reason"], found["exit_code"]) == ("FAILED", "exit_code", 5)
    assert "exit code 5 cannot be helped" in engine.failure(db_id)["message"]


@pytest.mark.usefixtures("handlers")
def test_a_handler_that_fails_is_told_with_the_failure_of_the_job(engine):
    import remedies

    flow = Flow([jobs.fail("first of all"), jobs.fail("no such function")])
    towline.set_run_config(flow, "fail", retry={"error": {"handler": remedies.broken}})
    flow.jobs[1].config.manager_config["retry"] = {"error": {"handler": "remedies:missing"}}
    broken, missing = engine.submit(flow)
    engine.run()
    assert engine.job(broken)["reason"] == "error"
    assert "first of all" in engine.failure(broken)["message"]
    assert "RuntimeError: of its own" in engine.failure(broken)["message"]
    assert "missing" in engine.failure(missing)["message"]


@pytest.mark.usefixtures("handlers")
def test_a_handler_may_leave_it_to_the_policy(engine, tmp_path):
    rule = {"times": 3, "handler": "remedies:as_proposed", "multiply": {"time_limit": 2}}
    (db_id,) = engine.submit(
        towline.command(failing_until(tmp_path, 1), retry={"exit_code": rule}), resources={"time_limit": 100}
    )
    engine.run()
    assert engine.job(db_id)["state"] == "COMPLETED"
    assert resources(engine, db_id)["time_limit"] == 200


def test_an_attempt_waits_for_its_time_and_the_runner_for_the_attempt(engine, tmp_path):
    rule = {"times": 3, "delay_seconds": [0.2, 0.4]}
    (db_id,) = engine.submit(towline.command(failing_until(tmp_path, 2), retry={"exit_code": rule}))
    engine.run()
    assert engine.job(db_id)["state"] == "COMPLETED"
    found = attempts(db_id)
    assert found[1].start_time.timestamp() - found[0].end_time.timestamp() >= 0.2
    assert engine.job(db_id)["started_at"] - found[1].end_time.timestamp() >= 0.4


def test_the_policy_of_the_job_goes_before_that_of_the_worker_and_that_before_the_project(engine, tmp_path):
    own = {"type": "local", "retry": {"exit_code": 1}}
    engine.configure(retry={"exit_code": 2}, workers={"local": {"type": "local"}, "own": own})
    by_project, by_worker = jobs.end_process(exit_code=1), jobs.end_process(exit_code=1)
    by_job = jobs.end_process(exit_code=1)
    towline.set_run_config(by_worker, worker="own")
    towline.set_run_config(by_job, worker="own", retry={})
    ids = engine.submit(Flow([by_project, by_worker, by_job]))
    engine.run()
    assert [len(attempts(db_id)) for db_id in ids] == [2, 1, 0]


def test_jobs_made_by_a_job_inherit_its_policy(engine):
    job = jobs.add_failing_job()
    towline.set_run_config(job, retry={"exit_code": 1}, dynamic=False)
    engine.submit(job)
    engine.run()
    ((made,),) = engine.rows("SELECT id FROM job WHERE made_by IS NOT NULL")
    assert len(attempts(made)) == 1


def test_what_the_policy_did_is_forgotten_when_the_user_asks_again(engine, tmp_path):
    (db_id,) = engine.submit(towline.command(failing_until(tmp_path, 3), retry={"exit_code": 1}))
    engine.run()
    assert engine.job(db_id)["state"] == "FAILED"
    with open_project() as opened:
        towline.operations.jobs.rerun_jobs(opened, [int(db_id)])
    engine.run()
    assert engine.job(db_id)["state"] == "COMPLETED"
    assert [item.attempt for item in attempts(db_id)] == [1, 2, 3]


def test_a_policy_that_is_none_is_refused_where_it_is_written(engine):
    with pytest.raises(ConfigurationError, match=r"retry has the reason 'timeuot'; did you mean 'timeout'"):
        towline.command("true", retry={"timeuot": 1})
    with pytest.raises(ConfigurationError, match=r"retry.error has the key 'time'; did you mean 'times'"):
        towline.set_run_config(jobs.add(1, 1), retry={"error": {"time": 1}})
    with pytest.raises(ConfigurationError, match="cannot be imported"):
        towline.command("true", retry={"error": {"handler": lambda failed: True}})
    engine.configure(retry={"error": {"keep": ["../x"]}})
    with pytest.raises(ConfigurationError, match=r"retry.error.keep has '../x'"):
        engine.submit(jobs.add(1, 1))
    engine.configure()
