"""What differs between the databases that can hold a queue, behind one seam.

Statements are written once, in the SQL of SQLite as far as the list in :mod:`towline.store.postgresql_dialect` goes;
SQLite runs them as they are.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from towline.errors import StoreError

SQLITE_PREFIX = "sqlite:///"
POSTGRESQL_PREFIXES = ("postgresql+psycopg://", "postgresql://")


class Dialect(Protocol):
    """A kind of database, and where the one of a project is."""

    #: "sqlite" or "postgresql".
    kind: str
    #: Where it is, for people: a path, or a URL without its password.
    place: str
    #: What the driver raises.
    driver_error: type[Exception]

    def connect(self) -> Any:
        """A connection with the methods ``execute``, ``executemany`` and ``close``, and no transaction open."""

    def begin(self, connection: Any) -> None:
        """Begin a transaction that writes; writers take turns."""

    def plain_connection(self) -> Any:
        """A connection of the driver as SQLAlchemy wants it."""

    def begin_plain(self, driver: Any) -> None:
        """Begin a transaction that writes on such a connection."""

    def adopt_plain(self, driver: Any) -> Any:
        """The same connection as one that takes the statements of the store."""

    def begin_snapshot(self, connection: Any) -> None:
        """Begin a transaction that reads, and sees nothing of what others commit."""

    def stream(self, connection: Any, query: str) -> Iterable[tuple[Any, ...]]:
        """The rows of a query inside such a transaction, however many they are."""

    def last_id(self, connection: Any, table: str) -> int:
        """The largest number that a row of the table ever had."""

    def set_last_id(self, connection: Any, table: str, last: int) -> None:
        """Have the table give larger numbers only."""

    def hurry(self, connection: Any) -> None:
        """From here to the end of the transaction, errors may come later than the statement that made them."""

    def commit(self, connection: Any) -> None:
        """Make a transaction true."""

    def roll_back(self, connection: Any) -> None:
        """Undo a transaction, if one is open and the connection lives."""

    def explain(self, error: Exception) -> StoreError:
        """The error of towline that says what an error of the driver means."""

    def is_busy(self, error: Exception) -> bool:
        """Whether the same statement may succeed in a moment."""

    def is_lost(self, connection: Any) -> bool:
        """Whether the connection is of no use any more."""

    def data_version(self, connection: Any) -> int:
        """A number that changes when another connection has committed something."""

    def file_descriptors(self) -> Sequence[int]:
        """Descriptors that become readable when :meth:`data_version` may have changed."""

    def new_ids(self, connection: Any, table: str, count: int) -> Sequence[int]:
        """Numbers for new rows of a table, ascending; called inside a transaction that inserts them."""

    def has_table(self, connection: Any, table: str) -> bool:
        """Whether there is such a table."""

    def index_names(self, connection: Any, table: str) -> Sequence[str]:
        """Names of the indexes of a table."""

    def close(self) -> None:
        """Let go of what does not belong to a connection."""


def dialect_for(where: str | Path, patience_seconds: float) -> Dialect:
    """The dialect of a database: a path, ``sqlite:////path``, or ``postgresql+psycopg://user@host/database``.

    Raises
    ------
    StoreError
        The package for this kind of database is not installed, or `where` is no place.
    """
    # What is made of None, as text, is a file of that name in the folder where the process happens to be.
    if not isinstance(where, str | Path) or not str(where).removeprefix(SQLITE_PREFIX):
        raise StoreError(f"{where!r} is no place for a database; a path or a URL is. Look at queue.store.url")
    if isinstance(where, str) and where.startswith(POSTGRESQL_PREFIXES):
        # psycopg takes 0.1 s to load and is an extra.
        try:
            from towline.store.postgresql_dialect import PostgreSQLDialect
        except ImportError as error:
            raise StoreError(
                f"the queue is in PostgreSQL, and psycopg cannot be loaded ({error}); "
                "type: pip install 'towline[postgresql]'"
            ) from error
        return PostgreSQLDialect(where, patience_seconds)
    from towline.store.sqlite_dialect import SQLiteDialect

    return SQLiteDialect(Path(str(where).removeprefix(SQLITE_PREFIX)), patience_seconds)


def without_password(url: str) -> str:
    """A URL as it may be shown; a path as it is."""
    if "://" not in url:
        return url
    # Loaded for a URL only.
    from urllib.parse import urlsplit, urlunsplit

    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    options = "&".join(part for part in parts.query.split("&") if not part.lower().startswith("password="))
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}{at}{host}", query=options))
