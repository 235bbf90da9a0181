"""How jobs run: folders, processes, limits, environments, ends of every kind."""

import shlex
import signal
import sys

import pytest
from jobflow import Flow

import towline
from towline.errors import ConfigurationError, InvalidFlow, RunnerAlreadyActive
from towline.operations import runners
from towline.operations.compose import open_project
from towline.testing import jobs
from towline.testing.command_line import tow
from towline.testing.waiting import wait_until


def test_each_job_has_a_process_and_a_folder_of_its_own(engine):
    engine.submit(Flow([jobs.environment(["TOWLINE_JOB"]) for _ in range(3)]))
    engine.run()
    store = towline.get_jobstore()
    store.connect()
    found = [document["output"] for document in store.query()]
    store.close()
    assert len({output["pid"] for output in found}) == 3
    assert len({output["folder"] for output in found}) == 3
    assert len({output["parent_pid"] for output in found}) == 1
    folders = {row[0] for row in engine.rows("SELECT run_dir FROM job")}
    assert {output["folder"] for output in found} == folders


@pytest.mark.parametrize("execution", ["warm", "cold", "pooled"])
def test_every_mode_gives_the_output_and_keeps_the_error(engine, execution):
    good, bad = engine.submit(Flow([jobs.add(1, 2), jobs.fail("of course")]), resources={"execution": execution})
    engine.run()
    assert engine.outputs()["add"] == 3
    assert engine.job(good)["state"] == "COMPLETED"
    failure = engine.failure(bad)
    assert failure["reason"] == "error"
    assert "of course" in failure["message"]
    assert "raise ValueError(message)" in failure["details"]


def test_standard_output_is_kept(engine):
    (db_id,) = engine.submit(jobs.print_lines("out\nput", "err"))
    engine.run()
    folder = engine.run_dir(db_id)
    assert (folder / "queue.out").read_text() == "out\nput\n"
    assert (folder / "queue.err").read_text() == "err\n"


@pytest.mark.parametrize("execution", ["warm", "cold", "pooled"])
def test_exit_codes_and_signals_are_kept(engine, execution):
    flow = Flow([jobs.end_process(exit_code=7), jobs.end_process(signal_number=int(signal.SIGKILL)), jobs.add(1, 1)])
    left, killed, fine = engine.submit(flow, resources={"execution": execution})
    engine.run()
    assert engine.job(left) | {"state": "FAILED", "exit_code": 7, "reason": "exit_code"} == engine.job(left)
    assert engine.job(killed) | {"state": "FAILED", "exit_signal": 9, "reason": "signal"} == engine.job(killed)
    assert "SIGKILL" in engine.failure(killed)["message"]
    assert engine.job(fine)["state"] == "COMPLETED"


def test_a_time_limit_ends_the_job(engine):
    (db_id,) = engine.submit(jobs.sleep(60), resources={"time_limit": 0.3})
    engine.run(max_seconds=30)
    found = engine.job(db_id)
    assert (found["state"], found["reason"]) == ("FAILED", "timeout")
    assert "time_limit" in engine.failure(db_id)["message"]


def test_an_environment_is_set_up(engine):
    exec_config = {"pre_run": "export FROM_PRE=1; touch before", "export": {"GREETING": "it's $(here)"}}
    exec_config["post_run"] = "touch after"
    (db_id,) = engine.submit(jobs.environment(["FROM_PRE", "GREETING"]), exec_config=exec_config)
    (light,) = engine.submit(jobs.environment(["GREETING"]), exec_config={"export": {"GREETING": "a b"}})
    engine.run()
    store = towline.get_jobstore()
    store.connect()
    variables = {document["metadata"]["db_id"]: document["output"]["variables"] for document in store.query()}
    store.close()
    assert variables == {db_id: {"FROM_PRE": "1", "GREETING": "it's $(here)"}, light: {"GREETING": "a b"}}
    folder = engine.run_dir(db_id)
    assert (folder / "before").exists()
    assert (folder / "after").exists()
    assert (folder / "submit.sh").exists()


