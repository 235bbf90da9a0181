"""Reports about jobs and flows: their options, and how they are drawn."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from towline.core.states import FlowState, JobState
from towline.interfaces.cli.display import state_text
from towline.interfaces.cli.parameters import Argument, Option
from towline.interfaces.cli.tables import Column, Painted, print_table
from towline.operations.reports import Interval

#: Letters of the longest bar.
_BAR = 30


@dataclass
class Span:
    """The time that a report is about."""

    interval: Annotated[
        Interval, Argument(metavar="INTERVAL", help="hours, days, weeks, months or years; otherwise days.")
    ] = Interval.DAYS
    num_intervals: Annotated[
        int | None,
        Argument(metavar="NUM_INTERVALS", help="How many; otherwise 12 hours, 7 days, 4 weeks, 12 months, 3 years."),
    ] = None
    timezone: Annotated[
        str | None, Option("--timezone", help="Where days begin, as Europe/Rome; otherwise here.", metavar="ZONE")
    ] = None


def print_counts(title: str, counts: Mapping[JobState, int] | Mapping[FlowState, int]) -> None:
    """Draw how many there are in each state."""
    most = max(counts.values(), default=0)
    columns = [
        Column("State", lambda item: state_text(item[0])),
        Column("Number", lambda item: item[1], right=True),
        Column("", lambda item: _bar([(item[0], item[1])], most)),
    ]
    print_table(columns, counts.items(), title)


def print_trends(
    title: str, trends: Mapping[str, Mapping[JobState, int]] | Mapping[str, Mapping[FlowState, int]]
) -> None:
    """Draw how many came to each state in each interval."""
    rows: list[tuple[str, Mapping[Any, int]]] = list(trends.items())
    most = max((sum(counts.values()) for _, counts in rows), default=0)
    columns = [Column("Since", lambda row: row[0], cut=True)]
    for state in rows[0][1] if rows else ():
        columns.append(
            Column(state.value, lambda row, state=state: row[1][state] or "", right=True)  # type: ignore[misc]
        )
    columns.append(Column("", lambda row: _bar(list(row[1].items()), most)))
    print_table(columns, rows, title)


def by_name(counts: Mapping[JobState, int] | Mapping[FlowState, int]) -> dict[str, int]:
    """The same with names in place of states, for JSON."""
    return {state.value: number for state, number in counts.items()}


def _bar(parts: list[tuple[JobState | FlowState, int]], most: int) -> Painted:
    bar = Painted("")
    for state, number in parts:
        # What is there at all is seen.
        length = max(1, round(number / most * _BAR)) if number else 0
        bar += replace(state_text(state), text="█" * length)
    return bar
