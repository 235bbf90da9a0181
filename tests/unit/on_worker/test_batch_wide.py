"""Jobs over several nodes: who keeps room for them, who starts them, and that nobody keeps room for nothing."""

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from towline.on_worker.batch import wide as module
from towline.on_worker.batch.crew import Crew
from towline.on_worker.batch.placement import HOST_FILE, place
from towline.on_worker.batch.room import Capacity, Room
from towline.on_worker.batch.settings import BatchSettings
from towline.on_worker.batch.spool import Entry, Need, Spool
from towline.on_worker.batch.wide import Start, WideJobs

NARROW = Need(1)


class Node:
    """What a pilot has of jobs over several nodes."""

    def __init__(self, folder: Path, number: int, nodes: int, *, cores: int = 4, slots: int = 4) -> None:
        settings = BatchSettings("uid", str(folder), str(folder), "slurm", node=number, cores=(cores,) * nodes)
        self.room = Room(Capacity(cores), slots)
        self.crew = Crew(folder, settings, Capacity(cores))
        self.folder, self.number = folder, number
        self.wide = WideJobs(folder, str(folder), self.crew, self.room, name=f"cn{number}")

    def tell(self) -> None:
        """Give a sign of life."""
        self.crew.tell("running", {"free": self.room.free, "idle_since": None}, now=True)

    def look(self, *, closed: bool = False) -> list[Start]:
        self.tell()
        return self.wide.look(closed=closed, may_start=not closed)


@pytest.fixture
def nodes(tmp_path: Path) -> Callable[..., list[Node]]:
    def make(count: int, **options: int) -> list[Node]:
        made = [Node(tmp_path, number, count, **options) for number in range(count)]
        for node in made:
            node.tell()
        return made

    return make


def put(folder: Path, number: int, need: Need, priority: int = 0) -> Entry:
    entry = Entry.of(f"tow{number:012x}.1.1", priority=priority, job_id=number, need=need)
    (folder / "new").mkdir(exist_ok=True)
    (folder / "new" / entry.name).write_bytes(orjson.dumps({"key": entry.mark}))
    return entry


def rounds(nodes: list[Node], times: int = 3) -> list[tuple[int, Start]]:
    """What each node is to start in some rounds of looks."""
    return [(node.number, start) for _ in range(times) for node in nodes for start in node.look()]


def test_free_nodes_take_a_job_at_once(nodes: Callable[..., list[Node]], tmp_path: Path) -> None:
    crew = nodes(3)
    entry = put(tmp_path, 1, Need(2, nodes=2))
    crew[0].wide.nominate(entry, patient=True)
    ((first, start),) = rounds(crew)
    assert start.entry == entry
    assert len(start.hosts) == 2
    assert start.hosts[0] == f"cn{first}"
    assert sorted(node.room.free[0] for node in crew) == [2, 2, 4]
    # The room of the others is kept as long as the job runs, and no longer.
    assert Spool(str(tmp_path), "uid.0").claim(entry) is not None
    assert rounds(crew) == []
    crew[first].room.give_back(start.seat)
    crew[first].wide.finish(entry.mark)
    assert rounds(crew) == []
    assert [node.room.free[0] for node in crew] == [4, 4, 4]
    assert not any(node.wide.busy for node in crew)


def test_only_the_first_node_asks(nodes: Callable[..., list[Node]], tmp_path: Path) -> None:
    crew = nodes(2)
    crew[1].wide.nominate(put(tmp_path, 1, Need(1, nodes=2)), patient=False)
    assert rounds(crew) == []


def test_a_patient_job_keeps_no_room_where_there_is_too_little(
    nodes: Callable[..., list[Node]], tmp_path: Path
) -> None:
    crew = nodes(2)
    crew[1].room.take(Need(3))
    crew[1].tell()
    crew[0].wide.nominate(put(tmp_path, 1, Need(2, nodes=2)), patient=True)
    assert rounds(crew) == []
    assert crew[0].room.free[0] == 4
    assert [node.wide.limit for node in crew] == [None, None]


