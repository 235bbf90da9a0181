"""Random requests between random moves of the runner: counters, readiness, journal and flows always agree."""

import random
import uuid
from pathlib import Path

import pytest

from towline.core.records import ExitRecord, Failure, NewJob, Result
from towline.core.states import IN_FLIGHT, JobState
from towline.store import actions
from towline.store.completion import Completion, complete
from towline.store.database import Database, Transaction
from towline.store.deletions import delete_flows, delete_jobs
from towline.store.jobs import QueuedJob, claim, states_of
from towline.store.reruns import rerun
from towline.testing.queue import add_flow, inconsistencies, put_in_state

END = ExitRecord(exit_code=0, signal=None, reason="exited", started_at=1.0, ended_at=2.0, host="here")


class Queue:
    """A queue that random things happen to."""

    def __init__(self, database: Database, seed: int) -> None:
        self.database = database
        self.random = random.Random(seed)
        self.held: list[QueuedJob] = []

    def job_ids(self) -> list[int]:
        ids = [row[0] for row in self.database.read("SELECT id FROM job ORDER BY id")]
        return self.random.sample(ids, min(len(ids), self.random.randint(1, 4)))

    def submit(self) -> None:
        names = [str(number) for number in range(self.random.randint(1, 6))]
        graph = {
            name: [parent for parent in names[:place] if self.random.random() < 0.4] for place, name in enumerate(names)
        }
        add_flow(self.database, graph, accepts_failed_parents=self.random.random() < 0.3)

    def claim(self) -> None:
        with self.database.transaction() as transaction:
            self.held += [job for job, _ in claim(transaction, "local", self.random.randint(1, 3), 1)]

    def end(self) -> None:
        """Some of the held jobs end, in ways of all kinds; what was stopped or rerun meanwhile is left alone."""
        with self.database.transaction() as transaction:
            states = states_of(transaction, self.held)
            ended = [job for job in self.held if states.get(job.id) in IN_FLIGHT and self.random.random() < 0.7]
            completions = [Completion(job, states[job.id], self.result(job), END, "/run") for job in ended]
            complete(transaction, completions, lambda _: None)  # type: ignore[arg-type, return-value]  # no outputs
        self.held = [job for job in self.held if job not in ended]

    def result(self, job: QueuedJob) -> Result:
        if self.random.random() < 0.25:
            return Result(failure=Failure("error", "it broke"))
        if self.random.random() < 0.6 or job.index > 3:
            return Result()
        new = NewJob(uuid=str(uuid.uuid4()), name="made", payload_kind="command", payload=b"{}")
        kind = self.random.choice(["replace", "addition", "detour"])
        newest = self.database.read("SELECT max(job_index) FROM job WHERE uuid = ?", (job.uuid,))[0][0]
        if kind == "replace" and newest == job.index:
            new = NewJob(uuid=job.uuid, name=job.name, payload_kind="command", payload=b"{}", index=job.index + 1)
        stops = self.random.random() < 0.2
        return Result(**{kind: (new,)}, stop_children=stops)

    def fail_a_step(self) -> None:
        if self.held:
            job = self.held.pop()
            with self.database.transaction() as transaction:
                state = states_of(transaction, [job]).get(job.id)
            if state in IN_FLIGHT:
                put_in_state(self.database, job.id, JobState.REMOTE_ERROR, lease_owner=None)

    def confirm(self) -> None:
        """Some attempts that had to end have ended; the runner holds them no longer."""
        with self.database.transaction() as transaction:
            ended = transaction.execute(
                "DELETE FROM cancellation WHERE job_id % 2 = ? RETURNING job_id, attempt", (self.random.randint(0, 1),)
            ).fetchall()
        self.held = [job for job in self.held if (job.id, job.attempt) not in ended]

    def ask(self) -> None:
        requests = [
            lambda transaction, ids: actions.pause(transaction, ids),
            lambda transaction, ids: actions.resume(transaction, ids),
            lambda transaction, ids: actions.stop(transaction, ids),
            lambda transaction, ids: actions.retry(transaction, ids),
            lambda transaction, ids: rerun(transaction, ids),
            lambda transaction, ids: rerun(transaction, ids, force=True),
            lambda transaction, ids: actions.set_run_properties(
                transaction, ids, actions.RunProperties(worker=self.random.choice(["local", "other"]))
            ),
            lambda transaction, ids: actions.set_state(
                transaction, ids, self.random.choice([JobState.COMPLETED, JobState.FAILED, JobState.STOPPED])
            ),
            lambda transaction, ids: delete_jobs(transaction, ids),
            lambda transaction, ids: self.delete_flow(transaction),
        ]
        weights = [3, 3, 3, 2, 2, 4, 2, 1, 1, 0.3]
        with self.database.transaction() as transaction:
            self.random.choices(requests, weights)[0](transaction, self.job_ids())

    def delete_flow(self, transaction: Transaction) -> None:
        row = transaction.execute("SELECT id FROM flow ORDER BY random() LIMIT 1").fetchone()
        delete_flows(transaction, [] if row is None else [row[0]])


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_everything_agrees(queue_place: str | Path, seed: int) -> None:
    database = Database(queue_place)
    queue = Queue(database, seed)
    happenings = [queue.submit, queue.claim, queue.end, queue.fail_a_step, queue.confirm, queue.ask]
    queue.submit()
    for number in range(60):
        happening = queue.random.choices(happenings, [0.5, 3, 3, 0.5, 1, 4])[0]
        happening()
        assert inconsistencies(database) == [], f"after {happening.__name__}, happening {number}"
    database.close()
