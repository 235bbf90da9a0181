"""Run a jobflow Job in this process: :func:`run_payload`."""

import faulthandler
import functools
import logging
import operator
import platform
import socket
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import MethodType, ModuleType
from typing import Any

import jobflow
import orjson
from jobflow import CURRENT_JOB, Job, Response

import towline
from towline.core.documents import STRICT, UnwritableValue, decode, encode
from towline.core.output_references import resolve
from towline.core.records import Failure, Result
from towline.jobflow.current import CURRENT_JOBDOC, JobRecord
from towline.jobflow.failures import failure_of, output_failure
from towline.jobflow.job_document import JobWriter, read_job, read_plain_job
from towline.jobflow.local_modules import make_findable
from towline.jobflow.main_module import install
from towline.jobflow.reference_store import CapturingJobStore
from towline.jobflow.responses import UnusableResponse, requests
from towline.on_worker.environment_record import environment_record

_logger = logging.getLogger("jobflow.core.job")

# A job that dies of a signal (a segmentation fault in compiled code) leaves its traceback in queue.err. Only processes
# that run jobs import this module; the descriptor is that of stderr in each of their forks.
faulthandler.enable(2)

#: An output with one of these needs more than JSON to become a value.
_OBJECT_SIGNS = (b'"@module"', b'"@class"', b'{"$')


def run_payload(header: Mapping[str, Any], payload: bytes, references: Mapping[str, tuple[int, bytes]]) -> Result:
    """Run a job and return what came of it; its errors are in the result, not raised.

    Parameters
    ----------
    header
        The record of the job; the job sees it as `CURRENT_JOBDOC.job_doc`.
    payload
        What :func:`towline.jobflow.convert.flow_to_records` made.
    references
        ``{uuid: (index, output as JSON)}`` of the outputs that the job refers to, and of those that they refer to.
    """
    CURRENT_JOBDOC.job_doc = JobRecord(header)
    # Before the job changes anything.
    environment()
    running = _Running(header, references)
    try:
        return running.run(payload)
    except (Exception, SystemExit) as error:
        return _result(failure=failure_of(error, running.job))
    finally:
        CURRENT_JOB.reset()
        CURRENT_JOBDOC.reset()


@functools.cache
def environment() -> Mapping[str, str]:
    """Facts about this process for the provenance of its results."""
    return {
        "id": environment_record()[0],
        "python": platform.python_version(),
        "executable": sys.executable,
        "towline": towline.__version__,
        "jobflow": jobflow.__version__,
        "hostname": socket.gethostname(),
    }


def rehearsal() -> tuple[dict[str, Any], bytes]:
    """Header and payload of a job that does nothing; see :mod:`towline.on_worker.rehearsal`."""
    job = Job(function=operator.add, function_args=(1, 2))
    header = {"db_id": "0", "uuid": job.uuid, "index": job.index, "attempt": 1, "name": job.name}
    return header, encode({"job": JobWriter().write(job).document, "plain": True})


def _result(**what: Any) -> Result:
    """A result with what it came from."""
    return Result(**what, environment=environment(), environment_document=environment_record()[1])


