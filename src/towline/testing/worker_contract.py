"""What every worker has to do: a suite of tests to be bound to each implementation.

Subclass :class:`WorkerContract` in a test module and give it a fixture `make_worker`::

    class TestLocalWorker(WorkerContract):
        @pytest.fixture
        def make_worker(self, tmp_path):
            def make(**options):
                return LocalWorker(name="here", work_dir=tmp_path, state_dir=tmp_path / "state", slots=2, **options)
            yield make
            end_pilots(tmp_path)

Every call of it gives a worker for the same place, as two runners one after another would make it. Files of jobs must
be visible to the test under the paths that it gives.
"""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from towline.core.ports import Worker
from towline.core.records import Assignment, ShellSetup
from towline.testing.payloads import EXTRA_PAYLOADS
from towline.testing.worker_driver import (
    WorkerDriver,
    assignment,
    is_alive,
    lines_of,
    output_of,
    result_of,
)

MakeWorker = Callable[[], Worker]

#: Names of run folders that a shell or a careless program would stumble over.
HOSTILE_NAMES = (
    "with space",
    "quote ' and \" quote",
    "$(touch injected)",
    "`touch injected`; touch injected &",
    "new\nline",
    "-rf",
    "*?[a]{b,c}~",
    "ünïcödé",
    "back\\slash",
)


