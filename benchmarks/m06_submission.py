"""Metric 6: submission of a flow into a full queue, and completion of jobs in it.

The flow has 1,000 jobs and 1,980 edges. Its floor is the driver alone: the rows of the jobs and edges, put into the
same tables with the same indexes, and undone. A large document is measured from the Python object on, against orjson.
"""

import os
import tempfile
import time
import uuid
from collections.abc import Callable

import orjson

from benchmarks.engine import SCRATCH_VARIABLE
from benchmarks.full_queue import filled
from benchmarks.measurement import Better, Figure, Options, alternate
from benchmarks.side import run_side
from towline.core.records import NewFlow, NewJob

JOBS = 1000
ROOTS = 10
LIMIT_MILLISECONDS = 100.0
WORKER = "submitted"


def flow() -> NewFlow:
    """A flow of 1,000 jobs, each after two of those before it but for the first ten."""
    uuids = [str(uuid.uuid4()) for _ in range(JOBS)]
    payload = orjson.dumps({"function": {"@callable": "step"}, "function_args": ["x" * 500]})
    jobs = tuple(
        NewJob(
            uuid=uuids[number],
            name=f"step {number % 20}",
            payload_kind="jobflow",
            payload=payload,
            parents=() if number < ROOTS else (uuids[number - 5], uuids[number - ROOTS]),
            metadata={"step": number},
        )
        for number in range(JOBS)
    )
    return NewFlow(str(uuid.uuid4()), "a thousand", jobs)


def ours(where: str, repeats: int) -> dict[str, list[float]]:
    """Milliseconds of each side, alternating, in one queue."""
    os.environ["TOWLINE_HOME"] = tempfile.mkdtemp(prefix="towline-benchmark-", dir=os.environ.get(SCRATCH_VARIABLE))
    from jobflow import Flow, Job

    from towline.jobflow.convert import flow_to_records
    from towline.store.database import Database
    from towline.store.jobs import Defaults, insert_flow

    database = Database(where)
    defaults = Defaults(worker=WORKER)

    def store(records: NewFlow) -> None:
        with database.transaction() as transaction:
            insert_flow(transaction, records, defaults)

    def submitted() -> float:
        records = flow()
        return _milliseconds(lambda: store(records))

    def driver_alone() -> float:
        jobs, edges = _rows(flow())
        connection = database.connection
        database.dialect.begin(connection)
        first = next(iter(database.dialect.new_ids(connection, "job", JOBS)))

        def insert() -> None:
            connection.executemany(_JOB, [(first + row[0], *row[1:]) for row in jobs])
            connection.executemany(_EDGE, [(first + parent, first + child) for parent, child in edges])

        taken = _milliseconds(insert)
        database.dialect.roll_back(connection)
        return taken

    large = {"values": [0.1 * number for number in range(85_000)]}

    def one_large() -> float:
        jobs = Flow([Job(dict, function_args=(large,))])
        return _milliseconds(lambda: store(flow_to_records(jobs)))

    sides = {
        "flow": submitted,
        "floor": driver_alone,
        "document": one_large,
        "orjson": lambda: _milliseconds(lambda: orjson.dumps(large)),
    }
    for side in sides.values():
        side()
    taken = alternate(repeats, sides).taken
    database.close()
    return taken


_JOB = (
    "INSERT INTO job (id, uuid, job_index, flow_id, name, state, worker, missing, payload_kind, created_at, "
    "updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_EDGE = "INSERT INTO edge (parent_id, child_id) VALUES (?, ?)"


def _rows(records: NewFlow) -> tuple[list[tuple[object, ...]], list[tuple[int, int]]]:
    positions = {job.uuid: number for number, job in enumerate(records.jobs)}
    now = time.time()
    jobs: list[tuple[object, ...]] = []
    for number, job in enumerate(records.jobs):
        state = "WAITING" if job.parents else "READY"
        jobs.append((number, job.uuid, 1, 1, job.name, state, WORKER, len(job.parents), "jobflow", now, now))
    edges = [(positions[parent], positions[job.uuid]) for job in records.jobs for parent in job.parents]
    return jobs, edges


def _milliseconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - started)


def measure(options: Options) -> list[Figure]:
    """Figures of this metric."""
    lower = Better.LOWER
    figures = []
    for kind in ("sqlite", "postgresql"):
        where = filled(kind, options.large_queue)
        taken = run_side("m06_submission", "ours", {"where": where, "repeats": 2 * options.repeats})
        what = f"{kind}, {options.large_queue:,} stored: flow of 1,000 jobs, 1,980 edges"
        figures += [
            Figure("6", what, "ms", taken["flow"], target=LIMIT_MILLISECONDS, better=lower),
            Figure("6", what, "ms", taken["flow"], "the driver alone, jobs and edges", taken["floor"], 8, lower),
            Figure(
                "6",
                f"{kind}: one job with a document of 1 MB, from the Python object on",
                "ms",
                taken["document"],
                "orjson",
                taken["orjson"],
                10,
                lower,
            ),
        ]
    return figures
