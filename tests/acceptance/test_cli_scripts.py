"""JobController, as a script for jobflow-remote uses it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from operator import add
from pathlib import Path

import pytest
from jobflow import Flow, job

from towline import JobController
from towline.core.states import FlowState, JobState
from towline.errors import ConfigurationError, IllegalMove, InvalidRequest, NoSuchJob


@pytest.fixture
def controller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobController]:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path))
    with JobController.from_project_name() as opened:
        yield opened


def chain(length: int = 3) -> Flow:
    first = job(add)(1, 2)
    jobs = [first]
    while len(jobs) < length:
        jobs.append(job(add)(jobs[-1].output, 1))
    return Flow(jobs, name="chain")


def test_a_flow_is_added_and_found_again(controller: JobController) -> None:
    flow = chain()
    db_ids = controller.add_flow(flow, worker="local", priority=4, resources={"time_limit": 60})
    assert db_ids == ["1", "2", "3"]
    infos = controller.get_jobs_info(flow_ids=flow.uuid)
    assert [info.db_id for info in infos] == db_ids
    assert [info.priority for info in infos] == [4, 4, 4]
    assert infos[0].resources == {"time_limit": 60}
    assert infos[1].parents == (infos[0].uuid,)
    (info,) = controller.get_flows_info(flow_ids=[flow.uuid])
    assert (info.name, info.state, info.job_states[0]) == ("chain", FlowState.READY, JobState.READY)
    assert controller.get_flow_info_by_flow_uuid(flow.uuid)["jobs"] == list(info.job_ids)
    assert controller.get_flow_info_by_job_uuid(info.job_ids[2])["uuid"] == flow.uuid
    assert controller.get_flow_info_by_flow_uuid("nothing") is None


def test_the_parameters_of_queries_take_one_or_several(controller: JobController) -> None:
    controller.add_flow(chain(), worker="local")
    uuid = controller.get_job_info(db_id="2").uuid
    assert controller.count_jobs() == 3
    assert controller.count_jobs(job_ids=(uuid, 1)) == 1
    assert controller.count_jobs(job_ids=[(uuid, 1), (uuid, 2)]) == 1
    assert controller.count_jobs(db_ids="1") == 1
    assert controller.count_jobs(db_ids=["1", "2"], states=JobState.WAITING) == 1
    assert controller.count_jobs(states=["WAITING", JobState.READY], workers="local") == 3
    assert controller.count_jobs(start_date=datetime.now() + timedelta(hours=1)) == 0
    assert controller.count_jobs_states([JobState.READY, JobState.FAILED]) == {JobState.READY: 1, JobState.FAILED: 0}
    assert controller.count_flows(states=FlowState.READY) == 1
    assert controller.count_flows_states([FlowState.FAILED]) == {FlowState.FAILED: 0}
    ids = [info.db_id for info in controller.get_jobs_info(sort=[("db_id", -1)], limit=2, skip=1)]
    assert ids == ["2", "1"]
    with pytest.raises(InvalidRequest, match="not sorted by 'colour'"):
        controller.get_jobs_info(sort=[("colour", 1)])


def test_what_is_not_there_is_none_or_an_error(controller: JobController) -> None:
    assert controller.get_job_info(db_id="7") is None
    assert controller.get_job_doc(job_id="nothing") is None
    assert controller.get_job_info_by_pid(99) is None
    with pytest.raises(NoSuchJob):
        controller.stop_job(db_id="7")
    with pytest.raises(InvalidRequest, match="either by job_id"):
        controller.get_job_info()


def test_a_document_has_the_job_itself(controller: JobController) -> None:
    controller.add_flow(chain(1), worker="local")
    document = controller.get_job_doc(db_id="1")
    assert document is not None
    assert document.state is JobState.READY
    assert document.job.function_args == (1, 2)
    assert document.job.uuid == document.uuid


def test_jobs_are_steered(controller: JobController) -> None:
    controller.add_flow(chain(), worker="local")
    assert controller.pause_job(db_id="1") == "1"
    assert controller.resume_job(db_id="1", wait=3, break_lock=True) == "1"
    assert controller.stop_jobs(states=[JobState.READY, JobState.WAITING]) == ["1", "2", "3"]
    assert controller.resume_flow(db_id="2") == 3
    assert controller.set_job_state(JobState.FAILED, db_id="1") == "1"
    assert controller.rerun_job(db_id="1") == ["1"]
    assert controller.set_jobs_state("REMOTE_ERROR", db_ids=["1"]) == ["1"]
    assert controller.retry_jobs(db_ids=["1"]) == ["1"]
    with pytest.raises(IllegalMove, match="job 1 is READY"):
        controller.rerun_jobs(db_ids=["1"])
    assert controller.rerun_jobs(raise_on_error=False, db_ids=["1"]) == []


def test_properties_each_follow_their_own_rule(controller: JobController) -> None:
    controller.add_flow(chain(1), worker="local", resources={"time_limit": 60})
    assert controller.set_job_run_properties(priority=0, resources={"memory_gigabytes": 2}, db_ids="1") == ["1"]
    assert controller.get_job_info(db_id="1").resources == {"time_limit": 60, "memory_gigabytes": 2}
    controller.set_job_run_properties(resources={"memory_gigabytes": 2}, update=False, db_ids="1")
    assert controller.get_job_info(db_id="1").resources == {"memory_gigabytes": 2}
    controller.set_job_state(JobState.RUNNING, db_id="1")
    assert controller.set_job_run_properties(priority=9, db_ids="1") == ["1"]
    with pytest.raises(IllegalMove):
        controller.set_job_run_properties(resources={"time_limit": 1}, priority=3, db_ids="1")
    assert controller.get_job_info(db_id="1").priority == 9
    with pytest.raises(ConfigurationError, match="no worker 'mars'"):
        controller.set_job_run_properties(worker="mars", db_ids="1")


def test_jobs_and_flows_are_deleted(controller: JobController) -> None:
    first, second = chain(), chain()
    for flow in (first, second):
        controller.add_flow(flow, worker="local")
    assert controller.delete_job(db_id="3") == "3"
    assert controller.delete_jobs(db_ids=["2"]) == ["2"]
    with pytest.raises(InvalidRequest, match="more than max_limit=2"):
        controller.delete_jobs(flow_ids=second.uuid, max_limit=2)
    assert controller.delete_flow(first.uuid, delete_output=True) is True
    assert controller.delete_flow(first.uuid) is False
    assert controller.delete_flows([]) == []
    assert controller.delete_flows() == [second.uuid]
    assert controller.count_jobs() == 0
