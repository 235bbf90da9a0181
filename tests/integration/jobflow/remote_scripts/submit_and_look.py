"""Submit a flow with resources and an environment, run it, look at everything."""

from jobflow import Flow, job
from jobflow_remote import JobController, get_jobstore, set_run_config, submit_flow
from jobflow_remote.jobs.runner import Runner
from jobflow_remote.jobs.state import FlowState, JobState


@job
def add(a, b):
    return a + b


@job
def read_variable():
    import os

    return os.environ["GREETING"]


first = add(1, 2)
second = add(first.output, 10)
greeting = read_variable()
flow = Flow([first, second, greeting], output=second.output, name="sums")
flow.update_metadata({"project": "alloys"})
set_run_config(flow, name_filter="add", priority=7)
set_run_config(flow, function_filter=read_variable, exec_config={"export": {"GREETING": "good day"}})

db_ids = submit_flow(flow, worker="local", resources={"time_limit": 60}, priority=2)
assert db_ids == ["1", "2", "3"]

controller = JobController.from_project_name()
assert [info.state for info in controller.get_jobs_info(db_ids=db_ids)] == [
    JobState.READY,
    JobState.WAITING,
    JobState.READY,
]
assert [info.priority for info in controller.get_jobs_info(flow_ids=[flow.uuid])] == [7, 7, 2]

Runner(log_level="debug").run_all_jobs(max_seconds=60)

info = controller.get_job_info(job_id=second.uuid)
assert (info.state, info.index, info.db_id, info.worker) == (JobState.COMPLETED, 1, "2", "local")
assert info.parents == (first.uuid,) or info.parents == [first.uuid]
assert info.run_dir.endswith(f"{second.uuid}_1")
assert info.run_time > 0
assert info.error is None
assert controller.get_job_output(job_id=second.uuid) == 13
assert controller.get_job_output(db_id="3") == "good day"
assert controller.get_job_info(db_id="99") is None

document = controller.get_job_doc(db_id="2")
assert document.job.name == "add"
assert document.job.function(2, 3).name == "add"
assert document.resources == {"time_limit": 60}
assert [doc.uuid for doc in controller.get_jobs_doc(states=JobState.COMPLETED, name="add")] == [first.uuid, second.uuid]

(flow_info,) = controller.get_flows_info(states=FlowState.COMPLETED, with_jobs_info=True)
assert flow_info.flow_id == flow.uuid
assert flow_info.name == "sums"
assert list(flow_info.job_states) == [JobState.COMPLETED] * 3
assert flow_info.jobs_info[0].name == "add"
assert flow_info.ids_mapping[first.uuid] == {1: "1"}
assert sorted(job["db_id"] for job in flow_info.iter_job_prop()) == db_ids

assert controller.count_jobs(metadata={"project": "alloys"}) == 3
assert controller.count_jobs(states=[JobState.FAILED]) == 0
assert controller.count_flows(name="su*") == 1
assert controller.count_jobs_states([JobState.COMPLETED])[JobState.COMPLETED] == 3
assert controller.get_flow_info_by_flow_uuid(flow.uuid)["name"] == "sums"
assert controller.get_flow_info_by_job_uuid(first.uuid, ["uuid"]) == {"uuid": flow.uuid}
assert controller.get_flow_info_by_flow_uuid("nothing") is None
assert controller.get_job_info_by_job_uuid(first.uuid)["state"] == "COMPLETED"
assert controller.get_job_uuids([flow.uuid]) == [first.uuid, second.uuid, greeting.uuid]
assert controller.get_flow_store(flow.uuid) is None
assert controller.get_job_info_by_pid(99999999) is None
controller.close()

store = get_jobstore()
store.connect()
assert store.get_output(second.uuid) == 13
assert store.query_one({"metadata.db_id": "1"}, ["output"])["output"] == 3
store.close()
print("done")
