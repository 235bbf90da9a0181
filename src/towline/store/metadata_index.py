"""Finding jobs and flows by their metadata without reading documents.

For each plain value in the metadata there is a row ``(token, flow, job)`` in table `metadata_index`; the token is a
hash of the path and the value. What most jobs of a flow have in common is one row for the flow, with the job 0, so that
metadata of whole flows cost next to nothing. Rows are hints: whoever finds jobs through them looks at their documents
too, so a hash that two values share, and a row that was left behind, do no harm. What is missing would: every way in
and out of the queue goes through here.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from towline.store.database import Transaction
from towline.store.readiness import id_list

#: Token of what has to be looked at in any case: metadata with more values, or other ones, than the index takes.
LOOK = 0
#: The same of flows.
LOOK_AT_FLOW = 1

#: The job in rows about a flow, and about what most of its jobs have.
WHOLE_FLOW = 0

_MOST_VALUES = 64
_TEXT_LENGTH = 200
#: No path in metadata of jobs begins like this.
_OF_FLOW = "\0flow"

Row = tuple[int, int, int]


def tokens(metadata: Mapping[str, Any], *, of_flow: bool = False) -> frozenset[int]:
    """Tokens of all values in the metadata of a job, or of a flow, as they are stored in JSON."""
    found: set[int] = set()
    for path, value in _values("", metadata):
        if path is None or len(found) >= _MOST_VALUES:
            return frozenset({LOOK_AT_FLOW if of_flow else LOOK})
        token = _token(_OF_FLOW + path if of_flow else path, value)
        if token is not None:
            found.add(token)
    return frozenset(found)


def wanted_tokens(wanted: Mapping[str, Any], *, of_flow: bool = False) -> list[int]:
    """Tokens of the values that are looked for, by their paths; what the index does not know is left out."""
    found = []
    for path, value in wanted.items():
        if type(value) in _PLAIN:
            prefix = _OF_FLOW if of_flow else ""
            found.append(_token(f"{prefix}.{path.replace(chr(34), '')}", value))
    return [token for token in found if token is not None]


def tokens_of_criteria(criteria: Mapping[str, Any], *, of_flow: bool = False) -> list[int]:
    """Tokens of the values that metadata must have to meet `criteria`."""
    found = []
    for path, operand in criteria.items():
        if path == "$and":
            found += [token for part in operand for token in tokens_of_criteria(part, of_flow=of_flow)]
        value = operand["$eq"] if isinstance(operand, Mapping) and "$eq" in operand else operand
        key = path.removeprefix("" if of_flow else "job.").partition("metadata.")
        if not key[0] and key[1]:
            found += wanted_tokens({key[2]: value}, of_flow=of_flow)
    return found


def rows_of_new_flow(
    flow_id: int, metadata: Mapping[str, Any], jobs: Sequence[tuple[int, frozenset[int]]]
) -> list[Row]:
    """Rows for a flow that comes into the queue with these ``(job id, tokens)``."""
    counted = Counter(token for _, held in jobs for token in held)
    shared = {token for token, number in counted.items() if 2 * number > len(jobs)}
    rows = [(token, flow_id, WHOLE_FLOW) for token in shared | tokens(metadata, of_flow=True)]
    return [*rows, *rows_of_jobs(flow_id, [(job_id, held - shared) for job_id, held in jobs])]


def rows_of_jobs(flow_id: int, jobs: Iterable[tuple[int, frozenset[int]]]) -> list[Row]:
    """Rows for jobs that come into a flow that is in the queue."""
    return [(token, flow_id, job_id) for job_id, held in jobs for token in held]


def insert(transaction: Transaction, rows: Sequence[Row]) -> None:
    """Store rows that are not there yet."""
    # In the order of the table, rows of one token touch one page.
    transaction.executemany("INSERT INTO metadata_index (token, flow_id, job_id) VALUES (?, ?, ?)", sorted(rows))


def forget_jobs(transaction: Transaction, flows_by_job: Mapping[int, int]) -> None:
    """Take out the rows of jobs that leave the queue; called while their documents are there."""
    found = _tokens_of(transaction, "SELECT job_id, settings FROM job_document WHERE job_id", flows_by_job)
    transaction.executemany(
        _DELETE, [(token, flows_by_job[job_id], job_id) for job_id, held in found for token in held]
    )


def forget_flows(transaction: Transaction, flow_ids: Iterable[int]) -> None:
    """Take out the rows of whole flows that leave the queue; called while the documents of all their jobs are there."""
    listed = id_list(flow_ids)
    rows = transaction.execute(
        "SELECT job.flow_id, settings FROM job JOIN job_document ON job_document.job_id = job.id "
        "WHERE job.flow_id IN (SELECT value FROM json_each(?))",
        (listed,),
    ).fetchall()
    leaving = {(token, flow_id, WHOLE_FLOW) for flow_id, settings in rows for token in _stored(settings)}
    flows = transaction.execute(
        "SELECT id, metadata FROM flow WHERE id IN (SELECT value FROM json_each(?))", (listed,)
    ).fetchall()
    for flow_id, document in flows:
        held = tokens(orjson.loads(document) if document else {}, of_flow=True)
        leaving.update((token, flow_id, WHOLE_FLOW) for token in held)
    transaction.executemany(_DELETE, sorted(leaving))


_DELETE = "DELETE FROM metadata_index WHERE token = ? AND flow_id = ? AND job_id = ?"


def _tokens_of(transaction: Transaction, query: str, ids: Iterable[int]) -> list[tuple[int, frozenset[int]]]:
    rows = transaction.execute(f"{query} IN (SELECT value FROM json_each(?))", (id_list(ids),)).fetchall()
    return [(row_id, _stored(settings)) for row_id, settings in rows]


def _stored(settings: bytes) -> frozenset[int]:
    return tokens(orjson.loads(settings).get("metadata") or {})


def _values(path: str, value: Any) -> Iterator[tuple[str | None, Any]]:
    """``(path, plain value)`` of everything below `path`; the path is None where only the document tells."""
    kind = type(value)
    if kind in _PLAIN:
        yield path, value
    elif kind is dict:
        for name, inner in value.items():
            yield from _values(f"{path}.{name}", inner)
    elif kind in (list, tuple) and len(value) <= _MOST_VALUES and all(type(item) in _PLAIN for item in value):
        # Criteria find a list by its items, and by the place of one.
        for position, item in enumerate(value):
            yield path, item
            yield f"{path}.{position}", item
    elif value is not None:
        yield None, None


def _token(path: str, value: Any) -> int | None:
    """Token of a value; None for what no comparison finds."""
    if isinstance(value, str):
        return _hashed(path, "s", value[:_TEXT_LENGTH])
    return _hashed(path, "n", value)


@lru_cache(maxsize=10_000)
def _hashed(path: str, kind: str, value: Any) -> int | None:
    # Whether it is 1, 1.0 or true makes no difference to a comparison.
    if kind == "s":
        text = f"s{value}"
    else:
        try:
            number = float(value)
        except OverflowError:
            return None
        if not math.isfinite(number):
            return None
        text = f"n{number + 0.0!r}"
    # Costs milliseconds at every command, and few look for metadata.
    from hashlib import blake2b

    digest = blake2b(f"{path}\0{text}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    token = int.from_bytes(digest, "big", signed=True)
    return token if token not in (LOOK, LOOK_AT_FLOW) else 2


_PLAIN = frozenset({str, int, float, bool})
