"""Jobs entering the queue, being claimed, ending and releasing their children."""

import itertools
import multiprocessing

import pytest

from towline.core.records import ExitRecord, Failure, NewFlow, NewJob, Result
from towline.core.states import FlowState
from towline.errors import InvalidFlow
from towline.store import completion, jobs
from towline.store.database import Database


class NoOutputs:
    """A job store that nothing is put into: these results have no outputs."""

    transactional = True


EXIT = ExitRecord(0, None, "exited", 1.0, 2.0, "host")


def new(uuid, *parents, **fields):
    return NewJob(uuid=uuid, name=uuid, payload_kind="jobflow", payload=b"{}", parents=parents, **fields)


class Queue:
    """A database with the few calls that these tests need."""

    def __init__(self, path):
        self.database = Database(path)
        self.flows = itertools.count()

    def submit(self, *new_jobs, **defaults):
        with self.database.transaction() as transaction:
            flow = NewFlow(uuid=f"flow{next(self.flows)}", name="f", jobs=new_jobs)
            return jobs.insert_flow(transaction, flow, jobs.Defaults(**{"worker": "local"} | defaults))

    def claim(self, limit=100, worker="local"):
        with self.database.transaction() as transaction:
            return [job for job, _ in jobs.claim(transaction, worker, limit, 1)]

    def end(self, *claimed, **result):
        with self.database.transaction() as transaction:
            states = jobs.states_of(transaction, claimed)
            completion.complete(
                transaction,
                [completion.Completion(job, states[job.id], Result(**result), EXIT) for job in claimed],
                lambda name: NoOutputs(),
            )

    def run_next(self, **result):
        (job,) = self.claim(1)
        self.end(job, **result)
        return job.uuid

    def run_all(self):
        order = []
        while claimed := self.claim():
            order.append(sorted(job.uuid for job in claimed))
            self.end(*claimed)
        return order

    def states(self):
        rows = self.database.read("SELECT uuid, job_index, state FROM job ORDER BY id")
        return {uuid if index == 1 else f"{uuid}.{index}": state for uuid, index, state in rows}

    def flow_state(self):
        return FlowState(self.database.read("SELECT state FROM flow ORDER BY id DESC LIMIT 1")[0][0])

    def check_counters(self):
        """The counters say what counting the rows says."""
        for table, column in (("flow_count", "flow_id"), ("worker_count", "worker")):
            counted = self.database.read(f"SELECT {column}, state, COUNT(*) FROM job GROUP BY 1, 2 ORDER BY 1, 2")
            kept = self.database.read(f"SELECT {column}, state, jobs FROM {table} WHERE jobs <> 0 ORDER BY 1, 2")
            assert counted == kept


@pytest.fixture
def queue(queue_place):
    queue = Queue(queue_place)
    yield queue
    queue.check_counters()
    queue.database.close()


def test_a_job_is_ready_when_its_last_parent_completed(queue):
    queue.submit(new("a"), new("b"), new("c", "a", "b"))
    assert queue.states() == {"a": "READY", "b": "READY", "c": "WAITING"}
    queue.run_next()
    assert queue.states()["c"] == "WAITING"
    queue.run_next()
    assert queue.states()["c"] == "READY"
    queue.run_next()
    assert queue.flow_state() is FlowState.COMPLETED


def test_higher_priority_first_then_older(queue):
    queue.submit(new("low", priority=-1), new("a"), new("b"), new("high", priority=5), priority=0)
    assert [queue.run_next() for _ in range(4)] == ["high", "a", "b", "low"]


def test_a_job_overrides_what_the_submission_says_also_with_zero(queue):
    queue.submit(new("a", priority=0, worker="other"), priority=3)
    assert queue.claim() == []
    (job,) = queue.claim(worker="other")
    assert job.priority == 0


def test_empty_resources_mean_none_and_absent_ones_are_inherited(queue):
    queue.submit(new("a", resources={}), new("b"), resources={"time_limit": 5})
    a, b = queue.claim()
    assert (a.settings["resources"], b.settings["resources"]) == ({}, {"time_limit": 5})


