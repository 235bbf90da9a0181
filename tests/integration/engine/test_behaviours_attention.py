"""What does not go on by itself is said: on the flow, and on the job."""

from jobflow import Flow, OnMissing

import towline
from towline.core.states import JobState
from towline.operations import runners
from towline.operations.compose import open_project
from towline.operations.flows import FlowFilter, list_flows
from towline.operations.jobs import job_info, rerun_jobs, set_job_states, stop_jobs
from towline.testing import jobs
from towline.testing.command_line import tow


def attention():
    with open_project() as opened:
        return "\n".join(list_flows(opened, FlowFilter())[0].attention)


def waits(db_id):
    with open_project() as opened:
        return "\n".join(job_info(opened, int(db_id)).waits)


def test_a_remote_error_shows_on_the_flow_that_goes_on(engine):
    db_id, _ = engine.submit(Flow([jobs.add(1, 1), jobs.sleep(0)]))
    with open_project() as opened:
        set_job_states(opened, [int(db_id)], JobState.REMOTE_ERROR)
    assert engine.rows("SELECT state FROM flow") == [("RUNNING",)]
    assert "1 in REMOTE_ERROR" in attention()
    assert "RUNNING !" in tow("flow", "list").out
    assert "tow job retry" in tow("flow", "info", db_id).out


def test_a_hold_and_a_dead_end_show_on_the_flow(engine):
    first = jobs.fail()
    engine.submit(Flow([first, jobs.add(first.output, 1), towline.hold("Go on?")]))
    engine.run()
    assert "1 FAILED" in attention()
    assert "waits for a person" in attention()


def test_an_end_that_is_not_confirmed_shows_on_the_flow_and_the_job(engine):
    (db_id,) = engine.submit(jobs.add(1, 1))
    with open_project() as opened:
        set_job_states(opened, [int(db_id)], JobState.RUNNING)
        rerun_jobs(opened, [int(db_id)])
        with opened.database.transaction() as transaction:
            transaction.execute("UPDATE cancellation SET requested_at = requested_at - 100")
    assert "is not confirmed" in attention()
    assert "attempt 1" in waits(db_id)
    engine.run()
    assert attention() == ""


def test_a_job_says_that_it_waits_for_a_runner_a_worker_or_a_slot(engine):
    engine.configure(workers={"local": {"type": "local", "max_jobs": 1}, "closed": {"type": "local", "max_jobs": 0}})
    first, second = engine.submit(Flow([jobs.add(1, 1), jobs.add(1, 2)]))
    (closed,) = engine.submit(jobs.add(1, 3), worker="closed")
    assert "a runner: none is active" in waits(first)
    assert "max_jobs is 0" in waits(closed)
    with open_project() as opened:
        set_job_states(opened, [int(first)], JobState.RUNNING)
    assert "a free slot on the worker local: 1 jobs are there, 1 may run at once" in waits(second)
    engine.configure(workers={"local": {"type": "local"}})
    assert "a worker called closed" in waits(closed)


def test_a_waiting_job_names_the_parents_that_block_it_and_their_states(engine):
    first = jobs.fail()
    failed, waiting = engine.submit(Flow([first, jobs.add(first.output, 1)]))
    engine.run()
    answer = tow("job", "info", waiting)
    assert f"{failed} fail FAILED" in answer.out
    assert f"tow job info {failed}" in answer.err + answer.out


def test_jobs_made_by_a_job_that_accepts_failed_parents_accept_them_too(engine):
    maker = jobs.add_two_in_a_row()
    maker.config.on_missing_references = OnMissing.NONE
    engine.submit(maker)
    engine.run()
    assert engine.rows("SELECT count(*) FROM job WHERE made_by IS NOT NULL AND accepts_failed_parents = 1") == [(2,)]


