"""What comes of one job: output document, failure, response; the same on the short way and on jobflow's own."""

import logging
import operator
import os
import socket
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jobflow
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jobflow import CURRENT_JOB, Flow, Job, JobStore, OnMissing, run_locally
from maggma.stores import MemoryStore

from towline.core.documents import decode
from towline.core.records import NewJob, Result, pack_result, unpack_result
from towline.jobflow.convert import flow_to_records
from towline.jobflow.current import CURRENT_JOBDOC, JobRecord
from towline.jobflow.payload import run_payload
from towline.testing import jobflow_samples as samples
from towline.testing.jobs import add, fail, respond

HEADER = {"db_id": "p7", "run_dir": "/runs/x", "resources": {"nodes": 2}}


def run_one(
    job: Job, references: dict[str, tuple[int, bytes]] | None = None, payload: Callable[[bytes], bytes] = bytes
) -> Result:
    (new,) = flow_to_records(job, allow_external_references=True).jobs
    return run_record(new, references, payload)


def run_record(
    new: NewJob, references: dict[str, tuple[int, bytes]] | None = None, payload: Callable[[bytes], bytes] = bytes
) -> Result:
    result = run_payload({**HEADER, "uuid": new.uuid, "index": new.index}, payload(new.payload), references or {})
    assert unpack_result(pack_result(result)) == result
    assert CURRENT_JOB.job is None
    assert CURRENT_JOBDOC.job_doc is None
    return result


def the_long_way(payload: bytes) -> bytes:
    """The same payload for a worker that does not know the short way."""
    content = orjson.loads(payload)
    content.pop("plain", None)
    return orjson.dumps(content)


def assert_same_on_both_ways(job: Job, references: dict[str, tuple[int, bytes]] | None = None) -> None:
    (new,) = flow_to_records(job, allow_external_references=True).jobs
    assert b'"plain":true' in new.payload or b'"$dict"' in new.payload
    short, long = run_record(new, references), run_record(new, references, the_long_way)
    assert repr(document(short)) == repr(document(long))


def document(result: Result) -> dict[str, Any]:
    assert result.failure is None, result.failure
    assert result.output is not None
    found = decode(result.output)
    assert found.pop("completed_at")
    return dict(found)


def test_the_document_is_that_of_jobflow_with_the_id_in_its_metadata() -> None:
    job = Job(operator.add, (1, 2), metadata={"a": 1})
    flow = Flow([job])
    (new,) = flow_to_records(flow).jobs
    result = run_record(new)
    store = JobStore(MemoryStore())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jobflow uses what monty has deprecated
        run_locally(flow, store=store, log=False)
    (theirs,) = store.query()
    del theirs["_id"], theirs["completed_at"]
    assert document(result) == {**theirs, "metadata": {"a": 1, "db_id": "p7"}}
    assert list(document(result)) == list(theirs)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(JSON)
def test_short_and_long_way_give_the_same_document(value: Any) -> None:
    assert_same_on_both_ways(samples.identity(value))


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_references_resolve_the_same_on_both_ways(value: Any) -> None:
    reference = jobflow.OutputReference("2c1a3b5e-0000-4000-8000-000000000000")
    outputs = {reference.uuid: (1, orjson.dumps({"a": [value, value]}))}
    assert_same_on_both_ways(samples.identity({"x": [reference["a"][1], {"y": reference}]}), outputs)


@pytest.mark.parametrize(
    "job",
    [
        lambda: samples.rich_output(),
        lambda: samples.about_itself(),
        lambda: samples.make_point(1, 2),
        lambda: samples.Tools.double(3),
    ],
)
def test_answers_that_are_more_than_json_are_the_same_on_both_ways(job: Callable[[], Job]) -> None:
    assert_same_on_both_ways(job())


def test_what_json_has_no_words_for_survives_in_the_output() -> None:
    value = {
        "large": 2**70,
        "nan": float("nan"),
        "query": {"$date": "not a date"},
        "time": samples.datetime(2026, 1, 1),
    }
    output = document(run_one(samples.identity(value)))["output"]
    assert repr(output) == repr(value)


