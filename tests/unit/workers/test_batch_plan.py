"""What a batch worker asks of its shell, and what it makes of the answers."""

import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest

from towline.errors import InvalidRequest
from towline.on_worker.batch.spool import ENTRY_FILE, Entry, Need
from towline.testing.worker_contract import HOSTILE_NAMES
from towline.testing.worker_driver import assignment
from towline.workers.batch.plan import BatchPlan, expected_jobs, prepare_job, time_limit_of
from towline.workers.batch.scripts import (
    close_script,
    known_script,
    put_script,
    read_state,
    state_script,
    stop_script,
    take_out_script,
    was_put,
)
from towline.workers.remote.folders import Prepared
from towline.workers.remote.shell_queue import ShellQueue


def run(script: str) -> str:
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    return done.stdout


def prepared(folder: Path, number: int, name: str | None = None, **details: Any) -> tuple[str, Prepared]:
    job = assignment(folder, number, ["return", 1], folder=name, **details)
    plan = BatchPlan(ShellQueue(), str(folder / "spool"), str(folder / "allocations"), 1)
    made = prepare_job(job, str(folder), "python", plan, None)
    run_dir = Path(job.run_dir)
    run_dir.mkdir(parents=True, exist_ok=True)
    assert isinstance(made.tree.content, dict)
    content = made.tree.content[ENTRY_FILE]
    assert isinstance(content, bytes)
    (run_dir / ENTRY_FILE).write_bytes(content)
    return job.run_dir, made


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_entries_are_put_from_folders_of_any_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / f"work {name}"
    folder.mkdir()
    run_dir, _ = prepared(folder, 1, f"{name}/x")
    spool = str(folder / "spool")
    assert was_put(run(put_script(spool, [run_dir])))
    (found,) = (folder / "spool" / "new").iterdir()
    assert orjson.loads(found.read_bytes())["run_dir"] == run_dir
    assert not list(tmp_path.rglob("injected"))
    state = read_state(run(state_script(spool, str(folder / "allocations"), ["u"], listing=True)))
    assert state is not None
    assert (state.free, len(state.marks)) == (1, 1)


def test_putting_again_is_harmless_and_what_a_pilot_has_is_left_to_it(tmp_path: Path) -> None:
    made = [prepared(tmp_path, number) for number in (1, 2, 3)]
    folders, spool = [run_dir for run_dir, _ in made], tmp_path / "spool"
    for _ in range(2):
        assert was_put(run(put_script(str(spool), folders)))
    names = sorted(path.name for path in (spool / "new").iterdir())
    assert len(names) == 3
    (spool / "claimed" / "u.0").mkdir()
    (spool / "new" / names[0]).rename(spool / "claimed" / "u.0" / names[0])
    assert was_put(run(put_script(str(spool), folders)))
    assert sorted(path.name for path in (spool / "new").iterdir()) == names[1:]
    state = read_state(run(state_script(str(spool), "/x", [], listing=True)))
    assert state is not None
    assert state.free == 2
    assert state.marks == {one.submission.mark for _, one in made}
    assert all((Path(folder) / "towline_submit.1").exists() for folder in folders)


def test_jobs_that_are_to_end_are_taken_out_and_pilots_told(tmp_path: Path) -> None:
    (one, first), (other, second) = prepared(tmp_path, 1), prepared(tmp_path, 2)
    spool = str(tmp_path / "spool")
    run(put_script(spool, [one, other]))
    marks = [first.submission.mark]
    run(take_out_script(spool, marks) + stop_script(spool, marks))
    (left,) = (tmp_path / "spool" / "new").iterdir()
    assert left.name.endswith(second.submission.mark)
    assert [path.name for path in (tmp_path / "spool" / "stop").iterdir()] == marks