def test_a_command_runs_without_python_and_another_job_reads_its_files(engine):
    command = towline.command(
        "wc -w < 'in put.txt' > count.txt; echo done", inputs={"in put.txt": "a b c\n"}, outputs=["*.txt"]
    )
    reader = jobs.append_line(str(engine.home / "trace"), "x", after=command.output["files"]["count.txt"]["sha256"])
    engine.submit(Flow([command, reader]))
    failing, _ = engine.submit(
        Flow([bad := towline.command(["sh", "-c", "echo why >&2; exit 3"]), jobs.total([bad.output])])
    )
    engine.run()
    output = engine.outputs()[command.name]
    assert output["exit_code"] == 0
    assert set(output["files"]) == {"in put.txt", "count.txt"}
    assert output["stdout_tail"] == "done\n"
    assert engine.job(failing)["exit_code"] == 3
    assert "why" in engine.failure(failing)["details"]


def test_no_more_jobs_at_once_than_the_worker_allows(engine):
    marks = engine.home.parent / "marks"
    marks.mkdir()
    script = f"touch {marks}/$$; ls {marks} | wc -l; sleep 0.05; rm {marks}/$$"
    engine.submit(Flow([towline.command(script) for _ in range(12)]))
    engine.run()
    with open_project() as opened:
        limit = opened.project.worker()[1].job_limit
    store = towline.get_jobstore()
    store.connect()
    counts = [int(document["output"]["stdout_tail"]) for document in store.query()]
    store.close()
    assert len(counts) == 12
    assert max(counts) <= limit


def test_a_second_runner_is_refused(engine):
    engine.submit(jobs.add(1, 1))
    runner = engine.start_runner_process()
    try:
        wait_until(lambda: engine.rows("SELECT 1 FROM runner"), what="a runner")
        with pytest.raises(RunnerAlreadyActive, match=f"pid {runner.pid}"):
            engine.run()
    finally:
        runner.terminate()
        assert runner.wait(timeout=30) == 0


def test_the_runner_wakes_at_a_submission_and_stops_when_asked(engine):
    runner = engine.start_runner_process()
    try:
        wait_until(lambda: engine.home.exists() and engine.rows("SELECT 1 FROM runner"), what="a runner")
        ids = engine.submit(Flow([first := jobs.add(1, 1), jobs.add(first.output, 1)]))
        assert towline.wait_flow(ids, timeout_seconds=60)
    finally:
        runner.terminate()
        assert runner.wait(timeout=30) == 0
    assert engine.rows("SELECT COUNT(*) FROM runner") == [(0,)]


def test_one_job_only(engine):
    first, second = engine.submit(Flow([jobs.add(1, 1), jobs.add(2, 2)]))
    runner = towline.Runner()
    assert runner.run_one_job(db_id=second, max_seconds=30)
    assert engine.job(first)["state"] == "READY"
    assert runner.run_one_job(max_seconds=30)
    assert engine.job(first)["state"] == "COMPLETED"
    assert not runner.run_one_job(max_seconds=30)


def test_a_changed_configuration_is_used(engine):
    engine.configure(workers={"local": {"max_jobs": 0}})
    (db_id,) = engine.submit(jobs.add(1, 1))
    runner = engine.start_runner_process()
    try:
        wait_until(lambda: engine.rows("SELECT 1 FROM runner"), what="a runner")
        engine.configure(workers={"local": {"max_jobs": 1}, "other": {}}, log_level="debug")
        assert towline.wait_flow(db_id, timeout_seconds=60)
        log = runners.log_file().read_text()
        assert "the configuration changed: log_level, workers.local.max_jobs, workers.other (new)" in log
        assert "log_level: used from the next start of the runner on" in log
    finally:
        runner.terminate()
        runner.wait(timeout=30)