class WorkerContract:
    """Tests for a worker."""

    #: Shell lines around every job.
    shell: ShellSetup | None = None

    def job(self, work_dir: Path, number: int, *actions: list[Any], **details: Any) -> Assignment:
        """An attempt with the shell lines of this suite."""
        return assignment(work_dir, number, *actions, shell=self.shell, **details)

    @pytest.fixture
    def make_worker(self) -> Iterator[MakeWorker]:
        """Give a function that makes a worker with at least two slots; override it."""
        raise NotImplementedError("bind the contract to an implementation: override the fixture make_worker")

    @pytest.fixture(autouse=True)
    def _payloads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TOWLINE_EXTRA_PAYLOADS", EXTRA_PAYLOADS)

    @pytest.fixture
    def make_driver(self, make_worker: MakeWorker) -> Iterator[Callable[[], WorkerDriver]]:
        """A function that makes a worker and drives it."""
        workers: list[Worker] = []

        def make() -> WorkerDriver:
            workers.append(make_worker())
            return WorkerDriver(workers[-1])

        yield make
        for worker in workers:
            worker.close()

    @pytest.fixture
    def driver(self, make_driver: Callable[[], WorkerDriver]) -> WorkerDriver:
        """A worker, driven."""
        return make_driver()

    def test_a_job_runs_in_its_folder_and_every_step_is_told(self, driver: WorkerDriver, tmp_path: Path) -> None:
        job = self.job(tmp_path, 1, ["print", "hello"], ["facts"])
        (end,) = driver.run(job)
        assert driver.events(job.key) == ["uploaded", "submitted", "started", "ended"]
        assert end.exit is not None
        assert (end.exit.exit_code, end.exit.signal, end.exit.reason) == (0, None, "exited")
        assert end.exit.started_at is not None
        assert end.exit.started_at <= end.exit.ended_at <= time.time()
        facts = output_of(job, end)
        assert facts["cwd"] == job.run_dir
        assert facts["environment"]["TOWLINE_JOB"] == job.key
        assert Path(job.run_dir, "queue.out").read_text() == "hello\n"

    def test_a_failing_job_ends_with_its_failure(self, driver: WorkerDriver, tmp_path: Path) -> None:
        job = self.job(tmp_path, 1, ["raise", "no convergence"])
        (end,) = driver.run(job)
        failure = result_of(job, end).failure
        assert failure is not None
        assert "no convergence" in failure.message

    def test_exit_code_and_signal_are_kept(self, driver: WorkerDriver, tmp_path: Path) -> None:
        jobs = [self.job(tmp_path, 1, ["exit", 3]), self.job(tmp_path, 2, ["kill", int(signal.SIGSEGV)])]
        exited, killed = (end.exit for end in driver.run(*jobs))
        assert exited is not None
        assert killed is not None
        assert (exited.exit_code, exited.signal) == (3, None)
        assert killed.signal == signal.SIGSEGV or killed.exit_code == 128 + signal.SIGSEGV

    def test_repeating_every_step_runs_the_job_once(self, driver: WorkerDriver, tmp_path: Path) -> None:
        evidence = tmp_path / "evidence"
        job = self.job(tmp_path, 1, ["append", str(evidence), "ran"])
        for _ in range(3):
            driver.hand_over(job)
        driver.wait_for(job.key, "ended")
        driver.hand_over(job)
        driver.wait(lambda: driver.events(job.key)[-1] in ("ended", "submitted"))
        other = self.job(tmp_path, 2, ["return", 1])
        driver.run(other)
        assert lines_of(evidence) == ["ran"]

    def test_an_end_is_told_to_the_next_runner_until_it_is_acknowledged(
        self, make_driver: Callable[[], WorkerDriver], tmp_path: Path
    ) -> None:
        job = self.job(tmp_path, 1, ["return", 7])
        first = make_driver()
        first.hand_over(job)
        first.wait_for(job.key, "ended")
        first.worker.close()
        second = make_driver()
        second.worker.adopt([job])
        end = second.wait_for(job.key, "ended")
        assert output_of(job, end) == 7

    def test_a_running_job_is_adopted(self, make_driver: Callable[[], WorkerDriver], tmp_path: Path) -> None:
        job = self.job(tmp_path, 1, ["wait_for", str(tmp_path / "go")], ["return", 1])
        first = make_driver()
        first.hand_over(job)
        first.wait_for(job.key, "started")
        first.worker.close()
        second = make_driver()
        second.worker.adopt([job])
        second.wait_for(job.key, "started")
        (tmp_path / "go").touch()
        assert output_of(job, second.wait_for(job.key, "ended")) == 1

    def test_what_never_started_is_returned(self, driver: WorkerDriver, tmp_path: Path) -> None:
        job = self.job(tmp_path, 1, ["return", 1])
        driver.worker.adopt([job])
        driver.wait_for(job.key, "returned")
        (end,) = driver.run(job)
        assert output_of(job, end) == 1

    def test_a_cancelled_job_is_gone_with_its_children(self, driver: WorkerDriver, tmp_path: Path) -> None:
        pids = [tmp_path / "same group", tmp_path / "own session"]
        job = self.job(
            tmp_path,
            1,
            ["ignore_signals"],
            ["background", str(pids[0]), "attached"],
            ["background", str(pids[1]), "detached"],
            ["sleep", 300],
        )
        driver.hand_over(job)
        driver.wait(lambda: all(path.exists() and path.read_text() for path in pids))
        driver.cancel(job)
        end = driver.wait_for(job.key, "ended")
        driver.wait_for(job.key, "cancelled")
        assert end.exit is not None
        assert end.exit.reason == "cancelled"
        assert not any(is_alive(int(path.read_text())) for path in pids)

    def test_a_waiting_job_that_is_cancelled_never_starts(self, driver: WorkerDriver, tmp_path: Path) -> None:
        evidence = tmp_path / "evidence"
        job = self.job(tmp_path, 1, ["append", str(evidence), "ran"])
        driver.cancel(job)
        driver.wait_for(job.key, "cancelled")
        busy = [self.job(tmp_path, number, ["wait_for", str(tmp_path / "go")]) for number in range(2, 12)]
        waiting = self.job(tmp_path, 20, ["append", str(evidence), "ran"])
        driver.hand_over(*busy, waiting)
        driver.wait_for(busy[0].key, "started")
        driver.cancel(waiting)
        driver.wait_for(waiting.key, "cancelled")
        (tmp_path / "go").touch()
        for item in busy:
            driver.wait_for(item.key, "ended")
        assert "started" not in driver.events(waiting.key)
        assert not evidence.exists()

    def test_a_time_limit_is_kept(self, driver: WorkerDriver, tmp_path: Path) -> None:
        job = self.job(tmp_path, 1, ["sleep", 300], resources={"time_limit": 0.3})
        (end,) = driver.run(job)
        assert end.exit is not None
        assert end.exit.reason == "timeout"
        assert "0.3 seconds" in (end.exit.message or "")

    def test_a_resource_that_means_nothing_is_refused_for_good(self, driver: WorkerDriver, tmp_path: Path) -> None:
        job = self.job(tmp_path, 1, ["return", 1], resources={"time_limt": 5})
        driver.hand_over(job)
        refused = driver.wait_for(job.key, "step_failed")
        assert not refused.may_retry
        assert refused.failure is not None
        assert "did you mean 'time_limit'" in refused.failure.message

    @pytest.mark.parametrize("name", HOSTILE_NAMES)
    def test_the_name_of_a_folder_is_only_a_name(self, driver: WorkerDriver, tmp_path: Path, name: str) -> None:
        job = self.job(tmp_path, 1, ["facts"], folder=f"x/{name}/y")
        (end,) = driver.run(job)
        assert output_of(job, end)["cwd"] == job.run_dir
        assert not list(tmp_path.rglob("injected"))
