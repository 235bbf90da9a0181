"""Jobs that may have certain values in their metadata, those of the flows that changed last first.

A flow changes with each of its jobs, so no job changed after its flow: whoever wants the newest jobs looks into the
newest flows, until he has enough that changed after the next flow did.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from towline.store.database import Database
from towline.store.metadata_index import LOOK, LOOK_AT_FLOW, WHOLE_FLOW
from towline.store.readiness import id_list

#: What more rows than this have is looked for along the flows, instead of being collected.
MANY_ROWS = 1000

_FIRST_FLOWS = 2
_MOST_FLOWS = 512
_FLOWS_AT_FIRST = 32


class Candidates(NamedTuple):
    """Some jobs that may be meant."""

    job_ids: Sequence[int]
    #: Time after which no job changed that is still to come; None when none is.
    rest_until: float | None


def few_job_ids(database: Database, tokens: Sequence[int]) -> list[int] | None:
    """All jobs that may have every one of these values; None when they are many."""
    rows = _few_rows(database, tokens, LOOK)
    return None if rows is None else _job_ids(database, rows)


def few_flow_ids(database: Database, tokens: Sequence[int]) -> list[int] | None:
    """All flows that may have every one of these values themselves; None when they are many."""
    rows = _few_rows(database, tokens, LOOK_AT_FLOW)
    return None if rows is None else sorted({flow_id for flow_id, _ in rows})


def newest_first(database: Database, tokens: Sequence[int]) -> Iterator[Candidates]:
    """Jobs that may have every one of these values."""
    rows = _few_rows(database, tokens, LOOK)
    if rows is not None:
        yield from _of_few(database, rows)
        return
    number, last = _FIRST_FLOWS, (float("inf"), 0)
    while flows := _walked(database, tokens, last, number):
        last = flows[-1]
        yield Candidates(_of_flows(database, tokens[0], [flow for _, flow in flows]), last[0])
        number = min(2 * number, _MOST_FLOWS)


def _few_rows(database: Database, tokens: Sequence[int], otherwise: int) -> list[tuple[int, int]] | None:
    """``(flow, job)`` of the value that the fewest have; None when many have each of them."""
    found = None
    for token in tokens:
        rows = database.read(
            f"SELECT flow_id, job_id FROM metadata_index WHERE token IN (?, {otherwise}) LIMIT {MANY_ROWS}", (token,)
        )
        if len(rows) < MANY_ROWS and (found is None or len(rows) < len(found)):
            found = rows
    return found


def _of_few(database: Database, rows: Sequence[tuple[int, int]]) -> Iterator[Candidates]:
    listed = id_list({flow_id for flow_id, _ in rows})
    done, number, known = 0, _FIRST_FLOWS, _FLOWS_AT_FIRST
    flows = _newest_of(database, listed, known)
    while done < len(flows):
        if done + number >= len(flows) == known:
            # Few are looked into most of the time, so the others are asked for only now.
            known = MANY_ROWS
            flows = [*flows[:done], *_newest_of(database, listed, known)[done:]]
        chosen = {flow_id for _, flow_id in flows[done : done + number]}
        done += number
        job_ids = _job_ids(database, [row for row in rows if row[0] in chosen])
        yield Candidates(job_ids, flows[done][0] if done < len(flows) else None)
        number = min(2 * number, _MOST_FLOWS)


def _newest_of(database: Database, listed: str, number: int) -> list[tuple[float, int]]:
    return database.read(
        "SELECT updated_at, id FROM flow WHERE id IN (SELECT value FROM json_each(?)) "
        f"ORDER BY updated_at DESC, id DESC LIMIT {number}",
        (listed,),
    )


def _walked(
    database: Database, tokens: Sequence[int], after: tuple[float, int], number: int
) -> list[tuple[float, int]]:
    """The next flows along the order of their changes that have every one of these values."""
    has = f"EXISTS (SELECT 1 FROM metadata_index WHERE token IN (?, {LOOK}) AND flow_id = flow.id)"
    # Until the same moment again: flows that changed in one transaction are told apart by their numbers.
    return database.read(
        "SELECT updated_at, id FROM flow WHERE updated_at <= ? AND (updated_at < ? OR id < ?) "
        f"AND {' AND '.join([has] * len(tokens))} ORDER BY updated_at DESC, id DESC LIMIT {number}",
        (after[0], after[0], after[1], *tokens),
    )


def _of_flows(database: Database, token: int, flow_ids: Sequence[int]) -> list[int]:
    rows = database.read(
        f"SELECT flow_id, job_id FROM metadata_index WHERE token IN (?, {LOOK}) "
        "AND flow_id IN (SELECT value FROM json_each(?))",
        (token, id_list(flow_ids)),
    )
    return _job_ids(database, rows)


def _job_ids(database: Database, rows: Sequence[tuple[int, int]]) -> list[int]:
    whole = {flow_id for flow_id, job_id in rows if job_id == WHOLE_FLOW}
    found = [job_id for flow_id, job_id in rows if flow_id not in whole]
    if whole:
        jobs = database.read("SELECT id FROM job WHERE flow_id IN (SELECT value FROM json_each(?))", (id_list(whole),))
        found += [job_id for (job_id,) in jobs]
    return found