def test_hostile_names_are_only_names(engine):
    name = "a 'b' \"c\" $(touch HOSTILE) ; `touch HOSTILE`\n../x"
    job = jobs.add(1, 1)
    job.name = name
    command = towline.command(
        ["echo", name], name=name, environment={"V": name}, inputs={"x $(touch HOSTILE) 'y'": name}
    )
    engine.submit(Flow([job, command]), exec_config={"export": {"X": name}, "pre_run": "true"})
    engine.run()
    assert set(engine.states().values()) == {"COMPLETED"}
    assert not list(engine.home.rglob("HOSTILE"))


def test_a_job_that_cannot_be_handed_over_is_a_remote_error_and_the_rest_goes_on(engine):
    missing, wrong, fine = (
        *engine.submit(towline.command(["no-such-program"])),
        *engine.submit(jobs.add(1, 1)),
        *engine.submit(jobs.add(1, 2)),
    )
    # At submission they would be refused.
    with towline.JobController.from_project_name() as controller:
        controller.set_job_run_properties(resources={"nodes": 2}, db_ids=wrong)
    engine.run()
    assert engine.job(missing)["state"] == "FAILED"
    assert "no-such-program" in engine.failure(missing)["message"]
    assert engine.job(wrong)["state"] == "REMOTE_ERROR"
    assert "'nodes'" in engine.failure(wrong)["message"]
    assert engine.job(fine)["state"] == "COMPLETED"


def test_a_module_that_cannot_be_loaded_fails_the_job(engine):
    (db_id,) = engine.submit(jobs.add(1, 1), exec_config={"modules": ["no-such-module"]})
    engine.run()
    assert engine.job(db_id)["state"] == "FAILED"


def test_a_refused_job_can_be_submitted_again(engine):
    job = jobs.add(1, 1)
    with pytest.raises(ConfigurationError):
        engine.submit(job, worker="nowhere")
    assert len(engine.submit(job)) == 1


def test_jobs_may_come_one_by_one_and_what_is_none_is_refused_by_name(engine):
    assert len(engine.submit(jobs.add(number, 1) for number in range(3))) == 3
    with pytest.raises(InvalidFlow, match="type int is neither a Flow nor a Job"):
        engine.submit(5)
    (db_id,) = engine.submit(jobs.add(1, 1))
    assert tow("flow", "info", db_id, "--json").json["name"] == "add"


def test_python_jobs_run_through_the_line_of_the_worker_and_commands_without_it(engine):
    """As a container would: another program stands between the worker and the interpreter, and gets the run folder."""
    wrapper = engine.home / "a container"
    engine.home.mkdir(exist_ok=True)
    wrapper.write_text('#!/bin/sh\nIN_CONTAINER="$1" exec "$2" -P -m towline.on_worker.run_job "$1" --claimed\n')
    wrapper.chmod(0o755)
    line = f"'{wrapper}' {{}} {shlex.quote(sys.executable)}; code=$?; echo ran in {{}} >&2; exit $code"
    engine.configure(workers={"local": {"execution_cmd": line, "work_dir": str(engine.home / "a 'b' $(touch x)")}})
    inside = jobs.environment(["IN_CONTAINER"])
    good, bad, command = engine.submit(
        Flow([inside, jobs.fail("of course"), towline.command('test -z "$IN_CONTAINER"')])
    )
    engine.run()
    assert engine.job(good)["state"] == "COMPLETED", engine.failure(good)
    assert engine.outputs()["environment"]["variables"] == {"IN_CONTAINER": str(engine.run_dir(good))}
    assert (engine.job(bad)["state"], engine.job(bad)["reason"]) == ("FAILED", "error")
    assert "of course" in engine.failure(bad)["message"]
    assert engine.job(command)["state"] == "COMPLETED"
    assert f"ran in {engine.run_dir(good)}" in (engine.run_dir(good) / "queue.err").read_text()
    checked = tow("project", "check", "--worker", "local")
    assert checked.code == 0, checked.out
    assert "a Python job ran with execution_cmd" in checked.out


def test_a_line_that_runs_no_job_is_told_by_the_check(engine):
    engine.configure(workers={"local": {"execution_cmd": "echo no such image >&2; false {}"}})
    checked = tow("project", "check", "--worker", "local")
    assert checked.code != 0
    assert "no such image" in checked.out
