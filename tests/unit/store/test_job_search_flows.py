"""Finding flows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from towline.core.states import FlowState, JobState
from towline.store import flow_search
from towline.store.database import Database
from towline.store.flow_search import (
    FlowFilter,
    count_flow_states,
    count_flows,
    edges_of_flow,
    find_flows,
    with_job_lists,
)
from towline.store.job_search import Page, Sort
from towline.testing.queue import add_flow, put_in_state


@pytest.fixture
def database(queue_place: str | Path) -> Iterator[Database]:
    times = iter(range(1_000_000, 2_000_000, 10))
    database = Database(queue_place, clock=lambda: float(next(times)))
    yield database
    database.close()


def names(database: Database, page: Page | None = None, **wanted: object) -> list[str]:
    return [flow.name for flow in find_flows(database, FlowFilter(**wanted), page)]  # type: ignore[arg-type]


def test_every_filter_restricts(database: Database) -> None:
    first = add_flow(database, {"a": [], "b": ["a"]}, name="bands Cu", flow_uuid="one")
    second = add_flow(database, {"c": []}, name="relax Au")
    put_in_state(database, first["a"], JobState.RUNNING, lease_owner=1)
    uuid = database.read("SELECT uuid FROM job WHERE id = ?", (second["c"],))[0][0]
    assert names(database) == ["bands Cu", "relax Au"]
    assert names(database, Page(Sort.DB_ID)) == ["relax Au", "bands Cu"]
    assert names(database, Page(limit=1, skip=1)) == ["relax Au"]
    assert names(database, flow_ids=("one",)) == ["bands Cu"]
    assert names(database, job_ids=(uuid,)) == ["relax Au"]
    assert names(database, db_ids=(first["b"],)) == ["bands Cu"]
    assert names(database, states=(FlowState.READY,)) == ["relax Au"]
    assert names(database, name="*Cu") == ["bands Cu"]
    assert names(database, locked=True) == ["bands Cu"]
    assert count_flows(database, FlowFilter(name="*Cu")) == 1
    assert count_flow_states(database, [FlowState.FAILED, FlowState.READY]) == {
        FlowState.FAILED: 0,
        FlowState.READY: 1,
    }


def test_a_page_of_flows_with_a_value_is_the_newest_of_them_though_others_are_looked_into_first(
    database: Database,
) -> None:
    for number in range(12):
        # The newest ones do not meet the criteria as a whole.
        kind = "old" if number < 6 else "new"
        add_flow(database, {"a": []}, name=f"flow {number}", flow_metadata={"k": 1, "kind": {"of": [kind]}})
    found = {"metadata": {"k": 1}}
    assert names(database, Page(limit=2), **found) == ["flow 11", "flow 10"]
    assert names(database, Page(limit=2, skip=1), **found) == ["flow 10", "flow 9"]
    assert names(database, Page(limit=2, ascending=True), **found) == ["flow 0", "flow 1"]
    assert len(names(database, **found)) == 12
    old = {"metadata": {"k": 1, "kind": {"of": ["old"]}}}
    assert names(database, Page(limit=2), **old) == ["flow 5", "flow 4"]
    assert names(database, Page(limit=2), states=(FlowState.FAILED,), **found) == []
    assert count_flows(database, FlowFilter(metadata={"k": 1})) == 12


@pytest.mark.parametrize("many", [2, 3, 4, 1000])
def test_a_pattern_finds_the_same_flows_whether_few_or_many_have_such_names(
    database: Database, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow_search, "MANY_NAMES", many)
    for name in ("relax 1", "bands", "relax 2", "relaxed", "rel", "x"):
        add_flow(database, {"a": []}, name=name)
    assert names(database, Page(limit=2), name="relax*") == ["relaxed", "relax 2"]
    assert names(database, Page(limit=9), name="relax ?") == ["relax 2", "relax 1"]
    assert names(database, Page(limit=9), name="r*2") == ["relax 2"]
    assert names(database, Page(limit=9), name="b*") == ["bands"]
    assert names(database, Page(limit=9), name="y*") == []


def test_a_flow_tells_its_jobs_when_asked(database: Database) -> None:
    jobs = add_flow(database, {"a": [], "b": ["a"]}, hosts=("h",))
    put_in_state(database, jobs["a"], JobState.COMPLETED)
    (flow,) = find_flows(database, FlowFilter(), prefix="x")
    assert (flow.db_id, flow.job_count, flow.db_ids) == (f"x{jobs['a']}", 2, ())
    assert flow.state_counts == {JobState.READY: 1, JobState.COMPLETED: 1}
    (flow,) = with_job_lists(database, [flow], prefix="x")
    assert flow.job_names == ("a", "b")
    assert flow.parents == ((), (flow.job_ids[0],))
    assert flow.hosts == (("h",), ("h",))
    assert flow.ids_mapping[flow.job_ids[1]] == {1: f"x{jobs['b']}"}
    assert [job["state"] for job in flow.iter_job_prop()] == [JobState.COMPLETED, JobState.READY]
    assert edges_of_flow(database, flow.id) == [(jobs["a"], jobs["b"])]


def test_a_flow_with_a_failed_action_needs_attention(database: Database) -> None:
    jobs = add_flow(database, {"a": [], "b": []})
    put_in_state(database, jobs["a"], JobState.REMOTE_ERROR)
    (flow,) = find_flows(database, FlowFilter())
    assert flow.state is FlowState.RUNNING
    assert flow.needs_attention
