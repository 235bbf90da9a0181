"""The job stores that towline brings keep the contract of the port `Outputs`."""

import warnings

import pytest
from jobflow import JobStore
from maggma.stores import JSONStore, MemoryStore

from towline.jobflow.outputs import MaggmaOutputs
from towline.store.database import Database
from towline.store.documents import SqlOutputs
from towline.store.job_store import SQLStore
from towline.testing.outputs_contract import OutputsContract


class TestInTheQueue(OutputsContract):
    @pytest.fixture
    def database(self, queue_place):
        database = Database(queue_place)
        yield database
        database.close()

    @pytest.fixture
    def outputs(self):
        return SqlOutputs()

    @pytest.fixture
    def writing(self, database):
        return database.transaction

    @pytest.fixture
    def connection(self, database):
        return database.connection


def connected(docs_store, **additional):
    store = JobStore(docs_store, additional_stores=additional)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # maggma makes a new file with a warning
        store.connect()
    return store


class TestInMemory(OutputsContract):
    @pytest.fixture
    def outputs(self):
        return MaggmaOutputs(connected(MemoryStore(), data=MemoryStore(), other=MemoryStore()))


class TestInAFileOfMaggma(OutputsContract):
    @pytest.fixture
    def outputs(self, tmp_path):
        def file(name):
            return JSONStore(str(tmp_path / f"{name}.json"), read_only=False)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield MaggmaOutputs(connected(file("docs"), data=file("data"), other=MemoryStore()))


class TestInAnotherDatabase(OutputsContract):
    @pytest.fixture
    def outputs(self, queue_place):
        store = connected(
            *[SQLStore(queue_place, "results")],
            data=SQLStore(queue_place, "results.data"),
            other=SQLStore(queue_place, "results.other"),
        )
        yield MaggmaOutputs(store)
        store.close()
