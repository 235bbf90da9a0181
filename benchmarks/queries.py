"""What users and the runner ask of the queue: metric 7 takes each of these, on a small and on a large queue."""

import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import orjson

from benchmarks.full_queue import CLAIMED_WORKER, NAMES, WORKERS
from towline.configuration.choice import load_project
from towline.core.records import ExitRecord, Result
from towline.core.states import IN_FLIGHT, FlowState, JobState
from towline.operations import flows, jobs, reports, selection
from towline.operations.compose import OpenProject
from towline.store import events, leases
from towline.store import jobs as queue
from towline.store.actions import stop
from towline.store.completion import Completion, complete
from towline.store.database import Database
from towline.store.documents import SqlOutputs
from towline.store.flow_search import FlowFilter
from towline.store.job_search import JobFilter, Page, Sort
from towline.testing.queue import add_flow

Query = Callable[[], Any]
#: The worker of the jobs that are completed.
_COMPLETED_WORKER = "completed"
_TWENTY = Page(limit=20)
#: What `tow job list` shows when nobody says how many.
_HUNDRED = Page(limit=100)


class Asked:
    """A queue that is asked questions about jobs and flows chosen at random."""

    def __init__(self, where: str, seed: int = 3) -> None:
        self.database = Database(where)
        self.opened = OpenProject(load_project(None), self.database)
        self.random = random.Random(seed)
        self.jobs = int(self.database.read("SELECT max(id) FROM job")[0][0])
        self.flows = int(self.database.read("SELECT max(id) FROM flow")[0][0])

    def job(self) -> int:
        """Row of a job."""
        return self.random.randint(1, self.jobs)

    def job_uuid(self) -> str:
        """Uuid of a job."""
        return str(self.database.read("SELECT uuid FROM job WHERE id = ?", (self.job(),))[0][0])

    def flow(self) -> int:
        """Row of a flow of some size."""
        while True:
            row = self.random.randint(1, self.flows)
            counted = self.database.read("SELECT sum(jobs) FROM flow_count WHERE flow_id = ?", (row,))[0][0]
            if counted and 20 <= counted <= 50:
                return row

    def flow_uuid(self) -> str:
        """Uuid of a flow of some size."""
        return str(self.database.read("SELECT uuid FROM flow WHERE id = ?", (self.flow(),))[0][0])

    def moment(self) -> datetime:
        """A time of the last year."""
        oldest = datetime.fromtimestamp(self.database.clock()) - timedelta(days=360)
        return oldest + timedelta(days=self.random.uniform(0, 300))


#: Each is given a queue and gives the call that is timed; what it does before is not.
Prepared = Callable[[Asked], Query]


def _list(page: Page = _TWENTY, *, details: bool = False, **fields: Any) -> Prepared:
    return lambda asked: lambda: jobs.list_jobs(asked.opened, JobFilter(**fields), page, details=details)


def _flows(page: Page = _TWENTY, *, with_jobs: bool = False, **fields: Any) -> Prepared:
    return lambda asked: lambda: flows.list_flows(asked.opened, FlowFilter(**fields), page, with_jobs=with_jobs)


def _since(asked: Asked) -> Query:
    start = asked.moment()
    wanted = JobFilter(start_date=start, end_date=start + timedelta(days=3))
    return lambda: jobs.list_jobs(asked.opened, wanted, _TWENTY)


def _state_since(asked: Asked) -> Query:
    start = asked.moment()
    wanted = JobFilter(states=(JobState.COMPLETED,), start_date=start, end_date=start + timedelta(days=3))
    return lambda: jobs.list_jobs(asked.opened, wanted, _TWENTY)


def _by_uuid(asked: Asked) -> Query:
    uuid = asked.job_uuid()
    return lambda: jobs.get_job(asked.opened, selection.job_row(asked.opened, uuid))


def _by_prefix(asked: Asked) -> Query:
    prefix = asked.job_uuid()[:13]
    return lambda: selection.job_row(asked.opened, prefix)


def _info(asked: Asked) -> Query:
    row = asked.job()
    return lambda: jobs.job_info(asked.opened, row)


def _by_process(asked: Asked) -> Query:
    rows = asked.database.read("SELECT process_id FROM job WHERE state = 'RUNNING' LIMIT 20")
    process = str(asked.random.choice(rows)[0]) if rows else "1"
    return lambda: jobs.job_of_process(asked.opened, process)


def _by_ended_process(asked: Asked) -> Query:
    process = None
    while process is None:
        process = asked.database.read("SELECT process_id FROM job WHERE id = ?", (asked.job(),))[0][0]
    return lambda: jobs.job_of_process(asked.opened, process)


def _criteria(**criteria: Any) -> Prepared:
    def prepare(asked: Asked) -> Query:
        return lambda: jobs.list_jobs(asked.opened, selection.job_filter(asked.opened, query=criteria), _TWENTY)

    return prepare


