"""What both reports are made of: the template, its filters, embedded pictures, and rows of the tables."""

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from towline.simulations.application import CheckResult, Figure, Metric, Outcome, Verdict, Word

_KINDS = {".png": "image/png", ".gif": "image/gif", ".jpg": "image/jpeg", ".svg": "image/svg+xml"}
#: Pictures beyond this are named instead of embedded: a report has to open on a telephone.
_MOST_BYTES = 12_000_000

WORDS = {Word.CREDIBLE: "good", Word.FALSIFIED: "bad", Word.INCONCLUSIVE: "open"}
OUTCOMES = {Outcome.PASS: "good", Outcome.FAIL: "bad", Outcome.INCONCLUSIVE: "open"}


@dataclass(frozen=True)
class EmbeddedFigure:
    """A picture within the page."""

    title: str
    caption: str
    #: ``data:`` address; empty if the file is gone or too large.
    source: str
    name: str
    moving: bool


def embedded(figure: Figure) -> EmbeddedFigure:
    """Return a figure with its picture in a ``data:`` address."""
    source = ""
    kind = _KINDS.get(figure.path.suffix.lower(), "")
    try:
        if kind and figure.path.stat().st_size <= _MOST_BYTES:
            source = f"data:{kind};base64,{base64.b64encode(figure.path.read_bytes()).decode()}"
    except OSError:
        source = ""
    moving = figure.path.suffix.lower() == ".gif"
    return EmbeddedFigure(figure.title, figure.caption, source, figure.path.name, moving)


def number(value: object) -> str:
    """Return a value as it is read best: six significant digits, and a word instead of nan."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if math.isnan(value):
            return "unknown"
        return f"{value:.6g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e").replace("-", "−")
    return str(value)


def measured(metric: Metric) -> str:
    """Return a metric with its standard error, to two digits of it."""
    error = metric.uncertainty
    if error is None or not math.isfinite(error) or error <= 0 or not math.isfinite(metric.value):
        return number(float(metric.value))
    digits = max(0, math.floor(math.log10(max(abs(metric.value), error))) - math.floor(math.log10(error)) + 2)
    value, spread = f"{metric.value:.{digits}g}", f"{error:.2g}"
    return f"{value} ± {spread}".replace("-", "−")


def evidence(check: CheckResult) -> str:
    """Return the numbers and rows of a check as one line."""
    parts = [f"{name} = {number(value)}" for name, value in check.numbers.items()]
    if check.rows is not None:
        parts.append(f"rows {check.rows[0]} to {check.rows[1]} of the table")
    return "; ".join(parts)


def deciding(verdict: Verdict) -> Sequence[CheckResult]:
    """Return the checks to which the verdict is due: those that failed, or had no power, or passed."""
    wanted = {Word.FALSIFIED: Outcome.FAIL, Word.INCONCLUSIVE: Outcome.INCONCLUSIVE, Word.CREDIBLE: Outcome.PASS}
    return [one for one in verdict.results if one.mandatory and one.outcome is wanted[verdict.word]]


def flattened(values: Mapping[str, object], above: str = "") -> list[tuple[str, str]]:
    """Return a nested mapping as rows, with dotted names."""
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        path = f"{above}.{name}" if above else str(name)
        if isinstance(value, Mapping):
            rows += flattened(value, path)
        elif isinstance(value, list | tuple):
            rows.append((path, ", ".join(str(one) for one in value) or "none"))
        else:
            rows.append((path, "not known" if value is None else str(value)))
    return rows


def render(template: str, into: Path, **values: object) -> Path:
    """Write a page; it appears whole or not at all."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "measured": measured, "evidence": evidence, "embedded": embedded}
    environment.globals |= {"words": WORDS, "outcomes": OUTCOMES}
    text = environment.get_template(template).render(**values)
    into.parent.mkdir(parents=True, exist_ok=True)
    partial = into.with_name(f".{into.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(into)
    return into
