"""Worker, environment, resources and priority, set on jobs."""

import pytest
from jobflow import Flow, OnMissing
from qtoolkit.core.data_objects import QResources

from towline.jobflow.convert import flow_to_records
from towline.jobflow.run_config import set_run_config
from towline.testing import jobflow_samples as samples
from towline.testing.jobflow_engine import Engine
from towline.testing.jobs import add


def test_settings_are_added_to_those_that_are_there() -> None:
    job = add(1, 2)
    job.config.on_missing_references = OnMissing.NONE
    assert set_run_config(job, worker="far", resources={"nodes": 2}) is job
    set_run_config(job, priority=0)
    assert job.config.manager_config == {"worker": "far", "resources": {"nodes": 2}, "priority": 0}
    assert job.config.on_missing_references == OnMissing.NONE


def test_none_leaves_everything_as_it_is() -> None:
    job = add(1, 2)
    set_run_config(job)
    assert (job.config.manager_config, job.config_updates) == ({}, [])


@pytest.mark.parametrize("empty", [{}, QResources()])
def test_empty_resources_are_explicitly_none(empty: object) -> None:
    (new,) = flow_to_records(set_run_config(add(1, 2), resources=empty, exec_config={})).jobs
    assert new.resources is not None
    assert new.exec_config == {}


def test_only_jobs_with_the_name_or_function_are_changed() -> None:
    first, second = add(1, 2), samples.identity(1)
    first.name = "special one"
    flow = Flow([first, Flow([second])])
    set_run_config(flow, name_filter="special", worker="a")
    set_run_config(flow, function_filter=samples.identity, worker="b")
    assert [job.worker for job in flow_to_records(flow).jobs] == ["a", "b"]


def test_jobs_made_later_are_changed_too_unless_told_otherwise() -> None:
    jobs = [samples.replace_by_flow(2), samples.replace_by_flow(2)]
    set_run_config(jobs[0], name_filter="add", worker="far", resources=QResources(processes=2), exec_config="env")
    set_run_config(jobs[1], name_filter="add", worker="far", dynamic=False)
    engine = Engine().run(flow_to_records(Flow(jobs)).jobs)
    changed = [new for new in engine.result(jobs[0].uuid).replace if new.worker == "far"]
    assert [new.name for new in changed] == ["add", "add"]
    assert {new.exec_config for new in changed} == {"env"}
    assert all(new.resources and new.resources["processes"] == 2 for new in changed)
    assert {new.worker for new in engine.result(jobs[1].uuid).replace} == {None}


def test_overwriting_replaces_the_whole_configuration_of_each_job() -> None:
    flow = Flow([add(1, 2), add(3, 4)])
    for job in flow:
        job.config.on_missing_references = OnMissing.NONE
        job.config.manager_config = {"priority": 3}
    set_run_config(flow, worker="far", overwrite=True)
    first, second = flow
    assert first.config.manager_config == {"worker": "far"}
    assert first.config.on_missing_references == OnMissing.ERROR
    assert first.config is not second.config
