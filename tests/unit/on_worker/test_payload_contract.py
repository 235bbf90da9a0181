"""The payloads that towline brings keep the contract of payloads."""

import orjson
import pytest
from jobflow import job

from towline.jobflow.convert import flow_to_records
from towline.on_worker.payload_registry import PayloadRunner, payload_runner
from towline.testing import payloads
from towline.testing.jobs import fail
from towline.testing.payload_contract import PayloadContract


class TestJobflow(PayloadContract):
    @pytest.fixture
    def run(self) -> PayloadRunner:
        return payload_runner("jobflow")

    @pytest.fixture
    def good(self) -> bytes:
        return _as_u_1(flow_to_records(job(sum)([1, 2])).jobs[0].payload)

    @pytest.fixture
    def bad(self) -> bytes:
        return _as_u_1(flow_to_records(fail("of course")).jobs[0].payload)


class TestPayloadOfTests(PayloadContract):
    @pytest.fixture
    def run(self) -> PayloadRunner:
        return payloads.run_payload

    @pytest.fixture
    def good(self) -> bytes:
        return b'{"do": [["return", 5]]}'

    @pytest.fixture
    def bad(self) -> bytes:
        return b'{"do": [["raise", "of course"]]}'


def _as_u_1(payload: bytes) -> bytes:
    """The payload with the uuid that the contract gives to its jobs."""
    content = orjson.loads(payload)
    content["job"]["uuid"] = "u-1"
    return orjson.dumps(content)
