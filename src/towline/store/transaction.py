"""Statements that become true together, and what is kept in step with them: journal, counters, states of flows."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import orjson

from towline.core.states import FINAL, FlowState, JobState, flow_state
from towline.store import change_counts
from towline.store.dialect import Dialect


class Transaction:
    """Statements that become true together, or not at all.

    Every change of a job's state is told to :meth:`record`, which keeps the journal, the counters and the states of the
    flows in step with the rows.
    """

    def __init__(self, connection: Any, dialect: Dialect, now: float, actor: str) -> None:
        self._connection = connection
        self._dialect = dialect
        #: The one time of everything that this transaction writes, in seconds since the epoch.
        self.now = now
        self.actor = actor
        self._events: list[tuple[int, int | None, float, str | None, str | None, str, str | None]] = []
        self._flow_deltas: dict[tuple[int, str], int] = defaultdict(int)
        self._worker_deltas: dict[tuple[str, str], int] = defaultdict(int)
        self._flow_state_deltas: dict[str, int] = defaultdict(int)
        self._changes = change_counts.ChangeCounts()
        #: Text before the number in the ids of jobs.
        self.db_id_prefix = ""
        self._touched_flows: set[int] = set()
        self._forgotten_flows: set[int] = set()

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Run one statement; return the driver's cursor."""
        return self._connection.execute(sql, parameters)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Run one statement for each of `rows`; return how many rows of the database it changed."""
        changed: int = self._connection.executemany(sql, rows).rowcount
        return changed

    def db_id(self, job_id: int) -> str:
        """The id of a job as users see it, for messages and notes."""
        return f"{self.db_id_prefix}{job_id}"

    def new_ids(self, table: str, count: int) -> Sequence[int]:
        """Numbers for new rows of a table, ascending, that no row has had before."""
        return self._dialect.new_ids(self._connection, table, count)

    def set_last_id(self, table: str, last: int) -> None:
        """Have a table give numbers larger than `last` only."""
        self._dialect.set_last_id(self._connection, table, last)

    def record(
        self,
        job_id: int,
        flow_id: int,
        worker: str,
        from_state: JobState | None,
        to_state: JobState | None,
        note: str | None = None,
        at: float | None = None,
        *,
        since: float | None = None,
        updated_at: float | None = None,
    ) -> None:
        """Note that a job was born (`from_state` None), moved, or was deleted (`to_state` None).

        Parameters
        ----------
        at
            When it really happened; now, unless a worker tells another time.
        since
            Time of the last change of a job that leaves a state which reports follow.
        updated_at
            Time of its last change from now on, where that is not now.
        """
        self._events.append(
            (
                job_id,
                flow_id,
                self.now if at is None else at,
                None if from_state is None else from_state.value,
                None if to_state is None else to_state.value,
                self.actor,
                note,
            )
        )
        if from_state is not None:
            self._flow_deltas[(flow_id, from_state.value)] -= 1
            self._worker_deltas[(worker, from_state.value)] -= 1
            self._changes.add("job", from_state.value, since, -1)
        if to_state is not None:
            self._flow_deltas[(flow_id, to_state.value)] += 1
            self._worker_deltas[(worker, to_state.value)] += 1
            self._changes.add("job", to_state.value, self.now if updated_at is None else updated_at, 1)
        self._touched_flows.add(flow_id)

    def record_alike(
        self, worker: str, jobs: Collection[tuple[int, int]], from_state: JobState, to_state: JobState
    ) -> None:
        """Note that jobs of one worker moved from one state to another; ``(job id, flow id)`` of each."""
        before, after = from_state.value, to_state.value
        self._events += [(job_id, flow_id, self.now, before, after, self.actor, None) for job_id, flow_id in jobs]
        for flow_id, number in Counter(flow_id for _, flow_id in jobs).items():
            self._flow_deltas[(flow_id, before)] -= number
            self._flow_deltas[(flow_id, after)] += number
            self._touched_flows.add(flow_id)
        self._worker_deltas[(worker, before)] -= len(jobs)
        self._worker_deltas[(worker, after)] += len(jobs)
        self._changes.add("job", before, None, -len(jobs))
        self._changes.add("job", after, self.now, len(jobs))

    def note(self, job_id: int, note: str) -> None:
        """Add a line to the journal of a job whose state does not change."""
        self._events.append((job_id, None, self.now, None, None, self.actor, note))

    def recount_worker(self, state: JobState, from_worker: str, to_worker: str) -> None:
        """Note that a job in `state` changed its worker."""
        self._worker_deltas[(from_worker, state.value)] -= 1
        self._worker_deltas[(to_worker, state.value)] += 1

    def record_new_flow(self) -> None:
        """Note that a flow was stored, READY; what its jobs make of it is found out when this transaction ends."""
        self._flow_state_deltas[FlowState.READY.value] += 1

    def forget_flow(self, flow_id: int) -> None:
        """Note that a flow, all of whose jobs were deleted, goes with its counters when this transaction ends."""
        self._forgotten_flows.add(flow_id)

    def jobs_of_worker(self, worker: str, states: Collection[JobState]) -> int:
        """How many jobs of a worker are in `states`, as of now in this transaction."""
        rows = self.execute("SELECT state, jobs FROM worker_count WHERE worker = ?", (worker,)).fetchall()
        stored = sum(jobs for state, jobs in rows if JobState(state) in states)
        return int(stored) + sum(self._worker_deltas.get((worker, state.value), 0) for state in states)

    def finish(self) -> None:
        """Write what was recorded; called once, before the commit."""
        self._dialect.hurry(self._connection)
        self.executemany(
            "INSERT INTO flow_count (flow_id, state, jobs) VALUES (?, ?, ?) "
            "ON CONFLICT (flow_id, state) DO UPDATE SET jobs = flow_count.jobs + excluded.jobs",
            ((flow_id, state, delta) for (flow_id, state), delta in self._flow_deltas.items() if delta),
        )
        self.executemany(
            "INSERT INTO worker_count (worker, state, jobs) VALUES (?, ?, ?) "
            "ON CONFLICT (worker, state) DO UPDATE SET jobs = worker_count.jobs + excluded.jobs",
            ((worker, state, delta) for (worker, state), delta in self._worker_deltas.items() if delta),
        )
        self._refresh_flows(self._touched_flows - self._forgotten_flows)
        self.executemany(
            "INSERT INTO event (job_id, flow_id, at, from_state, to_state, actor, note) VALUES (?, ?, ?, ?, ?, ?, ?)",
            self._events,
        )
        if self._forgotten_flows:
            self._delete_flows()
        self.executemany(
            "INSERT INTO flow_state_count (state, flows) VALUES (?, ?) "
            "ON CONFLICT (state) DO UPDATE SET flows = flow_state_count.flows + excluded.flows",
            ((state, delta) for state, delta in self._flow_state_deltas.items() if delta),
        )
        self.executemany(change_counts.UPDATE, self._changes.rows())

    def _delete_flows(self) -> None:
        listed = orjson.dumps(sorted(self._forgotten_flows)).decode()
        self.execute("DELETE FROM flow_count WHERE flow_id IN (SELECT value FROM json_each(?))", (listed,))
        rows = self.execute(
            "DELETE FROM flow WHERE id IN (SELECT value FROM json_each(?)) RETURNING state, updated_at", (listed,)
        ).fetchall()
        for state, updated_at in rows:
            self._flow_state_deltas[state] -= 1
            self._changes.add("flow", state, updated_at, -1)

    def _refresh_flows(self, flow_ids: Collection[int]) -> None:
        """Derive the states of flows from the counts of their jobs, in a few statements however many they are."""
        if not flow_ids:
            return
        listed = orjson.dumps(sorted(flow_ids)).decode()
        rows = self.execute(
            "SELECT flow_id, state, jobs, 0.0 FROM flow_count "
            "WHERE jobs > 0 AND flow_id IN (SELECT value FROM json_each(?)) "
            "UNION ALL SELECT id, state, -1, updated_at FROM flow WHERE id IN (SELECT value FROM json_each(?))",
            (listed, listed),
        ).fetchall()
        counts: dict[int, dict[JobState, int]] = {flow_id: {} for flow_id in flow_ids}
        before: dict[int, str] = {}
        for flow_id, state, jobs, updated_at in rows:
            if jobs > 0:
                counts[flow_id][JobState(state)] = jobs
            else:
                before[flow_id] = state
                self._changes.add("flow", state, updated_at, -1)
        completed = self._with_completed_leaves(counts)
        by_state: dict[str, list[int]] = defaultdict(list)
        for flow_id, found in counts.items():
            state = flow_state(found, leaves_completed=flow_id in completed).value
            by_state[state].append(flow_id)
            if flow_id in before:
                self._changes.add("flow", state, self.now, 1)
            if before.get(flow_id, state) != state:
                # No job has the number 0: the event is about the flow.
                self._events.append((0, flow_id, self.now, before[flow_id], state, self.actor, None))
                self._flow_state_deltas[before[flow_id]] -= 1
                self._flow_state_deltas[state] += 1
        for state, flows in by_state.items():
            self.execute(
                "UPDATE flow SET state = ?, updated_at = ? WHERE id IN (SELECT value FROM json_each(?))",
                (state, self.now, orjson.dumps(flows).decode()),
            )

    def _with_completed_leaves(self, counts: Mapping[int, Mapping[JobState, int]]) -> set[int]:
        """Those flows of which every job without children is COMPLETED, though not every job is."""
        # Only a flow in which nothing can move any more can have all its leaves completed beside a failed job.
        candidates = {
            flow_id
            for flow_id, found in counts.items()
            if JobState.COMPLETED in found and len(found) > 1 and set(found) <= FINAL
        }
        if not candidates:
            return candidates
        rows = self.execute(
            "SELECT DISTINCT flow_id FROM job WHERE flow_id IN (SELECT value FROM json_each(?)) "
            "AND state <> 'COMPLETED' AND NOT EXISTS (SELECT 1 FROM edge WHERE parent_id = job.id)",
            (orjson.dumps(sorted(candidates)).decode(),),
        ).fetchall()
        return candidates - {row[0] for row in rows}
