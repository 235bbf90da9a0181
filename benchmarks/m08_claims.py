"""Metric 8: four processes claim from one queue, alone, and beside one that submits and one that lists.

Only one runner at a time holds the lease of a project; what is measured is what keeps two of them apart when a lease
moves: the claims themselves, by processes that know nothing of each other. The floor is the same number of processes
with the driver alone, which change the state of the next jobs in the same table: no journal, counters or documents.
Beside it the driver does once more what a claim has to leave behind: the same rows, written without any rule. These
are compared with towline alone; the waits are those with the clients beside it.
"""

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.full_queue import CLAIMED_WORKER, filled
from benchmarks.measurement import Better, Figure, Options
from benchmarks.side import run_side

PROCESSES = 4
SECONDS = 5.0
#: Until everybody has begun.
_LEAD_SECONDS = 3.0

_RAW = (
    "UPDATE job SET state = 'CHECKED_OUT', previous_state = 'READY', lease_owner = ?, updated_at = ? "
    "WHERE +job.state = 'READY' AND id IN ("
    "SELECT id FROM job WHERE worker = ? AND state = 'READY' ORDER BY priority DESC, id LIMIT ? /* skip locked */) "
    "RETURNING id, flow_id"
)

#: What the processes do: claims of towline, the driver alone, or the driver with the rows that a claim leaves behind.
OURS, DRIVER, ROWS = "ours", "driver", "rows"


def drain(where: str, batch: int, number: int, starts_at: float, side: str) -> dict[str, Any]:
    """Claim until the time is over or nothing is left: ids, the longest wait in milliseconds, claims a second."""
    from towline.store import jobs
    from towline.store.database import Database

    database = Database(where, actor=f"runner {number}")
    ids: list[int] = []
    waits: list[float] = []
    time.sleep(max(0.0, starts_at - time.time()))
    began = time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        started = time.perf_counter()
        if side == DRIVER:
            claimed = _claim_raw(database, number, batch)
        elif side == ROWS:
            claimed = _claim_rows(database, number, batch)
        else:
            with database.transaction() as transaction:
                claimed = [job.id for job, _ in jobs.claim(transaction, CLAIMED_WORKER, batch, owner=number)]
        waits.append(1000 * (time.perf_counter() - started))
        ids.extend(claimed)
        if not claimed:
            break
    seconds = time.perf_counter() - began
    database.close()
    waits.sort()
    return {"ids": ids, "worst": waits[-1], "p99": waits[int(0.99 * (len(waits) - 1))], "rate": len(ids) / seconds}


def _claim_raw(database: Any, number: int, batch: int) -> list[int]:
    parameters = (number, time.time(), CLAIMED_WORKER, batch)
    # Without a transaction around it: SQLite and PostgreSQL make each statement one.
    rows = database._patiently(lambda: database.connection.execute(_RAW, parameters).fetchall())
    return [row[0] for row in rows]


def _claim_rows(database: Any, number: int, batch: int) -> list[int]:
    """The statements of a claim without what decides about them in Python."""
    connection, now = database.connection, time.time()
    database._patiently(lambda: database.dialect.begin(connection))
    rows = connection.execute(_RAW, (number, now, CLAIMED_WORKER, batch)).fetchall()
    ids, flows = json.dumps([row[0] for row in rows]), Counter(row[1] for row in rows)
    connection.execute(
        "SELECT job_id, payload, settings FROM job_document WHERE job_id IN (SELECT value FROM json_each(?))", (ids,)
    ).fetchall()
    connection.executemany(
        "INSERT INTO flow_count (flow_id, state, jobs) VALUES (?, ?, ?) "
        "ON CONFLICT (flow_id, state) DO UPDATE SET jobs = flow_count.jobs + excluded.jobs",
        [
            (flow, state, sign * jobs)
            for flow, jobs in flows.items()
            for state, sign in (("READY", -1), ("CHECKED_OUT", 1))
        ],
    )
    connection.executemany(
        "UPDATE worker_count SET jobs = jobs + ? WHERE worker = ? AND state = ?",
        [(-len(rows), CLAIMED_WORKER, "READY"), (len(rows), CLAIMED_WORKER, "CHECKED_OUT")],
    )
    connection.executemany("UPDATE flow SET updated_at = ? WHERE id = ?", [(now, flow) for flow in flows])
    connection.executemany(
        "INSERT INTO event (job_id, flow_id, at, from_state, to_state, actor) VALUES (?, ?, ?, ?, ?, ?)",
        [(job_id, flow_id, now, "READY", "CHECKED_OUT", "benchmark") for job_id, flow_id in rows],
    )
    database.dialect.commit(connection)
    return [row[0] for row in rows]


