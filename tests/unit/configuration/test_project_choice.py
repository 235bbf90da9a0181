import subprocess
import sys
from pathlib import Path

import pytest

from towline.configuration.choice import load_project
from towline.errors import ProjectUndefined, ProjectUnreadable


def test_without_a_file_there_is_a_default_project_and_nothing_is_written(home: Path) -> None:
    project = load_project()
    assert project.name == "default"
    assert project.queue_path == home / "default" / "queue.db"
    name, worker = project.worker()
    assert (name, worker.type, worker.scheduler_type, worker.execution) == ("local", "local", "shell", "warm")
    assert worker.work_dir == home / "default" / "jobs"
    assert worker.job_limit >= 1
    assert list(home.iterdir()) == []


def test_the_default_project_works_without_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "not" / "there"))
    assert load_project().name == "default"


def test_the_default_project_loads_neither_pydantic_nor_yaml(home: Path) -> None:
    program = (
        "import sys; from towline.configuration.choice import load_project; load_project();"
        "heavy = {'pydantic', 'ruamel', 'yaml', 'typer', 'jobflow'};"
        "print([name for name in sys.modules if name.split('.')[0] in heavy])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_a_single_project_file_is_the_project(home: Path) -> None:
    (home / "something.yaml").write_text("name: a\n")
    assert load_project().name == "a"


def test_the_default_project_is_there_beside_files(home: Path) -> None:
    (home / "a.yaml").write_text("name: a\n")
    assert load_project("default").source is None


def test_a_file_may_define_the_project_named_default(home: Path) -> None:
    (home / "default.toml").write_text('name = "default"\nlog_level = "debug"\n')
    assert load_project().log_level == "debug"
    assert load_project("default").log_level == "debug"


def test_several_projects_need_a_choice(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "a.yaml").write_text("name: a\n")
    (home / "b.json").write_text('{"name": "b"}')
    with pytest.raises(ProjectUndefined, match=r"several projects \(a, b\).*export TOWLINE_PROJECT=a"):
        load_project()
    monkeypatch.setenv("TOWLINE_PROJECT", "b")
    assert load_project().name == "b"
    assert load_project("a").name == "a"


def test_a_project_that_is_not_there_is_refused_with_a_near_name(home: Path) -> None:
    (home / "silicon.yaml").write_text("name: silicon\n")
    with pytest.raises(ProjectUndefined, match="did you mean silicon"):
        load_project("silicn")
    with pytest.raises(ProjectUndefined, match="tow project generate other"):
        load_project("other")


def test_a_broken_file_does_not_disturb_another_project(home: Path) -> None:
    (home / "broken.yaml").write_text("name: [\n")
    (home / "good.yaml").write_text("name: good\n")
    assert load_project("good").name == "good"
    with pytest.raises(ProjectUndefined, match=r"it may be in a file that cannot be read \(.*broken\.yaml\)"):
        load_project("else")


def test_a_broken_file_named_like_the_project_is_the_error(home: Path) -> None:
    (home / "a.yaml").write_text("name: a\nworkers: [\n")
    (home / "b.yaml").write_text("name: b\n")
    with pytest.raises(ProjectUnreadable, match=r"a\.yaml is not valid YAML: line 3"):
        load_project("a")


def test_the_name_inside_counts(home: Path) -> None:
    (home / "a.yaml").write_text("name: b\n")
    (home / "b.yaml").write_text("name: a\n")
    assert load_project("a").source == home / "b.yaml"


def test_a_name_of_digits_is_a_name(home: Path) -> None:
    (home / "123.yaml").write_text("name: 123\n")
    (home / "other.yaml").write_text("name: 456\n")
    assert load_project("123").name == "123"
    assert load_project("456").name == "456"


def test_a_project_in_two_files_is_refused(home: Path) -> None:
    (home / "a.yaml").write_text("name: a\n")
    (home / "a.json").write_text('{"name": "a"}')
    with pytest.raises(ProjectUnreadable, match="is in several files"):
        load_project("a")


def test_the_settings_file_is_no_project(home: Path) -> None:
    (home / "settings.yaml").write_text("cli_full_exc: true\n")
    assert load_project().name == "default"
