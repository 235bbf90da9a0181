"""Drawings of flows: a tree for the terminal, files for Graphviz and Mermaid, pictures."""

from collections.abc import Callable, Mapping
from pathlib import Path

from towline.core.states import HELD, IN_FLIGHT, JobState
from towline.errors import InvalidRequest
from towline.operations.flows import FlowGraph, GraphNode

#: Fill colours, readable under black text.
COLOURS: Mapping[JobState, str] = {
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
    "uuid": lambda node: node.uuid,
}

#: Endings of files that are pictures.
PICTURES = (".svg", ".png", ".pdf")


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
        f"  {node.id} [label={_quoted(text(node))}, fillcolor={_quoted(COLOURS[node.state])}];" for node in graph.nodes
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
    lines += [f"  classDef {state.value} fill:{COLOURS[state]},color:#000" for state in present]
    return "\n".join([*lines, ""])


def as_text(graph: FlowGraph, label: str = "name") -> str:
    """The tree of :func:`as_lines` as text."""
    text = LABELS[label]
    lines = [before if node is None else f"{before}{text(node)}" for before, node in as_lines(graph)]
    return "\n".join([*lines, ""])


def write_drawing(graph: FlowGraph, path: Path, label: str = "name") -> None:
    """Draw a flow into a file, in the format that its ending tells.

    Raises
    ------
    InvalidRequest
        No drawing has this ending, matplotlib is not installed for a picture, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix in PICTURES:
        _write_picture(graph, path, label)
        return
    if suffix not in _TEXTS:
        raise InvalidRequest(f"no drawing ends with {path.suffix!r}; use {', '.join((*PICTURES, *_TEXTS))}")
    try:
        path.write_text(_TEXTS[suffix](graph, label))
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be written: {error.strerror}") from error


def _write_picture(graph: FlowGraph, path: Path, label: str) -> None:
    try:
        # matplotlib takes most of a second to load, and is an extra.
        from towline.operations.flow_drawings import write_picture
    except ImportError as error:
        raise InvalidRequest(
            f"a picture needs matplotlib ({error}); type: pip install 'towline[drawing]', or write a .dot or .mmd file"
        ) from error
    write_picture(graph, path, label)


_TEXTS: Mapping[str, Callable[[FlowGraph, str], str]] = {
    ".txt": as_text,
    ".dot": as_dot,
    ".gv": as_dot,
    ".mmd": as_mermaid,
    ".mermaid": as_mermaid,
}


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'


def _escaped(text: str) -> str:
    for character, entity in (("&", "&amp;"), ('"', "&quot;"), ("<", "&lt;"), (">", "&gt;"), ("\n", " ")):
        text = text.replace(character, entity)
    return text
