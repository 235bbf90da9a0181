"""A job may have its run folders elsewhere than its worker has those of the others."""

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from jobflow import Flow, Response, job

from towline import command
from towline.errors import InvalidFlow, InvalidRequest
from towline.jobflow.run_config import set_run_config
from towline.operations.compose import open_project
from towline.testing.batch import end_allocations
from towline.testing.debian import JOB_USER
from towline.testing.jobs import add
from towline.testing.remote_project import RemoteProject
from towline.testing.sshd import SshSite
from towline.testing.waiting import wait_until
from towline.testing.worker_driver import end_pilots

#: Whoever lets a shell read it makes the file `injected`.
_HOSTILE = "of $(touch injected) `touch injected` 'my' \"own\"; touch injected #"


@job
def made_by_another() -> Response:
    return Response(addition=add(1, 1))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A project with this machine as its worker."""
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    yield RemoteProject(tmp_path / "home", {"local": {"work_dir": str(tmp_path / "usual")}})
    end_pilots(tmp_path)


@pytest.fixture
def far(sshd: SshSite, job_python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RemoteProject:
    """A project whose worker is behind SSH."""
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    if "host" not in sshd.servers:
        sshd.add("host")
    worker = {
        **{"type": "remote", "host": "host", "ssh_config": str(sshd.config), "python": job_python},
        "work_dir": str(folder_there(sshd, tmp_path)),
    }
    return RemoteProject(tmp_path / "home", {"far": worker})


def folder_there(sshd: SshSite, tmp_path: Path) -> Path:
    """A folder that the account of the jobs may write."""
    folder = sshd.folder / tmp_path.name
    folder.mkdir(exist_ok=True)
    shutil.chown(folder, JOB_USER)
    return folder


def run_dirs(project: RemoteProject) -> dict[str, str]:
    """Run folders of all jobs by their id."""
    with open_project() as opened:
        return {str(row): path for row, path in opened.database.read("SELECT id, run_dir FROM job ORDER BY id")}


def asks_for_the_folder(project: RemoteProject) -> bool:
    """Whether `tow worker list` says that a folder is not there."""
    return "is its file system mounted?" in " ".join(project.tow("worker", "list").split())


def test_every_way_of_setting_it_is_heeded(here: RemoteProject, tmp_path: Path) -> None:
    usual, one, two, three = (str(tmp_path / name) for name in ("usual", "one", "two", "three"))
    by_function, by_config, own, usual_again = (
        add(1, 2),
        add(1, 2),
        command(["true"], work_dir=tmp_path / "two"),
        add(1, 2),
    )
    set_run_config(by_function, work_dir=Path(one))
    by_config.config.manager_config = {"work_dir": two}
    set_run_config(usual_again, work_dir="")
    parts = Flow([by_function, by_config, own, usual_again, add(1, 2)])
    ids = here.submit(parts, work_dir=three)
    (later,) = here.submit(add(2, 2))
    here.tow("job", "set", "work-dir", f"{one}/", "-did", later)
    here.run()
    assert set(here.states().values()) == {"COMPLETED"}
    found = [str(Path(path).parent.parent) for path in run_dirs(here).values()]
    assert found == [one, two, two, usual, three, one]
    assert here.outputs()[ids[0]] == 3
    assert here.info(ids[0]).job.work_dir == one
    assert one in here.tow("job", "info", ids[0]).split("work dir")[1].splitlines()[0]


def test_jobs_that_a_job_makes_go_where_it_is(here: RemoteProject, tmp_path: Path) -> None:
    here.submit(made_by_another(), work_dir=tmp_path / "own")
    here.run()
    assert len(run_dirs(here)) == 2
    assert {str(Path(path).parent.parent) for path in run_dirs(here).values()} == {str(tmp_path / "own")}


def test_files_are_found_and_deleted_with_the_job(here: RemoteProject, tmp_path: Path) -> None:
    own = tmp_path / _HOSTILE
    keeper = own / "kept" / "file"
    keeper.parent.mkdir(parents=True)
    keeper.touch()
    first, second = here.submit(
        Flow([command(["sh", "-c", "echo text >made.txt"], outputs=["*.txt"]), command("pwd")]), work_dir=own
    )
    here.run()
    assert "made.txt" in here.tow("job", "files", "ls", first)
    here.tow("job", "files", "get", first, "made.txt", "--path", str(tmp_path / "got"))
    assert [path.read_text() for path in (tmp_path / "got").rglob("made.txt")] == ["text\n"]
    assert here.tow("job", "queue-out", second).count(_HOSTILE) >= 1
    folder = Path(run_dirs(here)[first])
    here.tow("job", "delete", "-did", first, "--files", "--yes")
    assert not folder.exists()
    assert keeper.exists()
    assert not list(tmp_path.rglob("injected"))


def test_what_is_no_run_folder_is_never_deleted(here: RemoteProject, tmp_path: Path) -> None:
    (db_id,) = here.submit(Flow([command(["true"])]), work_dir=tmp_path / "own")
    here.submit(command(["true"]))
    here.run()
    precious = tmp_path / "own" / "precious"
    precious.mkdir()
    (precious / "queue.out").touch()
    with open_project() as opened, opened.database.transaction() as transaction:
        transaction.execute("UPDATE job SET run_dir = ? WHERE id = ?", (str(precious), int(db_id)))
    here.tow("job", "files", "delete", db_id, "--yes", expected=(0, 1, 2))
    assert precious.exists()


@pytest.mark.parametrize("wrong", ["relative", "/", "/a/../b", "/with\nline", "~/x", 3])
def test_what_is_no_folder_is_refused_at_submission(here: RemoteProject, wrong: Any) -> None:
    with pytest.raises(InvalidRequest, match="absolute path"):
        here.submit(add(1, 1), work_dir=wrong)
    with pytest.raises(InvalidRequest, match="absolute path"):
        set_run_config(add(1, 1), work_dir=wrong)
    with pytest.raises(InvalidRequest, match="absolute path"):
        command(["true"], work_dir=wrong)
    by_config = add(1, 1)
    by_config.config.manager_config = {"work_dir": wrong}
    with pytest.raises(InvalidFlow, match="absolute path"):
        here.submit(by_config)
    if isinstance(wrong, str):
        (db_id,) = here.submit(add(1, 1))
        assert "absolute path" in here.tow("job", "set", "work-dir", wrong, "-did", db_id, expected=(1, 2, 4))


def test_another_folder_is_for_the_next_attempt_of_a_job_that_has_begun(here: RemoteProject, tmp_path: Path) -> None:
    (db_id,) = here.submit(command(["false"]))
    here.run()
    here.tow("job", "set", "work-dir", str(tmp_path / "next"), "-did", db_id)
    assert here.info(db_id).job.next_work_dir == str(tmp_path / "next")
    assert Path(run_dirs(here)[db_id]).is_relative_to(tmp_path / "usual")
    here.tow("job", "rerun", "-did", db_id)
    here.run()
    assert Path(run_dirs(here)[db_id]).is_relative_to(tmp_path / "next")
    assert here.info(db_id).job.next_work_dir is None


@pytest.mark.ssh
def test_a_folder_elsewhere_on_a_host_is_as_good_as_that_of_the_worker(
    far: RemoteProject, sshd: SshSite, tmp_path: Path
) -> None:
    usual, own = folder_there(sshd, tmp_path), folder_there(sshd, tmp_path) / "x" / _HOSTILE
    reading = command(["sh", "-c", "pwd; cat in; echo text >made.txt"], inputs={"in": "input\n"}, outputs=["*.txt"])
    python = add(1, 2)
    jobs = Flow([reading, python, command(["true"])])
    set_run_config(jobs, work_dir=own, name_filter="sh")
    set_run_config(jobs, work_dir=own, name_filter="add")
    first, second, third = far.submit(jobs)
    far.run()
    assert set(far.states().values()) == {"COMPLETED"}
    where = run_dirs(far)
    assert [Path(where[db_id]).is_relative_to(own) for db_id in (first, second, third)] == [True, True, False]
    assert far.outputs()[first]["stdout_tail"] == f"{where[first]}\ninput\n"
    assert far.outputs()[second] == 3
    assert "made.txt" in far.tow("job", "files", "ls", first)
    far.tow("job", "delete", "-did", first, "--files", "--yes")
    assert not Path(where[first]).exists()
    assert Path(where[second]).exists()
    assert not [path for folder in (usual, tmp_path) for path in folder.rglob("injected")]


@pytest.mark.ssh
def test_a_folder_that_is_not_mounted_holds_up_nobody_but_its_jobs(
    far: RemoteProject, sshd: SshSite, tmp_path: Path
) -> None:
    mounted, away, gate = (folder_there(sshd, tmp_path) / name for name in ("mounted", "away", "gate"))
    slow = command(["sh", "-c", f"until [ -e {gate} ]; do sleep 0.05; done; echo said"], work_dir=mounted)
    (db_id,) = far.submit(slow)
    with far.runner():
        wait_until(lambda: far.states()[db_id] == "RUNNING")
        mounted.rename(away)
        gate.touch()
        wait_until(lambda: asks_for_the_folder(far))
        (other,) = far.submit(command(["true"]))
        wait_until(lambda: far.states()[other] == "COMPLETED")
        assert far.states()[db_id] == "RUNNING"
        away.rename(mounted)
        wait_until(lambda: far.states()[db_id] == "COMPLETED", 60)
        wait_until(lambda: not asks_for_the_folder(far))


def test_jobs_of_a_batch_worker_may_all_have_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    batch = {"parallel_jobs": 2, "max_wait": 5}
    worker = {"work_dir": str(tmp_path / "usual"), "max_jobs": 1, "batch": batch, "python": sys.executable}
    project = RemoteProject(tmp_path / "home", {"many": worker})
    own = tmp_path / _HOSTILE
    (db_id, _) = project.submit(Flow([add(1, 2), command(["pwd"])]), work_dir=own)
    try:
        project.run(90)
        assert set(project.states().values()) == {"COMPLETED"}
        assert project.outputs()[db_id] == 3
        assert all(Path(path).is_relative_to(own) for path in run_dirs(project).values())
    finally:
        end_allocations(tmp_path)
