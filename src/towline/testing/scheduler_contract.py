"""What every batch scheduler has to do: a suite of tests to be bound to each dialect and a site where it runs.

Subclass :class:`SchedulerContract` in a test module, and give it the fixture `site`: something with a function `run`,
which runs shell text on the login node as the user of the jobs, and a function `work_dir`, which makes a folder of that
user that the nodes see under the same path::

    class TestSlurm(SchedulerContract):
        scheduler = Slurm()
        resources = {"account": "physics", "time": "1"}
        refused_resources = {"partition": "nowhere"}

        @pytest.fixture(scope="session")
        def site(self, slurm_cluster):
            return slurm_cluster
"""

import itertools
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pytest

from towline.core.records import ShellSetup
from towline.errors import InvalidRequest
from towline.testing.waiting import wait_until
from towline.workers.schedulers.scheduler import (
    QUEUE_ID_FILE,
    BatchScript,
    EndReason,
    JobStatus,
    Outcome,
    QueuedJob,
    QueueState,
    Scheduler,
    StatusAnswer,
    Submission,
    Submitted,
    job_name,
    mark,
)

#: Names of run folders that a shell or a careless program would stumble over.
HOSTILE_NAMES = (
    "with space",
    "quote ' and \" quote",
    "$(touch injected)",
    "`touch injected`; touch injected &",
    "-rf",
    "*?[a]{b,c}~",
)

#: Where the numbers of attempts begin is the time, so that nothing of an earlier run of the tests is found by its mark.
_numbers = itertools.count(int(time.time()))


class Site(Protocol):
    """A machine with a scheduler."""

    def run(self, text: str) -> subprocess.CompletedProcess[str]:
        """Run shell text on the login node, as the user of the jobs."""

    def work_dir(self, name: str) -> Path:
        """A new folder of that user, which the nodes see too."""


class SchedulerDriver:
    """Submits jobs and asks about them, as a worker does.

    Parameters
    ----------
    resources
        What every job asks for.
    """

    def __init__(self, scheduler: Scheduler, site: Site, folder: Path, resources: Mapping[str, Any]) -> None:
        self.scheduler, self.site, self.folder, self.resources = scheduler, site, folder, resources

    def prepare(self, command: str, name: str = "", **details: Any) -> Submission:
        """Make the run folder of a job of shell text."""
        number = next(_numbers)
        run_dir = self.folder / (name or f"job {number}")
        run_dir.mkdir()
        own_mark = mark(f"{number:032x}"[::-1], 1, 1)
        details.setdefault("resources", {})
        batch = BatchScript(str(run_dir), own_mark, ("bash", "-c", command), name=name or "plain", **details)
        text = self.scheduler.script(replace(batch, resources={**self.resources, **batch.resources}))
        (run_dir / "submit.sh").write_text(text)
        shutil.chown(run_dir, self.folder.owner())
        return Submission(str(run_dir), own_mark)

    def submit(self, *submissions: Submission, settle_seconds: float = 90) -> list[Submitted]:
        """Submit all of them in one command."""
        done = self.site.run(self.scheduler.submit_command(submissions, settle_seconds=settle_seconds))
        return self.scheduler.read_submissions(done.stdout, submissions)

    def accepted(self, command: str, name: str = "", **details: Any) -> QueuedJob:
        """Submit one job, which has to be accepted."""
        return self.queued(self.submit(self.prepare(command, name, **details)))[0]

    def queued(self, submitted: Sequence[Submitted]) -> list[QueuedJob]:
        """The jobs of submissions, which all have to be accepted."""
        for one in submitted:
            assert one.queue_id is not None, one
        return [QueuedJob(str(one.queue_id), one.submission.mark, one.submitted_at) for one in submitted]

    def look(self, *jobs: QueuedJob) -> StatusAnswer:
        """One status query, and one to the accounting for those that left the queue."""
        first = self.scheduler.read_status(self.site.run(self.scheduler.status_command(jobs)).stdout, jobs)
        left = [job for job in jobs if job.queue_id in first.missing]
        if not left:
            return first
        second = self.scheduler.read_accounting(self.site.run(self.scheduler.accounting_command(left)).stdout, left)
        return StatusAnswer({**first.statuses, **second.statuses}, second.missing, second.problem)

    def wait_for(self, state: QueueState, *jobs: QueuedJob, timeout_seconds: float = 60) -> list[JobStatus]:
        """Look again and again until all jobs are in a state."""
        seen: dict[str, JobStatus] = {}

        def all_there() -> bool:
            seen.update(self.look(*jobs).statuses)
            return all(seen[job.queue_id].state is state for job in jobs)

        try:
            wait_until(all_there, timeout_seconds, state.value)
        except AssertionError as error:
            raise AssertionError(f"{error}; the last answer was {seen}") from error
        return [seen[job.queue_id] for job in jobs]

    def end_of(self, job: QueuedJob, timeout_seconds: float = 60) -> JobStatus:
        """Wait for the end of a job."""
        return self.wait_for(QueueState.ENDED, job, timeout_seconds=timeout_seconds)[0]

    def cancel(self, *jobs: QueuedJob) -> None:
        """End jobs."""
        done = self.site.run(self.scheduler.cancel_command([job.queue_id for job in jobs]))
        assert self.scheduler.read_cancellation(done.stdout) is None


