from pathlib import Path

import pytest

from towline.errors import ConfigurationError
from towline.settings import load_settings, setting_problems, towline_home


def test_without_variables_the_home_is_in_the_users_home() -> None:
    assert towline_home({}) == Path.home() / ".towline"


def test_a_relative_home_is_refused_with_the_absolute_one() -> None:
    with pytest.raises(ConfigurationError, match=r"'here', which is not an absolute path; type: export TOWLINE_HOME=/"):
        towline_home({"TOWLINE_HOME": "here"})


def test_variables_win_over_the_file(home: Path) -> None:
    (home / "settings.yaml").write_text("project: a\ncli_full_exc: yes\ncli_job_list_columns: [name, state]\n")
    settings = load_settings({"TOWLINE_HOME": str(home), "TOWLINE_PROJECT": "b", "TOWLINE_CLI_LOG_LEVEL": "DEBUG"})
    assert settings.project == "b"
    assert settings.cli_full_exc is True
    assert settings.cli_log_level == "debug"
    assert settings.cli_job_list_columns == ("name", "state")


def test_an_empty_project_variable_means_no_project(home: Path) -> None:
    assert load_settings({"TOWLINE_HOME": str(home), "TOWLINE_PROJECT": ""}).project is None


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("TOWLINE_CLI_FULL_EXC", "perhaps", "TOWLINE_CLI_FULL_EXC is 'perhaps'; it should be true or false"),
        ("TOWLINE_CLI_LOG_LEVEL", "loud", "TOWLINE_CLI_LOG_LEVEL is 'loud'; it should be one of error, warn"),
    ],
)
def test_impossible_values_are_named(home: Path, variable: str, value: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_settings({"TOWLINE_HOME": str(home), variable: value})


def test_unknown_names_are_reported_with_the_near_ones_and_stop_nothing(home: Path) -> None:
    (home / "settings.yaml").write_text("projekt: a\n")
    environment = {"TOWLINE_HOME": str(home), "TOWLINE_PROJCT": "x", "TOWLINE_JOB": "7"}
    assert load_settings(environment).project is None
    problems = setting_problems(environment)
    assert len(problems) == 2
    assert "TOWLINE_PROJCT is no setting; did you mean TOWLINE_PROJECT?" in problems[0]
    assert f"the key projekt in {home}/settings.yaml is no setting; did you mean project?" in problems[1]


def test_a_broken_settings_file_is_an_error_with_its_line(home: Path) -> None:
    (home / "settings.yaml").write_text("project: a\ncli_full_exc: [\n")
    with pytest.raises(ConfigurationError, match=r"settings\.yaml is not valid YAML: line"):
        load_settings({"TOWLINE_HOME": str(home)})
