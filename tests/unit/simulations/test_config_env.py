"""config.env is read as a shell reads it, and nothing in it is executed or shown."""

from pathlib import Path

import pytest

from towline.errors import ConfigurationError
from towline.simulations.config_env import ConfigEnv, load, read_file

HPC = {
    "EXECUTION_BACKEND": "hpc",
    "HPC_SSH_ALIAS": "cluster",
    "HPC_SCRATCH": "/scratch/me",
    "HPC_MOOSE_APP": "/apps/phase_field-opt",
}


def written(folder: Path, text: str, name: str = "config.env") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("RUNS_DIR=./runs", "./runs"),
        ("export RUNS_DIR=./runs", "./runs"),
        ("RUNS_DIR = ./runs   # where they are", "./runs"),
        ('RUNS_DIR="my runs"  # with a space', "my runs"),
        ("RUNS_DIR='my # runs'", "my # runs"),
        ("RUNS_DIR=module load python", "module load python"),
        (r'RUNS_DIR="a \"b\" \$c"', 'a "b" $c'),
        (r"RUNS_DIR='a \"b'", r"a \"b"),
        ("RUNS_DIR=a#b", "a#b"),
        ("RUNS_DIR=", ""),
        ("RUNS_DIR=   # nothing", ""),
        ("RUNS_DIR=$(touch never) `touch never`", "$(touch never) `touch never`"),
        ("RUNS_DIR=\"a\"'b'c", "abc"),
    ],
)
def test_a_line_is_read_as_a_shell_reads_it(line: str, value: str, tmp_path: Path) -> None:
    assert read_file(written(tmp_path, f"# comment\n\n{line}\n")) == {"RUNS_DIR": value}
    assert list(tmp_path.iterdir()) == [tmp_path / "config.env"]


@pytest.mark.parametrize("line", ["no assignment", "2X=3", 'A="hidden', "A='hidden"])
def test_a_line_that_cannot_be_read_is_named_without_its_value(line: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="line 2") as caught:
        read_file(written(tmp_path, f"A=1\n{line}\n"))
    assert "hidden" not in str(caught.value)


def test_later_places_win_and_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, "EXECUTION_BACKEND=hpc\nHPC_NODES=2\nHPC_NTASKS=4\nHPC_QOS=low\n")
    written(tmp_path, "HPC_NTASKS=8\nHPC_QOS=mid\n", "config.big.env")
    found = load(path, "big", {"HPC_QOS": "high", "PATH": "/bin"}, {"EXECUTION_BACKEND": "local"})
    assert [found.get(key) for key in ("HPC_NODES", "HPC_NTASKS", "HPC_QOS", "EXECUTION_BACKEND")] == [
        *("2", "8", "high", "local")
    ]
    assert found.origin("HPC_QOS") == "environment"
    assert found.origin("EXECUTION_BACKEND") == "command line"
    assert found.origin("HPC_WALLTIME") == "default"
    assert "PATH" not in found.values


def test_without_a_file_everything_has_its_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load().backend == "local"


def test_a_missing_file_or_profile_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no file"):
        load(tmp_path / "config.env")
    path = written(tmp_path, "")
    written(tmp_path, "", "config.local.env")
    with pytest.raises(ConfigurationError, match="there are local"):
        load(path, "hpc")
    with pytest.raises(ConfigurationError, match="no name of a profile"):
        load(path, "../x")


def test_missing_keys_of_the_backend_are_named() -> None:
    with pytest.raises(ConfigurationError) as caught:
        ConfigEnv({"EXECUTION_BACKEND": "hpc", "HPC_SSH_ALIAS": "cluster"}).check()
    assert "HPC_SCRATCH, HPC_MOOSE_APP" in str(caught.value)
    ConfigEnv(HPC).check()
    without = {key: value for key, value in HPC.items() if key != "HPC_SSH_ALIAS"}
    with pytest.raises(ConfigurationError, match="HPC_SSH_ALIAS"):
        ConfigEnv(without).check()
    ConfigEnv(without | {"HPC_HOST": "login.example", "HPC_USER": "me"}).check()


@pytest.mark.parametrize(
    ("key", "value"),
    [("EXECUTION_BACKEND", "cloud"), ("HPC_NODES", "0"), ("HPC_NTASKS", "many"), ("HPC_WALLTIME", "soon")],
)
def test_impossible_values_are_refused(key: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=key):
        ConfigEnv(HPC | {key: value}).check()


@pytest.mark.parametrize(
    ("text", "seconds"), [("12:00:00", 43200), ("30", 1800), ("30:15", 1815), ("2-12", 216000), ("1-00:00:01", 86401)]
)
def test_walltimes_are_read_as_slurm_reads_them(text: str, seconds: int) -> None:
    assert ConfigEnv(HPC | {"HPC_WALLTIME": text}).walltime_seconds() == seconds


def test_secrets_are_never_shown() -> None:
    config = ConfigEnv({"LLM_API_KEY": "sk-very-secret", "LLM_MODEL": "m"})
    assert "sk-very-secret" not in repr(config) + config.shown("LLM_API_KEY") + str(config)
    assert config.get("LLM_API_KEY") == "sk-very-secret"
    assert config.shown("LLM_MODEL") == "m"


def test_unknown_keys_are_told_with_the_near_one(tmp_path: Path) -> None:
    path = written(tmp_path, "EXECUTION_BACKED=hpc\nFERRO_EXEC=/x\n")
    (warning,) = load(path).warnings
    assert "Did you mean 'EXECUTION_BACKEND'?" in warning
    with pytest.raises(ConfigurationError, match="RUNS_DIRS"):
        load(path, given={"RUNS_DIRS": "x"})
