"""How often a remote worker looks."""

from itertools import pairwise

from towline.workers.remote.timing import Pause, look_seconds, question_seconds


def looks_until(end: float) -> list[float]:
    """Times of looks after a submission."""
    times, at = [], look_seconds(0)
    while at < end:
        times.append(at)
        at += look_seconds(at)
    return times


def test_new_jobs_are_looked_at_often_and_old_ones_seldom() -> None:
    times = looks_until(5)
    assert len(times) <= 11
    assert times[0] < 0.5
    gaps = [later - earlier for earlier, later in pairwise(looks_until(86400))]
    assert all(later >= earlier - 1e-6 for earlier, later in pairwise(gaps))
    assert look_seconds(600) <= 2
    assert look_seconds(7200) > 10
    assert max(gaps) <= 30


def test_the_last_end_is_not_waited_for_longer_than_it_takes() -> None:
    assert look_seconds(60, 0.5) == 0.5
    assert look_seconds(60, 1e6) == look_seconds(60)
    assert look_seconds(60, 0.0) >= 0.2


def test_a_scheduler_is_asked_at_most_so_often() -> None:
    assert question_seconds(0) >= 1
    assert question_seconds(1e6) == 60


def test_a_pause_grows_and_ends_with_success() -> None:
    pause = Pause()
    pause.failed(0.0)
    first = pause.until
    pause.failed(first)
    assert pause.until - first > first
    for _ in range(10):
        pause.failed(0.0)
    assert pause.until <= 5
    pause.succeeded()
    assert pause.until == 0
