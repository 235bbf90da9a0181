"""What people do when jobs fail: look, repair, rerun, pause, stop, force, delete."""

from pathlib import Path

from jobflow import Flow, OnMissing, job
from jobflow_remote import JobController, submit_flow
from jobflow_remote.jobs.runner import Runner
from jobflow_remote.jobs.state import FlowState, JobState


@job
def read(path):
    return Path(path).read_text()


@job
def shout(text):
    return None if text is None else text.upper()


path = Path("input.txt").absolute()
reading = read(str(path))
shouting = shout(reading.output)
careful = shout(reading.output)
careful.config.on_missing_references = OnMissing.NONE
flow = Flow([reading, shouting, careful])
submit_flow(flow)
Runner().run_all_jobs(max_seconds=60)

jc = JobController.from_project_name()
failed = jc.get_jobs_info(states=[JobState.FAILED])
assert [info.db_id for info in failed] == ["1"]
assert "FileNotFoundError" in failed[0].error
assert "input.txt" in failed[0].error
assert jc.get_job_info(db_id="2").state is JobState.WAITING
assert jc.get_job_info(db_id="3").state is JobState.COMPLETED
assert jc.get_flows_info(flow_ids=flow.uuid)[0].state is FlowState.FAILED

path.write_text("it works")
assert set(jc.rerun_jobs(states=JobState.FAILED, force=True)) >= {"1"}
assert jc.pause_jobs(db_ids=["2"]) == ["2"]
Runner().run_all_jobs(max_seconds=60)
assert jc.get_job_info(db_id="1").state is JobState.COMPLETED
assert jc.get_job_info(db_id="2").state is JobState.PAUSED
assert jc.resume_job(db_id="2") == "2"
assert Runner().run_one_job(db_id="2", max_seconds=60)
assert jc.get_job_output(db_id="2") == "IT WORKS"

more = Flow([shout("a"), shout("b"), shout("c")], name="more")
a, b, c = submit_flow(more)
assert jc.set_job_run_properties(priority=5, resources={"time_limit": 9}, db_ids=[a]) == [a]
assert jc.set_job_run_properties(resources={"nodes": 1}, db_ids=a) == [a]
assert jc.get_job_doc(db_id=a).resources == {"time_limit": 9, "nodes": 1}
assert jc.set_job_run_properties(resources={}, update=False, db_ids=a) == [a]
assert not jc.get_job_doc(db_id=a).resources
assert jc.stop_job(db_id=b) == b
assert jc.get_job_info(db_id=b).state is JobState.USER_STOPPED
assert jc.resume_flow(flow_id=more.uuid) == 1
assert jc.set_job_state(JobState.COMPLETED, db_id=c) == c
assert jc.set_jobs_state(JobState.PAUSED, states=[JobState.READY], workers="local", raise_on_error=False)
assert jc.count_jobs(flow_ids=more.uuid, states=[JobState.PAUSED]) == 2
try:
    jc.retry_job(db_id=a)
except Exception as error:
    told = str(error)
else:
    raise AssertionError("a paused job cannot be retried")
assert "PAUSED" in told

assert jc.delete_job(db_id=b, delete_files=True) == b
assert jc.delete_jobs(flow_ids=more.uuid, db_ids=[c], max_limit=1) == [c]
assert jc.get_job_info(db_id=b) is None
ran = jc.get_jobs_info(db_ids="1")
assert Path(ran[0].run_dir).exists()
assert len(jc.safe_delete_files(ran)) == 1
assert not Path(ran[0].run_dir).exists()
assert jc.delete_flow(flow.uuid, delete_output=True)
assert not jc.delete_flow(flow.uuid)
assert jc.delete_flows(flow_ids=[more.uuid]) == [more.uuid]
assert jc.count_jobs() == jc.count_flows() == 0
submit_flow(Flow([shout("d")]))
submit_flow(Flow([shout("e")]))
assert jc.backup_dump("kept", compress=True)["job"] == 2
assert not jc.reset(max_limit=1, validation="1999-01-01")
assert jc.reset(reset_output=True)
assert jc.count_jobs() == jc.count_flows() == 0
assert jc.get_jobs_info(flow_ids=[flow.uuid]) == jc.get_flows_info(flow_ids=flow.uuid) == []
assert jc.unlock_jobs() == 0
assert jc.unlock_jobs(states=[JobState.RUNNING]) == 0
assert jc.unlock_flows(flow_ids=[flow.uuid]) == 0
assert jc.unlock_runner() == (0, 0)
jc.build_indexes()
jc.clean_running_runner()
jc.backup_restore("kept")
assert jc.count_jobs() == jc.count_flows() == 2
jc.close()
print("done")
