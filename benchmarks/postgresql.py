"""A PostgreSQL server for the benchmarks, started with the first schema and stopped with this process."""

import atexit
import contextlib

import psycopg

from towline.testing.postgresql import PostgreSQLServer, postgresql_server

_servers: list[PostgreSQLServer] = []


def new_schema(name: str) -> str:
    """URL of an empty queue in a schema of its own."""
    server = _server()
    with psycopg.connect(server.url().replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}".encode())
    return server.url(name)


def _server() -> PostgreSQLServer:
    if not _servers:
        stack = contextlib.ExitStack()
        atexit.register(stack.close)
        _servers.append(stack.enter_context(postgresql_server()))
        # Tests need no durability; figures do. The files of an hour are not worth more than the defaults otherwise.
        with psycopg.connect(_servers[0].url().replace("+psycopg", ""), autocommit=True) as connection:
            for setting in ("fsync", "full_page_writes", "synchronous_commit"):
                connection.execute(f"ALTER SYSTEM RESET {setting}".encode())
            connection.execute("SELECT pg_reload_conf()")
    return _servers[0]
