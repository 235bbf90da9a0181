"""What every payload has to do: bind this class to a kind of work, and run it with pytest."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from towline.core.records import Result, pack_job, pack_result, unpack_job, unpack_result
from towline.on_worker.payload_registry import PayloadRunner


class PayloadContract:
    """Tests of one kind of work.

    A subclass gives the fixtures `run`, `good` and `bad`.
    """

    @pytest.fixture
    def run(self) -> PayloadRunner:
        """The function of the kind."""
        raise NotImplementedError

    @pytest.fixture
    def good(self) -> bytes:
        """A payload that succeeds without outputs of other jobs."""
        raise NotImplementedError

    @pytest.fixture
    def bad(self) -> bytes:
        """A payload whose work fails, by the mistake of its user."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def in_a_run_folder(self, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Jobs run in their run folders."""
        monkeypatch.chdir(tmp_path)

    def test_payloads_are_one_line_of_json(self, good: bytes, bad: bytes) -> None:
        for payload in (good, bad):
            assert b"\n" not in payload
            orjson.loads(payload)

    def test_a_success_has_one_output_document_with_the_identity_of_its_job(
        self, run: PayloadRunner, good: bytes
    ) -> None:
        result = _through_files(run, good)
        assert result.failure is None
        assert result.output is not None
        assert b"\n" not in result.output
        document = orjson.loads(result.output)
        assert (document["uuid"], document["index"]) == ("u-1", 1)
        assert "output" in document

    def test_the_same_payload_can_run_again_in_the_same_process(self, run: PayloadRunner, good: bytes) -> None:
        outputs = []
        for _ in range(2):
            result = _through_files(run, good)
            assert result.output is not None
            outputs.append(orjson.loads(result.output)["output"])
        assert outputs[0] == outputs[1]

    def test_a_mistake_of_the_user_is_a_failure_and_no_exception(self, run: PayloadRunner, bad: bytes) -> None:
        result = _through_files(run, bad)
        assert result.output is None
        assert result.failure is not None
        assert result.failure.message
        assert result.failure.reason

    def test_what_is_no_payload_ends_with_an_error_that_says_so(self, run: PayloadRunner) -> None:
        # The worker makes a failure of an exception; a success would be a lie.
        failed = False
        try:
            failed = _through_files(run, b'{"nothing": "of the kind"}').failure is not None
        except Exception:
            failed = True
        assert failed

    def test_a_failure_does_not_harm_the_next_job(self, run: PayloadRunner, good: bytes, bad: bytes) -> None:
        assert _through_files(run, bad).failure is not None
        assert _through_files(run, good).failure is None


def _through_files(run: PayloadRunner, payload: bytes, references: Mapping[str, Any] | None = None) -> Result:
    """What the runner gets of a payload: everything goes through the bytes of the job file and the result file."""
    facts = {"db_id": "1", "uuid": "u-1", "index": 1, "attempt": 1, "name": "a job", "payload_kind": "any"}
    header, content, outputs = unpack_job(pack_job(facts, payload, []))
    return unpack_result(pack_result(run(header, content, outputs)))
