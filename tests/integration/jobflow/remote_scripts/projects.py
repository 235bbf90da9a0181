"""Make a project with workers and environments from a script, and use it."""

from pathlib import Path

from jobflow import job
from jobflow_remote import ConfigManager, JobController, get_jobstore, submit_flow
from jobflow_remote.jobs.runner import Runner


@job
def where():
    import os

    return [os.environ.get("LEVEL"), str(Path.cwd())]


work = Path("work").absolute()
manager = ConfigManager(exclude_unset=True)
manager.create_project({"name": "alloys", "workers": {"fast": {"type": "local", "work_dir": str(work / "fast")}}})
manager.set_worker("slow", {"type": "local", "scheduler_type": "shell", "work_dir": str(work / "slow")}, "alloys")
manager.set_exec_config("high", {"export": {"LEVEL": "high"}}, project_name="alloys")
assert "alloys" in manager.projects
project = manager.get_project("alloys")
assert list(project.workers) == ["fast", "slow"]
assert manager.get_worker("slow", "alloys").work_dir == work / "slow"
assert manager.get_exec_config("high", "alloys").export == {"LEVEL": "high"}
manager.update_project({"runner": {"max_step_attempts": 5}}, "alloys")

one = where()
submit_flow(one, project="alloys", worker="slow", exec_config="high")
Runner("alloys").run_all_jobs(max_seconds=60)
with JobController.from_project(manager.get_project("alloys")) as jc:
    level, folder = jc.get_job_output(job_id=one.uuid)
    assert level == "high"
    assert folder.startswith(str(work / "slow"))
store = get_jobstore(project_name="alloys")
store.connect()
assert store.count() == 1
store.close()
try:
    submit_flow(where(), project="alloys", worker="missing")
except Exception as error:
    told = str(error)
else:
    raise AssertionError("a worker that is not configured is refused")
assert "missing" in told
assert "slow" in told
manager.remove_worker("slow", "alloys")
manager.remove_exec_config("high", "alloys")
assert list(manager.get_project("alloys").workers) == ["fast"]
manager.remove_project("alloys")
assert "alloys" not in manager.projects
print("done")
