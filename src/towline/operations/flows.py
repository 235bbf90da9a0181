"""What a user can ask about flows, and have done to them; one function for each."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from towline.configuration.job_stores import refuse_missing_stores
from towline.core.actions import Action, Effect, decide
from towline.core.states import HELD, FlowState, JobState
from towline.errors import IllegalMove, InvalidRequest, NoSuchFlow
from towline.operations.job_outputs import delete_outputs, identities_of
from towline.operations.jobs import Progress
from towline.operations.run_folders import delete_files, delete_run_folders
from towline.store import actions, deletions, flow_search
from towline.store.attention import on_lost_workers
from towline.store.deletions import RunFolder
from towline.store.flow_search import FlowFilter
from towline.store.job_info import FlowInfo
from towline.store.job_search import Page
from towline.store.readiness import id_list

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject


__all__ = [
    "CleanedFlows",
    "DeletedFlows",
    "FlowFilter",
    "FlowGraph",
    "FlowInfo",
    "GraphNode",
    "clean_flows",
    "count_flows",
    "delete_flows",
    "flow_document",
    "flow_graph",
    "flow_info",
    "flow_rows",
    "flow_uuid",
    "flow_uuids",
    "list_flows",
    "resume_flow",
    "set_flow_store",
]


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A job in a drawing."""

    id: int
    db_id: str
    uuid: str
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


@dataclass(frozen=True, slots=True)
class CleanedFlows:
    """Run folders that were deleted."""

    #: Number of jobs whose folders were to go, and of those that were left alone because they have not ended.
    jobs: int
    kept_jobs: int
    deleted_folders: tuple[str, ...]


def list_flows(
    opened: "OpenProject", wanted: FlowFilter, page: Page | None = None, *, with_jobs: bool = False
) -> list[FlowInfo]:
    """Flows that `wanted` admits; the newest first unless `page` says otherwise."""
    found = flow_search.find_flows(opened.database, wanted, page, prefix=opened.db_id_prefix, with_jobs=with_jobs)
    lost = on_lost_workers(opened.database, opened.project.workers, [flow.id for flow in found])
    return [replace(flow, attention=(*flow.attention, *lost[flow.id])) if flow.id in lost else flow for flow in found]


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
        told = f"no job of the flow is held ({held}); to look at it: tow flow info {flow_uuid(opened, row)}"
        raise IllegalMove(told)
    opened.wake_runner()
    return len(result.changed)


def delete_flows(
    opened: "OpenProject",
    rows: Iterable[int],
    *,
    max_limit: int = 0,
    outputs: bool = False,
    files: bool = False,
    keep_processes: bool = False,
    progress: Progress | None = None,
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
    keep_processes
        Let processes of jobs in flight run on; nobody knows of them any more.

    Raises
    ------
    InvalidRequest
        There are more than `max_limit`, or files of processes that run on are to be deleted.
    """
    listed = list(rows)
    if max_limit and len(listed) > max_limit:
        raise InvalidRequest(
            f"{len(listed)} flows would be deleted, more than {max_limit}; "
            "choose fewer, or raise the limit: tow flow delete --max N (0 is none)"
        )
    if keep_processes and files:
        raise InvalidRequest("processes that are kept need their run folders; leave out --files, or --keep-processes")
    flows = flow_uuids(opened, listed)
    folders: list[RunFolder] = []
    with opened.database.transaction() as transaction:
        job_rows = deletions.jobs_of_flows(transaction, listed)
        identities = identities_of(opened, job_rows) if outputs else {}
        if files:
            folders = deletions.run_folders(transaction, job_rows)
        result = deletions.delete_flows(transaction, listed, delete_files=files, cancel=not keep_processes)
    opened.wake_runner()
    deleted = delete_run_folders(opened, folders, progress)
    delete_outputs(opened, identities)
    return DeletedFlows(tuple(flows), len(result.changed), tuple(deleted))


def clean_flows(
    opened: "OpenProject", rows: Iterable[int], *, all_states: bool = False, progress: Progress | None = None
) -> CleanedFlows:
    """Delete the run folders of the jobs of flows, of all their attempts; jobs and outputs stay.

    Parameters
    ----------
    all_states
        Also of jobs that have not ended, unless they are in flight.
    """
    states = flow_search.job_states_of_flows(opened.database, list(rows))
    going = [
        job for job, state in states.items() if isinstance(decide(Action.DELETE_FILES, state, force=all_states), Effect)
    ]
    deleted = delete_files(opened, going, progress)
    return CleanedFlows(len(going), len(states) - len(going), tuple(deleted))


def set_flow_store(opened: "OpenProject", row: int, store: str | None) -> None:
    """Choose the job store for the outputs of a flow; None is the project's own.

    Raises
    ------
    ConfigurationError
        The project has no such optional job store.
    InvalidFlow
        It lacks an additional store in which a job of the flow saves a part of its output.
    IllegalMove
        A job of the flow has begun: outputs of one flow are in one store.
    """
    refuse_missing_stores(opened.project, store, flow_search.additional_stores_of_flow(opened.database, row))
    flow = flow_info(opened, row)
    if flow.state not in (FlowState.READY, FlowState.WAITING):
        raise IllegalMove(
            f"the flow {flow.db_id} is {flow.state.value}: its store can be chosen as long as it is READY, "
            "before any of its jobs has begun"
        )
    with opened.database.transaction() as transaction:
        transaction.execute("UPDATE flow SET jobstore = ? WHERE id = ?", (store, row))


def flow_graph(opened: "OpenProject", row: int) -> FlowGraph:
    """The jobs of a flow and what depends on what."""
    flow = flow_info(opened, row)
    nodes = tuple(GraphNode(job.id, job.db_id, job.uuid, job.name, job.index, job.state) for job in flow.jobs_info)
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


def flow_uuids(opened: "OpenProject", rows: Iterable[int]) -> list[str]:
    """Uuids of flows that are in the queue, in the order of `rows`."""
    listed = list(rows)
    found = dict(
        opened.database.read(
            "SELECT id, uuid FROM flow WHERE id IN (SELECT value FROM json_each(?))", (id_list(listed),)
        )
    )
    return [found[row] for row in listed if row in found]


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
