"""Help, the tree, completion, and what happens when something is typed wrongly."""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import towline
from towline.interfaces.cli.commands import COMMANDS, Branch, Leaf
from towline.testing.command_line import tow

TOW = Path(sys.executable).with_name("tow")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def nodes(branch: Branch = COMMANDS, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Leaf | Branch]]:
    for name, node in branch.children.items():
        yield (*path, name), node
        if isinstance(node, Branch):
            yield from nodes(node, (*path, name))


LEAVES = {path: node for path, node in nodes() if isinstance(node, Leaf)}
LISTED = [path for path, node in LEAVES.items() if not node.hidden]
BRANCHES = {path: node for path, node in nodes() if isinstance(node, Branch)}


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_of_the_table_exists_and_explains_itself(path: tuple[str, ...]) -> None:
    assert callable(import_module(LEAVES[path].module_name).command)
    answer = tow(*path, "--help")
    assert answer.code == 0
    assert answer.out.startswith(f"Usage: tow {' '.join(path)}")
    assert "-h, --help" in answer.out


@pytest.mark.parametrize("path", [(), *BRANCHES], ids=" ".join)
@pytest.mark.parametrize("asked", [[], ["-h"], ["--help"]], ids=str)
def test_every_group_lists_its_commands(path: tuple[str, ...], asked: list[str]) -> None:
    answer = tow(*path, *asked)
    assert answer.code == 0
    branch = BRANCHES[path] if path else COMMANDS
    for name, node in branch.children.items():
        if node.hidden:
            assert f"  {name} " not in answer.out
            continue
        assert f"  {name}" in answer.out
        assert node.help.split()[0] in answer.out


@pytest.mark.parametrize("path", [(), *BRANCHES], ids=" ".join)
def test_help_of_a_group_is_the_same_behind_an_option_that_only_click_reads(path: tuple[str, ...]) -> None:
    assert tow("--project=x", *path, "--help").out == tow(*path, "--help").out


def test_the_tree_shows_every_command_from_any_level_on() -> None:
    whole = tow("--tree").out
    assert all(f"── {path[-1]} " in whole for path in LISTED)
    files = tow("job", "files", "--tree").out
    assert files.startswith("tow job files")
    assert [line.split("── ")[1].split()[0] for line in files.splitlines()[1:]] == ["ls", "get", "delete"]
    assert tow("job", "list", "--tree").out.startswith("tow job list  ")


def test_the_version_is_told() -> None:
    assert tow("--version").out == f"towline {towline.__version__}\n"


def test_a_command_that_is_nearly_right_is_suggested() -> None:
    answer = tow("job", "lst")
    assert answer.code == 2
    assert "there is no command 'lst' in `tow job`. Did you mean list" in answer.err
    assert "tow --help" in tow("xyzzy").err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["job", "list", "--max-results", "many"], "many"),
        (["job", "list", "--nonsense"], "--nonsense"),
        (["job", "list", "-p", "lab"], "named before the command: tow -p NAME job list"),
        (["job", "list", "--state", "FALED"], "did you mean FAILED?"),
        (["flow", "list", "-s", "xx"], "there are WAITING, READY"),
        (["job", "output"], "Missing argument"),
        (["wait"], "IDS"),
    ],
)
def test_what_is_typed_wrongly_ends_with_code_2_and_says_where_help_is(arguments: list[str], said: str) -> None:
    answer = tow(*arguments)
    assert answer.code == 2
    assert said in answer.err
    assert "--help" in answer.err
    assert "Traceback" not in answer.err


def test_an_error_is_a_message_and_with_full_exc_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = tow("job", "info", "12")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == "tow: no job has the id '12'; `tow job list` shows the newest ones\n"
    assert "Traceback" in tow("--full-exc", "job", "info", "12").err
    monkeypatch.setenv("TOWLINE_CLI_FULL_EXC", "true")
    assert "Traceback" in tow("job", "info", "12").err


def test_an_unknown_project_is_told_with_what_to_type() -> None:
    answer = tow("-p", "nowhere", "job", "list")
    assert answer.code == 1
    assert "tow project generate nowhere" in answer.err


def test_warn_project_tells_of_broken_files(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "broken.yaml").write_text("name: [")
    assert "broken.yaml" in tow("-p", "default", "--warn-project", "job", "list", "--count").err


def completed(*words: str, shell: str = "bash") -> list[str]:
    """What the shell offers after these words, the last of which is being typed."""
    environment = {
        **os.environ,
        "_TOW_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": " ".join(["tow", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run([TOW], env=environment, capture_output=True, text=True, timeout=60, check=True)
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_commands_options_and_states_are_completed() -> None:
    assert completed("jo") == ["job"]
    assert {"rerun", "retry", "resume", "report"} <= set(completed("job", "re"))
    assert "--flow-id" in completed("job", "list", "--flow")
    assert completed("job", "list", "-s", "fa") == ["FAILED"]
    assert completed("job", "list", "--worker", "") == ["local"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_shown_and_installed(shell: str, tmp_path: Path) -> None:
    if shell == "bash" and subprocess.run(["bash", "-c", "((BASH_VERSINFO[0] >= 5))"], check=False).returncode:
        pytest.skip("click completes for bash 4.4 and later")
    environment = {**os.environ, "SHELL": f"/bin/{shell}", "HOME": str(tmp_path)}
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "ZDOTDIR"):
        environment.pop(name, None)

    def typed(option: str) -> str:
        done = subprocess.run([TOW, option], env=environment, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout

    assert "_TOW_COMPLETE" in typed("--show-completion")
    typed("--install-completion")
    said = typed("--install-completion")
    written = Path(said.splitlines()[0].removeprefix("written: ").partition(",")[0])
    assert "_TOW_COMPLETE" in written.read_text()
    if shell != "fish":
        start = (tmp_path / f".{shell}rc").read_text()
        assert start.count(f'source "{written}"') == 1


def test_completion_for_another_shell_is_refused_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    answer = tow("--show-completion")
    assert answer.code == 1
    assert "SHELL=bash tow --show-completion" in answer.err


@pytest.mark.parametrize("arguments", ["--tree", "job list --help", "job list --json"])
def test_a_reader_that_goes_away_is_no_error_of_ours(arguments: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; '{TOW}' {arguments} | true"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode in (0, 1)
    assert done.stderr == ""


def test_help_loads_neither_click_nor_rich(tmp_path: Path) -> None:
    program = (
        "import sys; sys.argv = ['tow', 'job', '--help']; from towline.interfaces.cli.main import run; run(); "
        "print(sorted({'click', 'rich', 'sqlite3', 'orjson'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