def submit_and_list(where: str, starts_at: float, submits: bool) -> list[float]:
    """A client beside the claims: milliseconds of each of its calls."""
    from benchmarks.m06_submission import flow
    from towline.store.database import Database
    from towline.store.job_search import JobFilter, Page, find_jobs
    from towline.store.jobs import Defaults, insert_flow

    database = Database(where)
    times = []
    time.sleep(max(0.0, starts_at - time.time()))
    ends = time.perf_counter() + SECONDS
    while time.perf_counter() < ends:
        records = flow() if submits else None
        started = time.perf_counter()
        if records is None:
            find_jobs(database, JobFilter(), Page(limit=20))
        else:
            with database.transaction() as transaction:
                insert_flow(transaction, records, Defaults(worker="submitted"))
        times.append(1000 * (time.perf_counter() - started))
        time.sleep(0.2 if submits else 0.02)
    database.close()
    return times


def give_back(where: str, counted: bool) -> int:
    """Make every claimed job READY again; `counted` when the counters know of the claims."""
    from towline.core.states import JobState
    from towline.store.database import Database

    database = Database(where)
    with database.transaction() as transaction:
        rows = transaction.execute(
            "UPDATE job SET state = 'READY', lease_owner = NULL WHERE state = 'CHECKED_OUT' AND worker = ? "
            "RETURNING id, flow_id",
            (CLAIMED_WORKER,),
        ).fetchall()
        if counted:
            for job_id, flow_id in rows:
                transaction.record(job_id, flow_id, CLAIMED_WORKER, JobState.CHECKED_OUT, JobState.READY)
    database.close()
    return len(rows)


def _together(where: str, batch: int, side: str, *, clients: bool = False) -> tuple[list[dict[str, Any]], list[float]]:
    starts_at = time.time() + _LEAD_SECONDS
    with ThreadPoolExecutor(PROCESSES + 2) as pool:
        runners = [
            pool.submit(
                run_side,
                "m08_claims",
                "drain",
                {"where": where, "batch": batch, "number": number, "starts_at": starts_at, "side": side},
            )
            for number in range(1, PROCESSES + 1)
        ]
        beside = [
            pool.submit(
                run_side, "m08_claims", "submit_and_list", {"where": where, "starts_at": starts_at, "submits": submits}
            )
            for submits in ((True, False) if clients else ())
        ]
        taken = [runner.result() for runner in runners]
        listed = beside[1].result() if clients else []
        for client in beside:
            client.result()
    run_side("m08_claims", "give_back", {"where": where, "counted": side != DRIVER})
    return taken, listed


def measure(options: Options) -> list[Figure]:
    """Figures of this metric."""
    figures = []
    for kind in ("sqlite", "postgresql"):
        where = filled(kind, options.large_queue)
        for batch in (100, 1):
            ours, _ = _together(where, batch, OURS)
            floor, _ = _together(where, batch, DRIVER)
            rows, _ = _together(where, batch, ROWS)
            beside, listed = _together(where, batch, OURS, clients=True)
            what = f"{kind}, {PROCESSES} processes, {batch} at a time"
            figures += _figures(what, ours, floor, rows)
            figures += _figures_beside_clients(f"{what}, beside two clients", beside, listed)
    return figures


def _figures(
    what: str, ours: list[dict[str, Any]], floor: list[dict[str, Any]], rows: list[dict[str, Any]]
) -> list[Figure]:
    rates = [_rate(side) for side in (ours, floor, rows)]
    worst = [max(taken["worst"] for taken in side) for side in (ours, floor)]
    return [
        _doubles(what, ours),
        Figure("8", f"{what}: claims", "jobs/s", [rates[0]], "the driver alone", [rates[1]], 0.4),
        Figure("8", f"{what}: claims", "jobs/s", [rates[0]], "the driver, the same rows", [rates[2]]),
        Figure("8", f"{what}: p99 of a claim", "ms", [max(taken["p99"] for taken in ours)]),
        Figure("8", f"{what}: longest claim", "ms", [worst[0]], "the driver alone", [worst[1]]),
    ]


def _figures_beside_clients(what: str, ours: list[dict[str, Any]], listed: list[float]) -> list[Figure]:
    return [
        _doubles(what, ours),
        Figure("8", f"{what}: claims", "jobs/s", [_rate(ours)]),
        Figure("8", f"{what}: p99 of a claim", "ms", [max(taken["p99"] for taken in ours)]),
        Figure("8", f"{what}: longest claim", "ms", [max(taken["worst"] for taken in ours)]),
        Figure("8", f"{what}: a list of 20, p95", "ms", [sorted(listed)[int(0.95 * (len(listed) - 1))]]),
    ]


def _rate(taken: list[dict[str, Any]]) -> float:
    return sum(float(one["rate"]) for one in taken)


def _doubles(what: str, taken: list[dict[str, Any]]) -> Figure:
    times_claimed = Counter(job_id for one in taken for job_id in one["ids"])
    doubles = sum(times - 1 for times in times_claimed.values())
    title = f"{what}: jobs claimed twice, of {len(times_claimed):,}"
    return Figure("8", title, "jobs", [doubles], target=0, better=Better.LOWER)