class SchedulerContract:
    """Tests for a dialect."""

    scheduler: ClassVar[Scheduler]
    #: What every job asks for.
    resources: ClassVar[Mapping[str, Any]] = {}
    #: What no job gets.
    refused_resources: ClassVar[Mapping[str, Any]]
    #: What makes a job wait for a person, and in which state it waits.
    held_resources: ClassVar[Mapping[str, Any]]
    #: The program that submits, for tests in which its shell dies.
    program: ClassVar[str]
    #: How the scheduler reports a script that killed itself.
    signal_end: ClassVar[tuple[EndReason, int | None, int | None]] = (EndReason.SIGNAL, None, 9)
    #: Whether the accounting tells a cancelled job from one that was killed, and knows one that never started.
    tells_cancellation: ClassVar[bool] = True
    remembers_never_started: ClassVar[bool] = True
    many: ClassVar[int] = 20

    @pytest.fixture
    def jobs(self, site: Site, request: pytest.FixtureRequest) -> SchedulerDriver:
        """Submits jobs at the site."""
        folder = site.work_dir(f"w{next(_numbers)}")
        return SchedulerDriver(self.scheduler, site, folder, self.resources)

    def test_a_job_that_works_is_completed_and_leaves_its_output(self, jobs: SchedulerDriver) -> None:
        job = jobs.accepted("echo out; echo err >&2", "fine")
        status = jobs.end_of(job)
        assert status.end is not None
        assert (status.end.reason, status.end.exit_code) == (EndReason.COMPLETED, 0)
        assert wait_until(lambda: read(jobs.folder / "fine" / "queue.out")) == "out\n"
        assert wait_until(lambda: read(jobs.folder / "fine" / "queue.err")) == "err\n"
        assert status.started_at is not None
        assert status.ended_at is not None
        assert abs(status.ended_at - time.time()) < 120
        assert status.nodes

    def test_the_exit_code_of_a_job_is_known(self, jobs: SchedulerDriver) -> None:
        end = jobs.end_of(jobs.accepted("exit 3")).end
        assert end is not None
        assert (end.reason, end.exit_code, end.signal) == (EndReason.EXIT_CODE, 3, None)

    def test_a_signal_that_ended_a_job_is_known(self, jobs: SchedulerDriver) -> None:
        end = jobs.end_of(jobs.accepted("kill -9 $PPID")).end
        assert end is not None
        assert (end.reason, end.exit_code, end.signal) == self.signal_end

    def test_many_jobs_are_submitted_in_one_command(self, jobs: SchedulerDriver) -> None:
        submissions = [jobs.prepare(f"echo {number}", f"many {number}") for number in range(self.many)]
        submitted = jobs.submit(*submissions)
        assert {one.outcome for one in submitted} == {Outcome.SUBMITTED}
        queued = jobs.queued(submitted)
        assert len({job.queue_id for job in queued}) == self.many
        ended = jobs.wait_for(QueueState.ENDED, *queued, timeout_seconds=200)
        assert {status.end.reason for status in ended if status.end} == {EndReason.COMPLETED}
        for number in range(self.many):
            assert (jobs.folder / f"many {number}" / "queue.out").read_text() == f"{number}\n"

    def test_what_was_submitted_is_not_submitted_again(self, jobs: SchedulerDriver) -> None:
        submission = jobs.prepare("echo once >>runs", "once")
        first, second = jobs.submit(submission)[0], jobs.submit(submission)[0]
        assert (first.outcome, second.outcome) == (Outcome.SUBMITTED, Outcome.RECORDED)
        assert first.queue_id == second.queue_id
        assert second.submitted_at is not None
        jobs.end_of(jobs.queued([first])[0])
        assert (jobs.folder / "once" / "runs").read_text() == "once\n"
        assert jobs.submit(submission)[0].queue_id == first.queue_id

    def test_a_shell_that_dies_before_the_record_submits_nothing_twice(self, jobs: SchedulerDriver, site: Site) -> None:
        submissions = [
            jobs.prepare("echo once >>runs", f"dies {number}", resources=self.held_resources) for number in (1, 2)
        ]
        # The program of the scheduler, which kills the shell that called it once it has submitted.
        wrapper = jobs.folder / "bin" / self.program
        wrapper.parent.mkdir()
        wrapper.write_text(
            f'#!/bin/bash\nPATH=${{PATH#*:}}; {self.program} "$@"\ncode=$?\n'
            'read -r victim <"${0%/*}/shell"; kill -9 "$victim"; exit $code\n'
        )
        wrapper.chmod(0o755)
        shutil.chown(wrapper.parent, jobs.folder.owner())
        text = self.scheduler.submit_command(submissions)
        done = site.run(
            f"cd {jobs.folder}/bin; bash -c 'echo $$ >shell; PATH=$PWD:$PATH; . /dev/stdin' <<'TEXT'\n{text}\nTEXT\n"
        )
        assert self.scheduler.read_submissions(done.stdout, submissions)[0].outcome is Outcome.UNDECIDED
        assert not (jobs.folder / "dies 1" / QUEUE_ID_FILE).exists()
        again = jobs.submit(*submissions)
        assert [one.outcome for one in again] == [Outcome.FOUND, Outcome.SUBMITTED]
        queued = jobs.queued(again)
        assert {status.state for status in jobs.look(*queued).statuses.values()} == {QueueState.HELD}
        jobs.cancel(*queued)

    def test_a_submission_of_which_nothing_is_known_is_made_again_when_it_is_old(self, jobs: SchedulerDriver) -> None:
        submission = jobs.prepare("echo once >>runs", "old")
        run_dir = Path(submission.run_dir)
        (run_dir / "towline_submit.1").touch()
        shutil.chown(run_dir / "towline_submit.1", run_dir.owner())
        assert jobs.submit(submission)[0].outcome is Outcome.UNDECIDED
        again = jobs.submit(submission, settle_seconds=0)[0]
        assert again.outcome is Outcome.SUBMITTED
        jobs.end_of(jobs.queued([again])[0])
        assert (run_dir / "runs").read_text() == "once\n"

    def test_of_two_submissions_of_an_attempt_only_one_runs(self, jobs: SchedulerDriver) -> None:
        submission = jobs.prepare("echo once >>runs", "twice")
        first = jobs.queued(jobs.submit(submission))[0]
        jobs.end_of(first)
        run_dir = Path(submission.run_dir)
        for name in (QUEUE_ID_FILE, "towline_submit.1"):
            (run_dir / name).unlink()
        second = jobs.queued(jobs.submit(submission))[0]
        jobs.end_of(second)
        assert second.queue_id != first.queue_id
        assert (run_dir / "runs").read_text() == "once\n"

    def test_a_running_job_is_told_and_can_be_cancelled(self, jobs: SchedulerDriver) -> None:
        job = jobs.accepted("sleep 100")
        status = jobs.wait_for(QueueState.RUNNING, job)[0]
        assert status.started_at is not None
        assert status.nodes
        assert status.end is None
        jobs.cancel(job)
        end = jobs.end_of(job).end
        assert end is not None
        assert end.reason is EndReason.CANCELLED if self.tells_cancellation else end.reason is EndReason.SIGNAL
        jobs.cancel(job)

    def test_a_held_job_is_told_and_can_be_cancelled(self, jobs: SchedulerDriver) -> None:
        job = jobs.accepted("touch ran", "held", resources=self.held_resources)
        assert jobs.wait_for(QueueState.HELD, job)[0].end is None
        jobs.cancel(job)
        if self.remembers_never_started:
            end = jobs.end_of(job).end
            assert end is not None
            assert end.reason in (EndReason.CANCELLED, EndReason.NEVER_STARTED)
        else:
            wait_until(lambda: jobs.look(job).missing == (job.queue_id,), 20)
            assert jobs.look(job).statuses[job.queue_id].state is QueueState.UNKNOWN
        assert not (jobs.folder / "held" / "ran").exists()

    def test_a_refusal_is_explained_and_harms_no_other_job(self, jobs: SchedulerDriver) -> None:
        refused = jobs.prepare("true", resources=self.refused_resources)
        gone = replace(refused, run_dir=str(jobs.folder / "gone"))
        fine = jobs.prepare("true")
        answers = jobs.submit(refused, gone, fine)
        assert [one.outcome for one in answers] == [Outcome.REFUSED, Outcome.REFUSED, Outcome.SUBMITTED]
        refusal = answers[0].refusal
        assert refusal is not None
        assert refusal.message
        assert refusal.remedy
        assert refusal.may_retry is False
        assert refusal.exit_code
        assert answers[1].refusal is not None
        assert "gone" in answers[1].refusal.message
        # What was refused can be submitted at once when its cause is gone.
        name = job_name("better", refused.mark)
        lines = self.scheduler.directives({**self.resources}, job_name=name)
        Path(refused.run_dir, "submit.sh").write_text("\n".join(["#!/bin/bash", *lines, "true\n"]))
        assert jobs.submit(refused)[0].outcome is Outcome.SUBMITTED

    @pytest.mark.parametrize("name", HOSTILE_NAMES)
    def test_names_are_never_executed(self, jobs: SchedulerDriver, name: str) -> None:
        setup = ShellSetup(export={"VALUE": f"{name}\n$(touch injected)"})
        job = jobs.accepted('printf "%s" "$VALUE" >value', name, setup=setup)
        end = jobs.end_of(job).end
        assert end is not None
        assert end.reason is EndReason.COMPLETED
        assert (jobs.folder / name / "value").read_text() == f"{name}\n$(touch injected)"
        assert not list(jobs.folder.rglob("injected"))

    def test_an_id_that_nobody_gave_is_unknown(self, jobs: SchedulerDriver) -> None:
        nobody = QueuedJob("987654", mark("f" * 32, 1, 1), time.time())
        answer = jobs.look(nobody)
        assert answer.statuses[nobody.queue_id].state is QueueState.UNKNOWN
        assert answer.missing == (nobody.queue_id,)

    def test_an_id_that_was_given_again_is_unknown(self, jobs: SchedulerDriver) -> None:
        job = jobs.accepted("true")
        jobs.end_of(job)
        other = QueuedJob(job.queue_id, mark("e" * 32, 1, 1), time.time() - 86400)
        assert jobs.look(other).statuses[job.queue_id].state is QueueState.UNKNOWN

    def test_an_answer_that_is_cut_off_says_nothing(self, jobs: SchedulerDriver, site: Site) -> None:
        job = jobs.accepted("exit 3")
        jobs.end_of(job)
        for command, read in (
            (self.scheduler.status_command([job]), self.scheduler.read_status),
            (self.scheduler.accounting_command([job]), self.scheduler.read_accounting),
        ):
            output = site.run(command).stdout
            for length in {0, 5, len(output) // 2, len(output) - 2}:
                answer = read(output[:length], [job])
                assert answer.statuses[job.queue_id].state is QueueState.UNKNOWN
                assert answer.missing == ()
                assert answer.problem

    def test_a_login_that_chatters_does_no_harm(self, jobs: SchedulerDriver, site: Site) -> None:
        job = jobs.accepted("exit 3")
        jobs.end_of(job)
        output = site.run(f"echo Welcome; {self.scheduler.accounting_command([job])}\necho Goodbye").stdout
        end = self.scheduler.read_accounting(output, [job]).statuses[job.queue_id].end
        assert end is not None
        assert end.exit_code == 3

    def test_a_site_without_the_programs_is_a_problem_of_the_worker(self, jobs: SchedulerDriver, site: Site) -> None:
        job = jobs.accepted("true")
        jobs.end_of(job)
        programs = "base64 tr id date cat rm mv stat awk timeout"
        without = f"mkdir -p empty; for p in {programs}; do ln -sf /usr/bin/$p empty/; done; PATH=$PWD/empty\n"
        answer = self.scheduler.read_status(
            site.run(f"cd {jobs.folder}; {without}{self.scheduler.status_command([job])}").stdout, [job]
        )
        assert answer.problem
        assert answer.missing == ()
        submission = jobs.prepare("true")
        done = site.run(f"cd {jobs.folder}; {without}{self.scheduler.submit_command([submission])}")
        refusal = self.scheduler.read_submissions(done.stdout, [submission])[0].refusal
        assert refusal is not None
        assert self.program in refusal.remedy

    def test_the_site_can_be_checked(self, site: Site) -> None:
        facts = self.scheduler.read_check(site.run(self.scheduler.check_command()).stdout)
        assert facts.version
        assert facts.problems == ()
        assert facts.has_accounting
        assert any(queue.is_open for queue in facts.queues)
        nothing = self.scheduler.read_check("")
        assert nothing.problems
        assert nothing.version is None

    def test_a_resource_that_does_not_exist_is_refused_with_near_names(self) -> None:
        with pytest.raises(InvalidRequest, match="did you mean"):
            self.scheduler.directives({"wall_time": "1"}, job_name="x")
        with pytest.raises(InvalidRequest, match="one line"):
            self.scheduler.directives({"account": "a\nb"}, job_name="x")

    def test_free_lines_come_after_the_directives(self) -> None:
        lines = self.scheduler.directives({"qverbatim": "# one\n# two", "account": "a"}, job_name="x")
        assert lines[-2:] == ["# one", "# two"]


def read(file: Path) -> str | None:
    """Content of a file, None as long as it is missing or empty."""
    return file.read_text() or None if file.exists() else None
