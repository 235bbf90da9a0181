"""The order in which attempts start, and timers."""

from towline.on_worker.attempts import Attempt, AttemptQueue, Mode
from towline.on_worker.timers import Timers


def _attempt(job_id: int, priority: int = 0) -> Attempt:
    return Attempt(f"{job_id}.1", f"/run/{job_id}", Mode.FORK, "test", job_id=job_id, priority=priority)


def _drain(queue: AttemptQueue) -> list[int]:
    order = []
    while (attempt := queue.first()) is not None:
        queue.remove(attempt)
        order.append(attempt.job_id)
    return order


def test_high_priority_comes_first_then_the_oldest_job() -> None:
    queue = AttemptQueue()
    for job_id, priority in ((5, 0), (2, 0), (9, 3), (7, 3), (1, -1)):
        queue.push(_attempt(job_id, priority))
    assert _drain(queue) == [7, 9, 2, 5, 1]


def test_a_removed_attempt_never_comes_up() -> None:
    queue = AttemptQueue()
    attempts = [_attempt(job_id) for job_id in (1, 2, 3)]
    for attempt in attempts:
        queue.push(attempt)
    queue.remove(attempts[1])
    queue.remove(attempts[1])
    assert len(queue) == 2
    assert _drain(queue) == [1, 3]


def test_an_attempt_that_came_back_waits_in_its_place() -> None:
    queue = AttemptQueue()
    attempts = [_attempt(job_id) for job_id in (1, 2)]
    for attempt in attempts:
        queue.push(attempt)
    queue.remove(attempts[0])
    queue.push(attempts[0])
    assert _drain(queue) == [1, 2]


def test_timers_fire_when_due_and_not_when_cancelled() -> None:
    timers = Timers()
    fired: list[str] = []
    assert timers.timeout_seconds() is None
    timers.after(0, lambda: fired.append("now"))
    timers.after(0, lambda: fired.append("never")).cancel()
    timers.after(100, lambda: fired.append("later"))
    timers.fire()
    assert fired == ["now"]
    timeout = timers.timeout_seconds()
    assert timeout is not None
    assert 99 < timeout <= 100