def test_children_of_a_failed_job_wait_unless_they_accept_it(queue):
    queue.submit(new("a"), new("b", "a"), new("c", "a", accepts_failed_parents=True))
    queue.run_next(failure=Failure("error", "boom"))
    assert queue.states() == {"a": "FAILED", "b": "WAITING", "c": "READY"}
    assert queue.flow_state() is FlowState.FAILED


def test_a_flow_is_completed_when_its_leaves_are(queue):
    queue.submit(new("a"), new("b", "a", accepts_failed_parents=True))
    queue.run_next(failure=Failure("error", "boom"))
    queue.run_next()
    assert queue.flow_state() is FlowState.COMPLETED


def test_a_reference_to_another_flow_is_a_dependency(queue):
    queue.submit(new("a"))
    queue.submit(new("b", "a", "nobody"))
    assert queue.states() == {"a": "READY", "b": "WAITING"}
    queue.run_next()
    assert queue.states()["b"] == "READY"


def test_a_reference_to_a_finished_job_is_no_obstacle(queue):
    queue.submit(new("a"))
    queue.run_next()
    queue.submit(new("b", "a"))
    assert queue.states()["b"] == "READY"


def test_the_same_flow_twice_is_refused(queue):
    queue.submit(new("a"))
    with pytest.raises(InvalidFlow, match="in the queue already"):
        queue.submit(new("b"), new("a"))
    assert queue.states() == {"a": "READY"}


def test_children_wait_for_the_replacement(queue):
    queue.submit(new("a"), new("b", "a"))
    queue.run_next(replace=(new("x"), new("a", "x", index=2)))
    assert queue.states() == {"a": "COMPLETED", "b": "WAITING", "x": "READY", "a.2": "WAITING"}
    assert queue.run_all() == [["x"], ["a"], ["b"]]
    assert queue.flow_state() is FlowState.COMPLETED


def test_a_job_may_be_replaced_again_and_again(queue):
    queue.submit(new("a"), new("b", "a"))
    for index in (2, 3, 4):
        queue.run_next(replace=(new("a", index=index),))
    assert queue.run_all() == [["a"], ["b"]]


def test_a_replacement_without_output_lets_the_children_go(queue):
    queue.submit(new("a"), new("b", "a"))
    queue.run_next(replace=(new("x"),))
    assert queue.run_all() == [["b", "x"]]


def test_an_addition_runs_after_its_job_and_beside_the_children(queue):
    queue.submit(new("a"), new("b", "a"))
    queue.run_next(addition=(new("x"), new("y", "x")))
    assert queue.states() == {"a": "COMPLETED", "b": "READY", "x": "READY", "y": "WAITING"}
    assert queue.run_all() == [["b", "x"], ["y"]]


def test_children_wait_for_the_leaves_of_a_detour(queue):
    queue.submit(new("a"), new("b", "a"))
    queue.run_next(detour=(new("x"), new("y", "x"), new("z", "x")))
    assert queue.run_all() == [["x"], ["y", "z"], ["b"]]


def test_two_parents_with_detours_complete_in_one_transaction(queue):
    queue.submit(new("a"), new("b"), new("c", "a", "b"))
    a, b = queue.claim()
    queue.end(a, b, detour=())
    assert queue.states()["c"] == "READY"


def test_a_new_job_may_wait_for_a_sibling_that_ends_in_the_same_transaction(queue):
    queue.submit(new("a"), new("b"))
    claimed = queue.claim()
    with queue.database.transaction() as transaction:
        states = jobs.states_of(transaction, claimed)
        results = [Result(addition=(new("x", "b"),)), Result()]
        ends = [
            completion.Completion(job, states[job.id], result, EXIT)
            for job, result in zip(claimed, results, strict=True)
        ]
        completion.complete(transaction, ends, lambda name: NoOutputs())
    assert queue.database.read("SELECT missing FROM job WHERE uuid = 'x'") == [(0,)]
    assert queue.run_all() == [["x"]]


