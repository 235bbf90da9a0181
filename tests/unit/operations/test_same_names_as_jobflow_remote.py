"""What scripts for jobflow-remote call is here, with the same parameters in the same order and the same defaults.

The table lists what such scripts use most. A parameter without ``=`` has no default. What is here may have further
parameters with defaults behind those.
"""

import inspect
from typing import Any

import pytest

import towline
from towline.errors import InvalidRequest
from towline.operations.controller.absent import AbsentMethods

_IDS = "job_ids=None db_ids=None flow_ids=None states=None"
_DATES = "start_date=None end_date=None name=None metadata=None"
_JOBS = f"{_IDS} {_DATES} workers=None"
_CHOSEN = f"{_JOBS} custom_query=None raise_on_error=True"
_ONE = "job_id=None db_id=None job_index=None"
_FLOW = "job_id=None db_id=None flow_id=None"
_LOCK = "wait=None break_lock=False"
_DELETE = "delete_output=False delete_files=False"

FUNCTIONS = {
    "submit_flow": (
        "flow worker=None project=None exec_config=None resources=None priority=0 allow_external_references=False "
        "jobstore=None"
    ),
    "set_run_config": (
        "flow_or_job name_filter=None function_filter=None exec_config=None resources=None priority=None worker=None "
        "dynamic=True overwrite=False"
    ),
    "get_jobstore": "project_name=None jobstore_name=None",
}

CONTROLLER = {
    "from_project_name": "project_name=None",
    "from_project": "project",
    "close": "",
    "get_jobs_info": f"custom_query=None {_JOBS} locked=False sort=None limit=0 skip=0",
    "get_job_info": _ONE,
    "get_job_info_by_pid": "pid",
    "get_job_doc": _ONE,
    "get_jobs_doc": f"custom_query=None {_JOBS} locked=False sort=None limit=0",
    "get_jobs": "query projection=None",
    "get_jobs_info_query": "query=None",
    "get_jobs_doc_query": "query=None",
    "get_job_info_by_job_uuid": "job_uuid job_index='last' projection=None",
    "get_jobs_info_by_flow_uuid": "flow_uuid projection=None",
    "get_job_uuids": "flow_uuids",
    "count_jobs": f"query=None {_IDS} locked=False {_DATES} workers=None",
    "count_jobs_states": "states worker=None",
    "get_job_output": f"{_ONE} load=False",
    "get_flows_info": f"{_IDS} {_DATES} locked=False sort=None jobs_sort=None limit=0 skip=0 with_jobs_info=False",
    "count_flows": f"query=None {_IDS} {_DATES} locked=False",
    "count_flows_states": "states",
    "get_flow_info_by_flow_uuid": "flow_uuid projection=None",
    "get_flow_info_by_job_uuid": "job_uuid projection=None",
    "get_flow_store": "flow_id",
    "get_trends": "states interval='days' num_intervals=None interval_timezone='UTC'",
    "add_flow": (
        "flow worker allow_external_references=False exec_config=None resources=None priority=0 jobstore=None"
    ),
    "rerun_job": f"{_ONE} force=False {_LOCK} delete_files=True",
    "rerun_jobs": f"{_CHOSEN} force=False {_LOCK} delete_files=True",
    "retry_job": f"{_ONE} {_LOCK}",
    "retry_jobs": f"{_CHOSEN} {_LOCK}",
    "pause_job": f"{_ONE} wait=None",
    "pause_jobs": f"{_CHOSEN} wait=None",
    "resume_job": f"{_ONE} {_LOCK}",
    "resume_jobs": f"{_CHOSEN} {_LOCK}",
    "resume_flow": f"{_FLOW} {_LOCK}",
    "stop_job": f"{_ONE} {_LOCK}",
    "stop_jobs": f"{_CHOSEN} {_LOCK}",
    "set_job_state": f"state {_ONE} {_LOCK}",
    "set_jobs_state": f"state {_CHOSEN} {_LOCK}",
    "set_job_run_properties": f"worker=None exec_config=None resources=None priority=None update=True {_CHOSEN}",
    "set_flow_store": "store db_id=None job_id=None flow_id=None",
    "delete_job": f"{_ONE} {_DELETE} {_LOCK}",
    "delete_jobs": f"{_CHOSEN} wait=None {_DELETE} max_limit=10",
    "delete_flow": f"flow_id {_DELETE} cancel_processes=True {_LOCK}",
    "delete_flows": f"flow_ids=None max_limit=10 {_DELETE} cancel_processes=True raise_on_error=False {_LOCK}",
    "safe_delete_files": "jobs_info",
    "get_batches": "process_id=None batch_uid=None worker=None batch_state=None job_ids=None db_ids=None limit=20 "
    "sort=None",
    "unlock_jobs": _JOBS,
    "unlock_flows": f"{_IDS} start_date=None end_date=None name=None",
    "unlock_runner": "",
    "get_running_runner": "",
    "clean_running_runner": "break_lock=False",
    "backup_dump": "dir_path='.' mongo_bin_path=None compress=False python=False",
    "backup_restore": "dir_path='.' mongo_bin_path=None compress=None python=False",
    "reset": "reset_output=False max_limit=25 validation=None",
}

