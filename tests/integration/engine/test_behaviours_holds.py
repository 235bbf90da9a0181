"""Steps that wait for a person."""

import pytest
from jobflow import Flow, OnMissing

import towline
from towline.errors import InvalidFlow, WorkerError
from towline.operations.compose import open_project
from towline.operations.holds import approve_jobs, reject_jobs
from towline.operations.jobs import pause_jobs, rerun_jobs, resume_jobs, set_run_properties, stop_jobs
from towline.store.actions import RunProperties
from towline.testing import jobs
from towline.testing.command_line import tow


def asking_flow():
    before = jobs.add(1, 2)
    hold = towline.hold("Is 3 what we want? (it's $(fine))", shows=before.output)
    after = jobs.environment([hold.output["message"], "x"])
    return Flow([before, hold, after], name="asking")


def decide(what, *db_ids, message=None):
    with open_project() as opened:
        return what(opened, [int(db_id) for db_id in db_ids], message)


def test_a_flow_stops_at_a_hold_and_goes_on_when_it_is_approved(engine):
    before, hold, after = engine.submit(asking_flow())
    engine.run()
    assert engine.states() == {"add.1": "COMPLETED", "hold.1": "READY", "environment.1": "WAITING"}
    assert decide(approve_jobs, hold, message="yes").changed == (hold,)
    engine.run()
    assert engine.states() == {"add.1": "COMPLETED", "hold.1": "COMPLETED", "environment.1": "COMPLETED"}
    output = engine.outputs()
    assert output["hold"]["approved"] is True
    assert output["hold"]["message"] == "yes"
    assert output["environment"]["variables"] == {"yes": None, "x": None}
    assert before != after


def test_a_rejected_hold_fails_its_children_as_a_failed_parent_would(engine):
    flow = asking_flow()
    accepting = jobs.total([1, flow.jobs[1].output])
    accepting.config.on_missing_references = OnMissing.NONE
    flow.add_jobs(accepting)
    _, hold, after, accepts = engine.submit(flow)
    engine.run()
    assert decide(reject_jobs, hold, message="not like this").changed == (hold,)
    engine.run()
    assert engine.job(hold)["state"] == "FAILED"
    assert engine.job(hold)["reason"] == "rejected"
    assert "not like this" in engine.failure(hold)["message"]
    assert engine.job(after)["state"] == "WAITING"
    assert engine.job(accepts)["state"] in ("COMPLETED", "FAILED")
    assert engine.rows("SELECT state FROM flow") == [("FAILED",)]


def test_a_hold_whose_turn_has_not_come_cannot_be_decided(engine):
    _, hold, after = engine.submit(asking_flow())
    refused = decide(approve_jobs, hold).refused[hold]
    assert "What comes before it has not finished" in refused
    assert "made with towline.hold" in decide(approve_jobs, after).refused[after]


def test_a_decision_can_be_asked_for_again(engine):
    _, hold, _ = engine.submit(asking_flow())
    engine.run()
    decide(reject_jobs, hold)
    with open_project() as opened:
        rerun_jobs(opened, [int(hold)])
    engine.run()
    assert engine.job(hold)["state"] == "READY"
    decide(approve_jobs, hold, message="now")
    engine.run()
    assert engine.states()["environment.1"] == "COMPLETED"


def test_a_hold_can_be_paused_and_stopped_but_not_moved_to_a_worker(engine):
    _, hold, _ = engine.submit(asking_flow())
    engine.run()
    with open_project() as opened:
        refused = set_run_properties(opened, [int(hold)], RunProperties(worker="local")).refused
        assert "tow job approve" in refused[hold]
        pause_jobs(opened, [int(hold)])
        assert "tow job resume" in decide(approve_jobs, hold).refused[hold]
        resume_jobs(opened, [int(hold)])
        stop_jobs(opened, [int(hold)])
    assert engine.job(hold)["state"] == "USER_STOPPED"


def test_waiting_for_a_flow_ends_at_a_hold(engine):
    ids = engine.submit(asking_flow())
    engine.run()
    waited = towline.wait_flow(ids, timeout_seconds=20)
    assert not waited.completed
    assert {state.value for state in waited.states} == {"COMPLETED", "READY", "WAITING"}


def test_a_hold_made_by_a_job_waits_too(engine):
    (maker,) = engine.submit(jobs.add_hold())
    engine.run()
    ((hold,),) = engine.rows("SELECT id FROM job WHERE made_by = ?", int(maker))
    assert engine.job(hold)["state"] == "READY"
    decide(approve_jobs, hold)
    assert engine.job(hold)["state"] == "COMPLETED"


def test_a_hold_outlives_every_process(engine):
    _, hold, _ = engine.submit(asking_flow())
    runner = engine.start_runner_process()
    try:
        towline.wait_flow([hold], timeout_seconds=60)
    finally:
        runner.kill()
        runner.wait(timeout=30)
    decide(approve_jobs, hold, message="now")
    engine.end_processes()
    engine.run()
    assert engine.states()["environment.1"] == "COMPLETED"


def test_a_hold_without_a_question_is_refused():
    with pytest.raises(InvalidFlow, match="says what is to be decided"):
        towline.hold(" ")


def test_without_a_person_a_local_run_says_what_it_waits_for():
    with pytest.raises(WorkerError, match="waits for a person"):
        towline.hold("Go on?").function(text="Go on?")


def test_holds_from_the_command_line(engine):
    _, hold, _ = engine.submit(asking_flow())
    engine.run()
    listed = tow("job", "list")
    assert "(person)" in listed.out
    info = tow("job", "info", hold)
    assert "Is 3 what we want? (it's $(fine))" in info.out
    assert f"tow job approve {hold}" in info.out + info.err
    done = tow("job", "approve", hold, "--message", "go on")
    assert done.out == "1 job approved\n"
    assert "go on" in tow("job", "info", hold, "-v").out
    again = tow("job", "reject", hold)
    assert again.code == 1
    assert "is COMPLETED" in again.err