def test_stop_children_stops_the_direct_children(queue):
    queue.submit(new("a"), new("b", "a"), new("c", "b"), new("d"))
    queue.run_next(stop_children=True)
    assert queue.states() == {"a": "COMPLETED", "b": "STOPPED", "c": "WAITING", "d": "READY"}


def test_stop_jobflow_stops_what_comes_later_too(queue):
    queue.submit(new("a"), new("b"), new("c"))
    a, b = queue.claim(2)
    queue.end(a, stop_jobflow=True)
    assert queue.states()["c"] == "STOPPED"
    queue.end(b, addition=(new("late"),))
    assert queue.states()["late"] == "STOPPED"
    assert queue.flow_state() is FlowState.STOPPED


def test_new_jobs_beside_a_stop_are_born_stopped(queue):
    queue.submit(new("a"), new("b", "a"))
    queue.run_next(detour=(new("x"),), stop_children=True)
    assert queue.states() == {"a": "COMPLETED", "b": "STOPPED", "x": "STOPPED"}


def test_new_jobs_inherit_from_the_job_that_made_them(queue):
    queue.submit(new("a", resources={"x": 1}, priority=7, worker="other"), exec_config="env")
    (a,) = queue.claim(worker="other")
    queue.end(a, addition=(new("x"), new("y", priority=0, resources={}, exec_config={})))
    x, y = queue.claim(worker="other")
    assert (x.priority, x.settings["resources"], x.settings["exec_config"]) == (7, {"x": 1}, "env")
    assert (y.priority, y.settings["resources"], y.settings["exec_config"]) == (0, {}, {})


def test_every_change_of_state_is_in_the_journal(queue):
    queue.submit(new("a"))
    queue.run_next()
    rows = queue.database.read("SELECT from_state, to_state FROM event WHERE job_id > 0 ORDER BY id")
    assert rows[0] == (None, "READY")
    assert [to for _, to in rows] == ["READY", "CHECKED_OUT", "RUNNING", "DOWNLOADED", "COMPLETED"]
    assert all(earlier[1] == later[0] for earlier, later in itertools.pairwise(rows))


def test_a_job_whose_earlier_attempt_still_ends_is_not_claimed(queue):
    (job_id,) = queue.submit(new("a"))
    with queue.database.transaction() as transaction:
        transaction.execute(
            "INSERT INTO cancellation (job_id, attempt, uuid, job_index, worker, requested_at) "
            "VALUES (?, 1, 'a', 1, 'local', 0)",
            (job_id,),
        )
    assert queue.claim() == []


def test_jobs_of_a_runner_that_is_gone_are_taken_over(queue):
    queue.submit(new("a"), new("b"))
    (claimed,) = queue.claim(1)
    assert jobs.any_to_take_over(queue.database, 2, ["local"])
    with queue.database.transaction() as transaction:
        assert [job.id for job in jobs.take_over(transaction, 2, ["local"])] == [claimed.id]
    assert not jobs.any_to_take_over(queue.database, 2, ["local"])


def _claim_everything(path, results):
    database = Database(path)
    claimed = []
    while True:
        with database.transaction() as transaction:
            batch = jobs.claim(transaction, "local", 3, 1)
        if not batch:
            break
        claimed.extend(job.id for job, _ in batch)
    results.put(claimed)
    database.close()


def test_several_processes_never_claim_the_same_job(queue, queue_place):
    ids = queue.submit(*(new(f"j{number}") for number in range(300)))
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=_claim_everything, args=(queue_place, results)) for _ in range(4)]
    for process in processes:
        process.start()
    claimed = [job_id for _ in processes for job_id in results.get(timeout=60)]
    for process in processes:
        process.join()
    assert sorted(claimed) == ids


def test_an_error_inside_a_transaction_changes_nothing(queue):
    queue.submit(new("a"))
    with pytest.raises(RuntimeError, match="stop here"), queue.database.transaction() as transaction:
        jobs.claim(transaction, "local", 1, 1)
        raise RuntimeError("stop here")
    assert queue.states() == {"a": "READY"}
