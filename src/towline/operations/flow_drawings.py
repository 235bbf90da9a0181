"""Pictures of flows: SVG, PNG and PDF. Only this file knows matplotlib, and it is loaded when a picture is made."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Patch

from towline.errors import InvalidRequest
from towline.operations.flow_graphs import COLOURS, LABELS
from towline.operations.flow_layout import layout
from towline.operations.flows import FlowGraph, GraphNode

#: Size of a box, in steps of the layout, and of the roundness inside of it.
_BOX_WIDTH, _BOX_HEIGHT, _PADDING = 0.86, 0.46, 0.03

_INCHES_PER_COLUMN, _INCHES_PER_ROW, _INCHES_AROUND = 1.9, 0.9, 0.9
#: Narrower pictures have no room for the legend.
_LEAST_COLUMNS = 2
#: A larger picture is drawn smaller: no viewer shows it whole, and PNG has no more than 65535 pixels.
_LARGEST_INCHES = 200.0
_DOTS_PER_INCH = 150
_FONT_POINTS = 8.0
_LETTERS = 22
_EDGE, _FRAME = "#777777", "#333333"


def write_picture(graph: FlowGraph, path: Path, label: str = "name") -> None:
    """Draw a flow into a file, in the format of its ending: svg, png or pdf.

    Raises
    ------
    InvalidRequest
        The file cannot be written.
    """
    figure = _figure(graph, label)
    try:
        figure.savefig(path, dpi=_DOTS_PER_INCH)
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be written: {error.strerror}") from error


def _figure(graph: FlowGraph, label: str) -> Figure:
    drawn = layout([node.id for node in graph.nodes], graph.edges)
    columns, rows = max(drawn.columns, _LEAST_COLUMNS), max(drawn.rows, 1)
    width, height = columns * _INCHES_PER_COLUMN, rows * _INCHES_PER_ROW + _INCHES_AROUND
    scale = min(1.0, _LARGEST_INCHES / max(width, height))
    figure = Figure(figsize=(width * scale, height * scale))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    middle = (drawn.columns - 1) / 2
    around = _INCHES_AROUND / _INCHES_PER_ROW / 2
    axes.set_xlim(middle - columns / 2, middle + columns / 2)
    axes.set_ylim(0.5 - rows - around, 0.5 + around)
    for points in drawn.edges:
        _draw_edge(axes, points, scale)
    for node in graph.nodes:
        _draw_box(axes, node, drawn.places[node.id], label, scale)
    _draw_legend(figure, graph, columns, scale)
    return figure


def _draw_edge(axes: Axes, points: tuple[tuple[float, float], ...], scale: float) -> None:
    (x, y), *between, end = points
    whole = [(x, y - _BOX_HEIGHT / 2), *between, (end[0], end[1] + _BOX_HEIGHT / 2)]
    line = {"color": _EDGE, "linewidth": 0.8 * scale}
    axes.plot([point[0] for point in whole[:-1]], [point[1] for point in whole[:-1]], zorder=1, **line)  # type: ignore[arg-type]
    axes.annotate(
        "", whole[-1], whole[-2], arrowprops={"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0, **line}, zorder=1
    )


def _draw_box(axes: Axes, node: GraphNode, at: tuple[float, float], label: str, scale: float) -> None:
    x, y = at
    box = FancyBboxPatch(
        (x - _BOX_WIDTH / 2 + _PADDING, y - _BOX_HEIGHT / 2 + _PADDING),
        _BOX_WIDTH - 2 * _PADDING,
        _BOX_HEIGHT - 2 * _PADDING,
        boxstyle=f"round,pad={_PADDING}",
        facecolor=COLOURS[node.state],
        edgecolor=_FRAME,
        linewidth=0.8 * scale,
        zorder=2,
    )
    axes.add_patch(box)
    text = LABELS[label](node)
    shown = text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"
    lines = shown if label == "db_id" else f"{shown}\n{node.db_id}"
    axes.text(x, y, _plain(lines), ha="center", va="center", fontsize=_FONT_POINTS * scale, zorder=3)


def _draw_legend(figure: Figure, graph: FlowGraph, columns: int, scale: float) -> None:
    present = {node.state.value: COLOURS[node.state] for node in graph.nodes}
    handles = [Patch(facecolor=colour, edgecolor=_FRAME, label=name) for name, colour in sorted(present.items())]
    title = {"ha": "center", "va": "top", "fontsize": (_FONT_POINTS + 2) * scale, "weight": "bold"}
    figure.text(0.5, 0.99, _plain(graph.name), **title)  # type: ignore[arg-type]
    figure.legend(
        handles=handles,
        loc="lower center",
        ncols=min(len(handles), max(2, columns)),
        frameon=False,
        fontsize=(_FONT_POINTS - 1) * scale,
        handlelength=1.2,
        columnspacing=1.0,
    )


def _plain(text: str) -> str:
    """`text` without what matplotlib reads as a formula, or cannot draw."""
    return "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text).replace("$", r"\$")
