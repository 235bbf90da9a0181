"""PostgreSQL, through psycopg 3; this file owns its import.

Readers never wait, and writers take turns as in SQLite: a transaction begins by taking an advisory lock of the schema,
so what it reads stays true until it ends, and no two can deadlock. Every commit notifies those who listen.

The turn ends with the commit, and the wait for the disk comes after it: several writers then wait for one flush.
"""

import contextlib
import time
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.numeric import Int8Dumper

from towline.errors import CommitUnknown, StoreBusy, StoreError, StoreFull, StoreUnreachable
from towline.store.dialect import without_password
from towline.store.postgresql_sql import translated

#: First key of towline's advisory locks; the second one is the schema.
_LOCK = 0x70_0B_11_4E

#: The commit itself waits for no disk: :data:`_FLUSH` does, when the lock is somebody else's already.
_BEGIN = (
    f"BEGIN; SELECT pg_advisory_xact_lock({_LOCK}, hashtext(current_schema())); SELECT pg_current_xact_id()::text; "
    "SET LOCAL synchronous_commit = off; SET LOCAL plan_cache_mode = force_generic_plan"
)

#: A transaction of its own that writes a few bytes to the log. Its commit waits, as the server was told to, until the
#: log is safe up to here, with everything before it.
_FLUSH = "SELECT pg_logical_emit_message(true, 'towline', '')"

#: A server that is gone without a word is noticed after about this many seconds; what the URL says goes first.
_CONNECTION_DEFAULTS = {
    "connect_timeout": 10,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 40_000,
    "application_name": "towline",
}

#: From this number of rows on, they are copied.
_ROWS_TO_COPY = 8

#: A client that sleeps in a transaction would keep all writers waiting.
_IDLE_LIMIT_SECONDS = 60

#: Large documents are compressed with LZ4 by a server that has it: its own choice takes 10 ms for each megabyte.
_FAST_COMPRESSION = (
    "SELECT set_config(name, 'lz4', false) FROM pg_settings "
    "WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)"
)

_BUSY = ("55P03", "40001", "40P01")  # lock_not_available, serialization_failure, deadlock_detected
_FULL = ("53100",)
# admin_shutdown, crash_shutdown, cannot_connect_now, too_many_connections, idle_in_transaction_session_timeout
_AWAY = ("57P01", "57P02", "57P03", "53300", "25P03")


class _SumLoader(Loader):
    """What `sum` gives for whole numbers is a whole number."""

    def load(self, data: Buffer) -> int | float:
        text = bytes(data)
        return float(text) if b"." in text else int(text)


