"""Flows that make jobs while they run, settings that go on to them, and a job that looks at its own record."""

from jobflow import Flow, Response, job
from jobflow_remote import JobController, set_run_config, submit_flow
from jobflow_remote.jobs.run import CURRENT_JOBDOC
from jobflow_remote.jobs.runner import Runner
from jobflow_remote.jobs.state import JobState


@job
def double(number):
    return 2 * number


@job
def total(numbers):
    return sum(numbers)


@job
def spread(count):
    jobs = [double(number) for number in range(count)]
    whole = total([item.output for item in jobs])
    return Response(replace=Flow([*jobs, whole], output=whole.output), stored_data={"count": count})


@job
def more(number):
    return Response(output=number, addition=double(number), detour=double(10 * number))


@job
def own_record():
    document = CURRENT_JOBDOC.job_doc
    return {"db_id": document.db_id, "worker": document.worker, "resources": document.resources}


@job
def enough():
    return Response(output=1, stop_children=True)


spreading = spread(4)
after = double(spreading.output)
adding = more(3)
stopping = enough()
never = double(stopping.output)
flow = Flow([spreading, after, adding, own_record(), stopping, never])
set_run_config(flow, name_filter="spread", priority=9, resources={"time_limit": 33})
submit_flow(flow, resources={"time_limit": 44})
Runner().run_all_jobs(max_seconds=100)

jc = JobController.from_project_name()
assert jc.get_job_output(job_id=spreading.uuid) == 12
assert jc.get_job_output(job_id=after.uuid) == 24
assert jc.get_job_info(job_id=spreading.uuid).index == 2
assert jc.get_job_info(job_id=spreading.uuid, job_index=1).stored_data == {"count": 4}
made = [info for info in jc.get_jobs_info(name="double") if info.priority == 9]
assert len(made) == 4
assert all(info.resources == {"time_limit": 33} for info in made)
assert sorted(info.state.name for info in jc.get_jobs_info(name="double")) == ["COMPLETED"] * 7 + ["STOPPED"]
assert jc.get_job_info(job_id=never.uuid).state is JobState.STOPPED
(record,) = jc.get_jobs_info(name="own_record")
assert jc.get_job_output(db_id=record.db_id) == {
    "db_id": record.db_id,
    "worker": "local",
    "resources": {"time_limit": 44},
}
jc.close()
print("done")
