"""Jobs and flows that leave the queue. Their journal stays; processes of theirs are ended by the runner."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from towline.core.states import IN_FLIGHT
from towline.errors import IllegalMove
from towline.store import metadata_index
from towline.store.affected import ActionResult, AffectedJob, affected, request_cancellation
from towline.store.database import Transaction
from towline.store.readiness import children_of, id_list, recount


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The run folder of an attempt."""

    job_id: int
    worker: str
    path: str
    #: A process of the attempt may still write there.
    in_use: bool


_TABLES_BY_JOB = ("job_document", "job_outcome", "attempt")


def delete_jobs(transaction: Transaction, job_ids: Iterable[int], *, delete_files: bool = False) -> ActionResult:
    """Take jobs out of the queue. The last job of a flow goes only with its flow.

    Parameters
    ----------
    delete_files
        Have the runner delete the run folders of the attempts that it has to end, when they have.
    """
    jobs = affected(transaction, job_ids)
    whole = _flows_left_empty(transaction, jobs)
    refused = {
        job.id: IllegalMove(
            f"job {job.db_id} is among the last of its flow, which would be left empty. "
            f"To delete the whole flow: tow flow delete --db-id {job.db_id}"
        )
        for job in jobs
        if job.flow_id in whole
    }
    leaving = [job for job in jobs if job.id not in refused]
    remove_jobs(transaction, leaving, note="deleted", delete_files=delete_files)
    return ActionResult(tuple(job.id for job in leaving), refused)


def delete_flows(
    transaction: Transaction, flow_ids: Iterable[int], *, delete_files: bool = False, cancel: bool = True
) -> ActionResult:
    """Take flows with all their jobs out of the queue.

    Parameters
    ----------
    cancel
        Have the runner end the processes of jobs in flight; otherwise they run on, and nobody knows of them.
    """
    listed = list(flow_ids)
    jobs = affected(transaction, jobs_of_flows(transaction, listed))
    metadata_index.forget_flows(transaction, listed)
    remove_jobs(transaction, jobs, note="deleted with its flow", delete_files=delete_files, cancel=cancel)
    transaction.execute("DELETE FROM retired_job WHERE flow_id IN (SELECT value FROM json_each(?))", (id_list(listed),))
    for flow_id in listed:
        transaction.forget_flow(flow_id)
    return ActionResult(tuple(job.id for job in jobs), {})


def jobs_of_flows(transaction: Transaction, flow_ids: Iterable[int]) -> list[int]:
    """Ids of all jobs of these flows."""
    rows = transaction.execute(
        "SELECT id FROM job WHERE flow_id IN (SELECT value FROM json_each(?)) ORDER BY id", (id_list(flow_ids),)
    ).fetchall()
    return [row[0] for row in rows]


def remove_jobs(
    transaction: Transaction,
    jobs: Sequence[AffectedJob],
    *,
    note: str,
    delete_files: bool = False,
    cancel: bool = True,
) -> None:
    """Delete the rows of `jobs`, and let their children count their parents anew."""
    if not jobs:
        return
    alive = [job for job in jobs if job.may_be_alive] if cancel else []
    request_cancellation(transaction, alive, delete_files=delete_files)
    ids = [job.id for job in jobs]
    listed = id_list(ids)
    if delete_files:
        transaction.execute(
            "UPDATE cancellation SET delete_files = 1 WHERE job_id IN (SELECT value FROM json_each(?))", (listed,)
        )
    children = set(children_of(transaction, ids)) - set(ids)
    transaction.execute("DELETE FROM edge WHERE parent_id IN (SELECT value FROM json_each(?))", (listed,))
    transaction.execute("DELETE FROM edge WHERE child_id IN (SELECT value FROM json_each(?))", (listed,))
    metadata_index.forget_jobs(transaction, {job.id: job.flow_id for job in jobs})
    for table in _TABLES_BY_JOB:
        transaction.execute(f"DELETE FROM {table} WHERE job_id IN (SELECT value FROM json_each(?))", (listed,))
    transaction.execute("DELETE FROM job WHERE id IN (SELECT value FROM json_each(?))", (listed,))
    for job in jobs:
        transaction.record(job.id, job.flow_id, job.worker, job.state, None, note, since=job.updated_at)
    recount(transaction, children)


def _flows_left_empty(transaction: Transaction, jobs: Iterable[AffectedJob]) -> set[int]:
    """Flows that would have no job any more without `jobs`."""
    leaving: dict[int, int] = {}
    for job in jobs:
        leaving[job.flow_id] = leaving.get(job.flow_id, 0) + 1
    rows = transaction.execute(
        "SELECT flow_id, sum(jobs) FROM flow_count WHERE flow_id IN (SELECT value FROM json_each(?)) GROUP BY flow_id",
        (id_list(leaving),),
    ).fetchall()
    return {flow_id for flow_id, jobs_left in rows if jobs_left <= leaving[flow_id]}


def run_folders(transaction: Transaction, job_ids: Iterable[int]) -> list[RunFolder]:
    """The run folders of all attempts of these jobs, and of the jobs that earlier attempts of them made."""
    listed = id_list(job_ids)
    states = ", ".join(f"'{state.value}'" for state in sorted(IN_FLIGHT))
    ending = "EXISTS (SELECT 1 FROM cancellation AS c WHERE c.job_id = {job_id} AND c.attempt = {table}.attempt)"
    rows = transaction.execute(
        f"SELECT id, worker, run_dir, state IN ({states}) OR {ending.format(job_id='job.id', table='job')} FROM job "
        "WHERE run_dir IS NOT NULL AND id IN (SELECT value FROM json_each(?)) "
        f"UNION ALL SELECT job_id, worker, run_dir, {ending.format(job_id='attempt.job_id', table='attempt')} "
        "FROM attempt WHERE run_dir IS NOT NULL AND job_id IN (SELECT value FROM json_each(?)) "
        f"UNION ALL SELECT made_by, worker, run_dir, {ending.format(job_id='retired_job.job_id', table='retired_job')} "
        "FROM retired_job WHERE run_dir IS NOT NULL AND made_by IN (SELECT value FROM json_each(?))",
        (listed, listed, listed),
    ).fetchall()
    return [RunFolder(job_id, worker, path, bool(in_use)) for job_id, worker, path, in_use in rows]
