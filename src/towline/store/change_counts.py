"""How many jobs and flows came to an end when: counted as they do, so that a report reads a few hundred numbers.

Each is counted in the quarter of an hour and on the day (of UTC) of its last change, as long as it stays as it is. Days
begin at a quarter of an hour in every time zone of the present; what begins elsewhere is not answered from here.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from towline.core.states import FlowState, JobState
from towline.store.conditions import NO_LIMIT

QUARTER_SECONDS = 900
DAY_SECONDS = 86400

#: The states that are counted by time: those that reports follow.
FOLLOWED: Mapping[str, frozenset[str]] = {
    "job": frozenset({JobState.COMPLETED.value, JobState.FAILED.value, JobState.REMOTE_ERROR.value}),
    "flow": frozenset({FlowState.COMPLETED.value, FlowState.FAILED.value}),
}


class ChangeCounts:
    """The changes of one transaction."""

    def __init__(self) -> None:
        self._deltas: dict[tuple[str, int, str, int], int] = defaultdict(int)

    def add(self, about: str, state: str, at: float | None, number: int) -> None:
        """Note that `number` more, or less, are in `state` since a change at that time."""
        if state not in FOLLOWED[about]:
            return
        if at is None:
            raise AssertionError(f"nobody says since when the {about} is {state}")
        for seconds in (QUARTER_SECONDS, DAY_SECONDS):
            self._deltas[(about, seconds, state, int(at // seconds))] += number

    def rows(self) -> list[tuple[str, int, str, int, int]]:
        """What changes, for :data:`UPDATE`."""
        return [(*key, delta) for key, delta in self._deltas.items() if delta]


UPDATE = (
    "INSERT INTO change_count (about, span_seconds, state, number, changed) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (about, span_seconds, state, number) DO UPDATE SET changed = change_count.changed + excluded.changed"
)


def answers(about: str, states: Iterable[str], bounds: Sequence[float]) -> bool:
    """Whether :func:`count` can tell how many are in `states`, with spans that begin at `bounds`."""
    return FOLLOWED[about].issuperset(states) and all(bound % QUARTER_SECONDS == 0 for bound in bounds)


def count(
    read: Callable[[str, Sequence[Any]], list[Any]], about: str, states: Sequence[str], bounds: Sequence[float]
) -> list[tuple[str, int, int]]:
    """``(state, number of the span, how many)``; what :func:`answers` says no to is not asked.

    Parameters
    ----------
    read
        Gives the rows of a query.
    bounds
        Begins of the spans in seconds since the epoch, ascending; the last span has no end.
    """
    days = sorted({int(bound // DAY_SECONDS) for bound in bounds if bound % DAY_SECONDS})
    first_day = int(-(-bounds[0] // DAY_SECONDS))
    per_day, first = DAY_SECONDS // QUARTER_SECONDS, int(bounds[0] // QUARTER_SECONDS)
    quarters: Any = orjson.dumps(
        [number for day in days for number in range(max(first, day * per_day), (day + 1) * per_day)]
    ).decode()
    among = "number IN (SELECT value FROM json_each(?))"
    if len(days) > (bounds[-1] - bounds[0]) / DAY_SECONDS / 2:
        # In nearly every day a span begins: its quarters tell all, and the days nothing.
        quarters, among, first_day = first, "number >= ?", NO_LIMIT
    whole = "number >= ? AND number NOT IN (SELECT value FROM json_each(?))"
    span = " ".join(f"WHEN begins < ? THEN {number}" for number in range(len(bounds) - 1))
    found = read(
        f"SELECT state, {f'CASE {span} ELSE {len(bounds) - 1} END' if span else '0'} AS span, "
        "CAST(sum(changed) AS BIGINT) FROM ("
        f"{_rows(QUARTER_SECONDS, states)} AND {among} UNION ALL {_rows(DAY_SECONDS, states)} AND {whole}"
        ") AS changes GROUP BY 1, 2",
        (*bounds[1:], about, *states, quarters, about, *states, first_day, orjson.dumps(days).decode()),
    )
    return [(state, int(number), int(changed)) for state, number, changed in found if changed]


def _rows(seconds: int, states: Sequence[str]) -> str:
    return (
        f"SELECT state, {seconds} * number AS begins, changed FROM change_count WHERE about = ? "
        f"AND span_seconds = {seconds} AND state IN ({', '.join('?' * len(states))})"
    )
