"""Flows of every kind give what `jobflow.run_locally` gives."""

import re

import pytest
from jobflow import Flow, JobConfig, JobStore, OnMissing, run_locally
from maggma.stores import MemoryStore

import towline
from towline.errors import ConfigurationError, InvalidFlow
from towline.testing import jobs
from towline.testing.command_line import tow


def independent():
    return [jobs.add(number, 1) for number in range(3)]


def chain():
    first = jobs.add(1, 2)
    second = jobs.add(first.output, 3)
    return [first, second, jobs.total([first.output, second.output])]


def nested():
    inner = Flow([first := jobs.add(1, 1), second := jobs.add(first.output, 1)], output=second.output)
    return [inner, jobs.add(inner.output, 10)]


def linear():
    return Flow([jobs.add(1, 1), jobs.add(2, 2), jobs.add(3, 3)], order="linear")


def replaced():
    fan = jobs.fan_out(4)
    return [fan, jobs.add(fan.output, 100)]


def replaced_many_times():
    first = jobs.chain_by_replacing(3)
    return [first, jobs.add(first.output, 1)]


def detoured():
    first = jobs.respond(output=1, detour=[5, 6])
    return [first, jobs.add(first.output, 1)]


def added():
    first = jobs.respond(output=1, addition=[7])
    return [first, jobs.add(first.output, 1)]


def large_data():
    first = jobs.with_large_data(5)
    return [first, jobs.total(first.output["large"])]


def failing_with_children_that_accept_it():
    first = jobs.fail()
    accepting = jobs.append_line("/dev/null", "x", after=first.output)
    accepting.config = JobConfig(on_missing_references=OnMissing.NONE)
    return [first, accepting, jobs.add(first.output, 1)]


FLOWS = [
    independent,
    chain,
    nested,
    linear,
    replaced,
    replaced_many_times,
    detoured,
    added,
    large_data,
    failing_with_children_that_accept_it,
]


#: The output of a replacement is a reference, with a uuid of its own in every run.
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


def documents(store):
    """All output documents without what differs from run to run."""
    found = {}
    for document in store.query(load=True):
        metadata = {key: value for key, value in document["metadata"].items() if key != "db_id"}
        key = (document["name"], document["index"], UUID.sub("uuid", str(document["output"])))
        found.setdefault(key, []).append((metadata, len(document["hosts"])))
    return found


def locally(flow):
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    run_locally(flow, store=store, log=False)
    return store


@pytest.mark.parametrize("build", FLOWS, ids=lambda build: build.__name__)
def test_outputs_equal_those_of_run_locally(engine, build):
    expected = documents(locally(Flow(build()) if isinstance(build(), list) else build()))
    engine.submit(Flow(build()) if isinstance(build(), list) else build())
    engine.run()
    store = towline.get_jobstore()
    store.connect()
    try:
        assert documents(store) == expected
    finally:
        store.close()


def test_all_flows_together_end_as_expected(engine):
    for build in FLOWS:
        engine.submit(Flow(build()) if isinstance(build(), list) else build())
    engine.run()
    flows = engine.rows("SELECT state, COUNT(*) FROM flow GROUP BY state")
    assert dict(flows) == {"COMPLETED": 9, "FAILED": 1}


def test_stored_data_is_kept_with_the_job(engine):
    (db_id,) = engine.submit(jobs.respond(output=1, stored_data={"energy": [1, 2]}))
    engine.run()
    assert engine.rows("SELECT stored_data FROM job_outcome WHERE job_id = ?", int(db_id)) == [(b'{"energy":[1,2]}',)]


def test_stop_children_and_stop_jobflow(engine):
    first = jobs.respond(output=1, stop_children=True)
    child = jobs.add(first.output, 1)
    engine.submit(Flow([first, child]))
    other = jobs.respond(output=2, stop_jobflow=True)
    engine.submit(Flow([other, jobs.total([other.output])]))
    engine.run()
    assert engine.rows("SELECT state FROM job ORDER BY id") == [
        ("COMPLETED",),
        ("STOPPED",),
        ("COMPLETED",),
        ("STOPPED",),
    ]


def test_a_reference_to_another_flow_waits_for_it(engine):
    first = jobs.add(1, 1)
    later = jobs.add(first.output, 1)
    (waiting,) = engine.submit(Flow([later]), allow_external_references=True)
    # The first flow is not in the queue: nothing to wait for, and nothing to resolve.
    assert engine.job(waiting)["state"] == "READY"
    other = jobs.add(2, 2)
    engine.submit(Flow([other]))
    (second,) = engine.submit(Flow([jobs.add(other.output, 1)]), allow_external_references=True)
    assert engine.job(second)["state"] == "WAITING"
    engine.run()
    assert engine.job(second)["state"] == "COMPLETED"
    assert engine.job(waiting)["state"] == "FAILED"
    assert "Could not resolve reference" in engine.failure(waiting)["message"]


def test_a_reference_outside_the_flow_is_refused_unless_allowed(engine):
    with pytest.raises((InvalidFlow, ValueError)):
        engine.submit(Flow([jobs.add(jobs.add(1, 1).output, 1)]))
    assert engine.rows("SELECT COUNT(*) FROM job") == [(0,)]


def test_settings_of_a_job_go_before_those_of_the_submission(engine):
    flow = Flow([jobs.add(1, 1), jobs.sleep(0)])
    towline.set_run_config(flow, name_filter="sleep", resources={"time_limit": 50}, priority=0)
    engine.submit(flow, resources={"time_limit": 20}, priority=7)
    rows = engine.rows("SELECT name, priority, settings FROM job JOIN job_document ON job_id = id ORDER BY id")
    assert [(name, priority) for name, priority, _ in rows] == [("add", 7), ("sleep", 0)]
    assert b'"time_limit":20' in rows[0][2]
    assert b'"time_limit":50' in rows[1][2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"worker": "locl"}, "no worker 'locl'; it has local"),
        ({"exec_config": "nothing"}, "no exec_config 'nothing'"),
        ({"jobstore": "archive"}, "no optional job store 'archive'"),
    ],
)
def test_what_the_project_does_not_have_is_refused_at_submission(engine, options, message):
    with pytest.raises(ConfigurationError, match=message):
        engine.submit(jobs.add(1, 1), **options)


def test_an_unknown_additional_store_is_refused_at_submission(engine):
    job = jobs.with_large_data(3)
    job._kwargs = {"charge_density": "large"}
    with pytest.raises(InvalidFlow, match="additional store 'charge_density'; the job store has data"):
        engine.submit(job)


def test_the_store_of_a_flow_has_to_have_the_additional_stores_that_its_jobs_save_in(engine):
    part = {"docs_store": {"type": "sql"}}
    engine.configure(
        optional_jobstores={"small": part, "large": {**part, "additional_stores": {"data": {"type": "sql"}}}}
    )
    (db_id,) = engine.submit(jobs.with_large_data(10))
    refused = tow("flow", "set", "store", db_id, "small")
    assert refused.code != 0
    assert "saves in the additional store 'data'; the job store small has none" in refused.err
    assert "optional_jobstores: {small: {additional_stores: {data: {type: sql}}}}" in refused.err.replace("\n", "")
    assert tow("flow", "set", "store", db_id, "large").code == 0
    engine.run()
    assert engine.job(db_id)["state"] == "COMPLETED"
    assert tow("job", "output", db_id, "--load").json["large"] == list(range(10))