def test_a_replaced_job_runs_again_and_what_it_made_is_in_its_history(engine):
    db_id, *_ = engine.submit(jobs.fan_out(2))
    engine.run()
    before = {row[0] for row in engine.rows("SELECT run_dir FROM job")}
    with open_project() as opened:
        rerun_jobs(opened, [int(db_id)], force=True)
    engine.run()
    after = {row[0] for row in engine.rows("SELECT run_dir FROM job")}
    assert set(engine.states().values()) == {"COMPLETED"}
    # Every attempt has a folder of its own, also that of a job which takes the identity of a retired one.
    assert not before & after
    with open_project() as opened:
        report = job_info(opened, int(db_id))
    assert {job.state for job in report.made_earlier} == {JobState.COMPLETED}
    assert sorted(job.name for job in report.made_earlier) == ["add", "add", "store_inputs", "total"]
    assert len(report.earlier_attempts) == 1
    assert engine.outputs()["total"] == 3


def test_an_attempt_on_a_worker_that_was_removed_stays_visible_and_is_explained(engine):
    """Nobody can ask that worker what became of the attempt; it is neither forgotten nor called finished."""
    engine.configure(workers={"local": {}, "gone": {}})
    running, other = engine.submit(Flow([jobs.add(1, 1), jobs.add(1, 2)]), worker="gone")
    with open_project() as opened:
        set_job_states(opened, [int(running)], JobState.RUNNING)
    engine.configure(workers={"local": {}})
    engine.run()
    assert engine.job(running)["state"] == "RUNNING"
    assert "1 RUNNING of the worker gone, which is not configured" in attention()
    assert "1 READY of the worker gone, which is not configured" in attention()
    assert "a worker called gone, where its attempt was begun" in waits(running)
    assert "put the worker back" in tow("job", "info", running).err
    assert "a worker called gone" in waits(other)


def test_an_attempt_to_be_ended_on_a_removed_worker_waits_for_it_or_is_given_up_by_unlock(engine):
    engine.configure(workers={"local": {}, "gone": {}})
    (db_id,) = engine.submit(jobs.add(1, 1), worker="gone")
    with open_project() as opened:
        set_job_states(opened, [int(db_id)], JobState.RUNNING)
    engine.configure(workers={"local": {}})
    assert tow("job", "stop", db_id).code == 0
    engine.run()
    assert "1 to be ended on the worker gone, which is not configured" in attention()
    assert "the end of its attempt 1" in waits(db_id)
    assert "a worker called gone" in waits(db_id)
    log = runners.log_file()
    assert tow("job", "rerun", "--force", db_id).code == 0
    assert tow("job", "set", "worker", "local", "--db-id", db_id).code == 0
    engine.run()
    assert engine.job(db_id)["state"] == "READY", "the attempt before may still run"
    assert "1 job unlocked" in tow("admin", "unlock", "--db-id", db_id).out
    engine.run()
    assert engine.job(db_id)["state"] == "COMPLETED"
    assert attention() == ""
    assert not log.exists() or "Traceback" not in log.read_text()


def test_the_worker_that_comes_back_tells_what_became_of_its_attempts(engine):
    engine.configure(workers={"local": {}, "away": {}})
    (db_id,) = engine.submit(jobs.add(1, 1), worker="away")
    with open_project() as opened:
        set_job_states(opened, [int(db_id)], JobState.RUNNING)
        stop_jobs(opened, [int(db_id)])
    engine.configure(workers={"local": {}})
    engine.run()
    assert attention() != ""
    engine.configure(workers={"local": {}, "away": {}})
    engine.run()
    assert attention() == ""


def test_an_attempt_of_a_deleted_job_on_a_removed_worker_stays_visible_until_it_is_given_up(engine):
    engine.configure(workers={"local": {}, "gone": {}})
    (db_id,) = engine.submit(jobs.add(1, 1), worker="gone")
    engine.submit(jobs.add(1, 2))
    with open_project() as opened:
        set_job_states(opened, [int(db_id)], JobState.RUNNING)
    engine.configure(workers={"local": {}})
    assert tow("flow", "delete", "--db-id", db_id, "--yes").code == 0
    engine.run()
    shown = tow("runner", "info")
    assert "1 on gone, which is not configured" in shown.out.replace("\n", " ")
    assert len(tow("runner", "info", "--json").json["attempts_to_end"]) == 1
    assert tow("admin", "unlock", "--yes").code == 0
    assert "gone" not in tow("runner", "info").out
    assert tow("runner", "info", "--json").json["attempts_to_end"] == []
