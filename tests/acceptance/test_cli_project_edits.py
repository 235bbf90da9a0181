"""Replacing text in project files, what projects share, and the schema."""

from pathlib import Path

import orjson
import pytest

from towline.testing.command_line import tow


def project_file(home: Path, name: str, text: str = "") -> Path:
    path = home / f"{name}.yaml"
    path.write_text(f"name: {name}\n{text}")
    return path


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "several"
    folder.mkdir()
    monkeypatch.setenv("TOWLINE_HOME", str(folder))
    monkeypatch.delenv("TOWLINE_PROJECT", raising=False)
    return folder


def test_text_is_replaced_after_a_look_at_the_difference(empty_home: Path) -> None:
    path = project_file(empty_home, "lab", "# two at a time\nworkers: {local: {max_jobs: 2}}\n")
    before = path.read_text()
    declined = tow("project", "edit", "replace", "max_jobs: 2", "max_jobs: 4", typed="n\n")
    assert declined.code == 1
    assert "-workers: {local: {max_jobs: 2}}\n+workers: {local: {max_jobs: 4}}\n" in declined.out
    assert path.read_text() == before
    done = tow("project", "edit", "replace", "max_jobs: 2", "max_jobs: 4", "--yes")
    assert done.code == 0, done.err
    assert path.read_text() == before.replace("max_jobs: 2", "max_jobs: 4")
    assert path.with_name("lab.yaml.bak").read_text() == before
    path.with_name("lab.yaml.bak").unlink()
    assert tow("project", "edit", "replace", "max_jobs: 4", "max_jobs: 5", "-f", "-nb").code == 0
    assert not path.with_name("lab.yaml.bak").exists()


def test_what_would_not_be_valid_is_not_written(empty_home: Path) -> None:
    path = project_file(empty_home, "lab", "workers: {local: {max_jobs: 2}}\n")
    before = path.read_text()
    answer = tow("project", "edit", "replace", "max_jobs", "maximum_jobs", "--yes")
    assert answer.code == 1
    assert "did you mean max_jobs?" in answer.err
    assert path.read_text() == before
    assert "stands nowhere" in tow("project", "edit", "replace", "slurm", "pbs", "--yes").err
    assert "empty" in tow("project", "edit", "replace", "", "x", "--yes").err


def test_text_is_replaced_in_every_project(empty_home: Path) -> None:
    for name in ("one", "two"):
        project_file(empty_home, name, "log_level: info\n")
    assert tow("project", "edit", "replace", "info", "debug", "--all", "-y").out.endswith("2 files written\n")
    assert tow("-p", "two", "project", "show", "--json").json["log_level"] == "debug"


def test_the_built_in_project_has_no_text_to_replace(empty_home: Path) -> None:
    answer = tow("project", "edit", "replace", "a", "b", "--yes")
    assert answer.code == 1
    assert "has no file" in answer.err


def test_projects_that_share_a_queue_are_named(empty_home: Path) -> None:
    project_file(empty_home, "one")
    project_file(empty_home, "two")
    assert tow("project", "check-conflicts").out == "the projects share nothing\n"
    shared = empty_home / "shared.db"
    store = "jobstore: {docs_store: {type: MongoStore, host: db, database: d, collection_name: c, password: hush}}\n"
    for name in ("one", "two"):
        project_file(empty_home, name, f"queue: {{store: {{url: 'sqlite:///{shared}'}}}}\n{store}")
    answer = tow("project", "check-conflicts", "--json")
    assert answer.code == 1
    found = {conflict["what"]: conflict for conflict in answer.json}
    assert found["queue"]["projects"] == ["one", "two"]
    assert found["queue"]["is_harmful"]
    assert not found["job store"]["is_harmful"]
    assert "hush" not in answer.out
    assert "fight for the same jobs" in tow("project", "check-conflicts").out


def test_a_project_inside_of_another_one_is_named(empty_home: Path, tmp_path: Path) -> None:
    project_file(empty_home, "outer", f"base_dir: {tmp_path / 'data'}\n")
    project_file(empty_home, "inner", f"base_dir: {tmp_path / 'data' / 'inner'}\n")
    answer = tow("project", "check-conflicts", "--json")
    assert answer.code == 0
    assert [(conflict["what"], conflict["projects"]) for conflict in answer.json] == [("folder", ["outer", "inner"])]


def test_the_schema_is_printed_and_written(empty_home: Path, tmp_path: Path) -> None:
    schema = tow("project", "schema")
    assert schema.json["properties"]["workers"]["description"]
    path = tmp_path / "schema.json"
    assert tow("project", "schema", "--path", str(path)).code == 0
    assert orjson.loads(path.read_bytes()) == schema.json
