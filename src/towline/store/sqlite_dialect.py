"""SQLite in WAL mode: readers never wait, writers take turns.

Whoever writes holds the lock for one short transaction, so waiting for it is short too. SQLite's own waiting doubles
its naps up to 100 ms and is unfair; :class:`towline.store.database.Database` looks again every millisecond instead.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from towline.errors import StoreBusy, StoreError, StoreFull


class SQLiteDialect:
    """A queue in an SQLite file.

    Parameters
    ----------
    path
        The file; it is made, with its folder, when it does not exist.
    patience_seconds
        How long others are waited for, for messages.
    """

    kind = "sqlite"
    driver_error: type[Exception] = sqlite3.Error

    def __init__(self, path: Path, patience_seconds: float) -> None:
        self.path = path
        self.place = str(path)
        self._patience_seconds = patience_seconds

    def connect(self) -> sqlite3.Connection:
        """A connection that never waits by itself."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{self.path.parent} cannot be made ({error}). Choose another base_dir.") from error
        # Connections are closed by whichever thread closes the database.
        connection = sqlite3.connect(
            self.path, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=512
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
        except sqlite3.Error:
            connection.close()
            raise
        # A commit survives the end of any process; WAL with NORMAL syncs the file at checkpoints.
        # In a large queue, a job touches pages all over the file: the log of 16 MB gathers several changes of each.
        for pragma in (
            "synchronous = NORMAL",
            "cache_size = -16000",
            "temp_store = MEMORY",
            "wal_autocheckpoint = 4000",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        return connection

    def begin(self, connection: sqlite3.Connection) -> None:
        """Begin a transaction that writes."""
        connection.execute("BEGIN IMMEDIATE")

    def plain_connection(self) -> sqlite3.Connection:
        """A connection like any other."""
        return self.connect()

    def begin_plain(self, driver: sqlite3.Connection) -> None:
        """Begin a transaction that writes."""
        self.begin(driver)

    def adopt_plain(self, driver: sqlite3.Connection) -> sqlite3.Connection:
        """The same connection."""
        return driver

    def begin_snapshot(self, connection: sqlite3.Connection) -> None:
        """Begin a transaction that reads; what it sees is fixed by its first query."""
        connection.execute("BEGIN")
        connection.execute("SELECT 1 FROM meta").fetchall()

    def stream(self, connection: sqlite3.Connection, query: str) -> Iterable[tuple[Any, ...]]:
        """The rows of a query, as they are read from the file."""
        return connection.execute(query)

    def last_id(self, connection: sqlite3.Connection, table: str) -> int:
        """The largest number that a row of the table ever had."""
        rows = connection.execute(
            f"SELECT seq FROM sqlite_sequence WHERE name = ? UNION ALL SELECT max(id) FROM {table}", (table,)
        )
        return max(number or 0 for (number,) in rows)

    def set_last_id(self, connection: sqlite3.Connection, table: str, last: int) -> None:
        """Have the table give larger numbers only, if it counts those that are gone too."""
        connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, last))

    def hurry(self, connection: sqlite3.Connection) -> None:
        """Nothing: there is nobody to wait for."""

    def commit(self, connection: sqlite3.Connection) -> None:
        """Make a transaction true."""
        connection.execute("COMMIT")

    def roll_back(self, connection: sqlite3.Connection) -> None:
        """Undo a transaction, if one is open."""
        # A full disk makes SQLite roll back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")

    def explain(self, error: Exception) -> StoreError:
        """The error of towline that says what an error of the driver means."""
        text = str(error)
        if self.is_busy(error):
            return StoreBusy(
                f"{self.path}: another process has held the database for more than {self._patience_seconds:g} s "
                f"({text}). Nothing was changed. Repeat the command; `tow runner status` names the runner."
            )
        if "full" in text:
            return StoreFull(f"{self.path}: no space left on the disk ({text}). Nothing was changed; free some space.")
        if "malformed" in text or "not a database" in text or "no such table" in text:
            return StoreError(
                f"{self.path} is damaged ({text}). Move it aside and restore a backup: "
                f"tow backup restore FOLDER (without one, `sqlite3 {self.path.name} .recover` saves what can be read)."
            )
        if "unable to open" in text or "readonly" in text:
            return StoreError(
                f"{self.path} cannot be opened or written ({text}). Check the folder and its permissions."
            )
        return StoreError(f"{self.path}: {text}")

    def is_busy(self, error: Exception) -> bool:
        """Whether another process holds the lock."""
        text = str(error)
        return isinstance(error, sqlite3.OperationalError) and ("locked" in text or "busy" in text)

    def is_lost(self, connection: sqlite3.Connection) -> bool:
        """A file does not go away."""
        return False

    def data_version(self, connection: sqlite3.Connection) -> int:
        """A number that changes when another connection has committed something; costs microseconds."""
        return int(connection.execute("PRAGMA data_version").fetchone()[0])

    def file_descriptors(self) -> Sequence[int]:
        """None: a file tells nobody."""
        return ()

    def new_ids(self, connection: sqlite3.Connection, table: str, count: int) -> Sequence[int]:
        """The numbers after the largest that the table ever had."""
        row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        first = 1 if row is None else int(row[0]) + 1
        return range(first, first + count)

    def has_table(self, connection: sqlite3.Connection, table: str) -> bool:
        """Whether there is such a table."""
        rows = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,))
        return rows.fetchone() is not None

    def index_names(self, connection: sqlite3.Connection, table: str) -> Sequence[str]:
        """Names of the indexes of a table."""
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ?", (table,))
        return [name for (name,) in rows]

    def close(self) -> None:
        """Nothing but connections is open."""
