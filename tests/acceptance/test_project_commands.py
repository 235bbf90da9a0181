import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

Answer = subprocess.CompletedProcess[str]
Tow = Callable[..., Answer]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home with space"


@pytest.fixture
def tow(home: Path, tmp_path: Path) -> Tow:
    """Runs `tow` as a process of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TOWLINE_")}
    environment["TOWLINE_HOME"] = str(home)

    def run(*arguments: str, code: int = 0, typed: str = "", **variables: str) -> Answer:
        answer = subprocess.run(
            [sys.executable, "-m", "towline.interfaces.cli.main", *arguments],
            env=environment | variables,
            cwd=tmp_path,
            input=typed,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert answer.returncode == code, answer.stdout + answer.stderr
        return answer

    return run


def test_a_fresh_machine_has_the_default_project_and_nothing_is_written(tow: Tow, home: Path) -> None:
    assert json.loads(tow("project", "list", "--json").stdout) == [
        {
            "name": "default",
            "file": None,
            "is_chosen": True,
            "problem": None,
            "workers": ["local"],
            "base_dir": str(home / "default"),
        }
    ]
    assert "* " in tow("project", "list").stdout
    assert json.loads(tow("project", "show", "--json").stdout)["workers"]["local"]["work_dir"] == f"{home}/default/jobs"
    assert "work_dir" in tow("project", "worker", "list").stdout
    assert "add one under `exec_config`" in tow("project", "exec_config", "list").stderr
    assert not home.exists()


@pytest.mark.parametrize("arguments", [(), ("--full",)])
@pytest.mark.parametrize("file_format", ["yaml", "toml", "json"])
def test_a_generated_project_is_used_at_once(
    tow: Tow, home: Path, file_format: str, arguments: tuple[str, ...]
) -> None:
    answer = tow("project", "generate", "silicon", "--format", file_format, *arguments)
    assert answer.stdout == f"Wrote {home}/silicon.{file_format}\nNext, type: tow -p silicon project check\n"
    assert json.loads(tow("project", "show", "--json").stdout)["name"] == "silicon"
    assert "the project silicon exists" in tow("project", "generate", "silicon", code=1).stderr


def test_a_name_that_is_no_name_writes_nothing(tow: Tow, home: Path) -> None:
    assert "'../x' is not possible" in tow("project", "generate", "../x", code=1).stderr
    assert not home.exists()


def test_the_project_is_chosen_by_option_then_by_variable(tow: Tow) -> None:
    tow("project", "generate", "a")
    tow("project", "generate", "b")
    refused = tow("project", "show", code=1)
    assert "there are several projects (a, b)" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert json.loads(tow("project", "show", "--json", TOWLINE_PROJECT="b").stdout)["name"] == "b"
    assert json.loads(tow("-p", "a", "project", "show", "--json", TOWLINE_PROJECT="b").stdout)["name"] == "a"
    assert "did you mean" not in tow("-p", "zzz", "project", "show", code=1).stderr


def test_a_broken_file_is_listed_and_disturbs_nobody(tow: Tow, home: Path) -> None:
    tow("project", "generate", "good")
    (home / "bad.yaml").write_text("name: bad\nworkers:\n  w:\n    max_job: 1\n")
    assert "1 file cannot be used; to see why, type: tow project list --warn" in tow("project", "list").stderr
    listed = tow("project", "list", "--warn").stdout
    assert f"{home}/bad.yaml has a problem" in listed
    assert "line 4: workers.w.max_job: unknown key; did you mean max_jobs?" in listed
    assert tow("-p", "good", "project", "show").stderr == ""
    assert "unknown key" in tow("-p", "bad", "project", "show", code=1).stderr


def test_show_masks_secrets_and_is_yaml(tow: Tow, home: Path) -> None:
    home.mkdir()
    (home / "a.yaml").write_text("name: a\nexec_config: {e: {export: {DB_PASSWORD: hunter2, PLAIN: x}}}\n")
    shown = tow("project", "show").stdout
    assert shown.startswith(f"# {home}/a.yaml\n")
    assert "hunter2" not in shown
    assert "DB_PASSWORD: '******'" in shown
    assert "hunter2" not in tow("project", "exec_config", "list", "--json").stdout
    assert "PLAIN" in tow("project", "exec_config", "list").stdout


def outcomes(answer: Answer) -> dict[str, str]:
    return {check["subject"]: check["outcome"] for check in json.loads(answer.stdout)}


def test_everything_in_a_fresh_project_works(tow: Tow, home: Path) -> None:
    checked = tow("project", "check", "--full", "--json")
    assert set(outcomes(checked).values()) == {"ok"}, checked.stdout
    assert "worker local: job" in outcomes(checked)
    assert not home.exists()


def test_the_check_names_what_fails_and_what_to_do(tow: Tow, home: Path, tmp_path: Path) -> None:
    home.mkdir()
    (home / "a.yaml").write_text(
        "name: a\n"
        "workers:\n"
        "  quiet: {max_jobs: 0}\n"
        f"  broken: {{pre_run: 'echo no such place >&2; exit 4', work_dir: {tmp_path}/file/jobs}}\n"
        "exec_config:\n"
        "  secret: {export: {TOKEN: '${env:NOT_SET_ANYWHERE}'}}\n"
        "  dollar: {export: {PLACE: $HOME}}\n"
        "jobstore: {docs_store: {type: NoSuchStore}}\n"
        f"optional_jobstores: {{file: {{docs_store: {{type: JSONStore, paths: {tmp_path}/outputs.json, "
        "read_only: false}}}\n"
    )
    (tmp_path / "file").write_text("no folder")
    (home / "a").mkdir()
    (home / "a" / "queue.db").write_text("this is no database, and long enough to be noticed as such " * 20)
    checked = tow("project", "check", "--json", code=1, TOWLINE_PROJCT="x")
    found = outcomes(checked)
    lines = json.loads(checked.stdout)
    # The errors of towline itself say what to type, behind a semicolon or in backticks.
    silent = [
        line
        for line in lines
        if line["outcome"] != "ok" and not line["remedy"] and not set(";`") & set(line["message"])
    ]
    assert silent == []
    assert all("\n" not in (line["message"] + (line["remedy"] or "")) for line in lines if line["subject"] != "queue")
    assert found["settings"] == "warning"
    assert found["queue"] == "failed"
    assert found["job store"] == "failed"
    assert found["job store file"] == "ok"
    assert found["exec_config secret"] == "failed"
    assert found["exec_config dollar"] == "warning"
    assert found["worker quiet: max_jobs"] == "warning"
    assert found["worker broken: environment"] == "failed"
    assert found["worker broken: job"] == "failed"
    text = tow("project", "check", "--worker", "broken", code=1).stdout
    assert "exit code 4): no such place" in text
    assert "worker quiet" not in text
    assert "Traceback" in tow("project", "check", "--queue", "--errors", code=1).stdout
    assert "exclude each other" in tow("project", "check", "--queue", "--jobstore", code=1).stderr
    assert "no worker 'none'; it has quiet, broken" in tow("project", "check", "--worker", "none", code=1).stderr


def test_a_check_leaves_no_process_behind(tow: Tow, home: Path, tmp_path: Path) -> None:
    home.mkdir()
    (home / "a.yaml").write_text(
        "name: a\nworkers: {wrong: {resources: {tme_limit: 3}}, slow: {pre_run: sleep 60, timeout_execute: 3,"
        " time_limit_grace_seconds: 0.1}}\n"
    )
    place = tmp_path / "temporary"
    place.mkdir()
    found = outcomes(tow("project", "check", "--json", code=1, TMPDIR=str(place)))
    assert found["worker wrong: job"] == found["worker slow: job"] == "failed"
    # The folder for the sockets of all workers stays; nothing is in it.
    assert [path for path in place.rglob("*") if not path.is_dir()] == []
    assert not list(place.glob("towline-check-*"))
    assert not [process.pid for process in psutil.process_iter() if str(place) in " ".join(arguments_of(process))]


def arguments_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_a_queue_that_exists_is_opened(tow: Tow, home: Path) -> None:
    tow("job", "list")
    assert "schema version" in tow("project", "check", "--queue").stdout
    assert "answers (docs_store, data)" in tow("project", "check", "--jobstore").stdout
    assert (home / "default" / "queue.db").exists()


def test_remove_asks_and_deletes_file_and_folder(tow: Tow, home: Path) -> None:
    tow("project", "generate", "a")
    (home / "a" / "jobs").mkdir(parents=True)
    refused = tow("project", "remove", "a", typed="n\n", code=1)
    assert f"{home}/a.yaml" in refused.stderr
    assert (home / "a.yaml").exists()
    tow("project", "remove", "a", "--keep-folders", "--yes")
    assert not (home / "a.yaml").exists()
    tow("project", "generate", "a")
    assert "Removed the project a" in tow("project", "remove", "a", typed="y\n").stdout
    assert list(home.iterdir()) == []
    assert "no project 'a'" in tow("project", "remove", "a", "-y", code=1).stderr


def test_remove_leaves_a_folder_with_something_else_in_it(tow: Tow, home: Path, tmp_path: Path) -> None:
    home.mkdir()
    (home / "a.yaml").write_text(f"name: a\nbase_dir: {tmp_path}\n")
    answer = tow("project", "remove", "a", "--yes")
    assert f"{tmp_path} stays: it contains the home of towline" in answer.stderr
    assert home.is_dir()


@pytest.fixture
def active_runner(tow: Tow) -> Iterator[None]:
    tow("project", "generate", "a")
    tow("runner", "start")
    pid = json.loads(tow("runner", "status", "--json").stdout)["pid"]
    yield
    tow("runner", "stop")
    deadline = time.monotonic() + 30
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(pid)


@pytest.mark.usefixtures("active_runner")
def test_remove_refuses_while_a_runner_is_active(tow: Tow, home: Path) -> None:
    refused = tow("project", "remove", "a", "--yes", code=1)
    assert "the runner of a is active (pid " in refused.stderr
    assert "tow -p a runner stop" in refused.stderr
    assert (home / "a.yaml").exists()
