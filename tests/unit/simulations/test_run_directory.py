"""Run directories: their names, what is found in them, and the scripts that fill them."""

import os
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from towline.errors import ConfigurationError, InvalidRequest
from towline.simulations.config_env import ConfigEnv
from towline.simulations.moose.launching import EMBEDDED, Launch, embedded_command, local_launch, run_script
from towline.simulations.run_directory import (
    append_event,
    create,
    find_files,
    read_events,
    read_json,
    runs_in,
    update_record,
    write_json,
)

NOW = datetime(2026, 3, 4, 5, 6, 7, 891_234, tzinfo=UTC)


def test_a_directory_is_named_by_its_time_and_what_it_is(tmp_path: Path) -> None:
    run = create(tmp_path / "runs", "name", "2D_Voronoi", NOW)
    stamp = NOW.astimezone().strftime("%Y%m%d_%H%M%S_8912")
    assert run.folder == tmp_path / "runs" / f"{stamp}__name__2D_Voronoi"
    assert run.run_id == f"run_{stamp}"


def test_two_of_the_same_moment_get_two_names(tmp_path: Path) -> None:
    made = {create(tmp_path, "name", label, NOW).run_id for label in ("a", "a", "b")}
    assert len(made) == 3


def test_labels_cannot_lead_elsewhere(tmp_path: Path) -> None:
    run = create(tmp_path, "name", "../../$(x) y/..", NOW)
    assert run.folder.parent == tmp_path
    assert set(run.folder.name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(InvalidRequest, match="RUNS_DIR"):
        create(tmp_path / "runs", "name", "", NOW)


@pytest.mark.parametrize(
    ("names", "csv", "exodus"),
    [
        (("a.csv", "a.e", "a_grains_0001.csv"), "a.csv", "a.e"),
        (("a_out.csv", "a_out.e"), "a_out.csv", "a_out.e"),
        (("other_out.csv", "other.exo"), "other_out.csv", "other.exo"),
        (("results/x_out.csv", "results/x_out.e"), "results/x_out.csv", "results/x_out.e"),
        (("a_grains_0001.csv", "notes.txt"), None, None),
    ],
)
def test_outputs_are_found_whatever_their_names(
    names: tuple[str, ...], csv: str | None, exodus: str | None, tmp_path: Path
) -> None:
    for name in ("a.i", *names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    files = find_files(tmp_path, "a")
    assert files.csv == (None if csv is None else tmp_path / csv)
    assert files.exodus == (None if exodus is None else tmp_path / exodus)
    assert files.exit_code is None


def test_a_directory_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="is gone"):
        find_files(tmp_path / "gone", "a")


def test_records_are_replaced_whole_and_events_only_added(tmp_path: Path) -> None:
    update_record(tmp_path, {"a": 1, "b": 1})
    assert update_record(tmp_path, {"b": 2}) == {"a": 1, "b": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]
    append_event(tmp_path, "created", number=1)
    with (tmp_path / "events.jsonl").open("a") as stream:
        stream.write('{"event": "cut o')
    assert [one["event"] for one in read_events(tmp_path)] == ["created"]


@pytest.mark.parametrize("text", ["", "{", "[1]", "\xff"])
def test_a_broken_record_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text(text, encoding="latin-1")
    with pytest.raises(InvalidRequest, match=r"record\.json"):
        read_json(tmp_path / "record.json")


def test_runs_are_listed_newest_first(tmp_path: Path) -> None:
    for name in ("20250101__a", "20260101__b", "no run"):
        (tmp_path / name).mkdir()
        if name != "no run":
            write_json(tmp_path / name / "metadata.json", {})
    assert [path.name for path in runs_in(tmp_path)] == ["20260101__b", "20250101__a"]
    assert runs_in(tmp_path / "missing") == []


def run_it(folder: Path, text: str) -> int:
    (folder / "run.sh").write_text(text)
    return subprocess.run(["/bin/sh", folder / "run.sh"], cwd=folder, check=False).returncode


def test_a_script_keeps_log_and_exit_code_and_clears_what_was_there(tmp_path: Path) -> None:
    folder = tmp_path / "a folder; $(touch never)"
    folder.mkdir()
    (folder / "a.csv").write_text("old")
    (folder / "a_grains_0001.csv").write_text("old")
    (folder / "kept.csv").write_text("mine")
    program = Launch("x", ("/bin/sh", "-c", 'echo "$@"; exit 7', "sh"))
    assert run_it(folder, run_script(program, "a.i", folder)) == 7
    assert (folder / "run.log").read_text() == "-i a.i\n"
    assert find_files(folder, "a").exit_code == 7
    assert not (folder / "a.csv").exists()
    assert not (folder / "a_grains_0001.csv").exists()
    assert (folder / "kept.csv").exists()
    assert not (tmp_path / "never").exists()


def test_a_script_elsewhere_collects_what_comes_back(tmp_path: Path) -> None:
    program = Launch("x", ("/bin/sh", "-c", "touch any_out.csv b.e; exit 0"), remote_application="/bin/sh")
    assert run_it(tmp_path, run_script(program, "a.i", None)) == 0
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == [
        "any_out.csv",
        "b.e",
        "exit_code",
        "run.log",
        "starts.txt",
    ]


def test_a_script_elsewhere_tells_a_missing_application(tmp_path: Path) -> None:
    program = Launch("x", ("/nowhere/a b",), remote_application="/nowhere/a b")
    assert run_it(tmp_path, run_script(program, "a.i", None)) == 127
    assert "MOOSE app MISSING: /nowhere/a b" in (tmp_path / "results" / "run.log").read_text()


def test_a_folder_that_vanished_ends_the_script(tmp_path: Path) -> None:
    assert run_it(tmp_path, run_script(Launch("x", ("true",)), "a.i", tmp_path / "gone")) == 66


def executable(path: Path) -> Path:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_embedded_solver_runs_without_an_executable() -> None:
    launch = local_launch(ConfigEnv({}), "MOOSE_EXEC", 1)
    assert launch.solver == EMBEDDED
    assert launch.command == embedded_command()
    assert "no meaning" in local_launch(ConfigEnv({}), "MOOSE_EXEC", 4).notes[0]


def test_ranks_need_a_launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moose = executable(tmp_path / "phase_field-opt")
    config = ConfigEnv({"MOOSE_EXEC": str(moose)})
    monkeypatch.setenv("PATH", str(tmp_path))
    assert local_launch(config, "MOOSE_EXEC", 1).command == (str(moose),)
    with pytest.raises(ConfigurationError, match="mpi is 4, and there is no mpiexec"):
        local_launch(config, "MOOSE_EXEC", 4)
    launcher = executable(tmp_path / "mpiexec")
    assert local_launch(config, "MOOSE_EXEC", 4).command == (str(launcher), "-n", "4", str(moose))


def test_a_wrong_executable_is_named(tmp_path: Path) -> None:
    (tmp_path / "not executable").touch()
    for name in ("missing", "not executable"):
        with pytest.raises(ConfigurationError, match=f"MOOSE_EXEC is '{tmp_path / name}'"):
            local_launch(ConfigEnv({"MOOSE_EXEC": str(tmp_path / name)}), "MOOSE_EXEC", 1)


def test_the_embedded_solver_is_that_of_this_python() -> None:
    done = subprocess.run(
        [*embedded_command(), "--version"], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert "embedded solver" in done.stdout
    assert shlex.join(embedded_command()).startswith(str(Path(sys.executable).parent))