@pytest.mark.parametrize("way", [bytes, the_long_way])
def test_a_failing_function_tells_what_happened_and_where(way: Callable[[bytes], bytes]) -> None:
    failure = run_one(fail("it broke\nin two lines"), payload=way).failure
    assert failure is not None
    assert (failure.reason, failure.message) == ("error", "ValueError: it broke (in fail)")
    assert failure.details is not None
    lines = failure.details.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert "towline/testing/jobs.py" not in lines[1] or "in fail" in lines[1]
    assert "jobflow/core/job.py" not in failure.details
    assert "payload.py" not in failure.details
    assert failure.details.rstrip().endswith("ValueError: it broke\nin two lines")


def test_sys_exit_in_a_function_is_a_failure() -> None:
    failure = run_one(samples.leave()).failure
    assert failure is not None
    assert failure.message == "SystemExit: 3 (in leave)"


def test_ctrl_c_is_not_swallowed() -> None:
    with pytest.raises(KeyboardInterrupt):
        run_one(samples.call(_interrupt, 1))
    assert CURRENT_JOB.job is None


def _interrupt(_value: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("way", [bytes, the_long_way])
def test_an_output_that_cannot_be_stored_is_named_with_its_place(way: Callable[[bytes], bytes]) -> None:
    result = run_one(samples.unstorable(), payload=way)
    assert result.output is None
    assert result.failure is not None
    assert result.failure.reason == "output"
    assert "unstorable returned something that cannot be stored" in result.failure.message
    assert "at ['deep'][0]['file'], is of type builtins.object" in result.failure.message
    assert "return plain values" in result.failure.message


def _not_unicode(_value: object) -> Any:
    return {"a": ["\ud800"]}


def _complex_number(_value: object) -> Any:
    return {"a": [2j]}


@pytest.mark.parametrize("function", [_not_unicode, _complex_number])
def test_other_outputs_that_cannot_be_stored(function: Any) -> None:
    failure = run_one(samples.call(function, 1)).failure
    assert failure is not None
    assert failure.reason == "output"
    assert "at ['a'][0]," in failure.message


def test_an_output_against_its_schema_is_a_failure() -> None:
    failure = run_one(samples.measure_wrongly()).failure
    assert failure is not None
    assert "ValidationError" in failure.message


def test_stored_data_and_stops_are_in_the_result() -> None:
    result = run_one(respond(1, stored_data={"a": [samples.Color.RED.value]}, stop_children=True, stop_jobflow=True))
    assert (result.stored_data, result.stop_children, result.stop_jobflow) == ({"a": ["red"]}, True, True)


def test_stored_data_that_is_not_json_is_a_failure() -> None:
    failure = run_one(samples.unstorable_data()).failure
    assert failure is not None
    assert failure.reason == "output"
    assert "stored_data['handle'] is of type object" in failure.message


def test_new_jobs_inherit_the_policy_for_missing_parents() -> None:
    job = samples.fail_below()
    job.config.on_missing_references = OnMissing.NONE
    result = run_one(job)
    assert [new.accepts_failed_parents for new in result.addition] == [True, True]
    assert [new.accepts_failed_parents for new in run_one(samples.fail_below()).addition] == [False, False]


def test_new_jobs_get_the_settings_that_jobflow_passes_on() -> None:
    job = samples.replace_by_flow(2)
    job.update_config({"manager_config": {"worker": "far", "priority": 0}})
    settings_of = {(new.worker, new.priority) for new in run_one(job).replace}
    assert settings_of == {("far", 0)}
    alone = samples.replace_by_flow(2)
    alone.config.manager_config = {"worker": "far"}
    alone.config.pass_manager_config = False
    assert {new.worker for new in run_one(alone).replace} == {None}


def test_a_replacement_carries_the_uuid_and_the_next_index() -> None:
    job = samples.replace_by_flow(2)
    job.metadata = {"tag": 1}
    result = run_one(job)
    (successor,) = [new for new in result.replace if new.uuid == job.uuid]
    assert (successor.index, successor.metadata, successor.accepts_failed_parents) == (2, {"tag": 1}, True)
    assert result.replace[-1] == successor


def test_a_new_job_that_nobody_could_run_is_a_failure() -> None:
    failure = run_one(samples.call(_nameless, 1)).failure
    assert failure is not None
    assert "cannot be run by another process" in failure.message


def _nameless(_value: object) -> Job:
    return Job(lambda: 1, name="nameless")


def test_a_job_sees_its_own_record() -> None:
    assert document(run_one(samples.about_its_record()))["output"] == {"db_id": "p7", "resources": {"nodes": 2}}


def test_the_record_says_what_it_does_not_have() -> None:
    with pytest.raises(AttributeError, match=r"no 'worker'; it has db_id"):
        JobRecord({"db_id": "1"}).worker  # noqa: B018 - the access is what fails


def test_a_missing_output_fails_unless_the_job_accepts_it() -> None:
    reference = jobflow.OutputReference("2c1a3b5e-0000-4000-8000-000000000000")
    failure = run_one(samples.identity(reference)).failure
    assert failure is not None
    assert f"Could not resolve reference - {reference.uuid}" in failure.message
    accepting = samples.identity([reference])
    accepting.config.on_missing_references = OnMissing.NONE
    assert document(run_one(accepting))["output"] == [None]


@pytest.mark.parametrize("key", ["missing", 5])
def test_a_part_of_an_output_that_is_not_there_is_a_failure(key: Any) -> None:
    reference = jobflow.OutputReference("2c1a3b5e-0000-4000-8000-000000000000")[key]
    failure = run_one(samples.identity(reference), {reference.uuid: (1, b'{"a": 1}')}).failure
    assert failure is not None
    assert failure.message.startswith("KeyError")


def test_the_newest_index_of_a_reference_is_used() -> None:
    reference = jobflow.OutputReference("2c1a3b5e-0000-4000-8000-000000000000")
    outputs = {reference.uuid: (3, b"5")}
    assert document(run_one(add(reference, 1), outputs))["output"] == 6


def test_the_result_says_where_it_was_made() -> None:
    environment = run_one(add(1, 2)).environment
    assert environment["executable"] == sys.executable
    assert environment["jobflow"] == jobflow.__version__
    assert environment["hostname"] == socket.gethostname()
    assert set(environment) == {"python", "executable", "towline", "jobflow", "hostname", "id"}


@pytest.mark.parametrize("way", [bytes, the_long_way])
def test_start_and_end_are_logged_as_jobflow_does(
    way: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    job = add(1, 2)
    with caplog.at_level(logging.INFO, logger="jobflow.core.job"):
        run_one(job, payload=way)
    assert [record.getMessage() for record in caplog.records] == [
        f"Starting job - add ({job.uuid})",
        f"Finished job - add ({job.uuid})",
    ]


def test_the_folder_of_the_process_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_one(add(1, 2))
    assert os.getcwd() == str(tmp_path)  # noqa: PTH109 - the very question
    assert list(tmp_path.iterdir()) == []


def test_a_running_job_cannot_remove_outputs(run_flow: Callable[..., Any]) -> None:
    job = samples.call(_remove_outputs, 1)
    job.config.expose_store = True
    engine = run_flow(Flow([job]))
    failure = engine.result(job.uuid).failure
    assert failure is not None
    assert "cannot remove outputs" in failure.message


def _remove_outputs(_value: object) -> None:
    CURRENT_JOB.store.docs_store.remove_docs({})


def test_records_hold_nothing_but_plain_values() -> None:
    result = run_one(samples.replace_by_flow(2))
    assert all(isinstance(new, NewJob) and isinstance(new.payload, bytes) for new in result.replace)
    assert b"\n" not in b"".join(new.payload for new in result.replace)
