from pathlib import Path

import pytest

from towline.configuration.defaults import default_project
from towline.configuration.model import ExecutionConfig, WorkerConfig
from towline.configuration.projects import ConfigManager
from towline.errors import ConfigurationError, ProjectUndefined, ProjectUnreadable


@pytest.mark.parametrize("ext", ["yaml", "toml", "json"])
def test_a_project_that_was_created_is_read_back(home: Path, ext: str) -> None:
    manager = ConfigManager()
    project = default_project(home, "a")
    manager.create_project(project, ext=ext)
    data = ConfigManager().get_project_data("a")
    assert data.project == project
    assert (data.filepath, data.ext) == (home / f"a.{ext}", ext)
    with pytest.raises(ConfigurationError, match=r"the project a exists in .*; choose another name"):
        manager.create_project(project)


def test_a_project_may_be_created_without_its_defaults(home: Path) -> None:
    ConfigManager(exclude_unset=True, exclude_none=True).create_project(default_project(home, "a"))
    assert "delay_checkout" not in (home / "a.yaml").read_text()
    assert ConfigManager().get_project("a") == default_project(home, "a")


def test_an_invalid_project_is_not_written(home: Path) -> None:
    with pytest.raises(ProjectUnreadable, match="workers"):
        ConfigManager().create_project({"name": "a", "workers": 3})
    assert list(home.iterdir()) == []


def test_all_valid_projects_are_there_and_the_others_are_named(home: Path) -> None:
    (home / "a.yaml").write_text("name: a\n")
    (home / "b.yaml").write_text("nam: b\n")
    manager = ConfigManager()
    assert list(manager.projects) == ["a", "default"]
    assert manager.project_names_from_files() == (["a"], ["b.yaml"])
    with pytest.warns(UserWarning, match="did you mean name"):
        assert list(ConfigManager(warn=True).load_projects_data()) == ["a", "default"]


def test_an_update_is_merged_and_keeps_comments(home: Path) -> None:
    (home / "a.yaml").write_text("# mine\nname: a\nrunner:\n  delay_checkout: 3  # fast\n")
    ConfigManager().update_project({"runner": {"max_step_attempts": 9}, "log_level": "debug"}, "a")
    text = (home / "a.yaml").read_text()
    assert "# mine" in text
    assert "# fast" in text
    project = ConfigManager().get_project("a")
    assert (project.runner.delay_checkout, project.runner.max_step_attempts, project.log_level) == (3, 9, "debug")


def test_an_update_that_makes_the_project_invalid_changes_nothing(home: Path) -> None:
    (home / "a.yaml").write_text("name: a\n")
    with pytest.raises(ProjectUnreadable, match="log_level"):
        ConfigManager().update_project({"log_level": "loud"})
    assert (home / "a.yaml").read_text() == "name: a\n"


def test_the_built_in_project_gets_a_file_when_it_is_changed(home: Path) -> None:
    ConfigManager().update_project({"log_level": "debug"})
    project = ConfigManager().get_project("default")
    assert project.log_level == "debug"
    assert project.base_dir == home / "default"


@pytest.mark.parametrize("ext", ["yaml", "toml", "json"])
def test_workers_are_added_replaced_and_removed(home: Path, ext: str) -> None:
    ConfigManager().create_project({"name": "a"}, ext=ext)
    manager = ConfigManager()
    manager.set_worker("big", WorkerConfig(work_dir=Path("/data"), max_jobs=3))
    assert list(manager.get_project().workers) == ["local", "big"]
    assert manager.get_worker("big").max_jobs == 3
    with pytest.raises(ConfigurationError, match="pass replace=True"):
        manager.set_worker("big", {"max_jobs": 4})
    manager.set_worker("big", {"max_jobs": 4}, replace=True)
    assert manager.get_worker("big").max_jobs == 4
    manager.remove_worker("local")
    assert list(manager.get_project().workers) == ["big"]
    with pytest.raises(ConfigurationError, match=r"no workers\.local; it has: big"):
        manager.remove_worker("local")


def test_exec_configs_are_added_and_removed(home: Path) -> None:
    manager = ConfigManager()
    manager.set_exec_config("e", ExecutionConfig(modules=("m",)))
    assert manager.get_exec_config("e").modules == ("m",)
    manager.remove_exec_config("e")
    with pytest.raises(ConfigurationError, match="no exec_config 'e'"):
        manager.get_exec_config("e")


def test_the_job_store_is_set_from_a_mapping_or_a_store(home: Path) -> None:
    manager = ConfigManager()
    manager.set_jobstore({"docs_store": {"type": "JSONStore", "paths": "outputs.json"}})
    assert manager.get_project().jobstore == {"docs_store": {"type": "JSONStore", "paths": "outputs.json"}}
    from jobflow import JobStore  # takes a second to load, and one test needs it
    from maggma.stores import MemoryStore

    manager.set_jobstore(JobStore(MemoryStore(), additional_stores={"data": MemoryStore()}))
    store = manager.get_project().jobstore
    assert store is not None
    assert store["@class"] == "JobStore"
    assert isinstance(JobStore.from_dict(store).additional_stores["data"], MemoryStore)


def test_a_backup_is_no_project(home: Path) -> None:
    (home / "a.yaml").write_text("name: a\n")
    manager = ConfigManager()
    manager.backup_project("a")
    assert (home / "a.yaml.bak").read_text() == "name: a\n"
    assert manager.project_names_from_files() == (["a"], [])
    with pytest.raises(ProjectUndefined, match="has no file"):
        manager.backup_project("default")


def test_a_removed_project_is_gone_with_its_folder(home: Path) -> None:
    ConfigManager().create_project({"name": "a"})
    (home / "a" / "jobs").mkdir(parents=True)
    ConfigManager().remove_project("a")
    assert list(home.iterdir()) == []


def test_folders_stay_when_asked(home: Path) -> None:
    ConfigManager().create_project({"name": "a"})
    (home / "a").mkdir()
    ConfigManager().remove_project("a", remove_folders=False)
    assert [path.name for path in home.iterdir()] == ["a"]


def test_a_base_dir_with_something_else_in_it_stays(home: Path, tmp_path: Path) -> None:
    manager = ConfigManager()
    manager.create_project({"name": "a", "base_dir": str(tmp_path)})
    removal = manager.plan_removal(manager.get_project("a"), keep_folders=False)
    assert removal.paths == ()
    assert removal.kept[0] == (tmp_path, "contains the home of towline")
    manager.remove_project("a")
    assert home.is_dir()


def test_a_link_as_base_dir_is_removed_and_what_it_points_to_stays(home: Path, tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (home / "a").symlink_to(real)
    ConfigManager().create_project({"name": "a"})
    ConfigManager().remove_project("a")
    assert real.is_dir()
    assert list(home.iterdir()) == []


def test_project_files_are_for_their_owner_only(home: Path) -> None:
    ConfigManager().create_project({"name": "a"})
    assert (home / "a.yaml").stat().st_mode & 0o777 == 0o600
