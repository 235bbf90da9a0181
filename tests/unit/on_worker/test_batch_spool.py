"""The spool: names that sort, claims that only one gets, and what a node has room for."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline.on_worker.batch.needs import need_of
from towline.on_worker.batch.nodes import capacity, cores_by_node, gpus, launcher
from towline.on_worker.batch.room import Capacity, Room, shares
from towline.on_worker.batch.settings import BatchSettings
from towline.on_worker.batch.spool import Entry, Need, Spool

_NEEDS = st.builds(Need, st.integers(1, 99), st.integers(0, 10**6), st.integers(0, 9), st.integers(0, 10**6))


def entry(number: int, priority: int = 0, need: Need | None = None) -> Entry:
    return Entry.of(f"tow{number:012x}.1.1", priority=priority, job_id=number, need=need or Need())


def put(folder: Path, *entries: Entry) -> None:
    (folder / "new").mkdir(exist_ok=True)
    for item in entries:
        (folder / "new" / item.name).write_bytes(orjson.dumps({"key": item.mark, "run_dir": "/x"}))


@given(st.integers(-(10**13), 10**13), st.integers(0, 10**11), _NEEDS)
def test_a_name_says_what_was_put_into_it(priority: int, number: int, need: Need) -> None:
    made = entry(number, priority, need)
    read = Entry.read(made.name)
    assert read == made
    assert read.need == need


@given(st.lists(st.tuples(st.integers(-(10**9), 10**9), st.integers(1, 10**9)), unique=True))
def test_names_sort_by_priority_and_age(jobs: list[tuple[int, int]]) -> None:
    names = sorted(entry(number, priority).name for priority, number in jobs)
    wanted = [entry(number, priority).name for priority, number in sorted(jobs, key=lambda job: (-job[0], job[1]))]
    assert names == wanted


@pytest.mark.parametrize("name", ["", ".x", "put.12.7", "entry", entry(1).name + "/..", entry(1).name[1:]])
def test_other_files_are_no_entries(name: str) -> None:
    assert Entry.read(name) is None


def test_of_many_pilots_one_gets_each_entry(tmp_path: Path) -> None:
    entries = [entry(number) for number in range(200)]
    put(tmp_path, *entries)
    pilots = [Spool(str(tmp_path), f"uid.{number}") for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda pilot: [one.mark for one in entries if pilot.claim(one) is not None], pilots))
    assert sorted(mark for marks in taken for mark in marks) == sorted(one.mark for one in entries)
    assert pilots[0].waiting() == []


def test_what_is_put_back_can_be_claimed_again(tmp_path: Path) -> None:
    put(tmp_path, entry(1), entry(2))
    first, second = Spool(str(tmp_path), "uid.0"), Spool(str(tmp_path), "uid.1")
    assert first.claim(entry(1)) == {"key": entry(1).mark, "run_dir": "/x"}
    assert first.claim(entry(2)) is not None
    assert second.claim(entry(1)) is None
    assert [one.mark for one, _ in first.claimed()] == [entry(1).mark, entry(2).mark]
    first.put_back(entry(1))
    first.forget(entry(2))
    assert second.claim(entry(1)) is not None
    assert second.claim(entry(2)) is None
    first.leave()
    assert [path.name for path in (tmp_path / "claimed").iterdir()] == ["uid.1"]


def test_what_nobody_can_run_is_set_aside_with_its_reason(tmp_path: Path) -> None:
    put(tmp_path, entry(1))
    spool = Spool(str(tmp_path), "uid.0")
    spool.set_aside(entry(1), "it asks for the moon")
    assert (tmp_path / "unfit" / entry(1).name).read_text() == "it asks for the moon"
    spool.set_aside(entry(1), "again")
    assert spool.waiting() == []


@given(st.lists(st.tuples(_NEEDS, st.booleans())))
def test_a_node_is_never_given_twice(jobs: list[tuple[Need, bool]]) -> None:
    whole = Capacity(16, 64000, ("a", "b", "c"), tuple(range(100, 116)))
    room, seats = Room(whole, 8), []
    for need, leaves in jobs:
        if room.fits(need):
            seats.append(room.take(need))
        if leaves and seats:
            room.give_back(seats.pop(0))
        used = [processor for seat in seats for processor in seat.processors]
        assert len(used) == len(set(used)) == sum(seat.need.cores for seat in seats) <= 16
        names = [name for seat in seats for name in seat.gpus]
        assert len(names) == len(set(names)) == sum(seat.need.gpus for seat in seats)
        assert sum(seat.need.memory_megabytes for seat in seats) <= 64000
        assert len(seats) <= 8
    for seat in seats:
        room.give_back(seat)
    assert room.fits(Need(16, 64000, 3))


@given(st.integers(0, 1000), st.lists(st.integers(1, 128), min_size=1, max_size=20))
def test_shares_add_up(total: int, weights: list[int]) -> None:
    parts = shares(total, weights)
    assert sum(parts) == total
    assert len(parts) == len(weights)
    assert min(parts) >= 0


def test_slurm_tells_the_processors_of_its_nodes() -> None:
    environment = {"SLURM_JOB_CPUS_PER_NODE": "4(x2),3", "SLURM_MEM_PER_CPU": "500"}
    assert list(cores_by_node("slurm", environment).values()) == [4, 4, 3]
    assert capacity(4, "slurm", environment).memory_megabytes == 2000
    assert capacity(4, "slurm", {"SLURM_MEM_PER_NODE": "9000"}).memory_megabytes == 9000
    words = launcher("slurm", ["0", "1", "2"], environment)[0]
    assert words[:4] == ["srun", "--nodes=3", "--ntasks=3", "--cpus-per-task=4"]


def test_pbs_and_grid_engine_tell_their_nodes_in_files(tmp_path: Path) -> None:
    file = tmp_path / "nodes"
    file.write_text("n1\nn1\nn2\nn2\n")
    assert cores_by_node("pbs", {"PBS_NODEFILE": str(file)}) == {"n1": 2, "n2": 2}
    file.write_text("n1\nn2\n")
    assert cores_by_node("pbs", {"PBS_NODEFILE": str(file), "NCPUS": "8"}) == {"n1": 8, "n2": 8}
    file.write_text("n1 4 all.q@n1 UNDEFINED\nn2 2 all.q@n2 UNDEFINED\n")
    assert cores_by_node("sge", {"PE_HOSTFILE": str(file)}) == {"n1": 4, "n2": 2}
    assert list(cores_by_node("sge", {"NSLOTS": "3"}).values()) == [3]
    assert [words[-1] for words in launcher("sge", ["n1", "n2"], {})] == ["n1", "n2"]
    assert launcher("pbs", ["n1"], {"PATH": str(tmp_path)})[0][0] == "ssh"


def test_gpus_are_those_of_the_first_variable() -> None:
    assert gpus({"CUDA_VISIBLE_DEVICES": "0,1"}) == ("0", "1")
    assert gpus({"ROCR_VISIBLE_DEVICES": "3"}) == ("3",)
    assert gpus({"CUDA_VISIBLE_DEVICES": "NoDevFiles"}) == ()
    assert gpus({}) == ()


def test_resources_become_what_a_job_takes() -> None:
    asked = {"processes": 2, "threads_per_process": 4, "gpus_per_job": 1, "memory_per_thread": 100}
    assert need_of(asked, memory_gigabytes=None, time_limit=59.5) == Need(8, 800, 1, 60)
    assert need_of({}, memory_gigabytes=1.5, time_limit=None) == Need(1, 1536, 0, 0)


def test_settings_travel_as_json_and_newer_ones_are_read() -> None:
    settings = BatchSettings("u", "/spool", "/run", "slurm", preload=("a",), cores=(4, 4))
    assert BatchSettings.read(orjson.loads(orjson.dumps({**settings.as_json(), "new": 1}))) == settings
