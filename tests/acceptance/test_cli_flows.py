"""Commands about flows, on the database of a project."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from towline.core.run_folder import EXIT_FILE
from towline.core.states import JobState
from towline.operations.compose import OpenProject, open_project
from towline.testing.command_line import tow
from towline.testing.queue import add_flow, inconsistencies, put_in_state, states

CHAIN = {"relax": [], "static": ["relax"], "bands": ["static"]}
DIAMOND = {"top": [], "left": ["top"], "right": ["top"], "bottom": ["left", "right"]}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenProject]:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("COLUMNS", raising=False)
    with open_project() as opened:
        yield opened
        assert inconsistencies(opened.database) == []


def test_a_list_shows_each_flow_with_its_number_of_jobs(project: OpenProject) -> None:
    add_flow(project.database, CHAIN, name="Cu bands")
    add_flow(project.database, {"md": []}, name="Au md", worker="other")
    head, _, *rows = tow("flow", "list").out.splitlines()
    assert head.split() == ["DB", "id", "Name", "State", "Flow", "id", "Jobs", "Last", "updated"]
    assert [row.split()[:3] for row in rows] == [["4", "Au", "md"], ["1", "Cu", "bands"]]
    verbose = tow("flow", "list", "-v").out
    assert "W:2 R:1" in verbose
    assert "other" in verbose
    assert tow("flow", "list", "--count").out == "2\n"
    assert [flow["name"] for flow in tow("flow", "list", "-n", "Cu*", "--json").json] == ["Cu bands"]
    assert tow("flow", "list", "-did", "2", "--json").json[0]["state_counts"] == {"WAITING": 2, "READY": 1}
    assert "1 of 2 flows" in tow("flow", "list", "-m", "1").err


def test_a_flow_with_a_failed_action_is_marked(project: OpenProject) -> None:
    jobs = add_flow(project.database, CHAIN)
    put_in_state(project.database, jobs["relax"], JobState.REMOTE_ERROR)
    assert "RUNNING !" in tow("flow", "list").out
    assert tow("flow", "list", "--json").json[0]["needs_attention"] is True


def test_info_shows_the_jobs_in_the_order_of_their_creation(project: OpenProject) -> None:
    add_flow(project.database, CHAIN, flow_uuid="f" * 12)
    for flow_id in ("1", "3", "f" * 12, "ffffff"):
        answer = tow("flow", "info", flow_id)
        assert [line.split()[1] for line in answer.out.splitlines()[-3:]] == ["relax", "static", "bands"]
    document = tow("flow", "info", "1", "--json").json
    assert [job["name"] for job in document["jobs_info"]] == ["relax", "static", "bands"]
    assert document["jobs_info"][1]["parents"] == [document["jobs_info"][0]["uuid"]]
    uuid = document["jobs_info"][2]["uuid"]
    assert tow("flow", "info", uuid, "--job", "--json").json["flow_id"] == "f" * 12
    assert "add --job" in tow("flow", "info", uuid).err
    assert tow("flow", "info", "1", "-jrevs", "--json").json["jobs_info"][0]["name"] == "bands"


def test_a_graph_is_a_tree_in_which_each_job_stands_once(project: OpenProject) -> None:
    add_flow(project.database, DIAMOND)
    assert tow("flow", "graph", "1").out.splitlines() == [
        "1 top  READY",
        "├─ 2 left  WAITING",
        "│  └─ (4 bottom, below)",
        "└─ 3 right  WAITING",
        "   └─ 4 bottom  WAITING",
    ]


def test_a_chain_of_thousands_is_drawn(project: OpenProject) -> None:
    names = [str(number) for number in range(2000)]
    add_flow(project.database, {name: names[max(0, position - 1) : position] for position, name in enumerate(names)})
    assert len(tow("flow", "graph", "1").out.splitlines()) == 2000


def test_a_graph_is_written_for_other_programs(project: OpenProject, tmp_path: Path) -> None:
    jobs = add_flow(project.database, {'say "hi" <b>': [], "b": ['say "hi" <b>']})
    put_in_state(project.database, jobs["b"], JobState.FAILED)
    dot, mermaid = tmp_path / "graph.dot", tmp_path / "graph.mmd"
    assert tow("flow", "graph", "1", "--path", str(dot)).code == 0
    assert tow("flow", "graph", "1", "--path", str(mermaid), "--label", "state").code == 0
    assert '1 [label="say \\"hi\\" <b>"' in dot.read_text()
    assert "1 -> 2;" in dot.read_text()
    assert "job1 --> job2" in mermaid.read_text()
    assert 'job2["b FAILED"]:::FAILED' in mermaid.read_text()
    assert "&quot;hi&quot; &lt;b&gt;" in tow("flow", "graph", "1", "-m").out
    assert tow("flow", "graph", "1", "--json").json["edges"] == [["1", "2"]]
    assert "use .svg, .png, .pdf, .txt, .dot" in tow("flow", "graph", "1", "--path", "graph.exe").err


def test_a_flow_is_resumed_as_a_whole(project: OpenProject) -> None:
    jobs = add_flow(project.database, CHAIN)
    answer = tow("flow", "resume", "1")
    assert (answer.code, answer.out) == (1, "")
    (flow,) = tow("flow", "list", "--json").json
    assert "no job of the flow is held (PAUSED, STOPPED, USER_STOPPED)" in answer.err
    assert answer.err.endswith(f"tow flow info {flow['flow_id']}\n")
    tow("job", "stop", "-fid", "1")
    assert tow("flow", "resume", "1").out == "3 jobs resumed\n"
    assert states(project.database, jobs) == {"relax": "READY", "static": "WAITING", "bands": "WAITING"}


def test_resuming_takes_the_stop_mark_off_the_flow(project: OpenProject) -> None:
    jobs = add_flow(project.database, CHAIN)
    with project.database.transaction() as transaction:
        transaction.execute("UPDATE flow SET stop_requested = 1")
    put_in_state(project.database, jobs["bands"], JobState.STOPPED)
    tow("flow", "resume", "1")
    assert project.database.read("SELECT stop_requested FROM flow") == [(0,)]


def test_deleting_asks_and_has_a_cap(project: OpenProject) -> None:
    for number in range(12):
        add_flow(project.database, {"a": []}, name=f"flow {number}")
    answer = tow("flow", "delete", "--yes")
    assert answer.code == 1
    assert "12 flows would be deleted, more than 10" in answer.err
    answer = tow("flow", "delete", "-n", "flow 1*", typed="n\n")
    assert answer.code == 1
    assert "Delete 3 flows with 3 jobs?" in answer.err
    assert tow("flow", "delete", "-n", "flow 1*", typed="y\n").out == "3 flows with 3 jobs deleted\n"
    assert len(tow("flow", "delete", "--max", "0", "--yes", "--json").json["flow_ids"]) == 9
    assert tow("flow", "list", "--json").json == []
    assert "no flow is like that" in tow("flow", "delete", "--yes").err


def test_deleting_with_everything_removes_outputs_and_folders(project: OpenProject) -> None:
    jobs = add_flow(project.database, {"a": []})
    folder = project.project.workers["local"].work_dir / "aa" / "x"
    folder.mkdir(parents=True)
    (folder / "queue.out").write_text("")
    uuid = project.database.read("SELECT uuid FROM job")[0][0]
    store = project.job_store()
    store.update({"uuid": uuid, "index": 1, "output": 3}, key=["uuid", "index"])
    put_in_state(project.database, jobs["a"], JobState.COMPLETED, run_dir=str(folder))
    assert tow("flow", "delete", "-s", "COMPLETED", "--all", "-y").out == (
        "1 flow with 1 job deleted\n1 run folder deleted\n"
    )
    assert not folder.exists()
    assert store.query_one({"uuid": uuid}) is None


def test_run_folders_of_flows_are_cleaned_and_nothing_else(project: OpenProject) -> None:
    jobs = add_flow(project.database, {"done": [], "paused": [], "running": []})
    folders = {}
    for name, state in (("done", JobState.COMPLETED), ("paused", JobState.PAUSED), ("running", JobState.RUNNING)):
        folders[name] = project.project.workers["local"].work_dir / name
        folders[name].mkdir(parents=True)
        (folders[name] / EXIT_FILE).write_text("{}")
        put_in_state(project.database, jobs[name], state, run_dir=str(folders[name]))
    assert tow("flow", "clean", "-did", "1", typed="n\n").code == 1
    answer = tow("flow", "clean", "-did", "1", "--yes", "-v")
    assert answer.out.endswith("1 run folder of 1 job deleted\n")
    assert "2 jobs not looked at" in answer.err
    assert [name for name, folder in folders.items() if folder.exists()] == ["paused", "running"]
    assert tow("flow", "clean", "-did", "1", "--yes", "--all-states", "--json").json["deleted_folders"] == [
        str(folders["paused"])
    ]
    assert folders["running"].exists()
    assert "is not needed" in tow("flow", "clean", "--force").err


def test_processes_of_a_deleted_flow_are_kept_when_asked(project: OpenProject) -> None:
    for arguments, left in (((), 1), (("--keep-processes",), 0)):
        jobs = add_flow(project.database, {"a": []}, name="leaving")
        put_in_state(project.database, jobs["a"], JobState.RUNNING, run_dir="/x")
        before = len(project.database.read("SELECT 1 FROM cancellation"))
        assert tow("flow", "delete", "-n", "leaving", "--yes", *arguments).code == 0
        assert len(project.database.read("SELECT 1 FROM cancellation")) - before == left
    add_flow(project.database, {"a": []}, name="leaving")
    assert "need their run folders" in tow("flow", "delete", "-n", "leaving", "-y", "-kp", "--files").err


def test_the_store_of_a_flow_is_chosen_before_it_begins(project: OpenProject, tmp_path: Path) -> None:
    (tmp_path / "home" / "default.yaml").write_text(
        "name: default\noptional_jobstores:\n  archive: {docs_store: {type: sql}}\n"
    )
    jobs = add_flow(project.database, {"a": []})
    chosen = tow("flow", "set", "store", "1", "archive")
    assert (chosen.out, chosen.err) == ("outputs go to archive\n", "")
    assert tow("flow", "info", "1", "--json").json["jobstore"] == "archive"
    assert tow("flow", "set", "store", "1").code == 0
    assert tow("flow", "info", "1", "--json").json["jobstore"] is None
    assert "has no optional job store 'other'" in tow("flow", "set", "store", "1", "other").err
    put_in_state(project.database, jobs["a"], JobState.COMPLETED)
    answer = tow("flow", "set", "store", "1", "archive")
    assert answer.code == 1
    assert "before any of its jobs has begun" in answer.err


def test_the_report_of_a_flow_counts_and_sums(project: OpenProject) -> None:
    jobs = add_flow(project.database, {"a": [], "b": []})
    put_in_state(project.database, jobs["a"], JobState.COMPLETED, started_at=100.0, ended_at=160.0)
    report = tow("flow", "info", "1", "--report", "--json").json["report"]
    assert report["state_counts"] == {"READY": 1, "COMPLETED": 1}
    assert report["run_time_seconds"] == 60
    assert "run time of all" in tow("flow", "info", "1", "-rep").out
    assert tow("flow", "info", "1", "--sort", "db_id", "--jobs-sort", "updated_on").code == 1
