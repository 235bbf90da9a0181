"""Submitting a flow that is in a file."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from towline.operations.submission import submit

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject


@dataclass(frozen=True, slots=True)
class Submitted:
    """A flow that is in the queue now."""

    flow_id: str
    name: str
    db_ids: tuple[str, ...]


def submit_file(
    opened: "OpenProject",
    path: Path,
    *,
    object_name: str | None = None,
    worker: str | None = None,
    exec_config: str | None = None,
    resources: dict[str, object] | None = None,
    priority: int = 0,
    allow_external_references: bool = False,
    jobstore: str | None = None,
    work_dir: str | None = None,
) -> Submitted:
    """Put the flow in a script or a JSON file into the queue.

    Parameters
    ----------
    object_name
        What the script calls its flow; see :func:`towline.jobflow.flow_files.load_flow`.

    Raises
    ------
    InvalidFlow
        There is no flow in the file, or it cannot be stored.
    ConfigurationError
        No such worker, exec_config or job store.
    """
    # jobflow takes most of a second to load; the script does it anyway.
    from towline.jobflow.flow_files import load_flow

    flow = load_flow(path, object_name)
    db_ids = submit(
        opened,
        flow,
        worker=worker,
        exec_config=exec_config,
        resources=resources,
        priority=priority,
        allow_external_references=allow_external_references,
        jobstore=jobstore,
        work_dir=work_dir,
    )
    row = int(db_ids[0].removeprefix(opened.db_id_prefix))
    uuid, name = opened.database.read(
        "SELECT flow.uuid, flow.name FROM job JOIN flow ON flow.id = flow_id WHERE job.id = ?", (row,)
    )[0]
    return Submitted(uuid, name, tuple(db_ids))