def _metadata(asked: Asked) -> Query:
    wanted = JobFilter(metadata={"campaign.id": asked.random.randrange(100)})
    return lambda: jobs.list_jobs(asked.opened, wanted, _TWENTY)


def _rare_metadata(asked: Asked) -> Query:
    wanted = JobFilter(metadata={"material": f"mp-{asked.flow()}"})
    return lambda: jobs.list_jobs(asked.opened, wanted, _TWENTY)


def _jobs_of_flow(asked: Asked) -> Query:
    uuid = asked.flow_uuid()
    return lambda: jobs.list_jobs(asked.opened, JobFilter(flow_ids=(uuid,)), _HUNDRED)


def _flow_info(asked: Asked) -> Query:
    uuid = asked.flow_uuid()
    return lambda: flows.flow_info(asked.opened, selection.flow_row(asked.opened, uuid))


def _flow_of_job(asked: Asked) -> Query:
    uuid = asked.job_uuid()
    return lambda: flows.list_flows(asked.opened, FlowFilter(job_ids=(uuid,)), _TWENTY)


def _latest_flows(asked: Asked) -> Query:
    def ask() -> object:
        newest = flows.list_flows(asked.opened, FlowFilter(), Page(limit=3))
        wanted = JobFilter(flow_ids=tuple(flow.flow_id for flow in newest))
        return jobs.list_jobs(asked.opened, wanted, _HUNDRED)

    return ask


def _journal_of_flow(asked: Asked) -> Query:
    row = asked.flow()
    return lambda: events.read_events(asked.database, flow_rows=(row,), limit=20, newest=True)


def _journal_since(asked: Asked) -> Query:
    start = datetime.fromtimestamp(asked.database.clock()) - timedelta(minutes=10)
    return lambda: events.read_events(asked.database, since=start, limit=20)


#: What users ask, by its name in the table.
ASKED: Mapping[str, Prepared] = MappingProxyType(
    {
        "job list: newest 20": _list(),
        "job list: newest 100": _list(_HUNDRED),
        "job list: newest 20 with details": _list(details=True),
        "job list: newest 20 by id": _list(Page(Sort.DB_ID, limit=20)),
        "job list: state": _list(states=(JobState.COMPLETED,)),
        "job list: rare state": _list(states=(JobState.FAILED,)),
        "job list: worker": _list(workers=(WORKERS[1],)),
        "job list: state and worker": _list(states=(JobState.COMPLETED,), workers=(WORKERS[0],)),
        "job list: state and worker, page 60": _list(
            Page(limit=20, skip=1180), states=(JobState.COMPLETED,), workers=(WORKERS[0],)
        ),
        "job list: state, by id": _list(Page(Sort.DB_ID, limit=20), states=(JobState.FAILED,)),
        "job list: in flight": _list(states=tuple(sorted(IN_FLIGHT))),
        "job list: locked": _list(locked=True),
        "job list: name": _list(name=NAMES[0]),
        "job list: beginning of the name": _list(name="phonon*"),
        "job list: name and state": _list(name=NAMES[2], states=(JobState.COMPLETED,)),
        "job list: name that nobody has": _list(name="no such name"),
        "job list: three days": _since,
        "job list: three days and state": _state_since,
        "job list: of a flow": _jobs_of_flow,
        "job list: of the 3 newest flows": _latest_flows,
        "job list: metadata of 1 % of the jobs": _metadata,
        "job list: metadata of one flow": _rare_metadata,
        "job list: criteria": _criteria(state="COMPLETED", priority={"$gte": 10}),
        "job list: id of the process": _by_process,
        "job list: id of a process that has ended": _by_ended_process,
        "job info: uuid": _by_uuid,
        "job info: beginning of the uuid": _by_prefix,
        "job info: everything": _info,
        "count: by state": lambda asked: lambda: jobs.count_jobs_by_state(asked.opened),
        "count: state and worker": lambda asked: (
            lambda: jobs.count_jobs(asked.opened, JobFilter(states=(JobState.FAILED,), workers=(WORKERS[0],)))
        ),
        "count: all": lambda asked: lambda: jobs.count_jobs(asked.opened, JobFilter()),
        "flow list: newest 20": _flows(),
        "flow list: newest 2 with their jobs": _flows(Page(limit=2), with_jobs=True),
        "flow list: state": _flows(states=(FlowState.FAILED,)),
        "flow list: name": _flows(name=f"{NAMES[0]} flow"),
        "flow list: beginning of the name": _flows(name="phonon*"),
        "flow list: name that nobody has": _flows(name="no such name"),
        "flow list: locked": _flows(locked=True),
        "flow list: metadata": _flows(metadata={"campaign": 7}),
        "flow info": _flow_info,
        "flow of a job": _flow_of_job,
        "count: all flows": lambda asked: lambda: flows.count_flows(asked.opened, FlowFilter()),
        "count: flows in a state": lambda asked: (
            lambda: flows.count_flows(asked.opened, FlowFilter(states=(FlowState.COMPLETED,)))
        ),
        "job report: days": lambda asked: lambda: reports.jobs_report(asked.opened),
        "job report: weeks": lambda asked: lambda: reports.jobs_report(asked.opened, reports.Interval.WEEKS),
        "job report: months": lambda asked: lambda: reports.jobs_report(asked.opened, reports.Interval.MONTHS),
        "flow report: days": lambda asked: lambda: reports.flows_report(asked.opened),
        "flow report: months": lambda asked: lambda: reports.flows_report(asked.opened, reports.Interval.MONTHS),
        "events: newest 20": lambda asked: lambda: events.read_events(asked.database, limit=20, newest=True),
        "events: of a flow": _journal_of_flow,
        "events: of the last 10 minutes": _journal_since,
    }
)


