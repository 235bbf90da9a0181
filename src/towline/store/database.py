"""One project's database: connections, transactions, and what its errors mean.

What differs between SQLite and PostgreSQL is in :mod:`towline.store.dialect`; in both, readers never wait and writers
take turns, each for one short transaction (:meth:`Database.transaction`).
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from towline.errors import SchemaTooNew
from towline.store.dialect import dialect_for
from towline.store.migrations import SCHEMA_VERSION
from towline.store.transaction import Transaction

__all__ = ["Database", "Transaction"]

_NAP_SECONDS = 0.001


class Database:
    """The database of one project; safe to use from several threads and several processes.

    Parameters
    ----------
    where
        Path of an SQLite file, which is made, with its folder, when it does not exist; or the URL of a database:
        ``sqlite:////path``, ``postgresql+psycopg://user@host/database``.
    actor
        Who writes, for the journal: "user", "runner 12".
    patience_seconds
        How long to wait for another writer before :class:`StoreBusy`.
    clock
        Seconds since the epoch.
    upgrade
        Whether to bring an older schema to the newest one; without it, such a database can be read at most.
    create
        Whether to make the tables where there are none.

    Raises
    ------
    StoreError
        The database cannot be opened, made or upgraded.
    SchemaTooNew
        A newer towline wrote it.
    """

    def __init__(
        self,
        where: str | Path,
        *,
        actor: str = "user",
        patience_seconds: float = 30.0,
        clock: Callable[[], float] = time.time,
        upgrade: bool = True,
        create: bool = True,
    ) -> None:
        self.dialect = dialect_for(where, patience_seconds)
        self.actor = actor
        self.patience_seconds = patience_seconds
        self.clock = clock
        #: Text before the number in the ids of jobs, for messages.
        self.db_id_prefix = ""
        self._local = threading.local()
        self._connections: list[Any] = []
        try:
            self._prepare(upgrade, create)
        except BaseException:
            self.close()
            raise

    @property
    def place(self) -> str:
        """Where the database is, for people."""
        return self.dialect.place

    @property
    def connection(self) -> Any:
        """The connection of this thread; for reading. Writing goes through :meth:`transaction`."""
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._patiently(self.dialect.connect)
            self._connections.append(connection)
        return connection

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query, as tuples."""
        rows: list[Any] = self._patiently(lambda: self.connection.execute(sql, parameters).fetchall())
        return rows

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Run a block as one transaction; an exception inside undoes everything.

        Raises
        ------
        StoreBusy
            Another process held the database for longer than `patience_seconds`.
        StoreFull
            There is no space left; nothing was changed.
        StoreUnreachable
            The connection to the server was lost; nothing was changed.
        CommitUnknown
            It was lost in the middle of the commit, and the server did not come back to say what became of it.
        StoreError
            The database is damaged or refused.
        """
        self._patiently(lambda: self.dialect.begin(self.connection))
        connection = self.connection
        try:
            transaction = Transaction(connection, self.dialect, self.clock(), self.actor)
            transaction.db_id_prefix = self.db_id_prefix
            yield transaction
            transaction.finish()
            self.dialect.commit(connection)
        except BaseException as error:
            self.dialect.roll_back(connection)
            if isinstance(error, self.dialect.driver_error):
                raise self.dialect.explain(error) from error
            raise

    def data_version(self) -> int:
        """A number that changes when another connection has committed something. Costs microseconds."""
        return int(self._patiently(lambda: self.dialect.data_version(self.connection)))

    def index_names(self, table: str) -> Sequence[str]:
        """Names of the indexes of a table."""
        names: Sequence[str] = self._patiently(lambda: self.dialect.index_names(self.connection, table))
        return names

    def file_descriptors(self) -> Sequence[int]:
        """Descriptors that become readable when :meth:`data_version` may have changed; a file has none."""
        return self.dialect.file_descriptors()

    def close(self) -> None:
        """Close every connection of this object."""
        while self._connections:
            self._connections.pop().close()
        self.dialect.close()
        self._local = threading.local()

    def _patiently(self, action: Callable[[], Any]) -> Any:
        """Do something that changes nothing when it fails: again while others write, once again on a new connection."""
        deadline: float | None = None
        may_reconnect = True
        while True:
            try:
                return action()
            except self.dialect.driver_error as error:
                if may_reconnect and self._drop_lost_connection():
                    may_reconnect = False
                    continue
                now = time.monotonic()
                deadline = now + self.patience_seconds if deadline is None else deadline
                if not self.dialect.is_busy(error) or now >= deadline:
                    raise self.dialect.explain(error) from error
                time.sleep(_NAP_SECONDS)

    def _drop_lost_connection(self) -> bool:
        """Forget the connection of this thread if the server has closed it, so that the next use makes another one."""
        connection = getattr(self._local, "connection", None)
        if connection is None or not self.dialect.is_lost(connection):
            return False
        self._connections.remove(connection)
        self._local.connection = None
        return True

    @contextmanager
    def snapshot(self) -> Iterator[Any]:
        """A connection that sees everything as it is now, whatever others write; for reading."""
        connection = self._patiently(self.dialect.connect)
        try:
            self.dialect.begin_snapshot(connection)
            yield connection
        except self.dialect.driver_error as error:
            raise self.dialect.explain(error) from error
        finally:
            connection.close()

    def plain_connection(self) -> Any:
        """A connection of the driver as SQLAlchemy wants it, for migrations."""
        return self._patiently(self.dialect.plain_connection)

    def begin_plain(self, driver: Any) -> None:
        """Begin a transaction that writes on such a connection."""
        self._patiently(lambda: self.dialect.begin_plain(driver))

    def _prepare(self, upgrade: bool, create: bool) -> None:
        """Make the tables of a new database, upgrade an older one, refuse one that a newer towline wrote."""
        version = self.schema_version()
        if version is None:
            if not create:
                return
            self._create()
        elif version < SCHEMA_VERSION and upgrade:
            # Alembic takes 0.4 s to load; it is needed once for each new schema.
            from towline.store.migrations.upgrade import upgrade as carry_out

            carry_out(self)
        version = self.schema_version() if version is None else version
        if version is not None and version > SCHEMA_VERSION:
            raise SchemaTooNew(
                f"{self.place} has schema version {version}; this towline knows versions up to {SCHEMA_VERSION}. "
                "Upgrade it: pip install --upgrade towline."
            )

    def schema_version(self) -> int | None:
        """Number of the last revision of the tables; None when there are none."""
        if not self._patiently(lambda: self.dialect.has_table(self.connection, "meta")):
            return None
        return int(self.read("SELECT value FROM meta WHERE key = 'schema_version'")[0][0])

    def _create(self) -> None:
        # SQLAlchemy takes a quarter of a second to load; it is needed once in the life of a database.
        from towline.store.tables import creation_statements

        statements = creation_statements(self.dialect.kind)
        with self.transaction() as transaction:
            if self.dialect.has_table(self.connection, "meta"):
                return  # another process was faster
            for statement in statements:
                transaction.execute(statement)
            transaction.execute("INSERT INTO meta (key, value) VALUES ('schema_version', ?)", (str(SCHEMA_VERSION),))