def test_after_a_moment_in_vain_the_room_is_free_again(
    nodes: Callable[..., list[Node]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crew = nodes(2)
    entry = put(tmp_path, 1, Need(2, nodes=2))
    crew[0].wide.nominate(entry, patient=True)
    crew[1].room.take(Need(4))  # somebody else was quicker
    crew[0].look()
    assert crew[0].room.free[0] == 2
    monkeypatch.setattr(module, "_MOMENT_SECONDS", 0.0)
    assert rounds(crew) == []
    assert crew[0].room.free[0] == 4


def test_a_job_that_was_passed_over_for_long_gets_its_nodes(nodes: Callable[..., list[Node]], tmp_path: Path) -> None:
    crew = nodes(2)
    seats = [[node.room.take(NARROW) for _ in range(4)] for node in crew]
    entry = put(tmp_path, 5, Need(3, nodes=2))
    crew[0].wide.nominate(entry, patient=False)
    assert rounds(crew) == []
    # Nothing that comes after it begins, and what comes before it does.
    assert [node.wide.limit for node in crew] == [entry.name, entry.name]
    assert put(tmp_path, 6, NARROW).name > entry.name > put(tmp_path, 7, NARROW, priority=1).name
    for _ in range(3):
        crew[1].room.give_back(seats[1].pop())
    assert rounds(crew) == []
    assert crew[1].room.free[0] == 0
    for _ in range(3):
        crew[0].room.give_back(seats[0].pop())
    ((_, start),) = rounds(crew)
    assert start.entry == entry
    assert [node.wide.limit for node in crew] == [None, None]


def test_two_jobs_never_wait_for_each_others_nodes(nodes: Callable[..., list[Node]], tmp_path: Path) -> None:
    crew = nodes(2)
    entries = [put(tmp_path, number, Need(4, nodes=2)) for number in (1, 2)]
    for entry in entries:
        crew[0].wide.nominate(entry, patient=False)
    started = rounds(crew)
    assert [start.entry for _, start in started] == entries[:1]
    Spool(str(tmp_path), "uid.0").claim(entries[0])
    crew[0].wide.nominate(entries[1], patient=False)
    assert rounds(crew) == []
    crew[0].room.give_back(started[0][1].seat)
    crew[0].wide.finish(entries[0].mark)
    assert [start.entry for _, start in rounds(crew)] == entries[1:]


def test_a_job_that_somebody_else_took_is_asked_for_no_more(nodes: Callable[..., list[Node]], tmp_path: Path) -> None:
    crew = nodes(2)
    crew[1].room.take(Need(4))
    entry = put(tmp_path, 1, Need(2, nodes=2))
    crew[0].wide.nominate(entry, patient=False)
    assert rounds(crew) == []
    assert crew[0].room.free[0] == 2
    assert Spool(str(tmp_path), "another.0").claim(entry) is not None
    assert rounds(crew) == []
    assert crew[0].room.free[0] == 4
    assert crew[1].wide.limit is None


def test_a_node_that_may_begin_nothing_lends_room_only(nodes: Callable[..., list[Node]], tmp_path: Path) -> None:
    crew = nodes(2)
    crew[0].room.slots = 0
    entry = put(tmp_path, 1, Need(2, nodes=2))
    crew[0].wide.nominate(entry, patient=True)
    ((first, start),) = rounds(crew)
    assert (first, start.hosts) == (1, ("cn1", "cn0"))


def test_a_pilot_that_is_started_again_forgets_what_it_asked_for(
    nodes: Callable[..., list[Node]], tmp_path: Path
) -> None:
    crew = nodes(2)
    crew[1].room.take(Need(4))
    crew[0].wide.nominate(put(tmp_path, 1, Need(2, nodes=2)), patient=False)
    assert rounds(crew) == []
    assert crew[1].wide.limit is not None
    crew[0] = Node(tmp_path, 0, 2)
    assert rounds(crew) == []
    assert [node.wide.limit for node in crew] == [None, None]
    assert crew[0].room.free[0] == 4


def test_a_pilot_that_is_started_again_keeps_the_room_it_lent(nodes: Callable[..., list[Node]], tmp_path: Path) -> None:
    crew = nodes(2)
    entry = put(tmp_path, 1, Need(3, nodes=2))
    crew[0].wide.nominate(entry, patient=True)
    ((first, _),) = rounds(crew)
    assert first == 0
    crew[1] = Node(tmp_path, 1, 2)
    assert rounds(crew) == []
    assert crew[1].room.free[0] == 1
    assert crew[1].wide.busy


def test_a_job_whose_node_is_lost_before_its_start_is_asked_for_anew(
    nodes: Callable[..., list[Node]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crew = nodes(3)
    crew[0].room.slots = 0
    entry = put(tmp_path, 1, Need(2, nodes=2))
    crew[0].wide.nominate(entry, patient=True)
    monkeypatch.setattr(module, "_START_SECONDS", 0.0)
    for node in (crew[0], crew[1], crew[0]):  # the second one is told to start it, and never looks again
        node.look()
    crew[0].look()
    crew[0].look()
    assert list((tmp_path / "wide").glob("tow*")) == []
    crew[0].wide.nominate(entry, patient=False)
    crew[1].crew.tell("ended", {"free": (4, 0, 0), "idle_since": None}, now=True)
    assert [first for first, _ in rounds([crew[0], crew[2]])] == [2]


def test_what_no_allocation_has_is_refused(nodes: Callable[..., list[Node]]) -> None:
    crew = nodes(2)
    assert crew[0].crew.refusal(Need(4, nodes=2)) is None
    assert "3 nodes, and an allocation has 2" in str(crew[0].crew.refusal(Need(1, nodes=3)))
    assert "none of the 2 would do" in str(crew[0].crew.refusal(Need(5, nodes=2)))


def test_a_job_is_told_its_hosts(tmp_path: Path) -> None:
    variables = place(str(tmp_path), "slurm", ("cn2", "cn1"), processes=3, threads=2, cores=4)
    assert (tmp_path / HOST_FILE).read_text() == "cn2\ncn2\ncn1\n"
    assert variables["TOWLINE_HOSTS"] == "cn2,cn1"
    assert variables["SLURM_TASKS_PER_NODE"] == "2,1"
    assert variables["SLURM_JOB_CPUS_PER_NODE"] == "4(x2)"
    assert place(str(tmp_path), "pbs", ("a", "b"), processes=2, threads=1, cores=1)["PBS_NODEFILE"].endswith(HOST_FILE)
    grid = place(str(tmp_path), "sge", ("a", "b"), processes=4, threads=1, cores=2)
    assert Path(grid["PE_HOSTFILE"]).read_text() == "a 2 UNDEFINED UNDEFINED\nb 2 UNDEFINED UNDEFINED\n"
    assert grid["NSLOTS"] == "4"
