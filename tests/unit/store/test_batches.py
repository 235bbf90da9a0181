"""What is kept of allocations: news are written over what is known, and nothing comes back from its end."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from towline.core.records import BatchRecord
from towline.core.states import JobState
from towline.store import batches
from towline.store.batches import BatchFilter
from towline.store.database import Database
from towline.testing.queue import add_flow, put_in_state

RECORD = BatchRecord("u1", "many", "77", "SUBMITTED", "/work/u1", 100.0)


@pytest.fixture
def database(queue_place: Path | str) -> Iterator[Database]:
    database = Database(queue_place, clock=lambda: 1000.0)
    yield database
    database.close()


def save(database: Database, *records: BatchRecord) -> None:
    with database.transaction() as transaction:
        batches.save(transaction, records)


def only(database: Database) -> BatchRecord:
    (found,) = batches.find(database, BatchFilter())
    return found.record


def test_news_come_to_what_is_known(database: Database) -> None:
    save(database, RECORD)
    save(database, replace(RECORD, state="RUNNING", started_at=101.0, pinged_at=102.0, jobs_ended=3))
    # A runner that was started again knows less.
    save(database, replace(RECORD, process_id=None, created_at=900.0))
    found = only(database)
    assert found == replace(RECORD, state="RUNNING", started_at=101.0, pinged_at=102.0, jobs_ended=3)
    save(database, replace(RECORD, state="FINISHED", ended_at=110.0, reason="timeout"))
    save(database, replace(RECORD, state="RUNNING", pinged_at=109.0))
    found = only(database)
    assert (found.state, found.ended_at, found.reason, found.jobs_ended) == ("FINISHED", 110.0, "timeout", 3)


def test_allocations_are_found_by_everything_that_is_asked(database: Database) -> None:
    others = [
        replace(RECORD, uid="u2", process_id="78", created_at=200.0, state="RUNNING"),
        replace(RECORD, uid="u3", process_id="77", created_at=300.0, worker="other", state="FINISHED"),
    ]
    save(database, RECORD, *others)
    jobs = add_flow(database, {"a": (), "b": ()})
    put_in_state(database, jobs["a"], JobState.COMPLETED, worker="many", process_id="77")
    put_in_state(database, jobs["b"], JobState.BATCH_RUNNING, worker="many", process_id="78")
    uuid = database.read("SELECT uuid FROM job WHERE id = ?", (jobs["b"],))[0][0]

    def uids(**wanted: tuple[object, ...]) -> list[str]:
        return [item.record.uid for item in batches.find(database, BatchFilter(**wanted))]  # type: ignore[arg-type]

    assert uids() == ["u3", "u2", "u1"]
    assert uids(process_ids=("77",)) == ["u3", "u1"]
    assert uids(workers=("many",), states=("RUNNING", "SUBMITTED")) == ["u2", "u1"]
    assert uids(uids=("u3",)) == ["u3"]
    assert uids(job_rows=(jobs["a"],)) == ["u1"]
    assert uids(job_ids=((uuid, 1),)) == ["u2"]
    assert uids(job_ids=((uuid, 2),)) == []
    assert [item.record.uid for item in batches.find(database, BatchFilter(), limit=1)] == ["u3"]
    assert batches.count(database, BatchFilter(workers=("many",))) == 2
    found = batches.jobs_of(database, batches.find(database, BatchFilter()))
    assert {uid: [(number, state) for number, _, _, state in jobs] for uid, jobs in found.items()} == {
        "u1": [(jobs["a"], "COMPLETED")],
        "u2": [(jobs["b"], "BATCH_RUNNING")],
        "u3": [],
    }
    with database.transaction() as transaction:
        assert batches.delete(transaction, BatchFilter(states=("FINISHED",))) == 1
    assert uids() == ["u2", "u1"]
