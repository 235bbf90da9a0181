"""Commands about jobs, on the database of a project."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from towline.core.run_folder import EXIT_FILE, run_folder
from towline.core.states import JobState
from towline.operations.compose import OpenProject, open_project
from towline.testing.command_line import tow
from towline.testing.queue import add_flow, inconsistencies, put_in_state, put_outcome, states

CHAIN = {"relax": [], "static": ["relax"], "bands": ["static"]}
FAILURE = {"reason": "error", "message": "ValueError: it broke", "details": "Traceback [bold]\n  line 3"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenProject]:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path))
    monkeypatch.delenv("COLUMNS", raising=False)
    with open_project() as opened:
        yield opened
        assert inconsistencies(opened.database) == []


def in_folder(project: OpenProject, job_id: int, state: JobState = JobState.FAILED, **files: str) -> Path:
    """Give a job a run folder with these files, as a worker does."""
    uuid, index, attempt = project.database.read("SELECT uuid, job_index, attempt FROM job WHERE id = ?", (job_id,))[0]
    folder = project.project.workers["local"].work_dir / run_folder(uuid, index, attempt)
    folder.mkdir(parents=True)
    for name, text in {EXIT_FILE: "{}", **files}.items():
        (folder / name).write_text(text)
    put_in_state(project.database, job_id, state, run_dir=str(folder), started_at=100.0, ended_at=161.0)
    return folder


# list


def test_a_list_shows_the_newest_first_with_the_usual_columns(project: OpenProject) -> None:
    jobs = add_flow(project.database, CHAIN)
    put_in_state(project.database, jobs["relax"], JobState.RUNNING)
    answer = tow("job", "list")
    head, _, *rows = answer.out.splitlines()
    assert head.split() == ["DB", "id", "Name", "State", "Job", "id", "(index)", "Worker", "Last", "updated"]
    assert [row.split()[0:3] for row in rows] == [
        ["1", "relax", "RUNNING"],
        ["3", "bands", "WAITING"],
        ["2", "static", "WAITING"],
    ]


def test_no_name_is_obeyed_by_a_terminal(project: OpenProject) -> None:
    jobs = add_flow(project.database, {"a\x1b[31m\x9b2J\nb": []})
    assert "a\\x1b[31m\\x9b2J" in tow("job", "list").out
    assert "a\\x1b[31m\\x9b2J" in tow("job", "info", str(*jobs.values())).out


def test_each_v_adds_columns(project: OpenProject) -> None:
    add_flow(project.database, {"a": []}, metadata={"k": "v"})
    assert "Queue id" in tow("job", "list", "-v").out
    assert "Metadata" not in tow("job", "list", "-v").out
    assert '{"k":"v"}' in tow("job", "list", "-vv").out
    assert '{"k":"v"}' in tow("job", "list", "-v", "-v").out


def test_columns_are_chosen_by_name(project: OpenProject, monkeypatch: pytest.MonkeyPatch) -> None:
    add_flow(project.database, {"a": []})
    assert tow("job", "list", "-o", "db_id,priority").out.splitlines()[0].split() == ["DB", "id", "Priority"]
    answer = tow("job", "list", "-o", "db_id,colour")
    assert answer.code == 1
    assert "no column is called colour; there are db_id" in answer.err
    assert tow("job", "list", "-o", "db_id", "-v").code == 1
    monkeypatch.setenv("TOWLINE_CLI_JOB_LIST_COLUMNS", "name,state")
    assert tow("job", "list").out.splitlines()[0].split() == ["Name", "State"]


def test_stored_data_and_errors_are_shown_when_asked_for(project: OpenProject) -> None:
    jobs = add_flow(project.database, {"a": []})
    put_in_state(project.database, jobs["a"], JobState.FAILED)
    put_outcome(project.database, jobs["a"], failure=FAILURE, stored_data={"energy": -3.5})
    assert "it broke" not in tow("job", "list").out
    answer = tow("job", "list", "--error", "-sdk", "energy")
    assert "ValueError: it broke" in answer.out
    assert "-3.5" in answer.out


def test_json_is_pure_and_has_the_same_keys_whatever_is_shown(project: OpenProject) -> None:
    jobs = add_flow(project.database, CHAIN)
    put_in_state(project.database, jobs["relax"], JobState.COMPLETED, started_at=10.0, ended_at=12.5)
    documents = tow("job", "list", "--json").json
    assert len(documents) == 3
    done = next(document for document in documents if document["name"] == "relax")
    assert done["state"] == "COMPLETED"
    assert done["run_time_seconds"] == 2.5
    assert done["start_time"] == "1970-01-01T00:00:10+00:00"
    assert {frozenset(document) for document in documents} == {frozenset(done)}
    assert tow("job", "list", "-n", "nothing", "--json").json == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["-s", "WAITING"], {"static", "bands"}),
        (["--state", "w", "-s", "fail", "-s", "F"], None),
        (["-s", "R", "-s", "c"], {"relax", "md"}),
        (["-n", "b*"], {"bands"}),
        (["--worker", "other"], {"md"}),
        (["-did", "1", "-did", "3"], {"relax", "bands"}),
        (["-fid", "4"], {"md"}),
        (["-meta", "material=Cu"], {"relax", "static", "bands"}),
        (["-meta", '{"n": 2}'], {"relax", "static", "bands"}),
        (["--metadata", "n=3"], set()),
        (["-ds", "1"], {"relax", "static", "bands", "md"}),
        (["-hs", "1", "-s", "c"], {"md"}),
        (["-sdate", "2999-01-01"], set()),
        (["-edate", "2999-01-01"], {"relax", "static", "bands", "md"}),
        (["-sdate", "2001-01-01T10:00:00", "-edate", "2001-01-02"], set()),
        (["-lf", "1"], {"md"}),
        (["--running"], set()),
        (["--locked"], set()),
    ],
)
def test_filters(project: OpenProject, options: list[str], expected: set[str] | None) -> None:
    add_flow(project.database, CHAIN, metadata={"material": "Cu", "n": 2})
    other = add_flow(project.database, {"md": []}, worker="other")
    put_in_state(project.database, other["md"], JobState.COMPLETED)
    answer = tow("job", "list", "--json", *options)
    if expected is None:
        assert answer.code == 2
        return
    assert {document["name"] for document in answer.json} == expected
    assert tow("job", "list", "--count", *options).out == f"{len(expected)}\n"


def test_a_job_is_chosen_by_uuid_and_index(project: OpenProject) -> None:
    add_flow(project.database, CHAIN)
    uuid = project.database.read("SELECT uuid FROM job WHERE name = 'static'")[0][0]
    assert [job["name"] for job in tow("job", "list", "-jid", f"{uuid}:1", "--json").json] == ["static"]
    assert "UUID:INDEX" in tow("job", "list", "-jid", uuid).err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-ds", "1", "-hs", "1"], "--days and --hours exclude each other"),
        (["-ds", "1", "-sdate", "2024-01-01"], "exclude each other"),
        (["-sdate", "yesterday"], "write 2024-03-01"),
        (["-meta", "novalue"], "key=value"),
        (["-did", "x1"], "'x1' is not the db_id of a job"),
        (["-fid", "0000000000"], "no flow"),
        (["--running", "-s", "c"], "exclude"),
    ],
)
def test_filters_that_make_no_sense_are_explained(project: OpenProject, options: list[str], said: str) -> None:
    answer = tow("job", "list", *options)
    assert answer.code == 1
    assert re.search(said, answer.err)


def test_sorting_and_limits(project: OpenProject) -> None:
    add_flow(project.database, {str(number): [] for number in range(5)})

    def listed(*options: str) -> list[str]:
        return [job["name"] for job in tow("job", "list", "--json", *options).json]

    assert listed("--sort", "db_id") == ["4", "3", "2", "1", "0"]
    assert listed("--sort", "created_on", "-revs", "-m", "2") == ["0", "1"]
    answer = tow("job", "list", "-m", "2")
    assert "2 of 5 jobs; for all of them: --max-results 0" in answer.err
    assert tow("job", "list", "-m", "0").err == ""


def test_a_narrow_terminal_gets_short_ids_that_commands_take(
    project: OpenProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_flow(project.database, {"a": []})
    monkeypatch.setenv("COLUMNS", "80")
    answer = tow("job", "list")
    assert max(map(len, answer.out.splitlines())) <= 80
    shown = re.search(r"\b([0-9a-f]{8}) \(1\)", answer.out)
    assert shown
    assert tow("job", "info", shown[1], "--json").json["name"] == "a"


def test_a_table_wider_than_the_terminal_loses_no_column(project: OpenProject, monkeypatch: pytest.MonkeyPatch) -> None:
    add_flow(project.database, {"a name that is long enough for several lines": []})
    monkeypatch.setenv("COLUMNS", "80")
    head, _, row, *_ = tow("job", "list", "-vv").out.splitlines()
    assert head.startswith("DB id   Name ")
    assert head.rstrip().endswith("Metadata")
    assert re.match(r"1 +a name that +R ", row)


def test_what_goes_into_a_file_is_not_broken(project: OpenProject) -> None:
    name = "a name that is long enough for several lines " * 5
    add_flow(project.database, {name: []})
    uuid = tow("job", "list", "--json").json[0]["uuid"]
    assert re.search(rf"1 +{name.strip()} +READY +{uuid}", tow("job", "list", "-vv").out)


def test_a_worker_that_is_none_is_refused_where_jobs_are_chosen(project: OpenProject) -> None:
    add_flow(project.database, {"a": []}, worker="removed")
    answer = tow("job", "stop", "-wk", "locl")
    assert answer.code == 1
    assert "no worker 'locl'; it has local" in answer.err
    assert tow("job", "list", "-wk", "local", "-wk", "(person)", "--count").out == "0\n"
    assert tow("job", "list", "-wk", "removed", "--count").out == "1\n"


# info


def test_a_waiting_job_names_what_it_waits_for(project: OpenProject) -> None:
    jobs = add_flow(project.database, CHAIN)
    put_in_state(project.database, jobs["relax"], JobState.FAILED)
    answer = tow("job", "info", str(jobs["bands"]))
    assert re.search(r"waits for\s+2 static WAITING", answer.out)
    assert "job 1, before it, is FAILED: tow job info 1" in answer.err
    document = tow("job", "info", str(jobs["static"]), "--json").json
    assert [(parent["id"], parent["state"]) for parent in document["waits_for"]] == [("1", "FAILED")]


def test_a_failed_job_tells_why_where_its_logs_are_and_what_to_type(project: OpenProject) -> None:
    jobs = add_flow(project.database, {"a": []})
    folder = in_folder(project, jobs["a"])
    put_outcome(project.database, jobs["a"], failure=FAILURE)
    answer = tow("job", "info", "1")
    assert re.search(r"^error +ValueError: it broke$", answer.out, re.MULTILINE)
    assert "Traceback [bold]" in answer.out
    assert str(folder / "queue.err") in answer.out
    assert "0:01:01" in answer.out
    assert "tow job rerun 1" in answer.err
    assert tow("job", "info", "1", "--json").json["failure"] == {**FAILURE, "queue_out": None, "queue_err": None}


def test_a_ready_job_without_a_runner_says_how_to_start_one(project: OpenProject) -> None:
    add_flow(project.database, {"a": []})
    assert "tow runner start" in tow("job", "info", "1").err


def test_verbose_info_has_the_journal_and_earlier_attempts(project: OpenProject) -> None:
    jobs = add_flow(project.database, {"a": []})
    in_folder(project, jobs["a"])
    tow("job", "rerun", "1")
    answer = tow("job", "info", "1", "-v")
    assert "FAILED → READY  by user  rerun" in answer.out
    assert "attempt 1: FAILED on local" in answer.out


def test_a_job_is_found_by_process_id(project: OpenProject) -> None:
    jobs = add_flow(project.database, {"a": []})
    put_in_state(project.database, jobs["a"], JobState.RUNNING, process_id="4711")
    assert tow("job", "info", "--pid", "4711", "--json").json["name"] == "a"
    assert tow("job", "info", "--pid", "1").code == 1
    assert tow("job", "info").code == 1


def test_ids_may_have_a_prefix_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path))
    (tmp_path / "mine.yaml").write_text("name: mine\nqueue: {db_id_prefix: lab-}\nworkers: {local: {type: local}}\n")
    with open_project("mine") as opened:
        add_flow(opened.database, {"a": []})
    assert tow("job", "list", "--json").json[0]["db_id"] == "lab-1"
    assert tow("job", "info", "lab-1", "--json").json["db_id"] == "lab-1"
    assert tow("job", "info", "1", "--json").json["db_id"] == "lab-1"
    assert tow("job", "pause", "lab-1", "-v").out.splitlines()[-1] == "lab-1"


def test_an_ambiguous_uuid_and_an_unknown_index_are_told(project: OpenProject) -> None:
    add_flow(project.database, {"a": [], "b": []})
    with project.database.transaction() as transaction:
        for job_id in (1, 2):
            transaction.execute("UPDATE job SET uuid = ? WHERE id = ?", (f"abcdef-{job_id}", job_id))
    assert "several jobs have a uuid that begins with 'abcdef'" in tow("job", "info", "abcdef").err
    assert tow("job", "info", "abcdef-2", "--json").json["name"] == "b"
    assert "has no index 7; it has 1" in tow("job", "info", "abcdef-2", "7").err


# acting


def test_each_action_reports_what_it_changed(project: OpenProject) -> None:
    jobs = add_flow(project.database, CHAIN)
    assert tow("job", "pause", "1").out == "1 job paused\n"
    assert tow("job", "play", "1").out == "1 job resumed\n"
    assert tow("job", "stop", "-n", "*", "-v").out == "3 jobs stopped\n1\n2\n3\n"
    assert tow("job", "resume", "-s", "USER_STOPPED").out == "3 jobs resumed\n"
    assert tow("job", "set-state", "failed", "1").out == "1 job set to FAILED\n"
    assert tow("job", "rerun", "1").out == "1 job run again\n"
    assert states(project.database, jobs) == {"relax": "READY", "static": "WAITING", "bands": "WAITING"}


def test_rerun_of_a_completed_job_needs_force_and_tells_what_went_back_too(project: OpenProject) -> None:
    jobs = add_flow(project.database, {"a": [], "b": ["a"]})
    for job in jobs.values():
        put_in_state(project.database, job, JobState.COMPLETED)
    refused = tow("job", "rerun", "1")
    assert refused.code == 1
    assert "tow job rerun --force 1" in refused.err
    assert tow("job", "rerun", "--force", "1").out == "1 job run again\n1 job after them went back too\n"


def test_what_cannot_be_changed_is_told_and_the_rest_is_done(project: OpenProject) -> None:
    jobs = add_flow(project.database, {"a": [], "b": []})
    put_in_state(project.database, jobs["a"], JobState.COMPLETED)
    answer = tow("job", "pause", "-n", "*")
    assert (answer.code, answer.out) == (0, "1 job paused\n")
    assert "job 1 is COMPLETED" in answer.err
    document = tow("job", "stop", "-did", "1", "-did", "2", "--json").json
    assert document["changed"] == ["2"]
    assert list(document["refused"]) == ["1"]


def test_raise_on_error_changes_nothing_at_all(project: OpenProject) -> None:
    jobs = add_flow(project.database, {"a": [], "b": []})
    put_in_state(project.database, jobs["a"], JobState.COMPLETED)
    assert tow("job", "pause", "-n", "*", "--raise-on-error").code == 1
    assert states(project.database, jobs) == {"a": "COMPLETED", "b": "READY"}


def test_without_any_filter_the_user_is_asked(project: OpenProject) -> None:
    jobs = add_flow(project.database, CHAIN)
    answer = tow("job", "stop", typed="n\n")
    assert answer.code == 1
    assert "stop all 3 jobs of the project?" in answer.err
    assert tow("job", "stop").code == 1
    assert set(states(project.database, jobs).values()) == {"READY", "WAITING"}
    assert tow("job", "stop", typed="y\n").code == 0
    assert tow("job", "resume", "--yes").code == 0


def test_a_job_and_a_query_exclude_each_other(project: OpenProject) -> None:
    add_flow(project.database, CHAIN)
    assert "not both" in tow("job", "stop", "1", "-n", "relax").err
    assert "no job is like that" in tow("job", "stop", "-n", "none").err


def test_what_jobs_ask_for_is_changed(project: OpenProject) -> None:
    add_flow(project.database, {"a": []}, resources={"nodes": 1})
    assert tow("job", "set", "priority", "0", "-did", "1").out == "1 job changed\n"
    assert tow("job", "set", "priority", "7", "-did", "1").out == "1 job changed\n"
    assert tow("job", "set", "priority", "--", "-3").code == 1
    assert tow("job", "set", "resources", "time_limit=60,queue=debug", "-did", "1").out == "1 job changed\n"
    document = tow("job", "info", "1", "--json").json
    assert document["resources"] == {"nodes": 1, "time_limit": 60, "queue": "debug"}
    assert document["priority"] == 7
    options = ("--ntasks", "8", "--time", "2:00:00", "--mem", "500M", "--queue", "long", "--qos", "high", "--gpus", "1")
    tow("job", "set", "resources", *options, "--replace", "-did", "1")
    assert tow("job", "info", "1", "--json").json["resources"] == {
        **{"processes": 8, "time_limit": "2:00:00", "memory_gigabytes": 500 / 1024, "queue_name": "long"},
        **{"qos": "high", "gpus_per_job": 1},
    }
    assert "no resource is given" in tow("job", "set", "resources", "-did", "1").err
    assert "given twice" in tow("job", "set", "resources", "qos=low", "--qos", "high", "-did", "1").err
    assert "no size of memory" in tow("job", "set", "resources", "--mem", "much", "-did", "1").err
    tow("job", "set", "resources", "{}", "--replace", "-did", "1")
    assert tow("job", "info", "1", "--json").json["resources"] == {}
    assert "has no worker 'mars'" in tow("job", "set", "worker", "mars", "-did", "1").err
    assert "no exec_config 'mpi'" in tow("job", "set", "exec-config", "mpi", "-did", "1").err


def test_deleting_asks_and_cleans_up(project: OpenProject) -> None:
    jobs = add_flow(project.database, {"a": [], "b": []})
    folder = in_folder(project, jobs["a"], JobState.FAILED, **{"queue.out": "x"})
    assert tow("job", "delete", "1", typed="n\n").code == 1
    assert folder.exists()
    answer = tow("job", "delete", "1", "--files", "--yes")
    assert answer.out == "1 job deleted\n1 run folder deleted\n"
    assert not folder.exists()
    assert "tow flow delete" in tow("job", "delete", "2", "-y").err


def test_a_run_folder_outside_of_the_work_dir_or_not_ours_stays(project: OpenProject, tmp_path: Path) -> None:
    jobs = add_flow(project.database, {"a": [], "b": [], "c": []})
    foreign = tmp_path / "precious"
    foreign.mkdir()
    (foreign / EXIT_FILE).write_text("{}")
    put_in_state(project.database, jobs["a"], JobState.FAILED, run_dir=str(foreign))
    folder = in_folder(project, jobs["b"])
    (folder / EXIT_FILE).rename(folder / "results.txt")
    assert tow("job", "delete", "-s", "FAILED", "--all", "-y").out == "2 jobs deleted\n"
    assert (foreign / EXIT_FILE).exists()
    assert (folder / "results.txt").exists()


def test_deleting_a_running_job_has_the_runner_end_it(project: OpenProject) -> None:
    jobs = add_flow(project.database, {"a": [], "b": []})
    folder = in_folder(project, jobs["a"], JobState.RUNNING)
    tow("job", "delete", "1", "-fi", "-y")
    assert folder.exists()
    assert project.database.read("SELECT job_id, delete_files FROM cancellation") == [(1, 1)]


# files


def test_what_a_job_printed_is_shown_with_the_end_of_big_files(project: OpenProject) -> None:
    jobs = add_flow(project.database, {"a": []})
    big = "start\n" + "x" * 200_000 + "\nend\n"
    in_folder(project, jobs["a"], **{"queue.out": big, "queue.err": "warning"})
    answer = tow("job", "queue-out", "1")
    assert answer.out.endswith("end\nwarning\n")
    assert "start" not in answer.out
    assert "--full shows all" in answer.err
    assert tow("job", "queue-out", "1", "--full").out.startswith("start\n")
    assert tow("job", "queue-out", "1", "--follow").code == 0
    document = tow("job", "queue-out", "1", "--json").json
    assert [entry["text"][-8:] for entry in document.values()] == ["xxx\nend\n", "warning"]


def test_a_job_that_has_not_started_has_no_run_folder(project: OpenProject) -> None:
    add_flow(project.database, {"a": []})
    answer = tow("job", "queue-out", "1")
    assert answer.code == 1
    assert "it is READY and has not started" in answer.err


def test_files_are_listed_copied_and_deleted(project: OpenProject, tmp_path: Path) -> None:
    jobs = add_flow(project.database, {"a": []})
    folder = in_folder(project, jobs["a"], **{"out.dat": "1 2", "log [1].txt": "log"})
    (folder / "sub").mkdir()
    (folder / "sub" / "deep.txt").write_text("deep")
    listed = {entry["path"]: entry for entry in tow("job", "files", "ls", "1", "--json").json}
    assert set(listed) == {EXIT_FILE, "out.dat", "log [1].txt", "sub", "sub/deep.txt"}
    assert listed[EXIT_FILE]["is_own"]
    assert "out.dat" in tow("job", "files", "ls", "1").out
    target = tmp_path / "copies"
    answer = tow("job", "files", "get", "1", "*.dat", "log [1].txt", "sub", "--path", str(target))
    assert answer.code == 0
    assert {path.name for path in target.iterdir()} == {"out.dat", "log [1].txt", "sub"}
    assert (target / "sub" / "deep.txt").read_text() == "deep"
    for name in ("/etc/passwd", "../../x", "nothing.txt"):
        assert tow("job", "files", "get", "1", name, "--path", str(target)).code == 1
    assert tow("job", "files", "delete", "1", "-y").out == f"{folder}\n"
    assert not folder.exists()


def test_files_of_a_running_job_are_not_deleted(project: OpenProject) -> None:
    jobs = add_flow(project.database, {"a": []})
    folder = in_folder(project, jobs["a"], JobState.RUNNING)
    answer = tow("job", "files", "delete", "1", "-y")
    assert answer.code == 1
    assert "tow job stop 1" in answer.err
    assert folder.exists()


# output


def test_the_output_of_a_completed_job_is_json_or_a_file(project: OpenProject, tmp_path: Path) -> None:
    jobs = add_flow(project.database, {"a": [], "b": []})
    uuid = project.database.read("SELECT uuid FROM job WHERE id = 1")[0][0]
    store = project.job_store()
    store.update({"uuid": uuid, "index": 1, "output": {"energy": [1.5, None]}, "metadata": {}}, key=["uuid", "index"])
    put_in_state(project.database, jobs["a"], JobState.COMPLETED)
    assert tow("job", "output", "1").json == {"energy": [1.5, None]}
    target = tmp_path / "results"
    target.mkdir()
    for name in ("out.json", "out.yaml"):
        assert tow("job", "output", "1", "--path", str(target / name)).code == 0
    assert json.loads((target / "out.json").read_text()) == {"energy": [1.5, None]}
    assert "energy:" in (target / "out.yaml").read_text()
    assert "use .json or .yaml" in tow("job", "output", "1", "--path", str(target / "out.txt")).err
    assert "cannot be written" in tow("job", "output", "1", "--path", str(tmp_path / "no" / "out.json")).err
    store.update({"uuid": uuid, "index": 1, "output": [float("nan"), 2**70]}, key=["uuid", "index"])
    assert tow("job", "output", "1").json == [
        {"$numberDouble": "NaN"},
        {"$numberLong": "1180591620717411303424"},
    ]
    assert "job 2 is READY and has no output yet" in tow("job", "output", "2").err
    put_in_state(project.database, 2, JobState.FAILED)
    assert "job 2 is FAILED and has no output;" in tow("job", "output", "2").err
    assert tow("job", "delete", "1", "--output", "-y").code == 0
    assert store.query_one({"uuid": uuid}) is None


# files that are named by the resources, names that mean something else


def test_what_a_job_printed_is_found_where_its_resources_put_it(project: OpenProject) -> None:
    jobs = add_flow(project.database, {"a": []}, resources={"qout_path": "mine.out"})
    in_folder(project, jobs["a"], **{"mine.out": "here\n", "queue.err": "there\n", "queue.out": "not this\n"})
    assert tow("job", "queue-out", "1").out == "here\nthere\n"
    assert [path.rpartition("/")[2] for path in tow("job", "info", "1", "--json").json["logs"]] == [
        "mine.out",
        "queue.err",
    ]


def test_waiting_for_what_is_not_there_names_both(project: OpenProject) -> None:
    answer = tow("wait", "20")
    assert answer.code == 1
    assert "neither a job nor a flow has the id '20'" in answer.err


def test_a_shell_is_opened_in_the_run_folder(project: OpenProject, tmp_path: Path) -> None:
    jobs = add_flow(project.database, {"a": []})
    folder = in_folder(project, jobs["a"])
    shell = tmp_path / "shell"
    shell.write_text(f"#!/bin/sh\npwd > {tmp_path}/where\nexit 3\n")
    shell.chmod(0o755)
    assert tow("job", "todir", "1", "--shell", str(shell)).code == 3
    assert (tmp_path / "where").read_text() == f"{folder}\n"
    assert "cannot be started" in tow("job", "todir", "1", "-s", "/no/such/shell").err


def test_jobs_are_dumped_with_the_work_itself(project: OpenProject, tmp_path: Path) -> None:
    add_flow(project.database, {"a": [], "b": ["a"]}, metadata={"k": 1})
    path = tmp_path / "default" / "dump.json"
    assert tow("job", "dump", "-n", "b", "--path", str(path)).code == 0
    (dumped,) = json.loads(path.read_text())
    assert (dumped["name"], dumped["state"], dumped["metadata"]) == ("b", "WAITING", {"k": 1})
    assert dumped["job"] == {"command": "true"}
    assert tow("job", "info", "2", "-v", "--json").json["job"] == {"command": "true"}


def test_options_without_a_meaning_say_why(project: OpenProject) -> None:
    add_flow(project.database, {"a": []})
    answer = tow("job", "stop", "1", "--break-lock")
    assert answer.code == 2
    assert "no lock keeps you from a job" in answer.err
    assert tow("job", "stop", "1", "--wait", "5").code == 0


def test_qresources_are_names_that_every_scheduler_knows(project: OpenProject) -> None:
    add_flow(project.database, {"a": []})
    answer = tow("job", "set", "resources", "ntasks=3", "-did", "1", "--qresources")
    assert answer.code == 1
    assert "'ntasks' is none of the QResources" in answer.err
    assert tow("job", "set", "resources", "processes=3", "-did", "1", "-qr").code == 0
    assert tow("job", "info", "1", "--json").json["resources"] == {"processes": 3}


def test_messages_name_jobs_with_the_prefix_of_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path))
    (tmp_path / "lab.yaml").write_text("name: lab\nqueue: {db_id_prefix: LAB}\n")
    with open_project("lab") as opened:
        jobs = add_flow(opened.database, CHAIN)
        put_in_state(opened.database, jobs["relax"], JobState.COMPLETED)
    assert "tow job rerun --force LAB1" in tow("job", "rerun", "LAB1").err
    assert "job LAB1 is among the last of its flow" in tow("job", "delete", "-fid", "LAB1", "--yes").err
