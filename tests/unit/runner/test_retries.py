from towline.runner.prefetch import LARGEST_PREFETCH, Prefetch
from towline.runner.retries import RetryPolicy


def test_waits_grow_and_the_fourth_failure_is_final():
    policy = RetryPolicy(3, (30, 300, 1200))
    assert [policy.next_try(tries, 0) for tries in (1, 2, 3, 4)] == [30, 300, 1200, None]


def test_the_last_wait_repeats():
    assert RetryPolicy(5, (1, 2)).next_try(5, 100) == 102


def test_nothing_is_held_ready_before_a_job_has_run_or_when_jobs_are_long():
    prefetch = Prefetch()
    assert prefetch.jobs(2) == 0
    prefetch.learn(3600)
    assert prefetch.jobs(2) == 0


def test_short_jobs_are_held_ready():
    prefetch = Prefetch()
    prefetch.learn(0.005)
    assert prefetch.jobs(2) == 20
    prefetch.learn(0)
    for _ in range(100):
        prefetch.learn(1e-6)
    assert prefetch.jobs(2) == LARGEST_PREFETCH
    assert prefetch.jobs(0) == 0
