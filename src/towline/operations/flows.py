"""What a user can ask about flows, and have done to them; one function for each."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from towline.core.states import HELD, JobState
from towline.errors import IllegalMove, InvalidRequest, NoSuchFlow
from towline.operations.job_outputs import delete_outputs, identities_of
from towline.operations.run_folders import delete_run_folders
from towline.store import actions, deletions, flow_search
from towline.store.deletions import RunFolder
from towline.store.flow_search import FlowFilter
from towline.store.job_info import FlowInfo
from towline.store.job_search import Page

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject


__all__ = [
    "DeletedFlows",
    "FlowFilter",
    "FlowGraph",
    "FlowInfo",
    "GraphNode",
    "count_flows",
    "delete_flows",
    "flow_document",
    "flow_graph",
    "flow_info",
    "flow_rows",
    "flow_uuid",
    "list_flows",
    "resume_flow",
]


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A job in a drawing."""

    id: int
    db_id: str
    name: str
    index: int
    state: JobState


@dataclass(frozen=True, slots=True)
class FlowGraph:
    """The jobs of a flow and what depends on what."""

    name: str
    nodes: tuple[GraphNode, ...]
    #: ``(parent id, child id)``, both in `nodes`.
    edges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class DeletedFlows:
    """What left the queue."""

    flow_ids: tuple[str, ...]
    jobs: int
    deleted_folders: tuple[str, ...] = ()


def list_flows(
    opened: "OpenProject", wanted: FlowFilter, page: Page | None = None, *, with_jobs: bool = False
) -> list[FlowInfo]:
    """Flows that `wanted` admits; the newest first unless `page` says otherwise."""
    return flow_search.find_flows(opened.database, wanted, page, prefix=opened.db_id_prefix, with_jobs=with_jobs)


def count_flows(opened: "OpenProject", wanted: FlowFilter) -> int:
    """Number of flows that `wanted` admits."""
    return flow_search.count_flows(opened.database, wanted)


def flow_info(opened: "OpenProject", row: int, *, jobs_page: Page | None = None, details: bool = False) -> FlowInfo:
    """One flow with its jobs.

    Parameters
    ----------
    jobs_page
        Order of its jobs; the one of their creation by default.

    Raises
    ------
    NoSuchFlow
        It was deleted meanwhile.
    """
    found = list_flows(opened, FlowFilter(flow_ids=(flow_uuid(opened, row),)))
    return flow_search.with_job_lists(
        opened.database, found, prefix=opened.db_id_prefix, page=jobs_page, details=details
    )[0]


def resume_flow(opened: "OpenProject", row: int) -> int:
    """Undo pause and stop in the whole flow; return the number of jobs that go on.

    Raises
    ------
    IllegalMove
        None of its jobs is held.
    """
    with opened.database.transaction() as transaction:
        result = actions.resume_flow(transaction, row)
        if not result.changed:
            held = ", ".join(state.value for state in JobState if state in HELD)
            raise IllegalMove(f"no job of the flow is held ({held}); to look at it: tow flow info")
    opened.wake_runner()
    return len(result.changed)


def delete_flows(
    opened: "OpenProject", rows: Iterable[int], *, max_limit: int = 0, outputs: bool = False, files: bool = False
) -> DeletedFlows:
    """Take flows with all their jobs out of the queue; jobs in flight are ended by the runner.

    Parameters
    ----------
    max_limit
        Refuse when there are more flows than this; 0 is no limit.
    outputs
        Delete the outputs of the jobs from the job store too.
    files
        Delete the run folders of the jobs too.

    Raises
    ------
    InvalidRequest
        There are more than `max_limit`.
    """
    listed = list(rows)
    if max_limit and len(listed) > max_limit:
        raise InvalidRequest(
            f"{len(listed)} flows would be deleted, more than {max_limit}; "
            "choose fewer, or raise the limit: tow flow delete --max N (0 is none)"
        )
    flows = [flow_uuid(opened, row) for row in listed]
    folders: list[RunFolder] = []
    with opened.database.transaction() as transaction:
        job_rows = deletions.jobs_of_flows(transaction, listed)
        identities = identities_of(opened, job_rows) if outputs else {}
        if files:
            folders = deletions.run_folders(transaction, job_rows)
        result = deletions.delete_flows(transaction, listed, delete_files=files)
    opened.wake_runner()
    deleted = delete_run_folders(opened, folders)
    delete_outputs(opened, identities)
    return DeletedFlows(tuple(flows), len(result.changed), tuple(deleted))


def flow_graph(opened: "OpenProject", row: int) -> FlowGraph:
    """The jobs of a flow and what depends on what."""
    flow = flow_info(opened, row)
    nodes = tuple(GraphNode(job.id, job.db_id, job.name, job.index, job.state) for job in flow.jobs_info)
    inside = {node.id for node in nodes}
    edges = flow_search.edges_of_flow(opened.database, row)
    return FlowGraph(flow.name, nodes, tuple(edge for edge in edges if inside.issuperset(edge)))


def flow_rows(opened: "OpenProject", wanted: FlowFilter) -> list[int]:
    """Rows of all flows that `wanted` admits."""
    return flow_search.flow_rows(opened.database, wanted)


def flow_document(flow: FlowInfo) -> dict[str, Any]:
    """A flow with its jobs as a mapping, with the keys that jobflow-remote gives it."""
    parents: dict[str, dict[str, list[str]]] = {}
    for job in flow.jobs_info:
        parents.setdefault(job.uuid, {})[str(job.index)] = list(job.parents)
    return {
        "uuid": flow.flow_id,
        "jobs": list(dict.fromkeys(flow.job_ids)),
        "state": flow.state.value,
        "name": flow.name,
        "created_on": flow.created_on,
        "updated_on": flow.updated_on,
        "metadata": dict(flow.flow_metadata),
        "parents": parents,
        "ids": [(job.db_id, job.uuid, job.index) for job in flow.jobs_info],
        "jobstore": flow.jobstore,
    }


def flow_uuid(opened: "OpenProject", row: int) -> str:
    """Uuid of a flow.

    Raises
    ------
    NoSuchFlow
        It was deleted meanwhile.
    """
    rows = opened.database.read("SELECT uuid FROM flow WHERE id = ?", (row,))
    if not rows:
        raise NoSuchFlow("the flow is not in the queue any more")
    return str(rows[0][0])
