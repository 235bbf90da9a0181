"""`tow flow graph`."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import click

from towline.interfaces.cli.display import print_json, say, state_text, write_out
from towline.interfaces.cli.options import FlowByJob, FlowId, Json
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.session import open_session
from towline.interfaces.cli.tables import Painted, columns_of, visible, width
from towline.operations.flow_graphs import as_lines, as_mermaid, write_drawing
from towline.operations.flows import FlowGraph, GraphNode, flow_graph
from towline.operations.selection import flow_row


class Label(str, Enum):
    """What the jobs are called in a drawing."""

    NAME = "name"
    DB_ID = "db_id"
    STATE = "state"
    UUID = "uuid"


def command(
    context: click.Context,
    flow_db_id: FlowId,
    job: FlowByJob = False,
    label: Annotated[Label, Option("--label", "-l", help="What the jobs are called in a file.")] = Label.NAME,
    path: Annotated[
        Path | None, Option("--path", "-p", help="File to write: .svg, .png, .pdf, .txt, .dot, .mmd.", metavar="FILE")
    ] = None,
    dash: Annotated[
        bool,
        Option(
            *("--dash", "-d"),
            refused="serves a page by Dash in jobflow-remote; to get a picture: tow flow graph ID --path flow.svg",
        ),
    ] = False,
    mermaid: Annotated[bool, Option("--mermaid", "-m", help="Print the text for Mermaid.")] = False,
    as_json: Json = False,
) -> None:
    """Draw what depends on what: a tree in the terminal, a picture, or a file for Graphviz or Mermaid."""
    with open_session(context) as opened:
        graph = flow_graph(opened, flow_row(opened, flow_db_id, is_job=job))
        prefix = opened.db_id_prefix
    if as_json:
        print_json(_document(graph, prefix))
    elif mermaid:
        write_out(as_mermaid(graph, label.value))
    elif path is not None:
        write_drawing(graph, path, label.value)
        say(f"written to {path}")
    else:
        _draw(graph)


def _draw(graph: FlowGraph) -> None:
    lines, room = [], width()
    for before, node in as_lines(graph):
        line = Painted(before, "bright_black")
        if node is not None:
            name = Painted(f"{node.db_id} ", bold=True) + Painted(f"{visible(_name(node))}  ")
            is_long = columns_of(before + name.plain) + len(node.state.value) > room
            line = line + name + state_text(node.state, short=is_long)
        lines.append(f"{line}\n")
    write_out("".join(lines))


def _name(node: GraphNode) -> str:
    return node.name if node.index == 1 else f"{node.name} ({node.index})"


def _document(graph: FlowGraph, prefix: str) -> dict[str, object]:
    return {
        "name": graph.name,
        "nodes": [
            {"db_id": node.db_id, "name": node.name, "index": node.index, "state": node.state.value}
            for node in graph.nodes
        ],
        "edges": [[f"{prefix}{parent}", f"{prefix}{child}"] for parent, child in graph.edges],
    }
