"""Who runs a project: one runner at a time, by a lease that expires."""

from collections.abc import Callable
from dataclasses import dataclass

from towline.errors import LeaseLost, RunnerAlreadyActive
from towline.store.database import Database, Transaction

#: A request: end after the present round, and let go of everything in order.
STOP = "stop"
#: A request: end at once.
KILL = "kill"


@dataclass(frozen=True, slots=True)
class RunnerRecord:
    """A runner that registered itself."""

    id: int
    host: str
    user_name: str
    pid: int
    #: Tells a process from a later one with the same pid; seconds since the epoch.
    process_started_at: float
    started_at: float
    heartbeat_at: float
    expires_at: float
    #: What somebody wants of it: :data:`STOP`, :data:`KILL`, or None.
    request: str | None
    status: bytes | None

    def describe(self) -> str:
        """For messages: who, where, since when it was last heard of."""
        return f"runner {self.id} (pid {self.pid} of {self.user_name} on {self.host})"


_COLUMNS = "id, host, user_name, pid, process_started_at, started_at, heartbeat_at, expires_at, request, status"


def acquire(
    transaction: Transaction,
    *,
    host: str,
    user_name: str,
    pid: int,
    process_started_at: float,
    lease_seconds: float,
    is_gone: Callable[[RunnerRecord], bool],
) -> int:
    """Become the runner of this project.

    Parameters
    ----------
    is_gone
        Whether a runner with an unexpired lease certainly does not run any more (its process on this host ended).

    Raises
    ------
    RunnerAlreadyActive
        Another one holds the lease.
    """
    for record in _records(transaction):
        if record.expires_at > transaction.now and not is_gone(record):
            raise RunnerAlreadyActive(
                f"{record.describe()} runs this project since it took the lease "
                f"{transaction.now - record.started_at:.0f} s ago; its lease ends in "
                f"{record.expires_at - transaction.now:.0f} s unless it renews it. "
                "Stop it with `tow runner stop`, or look with `tow runner status`."
            )
    transaction.execute("DELETE FROM runner")
    row = transaction.execute(
        "INSERT INTO runner (host, user_name, pid, process_started_at, started_at, heartbeat_at, expires_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (host, user_name, pid, process_started_at, transaction.now, transaction.now, transaction.now + lease_seconds),
    ).fetchone()
    return int(row[0])


def check(transaction: Transaction, runner_id: int) -> None:
    """Make sure that `runner_id` still is the runner: every transaction of a runner begins with this.

    Raises
    ------
    LeaseLost
        Another runner took over while this one was not heard of.
    """
    if transaction.execute("SELECT 1 FROM runner WHERE id = ?", (runner_id,)).fetchone() is None:
        raise LeaseLost(f"runner {runner_id} lost its lease to another one and ends; see `tow runner status`")


def renew(transaction: Transaction, runner_id: int, lease_seconds: float, status: bytes) -> str | None:
    """Say that the runner lives; return what somebody wants of it."""
    check(transaction, runner_id)
    row = transaction.execute(
        "UPDATE runner SET heartbeat_at = ?, expires_at = ?, status = ? WHERE id = ? RETURNING request",
        (transaction.now, transaction.now + lease_seconds, status, runner_id),
    ).fetchone()
    return None if row[0] is None else str(row[0])


def release(transaction: Transaction, runner_id: int) -> None:
    """Give the lease back."""
    transaction.execute("DELETE FROM runner WHERE id = ?", (runner_id,))


def request(transaction: Transaction, what: str) -> None:
    """Leave a request for whichever runner holds the lease, on whatever machine."""
    transaction.execute("UPDATE runner SET request = ?", (what,))


def requested(database: Database, runner_id: int) -> str | None:
    """What somebody wants of this runner."""
    rows = database.read("SELECT request FROM runner WHERE id = ?", (runner_id,))
    return None if not rows or rows[0][0] is None else str(rows[0][0])


def holder(database: Database) -> RunnerRecord | None:
    """The runner that registered last, whether or not its lease has expired."""
    rows = database.read(f"SELECT {_COLUMNS} FROM runner ORDER BY id DESC LIMIT 1")
    return RunnerRecord(*rows[0]) if rows else None


def _records(transaction: Transaction) -> list[RunnerRecord]:
    return [RunnerRecord(*row) for row in transaction.execute(f"SELECT {_COLUMNS} FROM runner")]
