"""Drawings of flows as text: a tree for the terminal, Graphviz, Mermaid."""

from collections.abc import Callable, Mapping

from towline.core.states import HELD, IN_FLIGHT, JobState
from towline.errors import InvalidRequest
from towline.operations.flows import FlowGraph, GraphNode

#: Fill colours, readable under black text.
_COLOURS: Mapping[JobState, str] = {
    **dict.fromkeys(IN_FLIGHT, "#9ecbff"),
    **dict.fromkeys(HELD, "#e2d4f0"),
    JobState.WAITING: "#eeeeee",
    JobState.READY: "#fff3b0",
    JobState.COMPLETED: "#b7e4c7",
    JobState.FAILED: "#ffadad",
    JobState.REMOTE_ERROR: "#ffd6a5",
}

#: What a node is called in a drawing.
LABELS: Mapping[str, Callable[[GraphNode], str]] = {
    "name": lambda node: node.name,
    "db_id": lambda node: node.db_id,
    "state": lambda node: f"{node.name} {node.state.value}",
}


def as_lines(graph: FlowGraph) -> list[tuple[str, GraphNode | None]]:
    """A tree with each job under its first parent that ends last: (what stands before the job, the job).

    A job with several parents is drawn under the last of them; under the others a line without a job names it.
    """
    children: dict[int, list[int]] = {}
    parents: dict[int, list[int]] = {}
    for parent, child in graph.edges:
        children.setdefault(parent, []).append(child)
        parents.setdefault(child, []).append(parent)
    nodes = {node.id: node for node in graph.nodes}
    lines: list[tuple[str, GraphNode | None]] = []
    # A stack instead of recursion: chains may be longer than Python's recursion goes.
    stack = [(node.id, "", "", "") for node in reversed(graph.nodes) if node.id not in parents]
    while stack:
        node_id, lead, below, other_parent = stack.pop()
        if other_parent:
            lines.append((f"{lead}({other_parent})", None))
            continue
        lines.append((lead, nodes[node_id]))
        under = children.get(node_id, [])
        for position, child in reversed(list(enumerate(under))):
            last = position == len(under) - 1
            mark = "" if max(parents[child]) == node_id else f"{nodes[child].db_id} {nodes[child].name}, below"
            stack.append((child, f"{below}{'└─ ' if last else '├─ '}", f"{below}{'   ' if last else '│  '}", mark))
    return lines


def as_dot(graph: FlowGraph, label: str = "name") -> str:
    """The flow in the language of Graphviz."""
    text = LABELS[label]
    lines = [f"digraph {_quoted(graph.name)} {{", "  node [shape=box, style=filled];"]
    lines += [
        f"  {node.id} [label={_quoted(text(node))}, fillcolor={_quoted(_COLOURS[node.state])}];" for node in graph.nodes
    ]
    lines += [f"  {parent} -> {child};" for parent, child in graph.edges]
    return "\n".join([*lines, "}", ""])


def as_mermaid(graph: FlowGraph, label: str = "name") -> str:
    """The flow in the language of Mermaid."""
    text = LABELS[label]
    lines = ["flowchart TD"]
    lines += [f'  job{node.id}["{_escaped(text(node))}"]:::{node.state.value}' for node in graph.nodes]
    lines += [f"  job{parent} --> job{child}" for parent, child in graph.edges]
    present = sorted({node.state for node in graph.nodes})
    lines += [f"  classDef {state.value} fill:{_COLOURS[state]},color:#000" for state in present]
    return "\n".join([*lines, ""])


def drawing_for(suffix: str, graph: FlowGraph, label: str = "name") -> str:
    """The drawing for a file with this ending.

    Raises
    ------
    InvalidRequest
        No drawing has this ending.
    """
    formats = {".dot": as_dot, ".gv": as_dot, ".mmd": as_mermaid, ".mermaid": as_mermaid}
    if suffix not in formats:
        raise InvalidRequest(f"no drawing ends with {suffix!r}; use {', '.join(formats)}")
    return formats[suffix](graph, label)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'


def _escaped(text: str) -> str:
    for character, entity in (("&", "&amp;"), ('"', "&quot;"), ("<", "&lt;"), (">", "&gt;"), ("\n", " ")):
        text = text.replace(character, entity)
    return text
