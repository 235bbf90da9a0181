"""Outputs of jobs in the job store: reading and deleting them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from towline.configuration.documents import yaml_text
from towline.core.documents import UnwritableValue, encode
from towline.core.states import JobState
from towline.errors import InvalidRequest
from towline.store.job_info import JobInfo
from towline.store.readiness import id_list

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject

#: Documents that one request to a job store names.
_BATCH = 500


def job_output(opened: "OpenProject", job: JobInfo, *, load: bool = False) -> Any:
    """The output of a job, as JSON-like values.

    Parameters
    ----------
    load
        Put in the parts that are in additional stores.

    Raises
    ------
    InvalidRequest
        The job has no output.
    """
    if job.state is not JobState.COMPLETED:
        has_none = "has no output" if job.state is JobState.FAILED else "has no output yet"
        raise InvalidRequest(
            f"job {job.db_id} is {job.state.value} and {has_none}; to look at it: tow job info {job.db_id}"
        )
    store = opened.job_store(_store_name(opened, job))
    identity = {"uuid": job.uuid, "index": job.index}
    if store.query_one(identity, ["uuid"]) is None:
        raise InvalidRequest(f"the job store has no output of job {job.db_id} ({job.uuid}, index {job.index})")
    # A job that was replaced by a flow has a reference to the output of that flow; what it stands for is wanted.
    return store.get_output(job.uuid, which=job.index, load=load)


def plain_output(output: Any) -> Any:
    """An output as plain JSON; what JSON has no words for is written as in the job store, the rest as its text."""
    try:
        return orjson.loads(encode(output))
    except UnwritableValue:
        return orjson.loads(orjson.dumps(output, default=str, option=orjson.OPT_NON_STR_KEYS))


def write_output(output: Any, path: Path) -> None:
    """Write an output to a file, in the format that its ending tells.

    Raises
    ------
    InvalidRequest
        The ending is no format, or the file cannot be written.
    """
    if path.suffix not in (".json", ".yaml", ".yml"):
        raise InvalidRequest(f"{path} ends with {path.suffix or 'nothing'!r}; use .json or .yaml")
    if path.suffix == ".json":
        write_json(output, path)
    else:
        _write(path, yaml_text(plain_output(output)))


def write_json(value: Any, path: Path) -> None:
    """Write a value to a JSON file; see :func:`plain_output`.

    Raises
    ------
    InvalidRequest
        The file cannot be written.
    """
    _write(path, orjson.dumps(plain_output(value), option=orjson.OPT_INDENT_2).decode() + "\n")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be written: {error.strerror}") from error


def identities_of(opened: "OpenProject", rows: Iterable[int]) -> dict[int, tuple[str, int, str | None]]:
    """``{row: (uuid, index, name of the job store)}`` of these jobs, while they are still in the queue."""
    found = opened.database.read(
        "SELECT job.id, job.uuid, job_index, jobstore FROM job JOIN flow ON flow.id = flow_id "
        "WHERE job.id IN (SELECT value FROM json_each(?))",
        (id_list(rows),),
    )
    return {row: (uuid, index, jobstore) for row, uuid, index, jobstore in found}


def delete_outputs(opened: "OpenProject", identities: Mapping[int, tuple[str, int, str | None]]) -> None:
    """Delete the outputs of jobs from their job stores, with their parts in additional stores."""
    uuids: dict[tuple[str | None, int], list[str]] = {}
    for uuid, index, jobstore in identities.values():
        uuids.setdefault((jobstore, index), []).append(uuid)
    for (jobstore, index), listed in uuids.items():
        store = opened.job_store(jobstore)
        for start in range(0, len(listed), _BATCH):
            store.remove_docs({"uuid": {"$in": listed[start : start + _BATCH]}, "index": index})


def _store_name(opened: "OpenProject", job: JobInfo) -> str | None:
    name: str | None = opened.database.read("SELECT jobstore FROM flow WHERE uuid = ?", (job.flow_id,))[0][0]
    return name
