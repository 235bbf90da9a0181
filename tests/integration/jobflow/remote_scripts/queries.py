"""Criteria in the language of MongoDB, in reading and in acting; counts over time; runner and batches."""

from jobflow import Flow, job
from jobflow_remote import JobController, submit_flow
from jobflow_remote.jobs.runner import Runner
from jobflow_remote.jobs.state import FlowState, JobState


@job
def add(a, b):
    return a + b


flow = Flow([add(n, 1) for n in range(3)], name="sums")
flow.update_metadata({"set": {"number": 5}})
submit_flow(flow, priority=3)
other = add(1, "text")
submit_flow(other)
Runner().run_all_jobs(max_seconds=60)

jc = JobController.from_project_name()
found = jc.get_jobs({"state": "COMPLETED", "priority": {"$gte": 3}}, projection=["db_id", "uuid", "index", "job.name"])
assert [sorted(item) for item in found] == [["db_id", "index", "job", "uuid"]] * 3
assert found[0]["job"] == {"name": "add"}
(whole,) = jc.get_jobs({"state": {"$nin": ["COMPLETED"]}})
assert whole["uuid"] == other.uuid
assert whole["job"]["function_args"] == [1, "text"]
assert "TypeError" in whole["error"]
assert jc.count_jobs(query={"job.metadata.set.number": 5}) == 3
assert jc.count_jobs(query={"$or": [{"db_id": "1"}, {"state": "FAILED"}]}) == 2
infos = jc.get_jobs_info(custom_query={"priority": {"$lt": 3}})
assert [info.uuid for info in infos] == [other.uuid]
assert jc.get_jobs_info_query({"uuid": {"$in": [other.uuid]}})[0].state is JobState.FAILED
assert jc.get_jobs_doc_query(query={"db_id": "1"})[0].job.name == "add"
assert jc.get_jobs_info_by_flow_uuid(flow.uuid, projection=["state"]) == [{"state": "COMPLETED"}] * 3
assert jc.rerun_jobs(custom_query={"state": "FAILED"}) == ["4"]
query, sort = jc.generate_job_id_query(job_id=other.uuid)
assert jc.get_jobs_info_query(query, sort=sort)[0].db_id == "4"
assert jc.count_flows(query={"name": "sums", "metadata.set.number": 5}) == 1
try:
    jc.get_jobs_info(custom_query={"$where": "this.state"})
except Exception as error:
    told = str(error)
else:
    raise AssertionError("what cannot be answered is refused")
assert "$where" in told

assert jc.get_batches() == []
assert jc.get_running_runner() in (None, "NO_DOCUMENT")
trends = jc.get_trends([JobState.COMPLETED, JobState.FAILED], interval="days", num_intervals=2)
assert len(trends) == 2
assert sum(counts[JobState.COMPLETED] for counts in trends.values()) == 3
assert sum(day[FlowState.COMPLETED] for day in jc.get_trends([FlowState.COMPLETED]).values()) == 1
jc.close()
print("done")
