"""The counts that Linux keeps of processes killed for want of memory."""

import pytest

from towline.on_worker.memory_events import KillCounter

GIGABYTE = 1024**3


@pytest.fixture(params=["second version", "first version"])
def group(request, tmp_path):
    """The files of a control group with one gigabyte; gives a function that sets the number of kills."""
    first = request.param == "first version"
    name, limit = ("memory.oom_control", "memory.limit_in_bytes") if first else ("memory.events", "memory.max")
    (tmp_path / limit).write_text(f"{GIGABYTE}\n")

    def kills(number):
        head = "oom_kill_disable 0\nunder_oom 0\n" if first else "low 0\nhigh 0\nmax 12\noom 3\n"
        (tmp_path / name).write_text(f"{head}oom_kill {number}\n")
        return tmp_path

    return kills


def test_a_kill_is_explained_once(group, tmp_path):
    counter = KillCounter(group(4), tmp_path / "none")
    assert not counter.took(GIGABYTE // 2)
    group(5)
    assert counter.took(GIGABYTE // 2)
    assert not counter.took(GIGABYTE // 2)


def test_a_small_process_was_not_the_one(group, tmp_path):
    counter = KillCounter(group(0), tmp_path / "none")
    group(1)
    assert not counter.took(GIGABYTE // 100)
    assert counter.took(GIGABYTE // 10)


def test_without_a_group_the_whole_machine_counts(tmp_path):
    system = tmp_path / "vmstat"
    system.write_text("pgfault 12\noom_kill 1\n")
    counter = KillCounter(tmp_path / "none", system)
    system.write_text("pgfault 13\noom_kill 2\n")
    assert counter.took(10**13)


def test_a_system_that_counts_nothing_explains_nothing(tmp_path):
    counter = KillCounter(tmp_path / "none", tmp_path / "none")
    assert not counter.took(10**13)
