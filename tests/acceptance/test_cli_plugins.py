"""Plugins, as packages that are installed, and settings of the command line; each command is a process of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from towline.settings import setting_problems
from towline.testing.command_line import tow as tow_here

TOW = Path(sys.executable).with_name("tow")
GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "command-line.md"


class Packages:
    """Packages that look installed, in a folder of the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "PYTHONPATH": str(folder), "TOWLINE_HOME": str(folder / "home")}

    def add(self, name: str, module: str, function: str = "add_commands") -> None:
        """Install a package with a plugin of its name."""
        (self.folder / f"{name}.py").write_text(module)
        facts = self.folder / f"{name}-1.2.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (facts / "entry_points.txt").write_text(f"[towline.plugins]\n{name} = {name}:{function}\n")

    def tow(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Type a command."""
        return subprocess.run(
            [TOW, *arguments],
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def packages(tmp_path: Path) -> Packages:
    return Packages(tmp_path)


def test_the_plugin_of_the_guide_adds_a_command(packages: Packages) -> None:
    shown = re.search(r"<!-- file my_package.py -->\n```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert shown is not None
    packages.add("my_package", shown[1])
    done = packages.tow("energies", "show", "12")
    assert (done.returncode, done.stdout, done.stderr) == (0, "energies of 12\n", "")
    assert "show" in packages.tow("energies", "--help").stdout
    assert "DB_ID" in packages.tow("energies", "show", "--help").stdout
    listed = packages.tow("plugin", "list", "--json").stdout
    assert '"my_package 1.2"' in listed
    assert '"energies show"' in listed
    left_out = packages.tow("energies", "show", "12", TOWLINE_CLI_LOAD_PLUGINS="false")
    assert left_out.returncode == 2
    assert "there is no command 'energies'" in left_out.stderr


def test_a_plugin_that_cannot_be_loaded_is_named_and_disturbs_nobody(packages: Packages) -> None:
    packages.add("broken", "raise RuntimeError('too old')")
    packages.add("clash", "def add_commands(registry):\n    registry.add('job list', 'clash:command', 'Mine.')\n")
    packages.add(
        "good",
        "def add_commands(registry):\n    registry.add('hello', 'good:hello', 'Hello.')\n"
        "def hello() -> None:\n    'Say hello.'\n    print('hello')\n",
    )
    assert packages.tow("job", "list").stderr == ""
    done = packages.tow("hello")
    assert done.stdout == "hello\n"
    assert "the plugin broken (broken 1.2) cannot be used: RuntimeError: too old" in done.stderr
    assert "there is a command `tow job list` already" in done.stderr
    listed = packages.tow("plugin", "list", "--error").stdout
    assert "Traceback" in listed
    assert "too old" in listed


def test_without_plugins_the_list_says_how_to_make_one(packages: Packages) -> None:
    assert "entry point group 'towline.plugins'" in packages.tow("plugin", "list").stderr


def test_suggestions_can_be_switched_off(packages: Packages) -> None:
    assert "Did you mean job?" in packages.tow("jbo").stderr
    assert "Did you mean" not in packages.tow("jbo", TOWLINE_CLI_SUGGESTIONS="false").stderr


def test_the_level_of_what_is_logged_is_a_setting(packages: Packages) -> None:
    assert packages.tow("job", "list").stderr == ""
    logged = packages.tow("job", "list", TOWLINE_CLI_LOG_LEVEL="debug").stderr
    assert "tow: DEBUG towline.interfaces.cli.session: the project default" in logged


def test_a_command_is_profiled(packages: Packages) -> None:
    done = packages.tow("--profile", "job", "list")
    assert done.returncode == 0
    assert "cumulative" in done.stderr
    assert "-prof" not in packages.tow("--help").stdout


def test_settings_may_stand_in_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    settings = tmp_path / "mine.toml"
    settings.write_text('cli_job_list_columns = "name"\n')
    monkeypatch.setenv("TOWLINE_CONFIG_FILE", str(settings))
    assert tow_here("job", "list").out.split() == ["Name", "─" * 4]
    monkeypatch.setenv("TOWLINE_CONFIG_FILE", str(tmp_path / "absent.yaml"))
    answer = tow_here("job", "list")
    assert answer.code == 1
    assert "unset TOWLINE_CONFIG_FILE" in answer.err


def test_variables_of_jobflow_remote_are_named_by_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.startswith(("TOWLINE_", "JFREMOTE_"))]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JFREMOTE_PROJECTS_FOLDER", "/somewhere")
    monkeypatch.setenv("JFREMOTE_CLI_FULL_EXC", "1")

    assert setting_problems() == [
        "JFREMOTE_CLI_FULL_EXC is a setting of jobflow-remote; here it is called TOWLINE_CLI_FULL_EXC",
        "JFREMOTE_PROJECTS_FOLDER is a setting of jobflow-remote; here it is called TOWLINE_HOME",
    ]