class PostgreSQLConnection:
    """A connection that takes the statements of the store."""

    def __init__(self, connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
        self.driver = connection
        #: Number of the open transaction, by which the server can be asked what became of it.
        self.transaction_id: str | None = None
        self._unanswered: contextlib.AbstractContextManager[object] | None = None

    def hurry(self) -> None:
        """Send statements without waiting for the answers of those before, until :meth:`settle`."""
        # libpq can do so from version 14 on.
        if self._unanswered is None and psycopg.Pipeline.is_supported():
            unanswered = self.driver.pipeline()
            unanswered.__enter__()
            self._unanswered = unanswered

    def settle(self) -> bool:
        """Wait for all answers, and raise the first error among them; return whether any could be outstanding."""
        unanswered, self._unanswered = self._unanswered, None
        if unanswered is not None:
            unanswered.__exit__(None, None, None)
        return unanswered is not None

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> "psycopg.Cursor[tuple[Any, ...]]":
        """Run one statement."""
        statement = translated(sql)
        return self.driver.execute(statement.text.encode(), statement.parameters(parameters) or None)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> "psycopg.Cursor[tuple[Any, ...]]":
        """Run one statement for each of `rows`."""
        statement, cursor = translated(sql), self.driver.cursor()
        listed = [statement.parameters(row) for row in rows]
        if statement.copy is not None and len(listed) >= _ROWS_TO_COPY:
            was_hurried = self.settle()
            with cursor.copy(statement.copy.encode()) as copy:
                for row in listed:
                    copy.write_row(row)
            if was_hurried:
                self.hurry()
        elif listed:
            cursor.executemany(statement.text.encode(), listed)
        return cursor

    def close(self) -> None:
        """Close the connection."""
        self.driver.close()


class PostgreSQLDialect:
    """A queue in a schema of a PostgreSQL database.

    Parameters
    ----------
    url
        ``postgresql+psycopg://user:password@host:port/database``, with options of libpq after ``?``.
    patience_seconds
        How long to wait for another writer, and for a server of which nobody knows whether it made a commit.
    """

    kind = "postgresql"
    driver_error: type[Exception] = psycopg.Error

    def __init__(self, url: str, patience_seconds: float) -> None:
        self._url = url.replace("postgresql+psycopg://", "postgresql://", 1)
        self.place = without_password(url)
        self._patience_seconds = patience_seconds
        self._listener: psycopg.Connection[tuple[Any, ...]] | None = None
        self._own_processes: set[int] = set()
        self._version = 0
        #: Name under which commits in this schema are told.
        self._channel = ""

    def connect(self) -> PostgreSQLConnection:
        """A connection on which every statement outside of :meth:`begin` is a transaction of its own."""
        driver = self._connect()
        self._own_processes.add(driver.info.backend_pid)
        if not self._channel:
            row = driver.execute("SELECT current_schema()::regnamespace::oid::bigint").fetchone()
            self._channel = f"towline_{row[0] if row else 0}"
        return PostgreSQLConnection(driver)

    def plain_connection(self) -> "psycopg.Connection[tuple[Any, ...]]":
        """A connection with psycopg's own parameters, that begins transactions by itself."""
        return psycopg.connect(**self._arguments())

    def begin_plain(self, driver: "psycopg.Connection[tuple[Any, ...]]") -> None:
        """Wait for the turn to write."""
        driver.execute(f"SELECT pg_advisory_xact_lock({_LOCK}, hashtext(current_schema()))")

    def adopt_plain(self, driver: "psycopg.Connection[tuple[Any, ...]]") -> PostgreSQLConnection:
        """The same connection as one that takes the statements of the store."""
        driver.cursor_factory = psycopg.RawCursor
        return PostgreSQLConnection(driver)

    def begin_snapshot(self, connection: PostgreSQLConnection) -> None:
        """Begin a transaction that reads, and sees nothing of what others commit."""
        connection.driver.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def stream(self, connection: PostgreSQLConnection, query: str) -> Iterable[tuple[Any, ...]]:
        """The rows of a query, fetched a few at a time."""
        connection.driver.execute(f"DECLARE stream NO SCROLL CURSOR FOR {query}".encode())
        while rows := connection.driver.execute("FETCH 500 FROM stream").fetchall():
            yield from rows
        connection.driver.execute("CLOSE stream")

    def last_id(self, connection: PostgreSQLConnection, table: str) -> int:
        """The largest number that the table's sequence has given."""
        row = connection.driver.execute(
            "SELECT pg_sequence_last_value(pg_get_serial_sequence($1, 'id')::regclass)", (table,)
        ).fetchone()
        return int(row[0]) if row and row[0] is not None else 0

    def set_last_id(self, connection: PostgreSQLConnection, table: str, last: int) -> None:
        """Have the table's sequence give larger numbers only."""
        connection.driver.execute(
            "SELECT setval(pg_get_serial_sequence($1, 'id'), $2, $3)", (table, max(last, 1), last > 0)
        )

    def _arguments(self) -> dict[str, Any]:
        return {**_CONNECTION_DEFAULTS, **conninfo_to_dict(self._url)}

    def _connect(self) -> "psycopg.Connection[tuple[Any, ...]]":
        driver = psycopg.connect(**self._arguments(), autocommit=True, cursor_factory=psycopg.RawCursor)
        # One type for all numbers: one prepared statement for each text.
        driver.adapters.register_dumper(int, Int8Dumper)
        driver.adapters.register_loader("numeric", _SumLoader)
        driver.execute(
            f"SET lock_timeout = {max(1, round(self._patience_seconds * 1000))}; "
            f"SET idle_in_transaction_session_timeout = '{_IDLE_LIMIT_SECONDS}s'; SET client_min_messages = warning; "
            f"{_FAST_COMPRESSION}"
        )
        return driver

    def begin(self, connection: PostgreSQLConnection) -> None:
        """Begin a transaction when the writers before have ended."""
        try:
            cursor = connection.driver.execute(_BEGIN)
        except psycopg.Error:
            self.roll_back(connection)  # what has begun and did not get its turn
            raise
        cursor.nextset()
        cursor.nextset()
        row = cursor.fetchone()
        connection.transaction_id = None if row is None else str(row[0])

    def hurry(self, connection: PostgreSQLConnection) -> None:
        """From here to the commit, do not wait for the answer to each statement that gives no rows."""
        connection.hurry()

    def commit(self, connection: PostgreSQLConnection) -> None:
        """Make a transaction true, and tell those who listen.

        Raises
        ------
        CommitUnknown
            The server went away meanwhile and did not come back in time to say whether it was made true.
        """
        committed: psycopg.Cursor[tuple[Any, ...]] | None = None
        try:
            connection.hurry()
            connection.driver.execute(f"NOTIFY {self._channel}")
            committed = connection.driver.execute("COMMIT")
            connection.driver.execute(_FLUSH)
            connection.settle()
        except psycopg.Error as error:
            if not self.is_lost(connection):
                if committed is not None and committed.statusmessage == "COMMIT":
                    return  # somebody ended the wait for the disk, which comes within a second by itself
                raise
            if self._became(connection.transaction_id, error) != "committed":
                raise StoreUnreachable(
                    f"{self.place}: the connection was lost ({_line(error)}). Nothing was changed; repeat the command."
                ) from error

    def _became(self, transaction_id: str | None, error: psycopg.Error) -> str | None:
        """What became of a transaction: "committed", "aborted", or None when nobody remembers it."""
        deadline = time.monotonic() + self._patience_seconds
        while True:
            with contextlib.suppress(psycopg.Error), self._connect() as driver:
                row = driver.execute("SELECT pg_xact_status($1::xid8)", (transaction_id,)).fetchone()
                if row is not None and row[0] != "in progress":
                    return None if row[0] is None else str(row[0])
            if time.monotonic() >= deadline:
                raise CommitUnknown(
                    f"{self.place}: the connection was lost in the middle of a commit ({_line(error)}), and the server "
                    "did not come back to say whether the change was made. Look before repeating: tow job list"
                ) from error
            time.sleep(0.1)

    def roll_back(self, connection: PostgreSQLConnection) -> None:
        """Undo a transaction, if one is open and the connection lives."""
        with contextlib.suppress(psycopg.Error):
            connection.settle()
        with contextlib.suppress(psycopg.Error):
            if not self.is_lost(connection):
                connection.driver.execute("ROLLBACK")

    def explain(self, error: Exception) -> StoreError:
        """The error of towline that says what an error of the driver means."""
        state, text = getattr(error, "sqlstate", None) or "", _line(error)
        if state in _BUSY:
            return StoreBusy(
                f"{self.place}: another process has held the database for more than {self._patience_seconds:g} s "
                f"({text}). Nothing was changed. Repeat the command; `tow runner status` names the runner."
            )
        if state in _FULL:
            return StoreFull(f"{self.place}: no space left on the server ({text}). Nothing was changed.")
        if state == "3D000" or ("does not exist" in text and 'database "' in text):
            return StoreError(f"{self.place}: {text}. Make it on the server: createdb NAME")
        if state.startswith("28") or "authentication failed" in text or "no password supplied" in text:
            return StoreError(
                f"{self.place}: the server refused the login ({text}). Check user and password in queue.store.url; "
                "a password comes from ${env:NAME}, ${keyring:service/user} or ~/.pgpass."
            )
        if state in _AWAY or (isinstance(error, psycopg.OperationalError) and not state):
            return StoreUnreachable(
                f"{self.place}: the database server cannot be reached ({text}). Is it running? Try: tow project check"
            )
        return StoreError(f"{self.place}: {text}")

    def is_busy(self, error: Exception) -> bool:
        """False: PostgreSQL has waited as long as we would."""
        return False

    def is_lost(self, connection: PostgreSQLConnection) -> bool:
        """Whether the connection was closed, by whichever side."""
        return connection.driver.closed

    def data_version(self, connection: PostgreSQLConnection) -> int:
        """A number that changes when another connection has committed something; asks nobody."""
        try:
            if self._listener is None or self._listener.closed:
                self._listener = self._listen()
            wire = self._listener.pgconn
            wire.consume_input()
            while notification := wire.notifies():
                self._version += notification.be_pid not in self._own_processes
        except psycopg.Error:
            self._forget_listener()
            raise
        return self._version

    def _listen(self) -> "psycopg.Connection[tuple[Any, ...]]":
        driver = self._connect()
        driver.execute(f"LISTEN {self._channel}")
        # What happened before nobody knows.
        self._version += 1
        return driver

    def file_descriptors(self) -> Sequence[int]:
        """The socket of the listener, if there is one."""
        return () if self._listener is None or self._listener.closed else (self._listener.fileno(),)

    def new_ids(self, connection: PostgreSQLConnection, table: str, count: int) -> Sequence[int]:
        """The next numbers of the table's sequence."""
        rows = connection.driver.execute(
            "SELECT nextval(pg_get_serial_sequence($1, 'id')) FROM generate_series(1, $2)", (table, count)
        )
        return sorted(number for (number,) in rows)

    def has_table(self, connection: PostgreSQLConnection, table: str) -> bool:
        """Whether there is such a table."""
        row = connection.driver.execute(
            "SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1)", (table,)
        ).fetchone()
        return bool(row and row[0])

    def index_names(self, connection: PostgreSQLConnection, table: str) -> Sequence[str]:
        """Names of the indexes of a table."""
        rows = connection.driver.execute(
            "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND tablename = $1", (table,)
        )
        return [name for (name,) in rows]

    def close(self) -> None:
        """Stop listening."""
        self._forget_listener()

    def _forget_listener(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None


def _line(error: Exception) -> str:
    """What the driver says, on one line."""
    return " ".join(str(error).split()) or type(error).__name__
