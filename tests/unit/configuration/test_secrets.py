from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend

from towline.configuration.defaults import default_project
from towline.configuration.execution import shell_setup
from towline.configuration.files import read_project
from towline.configuration.job_stores import jobstore_document
from towline.configuration.plain import shown_document
from towline.configuration.secrets import masked, resolve
from towline.errors import ConfigurationError


class MemoryKeyring(KeyringBackend):
    """A keyring that holds one password."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        return "from the keyring" if (service, username) == ("mongodb/main", "anna") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError("nobody writes here")


@pytest.fixture
def one_password() -> object:
    before = keyring.get_keyring()
    keyring.set_keyring(MemoryKeyring())
    yield
    keyring.set_keyring(before)


def test_references_to_the_environment_are_replaced_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "p$1 ${env:X}")
    value = {"a": ["mongodb://anna:${env:DB_PASSWORD}@host", 3, None], "b": "$HOME ${HOME}"}
    assert resolve(value, "jobstore") == {"a": ["mongodb://anna:p$1 ${env:X}@host", 3, None], "b": "$HOME ${HOME}"}


def test_a_missing_variable_is_named_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DB_PASSWORD", raising=False)
    with pytest.raises(
        ConfigurationError, match=r"jobstore\.docs_store\.password refers to .* DB_PASSWORD, which is not set"
    ):
        resolve({"docs_store": {"password": "${env:DB_PASSWORD}"}}, "jobstore")


@pytest.mark.usefixtures("one_password")
def test_references_to_the_keyring_are_replaced() -> None:
    assert resolve("${keyring:mongodb/main/anna}", "x") == "from the keyring"
    with pytest.raises(ConfigurationError, match="no password of bert for mongodb; type: keyring set mongodb bert"):
        resolve("${keyring:mongodb/bert}", "x")
    with pytest.raises(ConfigurationError, match="should be service/user"):
        resolve("${keyring:mongodb}", "x")


def test_what_looks_secret_is_masked_at_any_depth() -> None:
    value = {
        "password": "a",
        "nested": [{"aws_secret_access_key": "b", "host": "h"}],
        "credentials": {"user": "c"},
        "url": "mongodb+srv://anna:hunter2@host/db",
        "API_TOKEN": "${env:TOKEN}",
        "empty": {"password": ""},
        "delay": 3,
    }
    assert masked(value) == {
        "password": "******",
        "nested": [{"aws_secret_access_key": "******", "host": "h"}],
        "credentials": {"user": "******"},
        "url": "mongodb+srv://anna:******@host/db",
        "API_TOKEN": "${env:TOKEN}",
        "empty": {"password": ""},
        "delay": 3,
    }


PROJECT = """
name: a
workers: {w: {pre_run: "source one\\n"}}
exec_config:
  vasp:
    modules: [vasp/6]
    export: {MY_TOKEN: hunter2, PLAIN: "${env:PLAIN_VALUE}"}
    pre_run: source two
    post_run: echo
jobstore: {docs_store: {type: MongoStore, host: h, password: hunter2}}
optional_jobstores: {other: {additional_stores: {data: {type: sql}}}}
"""


def test_neither_repr_nor_show_tell_a_secret(home: Path) -> None:
    (home / "a.yaml").write_text(PROJECT)
    project = read_project(home / "a.yaml")
    assert "hunter2" not in repr(project)
    assert "hunter2" not in str(project)
    assert "hunter2" not in repr(project.exec_config["vasp"])
    shown = shown_document(project)
    assert "hunter2" not in str(shown)
    assert shown["jobstore"]["docs_store"]["password"] == "******"
    assert shown["source"] == str(home / "a.yaml")
    assert project.exec_config["vasp"].export["MY_TOKEN"] == "hunter2"  # type: ignore[index]


def test_the_shell_lines_of_the_worker_come_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAIN_VALUE", "seen")
    (home / "a.yaml").write_text(PROJECT)
    project = read_project(home / "a.yaml")
    _, worker = project.worker()
    setup = shell_setup(project, worker, "vasp")
    assert setup.pre_run == ("source one", "source two")
    assert setup.post_run == ("echo",)
    assert setup.modules == ("vasp/6",)
    assert setup.export == {"MY_TOKEN": "hunter2", "PLAIN": "seen"}
    assert shell_setup(project, worker, None).pre_run == ("source one",)
    assert shell_setup(project, worker, {"export": {"A": 1}}).export == {"A": "1"}


def test_without_anything_a_job_needs_no_shell(home: Path) -> None:
    project = default_project(home)
    assert not shell_setup(project, project.workers["local"], None).needs_shell


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("nothing", "no exec_config 'nothing'; it has: none"),
        ({"module": ["a"]}, "unknown key 'module'"),
        ({"modules": "vasp"}, "should be a list of names"),
        ({"export": {"a b": "c"}}, "names of variables"),
        ({"export": {"a": True}}, "names of variables"),
        ({"pre_run": ["a"]}, "exec_config.pre_run is"),
    ],
)
def test_a_wrong_exec_config_is_refused(home: Path, config: object, expected: str) -> None:
    project = default_project(home)
    with pytest.raises(ConfigurationError, match=expected):
        shell_setup(project, project.workers["local"], config)  # type: ignore[arg-type]


def test_the_job_store_is_sql_unless_told_otherwise(home: Path) -> None:
    (home / "a.yaml").write_text(PROJECT)
    project = read_project(home / "a.yaml")
    built_in = default_project(home)
    assert jobstore_document(built_in) == {
        "docs_store": {"type": "sql"},
        "additional_stores": {"data": {"type": "sql"}},
    }
    assert jobstore_document(project)["docs_store"]["password"] == "hunter2"
    assert jobstore_document(project, "other")["docs_store"] == {"type": "sql"}
    with pytest.raises(ConfigurationError, match="no optional job store 'x'; it has: other"):
        jobstore_document(project, "x")
