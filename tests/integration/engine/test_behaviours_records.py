"""What is kept of every job: how it ended, where, what it took, everything that it printed."""

import os
import socket

import pytest
from jobflow import Flow, OnMissing

import towline
from towline.testing import jobs
from towline.testing.command_line import tow


def info(db_id):
    return tow("job", "info", db_id, "-v", "--json").json


def test_exit_code_signal_reason_host_memory_and_times_are_recorded(engine):
    good, bad, killed, late, command = engine.submit(
        Flow(
            [
                jobs.sleep(0.2),
                jobs.end_process(exit_code=7),
                jobs.end_process(signal_number=9),
                towline.set_run_config(jobs.sleep(60), resources={"time_limit": 0.3}),
                towline.command(["sh", "-c", "exit 5"]),
            ]
        )
    )
    engine.run()
    found = {db_id: info(db_id) for db_id in (good, bad, killed, late, command)}
    assert [found[item]["reason"] for item in found] == [None, "exit_code", "signal", "timeout", "exit_code"]
    assert [found[item]["exit_code"] for item in (bad, command)] == [7, 5]
    assert found[killed]["exit_signal"] == 9
    for document in found.values():
        record = document["exit_record"]
        assert record["host"] == socket.gethostname()
        assert record["peak_memory_bytes"] > 100_000
        assert record["started_at"] <= record["ended_at"]
        assert document["start_time"] <= document["end_time"]
    assert found[good]["exit_record"]["ended_at"] - found[good]["exit_record"]["started_at"] >= 0.2


def test_the_versions_that_a_job_ran_with_are_kept(engine):
    (db_id,) = engine.submit(jobs.add(1, 1))
    engine.run()
    environment = info(db_id)["environment"]
    assert environment["python"].startswith("3.")
    assert "jobflow" in str(environment)


def test_all_that_a_job_printed_can_be_read_also_when_it_ended_well(engine):
    """Not the first 3000 characters: the beginning, the end, and everything between."""
    code = "for n in range(5000): print('line', n)\nimport sys; print('the last words', file=sys.stderr)"
    good, bad = engine.submit(
        Flow([towline.command(["python3", "-c", code]), towline.command(["python3", "-c", f"{code}; sys.exit(1)"])])
    )
    engine.run()
    for db_id in (good, bad):
        answer = tow("job", "queue-out", db_id)
        assert "line 0\n" in answer.out
        assert "line 2500\n" in answer.out
        assert "line 4999\n" in answer.out
        assert "the last words" in answer.out + answer.err
    # What is shown with the failure is the end, where the cause stands.
    assert "the last words" in info(bad)["error"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"modules": ["no-such-module"]}, "module"),
        ({"pre_run": "cd /no/such/place || exit 1"}, "/no/such/place"),
        ({"export": {"PATH": "/nowhere"}, "pre_run": "no_such_program || exit 127"}, "no_such_program"),
    ],
    ids=["module", "folder", "program"],
)
def test_a_failure_before_the_job_names_the_stage_and_what_was_said(engine, change, says):
    (db_id,) = engine.submit(jobs.add(1, 1), exec_config=change)
    engine.run()
    found = engine.job(db_id)
    assert found["state"] == "FAILED"
    assert says in info(db_id)["error"]
    assert "exit code" in info(db_id)["error"]


def test_resources_of_a_finished_job_can_be_changed_and_count_in_its_next_attempt(engine):
    (db_id,) = engine.submit(jobs.sleep(5), resources={"time_limit": 0.3})
    engine.run()
    assert engine.job(db_id)["reason"] == "timeout"
    changed = tow("job", "set", "resources", '{"time_limit": 60}', "-q", '{"reason": "timeout"}')
    assert changed.code == 0, changed.err
    assert tow("job", "rerun", "-q", '{"resources.time_limit": {"$gte": 60}}').code == 0
    engine.run()
    assert engine.job(db_id)["state"] == "COMPLETED"
    assert os.path.isdir(info(db_id)["earlier_attempts"][0]["run_dir"])  # noqa: PTH112


def test_a_job_whose_accepted_parent_was_stopped_resumes_at_once(engine):
    """One rule decides for all ways back: what lets a child go when its parent ends lets it resume too."""
    first = jobs.sleep(0)
    second = jobs.total([first.output])
    second.config.on_missing_references = OnMissing.NONE
    parent, child = engine.submit(Flow([first, second]))
    assert tow("job", "pause", child).code == 0
    assert tow("job", "stop", parent).code == 0
    assert tow("job", "resume", child).code == 0
    assert engine.job(child)["state"] == "READY"
