"""The workers of a project, as their runner sees them, and logging in to those that ask for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

import orjson

from towline.configuration.hosts import host_of, workers_on
from towline.core.states import IN_FLIGHT, JobState
from towline.errors import InvalidRequest
from towline.store import leases

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject
    from towline.workers.transports.ssh import SshTransport


class WorkerState(str, Enum):
    """Whether a worker takes jobs."""

    CONNECTED = "connected"
    NOT_ASKED = "not asked yet"  #: no job has needed it since the runner began
    LOGIN_NEEDED = "login needed"  #: jobs wait until a person has logged in, or renewed a key or certificate
    UNREACHABLE = "unreachable"  #: jobs wait; it is tried again and again
    ENVIRONMENT_DIFFERS = "other versions"  #: Python jobs wait until the packages there are those of here
    TROUBLED = "in trouble"  #: it answers, but its scheduler does not
    CLOSED = "takes no jobs"  #: max_jobs is 0
    NO_RUNNER = "no runner"  #: nobody looks


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """One worker."""

    name: str
    type: str
    scheduler_type: str
    host: str | None
    state: WorkerState
    #: Why it does not take jobs, with what to do about it.
    problem: str | None
    max_jobs: int
    #: Jobs of the queue by state: those that are there, and those that wait for it.
    jobs: Mapping[str, int] = field(default_factory=dict)
    #: max_jobs_per_host of its host, and how many jobs are there, over all of its workers.
    host_limit: int | None = None
    jobs_on_host: int = 0

    @property
    def wait_for_host(self) -> str | None:
        """A sentence, when jobs wait because its host has as many as it may have."""
        if self.host_limit is None or self.jobs_on_host < self.host_limit or not self.jobs.get(JobState.READY.value):
            return None
        where = "this machine" if self.type == "local" else f"the host {self.host}"
        there = f"{self.jobs_on_host} are there, max_jobs_per_host is {self.host_limit}"
        return f"its jobs wait for a free place on {where}: {there}"

    @property
    def in_flight(self) -> int:
        """How many jobs the worker has."""
        return sum(count for state, count in self.jobs.items() if JobState(state) in IN_FLIGHT)


def worker_reports(opened: "OpenProject") -> list[WorkerReport]:
    """All workers of a project."""
    record = leases.holder(opened.database)
    told: Mapping[str, Any] | None = None
    if record is not None and record.expires_at > opened.database.clock():
        told = orjson.loads(record.status) if record.status else {}
    rows = opened.database.read("SELECT worker, state, jobs FROM worker_count WHERE jobs > 0")
    counts: dict[str, dict[str, int]] = {}
    for worker, state, jobs in rows:
        counts.setdefault(worker, {})[state] = jobs
    reports = []
    for name, config in opened.project.workers.items():
        facts = None if told is None else told.get(name, {})
        state = WorkerState.CLOSED if config.job_limit == 0 else _state(facts)
        problem = None if facts is None else facts.get("problem")
        # What the user set; of a batch worker it is the number of allocations.
        limit = config.job_limit if config.batch is None else config.max_jobs or 0
        details = (config.type, config.scheduler_type, config.host, state, problem, limit)
        reports.append(WorkerReport(name, *details, counts.get(name, {})))
    return [_with_host(opened, report, reports) for report in reports]


def _with_host(opened: "OpenProject", report: WorkerReport, reports: Sequence[WorkerReport]) -> WorkerReport:
    host = host_of(opened.project.workers[report.name])
    there = workers_on(opened.project, host)
    jobs = sum(other.in_flight for other in reports if other.name in there)
    return replace(report, host_limit=opened.project.max_jobs_per_host.get(host), jobs_on_host=jobs)


def _state(facts: Mapping[str, Any] | None) -> WorkerState:
    if facts is None:
        return WorkerState.NO_RUNNER
    if facts.get("login_needed"):
        return WorkerState.LOGIN_NEEDED
    if facts.get("environment_differs"):
        return WorkerState.ENVIRONMENT_DIFFERS
    if "connected" not in facts:
        return WorkerState.NOT_ASKED
    if not facts["connected"]:
        return WorkerState.UNREACHABLE if facts.get("problem") else WorkerState.NOT_ASKED
    return WorkerState.TROUBLED if facts.get("problem") else WorkerState.CONNECTED


def notes(opened: "OpenProject") -> list[str]:
    """A sentence about each worker that keeps jobs waiting."""
    return [
        f"{_jobs(waiting)} wait{'s' if waiting == 1 else ''} for the worker {report.name}: {report.problem}"
        for report in worker_reports(opened)
        if report.problem and (waiting := sum(report.jobs.get(state, 0) for state in _AWAITING)) > 0
    ]


_AWAITING = [state.value for state in sorted(IN_FLIGHT | {JobState.READY})]


def _jobs(number: int) -> str:
    return f"{number} job" if number == 1 else f"{number} jobs"


def log_in(opened: "OpenProject", name: str) -> str:
    """Log in to a worker on the terminal of the user; the connection stays for the runner. Say what came of it.

    Raises
    ------
    InvalidRequest
        The worker is on this machine.
    ConnectionFailed
        The login did not succeed.
    """
    transport = _ssh_transport(opened, name)
    transport.login()
    health = transport.check()
    opened.wake_runner()
    left = health.certificate_seconds_left
    until = "" if left is None else f"; the certificate is valid for {left / 3600:.1f} h more"
    return (
        f"connected to {opened.project.workers[name].host}{until}; the connection stays, and jobs go on by themselves"
    )


def log_out(opened: "OpenProject", name: str) -> str:
    """End the connection to a worker, also one that somebody logged in for; jobs go on running there.

    Raises
    ------
    InvalidRequest
        The worker is on this machine.
    """
    _ssh_transport(opened, name).disconnect()
    return f"the connection to {opened.project.workers[name].host} has ended; jobs there go on running"


def _ssh_transport(opened: "OpenProject", name: str) -> "SshTransport":
    # Lists of jobs say what workers they wait for, and need no way to these.
    from towline.operations.workers import transport_of
    from towline.workers.transports.ssh import SshTransport

    name, config = opened.project.worker(name)
    transport = transport_of(name, config)
    if not isinstance(transport, SshTransport):
        raise InvalidRequest(f"the worker {name} is on this machine; nobody has to log in to it")
    return transport