RUNNER = {
    "__init__": "project_name=None log_level=None runner_id=None connect_interactive=False daemon_id=None",
    "run": "transfer=True complete=True queue=True checkout=True ticks=None",
    "run_all_jobs": "max_seconds=None wait_for_batches=False",
    "run_one_job": "db_id=None job_id=None max_seconds=None raise_at_timeout=True target_state=None",
}

DAEMON = {
    "from_project": "project",
    "from_project_name": "project_name=None",
    "start": (
        "num_procs_transfer=1 num_procs_complete=1 single=True log_level='info' raise_on_error=False "
        "connect_interactive=False"
    ),
    "stop": "wait=False raise_on_error=False",
    "kill": "raise_on_error=False wait=False",
    "shut_down": "raise_on_error=False wait=False",
    "restart": "raise_on_error=False",
    "check_status": "raise_on_shutdown=True",
    "get_processes_info": "",
    "wait_start": "timeout=30",
}

CONFIGURATION = {
    "__init__": "exclude_unset=False exclude_none=False warn=False",
    "load_projects_data": "",
    "select_project_name": "project_name=None",
    "get_project": "project_name=None",
    "get_project_data": "project_name=None",
    "project_names_from_files": "suppress_warnings=False",
    "create_project": "project ext='yaml'",
    "dump_project": "project_data",
    "update_project": "config project_name",
    "backup_project": "project_name",
    "remove_project": "project_name remove_folders=True",
    "set_worker": "name worker project_name=None replace=False",
    "remove_worker": "worker_name project_name=None",
    "get_worker": "worker_name project_name=None",
    "set_exec_config": "exec_config_name exec_config project_name=None replace=False",
    "remove_exec_config": "exec_config_name project_name=None",
    "get_exec_config": "exec_config_name project_name=None",
    "set_queue_db": "store project_name=None",
    "set_jobstore": "jobstore project_name=None",
}

TABLE = [
    *((towline, name, wanted) for name, wanted in FUNCTIONS.items()),
    *((towline.JobController, name, wanted) for name, wanted in CONTROLLER.items()),
    *((towline.Runner, name, wanted) for name, wanted in RUNNER.items()),
    *((towline.DaemonManager, name, wanted) for name, wanted in DAEMON.items()),
    *((towline.ConfigManager, name, wanted) for name, wanted in CONFIGURATION.items()),
]


@pytest.mark.parametrize(
    ("owner", "name", "wanted"), TABLE, ids=[f"{owner.__name__}.{name}" for owner, name, _ in TABLE]
)
def test_parameters_have_the_same_names_order_and_defaults(owner: Any, name: str, wanted: str) -> None:
    parameters = list(inspect.signature(getattr(owner, name)).parameters.values())
    found = [item for item in parameters if item.name != "self"]
    for expected, parameter in zip(wanted.split(), found, strict=False):
        expected_name, _, default = expected.partition("=")
        assert parameter.name == expected_name
        # A default that scripts for jobflow-remote have to give may be there.
        assert not default or repr(parameter.default) == default, parameter
    assert len(found) >= len(wanted.split()), f"missing: {wanted.split()[len(found) :]}"
    further = found[len(wanted.split()) :]
    assert all(item.default is not inspect.Parameter.empty for item in further), further


#: What else its JobController has, and what this one says instead: refused with what to do.
_REFUSED = [name for name in vars(AbsentMethods) if not name.startswith("_")]


@pytest.mark.parametrize("name", _REFUSED)
def test_what_makes_no_sense_without_mongodb_says_what_to_use_instead(name: str) -> None:
    method = getattr(towline.JobController, name)
    with pytest.raises(InvalidRequest, match=f"JobController.{name} has no meaning here: .{{20}}"):
        method("whatever", option=1)


def test_a_controller_is_not_made_of_a_mongodb_store() -> None:
    with pytest.raises(InvalidRequest, match=r"JobController\.from_project_name"):
        towline.JobController("a store")  # type: ignore[arg-type]


def test_the_fields_of_jobs_and_flows_have_the_same_names() -> None:
    from towline.store.job_info import FlowInfo, JobInfo, RemoteInfo

    job = (
        "uuid index db_id worker name state created_on updated_on remote parents previous_state error lock_id "
        "lock_time run_dir start_time end_time priority metadata stored_data hosts is_locked run_time "
        "estimated_run_time"
    )
    flow = (
        "db_ids job_ids job_indexes flow_id state name created_on updated_on workers job_states job_names parents "
        "hosts flow_metadata jobs_info ids_mapping iter_job_prop"
    )
    remote = "step_attempts process_id retry_time_limit error"
    for kind, names in ((JobInfo, job), (FlowInfo, flow), (RemoteInfo, remote)):
        assert [name for name in names.split() if not hasattr(kind, name)] == []