class _Running:
    """One job on its way from payload to result."""

    def __init__(self, header: Mapping[str, Any], references: Mapping[str, tuple[int, bytes]]) -> None:
        self.header = header
        self.references = references
        #: The job, once it is decoded.
        self.job: Job | None = None

    def run(self, payload: bytes) -> Result:
        content = decode(payload)
        if "python_path" in content:
            make_findable(content["python_path"], content["local_modules"])
        if "main_objects" in content:
            install(content["main_objects"])
        document = content["job"]
        if content.get("plain"):
            arguments = self._plain_arguments(document, refers=content.get("refers", False))
            if arguments is not None:
                return self._run_plain(document, *arguments)
        self.job = read_job(document)
        return self._run_whole(self.job)

    def _plain_arguments(self, document: Mapping[str, Any], *, refers: bool) -> tuple[list[Any], dict[str, Any]] | None:
        """The arguments with references resolved; None when that takes more than JSON."""
        arguments, keywords = document["function_args"], document["function_kwargs"]
        if not refers:
            return arguments, keywords
        outputs = {}
        for uuid, (_, output) in self.references.items():
            if any(sign in output for sign in _OBJECT_SIGNS):
                return None
            outputs[uuid] = orjson.loads(output)
        try:
            return resolve(arguments, outputs), resolve(keywords, outputs)
        except LookupError:
            return None  # jobflow says what is missing

    def _run_plain(self, document: Mapping[str, Any], arguments: list[Any], keywords: dict[str, Any]) -> Result:
        """Call the function directly; its answer takes jobflow's way only when it is more than JSON."""
        job = self.job = read_plain_job(document, arguments, keywords)
        CURRENT_JOB.job = job
        if _logger.isEnabledFor(logging.INFO):
            _logger.info("Starting job - %s (%s)", job.name, job.uuid)
        answer = _undecorated(job.function)(*arguments, **keywords)
        output = self._plain_output(job, answer)
        if output is None:
            try:
                return self._run_whole(_answering(job, answer))
            except RecursionError:  # the function has returned: it is what it returned
                failure = output_failure(job, (), "is nested too deeply or contains itself")
                return _result(failure=failure)
        if _logger.isEnabledFor(logging.INFO):
            _logger.info("Finished job - %s (%s)", job.name, job.uuid)
        return _result(output=output)

    def _plain_output(self, job: Job, answer: Any) -> bytes | None:
        """The output document; None when the answer is not exactly JSON."""
        document = {
            "uuid": job.uuid,
            "index": job.index,
            "output": answer,
            "completed_at": datetime.now().isoformat(),  # without time zone, as jobflow writes it
            "metadata": self._metadata(job.metadata),
            "hosts": job.hosts,
            "name": job.name,
            "@module": "jobflow.core.schemas",
            "@class": "JobStoreDocument",
            "@version": jobflow.__version__,
        }
        try:
            content = orjson.dumps(document, option=STRICT)
        except TypeError:
            return None
        return content if b"null" not in content and b'{"$' not in content else encode(document)

    def _run_whole(self, job: Job) -> Result:
        """Run a job as jobflow does, on a store of its own."""
        store = CapturingJobStore(self.references)
        run_dir = self.header.get("run_dir")
        response: Response[Any] = job.run(store, job_dir=Path(run_dir) if run_dir else None)
        document = store.document
        document["metadata"] = self._metadata(document["metadata"])
        try:
            output = encode(document)
            additional = tuple((name, encode(part)) for name, part in store.additional_documents)
            return _result(output=output, additional=additional, **requests(response, self.job or job))
        except UnwritableValue as error:
            path = error.path[1:] if error.path[:1] in (("output",), ("data",)) else error.path
            failure = output_failure(self.job or job, path, error.reason)
        except UnusableResponse as error:
            failure = Failure("output", f"the response of {job.name!r} cannot be used: {error}")
        return _result(failure=failure)

    def _metadata(self, metadata: Mapping[str, Any]) -> Mapping[str, Any]:
        # Not in the metadata of the job: that goes on to the jobs it makes.
        return metadata if "db_id" in metadata else {**metadata, "db_id": self.header["db_id"]}


class _Answer:
    """A function that has been called already."""

    __name__ = __qualname__ = "answer"

    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self) -> Any:
        return self.value


def _answering(job: Job, answer: Any) -> Job:
    """A job like `job` that only gives `answer`: what jobflow does with it remains to be done."""
    copy = Job.__new__(Job)
    copy.__dict__.update(job.__dict__, function=_Answer(answer), function_args=(), function_kwargs={})
    return copy


def _undecorated(function: Any) -> Any:
    """What :meth:`jobflow.Job.run` calls."""
    original = getattr(function, "original", function)
    bound = getattr(function, "__self__", None)
    return original if bound is None or isinstance(bound, ModuleType) else MethodType(original, bound)