def _claim(number: int) -> Prepared:
    """Claim jobs; the next call gives those of the one before back first."""
    of_queue: dict[Asked, list[queue.QueuedJob]] = {}

    def prepare(asked: Asked) -> Query:
        taken = of_queue.setdefault(asked, [])
        if taken:
            back = ((JobState.READY, None),)
            with asked.database.transaction() as transaction:
                moves = [queue.Move(job, JobState.CHECKED_OUT, back, None, {"lease_owner": None}) for job in taken]
                queue.apply_moves(transaction, moves)
            taken.clear()

        def ask() -> None:
            with asked.database.transaction() as transaction:
                taken.extend(job for job, _ in queue.claim(transaction, CLAIMED_WORKER, number, owner=1))
            if len(taken) != number:
                raise RuntimeError(f"{len(taken)} jobs instead of {number}")

        return ask

    return prepare


def _complete(number: int) -> Prepared:
    """Complete jobs of a flow in which each has two children; submitting and claiming them is not timed."""

    def prepare(asked: Asked) -> Query:
        with asked.database.transaction() as transaction:
            left = transaction.execute("SELECT id FROM job WHERE worker = ? AND state = 'READY'", (_COMPLETED_WORKER,))
            stop(transaction, [row[0] for row in left.fetchall()])
        graph: dict[str, list[str]] = {f"parent {index}": [] for index in range(number)}
        graph |= {f"child {index}": [f"parent {index // 2}"] for index in range(2 * number)}
        add_flow(asked.database, graph, worker=_COMPLETED_WORKER, name="benchmark")
        with asked.database.transaction() as transaction:
            claimed = queue.claim(transaction, _COMPLETED_WORKER, number, owner=1)
        now = asked.database.clock()
        exit_record = ExitRecord(0, None, "exited", now, now, "here")
        completions = [
            Completion(job, JobState.CHECKED_OUT, Result(output=_output(job)), exit_record, "/run", "77")
            for job, _ in claimed
        ]

        def ask() -> None:
            with asked.database.transaction() as transaction:
                complete(transaction, completions, lambda _: SqlOutputs())

        if len(claimed) != number:
            raise RuntimeError(f"{len(claimed)} jobs instead of {number}")
        return ask

    return prepare


def _output(job: queue.QueuedJob) -> bytes:
    return orjson.dumps({"uuid": job.uuid, "index": job.index, "output": {"energy": -1.5}, "name": job.name})


def _pause(number: int) -> Prepared:
    def prepare(asked: Asked) -> Query:
        rows = [
            row[0]
            for row in asked.database.read(
                "SELECT id FROM job WHERE worker = ? AND state IN ('READY', 'PAUSED') LIMIT ?",
                (CLAIMED_WORKER, number),
            )
        ]
        jobs.resume_jobs(asked.opened, rows)
        return lambda: jobs.pause_jobs(asked.opened, rows)

    return prepare


#: What the runner does in its rounds, and what changes the queue.
DONE: Mapping[str, Prepared] = MappingProxyType(
    {
        "runner: next delayed attempt": lambda asked: lambda: queue.next_delayed(asked.database, 0.0),
        "runner: jobs to take over": lambda asked: lambda: queue.any_to_take_over(asked.database, 7, list(WORKERS)),
        "runner: ends asked for": lambda asked: lambda: asked.database.read("SELECT 1 FROM cancellation"),
        "runner: requests": lambda asked: lambda: leases.requested(asked.database, 1),
        "runner: has anything changed": lambda asked: lambda: asked.database.data_version(),
        "claim 1": _claim(1),
        "claim 10": _claim(10),
        "complete 1, release 2 children": _complete(1),
        "complete 10, release 20 children": _complete(10),
        "pause 1 job": _pause(1),
        "pause 10 jobs": _pause(10),
    }
)
