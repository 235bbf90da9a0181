"""Which job of a flow waits for which, computed in time proportional to jobs and edges."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from jobflow import Flow, Job, JobOrder

from towline.errors import InvalidFlow


def jobs_of(flow: Flow) -> Iterator[Job]:
    """Every job of a flow and of the flows inside it, in the order in which they were added."""
    for element in flow:
        if isinstance(element, Flow):
            yield from jobs_of(element)
        else:
            yield element


def order_edges(flow: Flow, references: Mapping[str, Collection[str]]) -> dict[str, set[str]]:
    """Parents that jobs have only because of the order of their flow.

    In a flow with order "linear" every root of an element (a job, or a flow inside) waits for every leaf of the
    element before it. A root has no parent, a leaf no child inside its element. jobflow counts jobs outside an element
    among its roots when the element refers to them, and so finds a cycle where a flow inside a linear one uses what
    stands before it; here such a flow simply runs in its order.

    Parameters
    ----------
    references
        ``{uuid of a job: uuids of the jobs whose output it uses}``.
    """
    edges: dict[str, set[str]] = {}
    if _has_linear_order(flow):
        _part(flow, references, edges)
    return edges


def in_order(parents: Mapping[str, Collection[str]], names: Mapping[str, str]) -> list[str]:
    """The keys of `parents`, every job after its parents and otherwise in the given order.

    Parents that are no keys are outside the flow.

    Parameters
    ----------
    names
        Name of each job, for the error.

    Raises
    ------
    InvalidFlow
        The jobs wait for each other.
    """
    positions = {uuid: position for position, uuid in enumerate(parents)}
    if all(positions.get(parent, -1) < position for uuid, position in positions.items() for parent in parents[uuid]):
        return list(parents)
    ordered: dict[str, None] = {}
    for uuid in parents:
        _visit(uuid, parents, ordered, names)
    return list(ordered)


@dataclass(frozen=True, slots=True)
class _Part:
    """An element of a flow, by the uuids of its jobs."""

    jobs: frozenset[str]
    roots: list[str]
    leaves: list[str]


def _has_linear_order(flow: Flow) -> bool:
    return flow.order == JobOrder.LINEAR or any(_has_linear_order(part) for part in flow if isinstance(part, Flow))


def _part(element: Flow | Job, references: Mapping[str, Collection[str]], edges: dict[str, set[str]]) -> _Part:
    if isinstance(element, Job):
        return _Part(frozenset({element.uuid}), [element.uuid], [element.uuid])
    parts = [part for part in (_part(inner, references, edges) for inner in element) if part.jobs]
    jobs = frozenset[str]().union(*(part.jobs for part in parts))
    used = {uuid for job in jobs for uuid in references[job]}
    roots = [uuid for part in parts for uuid in part.roots if jobs.isdisjoint(references[uuid])]
    leaves = [uuid for part in parts for uuid in part.leaves if uuid not in used]
    if element.order == JobOrder.LINEAR:
        for earlier, later in pairwise(parts):
            for root in later.roots:
                edges.setdefault(root, set()).update(earlier.leaves)
        after_first = frozenset[str]().union(*(part.jobs for part in parts[1:]))
        before_last = frozenset[str]().union(*(part.jobs for part in parts[:-1]))
        roots = [uuid for uuid in roots if uuid not in after_first]
        leaves = [uuid for uuid in leaves if uuid not in before_last]
    return _Part(jobs, roots, leaves)


def _visit(
    start: str, parents: Mapping[str, Collection[str]], ordered: dict[str, None], names: Mapping[str, str]
) -> None:
    """Depth first, without recursion: a chain may have thousands of jobs."""
    on_path: dict[str, Iterator[str]] = {}
    if start not in ordered:
        on_path[start] = iter(_inside(parents[start], parents))
    while on_path:
        uuid = next(reversed(on_path))
        parent = next((parent for parent in on_path[uuid] if parent not in ordered), None)
        if parent is None:
            del on_path[uuid]
            ordered[uuid] = None
        elif parent in on_path:
            path = [*on_path]
            circle = [parent, *reversed(path[path.index(parent) :])]
            text = " -> ".join(f"{names[job]!r} ({job})" for job in circle)
            raise InvalidFlow(f"jobs wait for each other: {text}; one has to do without the output of the other")
        else:
            on_path[parent] = iter(_inside(parents[parent], parents))


def _inside(uuids: Iterable[str], parents: Mapping[str, Collection[str]]) -> list[str]:
    return [uuid for uuid in uuids if uuid in parents]
