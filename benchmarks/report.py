"""The table that is printed and the files that are written."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from benchmarks.measurement import Better, Calibration, Figure

HEADINGS = ("metric", "what", "towline", "against", "floor or peer", "ratio", "target", "met")


def number(value: float) -> str:
    """Three significant digits, thousands separated."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def row(figure: Figure) -> tuple[str, ...]:
    """Cells of one line of the table."""
    theirs, ratio = figure.their_median, figure.ratio
    sign = ">=" if figure.better is Better.HIGHER else "<="
    times = " x" if ratio is not None else f" {figure.unit}"
    return (
        figure.metric,
        figure.what,
        f"{number(figure.our_median)} {figure.unit}",
        figure.against or "",
        "" if theirs is None else f"{number(theirs)} {figure.unit}",
        "" if ratio is None else number(ratio),
        "" if figure.target is None else f"{sign} {number(figure.target)}{times}",
        {True: "yes", False: "NO", None: ""}[figure.met],
    )


def table(figures: Sequence[Figure]) -> str:
    """The figures as a table in Markdown, columns aligned."""
    rows = [HEADINGS, *(row(figure) for figure in figures)]
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(HEADINGS))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |" for cells in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def document(
    figures: Sequence[Figure], machine: dict[str, object], calibrations: Sequence[Calibration], taken_at: datetime
) -> dict[str, object]:
    """Everything about one run, for the JSON file."""
    return {
        "taken_at": taken_at.isoformat(timespec="seconds"),
        "machine": machine,
        "calibrations": [vars(calibration) for calibration in calibrations],
        "figures": [figure.as_dict() for figure in figures],
    }


def write_json(content: dict[str, object], folder: Path) -> Path:
    """Write a run into the folder of results."""
    folder.mkdir(parents=True, exist_ok=True)
    name = str(content["taken_at"]).replace(":", "-")
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path


def write_results(
    figures: Sequence[Figure],
    machine: dict[str, object],
    calibrations: Sequence[Calibration],
    taken_at: datetime,
    repeats: int,
    path: Path,
) -> None:
    """Write the page that is kept in the repository."""
    met = [figure.met for figure in figures if figure.met is not None]
    loops = [number(calibration.loop_megaoperations_per_second) for calibration in calibrations]
    spawns = [number(calibration.spawns_per_second) for calibration in calibrations]
    lines = [
        "# Benchmark results",
        "",
        "Written by `make benchmark ARGUMENTS=--record`; do not edit. Medians of the repeats; sides alternating in",
        "one run; each side in a process of its own. What is measured and why: modules `m01` to `m12` beside it.",
        "",
        f"- Taken on {taken_at:%Y-%m-%d %H:%M}, {repeats} repeats.",
        f"- Machine: {machine['processor']}, {machine['processors']} processors, {machine['memory_gigabytes']} GB,"
        f" {machine['system']}, Python {machine['python']}, load {machine['load_average']} at the start.",
        f"- Calibration, before and after: Python loop {' and '.join(loops)} million additions/s; minimal runner with"
        f" posix_spawn {' and '.join(spawns)} jobs/s."
        + ("" if calibrations[0].steady(calibrations[-1]) else " **The machine did not hold still; repeat.**"),
        f"- Targets met: {sum(met)} of {len(met)}.",
        "",
        table(figures),
        "",
    ]
    path.write_text("\n".join(lines))
