"""Flows that leave a project as an archive and enter another one."""

import contextlib
import io
import json
import os
import signal
import tarfile
from pathlib import Path

import pytest
from jobflow import Flow

import towline
from towline.configuration.choice import load_project
from towline.on_worker.pilot_files import ADDRESS_FILE
from towline.operations.archives import MANIFEST
from towline.operations.workers import worker_state_dir
from towline.testing import jobs
from towline.testing.command_line import tow


@pytest.fixture
def two_projects(engine, monkeypatch):
    """The project `default`, and a second one called `other`; both have a worker called local."""
    engine.configure()
    (engine.home / "other.json").write_text(json.dumps({"name": "other", "workers": {"elsewhere": {"type": "local"}}}))
    monkeypatch.setenv("TOWLINE_PROJECT", "default")
    yield engine
    state = worker_state_dir(load_project("other"), "elsewhere")
    for pid in (json.loads(file.read_text())["pid"] for file in state.glob(ADDRESS_FILE)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def submitted(engine):
    command = towline.command("echo data > result.dat", outputs=["*.dat"], name="command")
    large = jobs.with_large_data(1000)
    last = jobs.add(1, 2)
    ids = engine.submit(
        Flow([command, large, jobs.fan_out(2), jobs.fail("why"), last], name="travels"), project="default"
    )
    assert tow("-p", "default", "job", "pause", ids[-1]).code == 0
    towline.Runner("default").run_all_jobs(max_seconds=60)
    return ids


@pytest.mark.parametrize("name", ["flow.tar.zst", "flow.tar.gz", "folder"])
def test_a_flow_goes_to_another_project_with_its_identity(two_projects, tmp_path, name):
    ids = submitted(two_projects)
    target = tmp_path / name
    done = tow("-p", "default", "flow", "export", ids[0], "-o", str(target))
    assert done.code == 0, done.err
    assert "7 outputs" in done.out or "outputs" in done.out
    before = tow("-p", "default", "flow", "info", ids[0], "--json").json
    answer = tow("-p", "other", "flow", "import", str(target), "--json")
    assert answer.code == 0, answer.err
    after = tow("-p", "other", "flow", "info", answer.json["db_ids"][0], "--json").json
    assert after["flow_id"] == before["flow_id"]
    assert after["name"] == "travels"

    def known(flow):
        return {
            (job["uuid"], job["index"], job["name"], job["state"], tuple(sorted(job["parents"])))
            for job in flow["jobs_info"]
        }

    assert known(after) == known(before)
    info = {job["name"]: job["db_id"] for job in after["jobs_info"]}
    assert tow("-p", "other", "job", "output", info["with_large_data"], "--load").json["large"] == list(range(1000))
    folder = Path(tow("-p", "other", "job", "info", info["command"], "--json").json["run_dir"])
    assert (folder / "result.dat").read_text() == "data\n"
    assert two_projects.home / "other" in folder.parents
    failed = tow("-p", "other", "job", "info", info["fail"], "-v").out
    assert "ValueError: why" in failed
    assert "imported from the project default" in failed
    # What had been held goes on here.
    assert tow("-p", "other", "flow", "resume", info["add"]).code == 0
    towline.Runner("other").run_all_jobs(max_seconds=60)
    assert tow("-p", "other", "job", "info", info["fail"], "--json").json["state"] == "FAILED"
    states = {job["state"] for job in tow("-p", "other", "job", "list", "--json", "-m", "0").json}
    assert states == {"COMPLETED", "FAILED"}


def test_a_flow_that_is_there_already_is_refused(two_projects, tmp_path):
    ids = submitted(two_projects)
    target = tmp_path / "flow.tar.gz"
    assert tow("-p", "default", "flow", "export", ids[0], "-o", str(target), "--no-files").code == 0
    again = tow("-p", "default", "flow", "import", str(target))
    assert again.code == 1
    assert "is in this project already" in again.err
    assert "tow flow delete" in again.err
    assert "exists already" in tow("-p", "default", "flow", "export", ids[0], "-o", str(target)).err


def test_a_flow_whose_jobs_run_is_not_exported(two_projects, tmp_path):
    (db_id,) = two_projects.submit(jobs.add(1, 1), project="default")
    assert tow("-p", "default", "job", "set-state", "RUNNING", db_id).code == 0
    answer = tow("-p", "default", "flow", "export", db_id, "-o", str(tmp_path / "x.tar.gz"))
    assert answer.code == 1
    assert "are with a worker" in answer.err
    assert not (tmp_path / "x.tar.gz").exists()


def test_a_damaged_archive_changes_nothing(two_projects, tmp_path):
    ids = submitted(two_projects)
    folder = tmp_path / "folder"
    assert tow("-p", "default", "flow", "export", ids[0], "-o", str(folder)).code == 0
    found = next(folder.rglob("result.dat"))
    found.write_text("forged\n")
    answer = tow("-p", "other", "flow", "import", str(folder))
    assert answer.code == 1
    assert "is not what was exported" in answer.err
    assert tow("-p", "other", "job", "list", "--json").json == []
    half = tmp_path / "half.tar.gz"
    assert tow("-p", "default", "flow", "export", ids[0], "-o", str(half)).code == 0
    half.write_bytes(half.read_bytes()[:1000])
    assert "is damaged" in tow("-p", "other", "flow", "import", str(half)).err
    (tmp_path / "no.tar.zst").write_bytes(b"nothing of the kind")
    assert "is damaged" in tow("-p", "other", "flow", "import", str(tmp_path / "no.tar.zst")).err
    assert "is no kind of archive" in tow("-p", "default", "flow", "export", ids[0], "-o", str(tmp_path / "x.zip")).err


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../outside"])
def test_names_that_lead_out_of_an_archive_are_refused(two_projects, tmp_path, name):
    target = tmp_path / "evil.tar.gz"
    with tarfile.open(target, "w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    assert "leads out of it" in tow("-p", "other", "flow", "import", str(target)).err
    assert not list(tmp_path.rglob("outside"))


def test_links_in_archives_are_refused(two_projects, tmp_path):
    target = tmp_path / "evil.tar.gz"
    with tarfile.open(target, "w:gz") as tar:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    assert "which is no file" in tow("-p", "other", "flow", "import", str(target)).err
    assert MANIFEST == "manifest.json"


def imported(project, path):
    answer = tow("-p", project, "flow", "import", str(path), "--json")
    assert answer.code == 0, answer.err
    return answer.json


def parents_of(project, db_id):
    return tow("-p", project, "job", "info", db_id, "--json").json["parents"]


@pytest.mark.parametrize("order", ["parent first", "child first"])
def test_flows_that_depend_on_each_other_do_so_again_in_whichever_order_they_are_imported(
    two_projects, tmp_path, order
):
    first = jobs.add(1, 1)
    (parent,) = two_projects.submit(first, project="default")
    (child,) = two_projects.submit(Flow([jobs.add(first.output, 5)]), project="default", allow_external_references=True)
    for db_id, name in ((parent, "parent"), (child, "child")):
        assert tow("-p", "default", "flow", "export", db_id, "-o", str(tmp_path / f"{name}.tar.gz")).code == 0
    answers = {}
    for name in ("parent", "child") if order == "parent first" else ("child", "parent"):
        answers[name] = imported("other", tmp_path / f"{name}.tar.gz")
    assert answers["child"]["absent_parents"] == ([first.uuid] if order == "child first" else [])
    (there,) = answers["child"]["db_ids"]
    assert parents_of("other", there) == [first.uuid]
    # It waits for the other flow, which is held, although it was told to go on.
    assert tow("-p", "other", "flow", "resume", there).code == 0
    assert tow("-p", "other", "job", "info", there, "--json").json["state"] == "WAITING"
    assert tow("-p", "other", "flow", "resume", answers["parent"]["db_ids"][0]).code == 0
    towline.Runner("other").run_all_jobs(max_seconds=60)
    assert tow("-p", "other", "job", "output", there).json == 7


def test_a_job_that_was_ready_waits_when_the_flow_it_depends_on_arrives(two_projects, tmp_path):
    first = jobs.add(1, 1)
    (parent,) = two_projects.submit(first, project="default")
    (child,) = two_projects.submit(Flow([jobs.add(first.output, 5)]), project="default", allow_external_references=True)
    for db_id, name in ((parent, "parent"), (child, "child")):
        assert tow("-p", "default", "flow", "export", db_id, "-o", str(tmp_path / f"{name}.tar.gz")).code == 0
    answer = tow("-p", "other", "flow", "import", str(tmp_path / "child.tar.gz"))
    assert "depends on 1 unfinished job of flows that are not here" in answer.err
    there = tow("-p", "other", "job", "list", "--json").json[0]["db_id"]
    assert tow("-p", "other", "flow", "resume", there).code == 0
    assert tow("-p", "other", "job", "info", there, "--json").json["state"] == "READY"
    imported("other", tmp_path / "parent.tar.gz")
    assert tow("-p", "other", "job", "info", there, "--json").json["state"] == "WAITING"


def test_a_flow_takes_the_outputs_of_other_flows_that_it_uses_with_it(two_projects, tmp_path):
    first = jobs.add(1, 1)
    two_projects.submit(first, project="default")
    towline.Runner("default").run_all_jobs(max_seconds=60)
    (child,) = two_projects.submit(Flow([jobs.add(first.output, 5)]), project="default", allow_external_references=True)
    assert tow("-p", "default", "flow", "export", child, "-o", str(tmp_path / "child.tar.gz")).code == 0
    answer = imported("other", tmp_path / "child.tar.gz")
    assert answer["absent_parents"] == []
    (there,) = answer["db_ids"]
    assert tow("-p", "other", "flow", "resume", there).code == 0
    towline.Runner("other").run_all_jobs(max_seconds=60)
    assert tow("-p", "other", "job", "output", there).json == 7


def test_what_left_a_flow_with_a_rerun_comes_along_with_its_files(two_projects, tmp_path):
    (maker, *_) = two_projects.submit(jobs.fan_out(2), project="default")
    towline.Runner("default").run_all_jobs(max_seconds=60)
    assert tow("-p", "default", "job", "rerun", "--force", maker).code == 0
    towline.Runner("default").run_all_jobs(max_seconds=60)
    before = tow("-p", "default", "job", "info", maker, "--json").json
    assert len(before["made_by_earlier_attempts"]) == 4
    assert tow("-p", "default", "flow", "export", maker, "-o", str(tmp_path / "x.tar.gz")).code == 0
    there = imported("other", tmp_path / "x.tar.gz")["db_ids"][0]
    after = tow("-p", "other", "job", "info", there, "--json").json
    names = ("uuid", "index", "attempt", "name", "state", "record")
    assert [[job[name] for name in names if name != "record"] for job in after["made_by_earlier_attempts"]] == [
        [job[name] for name in names if name != "record"] for job in before["made_by_earlier_attempts"]
    ]
    for old, new in zip(before["made_by_earlier_attempts"], after["made_by_earlier_attempts"], strict=True):
        assert new["record"]["settings"] == old["record"]["settings"]
        assert new["run_dir"] != old["run_dir"]
        assert {file.name for file in Path(new["run_dir"]).iterdir()} == {
            file.name for file in Path(old["run_dir"]).iterdir()
        }
    # New jobs get other numbers than those in the history.
    towline.submit_flow(jobs.add(1, 1), project="other")
    newest = tow("-p", "other", "job", "list", "--json", "-m", "1").json[0]
    assert int(newest["db_id"]) > max(job["id"] for job in after["made_by_earlier_attempts"])


def test_a_flow_comes_back_into_the_project_it_was_deleted_from(two_projects, tmp_path):
    """Import into the database of either kind: numbers are new, history and dependencies are there."""
    first = jobs.fan_out(2)
    (maker, *_) = two_projects.submit(first, project="default")
    (user,) = two_projects.submit(Flow([jobs.total([first.output])]), project="default", allow_external_references=True)
    towline.Runner("default").run_all_jobs(max_seconds=60)
    assert tow("-p", "default", "job", "rerun", "--force", maker).code == 0
    towline.Runner("default").run_all_jobs(max_seconds=60)
    before = tow("-p", "default", "flow", "info", maker, "--json").json
    assert tow("-p", "default", "flow", "export", maker, "-o", str(tmp_path / "x.tar.gz")).code == 0
    flow = tow("-p", "default", "job", "info", maker, "--json").json["flow_id"]
    deleted = tow("-p", "default", "flow", "delete", "--flow-id", flow, "--files", "--yes")
    assert deleted.code == 0, deleted.err
    there = imported("default", tmp_path / "x.tar.gz")["db_ids"]
    after = tow("-p", "default", "flow", "info", there[0], "--json").json
    assert [(job["uuid"], job["index"], job["state"]) for job in after["jobs_info"]] == [
        (job["uuid"], job["index"], job["state"]) for job in before["jobs_info"]
    ]
    assert parents_of("default", user) == [first.uuid]
    report = tow("-p", "default", "job", "info", there[0], "--json").json
    assert len(report["made_by_earlier_attempts"]) == 4
    (next_one,) = two_projects.submit(jobs.add(1, 1), project="default")
    assert int(next_one) > max(job["id"] for job in report["made_by_earlier_attempts"])