def test_allocations_are_known_until_they_are_closed(tmp_path: Path) -> None:
    allocations, spool = tmp_path / "all ocations", tmp_path / "spool"
    for uid in ("u1", "u2"):
        (allocations / uid).mkdir(parents=True)
    (spool / "claimed" / "u1.0").mkdir(parents=True)
    (spool / "claimed" / "u1.0" / "entry").touch()
    (allocations / "u2" / "towline_node0.json").write_bytes(orjson.dumps({"at": 5, "cores": 2}))
    known = read_state(run(known_script(str(allocations))))
    assert known is not None
    assert known.allocations == ["u1", "u2"]
    run(close_script(str(spool), str(allocations), ["u1"]))
    known = read_state(run(known_script(str(allocations))))
    assert known is not None
    assert known.allocations == ["u2"]
    assert list((spool / "claimed").iterdir()) == []
    (spool / "new").mkdir()
    state = read_state(run(state_script(str(spool), str(allocations), ["u1", "u2"], listing=False)))
    assert state is not None
    assert state.lives == {"u2": [{"at": 5, "cores": 2}]}


def test_an_answer_that_was_cut_off_says_nothing(tmp_path: Path) -> None:
    run_dir, _ = prepared(tmp_path, 1)
    run(put_script(str(tmp_path / "spool"), [run_dir]))
    whole = run(state_script(str(tmp_path / "spool"), "/x", [], listing=True))
    assert read_state(whole) is not None
    assert read_state(whole[: len(whole) // 2]) is None
    assert read_state("") is None
    assert not was_put("")


def test_an_entry_says_what_the_job_takes(tmp_path: Path) -> None:
    resources = {"processes": 4, "memory_gigabytes": 2, "gpus_per_job": 1, "time_limit": "0:10:00"}
    run_dir, _ = prepared(tmp_path, 1, priority=7, resources=resources)
    name, message = (Path(run_dir) / ENTRY_FILE).read_text().splitlines()
    entry = Entry.read(name)
    assert entry is not None
    assert entry.need == Need(4, 2048, 1, 600)
    assert orjson.loads(message)["time_limit_seconds"] == 600


def test_an_entry_says_on_how_many_nodes_a_job_runs(tmp_path: Path) -> None:
    resources = {"nodes": 2, "processes": 5, "threads_per_process": 2, "gpus_per_job": 4}
    run_dir, _ = prepared(tmp_path, 1, resources=resources)
    name, message = (Path(run_dir) / ENTRY_FILE).read_text().splitlines()
    entry = Entry.read(name)
    assert entry is not None
    assert entry.need == Need(6, 0, 2, 0, 2)
    assert (orjson.loads(message)["processes"], orjson.loads(message)["threads"]) == (5, 2)


def test_counts_that_are_none_and_pooled_jobs_are_refused(tmp_path: Path) -> None:
    for name in ("nodes", "processes", "gpus_per_job"):
        with pytest.raises(InvalidRequest, match=f"the resource {name} is 'many'"):
            prepared(tmp_path, 1, resources={name: "many"})
    with pytest.raises(InvalidRequest, match="pooled"):
        prepared(tmp_path, 1, resources={"execution": "pooled"})


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({}, 7),
        ({"nodes": 2}, 7),
        ({"nodes": 2, "ntasks_per_node": 8}, 16),
        ({"nodes": 2, "ntasks": 8}, 8),
        ({"ntasks": 2, "cpus_per_task": 4}, 8),
        ({"processes": 3, "threads_per_process": "2"}, 6),
        ({"ntasks": "many"}, 7),
    ],
)
def test_processors_are_guessed_from_resources(resources: dict[str, Any], expected: int) -> None:
    assert expected_jobs(resources, 7) == expected


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({}, None),
        ({"time_limit": 90}, 90),
        ({"time": "00:10:00"}, 600),
        ({"walltime": "1-00:00:00"}, 86400),
        ({"time": 30}, None),
        ({"time": "UNLIMITED"}, None),
    ],
)
def test_the_time_limit_of_an_allocation_is_read_where_that_is_certain(
    resources: dict[str, Any], expected: float | None
) -> None:
    assert time_limit_of(resources) == expected
