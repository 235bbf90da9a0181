"""One runner per project, by a lease that expires."""

import pytest

from towline.errors import LeaseLost, RunnerAlreadyActive
from towline.store import leases
from towline.store.database import Database


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def database(queue_place, clock):
    database = Database(queue_place, clock=clock)
    yield database
    database.close()


def acquire(database, pid=1, is_gone=lambda record: False):
    with database.transaction() as transaction:
        return leases.acquire(
            transaction,
            host="here",
            user_name="me",
            pid=pid,
            process_started_at=0.0,
            lease_seconds=30,
            is_gone=is_gone,
        )


def test_a_second_runner_is_told_who_holds_the_lease(database, clock):
    acquire(database, pid=41)
    clock.now += 10
    with pytest.raises(RunnerAlreadyActive, match=r"pid 41 of me on here.*20 s unless it renews.*tow runner stop"):
        acquire(database, pid=42)


def test_an_expired_lease_is_free(database, clock):
    first = acquire(database)
    clock.now += 31
    second = acquire(database, pid=2)
    with database.transaction() as transaction:
        leases.check(transaction, second)
        with pytest.raises(LeaseLost):
            leases.check(transaction, first)


def test_a_renewed_lease_holds(database, clock):
    runner = acquire(database)
    for _ in range(5):
        clock.now += 20
        with database.transaction() as transaction:
            assert leases.renew(transaction, runner, 30, b"{}") is None
    with pytest.raises(RunnerAlreadyActive):
        acquire(database, pid=2)


def test_the_lease_of_a_process_that_is_gone_is_free_at_once(database):
    acquire(database, pid=41)
    acquire(database, pid=42, is_gone=lambda record: record.pid == 41)


def test_a_clock_moved_back_does_not_give_the_project_to_a_second_runner(database, clock):
    acquire(database)
    clock.now -= 3600
    with pytest.raises(RunnerAlreadyActive):
        acquire(database, pid=2)


def test_a_request_reaches_the_holder(database):
    runner = acquire(database)
    with database.transaction() as transaction:
        leases.request(transaction, "stop")
    assert leases.requested(database, runner) == "stop"
    with database.transaction() as transaction:
        assert leases.renew(transaction, runner, 30, b"{}") == "stop"
