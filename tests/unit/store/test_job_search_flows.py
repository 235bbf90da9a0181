"""Finding flows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from towline.core.states import FlowState, JobState
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
